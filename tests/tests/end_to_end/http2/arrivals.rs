//! Clients that come late, leave early, or never finish what they have begun.

use std::convert::identity;
use std::time::Duration;

use super::{expect_gone, with_both};
use crate::harness::Signal;

#[test]
fn a_client_that_comes_during_the_drain_delay_is_told_at_once() {
    with_both(
        // The delay is longer than the test waits for anything. A server that has told nothing
        // sends a PING after a while.
        |start| {
            let start = start.env("LIFECYCLE_GRACE", "1h").env("LIFECYCLE_DRAIN_DELAY", "20m");
            start.env("LIFECYCLE_KEEP_ALIVE", "5s")
        },
        async |mut server| {
            server.stop();
            let mut wire = server.wire();
            wire.get(1, "/run/late");
            assert_eq!(wire.body_and_last_stream(1), ("late".to_owned(), 1));
            drop(wire);
            server.program.signal(Signal::SIGTERM);
            server.program.end().expect_said(&["hurrying"]);
        },
    );
}

#[test]
fn half_a_head_holds_nothing_up() {
    with_both(identity, async |mut server| {
        let mut wire = server.wire().mute();
        wire.get(1, "/");
        assert_eq!(wire.body(1), "ok");
        wire.begin(3);
        server.stop();
        assert_eq!(wire.last_stream(), 3);
        wire.expect_end();
        expect_gone(server).expect_took(Duration::ZERO);
    });
}

#[test]
fn a_handler_whose_client_has_left_is_no_task_that_a_handler_has_spawned() {
    with_both(identity, async |mut server| {
        let client = server.connect().await;
        let stream = client.get("/held/left").await.expect("a stream");
        server.program.wait_until_said("held left");
        // The socket is closed at once.
        client.end.abort();
        drop((stream, client.send));
        server.stop();
        let ended = expect_gone(server);
        ended
            .expect_said(&["0 requests finished, 0 cut off, 1 client went away"])
            .expect_not_said(&["dropped with a worker thread"]);
    });
}
