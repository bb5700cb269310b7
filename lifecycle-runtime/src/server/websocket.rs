//! A WebSocket's outgoing bytes (RFC 6455): where one message's frame ends, so that a Close fits in.
//!
//! Nothing else would tell the clients: a handler has no reason to listen for the end of the process, and actix-http
//! knows no WebSocket frames once a connection is upgraded.

use actix_web::web::BytesMut;

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;

/// How the response begins that accepts the upgrade, and how its head ends.
const ACCEPTS: &[u8] = b"HTTP/1.1 101 ";
const HEAD_END: &[u8] = b"\r\n\r\n";

const CLOSE: u8 = 0x8;
/// "An endpoint is going away, such as a server going down" (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;

/// Where the next byte belongs.
#[derive(Clone)]
enum Place {
    /// Before the end of the response's head: what is looked for, and how much of it was there just now.
    Head { sought: &'static [u8], found: usize },
    /// In the header of a frame, of which this much is there.
    Header { have: usize, bytes: [u8; 14] },
    /// In the payload of a frame, of which this much is to come.
    Payload(u64),
}

/// What is known of a connection.
#[derive(Clone)]
pub(super) struct WebSocket {
    place: Place,
    /// Whether the handler has said Close.
    handler_closed: bool,
    /// Whether we have: nothing of the handler's may follow.
    we_closed: bool,
}

impl WebSocket {
    /// A connection whose next response accepts the upgrade.
    pub(super) fn new() -> Self {
        Self { place: Place::Head { sought: ACCEPTS, found: 0 }, handler_closed: false, we_closed: false }
    }

    /// Says Close, unless the handler has.
    pub(super) fn close(&mut self, out: &mut BytesMut) {
        if !self.handler_closed && !self.we_closed {
            self.we_closed = true;
            out.extend_from_slice(&[0x80 | CLOSE, 2]);
            out.extend_from_slice(&GOING_AWAY.to_be_bytes());
        }
    }

    /// Whether what the handler still says, after the frame that it is saying, may not be written.
    pub(super) fn is_closed(&self) -> bool {
        self.we_closed
    }

    /// Whether a frame of ours may be written now.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.place, Place::Header { have: 0, .. })
    }

    /// How many of the bytes come before a frame of ours may be written; all of them, if it may not within.
    pub(super) fn until_between(&self, bytes: &[u8]) -> usize {
        let mut here = self.clone();
        let mut at = 0;
        while at < bytes.len() && !here.is_between() {
            at += here.step(&bytes[at..]);
        }
        at
    }

    /// Looks at bytes that have been written.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// Takes some bytes, at most to the end of a frame, and says how many.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.place {
            Place::Head { sought, found } => {
                // No proper prefix of what is sought is also its suffix, but for `\r\n` and the first byte.
                *found = match bytes[0] {
                    byte if byte == sought[*found] => *found + 1,
                    byte => usize::from(byte == sought[0]),
                };
                if *found == sought.len() {
                    self.place = match *sought == ACCEPTS {
                        true => Place::Head { sought: HEAD_END, found: 0 },
                        false => Place::header(),
                    };
                }
                1
            }
            Place::Header { have, bytes: header } => {
                header[*have] = bytes[0];
                *have += 1;
                // From its first byte on: a Close of ours would come behind it.
                self.handler_closed |= header[0] & 0xf == CLOSE;
                if let Some(payload) = payload(&header[..*have]) {
                    self.place = Place::after_header(payload);
                }
                1
            }
            Place::Payload(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.place = Place::header();
                }
                taken
            }
        }
    }
}

impl Place {
    fn header() -> Self {
        Self::Header { have: 0, bytes: [0; 14] }
    }

    fn after_header(payload: u64) -> Self {
        if payload == 0 { Self::header() } else { Self::Payload(payload) }
    }
}

/// How long a frame's payload is, if its header is complete.
fn payload(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (extended, length) = match second & 0x7f {
        126 => (2, u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?))),
        127 => (8, u64::from_be_bytes(header.get(2..10)?.try_into().ok()?)),
        short => (0, u64::from(short)),
    };
    (header.len() == 2 + extended + mask).then_some(length)
}
