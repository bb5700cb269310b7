use std::fs;

use crate::process::{example, get};

#[test]
fn it_counts_on_from_what_the_last_run_saved() {
    let folder = tempfile::tempdir().unwrap();
    for first in [1, 3] {
        let mut program = example("01_value", &folder).spawn();
        program.wait_until_ready();
        for visitor in [first, first + 1] {
            assert_eq!(get(&mut program, "/"), (200, format!("you are visitor {visitor}\n")));
        }
        program.stop().assert_exit_code(0).assert_contains("tear down save_visits");
    }
    assert_eq!(fs::read_to_string(folder.path().join("tour-visits.txt")).unwrap(), "4");
}

#[test]
fn a_file_without_a_number_is_no_start_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tour-visits.txt");
    fs::write(&file, "many").unwrap();
    let ended = example("01_value", &folder).output();
    ended
        .assert_exit_code(1)
        .assert_contains("tour-visits.txt: invalid digit")
        .assert_lacks("listening");
    assert_eq!(fs::read_to_string(file).unwrap(), "many");
}
