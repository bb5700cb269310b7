//! The service under test.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use lifecycle_runtime::testing::process::{Child, Command, Output};

/// Limit of each wait.
pub const LIMIT: Duration = Duration::from_secs(60);

pub const SECRET: &str = "a secret of the tests: long enough, and kept over restarts";
pub const ADMIN_PASSWORD: &str = "the admin's password";

/// Returns the command for the service, with a database in this folder, on a free port, without a
/// limit that a test would meet by accident.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    environment(&mut command, folder);
    command
}

pub fn environment(command: &mut Command, folder: &Path) {
    command
        .limit(LIMIT)
        .env_clear()
        .current_dir(folder)
        .env("DATABASE_URL", format!("sqlite://{}?mode=rwc", folder.join("shop.db").display()))
        .env("JWT_SECRET", SECRET)
        .env("SHOP_BURST", "1000000")
        .env("SHOP_SIGN_INS_PER_MINUTE", "100000");
}

/// Waits until the service is ready, and returns its address.
#[track_caller]
pub fn ready_url(service: &mut Child) -> String {
    service.wait_until_ready();
    service.url()
}

/// Stops the service as an operator would, checks that nothing went wrong, and returns the log.
#[track_caller]
pub fn stop(service: Child) -> String {
    let output = service.stop();
    output.assert_exit_code(0).assert_lacks("panicked").assert_lacks("a bug");
    log(&output)
}

/// Returns the log of a service that has ended.
pub fn log(output: &Output) -> String {
    output.transcript().stderr().map(|line| format!("{line}\n")).collect()
}

/// Prints the reason for which a test does nothing, even if the output of passed tests is hidden.
#[track_caller]
#[expect(clippy::explicit_write, reason = "`eprintln` is what is not shown")]
pub fn skipped(reason: &str) {
    let place = std::panic::Location::caller();
    writeln!(std::io::stderr(), "SKIPPED, {reason}: {place}").unwrap();
}
