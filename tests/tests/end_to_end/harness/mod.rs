//! Fixture program that runs, with its lines on stdout and stderr, over the published harness.
//!
//! The file is a `mod.rs`, so that another test program can name it by its path.

mod ended;
mod start;
pub(crate) mod system;

use std::time::Instant;

pub(crate) use ended::Ended;
use lifecycle_runtime::testing;
use lifecycle_runtime::testing::process::{Child, Transcript};
pub(crate) use lifecycle_tests::LIMIT;
pub(crate) use nix::sys::signal::Signal;
use nix::unistd::Pid;
pub(crate) use start::{Start, own_address, program};

/// Program that has been started. It is killed when this is dropped.
pub(crate) struct Program(Child);

/// Returns whether a line on stderr contains this.
fn has_line(transcript: &Transcript, text: &str) -> bool {
    transcript.stderr().any(|line| line.contains(text))
}

/// Returns the number of times that a hook or a handler has said this.
fn times_said(transcript: &Transcript, said: &str) -> usize {
    transcript.stdout().filter(|line| *line == said).count()
}

impl Program {
    /// Waits for a line on stderr that contains this, and returns it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut found = None;
        self.0.wait_until(&format!("`{text}` on stderr"), |transcript| {
            found = transcript.stderr().find(|line| line.contains(text)).map(str::to_owned);
            found.is_some()
        });
        found.expect("it was waited for")
    }

    /// Waits for this many lines on stderr that contain this.
    #[track_caller]
    pub(crate) fn wait_for_times(&mut self, text: &str, times: usize) {
        self.0.wait_until(&format!("`{text}` on stderr, {times} times"), |transcript| {
            transcript.stderr().filter(|line| line.contains(text)).count() >= times
        });
    }

    /// Waits for this many lines on stderr that contain this, and returns the last of these.
    #[track_caller]
    pub(crate) fn wait_for_nth(&mut self, text: &str, number: usize) -> String {
        let mut found = None;
        self.0.wait_until(&format!("`{text}` on stderr, {number} times"), |transcript| {
            let mut lines = transcript.stderr().filter(|line| line.contains(text));
            found = lines.nth(number - 1).map(str::to_owned);
            found.is_some()
        });
        found.expect("it was waited for")
    }

    /// Waits until a hook or a handler says this.
    #[track_caller]
    pub(crate) fn wait_until_said(&mut self, said: &str) {
        self.wait_until_said_times(said, 1);
    }

    /// Waits until a hook or a handler has said a line this many times.
    #[track_caller]
    pub(crate) fn wait_until_said_times(&mut self, said: &str, times: usize) {
        self.0.wait_until(&format!("`{said}` on stdout, {times} times"), |transcript| {
            times_said(transcript, said) >= times
        });
    }

    /// Waits until a hook or a handler has said a line this many times, or a line on stderr
    /// contains the text. Returns whether it was the latter.
    #[track_caller]
    pub(crate) fn wait_until_said_or(&mut self, said: &str, times: usize, text: &str) -> bool {
        self.0.wait_until(&format!("`{said}` on stdout or `{text}` on stderr"), |transcript| {
            times_said(transcript, said) >= times || has_line(transcript, text)
        });
        has_line(self.0.transcript(), text)
    }

    /// Waits until a condition outside of the program holds.
    #[track_caller]
    pub(crate) fn wait_while(&mut self, is_missing: impl Fn() -> bool) {
        self.0.wait_until("something outside of it", |_| !is_missing());
    }

    /// Waits until the program listens, and returns the address: `127.0.0.1:43210`.
    #[track_caller]
    pub(crate) fn address(&mut self) -> String {
        let line = self.wait_for("listening on http");
        line.rsplit('/').next().expect("a URL").to_owned()
    }

    /// Returns every TCP address on which the program has said so far that it listens.
    pub(crate) fn addresses(&mut self) -> Vec<String> {
        let address = |line: &str| Some(line.split_once("listening on http://")?.1.to_owned());
        self.0.transcript().lines().filter_map(address).collect()
    }

    /// Waits until the start is over.
    #[track_caller]
    pub(crate) fn ready(mut self) -> Self {
        self.wait_for("ready after");
        self
    }

    /// Sends a signal. If it is one that stops, waits so that the program takes it for one of its
    /// own: signals within half a second count as one.
    #[track_caller]
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.0.signal(testing::Signal::named(signal.as_str()));
    }

    /// Sends a signal, however soon after the one before.
    #[track_caller]
    pub(crate) fn signal_at_once(&mut self, signal: Signal) {
        self.0.signal_at_once(testing::Signal::named(signal.as_str()));
    }

    /// Sends a signal at once, and returns whether the program was still running.
    pub(crate) fn signal_if_running(&mut self, signal: Signal) -> bool {
        let is_running = !self.has_exited();
        if is_running {
            self.signal_at_once(signal);
        }
        is_running
    }

    /// Sends a signal again and again without a pause, from the program's first line on, until a
    /// line on stderr contains this.
    pub(crate) fn signal_until(&mut self, signal: Signal, text: &str) {
        let began = Instant::now();
        // A check whether the program has ended would reap it, while signals are still sent to its
        // id. So a program that has a line to show is not checked.
        if !has_line(self.0.transcript(), "") {
            self.wait_for("");
        }
        while !has_line(self.0.transcript(), text) {
            self.signal_at_once(signal);
            assert!(began.elapsed() < LIMIT, "no `{text}` in {LIMIT:?}");
        }
    }

    /// Writes a line to its stdin.
    #[track_caller]
    pub(crate) fn tell(&mut self, line: &str) {
        self.0.write_line(line);
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().try_into().expect("a process id"))
    }

    pub(crate) fn has_exited(&mut self) -> bool {
        self.0.has_ended()
    }

    /// Sends SIGTERM and waits for the end.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        Ended::new(self.0.stop())
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn end(self) -> Ended {
        Ended::new(self.0.wait())
    }
}
