//! The programs as processes of their own, with real requests and real signals: each does what its
//! first lines say.
#![cfg(unix)]

mod drain;
mod health;
mod listed;
mod order;
mod process;
mod reload;
mod service;
// Tests that stand in the program itself. `cargo test` builds an example either to be started or to
// be tested, and not both.
#[path = "../../examples/08_testing.rs"]
#[expect(dead_code, reason = "its `main` is started as a process")]
mod testing;
mod testing_process;
mod tls;
mod value;
