//! Docker Swarm, with the stack of the page: updates under load, an image whose start fails, and
//! `docker stop` of a busy copy.
//!
//! There is one update by default, `LIFECYCLE_DEPLOY_UPDATES` sets another number.
#![cfg(unix)]

use std::time::Duration;

use lifecycle_runtime::testing::process::Command;
use lifecycle_tests::skipped;

/// Exit code of a program that could not do its work here.
const SKIPPED: i32 = 77;

#[test]
fn a_service_that_is_updated_loses_nothing_and_a_failing_image_is_rolled_back() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm"));
    let updates = std::env::var("LIFECYCLE_DEPLOY_UPDATES").unwrap_or_else(|_| "1".to_owned());
    command.args(["--updates", &updates]);
    command.limit(Duration::from_secs(1800));
    let ended = command.output();
    if ended.code() == Some(SKIPPED) {
        let reason = ended.transcript().stderr().find_map(|line| line.strip_prefix("SKIPPED, "));
        return skipped(reason.expect("a reason"));
    }
    ended.assert_exit_code(0);
    println!("{ended}");
}
