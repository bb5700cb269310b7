//! The attributes of [`lifecycle-runtime`](https://docs.rs/lifecycle-runtime), which re-exports
//! them: depend on that crate, not on this one.

mod args;
mod attribute;
mod check;
mod duration;
mod errors;
mod expand;
mod invisible;
mod kind;
mod model;
mod signal;
mod signature;
mod surroundings;
#[cfg(test)]
mod tests;
mod value;
mod words;

use proc_macro::TokenStream;

use kind::Kind;

/// Runs the function before the server listens. What it returns is the value of `Dep<name>`.
///
/// On `async fn` and `fn`; a plain `fn` runs on the blocking pool. The function may take
/// `Dep<hook>`, `Stop`, `StopHandle` and whatever else implements `Inject`, and return `()`, a
/// value, or a `Result` of either. It stays as it is, and an empty type of the same name and
/// visibility appears beside it, which names the hook elsewhere.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | startup hooks of a lower order have all finished before one of a higher order starts | 0 |
/// | `after = [hook, …]` | startup hooks and services that this one uses, beyond its `Dep` arguments: they start before it, and end after everything that uses them | none |
/// | `timeout = "5s"` | how long the hook may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | what is left of `startup_timeout` |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// # Errors
///
/// A hook that returns an `Err`, panics or runs out of time ends the start: hooks that are running
/// are cancelled, what had started is torn down, and the process exits with 1. A hook that takes
/// `Stop` is not cancelled then: it learns from that, and has the rest of its timeout to end by
/// itself.
///
/// # Example
///
/// ```
/// use lifecycle_runtime::{Dep, on_startup};
///
/// #[on_startup(timeout = "10s")]
/// async fn config() -> std::io::Result<String> {
///     std::fs::read_to_string("app.toml")
/// }
///
/// /// Runs once `config` is there.
/// #[on_startup]
/// fn parsed(config: Dep<config>) -> usize {
///     config.len()
/// }
/// ```
///
/// Programs to copy from: `examples/tour/examples/01_value.rs` and, with several hooks,
/// `examples/tour/examples/04_order.rs`.
#[proc_macro_attribute]
pub fn on_startup(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Startup, args.into(), &item.into()).into()
}

/// Runs the function once every startup hook is done and the server listens: it can be reached
/// already.
///
/// For what others are to hear only then: an announcement, a registration, a first request to
/// oneself. The run is ready when these hooks are done.
///
/// On `async fn` and `fn`, with the arguments and return types of `#[on_startup]`; the value that
/// it returns is dropped.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | ready hooks of a lower order have all finished before one of a higher order starts | 0 |
/// | `after = [hook, …]` | ready hooks that finish before this one starts, and startup hooks and services that it uses | none |
/// | `timeout = "5s"` | how long the hook may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | what is left of `startup_timeout` |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// # Errors
///
/// A hook that returns an `Err`, panics or runs out of time is a start that failed: hooks that are
/// running are cancelled, no further one starts, the server is drained, since it may have served
/// already, drain and shutdown hooks run, and the process exits with 1. A hook that takes `Stop` is
/// not cancelled then: it learns from that, and has the rest of its timeout to end by itself. A
/// stop that is asked for meanwhile does the same, and is no failure: the process exits with 0 if
/// everything was rolled back well.
///
/// # Example
///
/// ```
/// use lifecycle_runtime::{Dep, on_ready, on_startup};
///
/// #[on_startup]
/// async fn registry() -> Vec<&'static str> {
///     vec!["registry.local"]
/// }
///
/// /// Whoever reads this may send requests.
/// #[on_ready(timeout = "2s")]
/// async fn announce(registry: Dep<registry>) {
///     println!("tell {}", registry[0]);
/// }
/// ```
///
/// A program to copy from: `examples/tour/examples/05_drain.rs`.
#[proc_macro_attribute]
pub fn on_ready(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Ready, args.into(), &item.into()).into()
}

/// Runs the function when the stop begins, while requests are still served.
///
/// For what takes back what an `#[on_ready]` hook said, and for telling those who hold connections
/// open. The listener goes on accepting until the drain hooks have ended, and for `drain_delay`
/// after that, in which what they did spreads; then it closes. A hook without a `timeout` that
/// doesn't end holds that up for half of the time until the shutdown hooks. What it uses is torn
/// down later.
///
/// It runs if everything that it depends on had started and the run had come to listening. A
/// failure, a panic or a timeout is recorded, makes the exit code 3, and never keeps another hook
/// from running. A second signal doesn't cut it short.
///
/// On `async fn` and `fn`, with the arguments and return types of `#[on_startup]`; the value that
/// it returns is dropped.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | drain hooks of a lower order have all finished before one of a higher order starts | 0 |
/// | `after = [hook, …]` | drain hooks that finish before this one starts, and startup hooks and services that it uses | none |
/// | `timeout = "5s"` | how long the hook may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | with a server half of what the shutdown hooks leave of `grace`, or what `drain_timeout` leaves of that; without one all of it |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// # Example
///
/// ```
/// use lifecycle_runtime::{Dep, on_drain, on_startup};
///
/// #[on_startup]
/// async fn registry() -> Vec<&'static str> {
///     vec!["registry.local"]
/// }
///
/// #[on_drain(timeout = "2s")]
/// async fn withdraw(registry: Dep<registry>) -> std::io::Result<()> {
///     println!("tell {}", registry[0]);
///     Ok(())
/// }
/// ```
///
/// A program to copy from: `examples/tour/examples/05_drain.rs`.
#[proc_macro_attribute]
pub fn on_drain(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Drain, args.into(), &item.into()).into()
}

/// Runs the function while the process stops, after the server has drained, the drain hooks have
/// ended, and the services that it does not precede have stopped.
///
/// It runs if everything that it depends on had started; one that depends on nothing always runs.
/// With `of` it is the *teardown* of a startup hook: it runs only if that one started, and once
/// everything that uses it has ended. A failure, a panic or a timeout is recorded, makes the exit
/// code 3, and never keeps another hook from running.
///
/// On `async fn` and `fn`, with the arguments and return types of `#[on_startup]`.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `of = hook` | the startup hook that this one tears down; at most one teardown per hook | none |
/// | `order = n` | shutdown hooks of a lower order have all finished before one of a higher order starts | 0; a teardown stands outside these barriers |
/// | `after = [hook, …]` | shutdown hooks that finish before this one starts, startup hooks that it uses, and services that end before it; it does not run where those had not started | none |
/// | `before = [hook, …]` | shutdown hooks that start, and services that are told to stop, only once this one has finished | none |
/// | `timeout = "5s"` | how long the hook may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"`. A limit and no claim: requests come first | what is left of `grace` |
/// | `reserve = "5s"` | the part of `grace` that this hook has for sure, whatever requests need; not longer than `timeout` | none |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// # Example
///
/// ```
/// use lifecycle_runtime::{Dep, on_shutdown, on_startup};
///
/// #[on_startup]
/// async fn audit_log() -> std::io::Result<std::fs::File> {
///     std::fs::File::create(std::env::temp_dir().join("audit.log"))
/// }
///
/// #[on_shutdown(of = audit_log, timeout = "5s")]
/// fn close_audit_log(log: Dep<audit_log>) -> std::io::Result<()> {
///     log.sync_all()
/// }
/// ```
///
/// A program to copy from: `examples/tour/examples/01_value.rs`.
#[proc_macro_attribute]
pub fn on_shutdown(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Shutdown, args.into(), &item.into()).into()
}

/// Runs the function in the background, from the start until the process stops.
///
/// For what works beside the requests: takes from a queue, follows a file, keeps in touch with a
/// peer. An `async fn` is a task; a plain `fn` has a thread of its own. Both take what
/// `#[on_startup]` functions take. Their `Stop` is the service's own: it fires when this service is
/// to end. One that takes a `Service` says when it is ready, and can run tasks of its own; any
/// other is ready at once. What needs the service waits until it is ready.
///
/// It is told to stop once the server has drained, the drain hooks have ended, and all that needs
/// it has ended; or, with `stop_on = "drain"`, when the stop begins. If it has not ended after its
/// `stop_timeout`, it is cancelled, and abandoned and reported if that is of no use, as a thread
/// can't be cancelled.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `after = [hook, …]` | startup hooks and services that this one uses, beyond its `Dep` arguments: they start before it, and end after it | none |
/// | `restart = "on_failure"` | after which ends it is run again: `"never"`, `"on_failure"` or `"always"` | `"never"` |
/// | `backoff = "100ms..30s"` | how long to wait before that, at first and at most: doubled each time, less up to half of it by chance, and back at first after a run longer than that. The second time can be left out | `"100ms..30s"` |
/// | `max_restarts = "5 in 1m"` | how many restarts any window of this length may have: beyond that, it has failed for good; `"unlimited"` for a dependency that may be away for as long as it likes | `"5 in 1m"` |
/// | `stop_timeout = "10s"` | how long it may take to end when it is told to: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | what is left of `grace` |
/// | `reserve = "5s"` | the part of `grace` that it has for sure to end in, whatever requests need; not longer than `stop_timeout` | none |
/// | `stop_on = "drain"` | when it is told to stop: `"drain"`: when the stop begins, so that it takes in no more work while requests are served; `"shutdown"`: once the server has drained. Either way it is awaited then | `"shutdown"` |
/// | `on_exit = "stop"` | what follows when it has failed for good: `"stop"`: the process stops in order and exits with 3; `"ignore"`: it is recorded, and the process goes on as if it were not there | `"stop"` |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// `backoff` and `max_restarts` are for services that are restarted: without a `restart` they are a
/// compile error.
///
/// # Errors
///
/// An `Err` and a panic are failures, also a panic of a task that it spawned. A service that fails
/// and is not restarted has failed for good; if it was not ready yet, so has the start. One that
/// ends well is done, unless it is restarted `"always"`. While it backs off, and until it is ready
/// again, `/readyz` answers 503, unless its end is ignored.
///
/// # Example
///
/// ```
/// use lifecycle_runtime::{Dep, Stop, on_startup, service};
/// use std::path::PathBuf;
///
/// #[on_startup]
/// async fn data_dir() -> PathBuf {
///     std::env::temp_dir()
/// }
///
/// /// Tells other programs that this one is here.
/// #[service(restart = "on_failure", backoff = "100ms..10s", stop_timeout = "5s")]
/// async fn pid_file(dir: Dep<data_dir>, stop: Stop) -> std::io::Result<()> {
///     let path = dir.join("example.pid");
///     std::fs::write(&path, std::process::id().to_string())?;
///     stop.requested().await;
///     std::fs::remove_file(&path)
/// }
/// ```
///
/// A program to copy from: `examples/tour/examples/02_service.rs`.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Service, args.into(), &item.into()).into()
}

/// Runs the function again and again: what comes of it says whether the process is well.
///
/// On `async fn` and `fn`, with the arguments of `#[on_startup]`. It returns nothing, or a `Result`
/// of nothing with any error: an `Err`, a panic and a timeout are failures, and a `bool` would be
/// none. They count once there are `failures` of them in a row, until the check succeeds again;
/// they never end the process, and never change its exit code.
///
/// A check never runs beside itself, checks of one interval run spread over it, and a probe answers
/// with the last results and waits for none. The last checks run before the stop begins, the first
/// by their kind:
///
/// | kind | runs first | until then, and if that fails |
/// |---|---|---|
/// | readiness | as the last step of the start, behind the ready hooks, all side by side: the run is ready when each has ended, or `startup_timeout` has passed | a first failure does not fail the start, and counts at once: `/readyz` is 503 until the check has succeeded once. From then on `failures` of them count |
/// | liveness | once the run is ready | it counts as a success: whoever kills a process needs a reason |
/// | startup | as soon as what it needs has started, and until it succeeds | `/startupz` and `/readyz` are 503 until it has succeeded |
///
/// A plain `fn` that does not end in time is not
/// run again before it has, and fails meanwhile.
///
/// When the stop begins a run that is going on is cancelled. A plain `fn` can't be: nothing that it
/// uses is torn down before it has ended, or the time of the shutdown hooks begins. From then on
/// `/livez` is 200, whatever checks of liveness said, as whoever kills a process that stops only
/// keeps it from stopping well.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `after = [hook, …]` | startup hooks and services that this one uses, beyond its `Dep` arguments | none |
/// | `kind = "readiness"` | what it counts for: `"readiness"`: whether requests should come here, `/readyz`; `"liveness"`: whether the process should be replaced, `/livez`; `"startup"`: whether the start is over, `/startupz` | `"readiness"` |
/// | `interval = "10s"` | the time from one run to the next; not shorter than the timeout | 10 s |
/// | `timeout = "1s"` | how long one run may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | 1 s |
/// | `failures = 3` | how many failures in a row count, once a readiness check has succeeded; before that one does | 3 |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// The defaults are those of the probes of Kubernetes.
///
/// # Example
///
/// ```
/// use lifecycle_runtime::{Dep, health_check, on_startup};
/// use std::path::PathBuf;
///
/// #[on_startup]
/// async fn data_dir() -> PathBuf {
///     std::env::temp_dir()
/// }
///
/// /// Without the folder no request can be answered.
/// #[health_check(interval = "5s", failures = 2)]
/// fn data_dir_is_there(dir: Dep<data_dir>) -> std::io::Result<()> {
///     dir.metadata().map(drop)
/// }
/// ```
///
/// A program to copy from: `examples/tour/examples/03_health.rs`.
#[proc_macro_attribute]
pub fn health_check(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::HealthCheck, args.into(), &item.into()).into()
}

/// Runs the function each time that a signal arrives while the process serves.
///
/// On `async fn` and `fn`, with the arguments and return types of `#[on_startup]`; the value that
/// it returns is dropped. A failure, a panic or a timeout is recorded, and that is all: the process
/// goes on, and the next signal runs the hook again.
///
/// Hooks of one signal run one after the other, those of two signals side by side. Signals that
/// arrive while hooks of theirs run make them run once more, however many they are. One that
/// arrives during the start is heard when it is over; none is once the stop has begun, which waits
/// for a hook that runs as long as the time of the shutdown hooks allows, unless a second signal
/// hurries it.
///
/// The signal comes first: `SIGHUP`, `SIGUSR1`, `SIGUSR2`, `SIGWINCH`, `SIGALRM`, `SIGCHLD`,
/// `SIGCONT`, `SIGIO`, `SIGPIPE`, `SIGPROF`, `SIGTSTP`, `SIGTTIN`, `SIGTTOU`, `SIGURG`,
/// `SIGVTALRM`, `SIGXCPU` or `SIGXFSZ`. On `SIGUSR1` a process says what is going on, unless a hook
/// takes it. `SIGHUP` begins the stop, unless a hook takes it, or it was ignored when the process
/// began. `SIGTERM`, `SIGINT` and `SIGQUIT` always do: for them there are `#[on_drain]` and
/// `#[on_shutdown]`. Where there are no such signals, as on Windows, the hook never runs.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `after = [hook, …]` | hooks of the same signal that run before this one, and startup hooks and services that it uses | none |
/// | `timeout = "5s"` | how long one run may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | as long as the process serves |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// # Example
///
/// A value that can change: a reload that fails leaves the old one, and the console says why.
/// `arc-swap` and `tokio::sync::watch` are made for it, too.
///
/// ```
/// use lifecycle_runtime::{Dep, on_signal, on_startup};
/// use std::sync::{Arc, PoisonError, RwLock};
///
/// fn read() -> std::io::Result<Arc<str>> {
///     std::fs::read_to_string("greeting.txt").map(Arc::from)
/// }
///
/// #[on_startup]
/// fn greeting() -> std::io::Result<RwLock<Arc<str>>> {
///     read().map(RwLock::new)
/// }
///
/// #[on_signal(SIGHUP, timeout = "5s")]
/// fn reload_greeting(greeting: Dep<greeting>) -> std::io::Result<()> {
///     let new = read()?;
///     *greeting.write().unwrap_or_else(PoisonError::into_inner) = new;
///     Ok(())
/// }
/// ```
///
/// A program to copy from: `examples/tour/examples/06_reload.rs`.
#[proc_macro_attribute]
pub fn on_signal(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Signal, args.into(), &item.into()).into()
}

/// Runs the function as a test, with an app of the registered hooks beside it. With the feature
/// `testing`.
///
/// The test is an `async fn` on a runtime of one thread, on paused time: a timeout of an hour
/// passes at once. If it takes arguments, an app has started when it begins, and they come out of
/// it: `TestApp` is the app itself; `Dep<hook>`, `Stop`, `StopHandle` and whatever else implements
/// `Inject` are what a hook would be given. Without arguments and without a `setup` it has no app,
/// only paused time.
///
/// A test sees the hooks of the program, and of those in test code the ones that belong to its
/// module: see `testing::guide`.
///
/// An app that the test has not stopped is stopped when it is over: the one that it was given, and
/// those that it has started itself.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `setup = function` | what makes the app: the path of a `fn() -> TestAppBuilder` | `TestApp::builder`: all registered hooks that the test sees, and no server |
/// | `start_paused = false` | real time, for real files, databases and connections; see `testing::real_io` for these on paused time | `true` |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// `#[should_panic]`, `#[ignore]`, `#[cfg]` and whatever else may stand on a test keep their
/// meaning. What the function returns is `()`, a `Result` or anything else that implements
/// [`Termination`](std::process::Termination).
///
/// # Errors
///
/// The test fails, at its own line, if the app does not start, if the function panics or returns an
/// `Err`, and if an app that it has left running does not stop cleanly. To look at a stop that is
/// not clean, stop the app in the test, and look at the report.
///
/// # Its name
///
/// Write it with its path. `use lifecycle_runtime::test` makes every `#[test]` of that module this
/// one, and a plain `fn` under it an error that says so; after `use lifecycle_runtime::*` rustc
/// asks which of the two a `#[test]` is (E0659).
///
/// # Example
///
/// ```test_harness
/// use lifecycle_runtime::testing::{TestApp, TestAppBuilder};
/// use lifecycle_runtime::{BoxError, Dep, on_shutdown, on_startup};
///
/// #[on_startup]
/// async fn db() -> Vec<String> { vec!["a row of the real database".to_owned()] }
///
/// #[on_shutdown(of = db, timeout = "5s")]
/// async fn close_db(_db: Dep<db>) {}
///
/// #[lifecycle_runtime::test]
/// async fn the_database_has_a_row(db: Dep<db>) {
///     assert_eq!(db.len(), 1);
/// }
///
/// fn faked() -> TestAppBuilder {
///     TestApp::builder().replace::<db>(vec!["7".to_owned()])
/// }
///
/// #[lifecycle_runtime::test(setup = faked)]
/// async fn rows_are_numbers(db: Dep<db>) -> Result<(), BoxError> {
///     for row in db.iter() {
///         row.parse::<u32>()?;
///     }
///     Ok(())
/// }
///
/// fn hanging() -> TestAppBuilder {
///     TestApp::builder().hang::<close_db>()
/// }
///
/// /// Five seconds that nobody waits for.
/// #[lifecycle_runtime::test(setup = hanging)]
/// async fn a_database_that_does_not_close_is_reported(app: TestApp) {
///     let report = app.stop().await;
///     report.assert_failed::<close_db>("ran into its timeout").assert_exit_code(3);
/// }
/// ```
///
/// A program to copy from: `examples/tour/examples/08_testing.rs`.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::test(args.into(), &item.into()).into()
}
