//! Hooks of test modules: a test sees those of the program, and those of its own module.

mod first;
mod second;

use lifecycle_runtime::testing::TestApp;

#[lifecycle_runtime::test]
async fn a_test_outside_of_a_test_module_does_not_see_its_hooks() {
    let report = TestApp::builder().run().await;
    report.assert_clean().assert_ran_once::<crate::hooks::db>();
    report.assert_not_run::<first::fixture>().assert_not_run::<second::fixture>();
    report.assert_not_run::<first::fakes::clock>();
}
