//! Client of HTTP/2, frame by frame, over TCP or TLS. It updates its windows as it reads, as
//! browsers do.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use lifecycle_tests::http::{Connection, Ending, Transport};
use lifecycle_tests::http2::{
    ACK, ANY_STREAM, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE,
    REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, number,
};

use super::hpack::status;
use super::{Client, Journal, Outcome, Reply, Target};

/// Window of a connection before any setting.
const DEFAULT_WINDOW: u32 = 65_535;

/// Way in which a client reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Window of the connection and of each stream.
    pub(crate) window: u32,
    /// Number of bytes after which the windows are updated, or nothing if they never are.
    pub(crate) update_every: Option<u32>,
    /// Time that the client takes to read 64 KiB.
    pub(crate) pace: Duration,
}

impl Default for Reading {
    fn default() -> Self {
        Self { window: 16 << 20, update_every: Some(64 << 10), pace: Duration::ZERO }
    }
}

/// Connection of any number of streams.
pub(crate) struct Http2 {
    connection: Connection<Box<dyn Transport>>,
    pub(crate) journal: Journal,
    reading: Reading,
    streams: BTreeMap<u32, Stream>,
    next: u32,
    /// Last stream and error code of each GOAWAY.
    pub(crate) goaways: Vec<(u32, u32)>,
    /// Number of PINGs that the server has answered.
    answered_pings: usize,
    /// Number of bytes that were read since the windows were updated.
    unacknowledged: u32,
    unpaced: u32,
    unsent: Option<String>,
    ending: Option<Ending>,
}

#[derive(Debug, Default)]
struct Stream {
    request: String,
    status: u16,
    body: Vec<u8>,
    has_ended: bool,
    reset: Option<u32>,
    is_judged: bool,
}

impl Http2 {
    pub(crate) fn connect(
        target: &Target,
        mut journal: Journal,
        reading: Reading,
    ) -> Result<Self, Journal> {
        match target.open_or_note(&mut journal) {
            Some(transport) => Ok(Self::over(transport, journal, reading)),
            None => Err(journal),
        }
    }

    pub(crate) fn over(transport: Box<dyn Transport>, journal: Journal, reading: Reading) -> Self {
        let mut client = Self {
            connection: Connection::over(transport),
            journal,
            reading,
            streams: BTreeMap::new(),
            next: 1,
            goaways: Vec::new(),
            answered_pings: 0,
            unacknowledged: 0,
            unpaced: 0,
            unsent: None,
            ending: None,
        };
        // The settings forbid a dynamic table, so that a status can be read without a decoder, and
        // give the window of a stream.
        let settings =
            [[0, 1, 0, 0, 0, 0].to_vec(), [&[0, 4][..], &reading.window.to_be_bytes()].concat()]
                .concat();
        let begin = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &settings)].concat();
        client.write(&begin);
        if let Some(more) = reading.window.checked_sub(DEFAULT_WINDOW).filter(|more| *more > 0) {
            client.write(&frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes()));
        }
        client
    }

    /// Opens a stream for a request without a body, and returns its number.
    pub(crate) fn open(&mut self, path: &str) -> u32 {
        self.begin(&[0x82], "GET", path, END_STREAM)
    }

    /// Opens a stream for a request whose body follows.
    pub(crate) fn post(&mut self, path: &str) -> u32 {
        self.begin(&[0x83], "POST", path, 0)
    }

    /// Sends a part of a request's body. The server's windows must have room for it.
    pub(crate) fn data(&mut self, stream: u32, bytes: &[u8], is_end: bool) {
        let count = bytes.chunks(16_384).count();
        for (number, chunk) in bytes.chunks(16_384).enumerate() {
            let flags = if is_end && number + 1 == count { END_STREAM } else { 0 };
            self.write(&frame(DATA, flags, stream, chunk));
        }
    }

    /// Opens a stream that no server may accept: its head names no method.
    pub(crate) fn open_malformed(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        self.journal.note(format_args!("stream {stream}: a malformed request"));
        self.write(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &[0x86, 0x84]));
        stream
    }

    fn begin(&mut self, method: &[u8], name: &str, path: &str, flags: u8) -> u32 {
        let stream = self.next;
        self.next += 2;
        let request = format!("{name} {path}");
        self.journal.note(format_args!("stream {stream}: {request}"));
        // HPACK: entries of the static table, then two literals whose names are in it.
        let mut block = [method, &[0x86]].concat();
        for (name, value) in [(4, path), (1, "localhost")] {
            block.extend([name, u8::try_from(value.len()).expect("a short value")]);
            block.extend(value.as_bytes());
        }
        self.streams.insert(stream, Stream { request, ..Stream::default() });
        self.write(&frame(HEADERS, END_HEADERS | flags, stream, &block));
        stream
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.unsent.is_some() {
            return;
        }
        if let Err(error) = self.connection.write(bytes) {
            self.journal.note(format_args!("sending failed: {error}"));
            self.unsent = Some(error.to_string());
        }
    }

    /// Waits until the server has read everything that was sent so far, which the answer to a PING
    /// tells.
    pub(crate) fn wait_until_heard(&mut self) {
        let answers = self.answered_pings;
        self.ping();
        while self.answered_pings == answers && self.read_frame() {}
    }

    /// Sends a PING, and returns whether it could be sent.
    pub(crate) fn ping(&mut self) -> bool {
        self.write(&frame(PING, 0, 0, b"are you?"));
        self.has_sent_all()
    }

    /// Returns whether all writes so far have succeeded.
    pub(crate) fn has_sent_all(&self) -> bool {
        self.unsent.is_none()
    }

    /// Stops sending, even what the server asks for.
    pub(crate) fn be_silent(&mut self) {
        self.unsent = Some("nothing, on purpose".to_owned());
    }

    /// Returns the last stream that the server takes, once the server has named it.
    pub(crate) fn last_stream(&self) -> Option<u32> {
        self.goaways.last().map(|(last, _)| *last).filter(|last| *last != ANY_STREAM)
    }

    /// Waits for a frame, and does what it asks for. Returns whether there was a frame.
    pub(crate) fn read_frame(&mut self) -> bool {
        let Ok(head) = self.connection.bytes(9) else { return self.has_ended("between frames") };
        self.journal.heard();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (kind, flags, stream) = (head[3], head[4], number(&head[5..]));
        let Ok(payload) = self.connection.bytes(length) else {
            return self.has_ended("inside a frame");
        };
        match kind {
            DATA => self.take(stream, flags, &payload),
            HEADERS => self.head(stream, flags, &payload),
            RST_STREAM => {
                let code = number(&payload);
                self.journal.note(format_args!("stream {stream}: reset, code {code}"));
                if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.reset = Some(code);
                }
            }
            SETTINGS if flags & ACK == 0 => self.write(&frame(SETTINGS, ACK, 0, &[])),
            PING if flags & ACK == 0 => self.write(&frame(PING, ACK, 0, &payload)),
            PING => self.answered_pings += 1,
            GOAWAY => {
                let (last, code) = (number(&payload), number(&payload[4..]));
                self.journal.note(format_args!("GOAWAY, last stream {last}, code {code}"));
                self.goaways.push((last, code));
            }
            _ => {}
        }
        true
    }

    fn has_ended(&mut self, place: &str) -> bool {
        let ending = self.connection.ending();
        let ending = if let Ending::Sent(_) = ending { Ending::Closed } else { ending };
        self.journal.note(format_args!("the connection ended {place}: {ending:?}"));
        self.ending = Some(ending);
        false
    }

    fn head(&mut self, number: u32, flags: u8, block: &[u8]) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        if stream.status == 0 {
            stream.status = status(block);
        }
        stream.has_ended |= flags & END_STREAM != 0;
        self.journal.note(format_args!("stream {number}: head, status {}", stream.status));
    }

    fn take(&mut self, number: u32, flags: u8, payload: &[u8]) {
        assert_eq!(flags & PADDED, 0, "nobody pads");
        let read = u32::try_from(payload.len()).expect("a frame");
        let mut has_ended = flags & END_STREAM != 0;
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.body.extend(payload);
            stream.has_ended |= has_ended;
            has_ended = stream.has_ended;
            if has_ended {
                self.journal
                    .note(format_args!("stream {number}: end after {} bytes", stream.body.len()));
            }
        }
        self.unpaced += read;
        if self.unpaced >= 64 << 10 {
            self.unpaced = 0;
            thread::sleep(self.reading.pace);
        }
        self.unacknowledged += read;
        if self.reading.update_every.is_some_and(|every| self.unacknowledged >= every) {
            let update = self.unacknowledged.to_be_bytes();
            self.unacknowledged = 0;
            self.write(&frame(WINDOW_UPDATE, 0, 0, &update));
            if !has_ended {
                self.write(&frame(WINDOW_UPDATE, 0, number, &update));
            }
        }
    }

    /// Waits until a stream has ended in whatever way, even a stream above the last one that the
    /// server takes. Notes the outcome, and returns the response if it is complete.
    pub(crate) fn wait(&mut self, number: u32) -> Option<Reply> {
        while !self.is_over(number) && self.read_frame() {}
        self.judge(number)
    }

    /// Waits until a stream has a head.
    pub(crate) fn wait_for_head(&mut self, number: u32) {
        while self.streams[&number].status == 0 && !self.is_over(number) && self.read_frame() {}
    }

    fn is_over(&self, number: u32) -> bool {
        let stream = &self.streams[&number];
        stream.has_ended || stream.reset.is_some()
    }

    fn judge(&mut self, number: u32) -> Option<Reply> {
        let is_beyond = self.last_stream().is_some_and(|last| last < number);
        let is_last = !self.goaways.is_empty();
        let stream = self.streams.get_mut(&number).expect("it was opened");
        let was_judged = std::mem::replace(&mut stream.is_judged, true);
        let length = stream.body.len();
        let outcome = match (stream.has_ended, stream.reset, &self.ending) {
            (true, ..) if stream.status != 0 => Outcome::Answered(stream.status),
            (true, ..) => Outcome::Lost("a response without a status".to_owned()),
            (_, Some(REFUSED_STREAM), _) => Outcome::NotExecuted("REFUSED_STREAM".to_owned()),
            _ if is_beyond => Outcome::NotExecuted("beyond the last stream of GOAWAY".to_owned()),
            (_, Some(code), _) => {
                Outcome::Lost(format!("reset with code {code} after {length} bytes"))
            }
            (_, _, ending) => Outcome::Lost(format!(
                "{ending:?} after {length} bytes, sending: {:?}",
                self.unsent
            )),
        };
        let reply = matches!(outcome, Outcome::Answered(_)).then(|| {
            let body = String::from_utf8_lossy(&stream.body).into_owned();
            Reply { status: stream.status, body, is_last }
        });
        if !was_judged {
            let request = stream.request.clone();
            self.journal.outcome(&request, outcome);
        }
        reply
    }

    /// Reads until the connection ends, notes the outcome of every stream, and returns the journal.
    pub(crate) fn finish(mut self) -> Journal {
        while self.ending.is_none() && self.read_frame() {}
        let numbers: Vec<u32> = self.streams.keys().copied().collect();
        for number in numbers {
            self.judge(number);
        }
        match &self.ending {
            Some(Ending::Closed) => {}
            other => self.journal.fault(format_args!("the connection ended by {other:?}")),
        }
        if self.goaways.is_empty() {
            self.journal.fault("no GOAWAY before the end");
        }
        self.journal
    }
}

impl Client for Http2 {
    fn send(&mut self, path: &str) {
        self.open(path);
    }

    fn receive(&mut self) -> Option<Reply> {
        self.wait(self.next - 2)
    }

    fn into_journal(self: Box<Self>) -> Journal {
        self.journal
    }

    fn end(self: Box<Self>) -> Journal {
        self.finish()
    }
}
