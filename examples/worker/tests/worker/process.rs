//! Waits and stops of a worker under test. No test waits for a time to pass, except `kill`, whose
//! moments are random on purpose: each waits for an output or an action of the process, and fails
//! after a limit.

use std::time::Duration;

use lifecycle_runtime::testing::process::{Child, Output};

/// Limit of each wait.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `/readyz` answers with this status and a body that contains this text.
#[track_caller]
pub fn wait_for_readyz(worker: &mut Child, status: u16, text: &str) {
    worker.wait_for_probe("/readyz", |response| {
        response.status == status && response.body.contains(text)
    });
}

/// Stops a worker after its start, and checks that it ends without an error.
#[track_caller]
pub fn stop(mut worker: Child) -> Output {
    // Lines may be written before the start is over, and a start that a signal ends does not
    // succeed.
    worker.wait_until_ready();
    let output = worker.stop();
    output.assert_exit_code(0);
    output
}
