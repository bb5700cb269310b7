//! An order-taking API, with everything that a team ships.
//!
//! Each module declares its hooks, for the start and for the stop, beside the code that needs them;
//! nothing is wired up here.

mod api;
mod auth;
mod clock;
mod docs;
mod events;
mod feed;
mod input;
mod limits;
mod logs;
mod mail;
mod orders;
mod outbox;
mod problem;
mod products;
mod settings;
mod store;

use std::process::ExitCode;

use lifecycle_runtime::{Http, Info, Lifecycle};

fn main() -> ExitCode {
    service().run()
}

/// Returns the service, for `main` and for tests. It shows what goes on to this machine, on another
/// port.
fn service() -> Lifecycle {
    let info = Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let lifecycle = Lifecycle::new().info(info).admin("127.0.0.1:9002");
    lifecycle.http(Http::new(api::app).workers(3))
}

#[cfg(test)]
mod tests;
