use std::fs;

use nix::sys::signal::Signal;

use crate::process::{Program, example, get};

#[test]
fn a_signal_reads_the_file_again_and_a_broken_one_keeps_the_old_greeting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeting.txt");
    fs::write(&file, "hello\n").unwrap();
    let mut program = Program::start(example("06_reload", &folder).env("GREETING", &file));
    let address = program.ready();
    assert_eq!(get(&address, "/"), (200, "hello, world\n".to_owned()));

    fs::write(&file, "moin\n").unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for("done reload");
    assert_eq!(get(&address, "/").1, "moin, world\n");

    fs::write(&file, "").unwrap();
    program.signal(Signal::SIGHUP);
    let line = program.wait_for("hook `reload` (examples/tour/examples/06_reload.rs:");
    assert!(line.contains("greeting.txt is empty; write a greeting into it"), "{line}");
    assert_eq!(get(&address, "/").1, "moin, world\n");

    fs::write(&file, "ahoy\n").unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for("done reload");
    assert_eq!(get(&address, "/").1, "ahoy, world\n");
    program.stop();
}

#[test]
fn without_a_greeting_there_is_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Program::start(example("06_reload", &folder).env_remove("GREETING")).end();
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(ended.log.contains("set GREETING to a file with a greeting"), "{}", ended.log);
}
