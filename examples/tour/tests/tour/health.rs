use std::fs;

use crate::process::{example, get, post, send};

#[test]
fn a_folder_that_is_gone_is_not_ready_until_it_is_back_and_no_reason_to_restart() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("tour-notes");
    let mut program = example("03_health", &folder).spawn();
    program.wait_until_ready();
    assert_eq!(post(&mut program, "/notes", "buy milk"), (200, "note 1\n".to_owned()));
    assert_eq!(fs::read_to_string(notes.join("1.txt")).unwrap(), "buy milk");
    assert_eq!(get(&mut program, "/readyz").0, 200);
    assert_eq!(get(&mut program, "/startupz").0, 200);

    fs::rename(&notes, folder.path().join("away")).unwrap();
    program.wait_for_line("health check `notes_can_be_saved`");
    let (status, body) = get(&mut program, "/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("notes_can_be_saved") && body.contains("No such file"), "{body}");
    assert_eq!(get(&mut program, "/livez").0, 200);
    assert_eq!(post(&mut program, "/notes", "buy bread").0, 503);

    fs::rename(folder.path().join("away"), &notes).unwrap();
    program.wait_for_line("health check notes_can_be_saved passes");
    assert_eq!(get(&mut program, "/readyz").0, 200);
    program.stop().assert_exit_code(0);
}

#[test]
fn a_lock_that_a_panic_has_poisoned_asks_for_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = example("03_health", &folder).spawn();
    program.wait_until_ready();
    assert_eq!(get(&mut program, "/livez").0, 200);
    let nothing = send(&mut program, "POST", "/notes", "");
    program.wait_for_line("health check `notes_are_not_poisoned`");
    assert!(nothing.ends_without_response());
    let (status, body) = get(&mut program, "/livez");
    assert_eq!(status, 503);
    assert!(body.contains("poisoned lock"), "{body}");
    program.stop().assert_exit_code(0);
}
