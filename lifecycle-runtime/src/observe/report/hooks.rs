//! Reports of single hooks.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::event::{HookFailure, LastRun, Limit, Outcome, ServiceState, StalledPart, as_millis};
use crate::hook::HookMeta;

/// Report of one hook.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct HookReport {
    /// Hook that the report is about; its [`kind`](HookMeta::kind) determines the phase that it ran
    /// in.
    #[serde(flatten, serialize_with = "as_hook")]
    pub hook: &'static HookMeta,
    /// Moment at which it ended, counted from the beginning of the run.
    #[serde(serialize_with = "as_millis")]
    pub ended_at: Duration,
    /// Time that it ran.
    #[serde(serialize_with = "as_millis")]
    pub took: Duration,
    /// Outcome of the hook.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Set if this reports the drop of the hook's value and not its function.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_drop: bool,
}

impl HookReport {
    /// Returns the text about a hook that failed, or whose value could not be dropped.
    pub(super) fn failure(&self) -> String {
        let of = if self.is_drop { "the drop of the value of " } else { "" };
        format!("{of}{}", self.outcome.of(self.hook))
    }
}

/// Report of a hook that ran again and again.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RecurringReport {
    /// Hook that the report is about.
    #[serde(flatten, serialize_with = "as_hook")]
    pub hook: &'static HookMeta,
    /// Number of runs that ended.
    pub runs: u64,
    /// Number of runs that failed, panicked or timed out.
    pub failures: u64,
    /// Outcome of the last run that failed.
    #[serde(serialize_with = "as_text")]
    pub last_error: Option<Outcome>,
    /// Outcome of the last run that has ended.
    #[serde(skip)]
    pub(crate) last_outcome: Option<Outcome>,
    /// Moment from which it has been running, if it is.
    #[serde(skip)]
    pub(crate) since: Option<Duration>,
    /// Number of runs that were cancelled, as a stop began.
    #[serde(skip)]
    pub(crate) cancelled: u64,
    /// Time that the last run took that has ended.
    #[serde(skip)]
    pub(crate) last_took: Option<Duration>,
}

impl RecurringReport {
    pub(super) fn ended(&mut self, outcome: &Outcome, took: Duration) {
        self.since = None;
        self.last_took = Some(took);
        self.last_outcome = Some(outcome.clone());
        self.runs += 1;
        self.cancelled += u64::from(matches!(outcome, Outcome::Cancelled { .. }));
        if outcome.is_failure() {
            self.failures += 1;
            self.last_error = Some(outcome.clone());
        }
    }
}

/// Report of a hook's value that others still held at the end of the run, so that its drop had not
/// run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct HeldReport {
    /// Hook whose value it is.
    #[serde(flatten, serialize_with = "as_hook")]
    pub hook: &'static HookMeta,
    /// Number of other owners: tasks that went on, a `static`, values that were held themselves.
    pub others: usize,
}

/// Report of a service.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ServiceReport {
    /// Service that the report is about.
    #[serde(flatten, serialize_with = "as_hook")]
    pub hook: &'static HookMeta,
    /// Last state: [`Stopped`](ServiceState::Stopped) or [`Failed`](ServiceState::Failed).
    #[serde(flatten)]
    pub state: ServiceState,
    /// Number of restarts.
    pub restarts: u32,
    /// Failure of the last run that failed.
    #[serde(serialize_with = "as_text")]
    pub last_error: Option<HookFailure>,
    /// Moment from which it is in that state.
    #[serde(skip)]
    pub(crate) since: Duration,
    /// Moment at which it began.
    #[serde(skip)]
    pub(crate) began: Duration,
    /// Moment at which it was ready for the first time.
    #[serde(skip)]
    pub(crate) ready: Option<Duration>,
    /// Moment at which it was told to stop.
    #[serde(skip)]
    pub(crate) told_to_stop: Option<Duration>,
    /// Moment of the next run, if it is backing off.
    #[serde(skip)]
    pub(crate) backoff_until: Option<Duration>,
}

impl ServiceReport {
    pub(super) fn new(hook: &'static HookMeta, at: Duration) -> Self {
        Self {
            hook,
            state: ServiceState::Starting,
            restarts: 0,
            last_error: None,
            since: at,
            began: at,
            ready: None,
            told_to_stop: None,
            backoff_until: None,
        }
    }

    pub(super) fn enters(&mut self, state: &ServiceState, at: Duration) {
        match (state, &self.state) {
            (ServiceState::Starting, ServiceState::BackingOff { .. }) => self.restarts += 1,
            (ServiceState::Failing { after } | ServiceState::BackingOff { after, .. }, _) => {
                self.has_ended(after);
            }
            (ServiceState::Running, _) => self.ready = self.ready.or(Some(at)),
            (ServiceState::Stopping, _) => self.told_to_stop = Some(at),
            _ => {}
        }
        self.backoff_until = match state {
            ServiceState::BackingOff { delay, .. } => Some(at + *delay),
            _ => None,
        };
        (self.state, self.since) = (state.clone(), at);
    }

    pub(super) fn has_ended(&mut self, outcome: &Outcome) {
        if !outcome.is_failure() {
            return;
        }
        let mut failure = HookFailure { outcome: outcome.clone(), last_run: None };
        // The service was never ready, and its last run says why.
        if let Outcome::TimedOut { limit: Limit::StartupTimeout, .. } = outcome
            && let Some(HookFailure { outcome, .. }) = self.last_error.take()
        {
            failure.last_run = Some(LastRun { outcome, restarts: self.restarts });
        }
        self.last_error = Some(failure);
    }

    /// Returns `true` if the service has not ended for good.
    pub(crate) fn is_alive(&self) -> bool {
        !matches!(self.state, ServiceState::Stopped | ServiceState::Failed)
    }
}

/// Stalls of one part of a run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StallReport {
    /// The part.
    #[serde(flatten)]
    pub part: StalledPart,
    /// Number of its stalls.
    pub count: u32,
    /// Time that they took together. If the run has ended before the last one, that counts only up
    /// to when it was reported.
    #[serde(serialize_with = "as_millis")]
    pub total: Duration,
    /// Time that had passed when the last one was reported, if it is not over.
    #[serde(skip)]
    reported: Option<Duration>,
}

impl StallReport {
    pub(super) fn new(part: &StalledPart) -> Self {
        Self { part: part.clone(), count: 0, total: Duration::ZERO, reported: None }
    }

    /// Counts a stall that is reported after this time, perhaps once more.
    pub(super) fn stalled(&mut self, after: Duration) {
        self.count += u32::from(self.reported.is_none());
        self.total += after.saturating_sub(self.reported.unwrap_or_default());
        self.reported = Some(after);
    }

    pub(super) fn ended(&mut self, took: Duration) {
        self.total += took.saturating_sub(self.reported.take().unwrap_or_default());
    }
}

#[allow(clippy::ref_option, reason = "serde's signature")]
pub(super) fn as_text<S: Serializer>(
    value: &Option<impl fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(serializer)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_hook<S: Serializer>(hook: &&'static HookMeta, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Named {
        hook: String,
        kind: &'static str,
    }
    Named { hook: hook.path(), kind: hook.kind.attribute() }.serialize(serializer)
}
