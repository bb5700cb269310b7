//! Reader of one direction of a WebSocket's bytes, which finds the ends of messages.

/// First opcode of control frames, which may stand between the frames of a message.
const CONTROL: u8 = 0x8;
const CLOSE: u8 = 0x8;
/// Flag of a message's last frame.
const FIN: u8 = 0x80;

/// Place of the next byte in a frame.
#[derive(Clone)]
enum NextByte {
    /// Place in the header of a frame, of which this much is there.
    Header { have: usize, bytes: [u8; 14] },
    /// Place in the payload of a frame, of which this much is still to come.
    Payload(u64),
}

/// Progress of reading one direction.
#[derive(Clone)]
pub(super) struct MessageReader {
    place: NextByte,
    /// Set while more frames of the same message must follow.
    in_message: bool,
    /// Set once the first byte of a Close has passed.
    is_closing: bool,
}

impl MessageReader {
    pub(super) fn new() -> Self {
        Self { place: NextByte::header(), in_message: false, is_closing: false }
    }

    /// Returns whether no message is under way.
    pub(super) fn is_between_messages(&self) -> bool {
        self.is_between_frames() && !self.in_message
    }

    fn is_between_frames(&self) -> bool {
        matches!(self.place, NextByte::Header { have: 0, .. })
    }

    /// Returns whether a Close has begun.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Returns whether a Close has passed as a whole.
    pub(super) fn has_closed(&self) -> bool {
        self.is_closing && self.is_between_frames()
    }

    /// Looks at the next bytes. Nothing follows a Close (RFC 6455, section 5.5.1).
    pub(super) fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.has_closed() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// Takes some bytes, at most to the end of a frame, and returns their number.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.place {
            NextByte::Header { have, bytes: header } => {
                header[*have] = bytes[0];
                *have += 1;
                let opcode = header[0] & 0xf;
                self.is_closing |= opcode == CLOSE;
                if let Some(payload) = payload(&header[..*have]) {
                    if opcode < CONTROL {
                        self.in_message = header[0] & FIN == 0;
                    }
                    self.place =
                        if payload == 0 { NextByte::header() } else { NextByte::Payload(payload) };
                }
                1
            }
            NextByte::Payload(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.place = NextByte::header();
                }
                taken
            }
        }
    }
}

impl NextByte {
    fn header() -> Self {
        Self::Header { have: 0, bytes: [0; 14] }
    }
}

/// Returns the length of a frame's payload, if its header is complete.
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
