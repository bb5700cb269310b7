use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::advance;

use super::frames::MessageReader;
use super::sample::{BEGUN, CLOSE, LAST, PING, TEXT, frame, masked};
use super::*;

mod payload;

const PATIENCE: Duration = Duration::from_millis(250);

/// Returns a connection whose handler has read this much from the client and sent this much.
fn websocket(client: &[u8], handler: &[u8]) -> WebSocket {
    let websocket = WebSocket::new();
    websocket.received(client);
    websocket.sent(handler);
    websocket
}

/// Asks for a Close and returns whether it is sent at once.
fn closes(websocket: &WebSocket) -> bool {
    let now = Instant::now();
    websocket.ask_to_close(now, PATIENCE, false);
    websocket.close(now, true).is_some()
}

#[test]
fn a_close_is_sent_once_and_only_when_it_is_asked_for() {
    let websocket = websocket(b"", b"");
    let now = Instant::now();
    assert_eq!(websocket.close(now, true), None);
    websocket.ask_to_close(now, PATIENCE, false);
    assert_eq!(websocket.close(now, true).as_deref(), Some(GOING_AWAY));
    assert!(websocket.has_closed());
    assert_eq!(websocket.close(now, true), None);
}

#[test]
fn a_close_waits_for_what_has_come_if_the_handler_gets_it() {
    let (text, now) = (masked(TEXT, b"hello"), Instant::now());
    let ours = websocket(b"", b"");
    ours.arrived(text.len());
    ours.ask_to_close(now, PATIENCE, true);
    assert_eq!(ours.close(now, true), None, "one waits in the socket");
    ours.arrived(text.len());
    ours.taken(&text);
    assert_eq!(ours.close(now, true), None, "it has been read");
    // Bytes that come later don't count: a client may send for ever.
    ours.arrived(text.len());
    ours.taken(&text);
    assert!(ours.close(now, true).is_some());
    // A handler that never asks for the bytes holds nothing up.
    let deaf = websocket(b"", b"");
    deaf.ask_to_close(now, PATIENCE, true);
    assert!(deaf.close(now + PATIENCE, true).is_some());
}

#[test]
fn a_close_waits_for_the_end_of_a_message_of_either_side() {
    let text = frame(TEXT, b"hello");
    assert!(closes(&websocket(b"", &text)));
    assert!(!closes(&websocket(b"", &text[..3])));
    assert!(!closes(&websocket(b"", &frame(BEGUN, b"he"))));
    assert!(!closes(&websocket(b"", &[frame(BEGUN, b"he"), frame(PING, b"")].concat())));
    assert!(closes(&websocket(b"", &[frame(BEGUN, b"he"), frame(LAST, b"llo")].concat())));

    let text = masked(TEXT, b"hello");
    assert!(closes(&websocket(&text, b"")));
    assert!(!closes(&websocket(&text[..text.len() - 1], b"")));
    assert!(!closes(&websocket(&masked(BEGUN, b"he"), b"")));
}

#[test]
fn a_handler_that_has_sent_a_close_is_not_talked_over() {
    let close = frame(CLOSE, &[3, 232]);
    // This holds from its first byte on, as our Close would come behind it.
    for begun in 1..=close.len() {
        assert!(!closes(&websocket(b"", &close[..begun])), "{begun} of its bytes are sent");
    }
}

#[test]
fn a_handler_that_works_on_a_message_is_not_interrupted() {
    let websocket = websocket(&masked(TEXT, b"hello"), b"");
    for has_read_all in [false, true] {
        websocket.handler.set(Handler::Working { has_read_all });
        assert!(!closes(&websocket));
        assert_eq!(websocket.close(Instant::now() + PATIENCE, false), None);
    }
    websocket.handler.set(Handler::Waiting);
    assert!(closes(&websocket));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_reads_no_more_counts_as_one_that_waits_a_second_after_its_last_message() {
    let websocket = WebSocket::new();
    websocket.taken(&masked(TEXT, b"hello"));
    websocket.set_handler(Handler::Working { has_read_all: false });
    advance(60 * ANSWERED).await;
    assert!(websocket.is_working(), "it has not answered");
    assert_eq!(websocket.answered_by(), None);
    for _ in 0..2 {
        websocket.sent(&frame(TEXT, b"hello"));
        websocket.pauses(Instant::now());
        assert_eq!(websocket.answered_by(), Some(Instant::now() + Duration::from_secs(1)));
        advance(Duration::from_millis(999)).await;
        assert!(websocket.is_working() && !closes(&websocket));
    }
    advance(Duration::from_millis(1)).await;
    assert!(!websocket.is_working() && closes(&websocket));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_pauses_in_the_middle_of_a_message_has_not_answered() {
    let websocket = WebSocket::new();
    websocket.taken(&masked(TEXT, b"hello"));
    websocket.set_handler(Handler::Working { has_read_all: false });
    websocket.sent(&frame(BEGUN, b"hel"));
    websocket.pauses(Instant::now());
    assert_eq!(websocket.answered_by(), None);
    advance(60 * ANSWERED).await;
    assert!(websocket.is_working());
    websocket.sent(&frame(LAST, b"lo"));
    websocket.pauses(Instant::now());
    advance(ANSWERED).await;
    assert!(!websocket.is_working());
}

#[test]
fn a_handler_that_never_pauses_is_interrupted_between_two_messages_after_a_while() {
    let websocket = websocket(b"", &frame(TEXT, b"hello"));
    let now = Instant::now();
    websocket.ask_to_close(now, PATIENCE, false);
    assert_eq!(websocket.close(now, false), None);
    websocket.sent(&frame(TEXT, b"again")[..1]);
    assert_eq!(websocket.close(now + PATIENCE, false), None);
    websocket.sent(&frame(TEXT, b"again")[1..]);
    assert!(websocket.close(now + PATIENCE, false).is_some());
}

#[test]
fn a_client_has_closed_when_its_close_has_come_as_a_whole() {
    let close = masked(CLOSE, &[3, 233]);
    let websocket = websocket(&masked(TEXT, b"hello"), b"");
    websocket.received(&close[..close.len() - 1]);
    assert!(!websocket.client_has_closed());
    websocket.received(&close[close.len() - 1..]);
    assert!(websocket.client_has_closed());
}

proptest! {
    #[test]
    fn a_message_ends_where_its_last_frame_does_however_the_bytes_are_cut(
        frames in vec(
            (
                prop_oneof![Just(TEXT), Just(BEGUN), Just(LAST), Just(PING)],
                any::<bool>(),
                0..70_000_usize,
            ),
            1..6,
        ),
        lengths in vec(1_usize..3000, 1..8),
    ) {
        let mut bytes = Vec::new();
        // Positions at which no message is under way.
        let mut ends = vec![0];
        let mut in_message = false;
        for (first, is_masked, length) in frames {
            let payload = vec![0x88; length];
            bytes.extend(if is_masked { masked(first, &payload) } else { frame(first, &payload) });
            in_message = if first == PING { in_message } else { first & 0x80 == 0 };
            if !in_message {
                ends.push(bytes.len());
            }
        }
        let (mut seen, mut at) = (MessageReader::new(), 0);
        for length in lengths.iter().cycle() {
            prop_assert_eq!(seen.is_between_messages(), ends.contains(&at), "at {}", at);
            prop_assert!(!seen.is_closing());
            if at == bytes.len() {
                break;
            }
            let next = (at + length).min(bytes.len());
            seen.advance(&bytes[at..next]);
            at = next;
        }
    }
}
