//! Tools to test programs in processes of their own: real signals, exit codes and connections.
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
//! A [`Command`] is one of the standard library with defaults for tests: free ports, pipes, and
//! none of the settings that the tests themselves run with. A [`Child`] collects what the process
//! writes as it arrives, and is killed and reaped when it is dropped. Each wait has a limit, 90 s
//! unless [`Command::limit`] sets another. A wait panics when the limit is over or the process has
//! ended: the panic stands at the line of the test and shows everything that the process wrote. An
//! [`Output`] holds the exit code and the output of a process that has ended.
//!
//! All of these functions block, for plain `#[test]` functions: in an async test, run them by
//! `tokio::task::spawn_blocking`.
//!
//! # Where the program listens
//!
//! [`Child::url`] and [`Child::admin_url`] read the address from what the program writes: from the
//! console's line, or from that of a `tracing` subscriber that writes to stdout or stderr. If the
//! subscriber writes elsewhere, set `LIFECYCLE_CONSOLE=on` in the program's environment: then the
//! console writes the line all the same.
//!
//! # Windows
//!
//! Windows has no signals: [`Child::signal`] and [`Child::stop`] panic there with a message that
//! says so. Everything else works, and [`Child::kill`] ends a process.

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
