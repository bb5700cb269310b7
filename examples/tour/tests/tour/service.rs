use crate::process::{Program, example, get, post};

#[test]
fn a_letter_that_fails_restarts_the_service_and_the_stop_delivers_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(&mut example("02_service", &folder));
    let address = program.ready();
    assert_eq!(post(&address, "/letters", "Dear Ana").0, 202);
    program.wait_for("delivered: Dear Ana");

    assert_eq!(post(&address, "/letters", "").0, 202);
    let line = program.wait_for("service `postman` (examples/tour/examples/02_service.rs:");
    assert!(line.contains("there is nothing in the letter"), "{line}");
    assert!(line.contains("; again in "), "{line}");
    assert_eq!(post(&address, "/letters", "Dear Ben").0, 202);
    program.wait_for("delivered: Dear Ben");
    assert_eq!(get(&address, "/readyz").0, 200);

    for number in 1..=5 {
        assert_eq!(post(&address, "/letters", &format!("letter {number}")).0, 202);
    }
    let log = program.stop();
    for number in 1..=5 {
        assert!(log.contains(&format!("delivered: letter {number}")), "{log}");
    }
}
