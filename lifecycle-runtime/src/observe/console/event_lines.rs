//! Lines about events.

use std::time::Duration;

use tracing::Level;

use super::Console;
use super::fields::Fields;
use super::message::{ConsoleMessage, Paint};
use crate::event::{
    Event, Outcome, RequestInfo, ServiceState, StopCause, Traffic, held, listed, over_budget,
    readable, stalled,
};
use crate::hook::state::State;
use crate::hook::{HookMeta, Kind};
use crate::process::config::ConsoleFormat;

impl Console {
    /// Notes an event that is not to be written.
    pub(crate) fn note(&self, at: Duration, event: &Event) {
        if let Event::Service { hook, state: ServiceState::Stopping } = event {
            self.memory().stopping.insert(hook.id, at);
        }
    }

    /// Writes an event of this level that happened `at` after the run began.
    pub(crate) fn write_event(&self, at: Duration, event: &Event, level: Level) {
        self.note(at, event);
        let waited = match event {
            Event::HookEnded { hook, .. } => self.told_to_stop(hook),
            _ => None,
        };
        let waited = waited.map(|told| at.saturating_sub(told));
        EventWriter { console: self, at, event, level, waited }.write();
    }

    /// Returns the moment at which this service was told to stop, if it was: from then on it is
    /// waited for.
    fn told_to_stop(&self, hook: &HookMeta) -> Option<Duration> {
        self.memory().stopping.remove(&hook.id)
    }
}

/// Writer of the lines about one event.
struct EventWriter<'a> {
    console: &'a Console,
    at: Duration,
    event: &'a Event,
    level: Level,
    /// Time since the service whose end it is was told to stop.
    waited: Option<Duration>,
}

impl EventWriter<'_> {
    /// Writes a text about the event. If an error has several lines, the later ones are indented,
    /// so that none of them looks like a line of its own.
    fn show(&self, paint: Paint, text: &str) {
        self.write_message(&ConsoleMessage { paint, indent: "  ", ..ConsoleMessage::info(text) });
    }

    /// Writes a text behind a word that is painted as good.
    fn show_good(&self, good: &str, text: &str) {
        self.write_message(&ConsoleMessage { good, ..ConsoleMessage::info(text) });
    }

    /// Writes a message with the level and the fields of the event.
    fn write_message(&self, message: &ConsoleMessage<'_>) {
        let mut fields = Fields::default();
        if self.console.style.format == ConsoleFormat::Json {
            fields = Fields::of_event(self.at, self.event);
            self.waited.into_iter().for_each(|waited| fields.set_duration(waited));
        }
        self.console.write(&ConsoleMessage { level: self.level, fields, ..*message });
    }

    fn write(&self) {
        let at = self.at;
        match self.event {
            Event::State(State::Ready) => {
                self.show(Paint::Good, &format!("ready after {}", readable(at)));
            }
            // Health checks run every few seconds, so only changes are written.
            Event::HookStarted { hook } if hook.kind == Kind::HealthCheck => {}
            Event::HookEnded { hook, outcome, .. }
                if hook.kind == Kind::HealthCheck
                    && *outcome != (Outcome::Cancelled { ended: false }) => {}
            Event::Health { hook, passes: true, .. } => {
                self.show(Paint::Good, &format!("health check {} passes", hook.display_name()));
            }
            Event::Health { hook, error, .. } => {
                let error = match error {
                    Some(error) => error.to_string(),
                    None => "fails".to_owned(),
                };
                self.show(Paint::Bad, &format!("{} {error}", hook.label_as("health check")));
            }
            Event::HookStarted { hook } => {
                let why = hook.signal().map(|signal| format!("{signal}: ")).unwrap_or_default();
                self.show(Paint::Plain, &format!("{why}{} {}", verb(hook), hook.display_name()));
            }
            Event::HookEnded { hook, outcome, took } => {
                self.hook_ended(hook, outcome, self.waited.unwrap_or(*took));
            }
            Event::DropFailed { hook, outcome } => {
                let text = format!("the drop of the value of {}", outcome.of(hook));
                self.show(Paint::Bad, &text);
            }
            Event::ValueHeld { hook, others } => self.show(Paint::Bad, &held(hook, *others)),
            Event::Listening { url } => self.show(Paint::Plain, &format!("listening on {url}")),
            Event::AdminListening { url } => self.show(Paint::Plain, &format!("probes on {url}")),
            Event::AcceptFailed { error } => self.show(Paint::Bad, &obstructed(error)),
            Event::AcceptRecovered { after } => {
                self.show(
                    Paint::Plain,
                    &format!("accepting connections again after {}", readable(*after)),
                );
            }
            Event::RequestPanicked { panic, in_task, left_out } => {
                self.show(Paint::Bad, &panicked(&panic.request, *in_task, *left_out));
            }
            Event::Stalled { part, after, holders, probes } => {
                self.show(Paint::Bad, &stalled(part, *after, holders, probes));
            }
            Event::StallEnded { part, took } => {
                let took = readable(*took);
                self.show(Paint::Plain, &format!("{part} goes on after a stall of {took}"));
            }
            Event::StartFailed { failure } => {
                self.show(Paint::Bad, &failure.line());
                self.console.say("rolling back what has started");
            }
            Event::StartInterrupted { .. } => {
                self.console.memory().is_interrupted = true;
            }
            Event::StopRepeated { signal, is_hurried } => {
                let next = if *is_hurried { "exit at once" } else { "hurry" };
                self.show(Paint::Plain, &format!("{signal}: stopping already; again to {next}"));
            }
            Event::LateFailure { error } => {
                self.show(Paint::Bad, &format!("the program failed: {error}"));
            }
            Event::UpgradeBegun { program } => {
                self.show(Paint::Plain, &format!("upgrade: starting {}", program.display()));
            }
            Event::UpgradeFailed { error } => {
                self.show(Paint::Bad, &format!("no upgrade: {error}"));
            }
            Event::Upgraded { successor } => {
                self.show(Paint::Good, &format!("upgrade: process {successor} has taken over"));
            }
            Event::TookOver { predecessor } => {
                self.show(Paint::Good, &format!("took over from process {predecessor}"));
            }
            Event::StopBegun { cause, grace, requests } => {
                self.stop_begun(cause, *grace, *requests);
            }
            Event::Hurried => {
                let text = "hurrying: not waiting for requests and services any longer; again to \
                            exit at once";
                self.show(Paint::Plain, text);
            }
            Event::Waiting { on } => {
                let on: Vec<_> = on.iter().map(ToString::to_string).collect();
                self.show(Paint::Plain, &format!("waiting for {}", listed(&on, ", ")));
            }
            Event::Drained { traffic, took } => self.show(Paint::Plain, &drained(traffic, *took)),
            Event::BudgetExceeded { needed, grace, requests, delay, limits } => {
                self.show(Paint::Bad, &over_budget(*needed, *grace, *requests, *delay, limits));
            }
            Event::Service { hook, state: ServiceState::Stopping } => {
                self.show(Paint::Plain, &format!("stop {}", hook.display_name()));
            }
            Event::Service { hook, state } => self.service(hook, state),
            Event::State(_) => {}
        }
    }

    fn stop_begun(&self, cause: &StopCause, grace: Duration, requests: Option<Duration>) {
        let requests =
            requests.map(|time| format!(", requests up to {}", readable(time))).unwrap_or_default();
        let text = if self.console.memory().is_interrupted {
            format!("stopped during the start ({cause}), rolling back what has started, up to ")
        } else {
            format!("stopping ({cause}), up to ")
        };
        let paint = if cause.is_wanted() { Paint::Plain } else { Paint::Bad };
        self.show(paint, &format!("{text}{}{requests}", readable(grace)));
    }

    /// Writes the state of a service. Its begin and its end are written as for every hook.
    fn service(&self, hook: &HookMeta, state: &ServiceState) {
        let name = hook.display_name();
        match state {
            ServiceState::Running => self.show_good("running", name),
            ServiceState::Failing { after } => {
                let text = format!("{} {after}; its thread goes on", hook.label_as("service"));
                self.show(Paint::Bad, &text);
            }
            ServiceState::BackingOff { after, delay } => {
                let text = match after {
                    Outcome::Succeeded => "ended".to_owned(),
                    failed => failed.to_string(),
                };
                let service = hook.label_as("service");
                self.show(Paint::Bad, &format!("{service} {text}; again in {}", readable(*delay)));
            }
            ServiceState::Starting
            | ServiceState::Stopping
            | ServiceState::Stopped
            | ServiceState::Failed => {}
        }
    }

    fn hook_ended(&self, hook: &HookMeta, outcome: &Outcome, took: Duration) {
        let (name, took) = (hook.display_name(), readable(took));
        match outcome {
            Outcome::Succeeded => {
                self.show_good("done", &format!("{name} in {took}"));
            }
            Outcome::Skipped { .. } => self.show(Paint::Plain, &format!("{name} {outcome}")),
            Outcome::Cancelled { .. } => {
                self.show(Paint::Plain, &format!("{name} {outcome} after {took}"));
            }
            _ => {
                let what_follows =
                    if outcome.is_ignored(hook) { "; going on without it" } else { "" };
                self.show(
                    Paint::Bad,
                    &format!("{}{what_follows} (after {took})", outcome.of(hook)),
                );
            }
        }
    }
}

/// Returns a line about an error that keeps a server from accepting connections.
fn obstructed(error: &std::io::Error) -> String {
    let advice = "they wait until there is room (ulimit -n limits descriptors)";
    format!("can't accept connections: {error}; {advice}")
}

/// Returns a line about a request whose handler, or task, has panicked. Rust's panic hook has
/// written the message before, and nobody wants to read that twice.
fn panicked(request: &RequestInfo, in_task: bool, left_out: u64) -> String {
    let RequestInfo { method, path, running, .. } = request;
    let code = if in_task { "a task" } else { "the handler" };
    let others = match left_out {
        0 => String::new(),
        others => format!("; {others} more panics since the last such line"),
    };
    format!("{code} of {method} {path} panicked (after {}){others}", readable(*running))
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
