//! The attributes of [`lifecycle-runtime`](https://docs.rs/lifecycle-runtime), which re-exports them: depend on that
//! crate, not on this one.

mod args;
mod attribute;
mod check;
mod duration;
mod errors;
mod expand;
mod kind;
mod model;
mod signal;
mod signature;
#[cfg(test)]
mod tests;
mod value;
mod words;

use proc_macro::TokenStream;

use kind::Kind;

/// Runs the function before the server listens. What it returns is the value of `Dep<name>`.
///
/// On `async fn` and `fn`; a plain `fn` runs on the blocking pool. The function may take `Dep<hook>`, `Stop`,
/// `StopHandle` and whatever else implements `Inject`, and return `()`, a value, or a `Result` of either. It stays as it
/// is, and an empty type of the same name and visibility appears beside it, which names the hook elsewhere.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | startup hooks of a lower order have all finished before one of a higher order starts | 0 |
/// | `after = [hook, …]` | startup hooks that this one uses, beyond its `Dep` arguments: they start before it and are torn down after everything that uses them | none |
/// | `timeout = "5s"` | how long the hook may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | what is left of `startup_timeout` |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// # Errors
///
/// A hook that returns an `Err`, panics or runs out of time ends the start: hooks that are running are cancelled, what
/// had started is torn down, and the process exits with 1.
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
#[proc_macro_attribute]
pub fn on_startup(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::attribute(Kind::Startup, args.into(), &item.into()).into()
}

/// Runs the function once every startup hook is done and the server listens: it can be reached already.
///
/// For what others are to hear only then: an announcement, a registration, a first request to oneself. The run is ready
/// when these hooks are done.
///
/// On `async fn` and `fn`, with the arguments and return types of `#[on_startup]`; the value that it returns is dropped.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | ready hooks of a lower order have all finished before one of a higher order starts | 0 |
/// | `after = [hook, …]` | ready hooks that finish before this one starts, and startup hooks that it uses | none |
/// | `timeout = "5s"` | how long the hook may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | what is left of `startup_timeout` |
/// | `crate = path` | where the runtime crate is, if it was renamed in Cargo.toml | `::lifecycle_runtime` |
///
/// # Errors
///
/// A hook that returns an `Err`, panics or runs out of time is a start that failed: hooks that are running are cancelled,
/// no further one starts, the server is drained, since it may have served already, drain and shutdown hooks run, and the
/// process exits with 1. A stop that is asked for meanwhile does the same.
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
#[proc_macro_attribute]
pub fn on_ready(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::attribute(Kind::Ready, args.into(), &item.into()).into()
}

/// Runs the function when the stop begins, while requests are still served.
///
/// For what takes back what an `#[on_ready]` hook said, and for telling those who hold connections open. It runs beside
/// `drain_delay` and the drain of the server, and shutdown hooks wait for both. What it uses is torn down later.
///
/// It runs if everything that it depends on had started and the run had come to listening. A failure, a panic or a timeout
/// is recorded, makes the exit code 3, and never keeps another hook from running. A second signal doesn't cut it short.
///
/// On `async fn` and `fn`, with the arguments and return types of `#[on_startup]`; the value that it returns is dropped.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `order = n` | drain hooks of a lower order have all finished before one of a higher order starts | 0 |
/// | `after = [hook, …]` | drain hooks that finish before this one starts, and startup hooks that it uses | none |
/// | `timeout = "5s"` | how long the hook may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | what the shutdown hooks leave of `grace` |
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
#[proc_macro_attribute]
pub fn on_drain(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::attribute(Kind::Drain, args.into(), &item.into()).into()
}

/// Runs the function while the process stops, after the server has drained and the drain hooks have ended.
///
/// It runs if everything that it depends on had started; one that depends on nothing always runs. With `of` it is the
/// *teardown* of a startup hook: it runs only if that one started, and once everything that uses it has ended. A failure,
/// a panic or a timeout is recorded, makes the exit code 3, and never keeps another hook from running.
///
/// On `async fn` and `fn`, with the arguments and return types of `#[on_startup]`.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `of = hook` | the startup hook that this one tears down; at most one teardown per hook | none |
/// | `order = n` | shutdown hooks of a lower order have all finished before one of a higher order starts | 0; a teardown stands outside these barriers |
/// | `after = [hook, …]` | shutdown hooks that finish before this one starts, and startup hooks that it uses | none |
/// | `before = [hook, …]` | shutdown hooks that start only once this one has finished | none |
/// | `timeout = "5s"` | how long the hook may take: whole numbers with `ms`, `s`, `m` or `h`, as in `"1m30s"` | what is left of `grace` |
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
#[proc_macro_attribute]
pub fn on_shutdown(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::attribute(Kind::Shutdown, args.into(), &item.into()).into()
}

/// Runs the function in the background, from the start until the process stops.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::attribute(Kind::Service, args.into(), &item.into()).into()
}

/// Runs the function again and again: what it returns says whether the process is well.
#[proc_macro_attribute]
pub fn health_check(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::attribute(Kind::HealthCheck, args.into(), &item.into()).into()
}

/// Runs the function each time that a signal arrives while the process serves.
#[proc_macro_attribute]
pub fn on_signal(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::attribute(Kind::Signal, args.into(), &item.into()).into()
}
