//! Kills at random moments, again and again, while log files grow and are rotated.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use fastrand::Rng;
use lifecycle_runtime::testing::Signal;

use crate::collector::{Away, Received};
use crate::place::{Place, Written};
use crate::process::stop;

/// Longest time in milliseconds from a start, or from being ready, to a kill.
const LONGEST: u64 = 200;

const LOGS: [&str; 2] = ["a", "b"];

/// Returns the source of random moments, and prints its seed: `WORKER_SEED` repeats it.
fn moments() -> Rng {
    let seed = std::env::var("WORKER_SEED")
        .map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("WORKER_SEED={seed}");
    Rng::with_seed(seed)
}

/// Writes to the logs of a place, and rotates them, until `body` returns. Returns the number of
/// lines in each log.
fn while_logs_grow(place: &Place, mut rng: Rng, body: impl FnOnce()) -> usize {
    let is_over = AtomicBool::new(false);
    let folder = place.path("spool");
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let open = |log| {
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(folder.join(format!("{log}.log")))
                    .unwrap()
            };
            let mut files = LOGS.map(open);
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                for (log, file) in LOGS.iter().zip(&mut files) {
                    write_in_parts(file, &format!("{log} {count}\n"), &mut rng);
                    if count % 400 == 399 {
                        let name = folder.join(format!("{log}.log"));
                        fs::rename(&name, name.with_extension(format!("log.{count}"))).unwrap();
                        *file = open(log);
                    }
                }
                count += 1;
                sleep(Duration::from_micros(rng.u64(..1_000)));
            }
            count
        });
        body();
        is_over.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    })
}

/// Writes a line in two parts, as a program does whose buffer is full in the middle of a line.
fn write_in_parts(file: &mut File, line: &str, rng: &mut Rng) {
    let (first, second) = line.split_at(rng.usize(..line.len()));
    file.write_all(first.as_bytes()).unwrap();
    file.write_all(second.as_bytes()).unwrap();
}

/// Lets one more run write the missing lines. Then each line must be there once, and those of one
/// file in their order.
#[track_caller]
fn check(place: &Place, count: usize) -> Vec<Written> {
    let mut worker = place.command().spawn();
    worker.wait_for_line("ready after");
    worker
        .wait_until("every line in the database", |_| place.written().len() >= count * LOGS.len());
    stop(worker);
    let written = place.written();
    let mut numbers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut last: BTreeMap<i64, usize> = BTreeMap::new();
    for Written { file, line, .. } in &written {
        let (log, number) = line.split_once(' ').unwrap_or_else(|| panic!("{line} is no line"));
        let number = number.parse().unwrap();
        numbers.entry(log).or_default().push(number);
        let before = last.insert(*file, number);
        assert!(before.is_none_or(|before| before < number), "{line} comes behind {before:?}");
    }
    for log in LOGS {
        let all = numbers.get_mut(log).unwrap();
        all.sort_unstable();
        let missing: Vec<_> =
            (0..count).filter(|number| all.binary_search(number).is_err()).collect();
        assert!(missing.is_empty(), "{log} misses {missing:?}");
        let twice: Vec<_> = all.windows(2).filter(|two| two[0] == two[1]).collect();
        assert!(twice.is_empty() && all.len() == count, "{log} has twice: {twice:?}");
    }
    assert!(last.len() > LOGS.len(), "there was no rotation");
    written
}

#[test]
fn fifty_times_terminated_at_random_it_loses_no_line_and_writes_none_twice() {
    let (place, mut rng) = (Place::new(), moments());
    let count = while_logs_grow(&place, rng.fork(), || {
        for round in 0..50 {
            let mut worker = place.command().env("LIFECYCLE_GRACE", "10s").spawn();
            // Every other worker gets the signal during its start.
            worker.wait_for_line(if round % 2 == 0 {
                "ready after"
            } else {
                "lifecycle: start settings"
            });
            sleep(Duration::from_millis(rng.u64(..LONGEST)) / (1 + round % 2 * 3));
            worker.signal(Signal::SIGTERM);
            let output = worker.wait();
            let has_failed = output.transcript().contains("start failed");
            assert!(round % 2 == 1 || !has_failed, "round {round}: {output}");
            output.assert_exit_code(has_failed.into());
        }
    });
    let written = check(&place, count);
    eprintln!("{} lines, each once", written.len());
}

#[test]
fn twenty_times_killed_at_random_it_loses_nothing_that_was_acknowledged() {
    let (place, mut rng, received, away) =
        (Place::new(), moments(), Received::default(), Away::anywhere());
    place.set("collector", &format!("\"{}\"", away.address()));
    let _collector = away.listen(&received);
    let mut had: Vec<Written> = Vec::new();
    let count = while_logs_grow(&place, rng.fork(), || {
        for round in 0..20 {
            let mut worker = place.command().spawn();
            sleep(Duration::from_millis(rng.u64(..LONGEST)));
            // Lines that were in the database must stay there.
            let before = place.written();
            worker.kill();
            let output = worker.wait();
            output.assert_killed_by(Signal::SIGKILL);
            let now = place.written();
            assert!(
                now.starts_with(&before) && before.starts_with(&had),
                "round {round}: {output}"
            );
            had = now;
        }
    });
    let written = check(&place, count);
    assert!(written.starts_with(&had));

    // One more run sends the collector the lines that it misses.
    let mut worker = place.command().spawn();
    worker.wait_for_line("ready after");
    worker.wait_until("the last line at the collector", |_| {
        received.lock().unwrap().iter().map(|(seq, _)| *seq).max()
            == written.last().map(|last| last.seq)
    });
    stop(worker);
    let received = received.lock().unwrap();
    let mut lines: BTreeMap<i64, &str> = BTreeMap::new();
    for (seq, line) in &*received {
        let first = lines.entry(*seq).or_insert(line);
        assert_eq!(first, line, "two lines have the number {seq}");
    }
    let again = received.len() - lines.len();
    assert!(lines.into_iter().eq(written.iter().map(|line| (line.seq, line.line.as_str()))));
    eprintln!(
        "{} lines, each once; the collector has them all, and was sent {again} again",
        written.len()
    );
}
