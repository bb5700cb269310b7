//! Tests of when a response is written, and when its client has read it.

use super::*;

#[test]
fn a_response_is_written_with_the_end_of_its_stream() {
    let mut http2 = begun();
    received(&mut http2, &[head(1, END_STREAM), head(3, END_STREAM), head(5, END_STREAM)]);
    http2.complete(1, "first");
    http2.complete(3, "second");
    sent(&mut http2, &[head(1, 0), data(1, 0), head(3, 0)]);
    assert!(http2.take_written().is_empty());
    sent(&mut http2, &[data(3, END_STREAM)]);
    assert_eq!(http2.take_written(), ["second"]);
    sent(&mut http2, &[data(1, END_STREAM)]);
    assert_eq!(http2.take_written(), ["first"]);
    http2.complete(5, "third");
    received(&mut http2, &[reset(5)]);
    sent(&mut http2, &[data(5, END_STREAM)]);
    assert!(http2.take_written().is_empty(), "the client did not want it any more");
}

#[test]
fn a_client_has_read_everything_when_it_answers_behind_it() {
    let mut http2 = begun();
    received(&mut http2, &[head(1, END_STREAM)]);
    announce(&mut http2);
    sent(&mut http2, &[head(1, 0)]);
    assert_eq!(answers_to(&mut http2, &[pong()]), (vec![goaway(1)], vec![]));
    assert!(!http2.has_been_read());
    sent(&mut http2, &[data(1, END_STREAM)]);
    assert_eq!(take_due(&mut http2), [question()]);
    assert!(!http2.has_been_read());
    assert_eq!(answers_to(&mut http2, &[ping(ACK, FINISHED)]), (vec![], vec![]));
    assert!(http2.has_been_read());
}

#[test]
fn an_answer_to_an_earlier_question_proves_nothing() {
    let mut http2 = begun();
    announce(&mut http2);
    assert_eq!(announce_last(&mut http2), [goaway(0)]);
    // A stream that comes too late is refused, and the client has to read that.
    for stream in [1, 3] {
        received(&mut http2, &[head(stream, END_STREAM)]);
        sent(&mut http2, &[head(stream, END_STREAM)]);
        assert_eq!(take_due(&mut http2), [question()]);
    }
    for answer in [pong(), ping(ACK, FINISHED)] {
        answers_to(&mut http2, &[answer]);
        assert!(!http2.has_been_read());
    }
    answers_to(&mut http2, &[ping(ACK, FINISHED)]);
    assert!(http2.has_been_read());
}

#[test]
fn a_client_that_has_nothing_more_to_read_is_not_asked() {
    let mut http2 = begun();
    received(&mut http2, &[head(1, END_STREAM)]);
    sent(&mut http2, &[head(1, END_STREAM)]);
    announce(&mut http2);
    answers_to(&mut http2, &[pong()]);
    assert!(http2.has_been_read() && http2.is_done());
}
