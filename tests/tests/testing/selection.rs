//! Selection of the hooks that run, and of those that have a value instead.

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::testing::{Moment, Signal, TestApp};
use lifecycle_runtime::{Dep, Lifecycle};

use crate::hooks::{
    Db, close_db, db, farewell, flush, import, migrations, outbox, ping, reload, settings,
};

fn fake(url: &str) -> Db {
    Db { url: url.to_owned(), ..Db::default() }
}

#[tokio::test(start_paused = true)]
async fn a_hook_is_a_function() {
    let db = Dep::<db>::new(fake("memory"));
    migrations(db.clone()).await;
    assert_eq!(import(db.clone()), 1);
    close_db(db).await;
}

#[tokio::test(start_paused = true)]
async fn all_registered_hooks_run() {
    let report = TestApp::builder().run().await;
    report.assert_clean();
    report.assert_order(&[
        settings::META,
        db::META,
        migrations::META,
        outbox::META,
        flush::META,
        close_db::META,
    ]);
    report.assert_ran_once::<import>().assert_ran_once::<farewell>();
}

#[tokio::test(start_paused = true)]
async fn a_fake_takes_the_place_of_a_hook_and_its_teardown_gets_it() {
    let app = TestApp::builder().replace::<db>(fake("memory")).start().await;
    assert_eq!(app.get::<db>().url, "memory");
    let report = app.stop().await;
    report.assert_clean().assert_ran_once::<close_db>().assert_before::<flush, close_db>();
}

#[tokio::test(start_paused = true)]
async fn nobody_but_the_app_holds_a_fake() {
    let report = TestApp::builder().replace::<db>(fake("memory")).run().await;
    assert!(report.held.is_empty(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn what_is_named_behind_a_part_runs_too_and_what_was_named_before_if_it_is_needed() {
    let report = TestApp::builder().only::<settings>().with::<db>().run().await;
    report.assert_clean().assert_ran_once::<db>();
    let report = TestApp::builder().with::<db>().only::<settings>().run().await;
    report.assert_clean().assert_not_run::<db>();
}

#[tokio::test(start_paused = true)]
async fn a_fake_that_is_named_last_has_no_fault() {
    let setup = || TestApp::builder().fail::<db>("no disk");
    setup().replace::<db>(fake("memory")).run().await.assert_clean();
    setup().replace::<db>(fake("memory")).fail::<db>("no disk").run().await.assert_exit_code(1);
}

#[tokio::test(start_paused = true)]
async fn the_teardown_of_a_fake_can_be_left_out() {
    let report = TestApp::builder().replace::<db>(fake("memory")).without::<close_db>().run().await;
    report.assert_clean().assert_not_run::<close_db>();
}

#[tokio::test(start_paused = true)]
async fn a_fake_stands_where_its_hook_does_and_needs_nothing() {
    let report = TestApp::builder().replace::<db>(fake("memory")).replace::<outbox>(()).run().await;
    report.assert_clean().assert_order(&[
        settings::META,
        db::META,
        migrations::META,
        outbox::META,
        close_db::META,
    ]);

    let report = TestApp::builder().replace::<db>(fake("memory")).without::<settings>().run().await;
    report.assert_clean().assert_not_run::<settings>();
}

#[tokio::test(start_paused = true)]
async fn only_a_hook_is_that_hook_and_what_it_needs_and_the_teardowns_of_that() {
    let report = TestApp::builder().only::<flush>().run().await;
    report.assert_clean().assert_order(&[settings::META, db::META, flush::META, close_db::META]);
    report.assert_not_run::<migrations>().assert_not_run::<import>().assert_not_run::<outbox>();
    report.assert_not_run::<farewell>().assert_not_run::<ping>();
}

#[tokio::test(start_paused = true)]
async fn only_several_hooks_is_all_of_them() {
    let report = TestApp::builder()
        .only::<import>()
        .only::<migrations>()
        .replace::<db>(fake("memory"))
        .run()
        .await;
    report.assert_clean().assert_ran_once::<import>().assert_ran_once::<migrations>();
    report.assert_not_run::<settings>().assert_not_run::<flush>();
}

#[tokio::test(start_paused = true)]
async fn only_a_hook_that_stands_behind_another_is_without_that() {
    let report = TestApp::builder().only::<farewell>().run().await;
    report.assert_clean().assert_ran_once::<farewell>().assert_not_run::<flush>();
}

#[tokio::test(start_paused = true)]
async fn what_stands_behind_a_hook_that_is_left_out_runs_all_the_same() {
    let report = TestApp::builder().without::<flush>().run().await;
    report.assert_clean().assert_not_run::<flush>().assert_ran_once::<farewell>();
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_no_hook_that_is_expected_and_missing() {
    let expecting =
        || TestApp::of(Lifecycle::new().expect_hooks([db::META.path(), import::META.path()]));
    expecting().only::<farewell>().run().await.assert_clean().assert_not_run::<db>();
    expecting().without::<import>().run().await.assert_clean().assert_ran_once::<db>();
}

#[tokio::test(start_paused = true)]
async fn a_hook_goes_with_its_teardown() {
    let builder = TestApp::builder()
        .without::<settings>()
        .without::<db>()
        .without::<migrations>()
        .without::<outbox>();
    let builder =
        builder.without::<import>().without::<ping>().without::<reload>().without::<flush>();
    builder.run().await.assert_clean().assert_not_run::<close_db>().assert_ran_once::<farewell>();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_replaced_runs_until_it_is_told_to_stop() {
    let app = TestApp::builder().replace::<outbox>(()).start().await;
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    let report = app.stop().await;
    report.assert_clean().assert_before::<outbox, close_db>();
    assert_eq!(report.services[0].restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn a_setup_of_several_tests_may_be_narrowed_to_a_part_of_it() {
    let setup = || TestApp::builder().replace::<db>(fake("memory")).real_io::<outbox>();
    setup()
        .only::<farewell>()
        .run()
        .await
        .assert_clean()
        .assert_not_run::<db>()
        .assert_not_run::<outbox>();
    let app = setup().only::<flush>().start().await;
    assert_eq!(app.get::<db>().url, "memory");
    app.stop().await.assert_clean().assert_not_run::<settings>();
}

#[tokio::test(start_paused = true)]
async fn the_last_word_on_a_hook_wins() {
    let app =
        TestApp::builder().replace::<db>(fake("first")).replace::<db>(fake("last")).start().await;
    assert_eq!(app.get::<db>().url, "last");
    app.stop().await.assert_clean();

    let said = || TestApp::builder().real_io::<import>().replace::<import>(7).fail::<import>("no");
    let said = || said().signal_at(Moment::begins::<import>(), Signal::SIGTERM);
    said().without::<import>().run().await.assert_clean().assert_not_run::<import>();

    let left_out = || TestApp::builder().without::<import>();
    let app = left_out().replace::<import>(7).start().await;
    assert_eq!(*app.get::<import>(), 7);
    app.stop().await.assert_clean();
    left_out().real_io::<import>().run().await.assert_clean().assert_ran_once::<import>();
    left_out().only::<import>().run().await.assert_clean().assert_ran_once::<import>();
    left_out().fail::<import>("no").run().await.assert_exit_code(1).assert_failed::<import>("no");
    let report = left_out().signal_at(Moment::begins::<import>(), Signal::SIGTERM).run().await;
    report.assert_clean().assert_ran_once::<import>();
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_takes_along_what_was_said_of_its_teardown() {
    let builder = TestApp::builder().fail::<close_db>("no").without::<db>().without::<migrations>();
    let builder =
        builder.without::<outbox>().without::<import>().without::<ping>().without::<reload>();
    builder.without::<flush>().run().await.assert_clean().assert_not_run::<close_db>();
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_setup_passes_over_what_was_said_of_the_rest() {
    let setup = || {
        TestApp::builder()
            .fail::<import>("no")
            .signal_at(Moment::begins::<import>(), Signal::SIGTERM)
    };
    setup().only::<flush>().run().await.assert_clean().assert_not_run::<import>();
}

#[tokio::test(start_paused = true)]
async fn a_lifecycle_of_some_hooks_has_their_teardowns() {
    let lifecycle = Lifecycle::of([migrations::META]);
    assert!(lifecycle.plan().expect("a plan").hooks().contains(&close_db::META));
    let report = TestApp::of(lifecycle).run().await;
    report.assert_clean().assert_order(&[
        settings::META,
        db::META,
        migrations::META,
        close_db::META,
    ]);
    report.assert_not_run::<flush>();
    TestApp::of(Lifecycle::of([db::META]))
        .without::<close_db>()
        .run()
        .await
        .assert_clean()
        .assert_not_run::<close_db>();
}

#[tokio::test(start_paused = true)]
async fn any_number_of_apps_run_side_by_side() {
    let first = TestApp::builder().replace::<db>(fake("first")).start().await;
    let second = TestApp::builder().replace::<db>(fake("second")).start().await;
    first.stop().await.assert_clean();
    assert_eq!(second.get::<db>().url, "second");
    second.stop().await.assert_clean();
}
