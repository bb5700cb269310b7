//! Requests to stop a run, and the handle that makes them.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::Instant;

use super::StopCause;
use super::upgrade::{UpgradeError, UpgradeRequest};
use crate::hook::error::{BoxError, chain};
use crate::hook::state::State;

/// Requests that a run has got so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The first reason to stop.
    pub(crate) cause: Option<StopCause>,
    /// Moment of the first request: the stop's time runs from here.
    pub(crate) at: Option<Instant>,
    /// Set if the stop should wait no longer for requests, services and delays.
    pub(crate) hurry: bool,
    /// First signal that came after something else had asked for the stop. The `bool` is set if the
    /// stop was hurried by then.
    pub(crate) late_signal: Option<(&'static str, bool)>,
    /// Error of a [`StopHandle::fail`] that came after something else had asked for the stop.
    late_failure: Option<LateFailure>,
}

/// Error of a [`StopHandle::fail`] that came after something else had asked for the stop.
#[derive(Debug, Clone)]
struct LateFailure {
    error: String,
    is_taken: bool,
}

/// Handle that stops a run from code: from a request handler, a hook, or another thread.
///
/// Get one from [`Lifecycle::stop_handle`](crate::Lifecycle::stop_handle) or as an argument of a
/// hook.
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
    shared: Arc<StopHandleInner>,
}

struct StopHandleInner {
    asked: watch::Sender<Asked>,
    /// Function to call when the stop is asked for. The thread that asks calls it, even while the
    /// async runtime is blocked.
    on_first: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Addresses on which servers accept connections.
    urls: OnceLock<Vec<String>>,
    upgrades: UnboundedSender<UpgradeRequest>,
    /// Receiver of the requests for upgrades, until the run takes it.
    upgrade_requests: Mutex<Option<UnboundedReceiver<UpgradeRequest>>>,
}

impl StopHandle {
    pub(crate) fn new() -> Self {
        let asked = watch::Sender::new(Asked::default());
        let (upgrades, upgrade_requests) = unbounded_channel();
        Self {
            shared: Arc::new(StopHandleInner {
                asked,
                on_first: OnceLock::new(),
                urls: OnceLock::new(),
                upgrades,
                upgrade_requests: Mutex::new(Some(upgrade_requests)),
            }),
        }
    }

    /// Begins the stop, as SIGTERM does. Does nothing if it has begun.
    ///
    /// The exit code is 0 if everything ended well, even if the stop was asked for during the
    /// start. If the run has not begun yet, nothing runs.
    pub fn stop(&self) {
        self.ask(StopCause::Requested);
    }

    /// Begins the stop because something is broken. The error, with its causes, is in the line
    /// about the stop and in the [report](crate::Report::cause), and the exit code is 3.
    ///
    /// During the start, the call makes the start fail, with exit code 1. In a stop that has begun
    /// for another reason, the error is reported at the end, and the exit code is 3 as well. Of
    /// several such errors, the first is reported.
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
                asked.late_failure.get_or_insert(LateFailure { error, is_taken: false });
            });
        }
    }

    /// Returns the addresses on which the servers of the run accept connections, as URLs:
    /// `http://127.0.0.1:8080`, `https://…`, `unix:/run/app.sock`. Empty until they listen, which
    /// they do when the ready hooks run. They stay after the listeners have closed, so that
    /// shutdown hooks know them.
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

    /// Begins the stop, or hurries the one that has begun, as a second SIGTERM does. The stop no
    /// longer waits for requests, services and delays. Drain and shutdown hooks still run within
    /// their timeouts.
    pub fn hurry(&self) {
        self.ask(StopCause::Requested);
        self.shared.asked.send_if_modified(|asked| !std::mem::replace(&mut asked.hurry, true));
    }

    /// Begins an [upgrade in place](crate::guide::deploying#in-place-upgrade), as SIGUSR2 does:
    /// the program that is now at the path of this one starts as a successor, and takes over the
    /// listeners once it is ready. Then this process stops, with
    /// [`StopCause::Upgraded`](crate::event::StopCause::Upgraded).
    ///
    /// The upgrade goes on even if the future is dropped. The future ends with the process id of
    /// the successor.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is no successor. This process goes on as before, and no client
    /// was refused.
    ///
    /// ```
    /// use actix_web::{HttpResponse, post};
    /// use lifecycle_runtime::StopHandle;
    ///
    /// #[post("/upgrade")]
    /// async fn upgrade(run: StopHandle) -> HttpResponse {
    ///     match run.upgrade().await {
    ///         Ok(successor) => HttpResponse::Ok().body(successor.to_string()),
    ///         Err(error) => HttpResponse::Conflict().body(error.to_string()),
    ///     }
    /// }
    /// ```
    pub fn upgrade(&self) -> impl Future<Output = Result<u32, UpgradeError>> + Send + use<> {
        let (request, answer) = UpgradeRequest::new();
        let _ = self.shared.upgrades.send(request);
        async move {
            // A run that is over answers nobody.
            answer.await.unwrap_or(Err(UpgradeError::NotReady { state: State::Stopped }))
        }
    }

    /// Takes the receiver of the requests for upgrades. There is one.
    pub(crate) fn take_upgrade_requests(&self) -> Option<UnboundedReceiver<UpgradeRequest>> {
        self.shared.upgrade_requests.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes the error of a late [`fail`](Self::fail).
    pub(crate) fn take_late_failure(&self) -> Option<String> {
        let mut taken = None;
        self.shared.asked.send_if_modified(|asked| {
            let failure = asked.late_failure.as_mut().filter(|failure| !failure.is_taken);
            taken = failure.map(|failure| {
                failure.is_taken = true;
                failure.error.clone()
            });
            false
        });
        taken
    }

    /// Notes a signal that came after something else had asked for the stop.
    pub(crate) fn note_signal(&self, name: &'static str, is_hurried: bool) {
        self.shared.asked.send_modify(|asked| asked.late_signal = Some((name, is_hurried)));
    }

    /// Asks for the stop. Returns `false` if something has asked for it before.
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

    /// Sets the function that is called when the stop is asked for, at once if it has been. Only
    /// one can be set.
    pub(crate) fn on_first_ask(&self, call: impl Fn() + Send + Sync + 'static) {
        let _ = self.shared.on_first.set(Box::new(call));
        let was_asked = self.shared.asked.borrow().cause.is_some();
        if let Some(call) = self.shared.on_first.get().filter(|_| was_asked) {
            call();
        }
    }

    /// Returns the cause of the stop; `None` as long as nobody has asked for it.
    ///
    /// A drain hook that takes this process out of a registry leaves it in after an upgrade, as the
    /// successor has the same address:
    ///
    /// ```
    /// use lifecycle_runtime::event::StopCause;
    /// use lifecycle_runtime::{StopHandle, on_drain};
    ///
    /// #[on_drain]
    /// async fn deregister(run: StopHandle) {
    ///     if !matches!(run.cause(), Some(StopCause::Upgraded { .. })) {
    ///         println!("no longer at {:?}", run.listening());
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<StopCause> {
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

/// Waits until a stop is asked for, and returns its cause. Waits forever if nobody is left who
/// could ask.
pub(crate) async fn stop_asked(asked: &mut watch::Receiver<Asked>) -> StopCause {
    let cause = asked
        .wait_for(|asked| asked.cause.is_some())
        .await
        .ok()
        .and_then(|asked| asked.cause.clone());
    match cause {
        Some(cause) => cause,
        None => std::future::pending().await,
    }
}

/// Waits until a signal has come after something else had asked for the stop, and returns it. Waits
/// forever if nobody is left who could ask.
pub(crate) async fn late_signal(asked: &mut watch::Receiver<Asked>) -> (&'static str, bool) {
    let signal = asked
        .wait_for(|asked| asked.late_signal.is_some())
        .await
        .ok()
        .and_then(|asked| asked.late_signal);
    match signal {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

/// Waits until the stop is hurried. Waits forever if nobody is left who could ask.
pub(crate) async fn hurried(asked: &mut watch::Receiver<Asked>) {
    let is_hurried = asked.wait_for(|asked| asked.hurry).await.is_ok();
    if !is_hurried {
        std::future::pending::<()>().await;
    }
}
