//! A program that runs: what it writes as it comes, signals to it, its end.
//!
//! In a `mod.rs`, so that another test program can name it by its path.

mod ended;
mod start;
pub(crate) mod system;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) use ended::Ended;
use ended::show;
pub(crate) use lifecycle_tests::LIMIT;
pub(crate) use nix::sys::signal::Signal;
use nix::unistd::Pid;
pub(crate) use start::{Start, own_address, program};

/// Signals that stop, unless a hook is for them.
const STOPPING: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT];

/// Time within which two of them are one, and what they may be late by on a busy machine.
const ONE_SIGNAL: Duration = Duration::from_millis(700);

/// A started program. Killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    began: Instant,
    /// When the last signal was sent that stops.
    stop_sent: Option<Instant>,
    log: Arc<Log>,
    readers: Vec<JoinHandle<()>>,
}

/// Which of its outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Out,
    Err,
}

/// All lines of both outputs, as they came.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<(From, String)>>,
    changed: Condvar,
}

impl Log {
    /// Whatever a test that has failed was doing with them.
    fn lines(&self) -> MutexGuard<'_, Vec<(From, String)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(output: impl Read + Send + 'static, from: From, log: &Arc<Log>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.lines().push((from, line));
            log.changed.notify_all();
        }
    })
}

impl Program {
    /// Waits for a line on stderr that contains this, and returns it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        self.wait_until(text, |from, line| from == From::Err && line.contains(text))
    }

    /// Waits for so many lines on stderr that contain this.
    pub(crate) fn wait_for_times(&mut self, text: &str, times: usize) {
        let log = Arc::clone(&self.log);
        let count = move || {
            log.lines()
                .iter()
                .filter(|(from, line)| *from == From::Err && line.contains(text))
                .count()
        };
        self.wait_while(|| count() < times);
    }

    /// Waits until a hook or a handler says this.
    pub(crate) fn wait_until_said(&mut self, said: &str) {
        self.wait_until(said, |from, line| from == From::Out && line == said);
    }

    /// Waits until a hook or a handler has said this so many times.
    pub(crate) fn wait_until_said_times(&mut self, said: &str, times: usize) {
        let log = Arc::clone(&self.log);
        let count = move || {
            log.lines().iter().filter(|(from, line)| *from == From::Out && line == said).count()
        };
        self.wait_while(|| count() < times);
    }

    /// Returns whether a hook or a handler has said this.
    pub(crate) fn has_said(&self, said: &str) -> bool {
        self.log.lines().iter().any(|(from, line)| *from == From::Out && line == said)
    }

    /// Waits until a hook or a handler has said this so many times, or a line on stderr contains
    /// this. Returns whether it is the line.
    pub(crate) fn wait_until_said_or(&mut self, said: &str, times: usize, text: &str) -> bool {
        let log = Arc::clone(&self.log);
        let has_line = move |log: &Log| {
            log.lines().iter().any(|(from, line)| *from == From::Err && line.contains(text))
        };
        let count = |log: &Log| {
            log.lines().iter().filter(|(from, line)| *from == From::Out && line == said).count()
        };
        self.wait_while(|| count(&log) < times && !has_line(&log));
        has_line(&self.log)
    }

    fn wait_until(&mut self, text: &str, is_it: impl Fn(From, &str) -> bool) -> String {
        loop {
            let exited = self.exited().is_some();
            let lines = self.log.lines();
            if let Some((_, line)) = lines.iter().find(|(from, line)| is_it(*from, line)) {
                return line.clone();
            }
            if exited && self.readers.iter().all(JoinHandle::is_finished) {
                drop(lines);
                panic!("the program ended without `{text}`");
            }
            assert!(self.began.elapsed() < LIMIT, "no `{text}` in {LIMIT:?}");
            // The end of the program wakes nobody, so look at it now and then.
            drop(self.log.changed.wait_timeout(lines, Duration::from_millis(20)));
        }
    }

    /// Waits until something has come about outside of it.
    pub(crate) fn wait_while(&mut self, is_missing: impl Fn() -> bool) {
        while is_missing() {
            assert!(self.exited().is_none(), "the program has ended");
            assert!(self.began.elapsed() < LIMIT, "nothing in {LIMIT:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until it listens, and returns where: `127.0.0.1:43210`.
    pub(crate) fn address(&mut self) -> String {
        let line = self.wait_for("listening on http");
        line.rsplit('/').next().expect("a URL").to_owned()
    }

    /// Every TCP address that it has said so far to listen on.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let lines = self.log.lines();
        let address = |(_, line): &(From, String)| {
            Some(line.split_once("listening on http://")?.1.to_owned())
        };
        lines.iter().filter_map(address).collect()
    }

    /// Waits until the start is over.
    pub(crate) fn ready(mut self) -> Self {
        self.wait_for("ready after");
        self
    }

    /// Sends a signal. One that stops is one of its own: what follows another within half a second
    /// would be one with it.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if STOPPING.contains(&signal) {
            let since = self.stop_sent.map_or(ONE_SIGNAL, |sent| sent.elapsed());
            thread::sleep(ONE_SIGNAL.saturating_sub(since));
        }
        self.signal_at_once(signal);
    }

    /// Sends a signal, however close to the one before.
    pub(crate) fn signal_at_once(&mut self, signal: Signal) {
        if STOPPING.contains(&signal) {
            self.stop_sent = Some(Instant::now());
        }
        nix::sys::signal::kill(self.pid(), signal).expect("the program still runs");
    }

    /// Sends a signal at once, and returns whether the program had not ended before.
    pub(crate) fn signal_if_running(&mut self, signal: Signal) -> bool {
        let is_running = self.exited().is_none();
        if is_running {
            self.signal_at_once(signal);
        }
        is_running
    }

    /// Sends a signal again and again from its first line on, until a line on stderr contains this.
    pub(crate) fn signal_until(&mut self, signal: Signal, text: &str) {
        let has = |log: &Log, text| {
            log.lines().iter().any(|(from, line)| *from == From::Err && line.contains(text))
        };
        // To look whether a program has ended that has lines to show would be to take it away from
        // under the signals.
        if !has(&self.log, "") {
            self.wait_for("");
        }
        while !has(&self.log, text) {
            self.signal(signal);
            assert!(self.began.elapsed() < LIMIT, "no `{text}` in {LIMIT:?}");
        }
    }

    /// Writes a line to its stdin.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{line}").expect("the program still runs");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a process id"))
    }

    pub(crate) fn has_exited(&mut self) -> bool {
        self.exited().is_some()
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn stop(mut self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.exited() {
                break status;
            }
            assert!(self.began.elapsed() < LIMIT, "still running after {LIMIT:?}");
            thread::sleep(Duration::from_millis(2));
        };
        let took = self.stop_sent.unwrap_or(self.began).elapsed();
        self.readers.drain(..).for_each(|reader| reader.join().expect("no panic"));
        let lines = std::mem::take(&mut *self.log.lines());
        Ended::new(status, took, lines)
    }

    fn everything(&self) -> String {
        show(&self.log.lines())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the program wrote:\n{}", self.everything());
        }
    }
}
