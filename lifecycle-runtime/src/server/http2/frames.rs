//! Frames of HTTP/2 (RFC 9113, sections 4 and 6): a reader that finds their ends in a sequence of
//! bytes, and the frames that we write.

use actix_web::web::BytesMut;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PUSH_PROMISE: u8 = 0x5;
pub(super) const PING: u8 = 0x6;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

/// Flag of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x1;
/// Flag of HEADERS, `PUSH_PROMISE` and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x4;
/// Flag of PING.
pub(super) const ACK: u8 = 0x1;

pub(super) const HEADER: usize = 9;
pub(super) const MAX_STREAM: u32 = (1 << 31) - 1;

/// Reader of one direction of a connection.
#[derive(Clone, Default)]
pub(super) struct FrameReader {
    header: [u8; HEADER],
    /// Count of the header's bytes that have come.
    pub(super) have: usize,
    /// Count of the payload's bytes that are still to come.
    pub(super) left: usize,
    /// Set while more frames of the same headers must follow without another in between.
    in_headers: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Frame {
    /// Returns whether a client sends such a frame because of the bytes that it reads, or to show
    /// that it is there.
    pub(super) fn follows_reading(self) -> bool {
        matches!(self.kind, SETTINGS | PING | WINDOW_UPDATE)
    }

    pub(super) fn is_pong(self) -> bool {
        self.kind == PING && self.flags & ACK != 0
    }
}

impl FrameReader {
    pub(super) fn is_between(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.in_headers
    }

    /// Takes bytes up to the end of a header or of a payload. Returns their number, and the frame
    /// that has begun.
    pub(super) fn step(&mut self, bytes: &[u8]) -> (usize, Option<Frame>) {
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

    pub(super) fn advance(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let (taken, frame) = self.step(bytes);
            frame.into_iter().for_each(&mut each);
            bytes = &bytes[taken..];
        }
    }

    /// Returns the number of the bytes before which no other frame may be written; all of them, if
    /// none may be written in between.
    pub(super) fn until_between(&self, bytes: &[u8]) -> usize {
        let mut frames = self.clone();
        let mut at = 0;
        while at < bytes.len() && !frames.is_between() {
            at += frames.step(&bytes[at..]).0;
        }
        at
    }
}

/// Writes the head of a frame about the whole connection.
pub(super) fn frame(out: &mut BytesMut, kind: u8, length: u8) {
    out.extend_from_slice(&[0, 0, length, kind, 0, 0, 0, 0, 0]);
}

/// Writes a GOAWAY without an error.
pub(super) fn goaway(out: &mut BytesMut, last: u32) {
    frame(out, GOAWAY, 8);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
}
