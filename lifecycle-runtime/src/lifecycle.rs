//! Builder of a program's life: its hooks, its servers and its settings, and the call that runs it.

mod admin;
mod deadlines;
mod drain;
mod drive;
mod exclusive;
mod notify;
mod on_report;
mod outputs;
mod phases;
mod pid_file;
mod prepare;
mod process;
mod program;
mod progress;
#[cfg(feature = "metrics")]
mod publish_metrics;
mod report_receivers;
mod report_time;
mod run;
mod settings;
mod stop_signals;
mod succession;
mod take_over;
#[cfg(test)]
mod tests;
mod upgrade;

#[cfg(feature = "testing")]
pub(crate) use run::{Run, RunOptions, RunSwitches, Servers};
#[cfg(feature = "testing")]
pub(crate) use stop_signals::{Reaction, Reactions};

use std::process::ExitCode;
use std::sync::Arc;

use on_report::OnReport;

use crate::event::Observer;
use crate::hook::HookMeta;
use crate::hook::stop::StopHandle;
use crate::observe::report::Report;
use crate::plan::{Plan, PlanError, with_teardowns};
use crate::process::config::Config;
use crate::process::info::Info;
use crate::process::registry;
use crate::server::{AdminRoutes, Http, IntoHttp};

/// Builder and runner of a process's life: the registered hooks, the servers, and their settings.
///
/// ```no_run
/// use actix_web::{App, Responder, get};
/// use lifecycle_runtime::Lifecycle;
/// use std::process::ExitCode;
///
/// #[get("/")]
/// async fn hello() -> impl Responder { "hello" }
///
/// fn main() -> ExitCode {
///     Lifecycle::new().http(|| App::new().service(hello)).run()
/// }
/// ```
///
/// A run goes through these phases, each over before the next begins:
///
/// | phase | what happens | [`State`](crate::event::State) |
/// |---|---|---|
/// | start | `#[on_startup]` hooks run, services begin | `Starting` |
/// | ready | the servers listen, `#[on_ready]` hooks run | `Starting`, then `Ready` |
/// | drain | `#[on_drain]` hooks run, the servers finish their requests | `Draining` |
/// | stop | services end, `#[on_shutdown]` hooks and teardowns run | `Stopping`, then `Stopped` |
///
/// The ready phase runs each readiness check once, and lasts until there is a reason to stop.
///
/// A `LIFECYCLE_*` environment variable overrides the setting of the builder method beside it:
///
/// | variable | method | default |
/// |---|---|---|
/// | `LIFECYCLE_ADMIN` | [`admin`] | none |
/// | `LIFECYCLE_ADMIN_DETAILS` | [`admin_details`] | `off` |
/// | `LIFECYCLE_ADMIN_HOSTS` | [`admin_hosts`] | none |
/// | `LIFECYCLE_BIND` | [`Http::bind`] | `127.0.0.1:8080` |
/// | `LIFECYCLE_CONSOLE` | [`console`] | `auto`; or `on`, `off` |
/// | the same | [`console_format`] | `live`; or `plain`, `time`, `json` |
/// | `LIFECYCLE_DRAIN_DELAY` | [`drain_delay`] | `0s`; in Kubernetes `5s`, at most `grace` / 5 |
/// | `LIFECYCLE_DRAIN_TIMEOUT` | [`drain_timeout`] | the rest of `grace`, at least half |
/// | `LIFECYCLE_GRACE` | [`grace`] | `25s`; in a container outside of Kubernetes `9s` |
/// | `LIFECYCLE_KEEP_ALIVE` | [`Http::keep_alive`] | `75s`; `off` closes after each response |
/// | `LIFECYCLE_KEEP_RUNNING` | [`keep_running`] | `off` |
/// | `LIFECYCLE_PID_FILE` | [`pid_file`] | none |
/// | `LIFECYCLE_PLAN` | none: prints the plan and exits | none |
/// | `LIFECYCLE_QUIET_WINDOW` | [`quiet_window`] | `250ms` |
/// | `LIFECYCLE_READY_WHILE_DRAINING` | [`ready_while_draining`] | `off` |
/// | `LIFECYCLE_REPORT` | [`report_file`] | none |
/// | `LIFECYCLE_STALL_AFTER` | [`stall_after`] | `5s` |
/// | `LIFECYCLE_STALL_TIMEOUT` | [`stall_timeout`] | `30s`; `off` for never |
/// | `LIFECYCLE_STARTUP_TIMEOUT` | [`startup_timeout`] | `60s` |
/// | `LIFECYCLE_STRICT_BUDGET` | [`strict_budget`] | `off` |
/// | `LIFECYCLE_TERMINATION_LOG` | none | `/dev/termination-log`, if that is there |
/// | `LIFECYCLE_WORKERS` | [`Http::workers`] | the number of processors |
///
/// The rest of `grace` is what the shutdown hooks leave of the grace period. `LIFECYCLE_PLAN` is
/// one of `text`, `snapshot`, `mermaid`, `dot`, `json`, `kubernetes`, `compose`, `systemd` and
/// `dockerfile`.
///
/// [`admin`]: Self::admin
/// [`admin_details`]: Self::admin_details
/// [`admin_hosts`]: Self::admin_hosts
/// [`console`]: Self::console
/// [`console_format`]: Self::console_format
/// [`drain_delay`]: Self::drain_delay
/// [`drain_timeout`]: Self::drain_timeout
/// [`grace`]: Self::grace
/// [`keep_running`]: Self::keep_running
/// [`pid_file`]: Self::pid_file
/// [`quiet_window`]: Self::quiet_window
/// [`ready_while_draining`]: Self::ready_while_draining
/// [`report_file`]: Self::report_file
/// [`stall_after`]: Self::stall_after
/// [`stall_timeout`]: Self::stall_timeout
/// [`startup_timeout`]: Self::startup_timeout
/// [`strict_budget`]: Self::strict_budget
///
/// Any other name that begins with `LIFECYCLE_` is refused, with exit code 2. Variables that
/// Kubernetes and Docker set to point to a service named `lifecycle` or `lifecycle-web` are ignored
/// (`LIFECYCLE_WEB_SERVICE_HOST`, `LIFECYCLE_PORT_80_TCP`, …), and an empty variable counts as
/// unset. A program without a server ignores the variables for servers, and says so.
#[must_use = "nothing happens until `run` or `serve`"]
pub struct Lifecycle {
    pub(crate) config: Config,
    /// Set if it runs all registered hooks.
    is_of_all: bool,
    /// Hooks that the program names itself.
    named: Vec<&'static HookMeta>,
    /// Paths of hooks that have to be part of the run.
    pub(crate) expected: Vec<String>,
    pub(crate) servers: Vec<Http>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) on_report: OnReport,
    signals: bool,
    pub(crate) handle: StopHandle,
    info: Option<Info>,
    admin_routes: Vec<AdminRoutes>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// Makes a lifecycle of all registered hooks, without a server.
    ///
    /// Hooks register themselves wherever they are linked: in the program and in every library
    /// crate that it names. A crate that no code names is not linked, and neither are its hooks.
    /// Write `use that_crate as _;` for such a crate, and let [`expect_hooks`](Self::expect_hooks)
    /// report it if you forget.
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            is_of_all: true,
            named: Vec::new(),
            expected: Vec::new(),
            servers: Vec::new(),
            observers: Vec::new(),
            on_report: OnReport::default(),
            signals: true,
            handle: StopHandle::new(),
            info: None,
            admin_routes: Vec::new(),
        }
    }

    /// Makes a lifecycle of these hooks, of the hooks that they name, and of the teardowns of all
    /// of these, instead of all registered hooks: two lifecycles in one program can have hooks of
    /// their own.
    ///
    /// A lifecycle tears down everything that it starts. A teardown (`of = db`) comes with its
    /// hook, as if you had named it, and brings the hooks that it takes. It stays away if another
    /// teardown of that hook is among the given ones. [`Plan::new`] takes only the hooks that it is
    /// given and those that they name.
    ///
    /// ```
    /// use lifecycle_runtime::hook::Hook;
    /// use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};
    ///
    /// #[on_startup]
    /// async fn db() {}
    /// #[on_shutdown(of = db)]
    /// async fn close_db() {}
    /// #[on_startup]
    /// async fn import(db: Dep<db>) {}
    /// #[on_shutdown]
    /// async fn flush(db: Dep<db>) {}
    ///
    /// let plan = Lifecycle::of([import::META]).plan()?;
    /// assert!(plan.hooks().contains(&close_db::META));
    /// assert!(!plan.hooks().contains(&flush::META), "nothing names it");
    /// # Ok::<(), lifecycle_runtime::plan::PlanError>(())
    /// ```
    pub fn of(hooks: impl IntoIterator<Item = &'static HookMeta>) -> Self {
        Self { is_of_all: false, named: hooks.into_iter().collect(), ..Self::new() }
    }

    /// Adds an HTTP server: the closure that builds the app, or an [`Http`] with settings. Several
    /// are started and stopped together.
    ///
    /// The closure takes up to eight arguments, of the types that a hook can take. It is called for
    /// each worker once all startup hooks have succeeded, so a middleware can use their values:
    ///
    /// ```
    /// use actix_web::App;
    /// use actix_web::middleware::DefaultHeaders;
    /// use lifecycle_runtime::{Dep, Lifecycle, on_startup};
    ///
    /// #[on_startup]
    /// async fn region() -> String { "eu-1".to_owned() }
    ///
    /// let lifecycle = Lifecycle::new()
    ///     .http(|region: Dep<region>| {
    ///         let headers = DefaultHeaders::new().add(("x-region", region.as_str()));
    ///         App::new().wrap(headers)
    ///     });
    /// ```
    pub fn http<Marker>(mut self, http: impl IntoHttp<Marker>) -> Self {
        let http = http.into_http();
        self.named.extend(http.uses());
        self.servers.push(http);
        self
    }

    /// Refuses to run, with exit code 2, unless hooks of these [paths](HookMeta::path) are part of
    /// the run.
    ///
    /// A crate that no code names is not linked, and nothing else reveals that its hooks are
    /// missing. The error names each one, the path that is most like it, and the remedy.
    /// [`plan`](Self::plan) returns it, so that a unit test finds it, too.
    ///
    /// ```
    /// use lifecycle_runtime::Lifecycle;
    ///
    /// let error = Lifecycle::new().expect_hooks(["my_store::db"]).plan().unwrap_err();
    /// assert!(error.to_string().ends_with("write `use my_store as _;`"));
    /// ```
    pub fn expect_hooks(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.expected.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Adds an observer of the run's events: a type that implements [`Observer`], or a closure.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Adds a callback that takes the report of the run, before [`run`](Self::run) returns the exit
    /// code: for instance to send a last metric. [`report_file`](Self::report_file) writes it to a
    /// file. Several callbacks are called in the order in which they were added.
    ///
    /// A callback is called once, even for a run that [never began](Report::cause). It runs after
    /// every hook and every observer, on a thread of its own (`lifecycle-report`) outside of any
    /// async runtime; it may block. It has the rest of the grace period, and at least a fortieth of
    /// the whole period (500 ms if the period is longer than 20 s), or a part of that on a machine
    /// that is too busy to begin hooks in time. If the run never began, it has
    /// the grace period that is set here. One that has not returned then is left behind, and a line
    /// on stderr says so. A panic is caught. Neither changes the exit code.
    ///
    /// In a `TestApp`, and under [`serve`](Self::serve) on a current-thread runtime, the callback
    /// is called on the thread of the run.
    ///
    /// ```no_run
    /// use lifecycle_runtime::{Lifecycle, Report};
    /// use std::process::ExitCode;
    ///
    /// fn main() -> ExitCode {
    ///     let tell = |report: &Report| println!("the stop took {:?}", report.stop_took);
    ///     Lifecycle::new().on_report(tell).run()
    /// }
    /// ```
    pub fn on_report(self, callback: impl FnOnce(&Report) + Send + 'static) -> Self {
        self.on_report.add(callback);
        self
    }

    /// Returns a handle that stops the run from code.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.handle.clone()
    }

    /// Returns the plan of the run.
    ///
    /// With the feature `testing`, hooks of [test modules](crate::testing::guide#whose-hooks) are
    /// part of it only if the test that calls this sees them.
    ///
    /// # Errors
    ///
    /// Returns every problem that the compiler could not see, every hook that is
    /// [expected](Self::expect_hooks) and missing, reserves that don't fit into the grace period,
    /// and with [`strict_budget`](Self::strict_budget) a stop that may take longer than that.
    #[track_caller]
    pub fn plan(&self) -> Result<Plan, PlanError> {
        #[cfg(feature = "testing")]
        let view = registry::modules::View::from(std::panic::Location::caller());
        #[cfg(feature = "testing")]
        let sees = |hook: &HookMeta| view.has(hook);
        #[cfg(not(feature = "testing"))]
        let sees = |_: &HookMeta| true;
        self.planned(&sees)?.fitting(self.config.strict_budget)
    }

    /// Returns the plan of the hooks that `sees` accepts, even if its stop does not fit.
    pub(crate) fn planned(&self, sees: &dyn Fn(&HookMeta) -> bool) -> Result<Plan, PlanError> {
        let plan = Plan::new(self.hooks(sees))?;
        plan.has(&self.expected)?;
        Ok(self.with_settings(plan))
    }

    /// Returns the plan with the settings of this lifecycle.
    pub(crate) fn with_settings(&self, plan: Plan) -> Plan {
        let plan = plan.with_settings(self.config.stop_settings(!self.servers.is_empty()));
        plan.of(self.program(&self.config))
    }

    /// Returns the hooks of the run; of the registered hooks, only those that `sees` accepts.
    pub(crate) fn hooks(&self, sees: &dyn Fn(&HookMeta) -> bool) -> Vec<&'static HookMeta> {
        let registered = registry::hooks().filter(|hook| sees(hook));
        let named = self.named.iter().copied();
        if self.is_of_all {
            return registered.chain(named).collect();
        }
        with_teardowns(named.collect(), registered)
    }

    /// Runs the hooks and servers to the end and returns the exit code of the process: return it
    /// from `main`.
    ///
    /// Makes an async runtime for the hooks, listens for signals, and has a watchdog that ends the
    /// process by the grace period, whatever its code does. The codes are those of
    /// [`Report::exit_code`]; a third signal ends the process at once with 128 plus its number.
    ///
    /// This blocks the thread that calls it, even that of an async `main`; [`serve`](Self::serve)
    /// doesn't.
    ///
    /// A hook on the blocking pool that never returns keeps neither `run` from returning nor the
    /// process from ending.
    ///
    /// The process is to end after `run`. On the thread of `main` the deadline of the stop stays in
    /// force: whatever follows, such as the `Drop` of a value of `main` or an exit handler, has
    /// time until then. After that the watchdog ends the process, with the exit code of the run and
    /// a line on stderr. No signal changes that code; a third one ends the process at once with it.
    /// If another run begins, it takes over the process. A program that goes on for longer calls
    /// [`serve`](Self::serve). On any other thread, as in a test, the process is left as it was
    /// before.
    #[must_use = "return it from `main`: a process that failed should not exit with 0"]
    pub fn run(self) -> ExitCode {
        process::run(self)
    }

    /// Runs the hooks and servers to the end inside the caller's tokio runtime, and returns the
    /// report.
    ///
    /// The process belongs to the caller: no watchdog ends it, and the caller makes its exit code
    /// from [`Report::exit_code`]. On a single-threaded runtime a hook that blocks its thread holds
    /// everything up.
    ///
    /// The run listens for signals from the first poll until the future is done. After that they do
    /// what they do to any process.
    ///
    /// systemd is notified as under `run`: once the stop has begun, it takes the process for one
    /// that ends.
    ///
    /// Hooks run on the caller's runtime. The run itself has a thread of its own (`lifecycle-run`),
    /// unless the caller's is a current-thread runtime: then it is a task there.
    ///
    /// To drop the future is to ask for the stop: the run goes on to its end in order, and listens
    /// for signals until then. Give it the time: if the runtime is dropped first, the run is cut
    /// short, no further hook of its stop runs, and a line on stderr says so.
    ///
    /// ```
    /// # #[tokio::main] async fn main() {
    /// use lifecycle_runtime::Lifecycle;
    ///
    /// let lifecycle = Lifecycle::new();
    /// let handle = lifecycle.stop_handle();
    /// handle.stop();
    /// let report = lifecycle.serve().await;
    /// assert_eq!(report.exit_code(), 0, "nothing was started, as the program asked");
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with timers and I/O.
    pub async fn serve(self) -> Report {
        process::serve(self).await
    }
}
