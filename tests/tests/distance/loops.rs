//! Clients that keep a server busy until nobody listens any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::clients::{Journal, Protocol, Target, connect};
use crate::harness::Start;
use crate::site::{Site, tally};
use crate::{DISTANCES, at_each};

const CLIENTS: usize = 12;
/// Number of answers before the signal.
const WARM: usize = 60;

fn keep_busy(set: impl Fn(Start) -> Start + Sync, pause: Duration, has_one_request: bool) {
    at_each(&DISTANCES, &Protocol::ALL, |protocol, link| {
        // This many clients may keep a busy machine from serving each of them in a shorter time.
        let mut site =
            Site::start(protocol, link, |start| set(start.env("LIFECYCLE_QUIET_WINDOW", "2s")));
        let answers = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let answers = Arc::clone(&answers);
                site.client(move |target| {
                    let pause = pause + Duration::from_millis(number as u64);
                    work(target, target.journal(number), pause, has_one_request, &answers)
                })
            })
            .collect();
        site.program.wait_while(|| answers.load(Ordering::SeqCst) < WARM);
        site.stop();
        let tally = tally(clients);
        println!("{protocol}, RTT {:?}: {tally}", site.rtt);
        tally.expect_nothing_lost();
        assert_eq!(tally.not_executed(), 0, "{tally}");
        site.expect_report(&tally, 0);
    });
}

/// Connects again and again until it is refused.
fn work(
    target: &Target,
    mut journal: Journal,
    pause: Duration,
    has_one_request: bool,
    answers: &AtomicUsize,
) -> Journal {
    loop {
        let mut client = match connect(target, journal) {
            Ok(client) => client,
            Err(journal) => return journal,
        };
        while let Some(reply) = client.get("/") {
            answers.fetch_add(1, Ordering::SeqCst);
            if has_one_request || reply.is_last {
                break;
            }
            sleep(pause);
        }
        journal = client.into_journal();
        if journal.has_lost() {
            return journal;
        }
    }
}

#[test]
fn clients_that_ask_at_once_for_the_next_lose_nothing() {
    keep_busy(|start| start, Duration::ZERO, false);
}

#[test]
fn clients_that_think_in_between_lose_nothing() {
    keep_busy(|start| start, Duration::from_millis(60), false);
}

#[test]
fn clients_with_a_connection_for_each_request_lose_nothing() {
    keep_busy(|start| start, Duration::ZERO, true);
}

#[test]
fn clients_that_go_on_through_the_drain_delay_lose_nothing() {
    keep_busy(|start| start.env("LIFECYCLE_DRAIN_DELAY", "1s"), Duration::ZERO, false);
}
