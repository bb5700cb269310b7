//! The stop for code, which learns of it from [`Stop`] and asks for it by [`StopHandle`].

mod command;
mod handle;
mod upgrade;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use command::{CommandReceiver, CommandSender, Expiry, ServiceCommand};
pub use handle::StopHandle;
pub(crate) use handle::{Asked, hurried, late_signal, stop_asked};
pub use upgrade::UpgradeError;
pub(crate) use upgrade::{UpgradeRequest, UpgradeResult};

use crate::hook::HookMeta;
use crate::hook::outcome::Outcome;
use crate::hook::state::State;

/// Cause of a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopCause {
    /// A signal, by its name: `SIGTERM`.
    Signal(&'static str),
    /// A call of [`StopHandle::stop`].
    Requested,
    /// A call of [`StopHandle::fail`], with the error and its causes.
    Failed(String),
    /// All services have ended well, and the program has no server.
    ServicesDone,
    /// The future of [`Lifecycle::serve`](crate::Lifecycle::serve) was dropped before its end.
    Dropped,
    /// The start failed or ran out of time.
    StartFailed,
    /// A successor has taken over, by an upgrade in place.
    #[non_exhaustive]
    Upgraded {
        /// Process id of the successor.
        successor: u32,
    },
    /// The predecessor has given up the upgrade whose successor this process was to be.
    UpgradeGivenUp,
    /// An HTTP server ended by itself.
    Server(ServerEnd),
    /// A service failed for good.
    #[non_exhaustive]
    Service {
        /// The service.
        hook: &'static HookMeta,
        /// Outcome of the service.
        outcome: Outcome,
    },
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(name) => f.write_str(name),
            Self::Requested => f.write_str("requested by the program"),
            Self::Failed(error) => write!(f, "the program failed: {error}"),
            Self::ServicesDone => f.write_str("all services are done"),
            Self::Dropped => f.write_str("the future of `serve` was dropped"),
            Self::StartFailed => f.write_str("the start failed"),
            Self::Upgraded { successor } => write!(f, "process {successor} has taken over"),
            Self::UpgradeGivenUp => f.write_str("the predecessor has given up the upgrade"),
            Self::Server(end) => write!(f, "the server failed: {end}"),
            Self::Service { hook, outcome } => {
                write!(f, "{} {outcome}", hook.label_as("service"))
            }
        }
    }
}

/// Part of an HTTP server that ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEnd {
    /// The acceptor ended: the server accepts no more connections.
    Acceptor,
    /// A worker ended.
    Worker,
}

impl fmt::Display for ServerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acceptor => "it accepts no more connections",
            Self::Worker => "a worker has ended",
        })
    }
}

impl StopCause {
    /// Returns whether the stop was asked for, and nothing is wrong. Such a stop is clean even
    /// during the start.
    pub(crate) fn is_wanted(&self) -> bool {
        matches!(
            self,
            Self::Signal(_)
                | Self::Requested
                | Self::ServicesDone
                | Self::Dropped
                | Self::Upgraded { .. }
                | Self::UpgradeGivenUp
        )
    }
}

/// State and deadlines of a run, as everything that observes it sees them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(crate) state: State,
    /// Set if the start was a success.
    pub(crate) has_started: bool,
    /// Set once the start has failed, and not if it was stopped on request.
    pub(crate) start_failed: bool,
    /// Moment at which the start, and then the stop, has to be over; `None` in between.
    pub(crate) deadline: Option<Instant>,
    /// Moment at which hooks that had begun before the stop are cancelled; known once it has begun.
    pub(crate) last_call: Option<Instant>,
    /// Moment at which requests are cut off; known once the stop has begun.
    pub(crate) cut: Option<Instant>,
    /// Set once a successor has taken over.
    pub(crate) has_successor: bool,
}

/// Stop signal, from which code that runs for long learns that it should end.
///
/// Take it as an argument of a hook. It fires when the run begins to stop, and never goes back. The
/// signal of a service fires when this service should end: after the server has drained, or with
/// `stop_on = "drain"` when the drain begins. It also fires in a run that has failed, as a task
/// that the service spawned has panicked.
///
/// A hook of the start that takes it has its timeout to end by itself. The stop waits for signal
/// hooks whether they take it or not, and cancels health checks at once.
///
/// ```
/// use lifecycle_runtime::{Stop, on_startup};
///
/// #[on_startup]
/// async fn warm_cache(stop: Stop) {
///     for page in 0..1_000 {
///         if stop.is_requested() {
///             return;
///         }
///         load(page).await;
///     }
/// }
/// # async fn load(_page: u32) {}
/// ```
#[derive(Debug, Clone)]
pub struct Stop {
    progress: watch::Receiver<Progress>,
    /// Commands to the service whose signal it is.
    commands: Option<CommandReceiver>,
    /// Token that is cancelled when the run of the service whose signal it is has failed.
    run_failed: Option<CancellationToken>,
    /// End of the time of the hook whose signal it is.
    until: Option<Instant>,
    share: Share,
}

/// Part of a run's time that the holder of a stop signal has.
#[derive(Debug, Clone, Copy)]
enum Share {
    /// All of the time.
    Whole,
    /// The time of hooks that begin before the stop.
    BeforeStop,
    /// The time of requests.
    Requests,
}

impl Stop {
    pub(crate) fn new(progress: watch::Receiver<Progress>) -> Self {
        Self { progress, commands: None, run_failed: None, until: None, share: Share::Whole }
    }

    /// Returns the stop signal of a service, which these commands reach.
    pub(crate) fn of_service(&self, commands: CommandReceiver) -> Self {
        Self { commands: Some(commands), ..Self::new(self.progress.clone()) }
    }

    /// Returns the same signal for one run of a service. It also fires when this token is
    /// cancelled, as the run has failed.
    pub(crate) fn of_run(self, run_failed: CancellationToken) -> Self {
        Self { run_failed: Some(run_failed), ..self }
    }

    /// Returns the stop signal of a hook, whose own time is up at `until`, if it has any.
    /// `is_of_start` is set if the hook may begin before the stop.
    pub(crate) fn of_hook(&self, until: Option<Instant>, is_of_start: bool) -> Self {
        let share = if is_of_start { Share::BeforeStop } else { Share::Whole };
        Self { until, share, ..self.clone() }
    }

    /// Returns the stop signal of a request.
    pub(crate) fn of_request(&self) -> Self {
        Self { share: Share::Requests, ..self.clone() }
    }

    /// Returns a stop signal that never fires, for unit tests of hooks.
    ///
    /// ```
    /// assert!(!lifecycle_runtime::Stop::never().is_requested());
    /// ```
    #[must_use]
    pub fn never() -> Self {
        // Without a sender `changed` would end at once, which means "stop": keep it.
        let (sender, progress) = watch::channel(Progress::default());
        std::mem::forget(sender);
        Self::new(progress)
    }

    /// Waits until the stop begins; returns at once if it has begun.
    ///
    /// Cancel safe: use it in `tokio::select!`.
    pub async fn requested(&self) {
        match &self.run_failed {
            Some(run_failed) => drop(run_failed.run_until_cancelled(self.commanded()).await),
            None => self.commanded().await,
        }
    }

    /// Waits for the command to stop: of the service whose signal it is, or else of the run.
    async fn commanded(&self) {
        if let Some(commands) = &self.commands {
            return commands.received(ServiceCommand::Stop).await;
        }
        let mut progress = self.progress.clone();
        // An error means that the run itself is gone, and a run that is gone has stopped.
        let _ = progress.wait_for(|now| now.state >= State::Draining).await;
    }

    /// Returns whether the stop has begun.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        if self.run_failed.as_ref().is_some_and(CancellationToken::is_cancelled) {
            return true;
        }
        match &self.commands {
            Some(commands) => commands.has_stopped(),
            None => {
                self.progress.borrow().state >= State::Draining
                    || self.progress.has_changed().is_err()
            }
        }
    }

    /// Blocks the thread until the stop begins, but no longer than `at_most`, and returns whether
    /// the stop has begun. For a plain `fn`, which has a thread of its own.
    ///
    /// ```
    /// use lifecycle_runtime::Stop;
    /// use std::time::Duration;
    ///
    /// fn sweep(stop: Stop) {
    ///     while !stop.wait(Duration::from_secs(60)) {
    ///         remove_old_files();
    ///     }
    /// }
    /// # fn remove_old_files() {}
    /// # assert!(!Stop::never().wait(Duration::ZERO));
    /// ```
    #[must_use = "it returns when the time is up, too"]
    pub fn wait(&self, at_most: Duration) -> bool {
        // The clock is not tokio's, as this thread may belong to no async runtime. `None` is a
        // moment that no clock reaches.
        let until = std::time::Instant::now().checked_add(at_most);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut requested = pin!(self.requested());
        while requested.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            match until.map(|until| until.saturating_duration_since(std::time::Instant::now())) {
                Some(left) if left.is_zero() => return false,
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
        true
    }

    /// Returns the time that the holder of the signal has left: until its own `timeout`, until the
    /// end of its share of the stop (in a request handler, the share of requests), or until the end
    /// of the start or the stop as a whole, whichever comes first. `None` without any of these:
    /// request handlers, services, and signal hooks without a `timeout` have no limit until the
    /// stop begins.
    ///
    /// It tells a hook that tries again and again when to give up:
    ///
    /// ```
    /// use lifecycle_runtime::{Stop, on_startup};
    /// use std::time::Duration;
    ///
    /// #[on_startup(timeout = "30s")]
    /// async fn broker(stop: Stop) -> Result<(), String> {
    ///     loop {
    ///         match connect().await {
    ///             Err(_) if stop.time_left() > Some(Duration::from_secs(1)) => {
    ///                 tokio::time::sleep(Duration::from_millis(500)).await;
    ///             }
    ///             end => return end,
    ///         }
    ///     }
    /// }
    /// # async fn connect() -> Result<(), String> { Ok(()) }
    /// ```
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let of_service = self.commands.as_ref().and_then(CommandReceiver::until);
        let progress = *self.progress.borrow();
        let of_share = match self.share {
            Share::Whole => None,
            Share::BeforeStop => progress.last_call,
            Share::Requests => progress.cut,
        };
        let ends = [self.until, of_service, of_share, progress.deadline];
        let end = ends.into_iter().flatten().min()?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Returns the state of the run.
    #[must_use]
    pub fn state(&self) -> State {
        self.progress.borrow().state
    }
}

/// Waker of a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
