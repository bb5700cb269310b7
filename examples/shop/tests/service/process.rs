//! The service under test.

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_runtime::testing::process::{Child, Command, Output};

pub const LIMIT: Duration = Duration::from_secs(60);

pub const SECRET: &str = "a secret of the tests: long enough, and kept over restarts";
pub const ADMIN_PASSWORD: &str = "the admin's password";

/// The service with a database in this folder, on a port that is free, without a limit that a test
/// would meet by accident.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    environment(&mut command, folder);
    command
}

pub fn environment(command: &mut Command, folder: &Path) {
    command
        .env_clear()
        // It answers the probes itself.
        .env_remove("LIFECYCLE_ADMIN")
        .current_dir(folder)
        .env("DATABASE_URL", format!("sqlite://{}?mode=rwc", folder.join("shop.db").display()))
        .env("JWT_SECRET", SECRET)
        .env("SHOP_BURST", "1000000")
        .env("SHOP_SIGN_INS_PER_MINUTE", "100000");
}

/// Waits until the start is over, and tells where the service listens.
#[track_caller]
pub fn ready_url(service: &mut Child) -> String {
    service.wait_until("the end of the start", |transcript| transcript.contains("ready after"));
    service.url()
}

/// Stops it as an operator would, finds nothing wrong, and returns the log.
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

/// Waits until this is so; if it never is, the test fails with what is wrong.
#[track_caller]
pub fn until(wrong: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIMIT, "{wrong}");
        // Nothing tells when it is so. The pause is between two looks, and leaves the processor to
        // what is waited for.
        thread::sleep(Duration::from_millis(20));
    }
}

/// Says why a test does nothing, also where the output of a test that passes is not shown.
#[track_caller]
#[expect(clippy::explicit_write, reason = "`eprintln` is what is not shown")]
pub fn skipped(reason: &str) {
    let place = std::panic::Location::caller();
    writeln!(std::io::stderr(), "SKIPPED, {reason}: {place}").unwrap();
}
