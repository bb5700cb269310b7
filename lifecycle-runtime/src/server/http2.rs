//! State of an HTTP/2 connection, followed by its bytes: the open streams, and the places at which
//! a frame of ours fits in.
//!
//! actix-http sends no GOAWAY and has no way to be asked for one, so the transport puts our frames
//! between those that actix-http writes. The sequence is that of RFC 9113, section 6.8: first a
//! GOAWAY that permits every stream, with a PING behind it; when the PING is answered, the client
//! has seen the GOAWAY, and a second one names the last stream. When the last stream has ended,
//! another PING asks whether the client has read everything: its answer comes behind all that the
//! client has to read.

mod frames;
#[cfg(test)]
pub(super) mod sample;
mod streams;
#[cfg(test)]
mod tests;

use actix_web::web::BytesMut;

use frames::{DATA, Frame, FrameReader, GOAWAY, HEADER, HEADERS, MAX_STREAM, PING, frame, goaway};
use streams::Streams;

/// First bytes that a client sends (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length of the last stream's number, with which the payload of a GOAWAY begins.
const LAST_STREAM: usize = 4;
/// Payload of the PING behind the first GOAWAY.
const DRAINING: [u8; 8] = *b"draining";
/// Payload of the PING behind the last stream.
const FINISHED: [u8; 8] = *b"finished";

/// Progress of the announcement of the connection's end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Announcement {
    Open,
    /// The client has been told that the connection ends. Requests that it sends before it knows
    /// are served.
    Announced,
    /// The client has been told that this stream is the last.
    Last(u32),
    /// actix-http ends the connection itself, because of an error.
    Failed,
}

/// Evidence that the client has read everything that was sent to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Receipt {
    /// Something was sent after the last PING.
    Missing,
    /// The last PING is behind everything else, and has not been answered.
    Asked,
    Given,
}

/// State of an HTTP/2 connection. `T` stands for a response, from its completion by the app until
/// its end is written.
pub(super) struct Http2<T> {
    outgoing: FrameReader,
    incoming: FrameReader,
    /// Count of the bytes of the client's preface that are still to come.
    preface: usize,
    /// Set once the settings, which come first, have been written.
    has_sent_settings: bool,
    streams: Streams<T>,
    /// Responses whose last frame has been written.
    written: Vec<T>,
    announcement: Announcement,
    receipt: Receipt,
    /// Count of our PINGs that have not been answered.
    unanswered: usize,
    /// Frame that may be the answer to one of our PINGs, as far as it has come.
    held: BytesMut,
    /// Frames of ours that have not been written.
    out: BytesMut,
    /// Count of the bytes of a GOAWAY's last stream that are still to come.
    lifting: usize,
    /// Set if the connection was done at the last call of [`is_newly_done`](Self::is_newly_done).
    was_done: bool,
}

impl<T> Http2<T> {
    pub(super) fn new() -> Self {
        Self {
            outgoing: FrameReader::default(),
            incoming: FrameReader::default(),
            preface: PREFACE.len(),
            has_sent_settings: false,
            streams: Streams::default(),
            written: Vec::new(),
            announcement: Announcement::Open,
            receipt: Receipt::Missing,
            unanswered: 0,
            held: BytesMut::new(),
            out: BytesMut::new(),
            lifting: 0,
            was_done: false,
        }
    }

    /// Tells the client that the connection ends, and asks for an answer.
    pub(super) fn announce(&mut self) {
        if self.announcement == Announcement::Open {
            self.announcement = Announcement::Announced;
            goaway(&mut self.out, MAX_STREAM);
            self.ask(DRAINING);
        }
    }

    /// Tells the client the last stream: later ones are not served.
    pub(super) fn announce_last(&mut self) {
        self.announce();
        if self.announcement == Announcement::Announced {
            self.announcement = Announcement::Last(self.streams.highest);
            goaway(&mut self.out, self.streams.highest);
            self.ask_when_finished();
        }
    }

    fn ask(&mut self, payload: [u8; 8]) {
        frame(&mut self.out, PING, 8);
        self.out.extend_from_slice(&payload);
        self.unanswered += 1;
        self.receipt = Receipt::Asked;
    }

    fn ask_when_finished(&mut self) {
        let is_finished =
            matches!(self.announcement, Announcement::Last(_)) && self.streams.open.is_empty();
        if is_finished && self.receipt == Receipt::Missing {
            self.ask(FINISHED);
        }
    }

    /// Returns whether the client has been told the last stream, and all streams have ended.
    /// Everything must be written to the last byte, including the PING behind the streams.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.announcement, Announcement::Last(_) | Announcement::Failed)
            && self.streams.open.is_empty()
            && self.outgoing.is_between()
            && self.out.is_empty()
    }

    /// Returns whether the connection has become done since the last call.
    pub(super) fn is_newly_done(&mut self) -> bool {
        let is_done = self.is_done();
        !std::mem::replace(&mut self.was_done, is_done) && is_done
    }

    /// Returns whether the last stream has been named.
    pub(super) fn has_named_last(&self) -> bool {
        matches!(self.announcement, Announcement::Last(_) | Announcement::Failed)
    }

    /// Returns whether the client has proven that it has read everything.
    pub(super) fn has_been_read(&self) -> bool {
        self.receipt == Receipt::Given
    }

    /// Assigns the next request to a stream, in the order in which the client opened them. Returns
    /// `None` if the request must be refused, as its stream is above the last one that the client
    /// has been told. `is_reset` returns whether the request's stream is reset.
    pub(super) fn begin(&mut self, is_reset: impl FnOnce() -> bool) -> Option<u32> {
        let stream = self.streams.claim(is_reset);
        match self.announcement {
            Announcement::Last(last) if stream.is_none_or(|stream| stream > last) => None,
            // Every request has been read here before; 0 is no stream.
            _ => Some(stream.unwrap_or(0)),
        }
    }

    /// Keeps a response that the app has completed until its last frame is written. It is dropped
    /// if its stream has ended before.
    pub(super) fn complete(&mut self, stream: u32, response: T) {
        if let Some(waiting) = self.streams.open.get_mut(&stream) {
            *waiting = Some(response);
        }
    }

    /// Returns whether the app has completed responses whose last frame has not been written.
    pub(super) fn has_completed(&self) -> bool {
        self.streams.open.values().any(Option::is_some)
    }

    /// Takes the responses whose last frame has been written since the last call.
    pub(super) fn take_written(&mut self) -> Vec<T> {
        std::mem::take(&mut self.written)
    }

    /// Returns our frames, if there are any and they may be written now. The caller removes the
    /// bytes that it writes.
    pub(super) fn due(&mut self) -> Option<&mut BytesMut> {
        let is_between = self.is_between();
        Some(&mut self.out).filter(|out| is_between && !out.is_empty())
    }

    /// Returns the number of bytes to write before our frames; `None` if no frame of ours waits.
    pub(super) fn before_due(&self, bytes: &[u8]) -> Option<usize> {
        (!self.out.is_empty()).then(|| self.until_between(bytes))
    }

    /// Returns whether frames of ours wait to be written.
    pub(super) fn has_due(&self) -> bool {
        !self.out.is_empty()
    }

    fn is_between(&self) -> bool {
        self.has_sent_settings && self.outgoing.is_between()
    }

    fn until_between(&self, bytes: &[u8]) -> usize {
        if self.has_sent_settings { self.outgoing.until_between(bytes) } else { bytes.len() }
    }

    /// Looks at bytes that have been written. Drops our frames once actix-http sends a GOAWAY
    /// itself: actix-http ends the connection because of an error, and no GOAWAY may permit more
    /// streams than the one before.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.has_sent_settings |= !bytes.is_empty();
        self.outgoing.advance(bytes, |frame| {
            match frame.kind {
                GOAWAY => {
                    self.announcement = Announcement::Failed;
                    self.out.clear();
                }
                DATA | HEADERS => self.receipt = Receipt::Missing,
                _ => {}
            }
            self.written.extend(self.streams.sent(frame));
        });
        self.ask_when_finished();
    }

    /// Returns whether bytes that are read have to go through [`without_pong`](Self::without_pong).
    pub(super) fn expects_pong(&self) -> bool {
        self.unanswered > 0 || !self.held.is_empty()
    }

    /// Looks at bytes that have been read, and raises the last stream of a GOAWAY that would make
    /// h2 give up the client's own streams.
    pub(super) fn received(&mut self, bytes: &mut [u8]) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        let mut rest = &mut bytes[preface..];
        while !rest.is_empty() {
            let (taken, frame) = self.incoming.step(rest);
            let (step, more) = rest.split_at_mut(taken);
            self.lift(step, frame);
            rest = more;
        }
        self.ask_when_finished();
    }

    /// Looks at a header or at a part of a payload that has been read, and raises the last stream
    /// of a GOAWAY. A GOAWAY of the client is about streams of the server, and there are none. h2
    /// 0.3 takes it to be about the client's, and fails those above its last one.
    fn lift(&mut self, step: &mut [u8], frame: Option<Frame>) {
        if let Some(frame) = frame {
            self.lifting = if frame.kind == GOAWAY { LAST_STREAM } else { 0 };
            self.streams.received(frame);
            return;
        }
        if self.incoming.have > 0 {
            return;
        }
        let lifted = self.lifting.min(step.len());
        for (byte, at) in step.iter_mut().zip(LAST_STREAM - self.lifting..).take(lifted) {
            *byte = MAX_STREAM.to_be_bytes()[at];
        }
        self.lifting -= lifted;
    }

    /// Looks at bytes that have been read, and returns them without answers to our PINGs, which
    /// actix-http has not sent. The first answer is followed by the second GOAWAY.
    pub(super) fn without_pong(&mut self, bytes: &[u8]) -> BytesMut {
        let (preface, mut rest) = self.after_preface(bytes);
        let mut kept = BytesMut::from(preface);
        while !rest.is_empty() {
            let in_header = self.incoming.left == 0;
            let (taken, frame) = self.incoming.step(rest);
            let (step, more) = rest.split_at(taken);
            rest = more;
            let mut step = BytesMut::from(step);
            self.lift(&mut step, frame);
            if !in_header && self.held.is_empty() {
                kept.unsplit(step);
                continue;
            }
            self.held.unsplit(step);
            let may_be_pong = match frame {
                Some(frame) => frame.is_pong() && self.incoming.left == DRAINING.len(),
                None => in_header || self.incoming.left > 0,
            };
            if may_be_pong {
                continue;
            }
            if frame.is_none() && self.is_pong_of_ours() {
                self.held.clear();
            } else {
                kept.unsplit(self.held.split());
            }
        }
        self.ask_when_finished();
        kept
    }

    /// Returns whether the frame that is held answers a PING of ours, and if so acts on it.
    fn is_pong_of_ours(&mut self) -> bool {
        let payload = self.held.get(HEADER..).and_then(|payload| <[u8; 8]>::try_from(payload).ok());
        if self.unanswered == 0
            || payload.is_none_or(|payload| ![DRAINING, FINISHED].contains(&payload))
        {
            return false;
        }
        self.unanswered -= 1;
        // Answers come in the order of the PINGs, so this one is the last one's.
        if self.unanswered == 0 && self.receipt == Receipt::Asked {
            self.receipt = Receipt::Given;
        }
        self.announce_last();
        true
    }

    /// Looks for answers to our PINGs in bytes that nobody reads any more. Returns whether the
    /// bytes show that the client reads. Further requests don't show that.
    pub(super) fn discarded(&mut self, bytes: &[u8]) -> bool {
        self.streams.is_closed = true;
        let mut shows_reading = false;
        let frames = &bytes[self.preface.min(bytes.len())..];
        self.incoming.clone().advance(frames, |frame| shows_reading |= frame.follows_reading());
        drop(self.without_pong(bytes));
        shows_reading
    }

    fn after_preface<'b>(&mut self, bytes: &'b [u8]) -> (&'b [u8], &'b [u8]) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        bytes.split_at(preface)
    }
}
