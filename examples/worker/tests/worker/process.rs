//! What a worker under test is asked. Nothing here waits for a time to pass: only for what the
//! process says or does, with a limit after which the test has failed.

use std::thread;
use std::time::{Duration, Instant};

use lifecycle_runtime::testing::process::{Child, Output};

pub const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `/readyz` answers with this status, and says this.
#[track_caller]
pub fn wait_for_readyz(worker: &mut Child, status: u16, text: &str) {
    worker.wait_for_probe("/readyz", |response| {
        response.status == status && response.body.contains(text)
    });
}

/// Stops a worker once it has started, as it is to end when it has nothing to complain of.
#[track_caller]
pub fn stop(mut worker: Child) -> Output {
    // Lines may be written before that, and a start that a signal ends is none that succeeded.
    worker.wait_until("the end of the start", |transcript| transcript.contains("ready after"));
    let output = worker.stop();
    output.assert_exit_code(0);
    output
}

/// Looks until it is so.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "it never was so");
        // Nothing tells when it is so. The pause is between two looks, and leaves the processor to
        // what is waited for.
        thread::sleep(Duration::from_millis(2));
    }
}
