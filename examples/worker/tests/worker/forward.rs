//! A collector that is away at the start, comes, goes and comes back.

use std::sync::PoisonError;

use lifecycle_runtime::testing::process::Child;

use crate::collector::{Away, Received};
use crate::place::Place;
use crate::process::{stop, wait_for_readyz};

/// Waits until the worker has sent these lines, in this order, and none of them twice.
#[track_caller]
fn wait_for_sent(worker: &mut Child, received: &Received, lines: &[(i64, &str)]) {
    let now = || received.lock().unwrap_or_else(PoisonError::into_inner).clone();
    worker.wait_until("the lines at the collector", |_| now().len() >= lines.len());
    assert!(
        now().iter().map(|(seq, line)| (*seq, line.as_str())).eq(lines.iter().copied()),
        "{:?}",
        now()
    );
}

#[test]
fn a_collector_may_come_and_go() {
    let (place, received, away) = (Place::new(), Received::default(), Away::anywhere());
    place.set("collector", &format!("\"{}\"", away.address()));
    let mut worker = place.command().spawn();
    wait_for_readyz(
        &mut worker,
        503,
        "service `forward` is backing off: it failed: can't reach the collector at 127.0.0.1:",
    );
    // These are more restarts than the default allows.
    for _ in 0..6 {
        worker.wait_for_line("can't reach the collector");
    }
    place.append("a.log", "1\n2\n");
    place.wait_for(&mut worker, &["1", "2"]);

    let collector = away.listen(&received);
    wait_for_sent(&mut worker, &received, &[(1, "1"), (2, "2")]);
    wait_for_readyz(&mut worker, 200, "");

    let away = collector.leave();
    wait_for_readyz(&mut worker, 503, "service `forward` is backing off");
    place.append("a.log", "3\n");
    place.wait_for(&mut worker, &["1", "2", "3"]);
    let collector = away.listen(&received);
    wait_for_sent(&mut worker, &received, &[(1, "1"), (2, "2"), (3, "3")]);
    wait_for_readyz(&mut worker, 200, "");

    // The stop does not wait for the collector, either.
    let _away = collector.leave();
    wait_for_readyz(&mut worker, 503, "service `forward` is backing off");
    place.append("a.log", "4\n");
    place.wait_for(&mut worker, &["1", "2", "3", "4"]);
    stop(worker);
}
