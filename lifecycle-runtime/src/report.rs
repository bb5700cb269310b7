//! Report of a run: recorded from its events, for programs, people and tests.

mod hooks;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::printable;
use crate::event::{Event, NAMED, Observer, Outcome, Traffic, held, listed, millis, readable};
use crate::hook::{HookMeta, Kind};
use crate::state::State;
use crate::stop::StopCause;

use hooks::as_millis;
pub use hooks::{HeldReport, HookReport, RecurringReport, ServiceReport};

/// Report of a run, from its first hook to its last.
///
/// ```
/// # #[tokio::main] async fn main() {
/// use lifecycle_runtime::{Event, Hook, Lifecycle, Observer, State, StopHandle, on_shutdown};
/// use std::time::Duration;
///
/// #[on_shutdown]
/// async fn flush() -> Result<(), String> { Err("the disk is full".into()) }
///
/// struct StopWhenReady(StopHandle);
/// impl Observer for StopWhenReady {
///     fn on_event(&self, _: Duration, event: &Event) {
///         if let Event::State(State::Ready) = event {
///             self.0.stop();
///         }
///     }
/// }
///
/// let lifecycle = Lifecycle::of([flush::META]).console(false);
/// let stop = StopWhenReady(lifecycle.stop_handle());
/// let report = lifecycle.observer(stop).serve().await;
///
/// assert_eq!(report.exit_code(), 3);
/// let failed = report.failures().next().unwrap();
/// assert_eq!(failed.hook, flush::META);
/// assert_eq!(failed.outcome.to_string(), "failed: the disk is full");
/// # }
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The process's exit code: see [`exit_code`](Self::exit_code).
    #[serde(rename = "exit_code")]
    exit: u8,
    /// The cause of the stop; `None` if the run never began.
    #[serde(serialize_with = "as_text")]
    pub cause: Option<StopCause>,
    /// The reason for which the run could not begin, or its start not end, in one line.
    pub error: Option<String>,
    /// The time that the start took, to ready or to its failure.
    #[serde(serialize_with = "as_millis")]
    pub start_took: Duration,
    /// The time that the stop took.
    #[serde(serialize_with = "as_millis")]
    pub stop_took: Duration,
    /// Every hook that ran or was passed over, in the order in which they ended.
    pub hooks: Vec<HookReport>,
    /// The hooks that ran again and again: health checks and those of signals, in the order in which they first ran. Their
    /// failures don't count for the exit code.
    pub recurring: Vec<RecurringReport>,
    /// The services, in the order in which they began; how each ended is among the [`hooks`](Self::hooks), too.
    pub services: Vec<ServiceReport>,
    /// The values that others still held at the end, in the order in which they were to be dropped.
    /// They don't count for the exit code: who keeps a value beyond the run may do so on purpose.
    pub held: Vec<HeldReport>,
    /// The requests and connections of the servers.
    pub traffic: Traffic,
    /// The hooks that the start could not be faster than, each with how long it took.
    #[serde(serialize_with = "as_path")]
    pub start_path: Vec<(&'static HookMeta, Duration)>,
    /// The hooks that the stop could not be faster than, each with how long it took.
    #[serde(serialize_with = "as_path")]
    pub stop_path: Vec<(&'static HookMeta, Duration)>,
    /// Set if a second signal hurried the stop.
    pub hurried: bool,
    /// Set if the stop was asked for during the start, in which nothing had failed.
    pub interrupted: bool,
}

impl Report {
    /// Returns the exit code that the process ends with.
    ///
    /// | code | meaning |
    /// |---|---|
    /// | 0 | everything ran and succeeded; or the stop was asked for before or during the start, and what had started was rolled back well |
    /// | 1 | the start failed |
    /// | 2 | invalid plan or configuration, nothing was started |
    /// | 3 | stopped, but a hook, a service or the drop of a value failed, timed out or was cut off by a second signal; requests, WebSockets or tasks were cut off; connections still waited to be accepted at the deadline; a worker thread still ran code of the app when the shutdown hooks began; the server ended by itself; or [`StopHandle::fail`](crate::StopHandle::fail) asked for the stop |
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.exit
    }

    /// Returns whether everything ran and succeeded.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.exit == 0
    }

    /// Returns the hooks that failed, panicked or ran out of time.
    pub fn failures(&self) -> impl Iterator<Item = &HookReport> {
        self.hooks.iter().filter(|hook| hook.outcome.is_failure())
    }

    /// Returns the outcome of a hook; `None` for a hook that had no part in the run, and for one
    /// that recurs, whose runs [`recurring`](Self::recurring) counts. The drop of a hook's value is
    /// no outcome of the hook.
    ///
    /// ```
    /// # #[tokio::main] async fn main() {
    /// use lifecycle_runtime::{Hook, Lifecycle, Outcome, StopHandle};
    /// use lifecycle_runtime::{on_ready, on_shutdown, on_startup};
    ///
    /// #[on_startup]
    /// async fn db() {}
    /// #[on_ready]
    /// async fn stop_at_once(handle: StopHandle) { handle.stop() }
    /// #[on_shutdown]
    /// async fn flush() -> Result<(), String> { Err("the disk is full".into()) }
    ///
    /// let report = Lifecycle::of([flush::META, stop_at_once::META]).console(false).serve().await;
    /// let failed = Outcome::Failed { error: "the disk is full".into() };
    /// assert_eq!(report.outcome(flush::META), Some(&failed));
    /// assert_eq!(report.outcome(db::META), None);
    /// # }
    /// ```
    #[must_use]
    pub fn outcome(&self, hook: &HookMeta) -> Option<&Outcome> {
        let ended = self.hooks.iter().rfind(|ended| ended.hook == hook && !ended.is_drop)?;
        Some(&ended.outcome)
    }

    /// Returns the report as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        // Every field is a plain value or a list of such: there is nothing that could fail.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Makes the report of a run that never began.
    pub(crate) fn not_begun(exit: u8, error: String) -> Self {
        Self {
            exit,
            cause: None,
            error: Some(error),
            start_took: Duration::ZERO,
            stop_took: Duration::ZERO,
            hooks: Vec::new(),
            recurring: Vec::new(),
            services: Vec::new(),
            held: Vec::new(),
            traffic: Traffic::default(),
            start_path: Vec::new(),
            stop_path: Vec::new(),
            hurried: false,
            interrupted: false,
        }
    }
}

impl fmt::Display for Report {
    /// A few lines for people: what went wrong, what took longest, the exit code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failed in self.failures() {
            let (name, place) = (failed.hook.display_name(), failed.hook.place());
            let what = if failed.is_drop { "the drop of the value of hook" } else { "hook" };
            let line = format!("{what} `{name}` ({place}) {}", failed.outcome);
            writeln!(f, "{}", printable(&line))?;
        }
        for HeldReport { hook, others } in &self.held {
            writeln!(f, "{}", printable(&held(hook, *others)))?;
        }
        f.write_str(&printable(&self.summary()))
    }
}

impl Report {
    /// Returns the report without the errors: for those who have seen them.
    pub(crate) fn summary(&self) -> String {
        let mut lines = self.details();
        lines.push(self.closing());
        lines.join("\n")
    }

    /// Returns the last line of the report: its cause, its time, and the exit code.
    pub(crate) fn closing(&self) -> String {
        let Some(cause) = &self.cause else {
            let error = self.error.as_deref().unwrap_or_default();
            return format!("not started, exit code {}: {error}", self.exit);
        };
        let failed: Vec<_> = self.failures().map(|failed| failed.hook.display_name()).collect();
        let failed = if failed.is_empty() { String::new() } else { format!(", failed: {}", listed(&failed, ", ")) };
        let when = if self.interrupted { " during the start" } else { "" };
        format!("stopped ({cause}){when} in {}{failed}, exit code {}", readable(self.stop_took), self.exit)
    }

    /// Returns what went wrong that is no hook's failure, and the hooks that took long.
    pub(crate) fn details(&self) -> Vec<String> {
        let cut = &self.traffic.requests.cut;
        let mut lines: Vec<_> = cut.iter().take(NAMED).map(|request| format!("request cut off: {request}")).collect();
        lines.extend(match cut.len().saturating_sub(NAMED) {
            0 => None,
            1 => Some("… and 1 more request cut off".to_owned()),
            more => Some(format!("… and {more} more requests cut off")),
        });
        lines.extend(self.traffic.tasks.cut.iter().take(NAMED).map(|task| format!("task cut off: {task}")));
        lines.extend(match self.traffic.tasks.cut.len().saturating_sub(NAMED) {
            0 => None,
            more => Some(format!("… and {more} more tasks cut off")),
        });
        lines.extend(self.traffic.dropped());
        lines.extend(self.traffic.unaccepted());
        lines.extend(self.traffic.failures());
        lines.extend(self.traffic.left());
        if self.stop_path.iter().map(|(_, took)| *took).sum::<Duration>() >= Duration::from_secs(1) {
            let hooks =
                self.stop_path.iter().map(|(hook, took)| format!("{} {}", hook.display_name(), readable(*took)));
            lines.push(format!("the stop's hooks took their time in: {}", listed(&hooks.collect::<Vec<_>>(), " → ")));
        }
        lines
    }
}

/// Makes a report of a run's events.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Mutex<Record>>);

/// Standing of a run.
pub(crate) struct Standing {
    pub(crate) state: State,
    /// Moment from which that is so.
    pub(crate) since: Duration,
    /// Cause of its stop, if it stops.
    pub(crate) cause: Option<StopCause>,
}

#[derive(Default)]
struct Record {
    state: State,
    state_since: Duration,
    cause: Option<StopCause>,
    error: Option<String>,
    /// Moment at which the start ended: the run was ready, unless there is an error.
    start_ended: Option<Duration>,
    stop_began: Option<Duration>,
    last: Duration,
    /// Every hook that began to run, and when.
    begun: Vec<(&'static HookMeta, Duration)>,
    hooks: Vec<HookReport>,
    recurring: Vec<RecurringReport>,
    services: Vec<ServiceReport>,
    held: Vec<HeldReport>,
    traffic: Traffic,
    hurried: bool,
    /// Set if the stop was asked for during the start.
    was_interrupted: bool,
    /// What the program failed by when it was stopping for another reason.
    late_failure: Option<String>,
    /// The exit code, once the report is made.
    exit: Option<u8>,
}

impl Record {
    /// As many entries as such hooks: they run for as long as the process does.
    fn recurring(&mut self, hook: &'static HookMeta) -> &mut RecurringReport {
        let at = self.recurring.iter().position(|known| known.hook == hook).unwrap_or_else(|| {
            self.recurring.push(RecurringReport { hook, runs: 0, failures: 0, last_error: None, since: None });
            self.recurring.len() - 1
        });
        &mut self.recurring[at]
    }

    fn service(&mut self, hook: &'static HookMeta) -> Option<&mut ServiceReport> {
        self.services.iter_mut().find(|known| known.hook == hook)
    }
}

impl Observer for Recorder {
    fn on_event(&self, at: Duration, event: &Event) {
        let record = &mut *self.record();
        record.last = at;
        match event {
            Event::HookStarted { hook } if hook.kind.recurs() => record.recurring(hook).since = Some(at),
            Event::HookEnded { hook, outcome, .. } if hook.kind.recurs() => record.recurring(hook).ended(outcome),
            Event::HookStarted { hook } if hook.kind == Kind::Service => {
                record.services.push(ServiceReport::new(hook, at));
            }
            Event::HookStarted { hook } => record.begun.push((hook, at)),
            Event::Service { hook, state } => {
                record.service(hook).into_iter().for_each(|service| service.enters(state, at));
            }
            Event::State(state) => {
                (record.state, record.state_since) = (*state, at);
                if *state == State::Ready {
                    record.start_ended = Some(at);
                }
            }
            Event::HookEnded { hook, outcome, took } => {
                if hook.kind == Kind::Service {
                    record.service(hook).into_iter().for_each(|service| service.has_ended(outcome));
                }
                record.hooks.push(HookReport {
                    hook,
                    ended_at: at,
                    took: *took,
                    outcome: outcome.clone(),
                    is_drop: false,
                });
            }
            Event::DropFailed { hook, outcome } => {
                let outcome = outcome.clone();
                record.hooks.push(HookReport { hook, ended_at: at, took: Duration::ZERO, outcome, is_drop: true });
            }
            Event::ValueHeld { hook, others } => record.held.push(HeldReport { hook, others: *others }),
            Event::StartFailed { reason } => {
                record.error = Some(reason.clone());
                record.start_ended = Some(at);
            }
            Event::StartInterrupted { .. } => {
                record.was_interrupted = true;
                record.start_ended = Some(at);
            }
            Event::LateFailure { error } => record.late_failure = Some(error.clone()),
            Event::StopBegun { cause, .. } => {
                record.cause = Some(cause.clone());
                record.stop_began = Some(at);
            }
            Event::Hurried => record.hurried = true,
            Event::Drained { traffic, .. } => record.traffic = traffic.clone(),
            _ => {}
        }
    }
}

impl Recorder {
    /// For a run of this many hooks.
    pub(crate) fn new(hooks: usize) -> Self {
        let (begun, hooks) = (Vec::with_capacity(hooks), Vec::with_capacity(hooks));
        Self(Arc::new(Mutex::new(Record { begun, hooks, ..Record::default() })))
    }

    /// The hooks that are running, each with when it began.
    pub(crate) fn running(&self) -> Vec<(&'static HookMeta, Duration)> {
        let record = self.record();
        let ended: HashSet<_> = record.hooks.iter().filter(|hook| !hook.is_drop).map(|hook| hook.hook.id).collect();
        let once = record.begun.iter().copied().filter(|(hook, _)| !ended.contains(&hook.id));
        once.chain(record.recurring.iter().filter_map(|hook| Some((hook.hook, hook.since?)))).collect()
    }

    /// The services so far.
    pub(crate) fn services(&self) -> Vec<ServiceReport> {
        self.record().services.clone()
    }

    /// Returns where the run stands.
    pub(crate) fn standing(&self) -> Standing {
        let record = self.record();
        Standing { state: record.state, since: record.state_since, cause: record.cause.clone() }
    }

    /// Returns whether the start was a success.
    pub(crate) fn was_ready(&self) -> bool {
        let record = self.record();
        record.start_ended.is_some() && record.error.is_none() && !record.was_interrupted
    }

    /// Returns the exit code once the run is over.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        self.record().exit
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The report of everything so far.
    pub(crate) fn report(
        &self,
        start_path: Vec<(&'static HookMeta, Duration)>,
        stop_path: Vec<(&'static HookMeta, Duration)>,
    ) -> Report {
        let mut record = self.record();
        // Nothing runs any more. Whether the run was ready may still be asked.
        let hooks = std::mem::take(&mut record.hooks);
        record.begun.clear();
        let has_failed = hooks.iter().any(|hook| hook.outcome.is_failure() && !hook.outcome.is_ignored(hook.hook));
        // What a start has left behind may still use what was torn down.
        let is_left = |hook: &HookReport| matches!(hook.outcome, Outcome::Cancelled { ended: false });
        let has_failed = has_failed || (record.was_interrupted && hooks.iter().any(is_left));
        let program_failed = matches!(record.cause, Some(StopCause::Server(_) | StopCause::Failed(_)));
        let program_failed = program_failed || record.late_failure.is_some();
        let exit = match &record.error {
            Some(_) => 1,
            None if has_failed || program_failed || !record.traffic.is_clean() => 3,
            None => 0,
        };
        record.exit = Some(exit);
        Report {
            exit,
            cause: record.cause.clone(),
            error: record.error.clone(),
            start_took: record.start_ended.unwrap_or_default(),
            stop_took: record.stop_began.map(|began| record.last.saturating_sub(began)).unwrap_or_default(),
            hooks,
            recurring: record.recurring.clone(),
            services: record.services.clone(),
            held: record.held.clone(),
            traffic: record.traffic.clone(),
            start_path,
            stop_path,
            hurried: record.hurried,
            interrupted: record.was_interrupted,
        }
    }
}

#[allow(clippy::ref_option, reason = "serde's signature")]
fn as_text<S: Serializer>(cause: &Option<StopCause>, serializer: S) -> Result<S::Ok, S::Error> {
    cause.as_ref().map(ToString::to_string).serialize(serializer)
}

fn as_path<S: Serializer>(path: &[(&'static HookMeta, Duration)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(path.iter().map(|(hook, took)| (hook.path(), millis(*took))))
}
