use crate::process::{Program, example, post};

#[test]
fn the_program_that_is_tested_runs_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(&mut example("08_testing", &folder));
    let address = program.ready();
    assert_eq!(post(&address, "/users", "ana@example.org").0, 201);
    program.wait_for("to ana@example.org: welcome");
    program.stop();
}
