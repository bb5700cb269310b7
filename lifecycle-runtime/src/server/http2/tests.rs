mod delivery;

use proptest::collection::vec;
use proptest::prelude::*;

use super::frames::{ACK, END_STREAM, RST_STREAM};
use super::sample::{
    Frame, Group, announcement, bytes_of, client, data, goaway, head, parse, ping, pong, question,
    reset, settings, side,
};
use super::*;

type Connection = Http2<&'static str>;

/// Model of the streams in the frames that are received and sent, as a plain table.
#[derive(Default)]
struct Model {
    open: Vec<u32>,
    highest: u32,
    opened: u64,
}

impl Model {
    fn received(&mut self, frame: &Frame) {
        if frame.kind == HEADERS && frame.stream > self.highest {
            self.highest = frame.stream;
            self.opened += 1;
            self.open.push(frame.stream);
        }
        if frame.kind == RST_STREAM {
            self.open.retain(|stream| *stream != frame.stream);
        }
    }

    fn sent(&mut self, frame: &Frame) {
        if frame.kind == RST_STREAM
            || (matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0)
        {
            self.open.retain(|stream| *stream != frame.stream);
        }
    }
}

/// Splits bytes into chunks of these lengths, again and again.
fn chunks<'b>(mut bytes: &'b [u8], lengths: &'b [usize]) -> impl Iterator<Item = &'b [u8]> {
    lengths.iter().cycle().map_while(move |length| {
        let (chunk, rest) = bytes.split_at((*length).min(bytes.len()));
        bytes = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Returns a connection that both sides have begun.
fn begun() -> Connection {
    let mut http2 = Http2::<&'static str>::new();
    http2.received(&mut client(&[vec![settings()]]));
    sent(&mut http2, &[settings()]);
    http2
}

fn sent(http2: &mut Connection, frames: &[Frame]) {
    http2.sent(&bytes_of(&[frames.to_vec()]));
}

fn received(http2: &mut Connection, frames: &[Frame]) {
    http2.received(&mut bytes_of(&[frames.to_vec()]));
}

/// Returns our frames that answer these, and those of these that are for actix-http.
fn answers_to(http2: &mut Connection, frames: &[Frame]) -> (Vec<Frame>, Vec<Frame>) {
    let kept = http2.without_pong(&bytes_of(&[frames.to_vec()]));
    (take_due(http2), parse(&kept))
}

/// Takes our frames that wait to be written, as if they were.
fn take_due(http2: &mut Connection) -> Vec<Frame> {
    parse(&http2.out.split())
}

fn announce(http2: &mut Connection) -> Vec<Frame> {
    http2.announce();
    take_due(http2)
}

fn announce_last(http2: &mut Connection) -> Vec<Frame> {
    http2.announce_last();
    take_due(http2)
}

#[test]
fn a_client_is_told_in_two_steps_and_each_once() {
    let mut http2 = begun();
    received(&mut http2, &[head(1, 0), head(3, END_STREAM)]);
    assert_eq!(announce(&mut http2), announcement());
    assert_eq!(announce(&mut http2), []);
    assert_eq!(announce_last(&mut http2), [goaway(3)]);
    assert_eq!(announce_last(&mut http2), []);
    assert_eq!(announce(&mut http2), []);
}

#[test]
fn a_client_that_answers_hears_of_the_last_stream_before_the_pong() {
    let mut http2 = begun();
    announce(&mut http2);
    let (answers, kept) = answers_to(&mut http2, &[head(1, 0), pong(), head(3, 0)]);
    assert_eq!(answers, [goaway(1)]);
    assert_eq!(kept, [head(1, 0), head(3, 0)]);
}

#[test]
fn an_answer_is_swallowed_once_also_after_the_last_word() {
    let mut http2 = begun();
    announce(&mut http2);
    announce_last(&mut http2);
    assert!(http2.expects_pong());
    assert_eq!(answers_to(&mut http2, &[pong(), pong()]), (vec![], vec![pong()]));
    assert!(!http2.expects_pong());
}

#[test]
fn answers_to_other_pings_pass() {
    let mut http2 = begun();
    announce(&mut http2);
    let others = [
        ping(ACK, *b"12345678"),
        ping(0, DRAINING),
        ping(0, *b"12345678"),
        Frame::new(PING, ACK, 0, *b"short"),
    ];
    assert_eq!(answers_to(&mut http2, &others), (vec![], others.to_vec()));
    assert!(http2.expects_pong());
}

#[test]
fn streams_after_the_last_are_refused() {
    let mut http2 = begun();
    received(&mut http2, &[head(1, END_STREAM), head(3, END_STREAM)]);
    assert_eq!(http2.begin(|| false), Some(1));
    announce(&mut http2);
    assert_eq!(http2.begin(|| false), Some(3), "it had been sent before the client was told");
    announce_last(&mut http2);
    received(&mut http2, &[head(5, END_STREAM)]);
    assert_eq!(http2.begin(|| false), None);
}

#[test]
fn a_stream_ends_with_our_last_frame_or_a_reset_of_either_side() {
    let mut http2 = begun();
    received(
        &mut http2,
        &[head(1, END_STREAM), head(3, 0), head(5, END_STREAM), head(7, END_STREAM)],
    );
    announce_last(&mut http2);
    sent(&mut http2, &[head(1, 0), data(1, 0)]);
    sent(&mut http2, &[data(1, END_STREAM), head(3, END_STREAM)]);
    assert!(!http2.is_done());
    sent(&mut http2, &[reset(5)]);
    received(&mut http2, &[data(7, END_STREAM)]);
    assert!(!http2.is_done());
    received(&mut http2, &[reset(7)]);
    assert!(!http2.is_done(), "the client has not been asked");
    assert_eq!(take_due(&mut http2), [question()]);
    assert!(http2.is_done());
}

#[test]
fn a_connection_is_not_done_before_its_last_frame_is_written_to_the_end() {
    let mut http2 = begun();
    received(&mut http2, &[head(1, END_STREAM)]);
    announce_last(&mut http2);
    let bytes = data(1, END_STREAM).bytes();
    for byte in &bytes {
        assert!(!http2.is_done());
        http2.sent(&[*byte]);
        take_due(&mut http2);
    }
    assert!(http2.is_done());
}

#[test]
fn a_request_that_h2_refuses_by_itself_takes_no_place_from_another() {
    let mut http2 = begun();
    received(&mut http2, &[head(1, END_STREAM), head(3, END_STREAM), head(5, END_STREAM)]);
    // The first request is malformed, and the second has too long a list of headers.
    sent(&mut http2, &[reset(1), head(3, END_STREAM)]);
    announce_last(&mut http2);
    received(&mut http2, &[head(7, END_STREAM)]);
    assert_eq!(http2.begin(|| false), Some(5));
    assert_eq!(http2.begin(|| false), None, "stream 7 is above the last one");
}

#[test]
fn a_request_that_h2_resets_because_of_its_body_is_handed_out_all_the_same() {
    for is_handed_out in [true, false] {
        let mut http2 = begun();
        received(&mut http2, &[head(1, 0), data(1, 0), head(3, END_STREAM)]);
        // The body is too large, or the head before it is malformed: the client's frames are the
        // same.
        sent(&mut http2, &[reset(1)]);
        announce_last(&mut http2);
        received(&mut http2, &[head(5, END_STREAM)]);
        if is_handed_out {
            assert_eq!(http2.begin(|| true), Some(1));
        }
        assert_eq!(http2.begin(|| false), Some(3));
        assert_eq!(http2.begin(|| false), None, "stream 5 is above the last one");
    }
}

#[test]
fn a_request_that_its_client_resets_takes_no_place_from_another() {
    for is_refused in [true, false] {
        let mut http2 = begun();
        let first = [head(1, 0), data(1, 0)];
        received(&mut http2, &[&first[..], &[head(3, 0), reset(3), head(5, END_STREAM)]].concat());
        // h2 does not hand out the first request if its head is malformed.
        if is_refused {
            sent(&mut http2, &[reset(1)]);
        } else {
            assert_eq!(http2.begin(|| false), Some(1));
        }
        assert!(http2.begin(|| true).is_some());
        assert_eq!(http2.begin(|| false), Some(5));
    }
}

#[test]
fn what_nobody_knows_is_not_executed_behind_the_last_stream() {
    let mut http2 = begun();
    assert_eq!(http2.begin(|| false), Some(0));
    announce_last(&mut http2);
    assert_eq!(http2.begin(|| false), None);
}

proptest! {
    #[test]
    fn a_goaway_of_the_client_gives_up_none_of_its_streams_however_the_bytes_are_cut(
        lengths in vec(1_usize..30, 1..8),
        is_asked in any::<bool>(),
    ) {
        let goaway = |last: u32| {
            let payload = [&last.to_be_bytes()[..], &[0, 0, 0, 0, b'b', b'y', b'e']].concat();
            Frame::new(GOAWAY, 0, 0, payload)
        };
        let bytes = client(&[
            vec![settings()],
            vec![head(1, 0)],
            vec![goaway(0)],
            vec![data(1, 0)],
            vec![goaway(0)],
        ]);
        let mut http2 = Http2::<&'static str>::new();
        if is_asked {
            http2.announce();
        }
        let mut read = Vec::new();
        for chunk in chunks(&bytes, &lengths) {
            if http2.expects_pong() {
                read.extend_from_slice(&http2.without_pong(chunk));
            } else {
                let mut chunk = chunk.to_vec();
                http2.received(&mut chunk);
                read.extend(chunk);
            }
        }
        let expected = [settings(), head(1, 0), goaway(MAX_STREAM), data(1, 0), goaway(MAX_STREAM)];
        prop_assert_eq!(parse(&read[PREFACE.len()..]), expected);
    }
}

#[test]
fn a_client_that_actix_has_told_good_bye_hears_none_of_ours() {
    let mut http2 = begun();
    http2.announce();
    http2.sent(&Frame::new(GOAWAY, 0, 0, [0, 0, 0, 1, 0, 0, 0, 1]).bytes());
    assert_eq!(take_due(&mut http2), [], "our frames would permit streams again");
    assert_eq!(announce_last(&mut http2), []);

    let mut http2 = begun();
    sent(&mut http2, &[Frame::new(GOAWAY, 0, 0, [0; 8])]);
    assert_eq!(announce(&mut http2), []);
}

#[test]
fn nothing_comes_before_the_settings() {
    let mut http2 = Http2::<&'static str>::new();
    assert!(!http2.is_between());
    let bytes = settings().bytes();
    assert_eq!(http2.until_between(&bytes), bytes.len());
    http2.sent(&bytes[..5]);
    assert!(!http2.is_between());
    http2.sent(&bytes[5..]);
    assert!(http2.is_between());
}

/// Returns the places at which our frames may stand.
fn places(groups: &[Group]) -> Vec<usize> {
    let ends = groups.iter().scan(0, |at, group| {
        *at += bytes_of(std::slice::from_ref(group)).len();
        Some(*at)
    });
    ends.collect()
}

proptest! {
    #[test]
    fn frames_of_ours_fit_between_those_that_belong_together_and_nowhere_else(
        groups in side(),
        lengths in vec(1_usize..50, 1..8),
    ) {
        let (bytes, places) = (bytes_of(&groups), places(&groups));
        let mut http2 = Http2::<&'static str>::new();
        let mut at = 0;
        for chunk in chunks(&bytes, &lengths) {
            let next = places.iter().find(|place| **place >= at).expect("the end is one") - at;
            let expected = if at == 0 { chunk.len() } else { next.min(chunk.len()) };
            prop_assert_eq!(http2.until_between(chunk), expected, "at {}", at);
            prop_assert_eq!(http2.is_between(), places.contains(&at), "at {}", at);
            http2.sent(chunk);
            at += chunk.len();
        }
        prop_assert!(http2.is_between());
    }

    #[test]
    fn open_streams_are_counted_however_the_bytes_are_cut(
        sides in (side(), side()),
        lengths in (vec(1_usize..50, 1..8), vec(1_usize..50, 1..8)),
        is_asked in any::<bool>(),
    ) {
        let (mut http2, mut model) = (Http2::<&'static str>::new(), Model::default());
        if is_asked {
            announce(&mut http2);
        }
        for chunk in chunks(&client(&sides.0), &lengths.0) {
            if http2.expects_pong() {
                drop(http2.without_pong(chunk));
            } else {
                http2.received(&mut chunk.to_vec());
            }
        }
        sides.0.iter().flatten().for_each(|frame| model.received(frame));
        for chunk in chunks(&bytes_of(&sides.1), &lengths.1) {
            http2.sent(chunk);
        }
        sides.1.iter().flatten().for_each(|frame| model.sent(frame));
        let mut last = announce_last(&mut http2);
        if last.pop_if(|frame| *frame == question()).is_some() {
            prop_assert!(model.open.is_empty(), "there is more to read");
        }
        prop_assert_eq!(last.pop(), Some(goaway(model.highest)));
        prop_assert_eq!(http2.is_done(), model.open.is_empty());
    }

    #[test]
    fn only_the_answer_to_our_ping_is_swallowed_however_the_bytes_are_cut(
        before in side(),
        after in side(),
        lengths in vec(1_usize..50, 1..8),
        told_after in 0_usize..1000,
    ) {
        let mut whole = client(&before);
        let at = whole.len();
        let clean = [&whole[..], &bytes_of(&after)].concat();
        whole.extend(pong().bytes());
        whole.extend(bytes_of(&after));
        let mut http2 = Http2::<&'static str>::new();
        let mut kept = Vec::new();
        let (early, late) = whole.split_at(told_after.min(at));
        http2.received(&mut early.to_vec());
        kept.extend_from_slice(early);
        http2.announce();
        for chunk in chunks(late, &lengths) {
            if http2.expects_pong() {
                kept.extend_from_slice(&http2.without_pong(chunk));
            } else {
                http2.received(&mut chunk.to_vec());
                kept.extend_from_slice(chunk);
            }
        }
        prop_assert!(kept == clean);
        let mut model = Model::default();
        before.iter().flatten().for_each(|frame| model.received(frame));
        let [first, second] = announcement();
        prop_assert_eq!(take_due(&mut http2), [first, second, goaway(model.highest)]);
        prop_assert!(http2.has_been_read(), "nothing was sent behind the PING");
        prop_assert!(!http2.expects_pong());
    }
}
