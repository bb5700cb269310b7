//! Frames of HTTP/2 (RFC 9113), as clients write and read them byte by byte.

/// Bytes that a client begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Type of the frame that carries bytes of a body (section 6.1).
pub const DATA: u8 = 0;
/// Type of the frame that carries a head or trailers (section 6.2).
pub const HEADERS: u8 = 1;
/// Type of the frame that ends a stream by an error (section 6.4).
pub const RST_STREAM: u8 = 3;
/// Type of the frame that changes settings of the connection, or acknowledges them (section 6.5).
pub const SETTINGS: u8 = 4;
/// Type of a PING or of its answer (section 6.7).
pub const PING: u8 = 6;
/// Type of the frame that ends the connection (section 6.8).
pub const GOAWAY: u8 = 7;
/// Type of the frame that makes room for more bytes (section 6.9).
pub const WINDOW_UPDATE: u8 = 8;

/// Flag of the last frame of a stream.
pub const END_STREAM: u8 = 1;
/// Flag of an answer to SETTINGS or PING.
pub const ACK: u8 = 1;
/// Flag of the last frame of a head.
pub const END_HEADERS: u8 = 4;
/// Flag of a frame with padding.
pub const PADDED: u8 = 8;

/// Error code of a stream for which the server did nothing (section 7).
pub const REFUSED_STREAM: u32 = 7;
/// Last stream of a GOAWAY that only announces another GOAWAY.
pub const ANY_STREAM: u32 = (1 << 31) - 1;

/// Makes a frame.
///
/// # Panics
///
/// If the payload is longer than 4 GiB.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Reads four bytes as a number.
///
/// # Panics
///
/// If there are fewer.
#[must_use]
pub fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
