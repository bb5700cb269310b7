//! Programs in processes of their own: real signals, real exit codes, real connections.
//!
//! A test in a `tests/` folder finds the binary of its package in `CARGO_BIN_EXE_<name>`:
//!
//! ```no_run
//! use lifecycle_runtime::testing::Signal;
//! use lifecycle_runtime::testing::process::Command;
//!
//! # macro_rules! env { ($name:literal) => { "shop" } }
//! # /*
//! #[test]
//! # */
//! fn stops_on_sigterm() {
//!     let mut shop = Command::new(env!("CARGO_BIN_EXE_shop")).spawn();
//!     shop.wait_until_ready();
//!     assert_eq!(shop.get("/products").status, 200);
//!     shop.signal(Signal::SIGTERM);
//!     shop.wait().assert_exit_code(0).assert_contains("pool closed");
//! }
//! # stops_on_sigterm();
//! ```
//!
//! A [`Command`] is one of the standard library with defaults for tests: free ports, none of the
//! settings that the tests themselves run with, and pipes. A [`Child`] collects what the process
//! writes as it comes, and is killed and reaped when it is dropped. Each wait has a limit, 90 s
//! unless [`Command::limit`] sets another; when that is over, or the process has ended, it panics
//! at the line of the test and shows everything that the process wrote. An [`Output`] is what is
//! left of it in the end.
//!
//! Everything here blocks, for plain `#[test]` functions: in an async test, have
//! `tokio::task::spawn_blocking` run it.
//!
//! # Where the program listens
//!
//! [`Child::url`] and [`Child::admin_url`] read that in what the program writes: the line of the
//! console, or that of a `tracing` subscriber which writes to stdout or stderr. A program whose
//! subscriber writes elsewhere tells nobody; `LIFECYCLE_CONSOLE=on` in its environment has the
//! console say it all the same.
//!
//! # Windows
//!
//! Windows has no signals: [`Child::signal`] and [`Child::stop`] panic there and say so. Everything
//! else works, and [`Child::kill`] ends a process.

mod child;
mod command;
mod http;
mod output;
mod signals;
mod transcript;
mod urls;

pub use child::Child;
pub use command::Command;
pub use http::Response;
pub use output::Output;
pub use transcript::Transcript;
