//! Test that names nothing of the library, and links it.

use letters as _;
use lifecycle_runtime::Lifecycle;

#[test]
fn the_program_has_its_hooks() {
    Lifecycle::new().expect_hooks(["letters::drafts", "letters::save_drafts"]).plan().unwrap();
}
