//! The service under test, and its clients. No test waits for a time to pass: each waits for an
//! output or an action of the process, and fails after a limit.

use std::path::Path;
use std::time::Duration;

use lifecycle_runtime::testing::process::Command;
use ureq::Agent;
use ureq::http::Response;

const LIMIT: Duration = Duration::from_secs(60);

/// Returns the command for the service, with a database in this folder, on a free port.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worldclock"));
    command.env_clear().env("WORLDCLOCK_DB", folder.join("clock.db"));
    command
}

/// Returns a client that keeps a connection of its own and takes every status as an answer.
pub fn client() -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT)).build().into()
}

pub fn body(response: &mut Response<ureq::Body>) -> serde_json::Value {
    response.body_mut().read_json().unwrap()
}
