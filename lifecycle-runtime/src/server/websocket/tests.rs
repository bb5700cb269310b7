use proptest::collection::vec;
use proptest::prelude::*;

use super::sample::{CONTINUED, GOOD_BYE, HEAD, TEXT, close, frame, handler};
use super::*;

fn said(websocket: &mut WebSocket) -> BytesMut {
    let mut out = BytesMut::new();
    websocket.close(&mut out);
    out
}

/// A connection that was accepted.
fn accepted() -> WebSocket {
    let mut websocket = WebSocket::new();
    websocket.sent(HEAD);
    websocket
}

#[test]
fn a_close_fits_in_only_behind_the_whole_head() {
    let mut websocket = WebSocket::new();
    for byte in HEAD {
        assert!(!websocket.is_between());
        websocket.sent(&[*byte]);
    }
    assert!(websocket.is_between());
}

#[test]
fn what_is_written_before_the_upgrade_is_not_its_head() {
    let mut websocket = WebSocket::new();
    let before =
        b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHTTP/1.1 10\r\nHTTHTTP/1.1 1HTTP/1.1 100 Continue\r\n\r\n";
    websocket.sent(before);
    assert!(!websocket.is_between());
    assert_eq!(websocket.until_between(&[HEAD, HEAD].concat()), HEAD.len());
}

#[test]
fn an_end_of_line_too_many_is_not_the_end_of_the_head() {
    let mut websocket = WebSocket::new();
    websocket.sent(b"HTTP/1.1 101 x\r\n\r");
    assert_eq!(websocket.until_between(b"\r\n\r\n\x81\x00"), 4);
}

#[test]
fn a_close_is_said_once_and_nothing_follows_it() {
    let mut websocket = accepted();
    assert!(!websocket.is_closed());
    assert_eq!(said(&mut websocket), GOOD_BYE);
    assert!(said(&mut websocket).is_empty());
    assert!(websocket.is_closed());
}

#[test]
fn a_handler_that_has_said_close_is_not_interrupted() {
    let bytes = close();
    // From its first byte on, as ours would come behind it.
    for begun in 1..=bytes.len() {
        let mut websocket = accepted();
        websocket.sent(&bytes[..begun]);
        assert!(said(&mut websocket).is_empty(), "{begun} of its bytes are written");
        assert!(!websocket.is_closed());
    }
}

#[test]
fn a_close_fits_between_the_frames_of_one_message() {
    let mut websocket = accepted();
    let first = frame(CONTINUED, b"the begin");
    assert_eq!(websocket.until_between(&first), 0);
    websocket.sent(&first[..3]);
    assert_eq!(websocket.until_between(&[&first[3..], &frame(0x80, b"ning")].concat()), first.len() - 3);
}

#[test]
fn a_masked_frame_has_its_mask_in_its_header() {
    let mut websocket = accepted();
    websocket.sent(&[TEXT, 0x80, 1, 2, 3]);
    assert!(!websocket.is_between());
    websocket.sent(&[4]);
    assert!(websocket.is_between());
}

proptest! {
    #[test]
    fn a_close_fits_between_frames_and_nowhere_else(frames in handler(), lengths in vec(1_usize..3000, 1..8)) {
        let bytes = frames.concat();
        let places: Vec<_> = frames.iter().scan(0, |at, frame| { *at += frame.len(); Some(*at) }).collect();
        let mut websocket = WebSocket::new();
        let (mut at, mut lengths) = (0, lengths.iter().cycle());
        while at < bytes.len() {
            let chunk = &bytes[at..(at + lengths.next().expect("a cycle")).min(bytes.len())];
            let next = places.iter().find(|place| **place >= at).expect("the end is one") - at;
            prop_assert_eq!(websocket.until_between(chunk), next.min(chunk.len()), "at {}", at);
            prop_assert_eq!(websocket.is_between(), places.contains(&at), "at {}", at);
            websocket.sent(chunk);
            at += chunk.len();
        }
        prop_assert!(websocket.is_between());
        prop_assert_eq!(said(&mut websocket).is_empty(), frames.contains(&close()));
    }
}
