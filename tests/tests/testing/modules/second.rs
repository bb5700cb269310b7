//! Second test module, whose hooks have the same names.

use lifecycle_runtime::testing::TestApp;
use lifecycle_runtime::{on_shutdown, on_startup};

use super::first;
use crate::hooks::settings;

#[on_startup]
pub async fn fixture() -> u32 {
    2
}

#[on_shutdown(of = settings)]
pub async fn close_settings() {}

#[lifecycle_runtime::test]
async fn hooks_of_another_module_run_if_they_are_named() {
    let report = TestApp::builder().with::<first::fixture>().run().await;
    report.assert_clean().assert_ran_once::<fixture>().assert_ran_once::<first::fixture>();
    report.assert_not_run::<first::fakes::clock>();

    let app = TestApp::builder().replace::<first::fixture>(7).start().await;
    assert_eq!(*app.get::<first::fixture>(), 7);
    app.stop().await.assert_clean();
}

#[lifecycle_runtime::test]
async fn a_module_is_named_as_a_whole() {
    let builder =
        TestApp::builder().with_module("testing::modules::first").without::<close_settings>();
    let report = builder.run().await;
    report
        .assert_clean()
        .assert_ran_once::<first::fakes::clock>()
        .assert_ran_once::<first::close_settings>();
}

#[lifecycle_runtime::test]
#[should_panic(expected = "no hook belongs to the tests of `testing::modules::third`")]
async fn a_module_that_is_named_has_hooks() {
    TestApp::builder().with_module("testing::modules::third").run().await;
}

#[lifecycle_runtime::test]
#[should_panic(
    expected = "`clock` can't be left out: it belongs to the tests of `testing::modules::first`"
)]
async fn a_hook_that_a_test_does_not_see_is_not_left_out() {
    TestApp::builder().without::<first::fakes::clock>().run().await;
}
