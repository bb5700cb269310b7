//! SIGHUP: a new greeting, a broken one, a new one again.
#![cfg(unix)]

use std::fs;

use lifecycle_runtime::testing::Signal;
use lifecycle_runtime::testing::process::Command;

#[test]
fn a_signal_reads_the_file_anew_and_a_broken_one_keeps_the_old() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeting.txt");
    fs::write(&file, "hello\n").unwrap();
    let mut reload = Command::new(env!("CARGO_BIN_EXE_reload")).env("GREETING", &file).spawn();
    reload.wait_until_ready();
    assert_eq!(reload.get("/").body, "hello, world\n");

    fs::write(&file, "moin\n").unwrap();
    reload.signal(Signal::SIGHUP);
    reload.wait_for_line("done reload");
    assert_eq!(reload.get("/").body, "moin, world\n");

    fs::write(&file, "").unwrap();
    reload.signal(Signal::SIGHUP);
    let why = reload.wait_for_line("hook `reload`");
    assert!(
        why.contains("failed: ") && why.contains("greeting.txt is empty; write a greeting into it"),
        "{why}"
    );
    assert_eq!(reload.get("/").body, "moin, world\n");
    assert_eq!(reload.get("/readyz").status, 200);

    fs::write(&file, "a".repeat(3000)).unwrap();
    reload.signal(Signal::SIGHUP);
    let why = reload.wait_for_line("health check `brief`");
    assert!(why.contains("the greeting has 3000 bytes"), "{why}");
    assert_eq!(reload.get("/readyz").status, 503);

    reload.stop().assert_exit_code(0);
}
