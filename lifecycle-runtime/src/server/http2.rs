//! An HTTP/2 connection as its bytes tell it: which streams are open, and where a frame of ours fits in.
//!
//! actix-http says no GOAWAY and has no place where it could be told to, so the transport puts the frames between those
//! that actix-http writes. The sequence is that of RFC 9113, section 6.8: first a GOAWAY that permits every stream, with
//! a PING behind it; when the PING is answered, the client has seen the GOAWAY, and a second one names the last stream.

use actix_web::web::BytesMut;

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;

/// What a client begins with (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const PUSH_PROMISE: u8 = 0x5;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const CONTINUATION: u8 = 0x9;

/// A flag of DATA and HEADERS.
const END_STREAM: u8 = 0x1;
/// A flag of HEADERS, `PUSH_PROMISE` and CONTINUATION.
const END_HEADERS: u8 = 0x4;
/// A flag of PING.
const ACK: u8 = 0x1;

const HEADER: usize = 9;
const MAX_STREAM: u32 = (1 << 31) - 1;
/// What our PING carries, so that its answer is told from others.
const OURS: [u8; 8] = *b"draining";

/// One direction of a connection.
#[derive(Clone, Default)]
struct Frames {
    header: [u8; HEADER],
    /// How much of the header is there.
    have: usize,
    /// How much of the payload is still to come.
    left: usize,
    /// Whether more frames of the same headers must follow without another in between.
    in_headers: bool,
}

#[derive(Clone, Copy)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frame {
    fn is_answer(self) -> bool {
        self.kind == PING && self.flags & ACK != 0
    }
}

impl Frames {
    fn is_between(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.in_headers
    }

    /// Takes bytes up to the end of a header or of a payload: how many, and the frame that has begun.
    fn step(&mut self, bytes: &[u8]) -> (usize, Option<Frame>) {
        if self.left > 0 {
            let taken = self.left.min(bytes.len());
            self.left -= taken;
            return (taken, None);
        }
        let taken = (HEADER - self.have).min(bytes.len());
        self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
        self.have += taken;
        if self.have < HEADER {
            return (taken, None);
        }
        self.have = 0;
        let [a, b, c, kind, flags, stream @ ..] = self.header;
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        if matches!(kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
            self.in_headers = flags & END_HEADERS == 0;
        }
        (taken, Some(Frame { kind, flags, stream: u32::from_be_bytes(stream) & MAX_STREAM }))
    }

    fn advance(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let (taken, frame) = self.step(bytes);
            frame.into_iter().for_each(&mut each);
            bytes = &bytes[taken..];
        }
    }

    /// How many of the bytes come before something else may be written; all of them, if it may not within.
    fn until_between(&self, bytes: &[u8]) -> usize {
        let mut frames = self.clone();
        let mut at = 0;
        while at < bytes.len() && !frames.is_between() {
            at += frames.step(&bytes[at..]).0;
        }
        at
    }
}

/// How far the good-bye has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The client has been told; whatever it sends until it knows is served.
    Told,
    /// The client has been told which stream was the last.
    Last,
}

/// What is known of a connection.
pub(super) struct Http2 {
    outgoing: Frames,
    incoming: Frames,
    /// How much of the client's preface is still to come.
    preface: usize,
    /// A server speaks first by its settings: nothing may be written before.
    has_spoken: bool,
    streams: Streams,
    /// How many streams have become requests.
    begun: u64,
    /// How many may; all, as long as none was the last.
    allowed: u64,
    stage: Stage,
    /// Whether our PING has not been answered.
    is_asking: bool,
    /// The frame that may be the answer to our PING, as far as it has come.
    held: BytesMut,
}

impl Http2 {
    pub(super) fn new() -> Self {
        Self {
            outgoing: Frames::default(),
            incoming: Frames::default(),
            preface: PREFACE.len(),
            has_spoken: false,
            streams: Streams::default(),
            begun: 0,
            allowed: u64::MAX,
            stage: Stage::Open,
            is_asking: false,
            held: BytesMut::new(),
        }
    }

    /// Tells the client that the connection ends, and asks whether it has heard it.
    pub(super) fn tell(&mut self, out: &mut BytesMut) {
        if self.stage == Stage::Open {
            self.stage = Stage::Told;
            self.is_asking = true;
            goaway(out, MAX_STREAM);
            frame(out, PING, 8);
            out.extend_from_slice(&OURS);
        }
    }

    /// Tells the client which stream was the last: what comes later is not served.
    pub(super) fn tell_last(&mut self, out: &mut BytesMut) {
        self.tell(out);
        if self.stage == Stage::Told {
            self.stage = Stage::Last;
            self.allowed = self.streams.opened;
            goaway(out, self.streams.highest);
        }
    }

    /// Whether the client has been told the last stream, and all have ended: to the last byte, not to the frame that says so.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Last && self.streams.open.is_empty() && self.outgoing.is_between()
    }

    /// Whether the next request, which begins now, is to be served.
    pub(super) fn begin(&mut self) -> bool {
        self.begun += 1;
        self.begun <= self.allowed
    }

    /// Whether a frame of ours may be written now.
    pub(super) fn is_between(&self) -> bool {
        self.has_spoken && self.outgoing.is_between()
    }

    /// How many of the bytes come before a frame of ours may be written.
    pub(super) fn until_between(&self, bytes: &[u8]) -> usize {
        match self.has_spoken {
            true => self.outgoing.until_between(bytes),
            false => bytes.len(),
        }
    }

    /// Looks at bytes that have been written. Nothing in `out` is to be said any more once actix-http says GOAWAY itself:
    /// it ends the connection because of an error, and no GOAWAY may permit more streams than the one before.
    pub(super) fn sent(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.has_spoken |= !bytes.is_empty();
        self.outgoing.advance(bytes, |frame| {
            if frame.kind == GOAWAY {
                self.stage = Stage::Last;
                out.clear();
            }
            self.streams.said(frame);
        });
    }

    /// Whether what is read has to go through [`without_answer`](Self::without_answer).
    pub(super) fn expects_answer(&self) -> bool {
        self.is_asking || !self.held.is_empty()
    }

    /// Looks at bytes that have been read.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        let bytes = self.after_preface(bytes).1;
        self.incoming.advance(bytes, |frame| self.streams.heard(frame));
    }

    /// Looks at bytes that have been read, and returns them without the answer to our PING, which would be news to
    /// actix-http. When it has come, `out` gets the second GOAWAY.
    pub(super) fn without_answer(&mut self, bytes: &[u8], out: &mut BytesMut) -> BytesMut {
        let (preface, mut rest) = self.after_preface(bytes);
        let mut kept = BytesMut::from(preface);
        while !rest.is_empty() {
            let in_header = self.incoming.left == 0;
            let (taken, frame) = self.incoming.step(rest);
            let (step, more) = rest.split_at(taken);
            rest = more;
            if !in_header && self.held.is_empty() {
                kept.extend_from_slice(step);
                continue;
            }
            self.held.extend_from_slice(step);
            match frame {
                Some(frame) if frame.is_answer() && self.incoming.left == OURS.len() => {}
                Some(frame) => {
                    kept.unsplit(self.held.split());
                    self.streams.heard(frame);
                }
                None if in_header || self.incoming.left > 0 => {}
                None if self.is_asking && self.held.get(HEADER..) == Some(&OURS) => {
                    self.is_asking = false;
                    self.held.clear();
                    self.tell_last(out);
                }
                None => kept.unsplit(self.held.split()),
            }
        }
        kept
    }

    fn after_preface<'b>(&mut self, bytes: &'b [u8]) -> (&'b [u8], &'b [u8]) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        bytes.split_at(preface)
    }
}

/// The client's streams.
#[derive(Default)]
struct Streams {
    /// Those that have not ended.
    open: Vec<u32>,
    highest: u32,
    /// How many there have been.
    opened: u64,
}

impl Streams {
    fn heard(&mut self, frame: Frame) {
        match frame.kind {
            HEADERS if frame.stream > self.highest => {
                self.highest = frame.stream;
                self.opened += 1;
                self.open.push(frame.stream);
            }
            RST_STREAM => self.end(frame.stream),
            _ => {}
        }
    }

    fn said(&mut self, frame: Frame) {
        let ends = matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0;
        if ends || frame.kind == RST_STREAM {
            self.end(frame.stream);
        }
    }

    fn end(&mut self, stream: u32) {
        self.open.retain(|open| *open != stream);
    }
}

/// The head of a frame about the whole connection.
fn frame(out: &mut BytesMut, kind: u8, length: u8) {
    out.extend_from_slice(&[0, 0, length, kind, 0, 0, 0, 0, 0]);
}

/// A GOAWAY without an error.
fn goaway(out: &mut BytesMut, last: u32) {
    frame(out, GOAWAY, 8);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
}
