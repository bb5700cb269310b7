//! Requests to stop a run, and who makes them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;
use tokio::time::Instant;

use super::StopCause;
use crate::hook::error::{BoxError, chain};

/// What has been asked of a run so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The first reason to stop.
    pub(crate) cause: Option<StopCause>,
    /// When it was given: the stop's time runs from here.
    pub(crate) at: Option<Instant>,
    /// Set if to stop waiting for requests, services and delays.
    pub(crate) hurry: bool,
    /// A first signal that came when something else had asked before, and whether that was hurried
    /// then.
    pub(crate) late_signal: Option<(&'static str, bool)>,
    /// What a [`StopHandle::fail`] said that came when something else had asked before.
    late_failure: Option<LateFailure>,
}

/// Error of a [`StopHandle::fail`] that came when something else had asked for the stop before.
#[derive(Debug, Clone)]
struct LateFailure {
    error: String,
    is_told: bool,
}

/// Stops a run from code: from a request handler, a hook, or another thread.
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
    /// Called when the stop is asked for, on the thread that asks: also while the async runtime is
    /// blocked.
    on_first: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// The addresses on which servers accept connections.
    urls: OnceLock<Vec<String>>,
}

impl StopHandle {
    pub(crate) fn new() -> Self {
        let asked = watch::Sender::new(Asked::default());
        Self {
            shared: Arc::new(StopHandleInner {
                asked,
                on_first: OnceLock::new(),
                urls: OnceLock::new(),
            }),
        }
    }

    /// Begins the stop, as SIGTERM does. Does nothing if it has begun.
    ///
    /// The exit code is 0 if everything ended well, even where the stop was asked for during the
    /// start. Before the run it means that nothing runs.
    pub fn stop(&self) {
        self.ask(StopCause::Requested);
    }

    /// Begins the stop because something is broken: the error, with its causes, is in the line
    /// about the stop and in the [report](crate::Report::cause), and the exit code is 3.
    ///
    /// During the start, the start has failed by it, with exit code 1. In a stop that has begun for
    /// another reason the error is told at the end, and the exit code is 3 as well; of several such
    /// errors the first.
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
                asked.late_failure.get_or_insert(LateFailure { error, is_told: false });
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

    /// Begins the stop, or hurries the one that has begun, as a second SIGTERM does: requests,
    /// services and delays are not waited for any longer, drain and shutdown hooks still run within
    /// their timeouts.
    pub fn hurry(&self) {
        self.ask(StopCause::Requested);
        self.shared.asked.send_if_modified(|asked| !std::mem::replace(&mut asked.hurry, true));
    }

    /// Returns the error of a late [`fail`](Self::fail) that has not been returned yet.
    pub(crate) fn untold_failure(&self) -> Option<String> {
        let mut untold = None;
        self.shared.asked.send_if_modified(|asked| {
            let failure = asked.late_failure.as_mut().filter(|failure| !failure.is_told);
            untold = failure.map(|failure| {
                failure.is_told = true;
                failure.error.clone()
            });
            false
        });
        untold
    }

    /// Notes a signal that came when something else had asked for the stop before.
    pub(crate) fn note_signal(&self, name: &'static str, is_hurried: bool) {
        self.shared.asked.send_modify(|asked| asked.late_signal = Some((name, is_hurried)));
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

/// Waits until a signal has come when something else had asked for the stop before. Forever, if
/// nobody is left who could ask.
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

/// Waits until the stop is hurried. Forever, if nobody is left who could ask.
pub(crate) async fn hurried(asked: &mut watch::Receiver<Asked>) {
    let is_hurried = asked.wait_for(|asked| asked.hurry).await.is_ok();
    if !is_hurried {
        std::future::pending::<()>().await;
    }
}
