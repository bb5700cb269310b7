//! Tests of the looks at runtimes that go on, stall and end.

use std::sync::mpsc;

use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use super::monitor::{counted, is_due};
use super::*;

const AFTER: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);

fn stalls() -> StallTracker {
    StallTracker::new(StallLimits { after: AFTER, timeout: Some(TIMEOUT) })
}

/// Returns a runtime of one thread, which goes on only while the test polls it.
fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn worker(number: usize, url: &str) -> RuntimeName {
    RuntimeName::Worker { number, url: url.to_owned() }
}

/// Watches a runtime whose blocking pool is too large to be full.
fn watch(stalls: &StallTracker, name: RuntimeName, runtime: &Runtime) {
    watch_with_pool(stalls, name, runtime, Some(1 << 20));
}

fn watch_with_pool(
    stalls: &StallTracker,
    name: RuntimeName,
    runtime: &Runtime,
    pool_size: Option<usize>,
) {
    let holders: Arc<Holders> = Arc::new(|_, time| vec![Wait::DrainDelay { left: time }]);
    let handle = runtime.handle().clone();
    stalls.watch(&WatchedRuntime { name, handle, pool_size, holders });
}

/// Looks each second for this time, and returns the events as texts.
fn look(stalls: &StallTracker, seconds: u64) -> Vec<String> {
    let text = |event| match event {
        Event::Stalled { part, after, holders, probes } => {
            let probes: String = probes.iter().map(|probe| probe.path()).collect();
            format!("{part} stalled for {after:?} by {}{probes}", holders.len())
        }
        Event::StallEnded { part, took } => format!("{part} ended after {took:?}"),
        other => panic!("{other:?}"),
    };
    (0..seconds).flat_map(|_| stalls.look(Duration::from_secs(1), State::Ready)).map(text).collect()
}

fn poll(runtime: &Runtime) {
    runtime.block_on(yield_now());
}

#[test]
fn a_runtime_that_does_not_go_on_is_reported_once_and_when_it_goes_on_again() {
    let (stalls, runtime) = (stalls(), runtime());
    watch(&stalls, RuntimeName::Hooks, &runtime);
    for _ in 0..20 {
        assert!(look(&stalls, 1).is_empty(), "it answers each time");
        poll(&runtime);
    }
    // The first look finds an answer and asks again.
    assert!(look(&stalls, 5).is_empty(), "4 s are no stall");
    assert_eq!(look(&stalls, 1), ["the hooks' runtime stalled for 5s by 1"]);
    assert_eq!(stalls.texts(), ["the hooks' runtime has been stalled for 5 s"]);
    let (part, time, holders) = stalls.with_holders().remove(0);
    assert_eq!((part, time), (StalledPart::Runtime(RuntimeName::Hooks), AFTER));
    assert!(matches!(holders[..], [Wait::DrainDelay { left: AFTER }]), "{holders:?}");
    assert!(look(&stalls, 7).is_empty());
    poll(&runtime);
    assert_eq!(look(&stalls, 1), ["the hooks' runtime ended after 12s"]);
    assert!(stalls.texts().is_empty() && stalls.with_holders().is_empty());
}

#[test]
fn a_runtime_that_is_shut_down_is_forgotten() {
    let (stalls, runtime) = (stalls(), runtime());
    watch(&stalls, RuntimeName::Hooks, &runtime);
    look(&stalls, 7);
    drop(runtime);
    assert_eq!(look(&stalls, 1), ["the hooks' runtime ended after 6s"]);
    assert!(look(&stalls, 10).is_empty());
    assert!(stalls.parts().is_empty());
}

#[test]
fn a_blocking_pool_whose_threads_are_all_busy_is_stalled() {
    let stalls = stalls();
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
    watch_with_pool(&stalls, worker(0, "http://a"), &runtime, None);
    let (release, blocks) = mpsc::channel::<()>();
    let busy = runtime.spawn_blocking(move || blocks.recv());
    for _ in 0..5 {
        assert!(look(&stalls, 1).is_empty());
        poll(&runtime);
    }
    assert_eq!(look(&stalls, 1), ["the blocking pool of worker 0 of http://a stalled for 5s by 1"]);
    assert_eq!(stalls.readiness_failure(), None, "requests without blocking work are answered");
    drop(release);
    let _ = runtime.block_on(busy);
    runtime.block_on(runtime.spawn_blocking(|| {})).expect("the pool goes on");
    assert_eq!(look(&stalls, 1), ["the blocking pool of worker 0 of http://a ended after 5s"]);
}

#[test]
fn a_server_is_not_ready_while_all_of_its_workers_are_stalled() {
    let (stalls, stalled, well) = (stalls(), runtime(), runtime());
    watch(&stalls, worker(0, "http://a"), &stalled);
    watch(&stalls, worker(1, "http://a"), &well);
    watch(&stalls, worker(0, "http://b"), &well);
    for _ in 0..40 {
        look(&stalls, 1);
        poll(&well);
    }
    assert_eq!(stalls.texts(), ["worker 0 of http://a has been stalled for 39 s"]);
    assert_eq!(stalls.readiness_failure(), None, "the other worker answers");
    assert_eq!(
        look(&stalls, 6),
        [
            "worker 1 of http://a stalled for 5s by 1/readyz",
            "worker 0 of http://b stalled for 5s by 1"
        ]
    );
    let failure = stalls.readiness_failure().expect("no worker answers");
    assert_eq!(failure, "all workers of http://a have been stalled for 5 s");
    assert_eq!(stalls.liveness_failure(), None, "not all of them for so long");
    // Whoever finds the process restarted finds the reason in the log.
    assert_eq!(look(&stalls, 25), ["worker 1 of http://a stalled for 30s by 1/livez"]);
    let failure = stalls.liveness_failure().expect("nothing answers");
    assert_eq!(failure, "all workers of http://a have been stalled for 30 s");
}

#[test]
fn a_process_whose_hooks_are_stalled_for_long_is_not_alive() {
    let (stalls, runtime) = (stalls(), runtime());
    watch(&stalls, RuntimeName::Hooks, &runtime);
    look(&stalls, 30);
    assert_eq!(stalls.liveness_failure(), None);
    look(&stalls, 1);
    let failure = stalls.liveness_failure().expect("it is over the timeout");
    assert_eq!(failure, "the hooks' runtime has been stalled for 30 s");
    // The timeout counts even if it is shorter than the time after which a stall is reported.
    let short = StallLimits { after: AFTER, timeout: Some(Duration::from_secs(2)) };
    let short = StallTracker::new(short);
    watch(&short, RuntimeName::Hooks, &runtime);
    look(&short, 2);
    assert_eq!(short.liveness_failure(), None);
    look(&short, 1);
    assert!(short.liveness_failure().is_some());
    let never = StallTracker::new(StallLimits { after: AFTER, timeout: None });
    watch(&never, RuntimeName::Hooks, &runtime);
    look(&never, 1_000);
    assert_eq!(never.liveness_failure(), None);
    // A process that stops is alive until it ends.
    let stopping = self::stalls();
    watch(&stopping, RuntimeName::Hooks, &runtime);
    let events = (0..40).flat_map(|_| stopping.look(Duration::from_secs(1), State::Draining));
    let events: Vec<_> = events.collect();
    assert!(matches!(&events[..], [Event::Stalled { probes, .. }] if probes.is_empty()));
}

#[test]
fn a_probe_fails_by_the_part_that_it_depends_on() {
    let (stalls, stalled, well, hooks) = (stalls(), runtime(), runtime(), runtime());
    watch(&stalls, worker(0, "http://a"), &stalled);
    watch(&stalls, worker(1, "http://a"), &well);
    watch(&stalls, RuntimeName::Hooks, &hooks);
    let look_while_well = |seconds: u64| {
        let look = |_| {
            poll(&well);
            look(&stalls, 1)
        };
        (0..seconds).flat_map(look).collect::<Vec<_>>()
    };
    poll(&hooks);
    assert_eq!(look_while_well(1), Vec::<String>::new());
    poll(&hooks);
    assert_eq!(
        look_while_well(6),
        ["worker 0 of http://a stalled for 5s by 1", "the hooks' runtime stalled for 5s by 1",]
    );
    assert_eq!(look_while_well(25), ["the hooks' runtime stalled for 30s by 1/livez"]);
}

#[test]
fn looks_are_as_frequent_as_the_shorter_limit_needs() {
    let pause = |after, timeout: Option<u64>| {
        let timeout = timeout.map(Duration::from_millis);
        StallTracker::new(StallLimits { after: Duration::from_millis(after), timeout }).pause()
    };
    assert_eq!(pause(5_000, Some(30_000)), Duration::from_secs(1));
    assert_eq!(pause(5_000, Some(1_000)), Duration::from_millis(200));
    assert_eq!(pause(60_000, None), LONGEST_PAUSE);
    assert_eq!(pause(1, None), SHORTEST_PAUSE);
}

#[test]
fn a_suspended_process_is_not_stalled() {
    let pause = Duration::from_secs(1);
    assert_eq!(counted(Duration::from_millis(1_010), pause), Duration::from_millis(1_010));
    assert_eq!(counted(Duration::from_secs(3_600), pause), 2 * pause);
}

#[test]
fn a_sign_of_life_is_given_before_it_is_late() {
    let seconds = Duration::from_secs;
    let (pause, every) = (seconds(1), seconds(15));
    assert!(is_due(None, pause, every), "the first one comes at once");
    assert!(!is_due(Some(seconds(14)), pause, every));
    assert!(is_due(Some(seconds(14) + Duration::from_millis(1)), pause, every));
    assert!(is_due(Some(seconds(1)), pause, seconds(1)));
}

#[test]
fn the_time_of_stalls_only_grows_even_when_their_part_is_gone() {
    let (stalls, runtime) = (stalls(), runtime());
    watch(&stalls, RuntimeName::Hooks, &runtime);
    let total = || {
        let is_of_runtime = |total: &StallTotal| matches!(total.part, StalledPart::Runtime(_));
        let total = stalls.totals().into_iter().find(is_of_runtime).expect("it was watched");
        (total.count, total.time.as_secs(), total.is_stalled)
    };
    look(&stalls, 5);
    assert_eq!(total(), (0, 0, false), "4 s are no stall");
    look(&stalls, 1);
    assert_eq!(total(), (1, 5, true));
    look(&stalls, 7);
    assert_eq!(total(), (1, 12, true));
    poll(&runtime);
    look(&stalls, 1);
    assert_eq!(total(), (1, 12, false));
    look(&stalls, 6);
    assert_eq!(total(), (2, 18, true));
    drop(runtime);
    look(&stalls, 1);
    assert!(stalls.parts().is_empty());
    assert_eq!(total(), (2, 18, false));
}
