//! Test of the guide that starts the program itself.
#![cfg(unix)]

use lifecycle_runtime::testing::Signal;
use lifecycle_runtime::testing::process::Command;

fn letters() -> Command {
    Command::new(env!("CARGO_BIN_EXE_letters"))
}

#[test]
fn sigterm_saves_the_drafts() {
    let mut letters = letters().spawn();
    letters.wait_until_ready();
    letters.signal(Signal::SIGTERM);
    letters.wait_for_line("done save_drafts");
    letters.wait().assert_exit_code(0).assert_stdout(&["1 drafts saved"]);
}

#[test]
fn a_setting_that_is_misspelt_is_refused() {
    let output = letters().env("LIFECYCLE_GRCE", "5s").output();
    output.assert_exit_code(2).assert_contains("LIFECYCLE_GRCE");
}
