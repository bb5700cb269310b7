//! Events of a run, as a closed set. Everything that shows or records a run is an [`Observer`] of
//! them.

mod delivery;
mod failure;
mod probe;
mod request;
mod stall;
mod text;
mod traffic;
mod wait;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::hook::HookMeta;

pub use crate::hook::outcome::{Limit, Outcome};
pub use crate::hook::state::State;
pub use crate::hook::stop::{ServerEnd, StopCause, UpgradeError};
pub(crate) use delivery::{Events, Observers};
pub use failure::{HookFailure, LastRun, StartFailure};
pub use probe::Probe;
pub use request::{RequestInfo, RequestPanic, ResponseFailure};
pub use stall::{RuntimeName, StalledPart};
pub(crate) use text::{
    NAMED, as_millis, as_millis_if_any, held, listed, millis, over_budget, readable, stalled,
    stalled_by,
};
pub use traffic::{Connections, Requests, Tasks, Traffic};
pub use wait::Wait;

/// Something that happened in a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The run is in this state now.
    State(State),
    /// A hook began: a recurring one, such as a health check, each time that it runs.
    #[non_exhaustive]
    HookStarted {
        /// The hook.
        hook: &'static HookMeta,
    },
    /// A hook ended, or did not run.
    #[non_exhaustive]
    HookEnded {
        /// The hook.
        hook: &'static HookMeta,
        /// The outcome.
        outcome: Outcome,
        /// Time that it ran.
        took: Duration,
    },
    /// A health check passes now, or fails now. It fails after as many failures in a row as make it
    /// count; a readiness check that has never passed fails after the first. For a startup check:
    /// it has passed for the first time.
    #[non_exhaustive]
    Health {
        /// The health check.
        hook: &'static HookMeta,
        /// Set if it passes.
        passes: bool,
        /// The outcome of the run that has just ended, if it failed.
        error: Option<Outcome>,
    },
    /// A service has changed its state. Its end for good is an event
    /// [`HookEnded`](Self::HookEnded), too.
    #[non_exhaustive]
    Service {
        /// The service.
        hook: &'static HookMeta,
        /// The service's new state.
        state: ServiceState,
    },
    /// The drop of a hook's value failed.
    #[non_exhaustive]
    DropFailed {
        /// The hook whose value it is.
        hook: &'static HookMeta,
        /// The failure.
        outcome: Outcome,
    },
    /// The stop is over, and others still hold the value of a hook: a task that goes on, a
    /// `static`, or a value that is held itself. Its drop has not run.
    #[non_exhaustive]
    ValueHeld {
        /// The hook whose value it is.
        hook: &'static HookMeta,
        /// Number of the others that hold it.
        others: usize,
    },
    /// A server accepts connections here.
    #[non_exhaustive]
    Listening {
        /// The address, as a URL: `http://127.0.0.1:8080`, `https://…`, `unix:/run/app.sock`.
        url: String,
    },
    /// The listener for operators answers here, probes included, from now until the end.
    #[non_exhaustive]
    AdminListening {
        /// The address, as a URL.
        url: String,
    },
    /// A server can't accept connections, for example as the process has no file descriptor left.
    /// The connections wait in the system meanwhile.
    #[non_exhaustive]
    AcceptFailed {
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// A server that could not accept connections has accepted them again for a second.
    #[non_exhaustive]
    AcceptRecovered {
        /// Time for which it could not accept any.
        after: Duration,
    },
    /// The handler of a request panicked, or a task that it has spawned by
    /// [`BackgroundTasks`](crate::BackgroundTasks). The process' panic hook has written the message
    /// to stderr before. Up to ten panics a second have an event; all are counted in the
    /// [`Traffic`].
    #[non_exhaustive]
    RequestPanicked {
        /// The request, and the message.
        panic: RequestPanic,
        /// Set if the task panicked.
        in_task: bool,
        /// Number of panics since the last such event that have no event.
        left_out: u64,
    },
    /// A part of the run has not gone on for
    /// [`stall_after`](crate::Lifecycle::stall_after): code blocks all of its threads.
    #[non_exhaustive]
    Stalled {
        /// The part.
        part: StalledPart,
        /// Time for which it has not gone on.
        after: Duration,
        /// Code that holds its threads, as far as that is known: the request whose handler is being
        /// polled, or else all requests of the worker; the hooks, services and tasks that are being
        /// polled.
        holders: Vec<Wait>,
        /// Probes that fail from now on by this part: readiness, as it is the last worker of a
        /// server, or liveness, after [`stall_timeout`](crate::Lifecycle::stall_timeout). If the
        /// stall has had an event before, it has another.
        probes: Vec<Probe>,
    },
    /// A part of the run that was stalled goes on, or has ended.
    #[non_exhaustive]
    StallEnded {
        /// The part.
        part: StalledPart,
        /// Time for which it did not go on.
        took: Duration,
    },
    /// The start ended before everything had started.
    #[non_exhaustive]
    StartFailed {
        /// The failure that ended it.
        failure: StartFailure,
    },
    /// The stop was asked for during the start, in which nothing had failed.
    #[non_exhaustive]
    StartInterrupted {
        /// The cause of the stop.
        cause: StopCause,
    },
    /// A signal that stops came after something else had asked for the stop. The next one hurries.
    #[non_exhaustive]
    StopRepeated {
        /// The signal's name.
        signal: &'static str,
        /// Set if the stop had been hurried before. The next signal then ends the process at once.
        is_hurried: bool,
    },
    /// [`StopHandle::fail`](crate::StopHandle::fail) was called after something else had asked for
    /// the stop.
    #[non_exhaustive]
    LateFailure {
        /// The error, with its causes.
        error: String,
    },
    /// An upgrade in place begins: the successor is being started.
    #[non_exhaustive]
    UpgradeBegun {
        /// Path of the program.
        program: PathBuf,
    },
    /// An upgrade in place has failed, or was refused. The process goes on as before.
    #[non_exhaustive]
    UpgradeFailed {
        /// The reason.
        error: UpgradeError,
    },
    /// The successor has taken over the listeners. The stop follows.
    #[non_exhaustive]
    Upgraded {
        /// Process id of the successor.
        successor: u32,
    },
    /// This process is the successor in an upgrade, and has taken over the listeners.
    #[non_exhaustive]
    TookOver {
        /// Process id of the predecessor.
        predecessor: u32,
    },
    /// The stop begins.
    #[non_exhaustive]
    StopBegun {
        /// The cause of the stop.
        cause: StopCause,
        /// Time that it may take.
        grace: Duration,
        /// Time after which the last request is cut off at the latest; `None` if no server is open.
        requests: Option<Duration>,
    },
    /// The stop is hurried, as by a second signal: it no longer waits for requests, services and
    /// delays.
    Hurried,
    /// The stop has taken another second, or the start another five.
    #[non_exhaustive]
    Waiting {
        /// Everything that it waits for.
        on: Vec<Wait>,
    },
    /// The server is closed.
    #[non_exhaustive]
    Drained {
        /// Requests and connections, by their outcome.
        traffic: Box<Traffic>,
        /// Time that the drain took.
        took: Duration,
    },
    /// The limits of the hooks let the stop take longer than the grace period. They are scaled.
    #[non_exhaustive]
    BudgetExceeded {
        /// Time that the stop takes if every hook takes all of its timeout.
        needed: Duration,
        /// Time that the stop may take.
        grace: Duration,
        /// Time from the beginning of the stop that requests have at least; `None` without a
        /// server.
        requests: Option<Duration>,
        /// Time that the drain delay has at worst, if that is less than it asks for.
        delay: Option<Duration>,
        /// Limits that had to be scaled.
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
    /// Time that it has after a drain that took all of its own.
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
    /// A task that it spawned has panicked. Its function is a plain `fn`, which can't be cancelled,
    /// and has not returned.
    #[non_exhaustive]
    Failing {
        /// Outcome of the run.
        after: Outcome,
    },
    /// A run of it has ended, and the next one will begin.
    #[non_exhaustive]
    BackingOff {
        /// Outcome of the last run.
        after: Outcome,
        /// Time until the next run.
        #[serde(skip)]
        delay: Duration,
    },
    /// It has been told to end.
    Stopping,
    /// It has ended well, or was cancelled before it was ready, as the start was given up.
    Stopped,
    /// It has failed for good, or did not end in time.
    Failed,
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Running => f.write_str("running"),
            Self::Failing { .. } => f.write_str("failing"),
            Self::BackingOff { .. } => f.write_str("backing off"),
            Self::Stopping => f.write_str("stopping"),
            Self::Stopped => f.write_str("stopped"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

/// Code that is called with each event of a run.
///
/// It is called with one event at a time, in the order in which they happened, on a thread of its
/// own (`lifecycle-observers`) inside of the hooks' tokio runtime. So it may block: it holds up
/// nothing but the events that come after it. Events that wait for an observer wait in memory, and
/// are lost if the process is ended before its run. A run ends when all observers have seen all its
/// events and are dropped, or when the time of its stop is up: then a line on stderr says that an
/// observer has not returned. A panic is caught and ignored. Tasks that an observer spawns are not
/// waited for. If values are held at the end, the last events come when the runtime has shut down.
///
/// In a `TestApp`, and under [`Lifecycle::serve`](crate::Lifecycle::serve) on a current-thread
/// runtime, the thread on which an event happens calls the observer, and goes on when it has seen
/// the event.
///
/// ```
/// use lifecycle_runtime::event::{Event, Observer};
/// use lifecycle_runtime::Lifecycle;
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
/// A closure is an observer, too, if it names the types of what it takes:
///
/// ```
/// # use lifecycle_runtime::event::Event;
/// # use lifecycle_runtime::Lifecycle;
/// # use std::time::Duration;
/// let lifecycle = Lifecycle::new()
///     .observer(|at: Duration, event: &Event| println!("{at:?} {event:?}"));
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
