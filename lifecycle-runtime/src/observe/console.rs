//! Console: lines for people, as plain text on stderr, coloured on a terminal.
//!
//! The lines are bounded: up to 256 KiB wait while stderr accepts none, then a line that counts
//! them replaces the oldest (`… 12 lines left out`). A line has 16 KiB at most.

mod lines;
#[cfg(test)]
pub(crate) mod sample;
mod stderr;
#[cfg(test)]
mod tests;

use std::env;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lines::{LineOutput, LineWriter};
use stderr::Stderr;

use crate::event::{
    Event, Observer, Outcome, ServiceState, StartFailure, Traffic, held, listed, over_budget,
    readable,
};
use crate::hook::error::printable;
use crate::hook::state::State;
use crate::hook::{HookMeta, Kind};
use crate::observe::report::Report;
use crate::process::config::ConsoleMode;

/// Longest time for which the last lines may be written: on an output that blocks they may be lost.
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
    stopping: Vec<(&'static HookMeta, Duration)>,
    /// Set if `tracing` has shown the report.
    is_report_traced: bool,
    /// Failure of the start, if nothing has shown it.
    untold_failure: Option<StartFailure>,
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
            self.memory().untold_failure = None;
            console.complain(&if is_traced {
                report.closing()
            } else {
                format!("start failed: {error}")
            });
            console.flush(LAST_WORDS);
        }
    }

    /// Notes the failure of the start, which nothing has shown.
    pub(crate) fn keep_failure(&self, failure: &StartFailure) {
        self.memory().untold_failure = Some(failure.clone());
    }

    /// Writes the last line of a process that ends before its run does. For an exit code that
    /// always comes with a line, even a silent console writes it, together with the reason for
    /// which the start has failed.
    pub(crate) fn part(&self, text: &str, exit_code: i32) {
        let untold = self.memory().untold_failure.take();
        let (console, text) = match (exit_code, untold) {
            (1 | 2, Some(failure)) => {
                (self.or_stderr(), format!("start failed: {failure}; {text}"))
            }
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

    /// Writes the text of an event. If an error has several lines, the later ones are indented, so
    /// that none of them looks like a line of its own.
    fn tell(&self, paint: Paint, text: &str) {
        self.write("", paint, text, "  ");
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
}

impl Console {
    /// Notes an event that is not to be written.
    pub(crate) fn note(&self, at: Duration, event: &Event) {
        if let Event::Service { hook, state: ServiceState::Stopping } = event {
            self.memory().stopping.push((hook, at));
        }
    }
}

impl Observer for Console {
    fn on_event(&self, at: Duration, event: &Event) {
        self.note(at, event);
        match event {
            Event::State(State::Ready) => {
                self.tell(Paint::Good, &format!("ready after {}", readable(at)));
            }
            // Health checks run every few seconds, so only changes are written.
            Event::HookStarted { hook } if hook.kind == Kind::HealthCheck => {}
            Event::HookEnded { hook, outcome, .. }
                if hook.kind == Kind::HealthCheck
                    && *outcome != (Outcome::Cancelled { ended: false }) => {}
            Event::Health { hook, passes: true, .. } => {
                self.tell(Paint::Good, &format!("health check {} passes", hook.display_name()));
            }
            Event::Health { hook, error, .. } => {
                let error = match error {
                    Some(error) => error.to_string(),
                    None => "fails".to_owned(),
                };
                self.tell(Paint::Bad, &format!("{} {error}", hook.label_as("health check")));
            }
            Event::HookStarted { hook } => {
                let why = hook.signal().map(|signal| format!("{signal}: ")).unwrap_or_default();
                self.tell(Paint::Plain, &format!("{why}{} {}", verb(hook), hook.display_name()));
            }
            Event::HookEnded { hook, outcome, took } => {
                self.hook_ended(
                    hook,
                    outcome,
                    self.told_to_stop(hook).map_or(*took, |told| at.saturating_sub(told)),
                );
            }
            Event::DropFailed { hook, outcome } => {
                let text = format!("the drop of the value of {}", outcome.of(hook));
                self.tell(Paint::Bad, &text);
            }
            Event::ValueHeld { hook, others } => self.tell(Paint::Bad, &held(hook, *others)),
            Event::Listening { url } => self.tell(Paint::Plain, &format!("listening on {url}")),
            Event::AdminListening { url } => self.tell(Paint::Plain, &format!("probes on {url}")),
            Event::AcceptFailed { error } => {
                let advice = "they wait until there is room (ulimit -n limits descriptors)";
                self.tell(Paint::Bad, &format!("can't accept connections: {error}; {advice}"));
            }
            Event::AcceptRecovered { after } => {
                self.tell(
                    Paint::Plain,
                    &format!("accepting connections again after {}", readable(*after)),
                );
            }
            Event::StartFailed { failure } => {
                self.tell(Paint::Bad, &format!("start failed: {failure}"));
                self.tell(Paint::Plain, "rolling back what has started");
            }
            Event::StartInterrupted { .. } => {
                self.memory().is_interrupted = true;
            }
            Event::StopRepeated { signal, is_hurried } => {
                let next = if *is_hurried { "exit at once" } else { "hurry" };
                self.tell(Paint::Plain, &format!("{signal}: stopping already; again to {next}"));
            }
            Event::LateFailure { error } => {
                self.tell(Paint::Bad, &format!("the program failed: {error}"));
            }
            Event::StopBegun { cause, grace, requests } => {
                let requests = requests
                    .map(|time| format!(", requests up to {}", readable(time)))
                    .unwrap_or_default();
                let text = if self.memory().is_interrupted {
                    format!(
                        "stopped during the start ({cause}), rolling back what has started, up to "
                    )
                } else {
                    format!("stopping ({cause}), up to ")
                };
                let paint = if cause.is_wanted() { Paint::Plain } else { Paint::Bad };
                self.tell(paint, &format!("{text}{}{requests}", readable(*grace)));
            }
            Event::Hurried => {
                let text = "hurrying: not waiting for requests and services any longer; again to \
                            exit at once";
                self.tell(Paint::Plain, text);
            }
            Event::Waiting { on } => {
                let on: Vec<_> = on.iter().map(ToString::to_string).collect();
                self.tell(Paint::Plain, &format!("waiting for {}", listed(&on, ", ")));
            }
            Event::Drained { traffic, took } => self.tell(Paint::Plain, &drained(traffic, *took)),
            Event::BudgetExceeded { needed, grace, requests, delay, limits } => {
                self.tell(Paint::Bad, &over_budget(*needed, *grace, *requests, *delay, limits));
            }
            Event::Service { hook, state: ServiceState::Stopping } => {
                self.tell(Paint::Plain, &format!("stop {}", hook.display_name()));
            }
            Event::Service { hook, state } => self.service(hook, state),
            Event::State(_) => {}
        }
    }
}

impl Console {
    /// Writes the state of a service. Its begin and its end are written as for every hook.
    fn service(&self, hook: &HookMeta, state: &ServiceState) {
        let name = hook.display_name();
        match state {
            ServiceState::Running => self.write("running", Paint::Plain, name, ""),
            ServiceState::BackingOff { after, delay } => {
                let text = match after {
                    Outcome::Succeeded => "ended".to_owned(),
                    failed => failed.to_string(),
                };
                let service = hook.label_as("service");
                self.tell(Paint::Bad, &format!("{service} {text}; again in {}", readable(*delay)));
            }
            ServiceState::Starting
            | ServiceState::Stopping
            | ServiceState::Stopped
            | ServiceState::Failed => {}
        }
    }

    /// Returns the moment at which this service was told to stop, if it was: from then on it is
    /// waited for.
    fn told_to_stop(&self, hook: &HookMeta) -> Option<Duration> {
        let stopping = &mut self.memory().stopping;
        let place = stopping.iter().position(|(told, _)| std::ptr::eq(*told, hook))?;
        Some(stopping.swap_remove(place).1)
    }

    fn memory(&self) -> MutexGuard<'_, EarlierEvents> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hook_ended(&self, hook: &HookMeta, outcome: &Outcome, took: Duration) {
        let (name, took) = (hook.display_name(), readable(took));
        match outcome {
            Outcome::Succeeded => {
                self.write("done", Paint::Plain, &format!("{name} in {took}"), "");
            }
            Outcome::Skipped { .. } => self.tell(Paint::Plain, &format!("{name} {outcome}")),
            Outcome::Cancelled { .. } => {
                self.tell(Paint::Plain, &format!("{name} {outcome} after {took}"));
            }
            _ => {
                let what_follows =
                    if outcome.is_ignored(hook) { "; going on without it" } else { "" };
                self.tell(
                    Paint::Bad,
                    &format!("{}{what_follows} (after {took})", outcome.of(hook)),
                );
            }
        }
    }
}

/// Returns a line about the requests, connections and tasks of a server that is closed.
fn drained(traffic: &Traffic, took: Duration) -> String {
    let requests = &traffic.requests;
    let (finished, cut) = (requests.finished, requests.cut.len());
    let noun = if finished == 1 { "request" } else { "requests" };
    let others = [
        (requests.refused, "refused"),
        (requests.panicked, "panicked"),
        (requests.failed, "failed"),
    ];
    let others = others.iter().filter(|(count, _)| *count > 0);
    let mut others: String = others.map(|(count, what)| format!(", {count} {what}")).collect();
    match requests.abandoned {
        0 => {}
        1 => others.push_str(", 1 client went away before its response"),
        several => others.push_str(&format!(", {several} clients went away before their response")),
    }
    // These connections may hold requests that nobody has read.
    let connections = traffic.connections.cut;
    if connections > 0 {
        let noun = if connections == 1 { "connection" } else { "connections" };
        others.push_str(&format!(", {connections} {noun} cut off"));
    }
    let tasks = &traffic.tasks;
    if tasks.finished > 0 || !tasks.cut.is_empty() {
        others.push_str(&format!(
            "; tasks: {} finished, {} cut off",
            tasks.finished,
            tasks.cut.len()
        ));
    }
    match tasks.panicked {
        0 => {}
        1 => others.push_str(", 1 task panicked"),
        several => others.push_str(&format!(", {several} tasks panicked")),
    }
    format!(
        "server closed in {}: {finished} {noun} finished, {cut} cut off{others}",
        readable(took)
    )
}

fn verb(hook: &HookMeta) -> &'static str {
    match (hook.kind, hook.of()) {
        (Kind::Startup | Kind::Service, _) => "start",
        (_, None) => "run",
        (_, Some(_)) => "tear down",
    }
}

/// Kind of a text, which determines its colour.
#[derive(Clone, Copy)]
enum Paint {
    Plain,
    Good,
    Bad,
}

/// Style of the lines: with colours or without.
#[derive(Clone, Copy)]
struct Style {
    colour: bool,
}

impl Style {
    fn paint(self, paint: Paint, text: &str) -> String {
        match paint {
            Paint::Plain => text.to_owned(),
            Paint::Good => self.coloured("32", text),
            Paint::Bad => self.coloured("31", text),
        }
    }

    fn faint(self, text: &str) -> String {
        self.coloured("2", text)
    }

    fn coloured(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
