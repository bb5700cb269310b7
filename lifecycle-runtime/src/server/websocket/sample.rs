//! What a WebSocket's handler writes, for tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::CLOSE;

/// The response that accepts the upgrade.
pub(crate) const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nx: HTTP/1.1 101 \r\n\r\n";

/// What we say.
pub(crate) const GOOD_BYE: &[u8] = &[0x88, 2, 3, 0xe9];

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const CONTINUED: u8 = 0x01;

/// A frame with this first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(u8::try_from(length).expect("short")),
        length @ 126..0x1_0000 => {
            bytes.push(126);
            bytes.extend(u16::try_from(length).expect("not long").to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

pub(crate) fn close() -> Vec<u8> {
    frame(0x80 | CLOSE, &1000_u16.to_be_bytes())
}

/// What a handler writes, in frames: the head is the first.
pub(crate) fn handler() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop_oneof![4 => 0..3_usize, 4 => 120..130_usize, 4 => 400..500_usize, 1 => 65_530..65_540_usize];
    let other = (prop_oneof![Just(TEXT), Just(CONTINUED), Just(0x80), Just(0x89), Just(0x8a)], length);
    // Payloads look like everything that could be mistaken.
    let other = other.prop_map(|(first, length)| {
        let payload: Vec<u8> = HEAD.iter().chain(GOOD_BYE).copied().cycle().take(length).collect();
        frame(first, &payload)
    });
    let frames = prop_oneof![7 => other, 1 => Just(close())];
    vec(frames, 0..8).prop_map(|mut frames| {
        frames.insert(0, HEAD.to_vec());
        frames
    })
}
