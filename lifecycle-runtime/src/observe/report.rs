//! Report of a run: recorded from its events, for programs, people and tests.

mod hooks;
mod recorder;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::event::{
    NAMED, Outcome, StartFailure, Traffic, as_millis, held, listed, millis, readable,
};
use crate::hook::HookMeta;
use crate::hook::error::printable;
use crate::hook::stop::StopCause;

use hooks::as_text;
pub use hooks::{HeldReport, HookReport, RecurringReport, ServiceReport};
pub(crate) use recorder::{Recorder, RunRecord, Standing};

/// Report of a run, from its first hook to its last.
///
/// ```
/// # #[tokio::main] async fn main() {
/// use lifecycle_runtime::event::{Event, Observer, State};
/// use lifecycle_runtime::hook::Hook;
/// use lifecycle_runtime::{Lifecycle, StopHandle, on_shutdown};
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
    /// Exit code of the process: see [`exit_code`](Self::exit_code).
    #[serde(rename = "exit_code")]
    exit: u8,
    /// Cause of the stop; `None` if the run never began.
    #[serde(serialize_with = "as_text")]
    pub cause: Option<StopCause>,
    /// Reason for which the run did not begin, or failure of its start.
    #[serde(serialize_with = "as_text")]
    pub error: Option<StartFailure>,
    /// Time that the start took, until it was ready or failed.
    #[serde(serialize_with = "as_millis")]
    pub start_took: Duration,
    /// Time that the stop took.
    #[serde(serialize_with = "as_millis")]
    pub stop_took: Duration,
    /// Hooks that ran or were passed over, in the order in which they ended.
    pub hooks: Vec<HookReport>,
    /// Hooks that ran again and again: health checks and signal hooks, in the order in which they
    /// first ran. Their failures don't count for the exit code.
    pub recurring: Vec<RecurringReport>,
    /// Services, in the order in which they began. The [`hooks`](Self::hooks) have the outcome of
    /// each, too.
    pub services: Vec<ServiceReport>,
    /// Values that others still held at the end, in the order in which they were to be dropped.
    /// They don't count for the exit code: a program may keep a value beyond the run on purpose.
    pub held: Vec<HeldReport>,
    /// Requests and connections of the servers.
    pub traffic: Traffic,
    /// Critical path of the start: the hooks that determined how long it took, each with its
    /// duration.
    #[serde(serialize_with = "as_path")]
    pub start_path: Vec<(&'static HookMeta, Duration)>,
    /// Critical path of the stop: the hooks that determined how long it took, each with its
    /// duration.
    #[serde(serialize_with = "as_path")]
    pub stop_path: Vec<(&'static HookMeta, Duration)>,
    /// Set if a second signal hurried the stop.
    pub hurried: bool,
    /// Set if the stop was asked for during the start, before anything had failed.
    pub interrupted: bool,
}

impl Report {
    /// Returns the exit code that the process ends with.
    ///
    /// - 0: everything ran and succeeded; or the stop was asked for before or during the start, and
    ///   everything that had started was rolled back well.
    /// - 1: the start failed.
    /// - 2: the plan or the configuration is invalid, and nothing was started.
    /// - 3: the run stopped, but not well:
    ///   - a hook, a service or the drop of a value failed, timed out or was cut off by a second
    ///     signal;
    ///   - requests, `WebSocket`s or tasks were cut off;
    ///   - connections still waited to be accepted at the deadline;
    ///   - a worker thread still ran code of the app when the shutdown hooks began;
    ///   - the server ended by itself;
    ///   - or [`StopHandle::fail`](crate::StopHandle::fail) asked for the stop.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.exit
    }

    /// Returns `true` if the exit code is 0: nothing failed, and nothing was cut off.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.exit == 0
    }

    /// Returns the hooks that failed, panicked or ran out of time.
    pub fn failures(&self) -> impl Iterator<Item = &HookReport> {
        self.hooks.iter().filter(|hook| hook.outcome.is_failure())
    }

    /// Returns the outcome of a hook. Returns `None` for a hook that had no part in the run, and
    /// for a recurring hook, whose runs [`recurring`](Self::recurring) counts. The drop of a hook's
    /// value is no outcome of the hook.
    ///
    /// ```
    /// # #[tokio::main] async fn main() {
    /// use lifecycle_runtime::event::Outcome;
    /// use lifecycle_runtime::hook::Hook;
    /// use lifecycle_runtime::{Lifecycle, StopHandle};
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

    /// Returns the report as the text of one JSON object, for a file or a log.
    ///
    /// Durations are numbers of milliseconds, hooks are paths, and failures and causes are the
    /// texts that people see. A request that was cut off is an object:
    /// `{"method":"GET","path":"/report","running":4210.5}`.
    ///
    /// The report implements `Serialize`, too, for other formats.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Every field is a plain value or a list of such values, so that this can't fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Makes the report of a run that never began.
    pub(crate) fn not_begun(exit: u8, error: StartFailure) -> Self {
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
    /// Writes a few lines for people: the failures, the hooks that took longest, and the exit code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failed in self.failures() {
            let of = if failed.is_drop { "the drop of the value of " } else { "" };
            writeln!(f, "{of}{}", printable(&failed.outcome.of(failed.hook)))?;
        }
        for HeldReport { hook, others } in &self.held {
            writeln!(f, "{}", printable(&held(hook, *others)))?;
        }
        f.write_str(&printable(&self.summary()))
    }
}

impl Report {
    /// Returns the report without the errors, for readers who have seen them.
    pub(crate) fn summary(&self) -> String {
        let mut lines = self.details();
        lines.push(self.closing());
        lines.join("\n")
    }

    /// Returns the last line of the report: its cause, its time, and the exit code.
    pub(crate) fn closing(&self) -> String {
        let Some(cause) = &self.cause else {
            let error = self.error.as_ref().map(ToString::to_string).unwrap_or_default();
            return format!("not started, exit code {}: {error}", self.exit);
        };
        let failed: Vec<_> = self.failures().map(|failed| failed.hook.display_name()).collect();
        let failed = if failed.is_empty() {
            String::new()
        } else {
            format!(", failed: {}", listed(&failed, ", "))
        };
        let when = if self.interrupted { " during the start" } else { "" };
        format!(
            "stopped ({cause}){when} in {}{failed}, exit code {}",
            readable(self.stop_took),
            self.exit
        )
    }

    /// Returns lines about problems that are no failures of hooks, and about hooks that took long.
    pub(crate) fn details(&self) -> Vec<String> {
        let cut = &self.traffic.requests.cut;
        let mut lines: Vec<_> =
            cut.iter().take(NAMED).map(|request| format!("request cut off: {request}")).collect();
        lines.extend(match cut.len().saturating_sub(NAMED) {
            0 => None,
            1 => Some("… and 1 more request cut off".to_owned()),
            more => Some(format!("… and {more} more requests cut off")),
        });
        lines.extend(
            self.traffic.tasks.cut.iter().take(NAMED).map(|task| format!("task cut off: {task}")),
        );
        lines.extend(match self.traffic.tasks.cut.len().saturating_sub(NAMED) {
            0 => None,
            more => Some(format!("… and {more} more tasks cut off")),
        });
        lines.extend(self.traffic.dropped());
        lines.extend(self.traffic.unaccepted());
        lines.extend(self.traffic.failures());
        lines.extend(self.traffic.left());
        if self.stop_path.iter().map(|(_, took)| *took).sum::<Duration>() >= Duration::from_secs(1)
        {
            let hooks = self
                .stop_path
                .iter()
                .map(|(hook, took)| format!("{} {}", hook.display_name(), readable(*took)));
            lines.push(format!(
                "the stop's hooks took their time in: {}",
                listed(&hooks.collect::<Vec<_>>(), " → ")
            ));
        }
        lines
    }
}

fn as_path<S: Serializer>(
    path: &[(&'static HookMeta, Duration)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(path.iter().map(|(hook, took)| (hook.path(), millis(*took))))
}
