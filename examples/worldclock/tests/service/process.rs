//! The service under test, and its clients. Nothing here waits for a time to pass: only for what
//! the process says or does, with a limit after which the test has failed.

use std::path::Path;
use std::time::Duration;

use lifecycle_runtime::testing::process::Command;
use ureq::Agent;
use ureq::http::Response;

const LIMIT: Duration = Duration::from_secs(60);

/// The service with a database in this folder, on a port that is free.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worldclock"));
    command.env_clear().env("WORLDCLOCK_DB", folder.join("clock.db"));
    command
}

/// A client with a connection of its own that it keeps, for which every status is an answer.
pub fn client() -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT)).build().into()
}

pub fn body(response: &mut Response<ureq::Body>) -> serde_json::Value {
    response.body_mut().read_json().unwrap()
}
