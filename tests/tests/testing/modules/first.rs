//! Test module with hooks and tests under both attributes.

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::testing::TestApp;
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};

use super::second;
use crate::hooks::{db, settings};

#[on_startup]
pub async fn fixture() -> u32 {
    1
}

/// Tears `settings` down, as a hook of the other module does. No hook has two teardowns.
#[on_shutdown(of = settings)]
pub async fn close_settings() {}

/// Module without a test: it belongs to the module that it is in.
pub mod fakes {
    use lifecycle_runtime::on_startup;

    #[on_startup]
    pub async fn clock() {}
}

#[lifecycle_runtime::test]
async fn a_test_sees_the_hooks_of_its_module_and_of_the_program() {
    let report = TestApp::builder().run().await;
    report.assert_clean().assert_ran_once::<fixture>().assert_ran_once::<db>();
    report.assert_ran_once::<close_settings>().assert_ran_once::<fakes::clock>();
    report.assert_not_run::<second::fixture>().assert_not_run::<second::close_settings>();
}

#[lifecycle_runtime::test]
async fn an_argument_is_of_its_module(fixture: Dep<fixture>) {
    assert_eq!(*fixture, 1);
}

#[tokio::test(start_paused = true)]
async fn a_test_of_another_attribute_sees_the_hooks_of_its_file() {
    let report = TestApp::builder().run().await;
    report.assert_clean().assert_ran_once::<fixture>().assert_not_run::<second::fixture>();
}

#[test]
fn an_exploration_sees_the_hooks_of_its_file() {
    lifecycle_runtime::testing::Explore::new().schedules(1).run(async |app: TestApp| {
        app.stop().await.assert_ran_once::<fixture>().assert_not_run::<second::fixture>();
    });
}

#[test]
fn a_plan_has_the_hooks_that_its_test_sees() {
    let plan = Lifecycle::new().plan().expect("one teardown per hook");
    assert!(plan.hooks().contains(&fixture::META));
    assert!(!plan.hooks().contains(&second::fixture::META));
}

#[lifecycle_runtime::test]
async fn a_lifecycle_that_names_a_teardown_has_no_other_of_that_hook() {
    let report = TestApp::of(Lifecycle::of([second::close_settings::META])).run().await;
    report
        .assert_clean()
        .assert_ran_once::<second::close_settings>()
        .assert_not_run::<close_settings>();
}

mod inside {
    use super::{TestApp, fixture, second};

    #[lifecycle_runtime::test]
    async fn a_test_sees_the_hooks_of_the_modules_around_it() {
        let report = TestApp::builder().run().await;
        report.assert_clean().assert_ran_once::<fixture>().assert_not_run::<second::fixture>();
    }
}
