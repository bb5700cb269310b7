use std::fs;

use lifecycle_runtime::testing::Signal;

use crate::process::{example, get, send};

#[test]
fn the_announcement_is_withdrawn_while_everybody_is_still_served() {
    let folder = tempfile::tempdir().unwrap();
    let targets = folder.path().join("tour-targets.json");
    let mut command = example("05_drain", &folder);
    // The delay is so long that even on a slow machine the test looks before it is over.
    command.env("LIFECYCLE_DRAIN_DELAY", "1m").env("LIFECYCLE_GRACE", "3m");
    let mut program = command.spawn();
    program.wait_until_ready();
    let url = program.url();
    let address = url.strip_prefix("http://").unwrap();
    let announced = fs::read_to_string(&targets).unwrap();
    assert_eq!(announced, format!("[{{\"targets\": [\"{address}\"]}}]\n"));

    let slow = send(&mut program, "GET", "/slow", "");
    // Both requests come through one accept queue, so the slow one has arrived by now.
    assert_eq!(get(&mut program, "/").0, 200);
    program.signal(Signal::SIGTERM);
    program.wait_for_line("done withdraw");
    assert!(!targets.exists());
    assert_eq!(
        get(&mut program, "/"),
        (200, "quick\n".to_owned()),
        "who has not noticed is served"
    );
    assert_eq!(slow.response(), (200, "slow, and complete\n".to_owned()));
    // A second signal skips the delay.
    program.signal(Signal::SIGTERM);
    program.wait().assert_exit_code(0).assert_contains("3 requests finished, 0 cut off");
}
