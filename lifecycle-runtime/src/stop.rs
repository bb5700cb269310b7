//! The stop as code sees it: [`Stop`] tells that it has begun, [`StopHandle`] asks for it.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{BoxError, chain};
use crate::state::State;

/// Why a run stops.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopCause {
    /// A signal, by its name: `SIGTERM`.
    Signal(&'static str),
    /// [`StopHandle::stop`].
    Requested,
    /// [`StopHandle::fail`], with the error and its causes.
    Failed(String),
    /// All services have ended well, and the program has no server.
    ServicesDone,
    /// The future of [`Lifecycle::serve`](crate::Lifecycle::serve) was dropped before its end.
    Dropped,
    /// The start failed or ran out of time.
    StartFailed,
    /// The HTTP server ended by itself, with this error if it had one.
    Server(Option<String>),
    /// A service failed for good.
    Service {
        /// Its name.
        name: &'static str,
        /// How it failed, with the causes, behind its name and its place: `` hook `outbox`
        /// (src/outbox.rs:7) failed: … ``. The text of the cause has it, too: `` service `outbox`
        /// (src/outbox.rs:7) failed: … ``.
        error: String,
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
            Self::Server(None) => f.write_str("the server ended"),
            Self::Server(Some(error)) => write!(f, "the server failed: {error}"),
            Self::Service { name, error } => match error.strip_prefix("hook ") {
                Some(failure) => write!(f, "service {failure}"),
                None => write!(f, "service `{name}` failed: {error}"),
            },
        }
    }
}

impl StopCause {
    /// Returns whether the stop was asked for, and nothing is wrong: such a stop is clean even during
    /// the start.
    pub(crate) fn is_wanted(&self) -> bool {
        matches!(self, Self::Signal(_) | Self::Requested | Self::ServicesDone | Self::Dropped)
    }
}

/// Where a run stands, as everything that observes it sees it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(crate) state: State,
    /// Whether the start was a success.
    pub(crate) has_started: bool,
    /// When the start, and then the stop, has to be over; `None` in between.
    pub(crate) deadline: Option<Instant>,
}

/// Order to a service, and the moment until which it has time to obey.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Orders {
    pub(crate) order: Order,
    /// Known once it is told to stop.
    pub(crate) until: Option<Instant>,
}

/// What a service is told. Orders only ever advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Order {
    /// Nothing yet.
    #[default]
    Run,
    /// To end.
    Stop,
    /// That it is ended.
    Cancel,
}

/// Waits until this is ordered. Whoever gave the orders may be gone: then all is over.
pub(crate) async fn ordered(orders: &mut watch::Receiver<Orders>, order: Order) {
    let _ = orders.wait_for(|given| given.order >= order).await;
}

/// The stop signal: tells code that runs for long that it should end.
///
/// Take it as an argument of a hook. It fires when the run begins to stop, and never goes back. That of a service fires
/// when this service is to end: after the server has drained.
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
    /// Of a service: what it has been told.
    orders: Option<watch::Receiver<Orders>>,
    /// Of a hook: when its own time is up.
    until: Option<Instant>,
}

impl Stop {
    pub(crate) fn new(progress: watch::Receiver<Progress>) -> Self {
        Self { progress, orders: None, until: None }
    }

    /// That of a service, which hears these orders.
    pub(crate) fn of_service(&self, orders: watch::Receiver<Orders>) -> Self {
        Self { progress: self.progress.clone(), orders: Some(orders), until: None }
    }

    /// Returns that of a hook whose own time is up then.
    pub(crate) fn until(&self, until: Instant) -> Self {
        Self { until: Some(until), ..self.clone() }
    }

    /// A stop signal that never fires, for unit tests of hooks.
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
        if let Some(orders) = &self.orders {
            return ordered(&mut orders.clone(), Order::Stop).await;
        }
        let mut progress = self.progress.clone();
        // An error means that the run itself is gone, and a run that is gone has stopped.
        let _ = progress.wait_for(|now| now.state >= State::Draining).await;
    }

    /// Whether the stop has begun.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        match &self.orders {
            Some(orders) => orders.borrow().order >= Order::Stop || orders.has_changed().is_err(),
            None => self.progress.borrow().state >= State::Draining || self.progress.has_changed().is_err(),
        }
    }

    /// Blocks the thread until the stop begins, but no longer than this; then says whether it has begun. For a plain `fn`,
    /// which has a thread of its own.
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
        // Not tokio's: this thread may belong to no async runtime. No deadline is one that no clock reaches.
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

    /// Returns the time that is left for whoever took this: until its own `timeout`, the end of its share
    /// of the stop, or that of the start or the stop as a whole, whichever comes first. `None` without any
    /// of these: in a request handler, a hook of a signal without a `timeout` or a service, until the stop
    /// begins.
    ///
    /// A hook that tries again and again knows by it when to give up:
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
        let of_service = self.orders.as_ref().and_then(|orders| orders.borrow().until);
        let ends = [self.until, of_service, self.progress.borrow().deadline];
        let end = ends.into_iter().flatten().min()?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.progress.borrow().state
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What has been asked of a run so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The first reason to stop.
    pub(crate) cause: Option<StopCause>,
    /// When it was given: the stop's time runs from here.
    pub(crate) at: Option<Instant>,
    /// Whether to stop waiting for requests, services and delays.
    pub(crate) hurry: bool,
    /// A first signal that came when something else had asked before.
    pub(crate) late_signal: Option<&'static str>,
    /// What a [`StopHandle::fail`] said that came when something else had asked before.
    pub(crate) late_failure: Option<String>,
}

/// Stops a run from code: from a request handler, a hook, or another thread.
///
/// Get one from [`Lifecycle::stop_handle`](crate::Lifecycle::stop_handle) or as an argument of a hook.
///
/// ```
/// use lifecycle_runtime::Lifecycle;
///
/// let lifecycle = Lifecycle::new();
/// let handle = lifecycle.stop_handle();
/// std::thread::spawn(move || handle.stop());
/// ```
#[derive(Clone)]
pub struct StopHandle {
    shared: Arc<Shared>,
}

struct Shared {
    asked: watch::Sender<Asked>,
    /// Called when the stop is asked for, on the thread that asks: also while the async runtime is blocked.
    on_first: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// The addresses on which servers accept connections.
    urls: OnceLock<Vec<String>>,
}

impl StopHandle {
    pub(crate) fn new() -> Self {
        let asked = watch::Sender::new(Asked::default());
        Self { shared: Arc::new(Shared { asked, on_first: OnceLock::new(), urls: OnceLock::new() }) }
    }

    /// Begins the stop, as SIGTERM does. Does nothing if it has begun.
    ///
    /// The exit code is 0 if everything ended well, even where the stop was asked for during the start.
    /// Before the run it means that nothing runs.
    pub fn stop(&self) {
        self.ask(StopCause::Requested);
    }

    /// Begins the stop because something is broken: the error, with its causes, is in the line about the
    /// stop and in the [report](crate::Report::cause), and the exit code is 3.
    ///
    /// During the start, the start has failed by it, with exit code 1. In a stop that has begun for
    /// another reason the error is told at the end, and the exit code is 3 as well.
    ///
    /// ```
    /// use actix_web::{HttpResponse, get};
    /// use lifecycle_runtime::StopHandle;
    ///
    /// #[get("/")]
    /// async fn index(stop: StopHandle) -> HttpResponse {
    ///     match std::fs::read_to_string("index.html") {
    ///         Ok(page) => HttpResponse::Ok().body(page),
    ///         Err(error) => {
    ///             stop.fail(error);
    ///             HttpResponse::InternalServerError().finish()
    ///         }
    ///     }
    /// }
    /// ```
    pub fn fail(&self, error: impl Into<BoxError>) {
        let error = chain(&*error.into());
        if !self.ask(StopCause::Failed(error.clone())) {
            self.shared.asked.send_modify(|asked| {
                asked.late_failure.get_or_insert(error);
            });
        }
    }

    /// Returns the addresses on which the servers of the run accept connections, as URLs:
    /// `http://127.0.0.1:8080`, `https://…`, `unix:/run/app.sock`. Empty until they listen, which they do
    /// when the ready hooks run.
    ///
    /// A server that was bound to port 0 has the port that the system chose.
    ///
    /// ```
    /// use lifecycle_runtime::{StopHandle, on_ready};
    ///
    /// #[on_ready]
    /// async fn register(run: StopHandle) {
    ///     for url in run.listening() {
    ///         println!("registering {url}");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn listening(&self) -> &[String] {
        self.shared.urls.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn listens(&self, urls: Vec<String>) {
        let _ = self.shared.urls.set(urls);
    }

    /// Begins the stop, or hurries the one that has begun, as a second SIGTERM does: requests, services and delays are not
    /// waited for any longer, drain and shutdown hooks still run within their timeouts.
    pub fn hurry(&self) {
        self.ask(StopCause::Requested);
        self.shared.asked.send_if_modified(|asked| !std::mem::replace(&mut asked.hurry, true));
    }

    /// Notes a signal that came when something else had asked for the stop before.
    pub(crate) fn note_signal(&self, name: &'static str) {
        self.shared.asked.send_modify(|asked| asked.late_signal = Some(name));
    }

    /// Asks for the stop. Returns `false` if somebody has before.
    pub(crate) fn ask(&self, cause: StopCause) -> bool {
        let first = self.shared.asked.send_if_modified(|asked| {
            let first = asked.cause.is_none();
            if first {
                asked.cause = Some(cause);
                asked.at = Some(Instant::now());
            }
            first
        });
        if let Some(call) = self.shared.on_first.get().filter(|_| first) {
            call();
        }
        first
    }

    /// Has this called when the stop is asked for. Only one call can be set.
    pub(crate) fn on_first_ask(&self, call: impl Fn() + Send + Sync + 'static) {
        let _ = self.shared.on_first.set(Box::new(call));
        let was_asked = self.shared.asked.borrow().cause.is_some();
        if let Some(call) = self.shared.on_first.get().filter(|_| was_asked) {
            call();
        }
    }

    /// Returns why the stop was asked for, if it was.
    pub(crate) fn cause(&self) -> Option<StopCause> {
        self.shared.asked.borrow().cause.clone()
    }

    pub(crate) fn asked(&self) -> watch::Receiver<Asked> {
        self.shared.asked.subscribe()
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopHandle").field(&*self.shared.asked.borrow()).finish()
    }
}

/// Waits until a stop is asked for, and why. Forever, if nobody is left who could ask.
pub(crate) async fn stop_asked(asked: &mut watch::Receiver<Asked>) -> StopCause {
    let cause = asked.wait_for(|asked| asked.cause.is_some()).await.ok().and_then(|asked| asked.cause.clone());
    match cause {
        Some(cause) => cause,
        None => std::future::pending().await,
    }
}

/// Waits until a signal has come when something else had asked for the stop before. Forever, if nobody
/// is left who could ask.
pub(crate) async fn late_signal(asked: &mut watch::Receiver<Asked>) -> &'static str {
    let name = asked.wait_for(|asked| asked.late_signal.is_some()).await.ok().and_then(|asked| asked.late_signal);
    match name {
        Some(name) => name,
        None => std::future::pending().await,
    }
}

/// Waits until the stop is hurried. Forever, if nobody is left who could ask.
pub(crate) async fn hurried(asked: &mut watch::Receiver<Asked>) {
    let is_hurried = asked.wait_for(|asked| asked.hurry).await.is_ok();
    if !is_hurried {
        std::future::pending::<()>().await;
    }
}
