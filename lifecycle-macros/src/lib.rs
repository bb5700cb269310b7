//! Attributes of [`lifecycle-runtime`](https://docs.rs/lifecycle-runtime), which re-exports them:
//! depend on that crate, not on this one.

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

/// Runs the function before the server listens. Its return value is the value of `Dep<name>`.
///
/// It goes on `async fn` and `fn`; a plain `fn` runs on the blocking pool. The function may take
/// `Dep<hook>`, `Stop`, `StopHandle` and any other type that implements `Inject`. It may return
/// `()`, a value, or a `Result` of either. The attribute leaves the function as it is, and adds an
/// empty type of the same name and visibility, by which other code names the hook.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | place among the startup hooks by number | 0 |
/// | `after = [hook, …]` | startup hooks and services that this one uses | none |
/// | `timeout = "5s"` | time limit of the hook | the rest of `startup_timeout` |
/// | `crate = path` | path of the runtime crate, if renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// - All startup hooks of a lower `order` finish before one of a higher order begins.
/// - Hooks in `after` add to those of the `Dep` arguments: they start before this one, and end
///   after everything that uses them.
/// - Times are whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"`.
///
/// # Errors
///
/// A hook that returns an `Err`, panics or times out ends the start: running hooks are cancelled,
/// what had started is torn down, and the process exits with 1. A hook that takes `Stop` is not
/// cancelled: it learns from `Stop` that the start has failed, and has the rest of its timeout to
/// end by itself.
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

/// Runs the function once every startup hook is done and the server listens, so that others can
/// already reach it.
///
/// Use it for what others should learn only then: an announcement, a registration, a first request
/// to the program itself. The run is ready when these hooks are done.
///
/// It goes on `async fn` and `fn`, with the arguments and return types of `#[on_startup]`. The
/// returned value is dropped.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | place among the ready hooks by number | 0 |
/// | `after = [hook, …]` | hooks that this one follows or uses | none |
/// | `timeout = "5s"` | time limit of the hook | the rest of `startup_timeout` |
/// | `crate = path` | path of the runtime crate, if renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// - All ready hooks of a lower `order` finish before one of a higher order begins.
/// - `after` names ready hooks that finish before this one begins, and startup hooks and services
///   that it uses.
/// - Times are whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"`.
///
/// # Errors
///
/// If a hook returns an `Err`, panics or times out, the start has failed: running hooks are
/// cancelled, and no further one begins. The server is drained, since it may have served already,
/// drain and shutdown hooks run, and the process exits with 1. A hook that takes `Stop` is not
/// cancelled: it learns from `Stop` that the start has failed, and has the rest of its timeout to
/// end by itself. A stop request meanwhile does the same and is no failure: the process
/// exits with 0 if the rollback succeeded.
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
/// Use it to take back what an `#[on_ready]` hook announced, and to notify clients that
/// hold connections open. The listener goes on accepting until the drain hooks have ended, and for
/// `drain_delay` after that, in which their effects spread; then it closes. A hook without a
/// `timeout` that doesn't end holds that up for half of the time until the shutdown hooks. What the
/// hook uses is torn down later.
///
/// The hook runs if everything that it depends on had started and the server had listened. A
/// failure, a panic or a timeout is recorded, makes the exit code 3, and never keeps another hook
/// from running. A second signal doesn't cut the hook short.
///
/// It goes on `async fn` and `fn`, with the arguments and return types of `#[on_startup]`. The
/// returned value is dropped.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | place among the drain hooks by number | 0 |
/// | `after = [hook, …]` | hooks that this one follows or uses | none |
/// | `timeout = "5s"` | time limit of the hook | a part of `grace`: see below |
/// | `crate = path` | path of the runtime crate, if renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// - All drain hooks of a lower `order` finish before one of a higher order begins.
/// - `after` names drain hooks that finish before this one begins, and startup hooks and services
///   that it uses.
/// - Times are whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"`. Without a server, the
///   default `timeout` is all that the shutdown hooks leave of `grace`. With one, it is half of
///   that, or what `drain_timeout` leaves of that.
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
/// The hook runs if everything that it depends on had started; a hook without dependencies always
/// runs. With `of` it is the *teardown* of a startup hook: it runs only if that hook succeeded, and
/// once everything that uses its value has ended. A failure, a panic or a timeout is recorded,
/// makes the exit code 3, and never keeps another hook from running.
///
/// It goes on `async fn` and `fn`, with the arguments and return types of `#[on_startup]`.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `of = hook` | startup hook that this one tears down | none |
/// | `order = n` | place among the shutdown hooks by number | 0; none for a teardown |
/// | `after = [hook, …]` | hooks that this one follows or uses | none |
/// | `before = [hook, …]` | shutdown hooks and services that end later | none |
/// | `timeout = "5s"` | time limit of the hook | the rest of `grace` |
/// | `reserve = "5s"` | time that the hook has in any case | none |
/// | `crate = path` | path of the runtime crate, if renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// - A startup hook has at most one teardown.
/// - All shutdown hooks of a lower `order` finish before one of a higher order begins. A teardown
///   stands outside of these barriers.
/// - `after` names shutdown hooks that finish before this one begins, startup hooks that it uses,
///   and services that end before it. The hook does not run if these startup hooks and services had
///   not started.
/// - `before` names shutdown hooks that begin, and services that are told to stop, only once this
///   hook has finished.
/// - Times are whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"`. `timeout` is a limit and
///   no claim: requests come first.
/// - `reserve` is the part of `grace` that the hook keeps, whatever requests need. It is not longer
///   than `timeout`.
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
/// Use it for work beside the requests, such as taking jobs from a queue, following a file or
/// keeping in touch with a peer. An `async fn` is a task; a plain `fn` has a thread of its own.
/// Both take the arguments of `#[on_startup]` functions. Their `Stop` is the service's own: it
/// fires when this service should end. A service that takes a `Service` says when it is ready, and
/// can run tasks of its own; any other is ready at once. Whatever needs the service waits until it
/// is ready.
///
/// The service is told to stop once the server has drained, the drain hooks have ended, and
/// everything that needs it has ended; or, with `stop_on = "drain"`, when the stop begins. If it
/// has not ended after its `stop_timeout`, it is cancelled. A thread can't be cancelled: a service
/// that goes on is abandoned and reported.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `after = [hook, …]` | startup hooks and services that this one uses | none |
/// | `restart = "on_failure"` | ends after which the service is run again | `"never"` |
/// | `backoff = "100ms..30s"` | first and longest wait before a restart | `"100ms..30s"` |
/// | `max_restarts = "5 in 1m"` | most restarts in a window of time | `"5 in 1m"` |
/// | `stop_timeout = "10s"` | time limit of the stop of the service | the rest of `grace` |
/// | `reserve = "5s"` | time that its stop has in any case | none |
/// | `stop_on = "drain"` | part of the stop in which it is told to stop | `"shutdown"` |
/// | `on_exit = "stop"` | consequence of its failure for good | `"stop"` |
/// | `crate = path` | path of the runtime crate, if renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// - Hooks in `after` add to those of the `Dep` arguments: they start before the service, and end
///   after it.
/// - `restart` is `"never"`, `"on_failure"` or `"always"`.
/// - `backoff` doubles after each restart, minus up to half of it at random. It starts again from
///   the first time after a run longer than the longest. The second time can be left out.
/// - A service that would need more restarts than `max_restarts` in any window of that length has
///   failed for good. Use `"unlimited"` for a dependency that may be away for as long as it likes.
/// - Times are whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"`.
/// - `reserve` is the part of `grace` that the service keeps to end in, whatever requests need. It
///   is not longer than `stop_timeout`.
/// - With `stop_on = "drain"` the service is told to stop when the stop begins, so that it takes in
///   no more work while requests are served. With `"shutdown"` it is told once the server has
///   drained. Either way it is awaited then.
/// - With `on_exit = "stop"` the process stops in order and exits with 3. With `"ignore"` the
///   failure is recorded, and the process goes on as if the service were not there.
///
/// `backoff` and `max_restarts` are only for services that are restarted: without `restart` they
/// are a compile error.
///
/// # Errors
///
/// An `Err` and a panic are failures, even a panic of a task that the service spawned. A service
/// that fails and is not restarted has failed for good; if it was not ready yet, the start has
/// failed, too. A service that ends well is done, unless it is restarted `"always"`. While it backs
/// off, and until it is ready again, `/readyz` answers 503, unless its end is ignored.
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

/// Runs the function again and again, to find out if the process is well.
///
/// It goes on `async fn` and `fn`, with the arguments of `#[on_startup]`. The function returns
/// nothing, or a `Result` of nothing with any error: an `Err`, a panic and a timeout are failures,
/// and a `bool` is refused. Failures count once there are `failures` of them in a row, until the
/// check succeeds again. They never end the process, and never change its exit code.
///
/// A check never runs beside itself, and checks of one interval run spread over it. A probe answers
/// with the last results and waits for none. The last checks run before the stop begins, and the
/// first by their kind:
///
/// - Readiness checks run first as the last step of the start, after the ready hooks, all side by
///   side. The run is ready when each has ended, or `startup_timeout` has passed. A first failure
///   does not fail the start, and counts at once: `/readyz` is 503 until the check has succeeded
///   once. From then on `failures` of them count.
/// - Liveness checks run first once the run is ready. Until then they count as a success: whoever
///   kills a process needs a reason.
/// - Startup checks run as soon as what they need has started, and until they succeed. `/startupz`
///   and `/readyz` are 503 until then.
///
/// A plain `fn` that does not end in time fails, and does not run again before it has ended.
///
/// When the stop begins, a running check is cancelled. A plain `fn` can't be cancelled: what it
/// uses is torn down only after it has ended, or after the time of the shutdown hooks has begun.
/// Once the stop has begun, `/livez` is 200, even if liveness checks had failed, as killing a
/// process that stops would only keep it from stopping well.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `after = [hook, …]` | startup hooks and services that this one uses | none |
/// | `kind = "readiness"` | probe for which it counts | `"readiness"` |
/// | `interval = "10s"` | time from one run to the next | 10 s |
/// | `timeout = "1s"` | time limit of one run | 1 s |
/// | `failures = 3` | number of failures in a row that count | 3 |
/// | `crate = path` | path of the runtime crate, if renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// - Hooks in `after` add to those of the `Dep` arguments.
/// - A check of the kind `"readiness"` tells if requests should come here (`/readyz`), one of
///   `"liveness"` if the process should be replaced (`/livez`), and one of `"startup"` if the start
///   is over (`/startupz`).
/// - `interval` is not shorter than `timeout`. Times are whole numbers with `ms`, `s`, `m` or `h`,
///   as in `"1m30s"`.
/// - Before a readiness check has succeeded once, one failure counts, whatever `failures` says.
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
/// It goes on `async fn` and `fn`, with the arguments and return types of `#[on_startup]`. The
/// returned value is dropped. A failure, a panic or a timeout is only recorded: the process goes
/// on, and the next signal runs the hook again.
///
/// Hooks of one signal run one after the other, those of two signals side by side. Signals that
/// arrive while their hooks run make them run once more, however many they are. A signal that
/// arrives during the start is handled when the start is over. Once the stop has begun, no signal
/// runs a hook. The stop waits for a running hook as long as the time of the shutdown hooks allows,
/// unless a second signal hurries it.
///
/// The signal comes first: `SIGHUP`, `SIGUSR1`, `SIGUSR2`, `SIGWINCH`, `SIGALRM`, `SIGCHLD`,
/// `SIGCONT`, `SIGIO`, `SIGPIPE`, `SIGPROF`, `SIGTSTP`, `SIGTTIN`, `SIGTTOU`, `SIGURG`,
/// `SIGVTALRM`, `SIGXCPU` or `SIGXFSZ`. On `SIGUSR1` a process reports what is going on, unless a
/// hook takes that signal. `SIGHUP` begins the stop, unless a hook takes it, or it was ignored when
/// the process began. `SIGTERM`, `SIGINT` and `SIGQUIT` always begin the stop: use `#[on_drain]`
/// and `#[on_shutdown]` for them. On systems without these signals, such as Windows, the hook never
/// runs.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `after = [hook, …]` | hooks that this one follows or uses | none |
/// | `timeout = "5s"` | time limit of one run | as long as the process serves |
/// | `crate = path` | path of the runtime crate, if renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// - `after` names hooks of the same signal that run before this one, and startup hooks and
///   services that it uses.
/// - Times are whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"`.
///
/// # Example
///
/// This value can change: a reload that fails leaves the old one, and the console says why.
/// `arc-swap` and `tokio::sync::watch` serve the same purpose.
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
/// passes at once. If it takes arguments, an app has started when the test begins, and the
/// arguments come from that app. `TestApp` is the app itself; `Dep<hook>`, `Stop`, `StopHandle` and
/// any other type that implements `Inject` are what a hook would get. Without arguments and without
/// a `setup` it has no app, only paused time.
///
/// A test sees the hooks of the program. Of the hooks in test code it sees those that belong to its
/// module: see `testing::guide`.
///
/// When the test is over, every app that it has not stopped is stopped: the one that it was given,
/// and those that it started itself.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `setup = function` | path of a `fn() -> TestAppBuilder` | `TestApp::builder` |
/// | `start_paused = false` | real time, for real files, databases and connections | `true` |
/// | `crate = path` | path of the runtime crate, if renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// - `setup` makes the app. `TestApp::builder` makes one of all registered hooks that the test
///   sees, without a server.
/// - `testing::real_io` is for real files, databases and connections on paused time.
///
/// `#[should_panic]`, `#[ignore]`, `#[cfg]` and all other attributes of tests keep their meaning.
/// The function returns `()`, a `Result` or anything else that implements
/// [`Termination`](std::process::Termination).
///
/// # Errors
///
/// The test fails, at its own line, if the app does not start, if the function panics or returns an
/// `Err`, or if an app that it has left running does not stop cleanly. If a stop should not be
/// clean, stop the app in the test and look at the report.
///
/// # Its name
///
/// Write the attribute with its path. `use lifecycle_runtime::test` replaces every `#[test]` of
/// that module by this attribute, and a plain `fn` under it becomes an error that says so. After
/// `use lifecycle_runtime::*` rustc asks which of the two a `#[test]` is (E0659).
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
