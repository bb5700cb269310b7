//! Test that names nothing of the library: the linker leaves it out, and its hooks with it.

use lifecycle_runtime::Lifecycle;

#[test]
fn a_library_that_is_not_named_has_no_hooks_here() {
    let plan = Lifecycle::new().plan().expect("a plan");
    assert!(plan.hooks().is_empty(), "{plan:?}");
    let error =
        Lifecycle::new().expect_hooks(["letters::drafts"]).plan().expect_err("it is not linked");
    assert!(error.to_string().ends_with("write `use letters as _;`"), "{error}");
}
