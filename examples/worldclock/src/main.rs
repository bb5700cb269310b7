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
use lifecycle_runtime::Lifecycle;

fn main() -> ExitCode {
    service().run()
}

/// Returns the service, for `main` and for tests.
fn service() -> Lifecycle {
    Lifecycle::new().http(|| App::new().configure(api::routes))
}
