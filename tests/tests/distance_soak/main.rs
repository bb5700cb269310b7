//! Stops at random distances, with random clients at random moments: no request may be lost, the
//! server may execute nothing that it did not answer, and the report has to say what the clients
//! saw. One stop in five has a deadline that some requests miss: the report has to say how many.
//!
//! A few stops by default, `LIFECYCLE_SOAK_STOPS` for more:
//!
//! ```console
//! $ LIFECYCLE_SOAK_STOPS=200 cargo test -p lifecycle-tests --test distance_soak -- --nocapture
//! ```
//!
//! The schedules come from a seed, which is printed. `LIFECYCLE_SOAK_SEED` repeats them, as far as
//! time can be repeated. With the seed of one stop and `LIFECYCLE_SOAK_STOPS=1` it repeats that
//! stop alone.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the soak needs less of it than the distance tests")]
#[path = "../distance/clients/mod.rs"]
mod clients;
#[expect(dead_code, unused_imports, reason = "the soak needs less of it than the end-to-end tests")]
#[path = "../end_to_end/harness/mod.rs"]
mod harness;
mod schedule;
mod work;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clients::{Protocol, Tally, Target};
use harness::{Ended, Signal, Start, program};
use lifecycle_tests::rig::{Rig, unavailable};
use lifecycle_tests::skipped;
use schedule::Schedule;

/// Number of stops that go on at the same time. They spend nearly all of their time on the way.
const AT_ONCE: usize = 4;

const PLAIN: u16 = 80;
const SECURE: u16 = 443;

fn from_environment<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

#[test]
fn stops_at_random_distances_lose_nothing_and_report_what_clients_saw() {
    if let Some(reason) = unavailable() {
        return skipped(reason);
    }
    let stops = from_environment("LIFECYCLE_SOAK_STOPS").unwrap_or(8);
    let seed: u64 =
        from_environment("LIFECYCLE_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("LIFECYCLE_SOAK_SEED={seed}");
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= stops {
                        return;
                    }
                    let schedule = Schedule::new(seed.wrapping_add(number as u64));
                    let is_ok = stop(&schedule).map_err(|text| println!("{text}")).is_ok();
                    if !is_ok {
                        failed.lock().expect("nobody panics with it").push(schedule.seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics with it");
    let of = format!("{} of {stops} stops", failed.len());
    assert!(
        failed.is_empty(),
        "{of} failed; to repeat one: LIFECYCLE_SOAK_STOPS=1 LIFECYCLE_SOAK_SEED=… {failed:?}"
    );
}

/// Runs a schedule, or returns all that is known about what went wrong.
fn stop(schedule: &Schedule) -> Result<(), String> {
    let rig = Rig::new(schedule.link.clone()).expect("there was one before");
    let folder = tempfile::tempdir().expect("a folder");
    let [certificate, log] = ["certificate", "log"].map(|name| folder.path().join(name));
    let mut program = rig.server(|| start(schedule, &certificate, &log).start()).ready();
    let target = |protocol: Protocol| {
        let port = if protocol.is_tls() { SECURE } else { PLAIN };
        Target::new(protocol, Rig::address(port), &certificate)
    };
    let clients: Vec<_> = schedule
        .clients
        .iter()
        .enumerate()
        .map(|(number, work)| {
            let (work, target) = (work.clone(), target(work.protocol()));
            rig.spawn_client(move || work.run(number, &target))
        })
        .collect();
    // The server refuses these uploads at once.
    program.tell("now");
    if schedule.deadline.is_some() {
        program.wait_until_said(&format!("begun {}", schedule.clients.len()));
    }
    thread::sleep(schedule.moment);
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    let mut tally = Tally(
        clients.into_iter().map(|client| client.join().expect("a client panicked")).collect(),
    );
    let forgiven = if schedule.deadline.is_some() { 0 } else { forgive(&mut tally, &rig) };
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    let mut wrong = faults(schedule, &tally, &ended, &log);
    if forgiven > FORGIVEN {
        wrong.push(format!("{forgiven} clients are too many to be forgiven"));
    }
    let Schedule { seed, link, .. } = schedule;
    let numbers = tally.to_string();
    let numbers = numbers.lines().next().unwrap_or_default();
    println!(
        "seed {seed}: {link}; {numbers}, {forgiven} forgiven; gone {:?} after the signal",
        ended.took
    );
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("WRONG: {}\n{schedule}\n{}\n{ended}", wrong.join("; "), tally.journals()))
}

/// Largest number of clients of a stop that may be forgiven. The packet that ends a handshake and
/// all that follows it have to be lost in the last moments of the listener, which is rare.
const FORGIVEN: usize = 1;

/// Forgives the end of connections on which nothing ever came, if the link dropped the last packet
/// of their handshake, and returns their number. Such a handshake goes on a second later, when
/// there may be no listener any more: the client believes that it is connected, and the server
/// doesn't know it.
fn forgive(tally: &mut Tally, rig: &Rig) -> usize {
    let handshakes = rig.handshakes();
    let is_end_lost = |port| handshakes.get(&port).is_some_and(|handshake| handshake.is_end_lost);
    tally.0.iter_mut().filter_map(|journal| journal.forgive(is_end_lost).then_some(())).count()
}

fn start(schedule: &Schedule, certificate: &Path, log: &Path) -> Start {
    let arguments = format!(
        "h2c address={} secure={} certificate={} log={}",
        Rig::address(PLAIN),
        Rig::address(SECURE),
        certificate.display(),
        log.display()
    );
    let mut start = program!("routes").args(&arguments);
    if schedule.is_slow() {
        // A body that the server refuses may take longer than the default.
        start = start.args("disconnect=5000");
    }
    if let Some(deadline) = schedule.deadline {
        start = start.env("LIFECYCLE_DRAIN_TIMEOUT", format!("{}ms", deadline.as_millis()));
    }
    start
        .without_env("LIFECYCLE_BIND")
        .env("LIFECYCLE_GRACE", "80s")
        .env("LIFECYCLE_DRAIN_DELAY", format!("{}ms", schedule.delay.as_millis()))
        .env("LIFECYCLE_QUIET_WINDOW", format!("{}ms", schedule.window.as_millis()))
}

/// Compares the clients' view, the report, and the log of the requests that ran.
fn faults(schedule: &Schedule, tally: &Tally, ended: &Ended, log: &str) -> Vec<String> {
    let mut faults = Vec::new();
    // Exactly those requests that miss the deadline are lost to their clients.
    let lost = if schedule.deadline.is_some() { tally.lost() } else { 0 };
    if tally.has_faults() && lost == 0 {
        faults.push("a client saw what it should not".to_owned());
    }
    let stderr = ended.stderr();
    // Each server has one line.
    let report = stderr.lines().filter(|line| line.contains("server closed in")).fold(
        String::new(),
        |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        },
    );
    let finished: usize = numbers(&report, "finished").sum();
    let cut: usize = numbers(&report, "cut off").sum();
    let refused: usize = numbers(&report, "refused").sum();
    for others in ["panicked", "failed", "clients went away", "connections cut off"] {
        let count: usize = numbers(&report, others).sum();
        // Each client of a stop with a deadline has one connection.
        let is_right = match (others, schedule.deadline) {
            ("connections cut off", Some(_)) => lost <= count && count <= schedule.clients.len(),
            _ => count == 0,
        };
        if !is_right {
            faults.push(format!("clients saw {lost} lost, and the report says {count} {others}"));
        }
    }
    let saw = (tally.answered(), lost, tally.refused());
    if (finished, cut, refused) != saw {
        let (answered, lost, with_503) = saw;
        let clients =
            format!("clients saw {answered} answered, {lost} lost, {with_503} answered with 503");
        faults.push(format!(
            "{clients}, and the report says {finished} finished, {cut} cut off, {refused} refused"
        ));
    }
    if ended.status.code() != Some(if lost == 0 { 0 } else { 3 }) {
        faults.push(format!("{}", ended.status));
    }
    let mut executed = BTreeMap::<&str, usize>::new();
    log.lines()
        .filter(|line| line.contains('-'))
        .for_each(|line| *executed.entry(line).or_default() += 1);
    let answered: Vec<String> = tally.answered_paths("GET /record/");
    faults.extend(
        executed
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(name, _)| format!("{name} was executed twice")),
    );
    let is_answered = |name: &str| answered.iter().any(|answered| answered == name);
    let unanswered = executed.keys().filter(|name| !is_answered(name));
    faults.extend(unanswered.map(|name| format!("{name} was executed and not answered")));
    let unknown = answered.iter().filter(|name| !executed.contains_key(name.as_str()));
    faults.extend(unknown.map(|name| format!("{name} was answered and not executed")));
    faults
}

/// Returns the numbers before these words: 3 for `finished` in `3 requests finished`, 1 for
/// `clients went away` in `1 client went away before its response`.
fn numbers<'a>(report: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let parts =
        report.lines().flat_map(|line| line.rsplit(": ").next().unwrap_or_default().split(", "));
    parts.filter_map(move |part| {
        let (number, what) = part.split_once(' ')?;
        let what = what.trim_start_matches("requests ").trim_start_matches("request ");
        let what = match what.split_once(' ') {
            Some(("client" | "clients", _)) => "clients went away",
            Some(("connection" | "connections", _)) => "connections cut off",
            _ => what,
        };
        (what == word).then(|| number.parse().ok())?
    })
}
