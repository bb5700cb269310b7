//! Console: lines on stderr, as text for people, coloured on a terminal, or as JSON for programs.
//!
//! The lines are bounded: up to 256 KiB wait while stderr accepts none, then a line that counts
//! them replaces the oldest (`… 12 lines left out`). A line has 16 KiB at most.

mod event_lines;
mod fields;
mod json;
mod lines;
mod live_lines;
mod message;
#[cfg(test)]
pub(crate) mod sample;
mod stderr;
mod style;
#[cfg(test)]
mod tests;
mod timestamp;

use std::env;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fields::Fields;
use lines::{LineOutput, LineWriter};
use live_lines::LiveLines;
use message::ConsoleMessage;
use stderr::Stderr;
use style::Style;

use crate::event::{Event, StartFailure};
use crate::hook::id::HookMap;
use crate::hook::state::State;
use crate::observe::live::LiveProgress;
use crate::observe::report::Report;
use crate::process::config::{ConsoleFormat, ConsoleMode};

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
    /// Lines at the bottom of the terminal, if it may have them.
    live: Option<LiveLines>,
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
    /// Makes a console that writes to stderr in this form.
    pub(crate) fn stderr(format: ConsoleFormat) -> Self {
        let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let is_terminal = std::io::stderr().is_terminal();
        let colour = is_terminal && !is_plain;
        let style = Style { format, colour, priorities: stderr::is_journal() };
        let has_live = format == ConsoleFormat::Live && style.colour && LiveLines::are_wanted();
        let live = has_live.then(LiveLines::default);
        Self { is_terminal, live, ..Self::to(Stderr::new(), style) }
    }

    fn to(output: impl LineOutput, style: Style) -> Self {
        let lines = LineWriter::new(output, move |lines| style.left_out(lines));
        Self { lines: Some(Arc::new(lines)), style, ..Self::silent(style.format) }
    }

    /// Makes a console that writes nothing. Lines that are written all the same have this form.
    pub(crate) fn silent(format: ConsoleFormat) -> Self {
        let style = Style { format, ..Style::default() };
        Self {
            lines: None,
            style,
            is_terminal: false,
            is_auto: false,
            live: None,
            memory: Arc::default(),
        }
    }

    /// Makes the console that these settings ask for.
    pub(crate) fn of(mode: ConsoleMode, format: ConsoleFormat) -> Self {
        match mode {
            ConsoleMode::Auto => Self { is_auto: true, ..Self::stderr(format) },
            ConsoleMode::On => Self::stderr(format),
            ConsoleMode::Off => Self::silent(format),
        }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.lines.is_none()
    }

    /// Returns this console, or one that writes to stderr if this is silent: exit codes 1 and 2
    /// always come with a line.
    pub(crate) fn or_stderr(&self) -> Self {
        if self.is_silent() { Self::stderr(self.style.format) } else { self.clone() }
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
        let text = if self.writes(is_traced) {
            report.summary()
        } else if report.exit_code() == 1 {
            report.closing()
        } else {
            return;
        };
        let fields = Fields::of_report(report);
        if report.is_clean() {
            self.write(&ConsoleMessage { fields, ..ConsoleMessage::info(&text) });
        } else {
            self.write(&ConsoleMessage { fields, ..ConsoleMessage::error(&text) });
        }
    }

    /// Writes the reason for which a start failed if this console is silent: in one line on stderr.
    /// A reason that `tracing` has shown is left out.
    pub(crate) fn insist(&self, report: &Report) {
        if let (true, 1, Some(error)) = (self.is_silent(), report.exit_code(), &report.error) {
            let console = self.or_stderr();
            let is_traced = self.memory().is_report_traced;
            self.memory().unshown_failure = None;
            let text = if is_traced { report.closing() } else { error.line() };
            let fields = Fields::of_report(report);
            console.write(&ConsoleMessage { fields, ..ConsoleMessage::error(&text) });
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
    pub(crate) fn write_last_line(&self, text: &str, exit_code: u8) {
        let unshown = self.memory().unshown_failure.take();
        let (console, text) = match (exit_code, unshown) {
            (1 | 2, Some(failure)) => (self.or_stderr(), format!("{}; {text}", failure.line())),
            (1 | 2, None) => (self.or_stderr(), text.to_owned()),
            _ => (self.clone(), text.to_owned()),
        };
        console.write(&ConsoleMessage {
            fields: Fields::exit_code(exit_code),
            ..ConsoleMessage::error(&text)
        });
        console.flush(LAST_WORDS);
    }

    /// Writes that nothing was started, and the exit code of that.
    pub(crate) fn nothing_started(&self, why: &str, exit_code: u8) {
        let text = format!("{why}nothing was started, exit code {exit_code}");
        self.write(&ConsoleMessage {
            fields: Fields::exit_code(exit_code),
            ..ConsoleMessage::info(&text)
        });
    }

    /// Begins a new line on a terminal, behind the echo of a key that sends a signal: `^C`.
    pub(crate) fn begin_line(&self) {
        if let (Some(lines), true) = (&self.lines, self.is_terminal) {
            lines.write("\n".to_owned());
        }
    }

    /// Writes lines of text.
    pub(crate) fn say(&self, text: &str) {
        self.write(&ConsoleMessage::info(text));
    }

    /// Writes lines about something that went wrong.
    pub(crate) fn complain(&self, text: &str) {
        self.write(&ConsoleMessage::error(text));
    }

    fn write(&self, message: &ConsoleMessage<'_>) {
        if let Some(lines) = &self.lines {
            lines.write(self.style.lines(message));
        }
    }

    /// Shows what a start or a stop is doing at the bottom of the terminal, if it may have live
    /// lines. The source is asked for that now and then.
    pub(crate) fn show_live(&self, source: impl Fn() -> Option<LiveProgress> + Send + 'static) {
        if let Some(live) = &self.live {
            live.start(source);
        }
    }

    /// Notes a new state of the run, by which live lines come and go.
    pub(crate) fn enter(&self, state: State) {
        if let Some(live) = &self.live {
            live.enter(state);
        }
    }

    /// Notes an event that `tracing` has shown. There are no live lines from then on.
    pub(crate) fn note_traced(&self, at: Duration, event: &Event) {
        self.note(at, event);
        if let Some(live) = &self.live {
            live.give_way();
        }
    }

    /// Waits until everything is written, but no longer than `at_most`. There are no live lines
    /// from then on.
    pub(crate) fn flush(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        if let Some(live) = &self.live {
            live.end();
        }
        if let Some(lines) = &self.lines {
            lines.flush(at_most);
        }
        if let Some(live) = &self.live {
            live.hidden(until.saturating_duration_since(Instant::now()));
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
