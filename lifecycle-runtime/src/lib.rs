//! Framework that starts and stops an actix-web service in dependency order.
//!
//! An attribute on a function makes it a startup hook, a background service or a shutdown hook.
//! Graceful shutdown drops no requests, and keeps its deadlines.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use actix_web::{App, Responder, get};
//! use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};
//!
//! /// Returns the value of `Dep<greetings>`, for other hooks and for request handlers.
//! #[on_startup(timeout = "10s")]
//! async fn greetings() -> std::io::Result<Vec<String>> {
//!     Ok(vec!["hello".to_owned(), "moin".to_owned()])
//! }
//!
//! /// Runs in the stop, before `greetings` goes away, because it takes them.
//! #[on_shutdown]
//! fn say_goodbye(greetings: Dep<greetings>) {
//!     println!("{} greetings were ready", greetings.len());
//! }
//!
//! #[get("/")]
//! async fn hello(greetings: Dep<greetings>) -> impl Responder {
//!     greetings.join(", ")
//! }
//!
//! fn main() -> ExitCode {
//!     Lifecycle::new().http(|| App::new().service(hello)).run()
//! }
//! ```
//!
//! # Where to look
//!
//! - [`guide`] has the pages: getting started, every key and setting, the view of clients during a
//!   stop, databases, logging, deploying, and help for users of other frameworks.
//! - [`on_startup`], [`on_ready`], [`on_drain`] and [`on_shutdown`] are the attributes of hooks
//!   that run once. [`service`] is the attribute of hooks that run in the background.
//!   [`health_check`] and [`on_signal`] are those of hooks that run again and again. Each lists its
//!   keys.
//! - Hooks and request handlers take [`Dep`], [`Stop`] and [`StopHandle`], and services take
//!   [`Service`]. [`Inject`] adds types of your own.
//! - [`Lifecycle`] runs everything, and lists the settings. [`Http`] is a server with settings of
//!   its own.
//! - [`Plan`](plan::Plan) shows the hooks of a run before any of them begins. Each
//!   [`Event`](event::Event) reports something that happened. The [`Report`] sums the run up.
//!
//! # A hook's name is a function and a type
//!
//! `#[on_startup] async fn db()` leaves the function as it was, for unit tests to call, and adds an
//! empty type `db` of the same visibility, which implements [`Hook`](hook::Hook). `Dep<db>`,
//! `after = [db]` and `of = db` are paths to that type, so the compiler checks them. A cycle, a
//! name that does not exist and a clash with a module of the same name are compile errors: [see the
//! messages](guide::compile_errors).
//!
//! # A value that changes
//!
//! The value of a startup hook stays the same from its start to its teardown. If a value is to
//! change meanwhile, such as a configuration that SIGHUP reads anew, put it into a container that
//! holds the current one: `arc_swap::ArcSwap<Config>`, which handlers read without waiting, or a
//! `tokio::sync::watch::Sender<Config>`, which also notifies its receivers of the change.
//!
//! ```
//! use lifecycle_runtime::{BoxError, Dep, on_signal, on_startup};
//! use tokio::sync::watch;
//!
//! struct Config { greeting: String }
//!
//! impl Config {
//!     fn read() -> Result<Self, BoxError> {
//!         Ok(Self { greeting: std::fs::read_to_string("greeting.txt")? })
//!     }
//! }
//!
//! /// Reads the configuration. A broken file is a failed start.
//! #[on_startup]
//! fn config() -> Result<watch::Sender<Config>, BoxError> {
//!     Ok(watch::Sender::new(Config::read()?))
//! }
//!
//! /// Reads the configuration anew. A broken file keeps the old one, and the console reports it.
//! #[on_signal(SIGHUP, timeout = "5s")]
//! fn reload(config: Dep<config>) -> Result<(), BoxError> {
//!     config.send_replace(Config::read()?);
//!     Ok(())
//! }
//!
//! async fn hello(config: Dep<config>) -> String {
//!     config.borrow().greeting.clone()
//! }
//! ```
//!
//! # Safety from panics and hangs
//!
//! Each hook is a task of its own. A panic is caught and recorded. A hook whose time is up is
//! cancelled, and abandoned if it doesn't end then, as work on the blocking pool can't be
//! cancelled. None of that holds up the run, which has a thread of its own (except for
//! [`Lifecycle::serve`] on a runtime of one thread). Under [`Lifecycle::run`] a plain thread ends
//! the process by the end of the grace period, whatever happens.
//!
//! A hook that blocks one thread keeps no other hook from running, with two exceptions. First, a
//! task that a hook wakes, or starts by `Service::spawn`, right before it blocks stays with its
//! thread: no other thread takes it over. Second, async hooks that block every thread of the async
//! runtime keep other async hooks from running; these are given up when their time is over. Plain
//! `fn` hooks run on the blocking pool, even then. Code that blocks belongs into a plain `fn`, or
//! into `spawn_blocking`.
//!
//! A profile with `panic = "abort"` removes that safety for panics: the first one ends the process
//! at once, without a teardown. The start says so. Leave `panic` as it is in a service.
//!
//! # Features
//!
//! - `http2`: HTTP/2 without TLS (`Http::auto_h2c`)
//! - `metrics`: the metrics of a run through the crate `metrics`, for the program's own exporter;
//!   for processes with one run ([guide](guide::metrics))
//! - `testing`: apps inside tests, for `[dev-dependencies]` ([`testing`])
//! - `rustls`: TLS, and HTTP/2 over it (`Http::rustls_0_23`)
#![warn(unreachable_pub)]

#[doc(hidden)]
pub mod __private;
mod engine;
pub mod event;
pub mod guide;
pub mod hook;
mod lifecycle;
mod observe;
pub mod plan;
mod process;
pub mod server;
#[cfg(feature = "testing")]
pub mod testing;

pub use hook::dep::Dep;
pub use hook::error::BoxError;
pub use hook::inject::Inject;
pub use hook::service::Service;
pub use hook::stop::{Stop, StopHandle};
pub use lifecycle::Lifecycle;
#[cfg(feature = "testing")]
pub use lifecycle_macros::test;
pub use lifecycle_macros::{
    health_check, on_drain, on_ready, on_shutdown, on_signal, on_startup, service,
};
pub use observe::report;
pub use process::config::ConsoleFormat;
pub use process::info::Info;
pub use report::Report;
pub use server::{BackgroundTasks, Http, probes};
