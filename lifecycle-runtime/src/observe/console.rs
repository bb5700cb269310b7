//! Console: lines for people, as plain text on stderr, coloured on a terminal.
//!
//! The lines are bounded: up to 256 KiB wait while stderr accepts none, then a line that counts
//! them replaces the oldest (`… 12 lines left out`). A line has 16 KiB at most.

mod event_lines;
mod lines;
#[cfg(test)]
pub(crate) mod sample;
mod stderr;
mod style;
#[cfg(test)]
mod tests;

use std::env;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lines::{LineOutput, LineWriter};
use stderr::Stderr;
use style::{Paint, Style};

use crate::event::StartFailure;
use crate::hook::error::printable;
use crate::hook::id::HookMap;
use crate::observe::report::Report;
use crate::process::config::ConsoleMode;

/// Longest time for which the last lines may be written: on an output that blocks they may be lost.
/// A reader that takes longer, such as a terminal behind a slow network, loses what the pipe or the
/// terminal has no room for.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(200);

/// Observer that writes a run's events as lines.
#[derive(Clone)]
pub(crate) struct Console {
    /// Writer of the lines; `None` if nothing is to be written.
    lines: Option<Arc<LineWriter>>,
    style: Style,
    is_terminal: bool,
    /// Set if events that `tracing` shows are not to be written.
    is_auto: bool,
    memory: Arc<Mutex<EarlierEvents>>,
}

/// Facts of earlier events that later lines need.
#[derive(Default)]
struct EarlierEvents {
    /// Set if the stop was asked for during the start.
    is_interrupted: bool,
    /// Services that were told to stop, each with the moment of that.
    stopping: HookMap<Duration>,
    /// Set if `tracing` has shown the report.
    is_report_traced: bool,
    /// Failure of the start, if nothing has shown it.
    unshown_failure: Option<StartFailure>,
}

impl Console {
    /// Makes a console that writes to stderr.
    pub(crate) fn stderr() -> Self {
        let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let is_terminal = std::io::stderr().is_terminal();
        Self { is_terminal, ..Self::to(Stderr::new(), Style { colour: is_terminal && !is_plain }) }
    }

    fn to(output: impl LineOutput, style: Style) -> Self {
        Self { lines: Some(Arc::new(LineWriter::new(output))), style, ..Self::silent() }
    }

    /// Makes a console that writes nothing.
    pub(crate) fn silent() -> Self {
        let style = Style { colour: false };
        Self { lines: None, style, is_terminal: false, is_auto: false, memory: Arc::default() }
    }

    /// Makes the console that this setting asks for.
    pub(crate) fn of(mode: ConsoleMode) -> Self {
        match mode {
            ConsoleMode::Auto => Self { is_auto: true, ..Self::stderr() },
            ConsoleMode::On => Self::stderr(),
            ConsoleMode::Off => Self::silent(),
        }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.lines.is_none()
    }

    /// Returns this console, or one that writes to stderr if this is silent: exit codes 1 and 2
    /// always come with a line.
    pub(crate) fn or_stderr(&self) -> Self {
        if self.is_silent() { Self::stderr() } else { self.clone() }
    }

    /// Returns `true` if an event is to be written; `is_traced` is set if `tracing` shows it.
    pub(crate) fn writes(&self, is_traced: bool) -> bool {
        !(self.is_auto && is_traced)
    }

    /// Writes the summary of a run's report. Errors of hooks have been written when they happened.
    /// Even if `tracing` has shown the report of a failed start, its last line is written: whoever
    /// looks for the reason of exit code 1 finds a line on stderr.
    pub(crate) fn report(&self, report: &Report, is_traced: bool) {
        self.memory().is_report_traced = is_traced;
        if self.is_silent() {
            return;
        }
        match report.exit_code() {
            1 if !self.writes(is_traced) => self.complain(&report.closing()),
            _ if !self.writes(is_traced) => {}
            0 => self.say(&report.summary()),
            _ => self.complain(&report.summary()),
        }
    }

    /// Writes the reason for which a start failed if this console is silent: in one line on stderr.
    /// A reason that `tracing` has shown is left out.
    pub(crate) fn insist(&self, report: &Report) {
        if let (true, 1, Some(error)) = (self.is_silent(), report.exit_code(), &report.error) {
            let console = Self::stderr();
            let is_traced = self.memory().is_report_traced;
            self.memory().unshown_failure = None;
            console.complain(&if is_traced { report.closing() } else { error.line() });
            console.flush(LAST_WORDS);
        }
    }

    /// Notes the failure of the start, which nothing has shown.
    pub(crate) fn keep_failure(&self, failure: &StartFailure) {
        self.memory().unshown_failure = Some(failure.clone());
    }

    /// Writes the last line of a process that ends before its run does. For an exit code that
    /// always comes with a line, even a silent console writes it, together with the reason for
    /// which the start has failed.
    pub(crate) fn write_last_line(&self, text: &str, exit_code: i32) {
        let unshown = self.memory().unshown_failure.take();
        let (console, text) = match (exit_code, unshown) {
            (1 | 2, Some(failure)) => (self.or_stderr(), format!("{}; {text}", failure.line())),
            (1 | 2, None) => (self.or_stderr(), text.to_owned()),
            _ => (self.clone(), text.to_owned()),
        };
        console.complain(&text);
        console.flush(LAST_WORDS);
    }

    /// Begins a new line on a terminal, behind the echo of a key that sends a signal: `^C`.
    pub(crate) fn begin_line(&self) {
        if let (Some(lines), true) = (&self.lines, self.is_terminal) {
            lines.write("\n".to_owned());
        }
    }

    /// Writes lines of text.
    pub(crate) fn say(&self, text: &str) {
        self.write("", Paint::Plain, text, "");
    }

    /// Writes lines about something that went wrong.
    pub(crate) fn complain(&self, text: &str) {
        self.write("", Paint::Bad, text, "");
    }

    /// Writes lines of text: the first behind the word `good`, the others indented. Nothing in the
    /// text acts on a terminal, whoever wrote it.
    fn write(&self, good: &str, paint: Paint, text: &str, indent: &str) {
        let Some(lines) = &self.lines else { return };
        let mut written = String::with_capacity(text.len() + 16);
        for (place, line) in printable(text).lines().enumerate() {
            written.push_str(&self.style.faint("lifecycle:"));
            written.push(' ');
            match place {
                0 if !good.is_empty() => {
                    written.push_str(&self.style.paint(Paint::Good, good));
                    written.push(' ');
                }
                0 => {}
                _ => written.push_str(indent),
            }
            written.push_str(&self.style.paint(paint, line));
            written.push('\n');
        }
        lines.write(written);
    }

    /// Waits until everything is written, but no longer than `at_most`.
    pub(crate) fn flush(&self, at_most: Duration) {
        if let Some(lines) = &self.lines {
            lines.flush(at_most);
        }
    }

    /// Does the same as [`flush`](Self::flush) without blocking the async runtime.
    pub(crate) async fn flushed(self, at_most: Duration) {
        // A silent console is left out, as the blocking pool may have to start a thread.
        if !self.is_silent() {
            let _ = tokio::task::spawn_blocking(move || self.flush(at_most)).await;
        }
    }

    fn memory(&self) -> MutexGuard<'_, EarlierEvents> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
