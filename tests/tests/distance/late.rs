//! The next request behind a response that ended late in the drain and never said that it is the
//! last.

use std::thread::sleep;
use std::time::Duration;

use crate::clients::{Protocol, connect};
use crate::site::{Site, tally};
use crate::{DISTANCES, at_each};

/// Clients that ask again and again, with this pause in between, until a response is the last one.
fn with_pauses(distances: &[u64], window: &str, pause: Duration) {
    at_each(distances, &Protocol::HTTP1, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start.env("LIFECYCLE_QUIET_WINDOW", window));
        let clients: Vec<_> = (0..40)
            .map(|number| {
                site.client(move |target| {
                    let mut client =
                        connect(target, target.journal(number)).unwrap_or_else(|journal| panic!("{journal}"));
                    while client.get("/stream/1000").is_some_and(|reply| !reply.is_last) {
                        sleep(pause);
                    }
                    client.end()
                })
            })
            .collect();
        site.program.wait_until_said("stream 40");
        // The heads are on their way, without a word of the end.
        site.stop();
        let tally = tally(clients);
        tally.expect_all(200);
        site.expect_report(&tally, 0);
    });
}

#[test]
fn a_request_right_behind_a_response_that_ended_late_is_answered() {
    with_pauses(&DISTANCES, "250ms", Duration::ZERO);
}

#[test]
fn a_response_that_ended_late_is_followed_by_a_whole_quiet_window() {
    with_pauses(&DISTANCES, "1s", Duration::from_millis(400));
}
