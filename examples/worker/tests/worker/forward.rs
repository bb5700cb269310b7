//! The collector is away at the start, comes, goes and comes back.

use std::sync::PoisonError;

use crate::collector::{Away, Received};
use crate::place::Place;
use crate::process::{Worker, until};

/// Waits until these lines have arrived, in this order, and none of them twice.
#[track_caller]
fn arrive(received: &Received, lines: &[(i64, &str)]) {
    let now = || received.lock().unwrap_or_else(PoisonError::into_inner).clone();
    until(|| now().len() >= lines.len());
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
    let mut worker = Worker::spawn(&mut place.command());
    let probes = worker.ready();
    probes.say(
        503,
        "service `forward` is backing off: it failed: can't reach the collector at 127.0.0.1:",
    );
    // More often than a service may be restarted unless it says otherwise.
    (0..6).for_each(|_| drop(worker.says("can't reach the collector")));
    place.append("a.log", "1\n2\n");
    place.has(&["1", "2"]);

    let collector = away.listen(&received);
    arrive(&received, &[(1, "1"), (2, "2")]);
    probes.say(200, "");

    let away = collector.leave();
    probes.say(503, "service `forward` is backing off");
    place.append("a.log", "3\n");
    place.has(&["1", "2", "3"]);
    let collector = away.listen(&received);
    arrive(&received, &[(1, "1"), (2, "2"), (3, "3")]);
    probes.say(200, "");

    // And a stop does not wait for it.
    let _away = collector.leave();
    probes.say(503, "service `forward` is backing off");
    place.append("a.log", "4\n");
    place.has(&["1", "2", "3", "4"]);
    worker.stop();
}
