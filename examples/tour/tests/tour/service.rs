use crate::process::{example, get, post};

#[test]
fn a_letter_that_fails_restarts_the_service_and_the_stop_delivers_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = example("02_service", &folder).spawn();
    program.wait_until_ready();
    assert_eq!(post(&mut program, "/letters", "Dear Ana").0, 202);
    program.wait_for_line("delivered: Dear Ana");

    assert_eq!(post(&mut program, "/letters", "").0, 202);
    let line = program.wait_for_line("service `postman` (examples/tour/examples/02_service.rs:");
    assert!(line.contains("there is nothing in the letter"), "{line}");
    assert!(line.contains("; again in "), "{line}");
    assert_eq!(post(&mut program, "/letters", "Dear Ben").0, 202);
    program.wait_for_line("delivered: Dear Ben");
    assert_eq!(get(&mut program, "/readyz").0, 200);

    for number in 1..=5 {
        assert_eq!(post(&mut program, "/letters", &format!("letter {number}")).0, 202);
    }
    let output = program.stop();
    output.assert_exit_code(0);
    for number in 1..=5 {
        output.assert_contains(&format!("delivered: letter {number}"));
    }
}
