//! What a person sees: plain lines on stderr, coloured on a terminal.
//!
//! A thread of its own writes them: a pipe that nobody reads must not hold a run up.

#[cfg(test)]
mod tests;

use std::env;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::event::{Event, Observer, Outcome, ServiceState, held, over_budget, readable};
use crate::hook::{HookMeta, Kind};
use crate::report::Report;
use crate::state::State;
use crate::task::thread;

/// Writes a run's events as lines.
#[derive(Clone)]
pub(crate) struct Console {
    /// `None` where nothing is to be written.
    page: Option<Arc<Page>>,
    style: Style,
    memory: Arc<Mutex<Memory>>,
}

/// What is still to be told.
#[derive(Default)]
struct Memory {
    /// Failures, while the start may fail by one of them.
    withheld: Vec<Failure>,
    is_started: bool,
    /// Services that were told to stop, and when.
    stopping: Vec<(&'static HookMeta, Duration)>,
}

/// A hook, how it failed, and after how long.
type Failure = (&'static HookMeta, Outcome, Duration);

/// Where lines wait for the thread that writes them. It ends with the last console.
struct Page(Arc<Lines>);

#[derive(Default)]
struct Lines {
    now: Mutex<Unwritten>,
    changed: Condvar,
}

#[derive(Default)]
struct Unwritten {
    text: String,
    /// Whether the thread has taken text that is not yet written.
    is_writing: bool,
    is_last: bool,
}

impl Console {
    /// Writes to stderr.
    pub(crate) fn stderr() -> Self {
        let colour = std::io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::to(std::io::stderr(), Style { colour })
    }

    fn to(output: impl Write + Send + 'static, style: Style) -> Self {
        let lines = Arc::<Lines>::default();
        let written = Arc::clone(&lines);
        // Without a thread the lines are lost; the run is not.
        let page = thread("lifecycle-console", move || written.write(output)).ok().map(|_| Arc::new(Page(lines)));
        Self { page, style, memory: Arc::default() }
    }

    /// Writes nothing.
    pub(crate) fn silent() -> Self {
        Self { page: None, style: Style { colour: false }, memory: Arc::default() }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.page.is_none()
    }

    /// Writes what a run came to. Errors of hooks have been written when they happened.
    pub(crate) fn report(&self, report: &Report) {
        if self.is_silent() {
            return;
        }
        let text = report.summary();
        if report.is_clean() { self.say(&text) } else { self.complain(&text) }
    }

    /// Writes lines of text.
    pub(crate) fn say(&self, text: &str) {
        let Some(page) = &self.page else { return };
        let lines: String = text.lines().map(|line| format!("{} {line}\n", self.style.faint("lifecycle:"))).collect();
        page.0.lock().text.push_str(&lines);
        page.0.changed.notify_all();
    }

    /// Writes lines about something that went wrong.
    pub(crate) fn complain(&self, text: &str) {
        for line in text.lines() {
            self.say(&self.style.bad(line));
        }
    }

    /// Waits until everything is written, but no longer than this.
    pub(crate) fn flush(&self, at_most: Duration) {
        let Some(page) = &self.page else { return };
        let is_unwritten = |now: &mut Unwritten| now.is_writing || !now.text.is_empty();
        drop(page.0.changed.wait_timeout_while(page.0.lock(), at_most, is_unwritten));
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Unwritten> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what comes, until nothing comes any more.
    fn write(&self, mut output: impl Write) {
        let mut now = self.lock();
        loop {
            if now.text.is_empty() {
                if now.is_last {
                    return;
                }
                now = self.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let text = std::mem::take(&mut now.text);
            now.is_writing = true;
            drop(now);
            // A reader that has gone away is no reason to end a service.
            let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
            now = self.lock();
            now.is_writing = false;
            self.changed.notify_all();
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.0.lock().is_last = true;
        self.0.changed.notify_all();
    }
}

impl Observer for Console {
    fn on_event(&self, at: Duration, event: &Event) {
        match event {
            Event::State(State::Ready) => {
                self.start_over("");
                self.say(&self.style.good(&format!("ready after {}", readable(at))));
            }
            // Every few seconds, so only what changes is told.
            Event::HookStarted { hook } if hook.kind == Kind::HealthCheck => {}
            Event::HookEnded { hook, outcome, .. }
                if hook.kind == Kind::HealthCheck && *outcome != (Outcome::Cancelled { ended: false }) => {}
            Event::Health { hook, passes: true, .. } => {
                self.say(&self.style.good(&format!("health check {} passes", hook.name)));
            }
            Event::Health { hook, error, .. } => {
                let error = error.as_deref().unwrap_or("fails");
                self.complain(&format!("health check `{}` ({}) {error}", hook.name, hook.place()));
            }
            Event::HookStarted { hook } => {
                let why = hook.signal().map(|signal| format!("{signal}: ")).unwrap_or_default();
                self.say(&format!("{why}{} {}", verb(hook), hook.name));
            }
            Event::HookEnded { hook, outcome, took } if self.withholds(hook, outcome, *took) => {}
            Event::HookEnded { hook, outcome, took } => {
                self.hook_ended(hook, outcome, self.told_to_stop(hook).map_or(*took, |told| at.saturating_sub(told)));
            }
            Event::DropFailed { hook, outcome } => {
                let (name, place) = (hook.name, hook.place());
                self.complain(&format!("the drop of the value of hook `{name}` ({place}) {outcome}"));
            }
            Event::ValueHeld { hook, others } => self.complain(&held(hook, *others)),
            Event::Listening { url } => self.say(&format!("listening on {url}")),
            Event::AdminListening { url } => self.say(&format!("probes on {url}")),
            Event::AcceptFailed { error } => self.complain(&format!(
                "can't accept connections: {error}; they wait until there is room (ulimit -n limits descriptors)"
            )),
            Event::AcceptRecovered { after } => {
                self.say(&format!("accepting connections again after {}", readable(*after)));
            }
            Event::StartFailed { reason } => {
                self.start_over(reason);
                self.complain(&format!("start failed: {reason}"));
                self.say("rolling back what has started");
            }
            Event::StopBegun { cause, grace } => self.say(&format!("stopping ({cause}), up to {}", readable(*grace))),
            Event::Hurried => {
                self.say("hurrying: not waiting for requests and services any longer; again to exit at once");
            }
            Event::Waiting { on } => self.say(&format!("waiting for {}", on.join(", "))),
            Event::Drained { traffic, took } => {
                let requests = &traffic.requests;
                let (finished, cut) = (requests.finished, requests.cut.len());
                let noun = if finished == 1 { "request" } else { "requests" };
                let others = [(requests.refused, "refused"), (requests.panicked, "panicked")];
                let others = others.iter().filter(|(count, _)| *count > 0);
                let others: String = others.map(|(count, what)| format!(", {count} {what}")).collect();
                let took = readable(*took);
                self.say(&format!("server closed in {took}: {finished} {noun} finished, {cut} cut off{others}"));
            }
            Event::BudgetExceeded { path, sum, grace } => self.complain(&format!(
                "{}; shorten these timeouts or raise the grace period",
                over_budget(path, *sum, *grace),
            )),
            Event::Service { hook, state: ServiceState::Stopping } => {
                self.memory().stopping.push((hook, at));
                self.say(&format!("stop {}", hook.name));
            }
            Event::Service { hook, state } => self.service(hook, state),
            Event::State(_) => {}
        }
    }
}

impl Console {
    /// That it begins and ends is told of every hook.
    fn service(&self, hook: &HookMeta, state: &ServiceState) {
        let name = hook.name;
        match state {
            ServiceState::Running => self.say(&format!("{} {name}", self.style.good("running"))),
            ServiceState::BackingOff { after, delay } => {
                let (place, delay) = (hook.place(), readable(*delay));
                let text = match after {
                    Outcome::Succeeded => "ended".to_owned(),
                    failed => failed.to_string(),
                };
                self.complain(&format!("service `{name}` ({place}) {text}; again in {delay}"));
            }
            ServiceState::Starting | ServiceState::Stopping | ServiceState::Stopped | ServiceState::Failed => {}
        }
    }

    /// Whether it is a failure that the start may fail by: then that is told, and says it all.
    fn withholds(&self, hook: &'static HookMeta, outcome: &Outcome, took: Duration) -> bool {
        let may_end_the_start = hook.kind.is_of_the_start() && outcome.is_failure() && !outcome.is_ignored(hook);
        let mut memory = self.memory();
        if memory.is_started || !may_end_the_start {
            return false;
        }
        memory.withheld.push((hook, outcome.clone(), took));
        true
    }

    /// Tells of all failures so far but the one that the start has failed by.
    fn start_over(&self, reason: &str) {
        self.memory().is_started = true;
        let withheld = std::mem::take(&mut self.memory().withheld);
        let others = withheld.into_iter().filter(|(hook, outcome, _)| outcome.of(hook) != reason);
        others.for_each(|(hook, outcome, took)| self.hook_ended(hook, &outcome, took));
    }

    /// When this service was told to stop, if it was: from there on it is waited for.
    fn told_to_stop(&self, hook: &HookMeta) -> Option<Duration> {
        let stopping = &mut self.memory().stopping;
        let place = stopping.iter().position(|(told, _)| std::ptr::eq(*told, hook))?;
        Some(stopping.swap_remove(place).1)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hook_ended(&self, hook: &HookMeta, outcome: &Outcome, took: Duration) {
        let (name, took) = (hook.name, readable(took));
        match outcome {
            Outcome::Succeeded => self.say(&format!("{} {name} in {took}", self.style.good("done"))),
            Outcome::Skipped { .. } => self.say(&format!("{name} {outcome}")),
            Outcome::Cancelled { .. } => self.say(&format!("{name} {outcome} after {took}")),
            _ => self.complain(&format!("{} (after {took})", outcome.of(hook))),
        }
    }
}

fn verb(hook: &HookMeta) -> &'static str {
    match (hook.kind, hook.of()) {
        (Kind::Startup | Kind::Service, _) => "start",
        (_, None) => "run",
        (_, Some(_)) => "tear down",
    }
}

/// Colours, or none.
#[derive(Clone, Copy)]
struct Style {
    colour: bool,
}

impl Style {
    fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
