//! A shared board of clocks: who is where, and what time is it there.
//!
//! Each module declares what it does when the service starts and stops beside the code that needs
//! it; nothing is wired up here.

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

/// What `main` runs, and tests do.
fn service() -> Lifecycle {
    Lifecycle::new().http(|| App::new().configure(api::routes))
}
