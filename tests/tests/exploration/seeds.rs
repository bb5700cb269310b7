//! Seeds, by which a schedule that failed can be repeated.

use std::cell::RefCell;
use std::process::Command;
use std::sync::Mutex;

use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::testing::{Explore, TestApp, TestReport};
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};

use crate::{failure, of};

#[on_startup]
async fn log() -> Mutex<Vec<&'static str>> {
    Mutex::default()
}

async fn write(log: &Mutex<Vec<&'static str>>, name: &'static str) {
    log.lock().expect("no panic").push(name);
    tokio::task::yield_now().await;
    log.lock().expect("no panic").push(name);
}

#[on_startup]
async fn w0(log: Dep<log>) {
    write(&log, "w0").await;
}
#[on_startup]
async fn w1(log: Dep<log>) {
    write(&log, "w1").await;
}
#[on_startup]
async fn w2(log: Dep<log>) {
    write(&log, "w2").await;
}
#[on_startup]
async fn w3(log: Dep<log>) {
    write(&log, "w3").await;
}
#[on_startup]
async fn w4(log: Dep<log>) {
    write(&log, "w4").await;
}
#[on_startup]
async fn w5(log: Dep<log>) {
    write(&log, "w5").await;
}
#[on_startup]
async fn w6(log: Dep<log>) {
    write(&log, "w6").await;
}
#[on_startup]
async fn w7(log: Dep<log>) {
    write(&log, "w7").await;
}

const WRITERS: &[&HookMeta] =
    &[w0::META, w1::META, w2::META, w3::META, w4::META, w5::META, w6::META, w7::META];

#[on_shutdown]
async fn bye() {}

/// Fails in schedules in which the sixth writer is the first to have written everything.
async fn six_is_not_first(app: TestApp) {
    let log = app.get::<log>().lock().expect("no panic").clone();
    let twice = (0..log.len()).find(|&at| log[..at].contains(&log[at])).expect("all write twice");
    assert_ne!(log[twice], "w6", "{log:?}");
}

fn seed_of(failure: &str) -> &str {
    let seed = failure.split_once("\nagain: LIFECYCLE_SEED=").expect("a seed").1;
    seed.split_once(" cargo test").expect("a command").0
}

/// Returns the text from "the schedule:" on.
fn schedule_of(failure: &str) -> &str {
    failure.split_once("\nthe schedule:\n\n").expect("a schedule").1
}

#[test]
fn the_printed_seed_replays_the_same_failure_and_schedule() {
    let found = failure(|| of(WRITERS).run(six_is_not_first));
    let seed = seed_of(&found);
    let replayed = failure(|| of(WRITERS).replay(seed).run(six_is_not_first));
    assert!(
        replayed.starts_with(&format!("the test failed under schedule {seed}\n")),
        "{replayed}"
    );
    assert_eq!(schedule_of(&replayed), schedule_of(&found));
}

#[test]
fn a_random_schedule_is_replayed_too() {
    // The schedules nearest to the sorted order have only a few hooks out of their places.
    let sorted = async |app: TestApp| {
        let log = app.get::<log>().lock().expect("no panic").clone();
        let swaps = log.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!(swaps < 9, "{swaps} {log:?}");
    };
    let found = failure(|| of(WRITERS).schedules(200).run(sorted));
    let seed = seed_of(&found);
    assert!(seed.bytes().all(|byte| byte.is_ascii_digit()), "{seed}");
    let replayed = failure(|| of(WRITERS).replay(seed).run(sorted));
    assert_eq!(schedule_of(&replayed), schedule_of(&found));
}

#[test]
fn a_seed_is_the_same_sequence_of_events_each_time() {
    let runs = RefCell::new(Vec::new());
    let note = |report: &TestReport| runs.borrow_mut().push(report.to_string());
    let hooks: Vec<_> = WRITERS.iter().copied().chain([bye::META]).collect();
    for _ in 0..100 {
        let explored = of(&hooks).check(note).replay("7421").run(async |_| {});
        assert_eq!(explored.to_string(), "one schedule of more");
    }
    let runs = runs.into_inner();
    assert_eq!(runs.len(), 100);
    assert!(runs.iter().all(|run| *run == runs[0]), "{}", runs[0]);
}

#[test]
fn two_explorations_are_the_same() {
    let explore = || {
        let runs = RefCell::new(Vec::new());
        let note = |report: &TestReport| runs.borrow_mut().push(report.to_string());
        of(WRITERS).schedules(60).check(note).run(async |_| {});
        runs.into_inner()
    };
    assert_eq!(explore(), explore());
}

#[test]
fn a_seed_that_does_not_parse_or_fit_is_refused() {
    let refused = |seed: &str| failure(|| of(&WRITERS[..2]).replay(seed).run(async |_| {}));
    assert_eq!(
        refused("first"),
        "`first` is no seed: expected the choices of a schedule, such as 0.2.1, or a number, such \
         as 7421"
    );
    assert_eq!(
        refused("0.7"),
        "seed 0.7 is of another test, or of another version of it: choice 2 is one of 2"
    );
}

#[test]
fn a_test_that_is_another_each_time_is_said_to_be() {
    let setups = std::cell::Cell::new(0);
    let hooks = || {
        setups.set(setups.get() + 1);
        TestApp::of(Lifecycle::of(WRITERS[..if setups.get() == 1 { 3 } else { 1 }].iter().copied()))
    };
    let failure = failure(|| Explore::new().setup(hooks).run(async |_| {}));
    assert!(failure.starts_with("the test is not the same each time: "), "{failure}");
}

#[test]
#[ignore = "what the tests below start"]
fn replayed_by_the_environment() {
    println!("{}", of(WRITERS).run(six_is_not_first));
}

#[on_startup]
fn panics_on_a_thread() {
    panic!("no luck");
}

#[test]
#[ignore = "what the test below starts"]
fn fails_on_a_thread() {
    let _ = of(&[panics_on_a_thread::META]).run(async |_| {});
}

#[test]
fn panics_of_plain_fns_are_shown_once_too() {
    let (text, passes) = output_of("seeds::fails_on_a_thread", "0.0");
    assert!(!passes && text.contains("panics_on_a_thread panicked: no luck"), "{text}");
    assert_eq!(text.matches("panicked at").count(), 1, "{text}");
}

/// Runs that test with a seed. Returns its output, and whether it passes.
fn with_seed(seed: &str) -> (String, bool) {
    output_of("seeds::replayed_by_the_environment", seed)
}

fn output_of(test: &str, seed: &str) -> (String, bool) {
    let mut command = Command::new(std::env::current_exe().expect("a test"));
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("LIFECYCLE_SEED", seed);
    let output = command.output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

#[test]
fn the_environment_replays_one_schedule() {
    let (text, passes) = with_seed("0.0");
    assert!(passes && text.contains("one schedule of more\n"), "{text}");
    let found = failure(|| of(WRITERS).run(six_is_not_first));
    let (text, passes) = with_seed(seed_of(&found));
    let schedule = schedule_of(&found).split_once("\nagain: ").expect("a command").0;
    assert!(!passes && text.contains(schedule), "{text}");
    // There is one message, at the test's own line.
    assert_eq!(text.matches("panicked at").count(), 2, "{text}");
    assert!(text.contains("cargo test seeds::replayed_by_the_environment\n"), "{text}");
}

#[test]
fn an_environment_that_makes_no_sense_fails_at_the_line_of_the_test() {
    let (text, passes) = with_seed("1.x");
    assert!(!passes && text.contains("LIFECYCLE_SEED: `1.x` is no seed: expected "), "{text}");
    assert!(text.contains(&format!("panicked at {}:", file!())), "{text}");
}

#[test]
fn an_exploration_inside_of_an_async_runtime_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let text = std::thread::scope(|scope| {
        let inside = || runtime.block_on(async { of(WRITERS).run(async |_| {}) });
        let panic = scope.spawn(inside).join().expect_err("refused");
        panic.downcast_ref::<&str>().map(ToString::to_string)
    });
    assert!(text.expect("a text").ends_with("call it from a plain `#[test]`"));
}
