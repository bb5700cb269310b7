//! Report of a run: recorded from its events, for programs, people and tests.

mod forced;
mod hooks;
mod recorder;
mod summary;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::event::{Outcome, StartFailure, Traffic, as_millis, held, millis};
use crate::hook::HookMeta;
use crate::hook::error::printable;
use crate::hook::stop::StopCause;

pub use forced::{ForcedExit, ForcedExitCause};
use hooks::as_text;
pub use hooks::{HeldReport, HookReport, RecurringReport, ServiceReport, StallReport};
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
    /// Parts that were stalled, in the order in which they first were. They don't count for the
    /// exit code.
    pub stalls: Vec<StallReport>,
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
    /// Set if the stop was hurried, by a second signal or by
    /// [`StopHandle::hurry`](crate::StopHandle::hurry).
    pub hurried: bool,
    /// Set if the stop was asked for during the start, before anything had failed.
    pub interrupted: bool,
    /// Forced end of the process, if its run was not over: then everything else is as it was at
    /// that moment. `None` in every report that a program gets.
    pub forced: Option<ForcedExit>,
}

impl Report {
    /// Returns the exit code that the process ends with.
    ///
    /// - 0: everything ran and succeeded; or the stop was asked for before or during the start, and
    ///   everything that had started was rolled back well.
    /// - 1: the start failed.
    /// - 2: the plan or the configuration is invalid, and nothing was started.
    /// - 3: the run stopped, but not well:
    ///   - a hook, a service or the drop of a value failed, timed out or was cut off in a hurried
    ///     stop;
    ///   - requests, `WebSocket`s or tasks were cut off;
    ///   - connections still waited to be accepted at the deadline;
    ///   - a worker thread had not ended when the shutdown hooks began;
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
            stalls: Vec::new(),
            traffic: Traffic::default(),
            start_path: Vec::new(),
            stop_path: Vec::new(),
            hurried: false,
            interrupted: false,
            forced: None,
        }
    }
}

impl fmt::Display for Report {
    /// Writes a few lines for people: the failures, the hooks that took longest, and the exit code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failed in self.failures() {
            writeln!(f, "{}", printable(&failed.failure()))?;
        }
        for HeldReport { hook, others } in &self.held {
            writeln!(f, "{}", printable(&held(hook, *others)))?;
        }
        f.write_str(&printable(&self.summary()))
    }
}

fn as_path<S: Serializer>(
    path: &[(&'static HookMeta, Duration)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(path.iter().map(|(hook, took)| (hook.path(), millis(*took))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{NAMED, RequestInfo};

    #[test]
    fn what_was_cut_off_is_named_and_the_rest_is_counted() {
        for (count, requests, tasks) in [
            (NAMED, None, None),
            (NAMED + 1, Some("… and 1 more request cut off"), Some("… and 1 more task cut off")),
            (NAMED + 2, Some("… and 2 more requests cut off"), Some("… and 2 more tasks cut off")),
        ] {
            let mut report = Report::not_begun(3, StartFailure::PlanPrinted);
            let running = Duration::from_secs(1);
            let request = RequestInfo { method: "GET".into(), path: "/".to_owned(), running };
            report.traffic.requests.cut = vec![request.clone(); count];
            report.traffic.tasks.cut = vec![request; count];
            let details = report.details();
            let more: Vec<_> = details.iter().filter(|line| line.starts_with('…')).collect();
            let expected: Vec<_> = [requests, tasks].into_iter().flatten().collect();
            assert_eq!(more, expected);
            assert_eq!(details.len() - more.len(), 2 * NAMED);
        }
    }
}
