use std::fs;

use crate::process::{Program, example, get};

#[test]
fn it_counts_on_from_what_the_last_run_saved() {
    let folder = tempfile::tempdir().unwrap();
    for first in [1, 3] {
        let mut program = Program::start(&mut example("01_value", &folder));
        let address = program.ready();
        for visitor in [first, first + 1] {
            assert_eq!(get(&address, "/"), (200, format!("you are visitor {visitor}\n")));
        }
        let log = program.stop();
        assert!(log.contains("tear down save_visits"), "{log}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("tour-visits.txt")).unwrap(), "4");
}

#[test]
fn a_file_without_a_number_is_no_start_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tour-visits.txt");
    fs::write(&file, "many").unwrap();
    let ended = Program::start(&mut example("01_value", &folder)).end();
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(ended.log.contains("tour-visits.txt: invalid digit"), "{}", ended.log);
    assert!(!ended.log.contains("listening"), "{}", ended.log);
    assert_eq!(fs::read_to_string(file).unwrap(), "many");
}
