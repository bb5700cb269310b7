//! Each program does what its first lines say it does, as a process of its own: real requests, real
//! signals.
#![cfg(unix)]

mod drain;
mod health;
mod listed;
mod order;
mod process;
mod reload;
mod service;
// The tests that stand in the program itself: `cargo test` builds an example to be started, or to be
// tested, and not both.
#[path = "../../examples/08_testing.rs"]
#[expect(dead_code, reason = "its `main` is started as a process")]
mod testing;
mod testing_process;
mod tls;
mod value;
