use crate::process::{example, post};

#[test]
fn the_program_that_is_tested_runs_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = example("08_testing", &folder).spawn();
    program.wait_until_ready();
    assert_eq!(post(&mut program, "/users", "ana@example.org").0, 201);
    program.wait_for_line("to ana@example.org: welcome");
    program.stop().assert_exit_code(0);
}
