//! The face: what a program builds, runs and gets a report from.

mod drain;
mod drive;
mod on_report;
mod outputs;
mod phases;
mod prepare;
mod process;
mod progress;
mod reaction;
mod run;
#[cfg(test)]
mod tests;

#[cfg(feature = "testing")]
pub(crate) use reaction::{Reaction, Reactions};
#[cfg(feature = "testing")]
pub(crate) use run::{Conduct, Run, Servers};

use on_report::OnReport;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::event::Observer;
use crate::hook::HookMeta;
use crate::hook::stop::StopHandle;
use crate::observe::report::Report;
use crate::plan::{Plan, PlanError, with_teardowns};
use crate::process::config::{Config, LONGEST};
use crate::process::registry;
use crate::server::{Http, IntoHttp};

/// A process's life: the registered hooks, the servers, and how they are started and stopped.
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
/// | ready | the servers listen, `#[on_ready]` hooks run, and each readiness check once | `Starting`, then `Ready` until a reason to stop |
/// | drain | `#[on_drain]` hooks run, the servers finish their requests | `Draining` |
/// | stop | services end, `#[on_shutdown]` hooks run, what has started is torn down | `Stopping`, then `Stopped` |
///
/// Every setting that `LIFECYCLE_*` environment variables know overrides the one given here:
///
/// | variable | method | default |
/// |---|---|---|
/// | `LIFECYCLE_ADMIN` | [`admin`](Self::admin) | none |
/// | `LIFECYCLE_BIND` | [`Http::bind`] | `127.0.0.1:8080` |
/// | `LIFECYCLE_CONSOLE` | [`console`](Self::console) | `auto`; or `on`, `off` |
/// | `LIFECYCLE_DRAIN_DELAY` | [`drain_delay`](Self::drain_delay) | `0s`; in Kubernetes `5s`, at most a fifth of `grace` |
/// | `LIFECYCLE_DRAIN_TIMEOUT` | [`drain_timeout`](Self::drain_timeout) | what the shutdown hooks leave of the grace period, at least half of it |
/// | `LIFECYCLE_GRACE` | [`grace`](Self::grace) | `25s`; in a container outside of Kubernetes `9s` |
/// | `LIFECYCLE_KEEP_ALIVE` | [`Http::keep_alive`] | `75s`; `off` closes each connection after its response |
/// | `LIFECYCLE_KEEP_RUNNING` | [`keep_running`](Self::keep_running) | `off` |
/// | `LIFECYCLE_PLAN` | prints the plan as `text`, `snapshot`, `mermaid`, `dot` or `json` and exits | |
/// | `LIFECYCLE_QUIET_WINDOW` | [`quiet_window`](Self::quiet_window) | `250ms` |
/// | `LIFECYCLE_READY_WHILE_DRAINING` | [`ready_while_draining`](Self::ready_while_draining) | `off` |
/// | `LIFECYCLE_STARTUP_TIMEOUT` | [`startup_timeout`](Self::startup_timeout) | `60s` |
/// | `LIFECYCLE_STRICT_BUDGET` | [`strict_budget`](Self::strict_budget) | `off` |
/// | `LIFECYCLE_WORKERS` | [`Http::workers`] | the number of processors |
///
/// A name that begins so and that is none of these is refused, with exit code 2. Those that
/// Kubernetes and Docker set to point to a service named `lifecycle` or `lifecycle-web` are nothing
/// to a program (`LIFECYCLE_WEB_SERVICE_HOST`, `LIFECYCLE_PORT_80_TCP`, …), and a variable that is
/// empty is as good as unset. A program without a server ignores those that are for servers, and
/// says so.
#[must_use = "nothing happens until `run` or `serve`"]
pub struct Lifecycle {
    pub(crate) config: Config,
    /// Set for one of all registered hooks.
    is_of_all: bool,
    /// Hooks that the program names itself.
    named: Vec<&'static HookMeta>,
    /// Paths of hooks that have to be among them.
    pub(crate) expected: Vec<String>,
    pub(crate) servers: Vec<Http>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) on_report: OnReport,
    signals: bool,
    pub(crate) handle: StopHandle,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// A lifecycle of all registered hooks, without a server.
    ///
    /// Hooks register themselves wherever they are linked: in the program and in every library
    /// crate that it names. A crate that no code names is not linked, and its hooks with it: write
    /// `use that_crate as _;`, and have [`expect_hooks`](Self::expect_hooks) say so if that is
    /// forgotten.
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
        }
    }

    /// A lifecycle of these hooks, of what they name, and of the teardowns of all of these, instead
    /// of all registered ones: two lifecycles in one program can have hooks of their own.
    ///
    /// What is started is closed: a teardown (`of = db`) comes with its hook, as if it had been
    /// named, and brings what it takes itself; unless another teardown of that hook is among those
    /// that are given. [`Plan::new`] takes no more than what it is given and what that names.
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
    /// The closure takes up to eight arguments of those that a hook can take. It is called for each
    /// worker once all startup hooks are done, so a middleware can be made of what they have made:
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
    ///     .http(|region: Dep<region>| App::new().wrap(DefaultHeaders::new().add(("x-region", region.as_str()))));
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
    /// A crate that no code names is not linked, and nothing else tells that its hooks are missing.
    /// The error names each one, the path that is most like it, and what to do.
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

    /// Sets the time for the whole stop, from the signal to the end of the process. 25 s by
    /// default, which is inside the 30 s of Kubernetes; 9 s in another container (where
    /// `/.dockerenv` or `/run/.containerenv` exists), as `docker stop` kills after 10 s. The start
    /// says so in a line.
    ///
    /// Under [`run`](Self::run) the process is gone by then, whatever its code does. Zero is
    /// refused, with exit code 2.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace.min(LONGEST);
        self.config.grace_is_set = true;
        self
    }

    /// The time for the whole start, from the first startup hook to the last ready hook; 60 s by
    /// default. A start that takes longer has failed. Zero is refused, with exit code 2.
    pub fn startup_timeout(mut self, timeout: Duration) -> Self {
        self.config.startup_timeout = timeout.min(LONGEST);
        self
    }

    /// Sets the time for requests to finish once the listeners close: after the drain hooks and
    /// [`drain_delay`](Self::drain_delay).
    ///
    /// By default requests have what the shutdown hooks leave of the grace period, and at least
    /// half of it: half of what drain hooks and the delay leave, once the listeners close. With
    /// this set they have all of it, and hooks the rest: drain hooks at least a tenth of the grace
    /// period, and shutdown hooks as much, or their reserves. The limits of hooks are scaled into
    /// what is left for them, which the start warns about; what requests don't use flows on to the
    /// shutdown hooks.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = Some(timeout.min(LONGEST));
        self
    }

    /// Sets the time to go on accepting connections once the stop has begun and the drain hooks
    /// have ended, for load balancers that need time to notice. Responses announce the end of their
    /// connection meanwhile.
    ///
    /// 0 by default; 5 s in Kubernetes (where `KUBERNETES_SERVICE_HOST` is set), whose endpoints
    /// are updated while the signal is sent, and at most a fifth of the grace period. The start says
    /// so in a line. Ctrl-C on a terminal waits for no delay. One that would leave
    /// requests less than [`drain_timeout`](Self::drain_timeout), or than half of what there is for
    /// both, is cut short, which the start warns about.
    ///
    /// A program without a server waits for it as well, before it tells its services to stop, unless
    /// they have `stop_on = "drain"`: one of them may listen by itself.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.config.drain_delay = delay.min(LONGEST);
        self.config.drain_delay_is_set = true;
        self
    }

    /// The time for which connections stay open on which nothing is in flight, once the listener
    /// closes; 250 ms by default.
    ///
    /// A client may have sent its next request just before it could learn that the connection ends:
    /// within this window it is answered, with `Connection: close`. The window counts from when the
    /// client could use the connection: from its acknowledgement of the response before, the end of
    /// a TLS handshake, or the last bytes of a head that is still coming. On Linux three round
    /// trips of the connection come on top.
    ///
    /// It also bounds the margin that a handshake has which is under way when the listener closes.
    pub fn quiet_window(mut self, window: Duration) -> Self {
        self.config.quiet_window = window.min(LONGEST);
        self
    }

    /// Answers the [`probes`](crate::probes) on this address, too: `127.0.0.1:9000`, or any other
    /// form that [`Http::bind`] takes.
    ///
    /// A listener and a thread of their own: they answer before the first hook runs, while requests
    /// or hooks block every other thread, and until the process ends.
    pub fn admin(mut self, address: impl Into<String>) -> Self {
        self.config.admin = Some(address.into());
        self
    }

    /// Has `/readyz` go on to answer 200 while requests are drained; off by default, so that load
    /// balancers turn away at once.
    ///
    /// Kubernetes sends requests to pods that terminate if no other is left, but only to those that
    /// are ready: keep readiness on where that fallback matters more.
    pub fn ready_while_draining(mut self, ready: bool) -> Self {
        self.config.ready_while_draining = ready;
        self
    }

    /// Switches the lines on stderr that say what happens. By default (`LIFECYCLE_CONSOLE=auto`)
    /// they leave out what a [`tracing`](https://docs.rs/tracing) subscriber shows, or a logger of
    /// the crate `log`.
    ///
    /// | | writes |
    /// |---|---|
    /// | by default | each event that nobody shows by `tracing`. One that shows warnings only leaves the rest to the console; what is told at DEBUG, as that a hook begins, is left out if INFO is shown |
    /// | `console(true)` | each event, whatever `tracing` shows |
    /// | `console(false)` | no event |
    ///
    /// What is no event is written in any case, and once: the answer to SIGUSR1, a reason for which
    /// nothing is started, and a last line for exit code 1. That line has the reason, unless
    /// `tracing` has shown it.
    ///
    /// It is decided event by event, at the moment of the event and on its thread: a subscriber may
    /// be installed in `main`, or by a startup hook. See [the guide](crate::guide::logging).
    ///
    /// A pipe on stderr that nobody reads holds nothing up: 256 KiB of lines wait in memory. Beyond
    /// that the oldest are left out, and a line such as `lifecycle: … 12 lines left out` stands for
    /// them. A line is cut after 16 KiB.
    pub fn console(mut self, console: bool) -> Self {
        self.config.console = console.into();
        self
    }

    /// Refuses a plan whose stop may take longer than the grace period [at
    /// worst](Plan::worst_case_stop), with exit code 2. Off by default: the limits of its hooks are
    /// scaled, which is warned about.
    pub fn strict_budget(mut self, strict: bool) -> Self {
        self.config.strict_budget = strict;
        self
    }

    /// Has a program without a server go on when all of its services have ended well, until it is
    /// told to stop. Off by default: such a program has nothing left to do and ends with exit code
    /// 0.
    ///
    /// A program without services goes on in any case.
    pub fn keep_running(mut self, keep: bool) -> Self {
        self.config.keep_running = keep;
        self
    }

    /// Has the run hear signals; on by default. SIGTERM, SIGINT, SIGQUIT and SIGHUP (on Windows the
    /// console's events) stop it, the [hooks](crate::on_signal) of others run, and SIGUSR1, unless
    /// a hook is for it, shows on stderr what is going on, also if the [console](Self::console) is
    /// off: the state and for how long, the hooks and services that run, the requests in flight.
    /// Without, only a [`StopHandle`] stops it.
    ///
    /// They are heard from the first instruction of [`run`](Self::run) on, even if the process was
    /// started with them blocked. After it they change the exit code no more, until the process has
    /// gone. After [`serve`](Self::serve), when no run listens any more, those that stop do to the
    /// process what they do to any, and the others do nothing.
    pub fn signals(mut self, signals: bool) -> Self {
        self.signals = signals;
        self
    }

    /// Adds an observer of the run's events: a type that implements [`Observer`], or a closure.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Adds a callback that takes the report of the run, before [`run`](Self::run) returns the exit
    /// code: to write it to a file, or to send a last metric. Several are called in the order in
    /// which they were added.
    ///
    /// Called once, also for a run that [never began](Report::cause). It is on a thread of its own
    /// (`lifecycle-report`) outside of any async runtime, after every hook and every observer; it
    /// may block. It has what is left of the grace period, at least a fortieth of it (500 ms of more
    /// than 20 s), and the grace period that is set here if the run never began. One that
    /// has not returned then is left behind, and a line on stderr says so. A panic is caught.
    /// Neither changes the exit code.
    ///
    /// In a `TestApp`, and under [`serve`](Self::serve) on a current-thread runtime, it is called
    /// on the thread of the run.
    ///
    /// ```no_run
    /// use lifecycle_runtime::{Lifecycle, Report};
    /// use std::process::ExitCode;
    ///
    /// fn main() -> ExitCode {
    ///     let save = |report: &Report| {
    ///         if let Err(error) = std::fs::write("report.json", report.to_json().to_string()) {
    ///             eprintln!("no report: {error}");
    ///         }
    ///     };
    ///     Lifecycle::new().on_report(save).run()
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
    /// in it only if the test that calls this sees them.
    ///
    /// # Errors
    ///
    /// Every problem that the compiler could not see, every hook that is
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

    /// Returns the plan of the hooks that `sees` lets pass, even if its stop does not fit.
    pub(crate) fn planned(&self, sees: &dyn Fn(&HookMeta) -> bool) -> Result<Plan, PlanError> {
        let plan = Plan::new(self.hooks(sees))?;
        plan.has(&self.expected)?;
        Ok(self.with_settings(plan))
    }

    /// Plans the stop with the settings of this lifecycle.
    pub(crate) fn with_settings(&self, plan: Plan) -> Plan {
        plan.with_settings(self.config.stop_settings(!self.servers.is_empty()))
    }

    /// Returns the hooks of the run, of the registered ones those that `sees` lets pass.
    pub(crate) fn hooks(&self, sees: &dyn Fn(&HookMeta) -> bool) -> Vec<&'static HookMeta> {
        let registered = registry::hooks().filter(|hook| sees(hook));
        let named = self.named.iter().copied();
        if self.is_of_all {
            return registered.chain(named).collect();
        }
        with_teardowns(named.collect(), registered)
    }

    /// Runs to the end and returns the process's exit code: return it from `main`.
    ///
    /// Makes an async runtime for the hooks, hears signals, and has a watchdog that ends the
    /// process by the grace period, whatever its code does. The codes are those of
    /// [`Report::exit_code`]; a third signal ends the process at once with 128 plus its number.
    ///
    /// Blocks the thread that calls it, also that of an async `main`; [`serve`](Self::serve)
    /// doesn't.
    ///
    /// A hook on the blocking pool that never returns doesn't keep `run` from returning, nor the
    /// process from ending.
    ///
    /// After it, the process is to end. On the thread of `main` the deadline of the stop goes on to
    /// count: what follows, as the `Drop` of a value of `main` or an exit handler, has until then,
    /// and the watchdog ends the process after that, with the exit code of the run and a line on
    /// stderr. No signal changes that code; a third one ends the process at once with it. Another
    /// run takes the process over. A program that goes on for longer calls [`serve`](Self::serve).
    /// On any other thread, as in a test, the process is left as it was before.
    #[must_use = "return it from `main`: a process that failed should not exit with 0"]
    pub fn run(self) -> ExitCode {
        process::run(self)
    }

    /// Runs to the end inside the caller's tokio runtime, and returns the report.
    ///
    /// The process is the caller's: no watchdog ends it, and what its exit code is made of is
    /// [`Report::exit_code`]. On a single-threaded runtime a hook that blocks its thread holds
    /// everything up.
    ///
    /// Signals are heard from the first poll until the future is done, and do after that what they
    /// do to any process.
    ///
    /// Hooks run on the caller's runtime, and the run itself on a thread of its own
    /// (`lifecycle-run`), unless that is a current-thread runtime: then it is a task there.
    ///
    /// To drop the future asks for the stop: the run goes on to its end in order, and hears signals
    /// until then. Give it the time: what is dropped with the runtime is cut short, no hook of its
    /// stop runs any more, and a line on stderr says so.
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
    /// Outside of a tokio runtime with timers and I/O.
    pub async fn serve(self) -> Report {
        process::serve(self).await
    }
}
