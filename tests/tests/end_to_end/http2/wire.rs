//! Client of HTTP/2 that shows the bytes on the wire, and can send what a proper client would not
//! send any more.

use std::collections::BTreeMap;

use lifecycle_tests::http2::{
    ACK, ANY_STREAM, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, REFUSED_STREAM,
    RST_STREAM, SETTINGS, frame, number,
};

use crate::http::{Connection, Ending, Transport};

/// Frame that came, of a kind that matters to tests.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Headers { stream: u32 },
    Data { stream: u32, bytes: Vec<u8>, is_end: bool },
    Reset { stream: u32, code: u32 },
    GoAway { last: u32, code: u32 },
    Ping,
    Pong,
}

/// Connection that does what it is told to.
pub(crate) struct Wire {
    connection: Connection<Box<dyn Transport>>,
    /// Set if the client answers PINGs.
    answers: bool,
}

/// Everything that a connection brought until its end.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Last stream and error code of each GOAWAY, in their order.
    pub(crate) goodbyes: Vec<(u32, u32)>,
    /// Bodies that came to their end, by stream.
    pub(crate) bodies: BTreeMap<u32, String>,
    /// Error codes of the streams that were reset.
    pub(crate) resets: BTreeMap<u32, u32>,
}

impl Seen {
    /// Returns whether the server said that it did nothing with this stream.
    pub(crate) fn is_refused(&self, stream: u32) -> bool {
        let is_beyond =
            self.goodbyes.last().is_some_and(|(last, code)| *last < stream && *code == 0);
        is_beyond || self.resets.get(&stream) == Some(&REFUSED_STREAM)
    }
}

impl Wire {
    /// Begins to speak HTTP/2 without negotiation.
    pub(crate) fn over(stream: impl Transport + 'static) -> Self {
        let mut connection = Connection::<Box<dyn Transport>>::over(Box::new(stream));
        connection.write(PREFACE).expect("it listens");
        let mut wire = Self { connection, answers: true };
        wire.write(SETTINGS, 0, 0, &[]);
        wire
    }

    /// Makes the client never answer a PING.
    pub(crate) fn mute(self) -> Self {
        Self { answers: false, ..self }
    }

    /// Sends a GOAWAY, by which the client takes none of the server's streams.
    pub(crate) fn say_goodbye(&mut self) {
        self.write(GOAWAY, 0, 0, &[0; 8]);
    }

    /// Waits until the server has read everything that was sent.
    pub(crate) fn round_trip(&mut self) {
        self.write(PING, 0, 0, b"seen all");
        while self.frame().expect("an answer") != Frame::Pong {}
    }

    /// Waits for a PING.
    pub(crate) fn ping(&mut self) {
        while self.frame().expect("a PING") != Frame::Ping {}
    }

    /// Begins a request, and stops in the middle of its head.
    pub(crate) fn begin(&mut self, stream: u32) {
        self.write(HEADERS, END_STREAM, stream, &[0x80 | 2]);
    }

    /// Opens a stream: a request without a body.
    pub(crate) fn get(&mut self, stream: u32, path: &str) {
        // HPACK: two entries of the static table, then two literals whose names are in it.
        let mut block = vec![0x80 | 2, 0x80 | 6];
        for (name, value) in [(4, path), (1, "localhost")] {
            block.extend([name, u8::try_from(value.len()).expect("a short path")]);
            block.extend(value.as_bytes());
        }
        self.write(HEADERS, END_HEADERS | END_STREAM, stream, &block);
    }

    /// Waits for a frame. Returns nothing after the connection's end.
    fn frame(&mut self) -> Option<Frame> {
        loop {
            let head = self.connection.bytes(9).ok()?;
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let (kind, flags, stream) = (head[3], head[4], number(&head[5..]));
            let payload = self.connection.bytes(length).expect("a whole frame");
            return Some(match kind {
                SETTINGS if flags & ACK == 0 => {
                    self.write(SETTINGS, ACK, 0, &[]);
                    continue;
                }
                PING if flags & ACK == 0 => {
                    if self.answers {
                        self.write(PING, ACK, 0, &payload);
                    }
                    Frame::Ping
                }
                PING => Frame::Pong,
                HEADERS => Frame::Headers { stream },
                DATA => Frame::Data { stream, bytes: payload, is_end: flags & END_STREAM != 0 },
                RST_STREAM => Frame::Reset { stream, code: number(&payload) },
                GOAWAY => Frame::GoAway { last: number(&payload), code: number(&payload[4..]) },
                _ => continue,
            });
        }
    }

    /// Waits for the server's final statement of the last stream that it takes. An announcement
    /// comes before it, and does not count.
    pub(crate) fn last_stream(&mut self) -> u32 {
        loop {
            match self.frame().expect("a goodbye") {
                Frame::GoAway { last: ANY_STREAM, code: 0 } | Frame::Ping => {}
                Frame::GoAway { last, code: 0 } => return last,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits for the end of a stream's body, and for the server's final statement of the last
    /// stream that it takes. The announcement must come before any PING, as one that keeps an idle
    /// connection.
    pub(crate) fn body_and_last_stream(&mut self, wanted: u32) -> (String, u32) {
        let mut body = Vec::new();
        let mut is_whole = false;
        let mut is_announced = false;
        let mut last_stream = None;
        while !is_whole || last_stream.is_none() {
            match self.frame().expect("a body and a goodbye") {
                Frame::Data { stream, bytes, is_end } if stream == wanted => {
                    body.extend(bytes);
                    is_whole |= is_end;
                }
                Frame::GoAway { last: ANY_STREAM, code: 0 } => is_announced = true,
                Frame::GoAway { last, code: 0 } => last_stream = Some(last),
                Frame::Ping => assert!(is_announced, "the client has not been told"),
                Frame::Headers { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        (String::from_utf8(body).expect("a text"), last_stream.expect("it was named"))
    }

    /// Waits for the end of a stream's body.
    pub(crate) fn body(&mut self, wanted: u32) -> String {
        let mut body = Vec::new();
        loop {
            match self.frame().expect("a body") {
                Frame::Data { stream, bytes, is_end } if stream == wanted => {
                    body.extend(bytes);
                    if is_end {
                        return String::from_utf8(body).expect("a text");
                    }
                }
                Frame::Headers { .. } | Frame::Ping => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Collects everything until the server closes the connection, which it has to do in order.
    pub(crate) fn rest(mut self) -> Seen {
        let mut seen = Seen::default();
        let mut bodies = BTreeMap::<u32, Vec<u8>>::new();
        while let Some(frame) = self.frame() {
            match frame {
                Frame::Headers { .. } | Frame::Ping | Frame::Pong => {}
                Frame::Data { stream, bytes, is_end } => {
                    bodies.entry(stream).or_default().extend(bytes);
                    if is_end {
                        let body = bodies.remove(&stream).expect("it was there");
                        seen.bodies.insert(stream, String::from_utf8(body).expect("a text"));
                    }
                }
                Frame::Reset { stream, code } => drop(seen.resets.insert(stream, code)),
                Frame::GoAway { last, code } => seen.goodbyes.push((last, code)),
            }
        }
        assert_eq!(self.connection.ending(), Ending::Closed, "{seen:?}");
        seen
    }

    /// Waits for the end of the connection, in order or not.
    pub(crate) fn expect_end(mut self) {
        while self.frame().is_some() {}
    }

    fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        // The server may have closed the connection, which reading will show.
        let _ = self.connection.write(&frame(kind, flags, stream, payload));
    }
}
