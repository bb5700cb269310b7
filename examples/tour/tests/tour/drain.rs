use std::fs;

use nix::sys::signal::Signal;

use crate::process::{Program, example, get, send};

#[test]
fn the_announcement_is_withdrawn_while_everybody_is_still_served() {
    let folder = tempfile::tempdir().unwrap();
    let targets = folder.path().join("tour-targets.json");
    let mut command = example("05_drain", &folder);
    // However slow this machine is, it is not over before the test has looked.
    command.env("LIFECYCLE_DRAIN_DELAY", "1m").env("LIFECYCLE_GRACE", "3m");
    let mut program = Program::start(&mut command);
    let address = program.ready();
    let announced = fs::read_to_string(&targets).unwrap();
    assert_eq!(announced, format!("[{{\"targets\": [\"{address}\"]}}]\n"));

    let slow = send(&address, "GET", "/slow", "");
    // Both come by one accept queue, so the slow one is in by now.
    assert_eq!(get(&address, "/").0, 200);
    program.signal(Signal::SIGTERM);
    program.wait_for("done withdraw");
    assert!(!targets.exists());
    assert_eq!(get(&address, "/"), (200, "quick\n".to_owned()), "who has not noticed is served");
    assert_eq!(slow.response(), (200, "slow, and complete\n".to_owned()));
    // A second signal waits for no delay.
    program.signal(Signal::SIGTERM);
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(ended.log.contains("3 requests finished, 0 cut off"), "{}", ended.log);
}
