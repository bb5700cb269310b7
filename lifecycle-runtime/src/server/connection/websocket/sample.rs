//! WebSocket frames, for tests.

pub(crate) const TEXT: u8 = 0x81;
/// First byte of the first frame of a message that has more.
pub(crate) const BEGUN: u8 = 0x01;
/// First byte of the last frame of such a message.
pub(crate) const LAST: u8 = 0x80;
pub(crate) const PING: u8 = 0x89;
pub(crate) const CLOSE: u8 = 0x88;

/// Returns a frame with this first byte.
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

/// Returns the same frame as a client sends it: masked.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(first, payload);
    bytes[1] |= 0x80;
    let payload = bytes.split_off(bytes.len() - payload.len());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
