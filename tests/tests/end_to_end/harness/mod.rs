//! A program that runs: what the fixture programs say and hear, over the published harness.
//!
//! In a `mod.rs`, so that another test program can name it by its path.

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

/// A started program. Killed when it is dropped.
pub(crate) struct Program(Child);

/// Returns whether a line on stderr contains this.
fn has_line(transcript: &Transcript, text: &str) -> bool {
    transcript.stderr().any(|line| line.contains(text))
}

/// Returns how many times a hook or a handler has said this.
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

    /// Waits for so many lines on stderr that contain this.
    #[track_caller]
    pub(crate) fn wait_for_times(&mut self, text: &str, times: usize) {
        self.0.wait_until(&format!("`{text}` on stderr, {times} times"), |transcript| {
            transcript.stderr().filter(|line| line.contains(text)).count() >= times
        });
    }

    /// Waits until a hook or a handler says this.
    #[track_caller]
    pub(crate) fn wait_until_said(&mut self, said: &str) {
        self.wait_until_said_times(said, 1);
    }

    /// Waits until a hook or a handler has said this so many times.
    #[track_caller]
    pub(crate) fn wait_until_said_times(&mut self, said: &str, times: usize) {
        self.0.wait_until(&format!("`{said}` on stdout, {times} times"), |transcript| {
            times_said(transcript, said) >= times
        });
    }

    /// Returns whether a hook or a handler has said this.
    pub(crate) fn has_said(&mut self, said: &str) -> bool {
        times_said(self.0.transcript(), said) > 0
    }

    /// Waits until a hook or a handler has said this so many times, or a line on stderr contains
    /// this. Returns whether it is the line.
    #[track_caller]
    pub(crate) fn wait_until_said_or(&mut self, said: &str, times: usize, text: &str) -> bool {
        self.0.wait_until(&format!("`{said}` on stdout or `{text}` on stderr"), |transcript| {
            times_said(transcript, said) >= times || has_line(transcript, text)
        });
        has_line(self.0.transcript(), text)
    }

    /// Waits until something has come about outside of it.
    #[track_caller]
    pub(crate) fn wait_while(&mut self, is_missing: impl Fn() -> bool) {
        self.0.wait_until("something outside of it", |_| !is_missing());
    }

    /// Waits until it listens, and returns where: `127.0.0.1:43210`.
    #[track_caller]
    pub(crate) fn address(&mut self) -> String {
        let line = self.wait_for("listening on http");
        line.rsplit('/').next().expect("a URL").to_owned()
    }

    /// Every TCP address that it has said so far to listen on.
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

    /// Sends a signal. One that stops is one of its own: what follows another within half a second
    /// would be one with it.
    #[track_caller]
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.0.signal(testing::Signal::named(signal.as_str()));
    }

    /// Sends a signal, however close to the one before.
    #[track_caller]
    pub(crate) fn signal_at_once(&mut self, signal: Signal) {
        self.0.signal_at_once(testing::Signal::named(signal.as_str()));
    }

    /// Sends a signal at once, and returns whether the program had not ended before.
    pub(crate) fn signal_if_running(&mut self, signal: Signal) -> bool {
        let is_running = !self.has_exited();
        if is_running {
            self.signal_at_once(signal);
        }
        is_running
    }

    /// Sends a signal again and again from its first line on, until a line on stderr contains this.
    pub(crate) fn signal_until(&mut self, signal: Signal, text: &str) {
        let began = Instant::now();
        // To look whether a program has ended that has lines to show would be to take it away from
        // under the signals.
        if !has_line(self.0.transcript(), "") {
            self.wait_for("");
        }
        while !has_line(self.0.transcript(), text) {
            self.signal(signal);
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
