//! Mistakes of a test: each is reported once, at the line of the test.

use lifecycle_runtime::Lifecycle;
use lifecycle_runtime::event::State;
use lifecycle_runtime::hook::Hook as _;
use lifecycle_runtime::testing::{Fault, Moment, Signal, TestApp};

use crate::hooks::{
    Db, close_db, db, flush, import, migrations, outbox, reload, service, settings,
};

macro_rules! mistakes {
    ($($name:ident: $says:expr, $test:expr;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            #[should_panic(expected = $says)]
            async fn $name() {
                $test.await;
            }
        )*
    };
}

async fn start_and_signal(signals: &[Signal]) {
    let app = TestApp::start().await;
    for &signal in signals {
        app.signal(signal);
    }
    app.stop().await;
}

mistakes! {
    a_hook_that_is_not_there_is_not_replaced:
        "`db` can't be replaced: it is not part of what runs here", async {
        TestApp::of(Lifecycle::of([settings::META])).replace::<db>(Db::default()).run().await
    };
    nor_where_only_some_run: "`outbox` can't be replaced: it is not part of what runs here", async {
        TestApp::of(Lifecycle::of([db::META])).replace::<outbox>(()).only::<settings>().run().await
    };
    what_has_no_value_for_others_is_not_replaced:
        "`flush` can't be replaced: nobody takes the value of an `#[on_shutdown]` hook; leave it \
        out by `without::<flush>()`", async {
        TestApp::builder().replace::<flush>(()).run().await
    };
    a_hook_that_is_not_there_is_not_left_out:
        "`import` can't be left out: it is not part of the plan", async {
        TestApp::of(Lifecycle::of([db::META])).without::<import>().run().await
    };
    what_others_need_is_not_left_out:
        "`settings` can't be left out: `db` (tests/tests/testing/hooks.rs:", async {
        TestApp::builder().without::<settings>().run().await
    };
    and_it_says_what_to_do:
        "needs it; leave `db` out, too, or give `settings` a value by \
        `replace::<settings>(…)`", async {
        TestApp::builder().without::<settings>().run().await
    };
    a_hook_that_is_expected_is_registered:
        "no hook has the path `store::db`, which is expected", async {
        TestApp::of(Lifecycle::new().expect_hooks(["store::db"])).only::<flush>().run().await
    };
    a_fault_is_for_a_hook_that_is_there:
        "`flush` can't be given a fault: it is not part of what runs here", async {
        TestApp::builder().only::<import>().fail::<flush>("no").run().await
    };
    a_fault_of_a_hook_that_never_runs: "the fault never came up: `reload` never ran", async {
        TestApp::builder().fail::<reload>("no").run().await
    };
    a_fault_of_a_run_that_never_comes:
        "the fault never came up: run 3 of `outbox` never came, it ran once", async {
        TestApp::builder().inject::<outbox>(Fault::panic().on_run(3)).run().await
    };
    it_says_where_the_fault_is: "tests/tests/testing/mistakes.rs:", async {
        TestApp::builder().fail::<reload>("no").run().await
    };
    a_signal_that_nobody_hears: "nobody hears SIGUSR2: no hook of the app is for it",
        start_and_signal(&[Signal::SIGUSR2]);
    nor_at_a_moment: "nobody hears SIGWINCH: no hook of the app is for it", async {
        TestApp::builder().signal_at(Moment::ends::<db>(), Signal::SIGWINCH).run().await
    };
    a_third_signal: "SIGTERM is the third signal that stops: the process would exit at once",
        start_and_signal(&[Signal::SIGTERM; 3]);
    a_moment_that_never_comes:
        "SIGHUP was never sent: it never came to \"`reload` begins\"", async {
        TestApp::builder().signal_at(Moment::begins::<reload>(), Signal::SIGHUP).run().await
    };
    a_moment_that_never_came_and_now_cannot:
        "it never came to \"the run is ready for the 2nd time\"", async {
        let app = TestApp::start().await;
        app.stop().await;
        app.until(Moment::state(State::Ready).times(2)).await;
    };
    a_start_that_fails: "the start failed; what happened:", async {
        TestApp::builder().fail::<migrations>("no").start().await
    };
    a_value_that_is_not_there:
        "has no value now: it has not started, or has been torn down", async {
        let app = TestApp::start().await;
        app.stop().await;
        app.get::<db>()
    };
    a_value_of_a_hook_that_is_not_there: "is not part of this run", async {
        let app = TestApp::builder().only::<settings>().start().await;
        app.get::<close_db>()
    };
    a_request_to_nobody:
        "nobody answers requests: give the app a lifecycle with a server, by `TestApp::of`", async {
        let app = TestApp::start().await;
        app.request(actix_web::test::TestRequest::get()).await
    };
    a_moment_of_a_hook_that_is_not_there: "`flush` is not part of what runs here", async {
        let app = TestApp::builder().only::<settings>().start().await;
        app.until(Moment::begins::<flush>()).await;
    };
    a_url_of_nothing: "the app does not listen: call `listen` before `start`", async {
        TestApp::of(service()).start().await.url()
    };
    a_server_on_paused_time: "an app that listens needs time that passes", async {
        TestApp::of(service()).listen().start().await
    };
}
