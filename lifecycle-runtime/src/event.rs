//! Events of a run, as a closed set. Everything that shows or records a run is an [`Observer`] of them.

mod delivery;
mod traffic;

use std::any::Any;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::error::{BoxError, chain, panic_text};
use crate::hook::HookMeta;
use crate::state::State;
use crate::stop::StopCause;

pub(crate) use delivery::{Events, Observers};
pub use traffic::{Connections, Requests, Tasks, Traffic};

/// Something that happened in a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The run is in this state now.
    State(State),
    /// A hook began to run: a health check or a hook of a signal each time.
    HookStarted {
        /// The hook.
        hook: &'static HookMeta,
    },
    /// A hook ended, or was passed over.
    HookEnded {
        /// The hook.
        hook: &'static HookMeta,
        /// The outcome.
        outcome: Outcome,
        /// The time that it ran.
        took: Duration,
    },
    /// A health check passes now, or does not any more: it has failed as often in a row as makes it
    /// count, or, of a readiness check, before it ever passed. Of a check for the startup: it has
    /// passed for the first time.
    Health {
        /// The health check.
        hook: &'static HookMeta,
        /// Set if it passes.
        passes: bool,
        /// The error of the run that has just ended, if it failed.
        error: Option<String>,
    },
    /// A service does this now. That it has ended for good is told by [`HookEnded`](Self::HookEnded), too.
    Service {
        /// The service.
        hook: &'static HookMeta,
        /// The service's new state.
        state: ServiceState,
    },
    /// The value of a hook, which has no teardown, could not be dropped well.
    DropFailed {
        /// The hook whose value it is.
        hook: &'static HookMeta,
        /// The failure.
        outcome: Outcome,
    },
    /// The stop is over, and others still hold the value of a hook: a task that goes on, a
    /// `static`, a value that is held itself. Its drop has not run.
    ValueHeld {
        /// The hook whose value it is.
        hook: &'static HookMeta,
        /// Number of the others that hold it.
        others: usize,
    },
    /// A server accepts connections here.
    Listening {
        /// The address, as a URL: `http://127.0.0.1:8080`, `https://…`, `unix:/run/app.sock`.
        url: String,
    },
    /// The probes are answered here, from now until the end.
    AdminListening {
        /// The address, as a URL.
        url: String,
    },
    /// A server can't accept connections: the process has no file descriptor left, say. They wait in the system meanwhile.
    AcceptFailed {
        /// The system's error.
        error: String,
    },
    /// A server that could not accept connections accepts them again, and has for a second.
    AcceptRecovered {
        /// Time for which it could not.
        after: Duration,
    },
    /// The start ended before everything had started.
    StartFailed {
        /// The reason, in one line.
        reason: String,
    },
    /// The stop was asked for during the start, in which nothing had failed.
    StartInterrupted {
        /// The cause of the stop.
        cause: StopCause,
    },
    /// A signal came that stops, and the stop had been asked for otherwise before. The next one hurries.
    StopRepeated {
        /// The signal's name.
        signal: &'static str,
    },
    /// [`StopHandle::fail`](crate::StopHandle::fail) was called after the stop had been asked for
    /// otherwise.
    LateFailure {
        /// The error, with its causes.
        error: String,
    },
    /// The stop begins.
    StopBegun {
        /// The cause of the stop.
        cause: StopCause,
        /// The time that it may take.
        grace: Duration,
        /// The time after which the last request is cut off at the latest; `None` if no server is
        /// open.
        requests: Option<Duration>,
    },
    /// A second signal: the stop waits no longer for requests, services and delays.
    Hurried,
    /// The stop has taken another second.
    Waiting {
        /// For what, each with how long it has been running: `close_db 2.1 s`, `GET /report 4.2 s`.
        on: Vec<String>,
    },
    /// The server is closed.
    Drained {
        /// The requests and connections, by their outcome.
        traffic: Traffic,
        /// The time that the drain took.
        took: Duration,
    },
    /// The stop may take longer than the grace period, by the limits of its hooks: these are scaled.
    BudgetExceeded {
        /// The time that the stop takes if every hook takes all of its timeout.
        needed: Duration,
        /// The time that the stop may take.
        grace: Duration,
        /// The time from the beginning of the stop that requests have at least; `None` without a
        /// server.
        requests: Option<Duration>,
        /// The limits that had to be scaled.
        limits: Vec<ScaledLimit>,
    },
}

/// Limit of a hook of the stop that had to be scaled to fit into the grace period.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScaledLimit {
    /// The hook.
    pub hook: &'static HookMeta,
    /// Its `timeout`, or the `stop_timeout` of a service.
    pub limit: Duration,
    /// The time that it has after a drain that took all of its own.
    pub has: Duration,
}

/// State of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceState {
    /// It runs, and has not said yet that it is ready.
    Starting,
    /// It is ready.
    Running,
    /// A run of it has ended, and the next one is to begin.
    BackingOff {
        /// The outcome of the last run.
        after: Outcome,
        /// The time that it waits.
        #[serde(skip)]
        delay: Duration,
    },
    /// It has been told to end.
    Stopping,
    /// It has ended, and well.
    Stopped,
    /// It has failed for good, or did not end in time.
    Failed,
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Running => f.write_str("running"),
            Self::BackingOff { .. } => f.write_str("backing off"),
            Self::Stopping => f.write_str("stopping"),
            Self::Stopped => f.write_str("stopped"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

/// Outcome of a hook.
///
/// ```
/// use lifecycle_runtime::Outcome;
///
/// assert!(!Outcome::Succeeded.is_failure());
/// // A hook that was passed over, or cancelled with a start that failed, is not at fault.
/// assert!(!Outcome::Skipped { missing: "db".into() }.is_failure());
/// assert!(Outcome::Panicked { message: "no pool".into() }.is_failure());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It returned, and no error.
    Succeeded,
    /// It returned an error.
    Failed {
        /// The error and its causes.
        error: String,
    },
    /// It panicked.
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// Its time was up.
    TimedOut {
        /// The limit that it ran into.
        limit: Limit,
        /// Set if it ended when it was cancelled. If not, it was abandoned, and may still be running.
        ended: bool,
    },
    /// It was cancelled: the start was given up, or a recurring hook was running when the stop began.
    Cancelled {
        /// Set if it ended then. If not, it was abandoned, and may still be running.
        ended: bool,
    },
    /// It did not run: no time was left that would have been worth beginning in.
    NotBegun,
    /// It did not run.
    Skipped {
        /// The hook that had not started and that it depends on.
        missing: String,
    },
}

/// A limit on the time of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// The hook's own `timeout`.
    Timeout,
    /// The `startup_timeout` of the whole start.
    StartupTimeout,
    /// The share of the `grace` of the whole stop that was left for it.
    Grace,
    /// A second signal: services are not waited for any longer.
    Hurry,
}

impl Outcome {
    /// Returns whether the run is less than clean for it.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Panicked { .. } | Self::TimedOut { .. } | Self::NotBegun)
    }

    /// Returns whether the process goes on as if it were nothing: a service that it can do without has failed.
    pub(crate) fn is_ignored(&self, hook: &HookMeta) -> bool {
        hook.is_dispensable() && matches!(self, Self::Failed { .. } | Self::Panicked { .. })
    }

    /// Returns the outcome with its hook and the hook's place, as every message about it has it.
    pub(crate) fn of(&self, hook: &HookMeta) -> String {
        format!("hook `{}` ({}) {self}", hook.display_name(), hook.place())
    }

    pub(crate) fn failed(error: &BoxError) -> Self {
        Self::Failed { error: chain(&**error) }
    }

    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        Self::Panicked { message: panic_text(panic) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("done"),
            Self::Failed { error } => write!(f, "failed: {error}"),
            Self::Panicked { message } => write!(f, "panicked: {message}"),
            Self::TimedOut { limit, ended } => {
                f.write_str(match limit {
                    Limit::Timeout => "ran into its timeout",
                    Limit::StartupTimeout => "ran into the startup timeout",
                    Limit::Grace => "ran out of its share of the grace period",
                    Limit::Hurry => "was not waited for any longer after a second signal",
                })?;
                f.write_str(if *ended { " and was cancelled" } else { ABANDONED })
            }
            Self::Cancelled { ended: true } => f.write_str("was cancelled"),
            Self::Cancelled { ended: false } => write!(f, "was cancelled{ABANDONED}"),
            Self::NotBegun => f.write_str("did not run: the grace period was over"),
            Self::Skipped { missing } => write!(f, "skipped: `{missing}` had not started"),
        }
    }
}

const ABANDONED: &str = ", did not end and was abandoned";

/// Observer of a run, which sees every event.
///
/// Called with one event at a time, in the order in which they happened, on a thread of its own
/// (`lifecycle-observers`) inside of the hooks' tokio runtime: it may block, and holds up nothing but
/// those that come after it. What waits for an observer waits in memory, and is lost if the process
/// is ended before its run. A run ends when all observers have seen all its events and are dropped,
/// or when the time of its stop is up: then a line on stderr says that an observer has not returned.
/// A panic is caught and ignored. What it spawns is not waited for; where values are held at the end,
/// the last events come when the runtime has shut down.
///
/// In a `TestApp`, and under [`Lifecycle::serve`](crate::Lifecycle::serve) on a current-thread
/// runtime, it is called on the thread on which an event happens, and has seen it when that goes on.
///
/// ```
/// use lifecycle_runtime::{Event, Lifecycle, Observer};
/// use std::time::Duration;
///
/// struct Metrics;
///
/// impl Observer for Metrics {
///     fn on_event(&self, at: Duration, event: &Event) {
///         if let Event::HookEnded { hook, took, .. } = event {
///             println!("{at:?} {} took {took:?}", hook.display_name());
///         }
///     }
/// }
///
/// let lifecycle = Lifecycle::new().observer(Metrics);
/// ```
///
/// A closure is one, too, if it names the types of what it takes:
///
/// ```
/// # use lifecycle_runtime::{Event, Lifecycle};
/// # use std::time::Duration;
/// let lifecycle = Lifecycle::new().observer(|at: Duration, event: &Event| println!("{at:?} {event:?}"));
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Takes an event that happened `at` after the run began.
    fn on_event(&self, at: Duration, event: &Event);
}

impl<F: Fn(Duration, &Event) + Send + Sync + 'static> Observer for F {
    fn on_event(&self, at: Duration, event: &Event) {
        self(at, event);
    }
}

/// Returns the warning of a stop that may take longer than it has.
pub(crate) fn over_budget(
    needed: Duration,
    grace: Duration,
    requests: Option<Duration>,
    limits: &[ScaledLimit],
) -> String {
    let limit = |ScaledLimit { hook, limit, has }: &ScaledLimit| {
        format!("`{}` has {} of its {}", hook.display_name(), readable(*has), readable(*limit))
    };
    let grace = readable(grace);
    let mut parts: Vec<_> =
        requests.iter().map(|time| format!("requests have {} of {grace}", readable(*time))).collect();
    if !limits.is_empty() {
        let hooks = listed(&limits.iter().map(limit).collect::<Vec<_>>(), ", ");
        parts.push(if requests.is_some() { format!("after a full drain {hooks}") } else { hooks });
    }
    format!("the stop may take {}, longer than the grace period of {grace}: {}", readable(needed), parts.join("; "))
}

/// Returns the warning of a value that others still hold.
pub(crate) fn held(hook: &HookMeta, others: usize) -> String {
    let (name, place) = (hook.display_name(), hook.place());
    let (others, them) = if others == 1 { ("1 other".to_owned(), "it") } else { (format!("{others} others"), "them") };
    format!(
        "the value of hook `{name}` ({place}) is still held by {others}, and its drop has not run; if that is a task, end \
         {them} when `Stop` fires, or make {them} a service"
    )
}

/// The number of things that a text for people names before it counts the rest.
pub(crate) const NAMED: usize = 20;

/// Returns the first of these with the separator between them, and the number of the others.
pub(crate) fn listed(names: &[impl AsRef<str>], separator: &str) -> String {
    let mut text = String::new();
    for (place, name) in names.iter().take(NAMED).enumerate() {
        text.push_str(if place == 0 { "" } else { separator });
        text.push_str(name.as_ref());
    }
    match names.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// Returns a duration for programs: milliseconds, to the microsecond.
#[allow(clippy::cast_precision_loss, reason = "exact for the first 285 years")]
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// Returns a duration for people: `4.2 s`, `12 ms`, `250 µs`, `3 min 20 s`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds of a duration")]
pub(crate) fn readable(duration: Duration) -> String {
    // Each limit is where the unit below would round up to the next one.
    match duration.as_secs_f64() {
        s if s >= 59.95 => format!("{} min {} s", s.round() as u64 / 60, s.round() as u64 % 60),
        s if s >= 0.9995 => format!("{s:.1} s").replace(".0 s", " s"),
        s if s >= 0.009_95 => format!("{:.0} ms", s * 1e3),
        s if s >= 0.000_999_5 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.0} µs", s * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_milliseconds_to_the_microsecond() {
        assert_eq!(millis(Duration::from_nanos(1_002_205_301)).to_string(), "1002.205");
        assert_eq!(millis(Duration::from_millis(10)).to_string(), "10");
    }

    #[test]
    fn what_is_many_is_named_in_part_and_counted() {
        let names: Vec<_> = (1..=23).map(|number| format!("hook {number}")).collect();
        assert_eq!(listed(&names[..2], ", "), "hook 1, hook 2");
        assert_eq!(listed(&names[..20], ", ").split(", ").count(), 20);
        assert!(listed(&names, " → ").ends_with(" → hook 20 and 3 more"));
        assert_eq!(listed(&names[..0], ", "), "");
    }

    #[test]
    fn durations_are_rounded_to_what_a_person_reads() {
        for (micros, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.0 ms"),
            (9_940, "9.9 ms"),
            (9_960, "10 ms"),
            (999_400, "999 ms"),
            (999_600, "1 s"),
            (1_040_000, "1 s"),
            (4_210_000, "4.2 s"),
            (59_960_000, "1 min 0 s"),
            (200_000_000, "3 min 20 s"),
        ] {
            assert_eq!(readable(Duration::from_micros(micros)), text);
        }
    }
}
