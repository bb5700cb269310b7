use std::fs;

use lifecycle_runtime::testing::Signal;

use crate::process::{example, get};

#[test]
fn a_signal_reads_the_file_again_and_a_broken_one_keeps_the_old_greeting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeting.txt");
    fs::write(&file, "hello\n").unwrap();
    let mut program = example("06_reload", &folder).env("GREETING", &file).spawn();
    program.wait_until_ready();
    assert_eq!(get(&mut program, "/"), (200, "hello, world\n".to_owned()));

    fs::write(&file, "moin\n").unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for_line("done reload");
    assert_eq!(get(&mut program, "/").1, "moin, world\n");

    fs::write(&file, "").unwrap();
    program.signal(Signal::SIGHUP);
    let line = program.wait_for_line("hook `reload` (examples/tour/examples/06_reload.rs:");
    assert!(line.contains("greeting.txt is empty; write a greeting into it"), "{line}");
    assert_eq!(get(&mut program, "/").1, "moin, world\n");

    fs::write(&file, "ahoy\n").unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for_line("done reload");
    assert_eq!(get(&mut program, "/").1, "ahoy, world\n");
    program.stop().assert_exit_code(0);
}

#[test]
fn without_a_greeting_there_is_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let ended = example("06_reload", &folder).env_remove("GREETING").output();
    ended.assert_exit_code(1).assert_contains("set GREETING to a file with a greeting");
}
