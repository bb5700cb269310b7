//! App that runs inside a test.

pub(super) mod builder;
pub(super) mod left_running;
mod running;

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::assertions::TestReport;
use super::at_await::AtAwait;
use super::clock;
use super::moment::{Moment, Signal};
use crate::hook::Hook;
use crate::hook::dep::Dep;
use crate::hook::inject::Inject;
use crate::hook::state::State;
use crate::hook::stop::StopHandle;
use crate::lifecycle::Lifecycle;
use crate::observe::health::Probe;
use crate::server::{ServiceResponse, TestRequest};
use builder::{StartResult, TestAppBuilder};
use running::{AppParts, RunningApp};

/// App that runs inside a test: its hooks have started, and it answers requests.
///
/// Clones are the same app. [`stop`](Self::stop) it and look at the report. An app that is dropped
/// while it runs stops itself, and the test fails if that stop is not clean. This works in
/// `#[lifecycle_runtime::test]` and on a runtime of several threads. On a runtime of one thread,
/// `drop` can't wait for anything: there, a test that forgets `stop` panics with a message that
/// says so.
///
/// ```standalone_crate
/// use actix_web::test::{TestRequest, read_body};
/// use actix_web::{App, web};
/// use lifecycle_runtime::testing::TestApp;
/// use lifecycle_runtime::{Dep, Lifecycle, on_startup};
///
/// #[on_startup]
/// async fn greeting() -> String { "hello".to_owned() }
///
/// async fn hello(greeting: Dep<greeting>) -> String { greeting.to_string() }
///
/// // The program of `main`.
/// fn service() -> Lifecycle {
///     Lifecycle::new().http(|| App::new().route("/", web::get().to(hello)))
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let app = TestApp::of(service()).replace::<greeting>("moin".to_owned()).start().await;
/// let response = app.request(TestRequest::get().uri("/")).await;
/// assert_eq!(read_body(response).await, "moin");
/// app.stop().await.assert_clean();
/// # }
/// ```
///
/// A program to copy from: `examples/tour/examples/08_testing.rs`.
#[derive(Clone)]
pub struct TestApp {
    running: Rc<RunningApp>,
}

/// Longest wait for a moment, by the machine's clock.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

impl TestApp {
    /// Builds an app of all registered hooks that the test [sees](super::guide#whose-hooks),
    /// without a server.
    #[track_caller]
    pub fn builder() -> TestAppBuilder {
        TestAppBuilder::new(Lifecycle::new(), false)
    }

    /// Builds an app of this lifecycle: its servers, its settings, and those of its hooks that the
    /// test [sees](super::guide#whose-hooks). The app does not take the [address](Lifecycle::admin)
    /// of its probes.
    ///
    /// Like the process, the app ends by itself when all its services have ended well, if it has no
    /// server and no [`keep_running`](Lifecycle::keep_running). It doesn't if the test runs only a
    /// part of it.
    #[track_caller]
    pub fn of(lifecycle: Lifecycle) -> TestAppBuilder {
        TestAppBuilder::new(lifecycle, true)
    }

    /// Starts an app of all registered hooks, and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If the start fails, with what happened.
    #[track_caller]
    pub fn start() -> impl Future<Output = Self> {
        Self::builder().start()
    }

    /// Starts an app. The inner error is the report of a start that failed.
    ///
    /// # Errors
    ///
    /// A mistake of the test, found during the start.
    async fn run(parts: AppParts) -> Result<StartResult, String> {
        let app = Self { running: Rc::new(RunningApp::start(parts)) };
        left_running::add(&app);
        if app.running.has_started().await {
            return Ok(Ok(app));
        }
        let report = app.running.ended().await?;
        Ok(Err(Box::new(report)))
    }

    /// Returns the value of a hook, as hooks and handlers get it.
    ///
    /// # Panics
    ///
    /// If the hook is not part of the app, or its value has been dropped.
    #[track_caller]
    #[must_use]
    pub fn get<H: Hook>(&self) -> Dep<H> {
        match self.running.app_context.scope.dep() {
            Ok(dep) => dep,
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns the state of the run.
    #[must_use]
    pub fn state(&self) -> State {
        self.running.progress.borrow().state
    }

    /// Returns whether the app is ready, as `/readyz` says at this moment.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::health_check;
    /// use lifecycle_runtime::testing::{Moment, TestApp};
    ///
    /// #[health_check(failures = 1)]
    /// async fn ping() {}
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let app = TestApp::builder().fail::<ping>("no route").start().await;
    /// app.until(Moment::ends::<ping>()).await;
    /// assert_eq!(app.readiness().unwrap_err(), "health check `ping` failed: no route");
    /// # app.stop().await;
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The reason why the app is not ready: the `reason` in that answer.
    pub fn readiness(&self) -> Result<(), String> {
        match self.running.app_context.health.failure_reason(Probe::Readiness) {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    /// Returns a handle by which other tasks can stop the app.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.running.handle.clone()
    }

    /// Sends a signal to this app, not to the process. The first of SIGTERM, SIGINT, SIGQUIT and
    /// SIGHUP begins the stop, and the second hurries it. Other signals run their hooks, and so
    /// does SIGHUP if there is a hook for it.
    ///
    /// # Panics
    ///
    /// If the signal does not stop the app and no hook is for it, or if it is the third stop
    /// signal, which would end the process.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        if let Err(mistake) = self.running.signals.send(signal) {
            panic!("{mistake}");
        }
    }

    /// Waits until this moment has come; returns at once if it already has.
    ///
    /// # Panics
    ///
    /// If the moment belongs to a hook that is not part of the app, if the run ends before the
    /// moment comes, or if two minutes of the machine's time have passed. If the run has ended, the
    /// message shows what happened.
    #[track_caller]
    pub fn until(&self, moment: Moment) -> impl Future<Output = ()> {
        let place = Location::caller();
        let app = self.clone();
        AtAwait::new(async move {
            let RunningApp { record, plan, .. } = &*app.running;
            if let Some(hook) = moment.hook().filter(|hook| plan.position(hook.id).is_none()) {
                let name = hook.name();
                return Err(format!(
                    "{place}: \"{moment}\" never comes: `{name}` is not part of what runs here"
                ));
            }
            tokio::select! {
                biased;
                () = record.reached(&moment) => Ok(()),
                ended = app.running.ended() => {
                    Err(ended?.failure(&format!("{place}: it never came to \"{moment}\"")))
                }
                () = clock::passed(LONGEST_WAIT) => Err(format!(
                    "{place}: it has not come to \"{moment}\" in {} s of the machine's time",
                    LONGEST_WAIT.as_secs()
                )),
            }
        })
    }

    /// Sends a request to the app in memory. If the lifecycle has several servers, the first one's
    /// app answers, from when it is ready until it is dropped. A stop does not drain such requests.
    ///
    /// # Panics
    ///
    /// If the lifecycle has no server, or the app can't be built.
    #[track_caller]
    pub fn request(&self, request: TestRequest) -> impl Future<Output = ServiceResponse> {
        let place = Location::caller();
        let app = self.clone();
        AtAwait::new(async move {
            let RunningApp { memory, app, app_context, .. } = &*app.running;
            let Some(memory) = memory else {
                return Err(format!(
                    "{place}: nobody answers requests: give the app a lifecycle with a server, by \
                     `TestApp::of`"
                ));
            };
            Ok(app.get_or_init(|| memory(app_context)).await.answer(request).await)
        })
    }

    /// Returns the URL at which the app can be reached over a real connection, such as
    /// `http://127.0.0.1:PORT`, after [`listen`](TestAppBuilder::listen). If there are several
    /// addresses, it is the first.
    ///
    /// # Panics
    ///
    /// If the app was not told to listen.
    #[track_caller]
    #[must_use]
    pub fn url(&self) -> String {
        self.urls().swap_remove(0)
    }

    /// Returns the URL of each address on which the app listens, in the order of its servers.
    ///
    /// # Panics
    ///
    /// If the app was not told to listen.
    #[track_caller]
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let urls = self.running.record.timeline().urls();
        assert!(!urls.is_empty(), "the app does not listen: call `listen` before `start`");
        urls
    }

    /// Stops the app unless it has stopped already, waits for its end, and returns the report. A
    /// second call returns the same report.
    ///
    /// # Panics
    ///
    /// If a fault or a signal that the test has set never came up.
    pub fn stop(&self) -> impl Future<Output = TestReport> {
        AtAwait::new(self.stopped())
    }

    /// Waits until something else has stopped the app and it has ended, and returns the report.
    ///
    /// # Panics
    ///
    /// As [`stop`](Self::stop).
    pub fn end(&self) -> impl Future<Output = TestReport> {
        AtAwait::new(self.running.ended())
    }

    /// Stops the app unless it has stopped already, and returns the report.
    ///
    /// # Errors
    ///
    /// The mistakes of the test.
    pub(super) async fn stopped(&self) -> Result<TestReport, String> {
        self.running.handle.stop();
        self.running.ended().await
    }

    /// Returns an argument as a hook would get it.
    #[track_caller]
    pub(super) fn inject<T: Inject>(&self) -> T {
        match T::inject(&self.running.app_context.scope) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.running.has_ended()
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("state", &self.state()).finish_non_exhaustive()
    }
}
