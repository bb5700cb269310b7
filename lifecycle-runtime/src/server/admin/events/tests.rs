//! Tests of the stream to one client, and of the places that clients have.

use tokio::time::{Instant, timeout};

use super::*;
use crate::event::{Event, Observer};

/// Adds an event to the log.
fn happen(log: &EventLog) {
    log.on_event(Duration::ZERO, &Event::Hurried);
}

/// Returns the numbers of the events in a text.
fn numbers(text: &str) -> Vec<u64> {
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.map(|id| id.rsplit('-').next().expect("a number").parse().expect("a number")).collect()
}

fn follower(log: &EventLog, clients: &EventClients) -> Follower {
    Follower::new(log.clone(), clients.clone(), None)
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_what_is_kept_and_then_what_happens() {
    let (log, clients) = (EventLog::new(), EventClients::default());
    happen(&log);
    happen(&log);
    let mut client = follower(&log, &clients);
    let text = client.next().await.expect("a text");
    assert_eq!(numbers(&text), [1, 2]);
    let message = format!("id: {}\ndata: {{\"at\":0.0,\"event\":\"hurried\"}}\n\n", log.id(1));
    assert!(text.starts_with(&message), "{text}");
    let next = timeout(Duration::from_secs(1), client.next()).await;
    assert!(next.is_err(), "nothing has happened");
    happen(&log);
    assert_eq!(numbers(&client.next().await.expect("a text")), [3]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_nothing_happens_for_gets_a_sign_of_life() {
    let log = EventLog::new();
    let mut client = follower(&log, &EventClients::default());
    let began = Instant::now();
    assert_eq!(client.next().await.as_deref(), Some(": \n\n"));
    assert_eq!(began.elapsed(), SIGN_OF_LIFE);
}

#[tokio::test(start_paused = true)]
async fn the_end_follows_the_last_event() {
    let (log, clients) = (EventLog::new(), EventClients::default());
    let mut client = follower(&log, &clients);
    happen(&log);
    let ended = tokio::spawn({
        let log = log.clone();
        async move { log.end().await }
    });
    assert_eq!(numbers(&client.next().await.expect("a text")), [1]);
    tokio::task::yield_now().await;
    assert_eq!(client.next().await, None);
    assert!(!ended.is_finished(), "the client is there");
    drop(client);
    ended.await.expect("no panic");
    assert!(clients.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_oldest_client_makes_room_for_one_too_many() {
    let (log, clients) = (EventLog::new(), EventClients::default());
    let mut all: Vec<_> = (0..=MOST_CLIENTS).map(|_| follower(&log, &clients)).collect();
    assert_eq!(clients.lock().len(), MOST_CLIENTS);
    assert_eq!(all[0].next().await.as_deref(), Some(GO));
    assert_eq!(all[0].next().await, None);
    happen(&log);
    assert_eq!(numbers(&all[1].next().await.expect("a text")), [1]);
    // Its own end takes no place from another.
    drop(all.remove(0));
    assert_eq!(clients.lock().len(), MOST_CLIENTS);
    drop(all);
    assert!(clients.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_what_it_has_missed() {
    let (log, clients) = (EventLog::new(), EventClients::default());
    (0..1_500).for_each(|_| happen(&log));
    let mut late = follower(&log, &clients);
    let text = late.next().await.expect("a text");
    assert!(text.starts_with("data: {\"event\":\"missed\",\"count\":476}\n\n"), "{text}");
    assert_eq!(numbers(&text)[0], 477);
    let mut next = Follower::new(log.clone(), clients.clone(), Some(&log.id(1_499)));
    assert_eq!(numbers(&next.next().await.expect("a text")), [1_500]);
    let mut other = Follower::new(log.clone(), clients, Some("18c0ffee-3"));
    let text = other.next().await.expect("a text");
    assert!(text.starts_with("data: {\"event\":\"other_run\"}\n\ndata: {\"event\":\"missed\""));
}

#[tokio::test(start_paused = true)]
async fn a_client_stalls_if_it_takes_nothing_of_what_waits_for_it() {
    let (log, position) = (EventLog::new(), Cell::new(0));
    let long = STALLED_AFTER * 10;
    assert!(timeout(long, stalled(&log, &position)).await.is_err(), "nothing waits for it");
    happen(&log);
    let began = Instant::now();
    timeout(long, stalled(&log, &position)).await.expect("it stalls");
    assert_eq!(began.elapsed(), STALLED_AFTER);
    // One that is slow and goes on does not stall.
    let slow = async {
        loop {
            happen(&log);
            sleep(STALLED_AFTER / 2).await;
            position.set(position.get() + 1);
        }
    };
    tokio::select! {
        () = slow => {}
        () = stalled(&log, &position) => panic!("it goes on"),
        () = sleep(long) => {}
    }
}
