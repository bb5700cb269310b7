//! A shared board of clocks, which shows the time where each person is.
//!
//! Each module declares its hooks, for the start and for the stop, beside the code that needs them;
//! nothing is wired up here.

mod api;
mod clocks;
mod config;
mod countries;
mod error;
mod runs;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod zones;

use std::process::ExitCode;

use actix_web::App;
use lifecycle_runtime::{Info, Lifecycle};

fn main() -> ExitCode {
    service().run()
}

/// Returns the service, for `main` and for tests. It shows what goes on to this machine, on another
/// port.
fn service() -> Lifecycle {
    let info = Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let lifecycle = Lifecycle::new().info(info).admin("127.0.0.1:9001");
    lifecycle.http(|| App::new().configure(api::routes))
}
