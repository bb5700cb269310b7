//! HTTP/2 frames as tests write and read them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, MAX_STREAM, PING, RST_STREAM,
};
use super::{DRAINING, FINISHED, PREFACE};

const SETTINGS: u8 = 0x4;
const WINDOW_UPDATE: u8 = 0x8;

/// Frame with its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// Returns whether the frame is one of ours about the connection's end.
    pub(crate) fn is_ours(&self) -> bool {
        self.kind == GOAWAY
            || (self.kind == PING
                && self.flags == 0
                && [DRAINING, FINISHED].iter().any(|ours| self.payload == ours))
    }

    /// Returns whether another frame of the same headers must follow at once.
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(self.kind, HEADERS | CONTINUATION) && self.flags & END_HEADERS == 0
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a small payload").to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], self.kind, self.flags];
        bytes.extend_from_slice(&self.stream.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// Parses bytes that end with a frame.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        let stream = u32::from_be_bytes(bytes[5..9].try_into().expect("four bytes"));
        frames.push(Frame::new(bytes[3], bytes[4], stream, &bytes[9..9 + length]));
        bytes = &bytes[9 + length..];
    }
    frames
}

/// Group of frames with no other frame in between.
pub(crate) type Group = Vec<Frame>;

pub(crate) fn bytes_of(groups: &[Group]) -> Vec<u8> {
    groups.iter().flatten().flat_map(Frame::bytes).collect()
}

pub(crate) fn settings() -> Frame {
    Frame::new(SETTINGS, 0, 0, [0; 6])
}

pub(crate) fn data(stream: u32, flags: u8) -> Frame {
    Frame::new(DATA, flags, stream, *b"text")
}

/// Returns headers in one frame.
pub(crate) fn head(stream: u32, flags: u8) -> Frame {
    Frame::new(HEADERS, flags | END_HEADERS, stream, *b"head")
}

/// Returns the first of several frames of headers.
pub(crate) fn begun_head(stream: u32) -> Frame {
    Frame::new(HEADERS, 0, stream, *b"head")
}

pub(crate) fn reset(stream: u32) -> Frame {
    Frame::new(RST_STREAM, 0, stream, [0; 4])
}

pub(crate) fn ping(flags: u8, payload: [u8; 8]) -> Frame {
    Frame::new(PING, flags, 0, payload)
}

/// Returns a client's answer to our first PING.
pub(crate) fn pong() -> Frame {
    ping(ACK, DRAINING)
}

/// Returns the PING that asks whether the client has read everything.
pub(crate) fn question() -> Frame {
    ping(0, FINISHED)
}

pub(crate) fn goaway(last: u32) -> Frame {
    Frame::new(GOAWAY, 0, 0, [last.to_be_bytes(), [0; 4]].concat())
}

/// Returns the server's first frames about the connection's end.
pub(crate) fn announcement() -> [Frame; 2] {
    [goaway(MAX_STREAM), ping(0, DRAINING)]
}

/// Returns a strategy for one side of a connection: its settings, then anything else that either
/// side may send, except a GOAWAY.
pub(crate) fn side() -> impl Strategy<Value = Vec<Group>> {
    vec(group(), 0..20).prop_map(|mut groups| {
        groups.insert(0, vec![settings()]);
        groups
    })
}

/// Returns the bytes of a client, with its preface.
pub(crate) fn client(groups: &[Group]) -> Vec<u8> {
    [PREFACE, &bytes_of(groups)].concat()
}

fn group() -> impl Strategy<Value = Group> {
    let stream = || (0_u32..6).prop_map(|number| 2 * number + 1);
    let payload =
        || prop_oneof![vec(any::<u8>(), 0..2), vec(any::<u8>(), 0..40), vec(any::<u8>(), 200..400)];
    let ends = || prop_oneof![Just(0), Just(END_STREAM)];
    prop_oneof![
        (stream(), ends(), payload())
            .prop_map(|(stream, flags, payload)| vec![Frame::new(DATA, flags, stream, payload)]),
        (stream(), ends(), vec(payload(), 1..4))
            .prop_map(|(stream, flags, parts)| headers(stream, flags, parts)),
        stream().prop_map(|stream| vec![reset(stream)]),
        (0_u8..=1, any::<[u8; 8]>()).prop_map(|(flags, payload)| vec![ping(flags, payload)]),
        // Frames that are nearly the answer to our PING: the answer to another, and one that only
        // looks like it.
        Just(vec![ping(ACK, *b"draininG")]),
        stream().prop_map(|stream| vec![Frame::new(DATA, ACK, stream, DRAINING)]),
        stream().prop_map(|stream| vec![Frame::new(WINDOW_UPDATE, 0, stream, [0, 0, 0, 1])]),
        Just(vec![Frame::new(SETTINGS, ACK, 0, [])]),
    ]
}

/// Returns headers in as many frames as there are parts.
fn headers(stream: u32, flags: u8, parts: Vec<Vec<u8>>) -> Group {
    let last = parts.len() - 1;
    let frames = parts.into_iter().enumerate().map(|(at, part)| {
        let flags = if at == 0 { flags } else { 0 } | if at == last { END_HEADERS } else { 0 };
        Frame::new(if at == 0 { HEADERS } else { CONTINUATION }, flags, stream, part)
    });
    frames.collect()
}
