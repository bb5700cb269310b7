//! Subset of HPACK that a client of tests needs for the heads of HTTP/2.

/// Reads the status from a head, where it comes first (RFC 9113, section 8.3), without a dynamic
/// table (RFC 7541).
pub(super) fn status(block: &[u8]) -> u16 {
    // These bytes change the size of the dynamic table.
    let updates = block.iter().take_while(|byte| **byte & 0xe0 == 0x20).count();
    let block = &block[updates..];
    match block {
        [indexed, ..] if indexed & 0x80 != 0 => match indexed & 0x7f {
            8 => 200,
            9 => 204,
            10 => 206,
            11 => 304,
            12 => 400,
            13 => 404,
            14 => 500,
            other => panic!("no status in the static table: {other}"),
        },
        [_, length, rest @ ..] if length & 0x80 != 0 => digits(&rest[..usize::from(length & 0x7f)]),
        [_, length, rest @ ..] => {
            let text = String::from_utf8_lossy(&rest[..usize::from(*length)]);
            text.parse().unwrap_or_else(|_| panic!("no status: {text}"))
        }
        _ => panic!("no status: {block:?}"),
    }
}

/// Decodes three digits in the Huffman code: five bits for 0 to 2, six for the others.
fn digits(bytes: &[u8]) -> u16 {
    let bits = bytes.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
        << (32 - 8 * bytes.len());
    let (mut bits, mut status) = (bits, 0);
    for _ in 0..3 {
        let (digit, length) = match bits >> 27 {
            short @ 0..=2 => (short, 5),
            _ => ((bits >> 26) - 0b01_0110, 6),
        };
        status = status * 10 + u16::try_from(digit).expect("a digit");
        bits <<= length;
    }
    status
}

#[test]
fn statuses_are_read_in_every_form() {
    assert_eq!(status(&[0x20, 0x88, 0x61]), 200);
    assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), 302);
    assert_eq!(status(&[0x08, 3, b'5', b'0', b'3']), 503);
    assert_eq!(status(&[0x48, 0x83, 0x6c, 0x0c, 0xff]), 503);
    assert_eq!(status(&[0x48, 0x83, 0x68, 0x2c, 0xff]), 413);
}
