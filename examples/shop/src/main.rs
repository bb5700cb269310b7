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

use lifecycle_runtime::{Http, Lifecycle};

fn main() -> ExitCode {
    service().run()
}

fn service() -> Lifecycle {
    Lifecycle::new().http(Http::new(api::app).workers(3))
}

#[cfg(test)]
mod tests;
