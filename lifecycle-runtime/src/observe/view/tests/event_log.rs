//! Tests of the log of events.

use std::time::Duration;

use crate::event::{Event, Observer};
use crate::observe::view::EventLog;

fn with_events(errors: impl IntoIterator<Item = usize>) -> EventLog {
    let log = EventLog::new();
    for bytes in errors {
        log.on_event(Duration::ZERO, &Event::LateFailure { error: "x".repeat(bytes) });
    }
    log
}

/// Returns the number of the events missed, and the numbers of those that follow.
fn after(log: &EventLog, number: u64) -> (u64, Vec<u64>) {
    let reading = log.after(number);
    (reading.missed, reading.events.iter().map(|(number, _)| *number).collect())
}

#[tokio::test]
async fn events_follow_the_one_that_was_seen_last() {
    let log = with_events([1, 1, 1]);
    assert_eq!(after(&log, 0), (0, vec![1, 2, 3]));
    assert_eq!(after(&log, 2), (0, vec![3]));
    assert_eq!(after(&log, 3), (0, vec![]));
    assert!(!log.after(3).is_over);
    log.end().await;
    assert!(log.after(3).is_over && log.after(0).is_over);
}

#[test]
fn a_bounded_number_of_events_is_kept_and_the_others_are_counted() {
    let log = with_events(std::iter::repeat_n(1, 2_000));
    let (missed, numbers) = after(&log, 0);
    assert_eq!((missed, numbers.first(), numbers.last()), (2_000 - 1024, Some(&977), Some(&2_000)));
    assert_eq!(after(&log, 977).0, 0);
}

#[test]
fn a_bounded_number_of_bytes_is_kept() {
    let log = with_events(std::iter::repeat_n(50_000, 100));
    let (missed, numbers) = after(&log, 0);
    assert_eq!(missed, 90);
    // A reader gets a part at a time.
    assert_eq!(numbers, [91, 92]);
    assert_eq!(after(&log, 92), (0, vec![93, 94]));
}

#[tokio::test]
async fn a_reader_that_has_not_read_all_is_not_at_the_end() {
    let log = with_events(std::iter::repeat_n(50_000, 4));
    log.end().await;
    assert!(!log.after(0).is_over && log.after(2).is_over);
}

#[test]
fn an_event_with_too_long_a_text_is_left_out() {
    let log = with_events([1_000_000]);
    let text = &log.after(0).events[0].1;
    assert_eq!(&**text, r#"{"at":0.0,"event":"left_out","bytes":1000044}"#);
}

#[test]
fn an_identity_is_one_of_this_run() {
    let log = with_events([1, 1]);
    assert_eq!(log.number(&log.id(1)), Some(1));
    for other in ["", "1", "-1", "x-1", &log.id(3), &format!("{} ", log.id(1))] {
        assert_eq!(log.number(other), None, "{other}");
    }
}

#[tokio::test]
async fn whoever_waits_hears_of_each_event_and_of_the_end_which_waits_for_all() {
    let log = with_events([1]);
    let mut last = log.last();
    log.on_event(Duration::ZERO, &Event::Hurried);
    last.changed().await.expect("the log is there");
    assert_eq!(*last.borrow_and_update(), 2);
    let mut end = std::pin::pin!(log.end());
    assert!(futures_util::poll!(&mut end).is_pending());
    last.changed().await.expect("the log is there");
    drop(last);
    end.await;
}
