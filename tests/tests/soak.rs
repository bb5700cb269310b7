//! Start, load, signal and end, again and again: the notes of both sides have to agree.
//!
//! The test has six cycles by default, `LIFECYCLE_SOAK_CYCLES` sets more. The moments of the
//! signals come from a seed, which is printed. `LIFECYCLE_SOAK_SEED` repeats them, as far as time
//! can be repeated.
#![cfg(unix)]

#[expect(dead_code, reason = "the soak needs less of it than the end-to-end tests")]
#[path = "end_to_end/harness/mod.rs"]
mod harness;

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use harness::{Signal, own_address, program};
use lifecycle_tests::load::{Load, Shape};

const SHAPES: [(&str, Shape); 3] =
    [("closed loop", Shape::CLOSED_LOOP), ("thinking", Shape::THINKING), ("fresh", Shape::FRESH)];

fn from_environment<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

#[test]
fn a_server_that_is_stopped_again_and_again_loses_nothing_and_does_nothing_twice() {
    let cycles = from_environment("LIFECYCLE_SOAK_CYCLES").unwrap_or(6);
    let seed = from_environment("LIFECYCLE_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("LIFECYCLE_SOAK_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..cycles {
        let (name, shape) = SHAPES[number % SHAPES.len()];
        let answers = random.usize(1..3000);
        println!("cycle {number}: {name}, the signal after {answers} answers");
        cycle(
            &folder.path().join(number.to_string()),
            Shape { seed: random.u64(..), ..shape },
            answers,
        );
    }
}

fn cycle(log: &Path, shape: Shape, answers: usize) {
    let address = own_address();
    let start =
        program!("routes").args(&format!("log={}", log.display())).env("LIFECYCLE_BIND", &address);
    let mut program = start.start().ready();
    let load =
        Load::start(&address, shape, |client, number| format!("GET /record/{client}-{number}"));
    load.wait_for(answers);
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    let outcome = load.end();
    outcome.expect_nothing_lost();
    println!("  {outcome}; gone {:?} after the signal", ended.took);
    ended
        .expect_code(0)
        .expect_said(&[&format!("{} requests finished, 0 cut off", outcome.answered.len())]);
    expect_agreement(&std::fs::read_to_string(log).expect("a log"), &outcome.answered);
}

/// Checks that the server's log has exactly the requests that the clients got answers to, between
/// one start and one stop.
#[track_caller]
fn expect_agreement(log: &str, answered: &[String]) {
    let lines: Vec<_> = log.lines().collect();
    let ["db", handled @ .., "flush", "close_db"] = &lines[..] else {
        panic!(
            "a hook did not run in its place: {:?} … {:?}",
            lines.first(),
            &lines[lines.len().saturating_sub(5)..]
        );
    };
    let once: BTreeSet<_> = handled.iter().copied().collect();
    // A second `flush` would stand among these lines.
    assert_eq!(once.len(), handled.len(), "a handler ran twice");
    let acknowledged: BTreeSet<_> =
        answered.iter().filter_map(|request| request.strip_prefix("GET /record/")).collect();
    let unknown: Vec<_> = once.symmetric_difference(&acknowledged).take(20).collect();
    assert!(unknown.is_empty(), "only one side knows of {unknown:?}");
}
