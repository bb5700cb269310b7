//! Questions that every framework for lifecycles is asked sooner or later, as tests of a service
//! with hooks of every kind. The names of the tests are the answers.
//!
//! ```text
//! one ── two ── three ── feed (service) ── pump (service)
//!  │      │       └ undo_three
//!  │      └ undo_two
//!  └ undo_one
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::App;
use lifecycle_runtime::event::{Event, Observer, Outcome, ServiceState, State, StopCause};
use lifecycle_runtime::hook::{Hook, HookMeta, Kind};
use lifecycle_runtime::testing::{Fault, Moment, Signal, TestApp, TestAppBuilder, TestReport};
use lifecycle_runtime::{
    Dep, Http, Lifecycle, Stop, StopHandle, on_drain, on_ready, on_shutdown, on_startup, service,
};

#[on_startup]
async fn one() {}
#[on_startup]
async fn two(_one: Dep<one>) {}
#[on_startup]
async fn three(_two: Dep<two>) {}

#[service]
async fn feed(_three: Dep<three>, stop: Stop) {
    stop.requested().await;
}
#[service(after = [feed])]
async fn pump(stop: Stop) {
    stop.requested().await;
}

#[on_ready(order = 1)]
async fn announce() {}
#[on_ready(order = 2)]
async fn cheer() {}

#[on_drain(order = 1)]
async fn withdraw() {}
#[on_drain(order = 2)]
async fn hush() {}

#[on_shutdown(order = 1)]
async fn flush(_three: Dep<three>) {}
#[on_shutdown(order = 1)]
async fn settle(_three: Dep<three>) {}
#[on_shutdown(order = 2)]
async fn account(_three: Dep<three>) {}

#[on_shutdown(of = three)]
async fn undo_three() {}
#[on_shutdown(of = two)]
async fn undo_two() {}
#[on_shutdown(of = one)]
async fn undo_one() {}

const STARTS: [&HookMeta; 3] = [one::META, two::META, three::META];
const UNDOS: [&HookMeta; 3] = [undo_one::META, undo_two::META, undo_three::META];

/// Stops the run during the start. This hook and those below it belong to one test each.
#[on_startup(order = 100)]
async fn turns_back(handle: StopHandle) {
    handle.stop();
    std::future::pending::<()>().await;
}
#[on_ready(order = 100)]
async fn has_enough(handle: StopHandle) {
    handle.stop();
}
#[on_shutdown]
async fn stops_again(handle: StopHandle) {
    handle.stop();
}
#[on_startup(order = 100)]
async fn vanishes() {
    std::panic::resume_unwind(Box::new(()));
}
#[on_startup(order = 100)]
fn vanishes_from_its_thread() {
    std::panic::resume_unwind(Box::new(()));
}

fn app() -> TestAppBuilder {
    let builder = TestApp::of(of_this_file())
        .without::<turns_back>()
        .without::<has_enough>()
        .without::<stops_again>();
    builder.without::<vanishes>().without::<vanishes_from_its_thread>()
}

/// Returns a lifecycle with the hooks of this file only, without those of the library.
fn of_this_file() -> Lifecycle {
    let plan = Lifecycle::new().plan().expect("a plan");
    Lifecycle::of(plan.hooks().iter().copied().filter(|hook| hook.module() == module_path!()))
}

/// Returns the names of the hooks that ran, in the order in which they ended.
fn story(report: &TestReport) -> Vec<String> {
    let ended =
        report.hooks.iter().filter(|ended| !matches!(ended.outcome, Outcome::Skipped { .. }));
    ended.map(|ended| ended.hook.name().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_rolls_back_exactly_what_started() {
    for (at, hook) in STARTS.into_iter().enumerate() {
        for fault in [Fault::fail("no"), Fault::panic(), Fault::hang()] {
            let report = app().inject_into(hook, fault).run().await;
            report.assert_exit_code(1);
            for (other, undo) in UNDOS.into_iter().enumerate() {
                assert_eq!(report.ran(undo), other < at, "{report}");
            }
            report
                .assert_not_run::<feed>()
                .assert_not_run::<announce>()
                .assert_not_run::<withdraw>();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_has_a_fresh_budget() {
    let slow = Duration::from_secs(20);
    let report = app()
        .delay::<two>(Duration::from_secs(59))
        .hang::<three>()
        .delay::<undo_one>(slow)
        .run()
        .await;
    report.assert_exit_code(1).assert_failed::<three>("startup timeout");
    assert_eq!(report.outcome(undo_one::META), Some(&Outcome::Succeeded), "{report}");
}

#[tokio::test(start_paused = true)]
async fn stop_errors_do_not_halt_the_chain_and_all_are_returned_in_order() {
    let report =
        app().fail::<undo_three>("3").panic::<undo_two>().fail::<undo_one>("1").run().await;
    report.assert_exit_code(3);
    let failed: Vec<_> = report.failures().map(|failed| failed.hook.name()).collect();
    assert_eq!(failed, ["undo_three", "undo_two", "undo_one"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_error_is_not_lost() {
    let report = app().fail::<undo_one>("the very last").run().await;
    report.assert_exit_code(3).assert_failed::<undo_one>("the very last");
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_starting_ends_the_start() {
    let lifecycle = of_this_file();
    let handle = lifecycle.stop_handle();
    let starting = TestApp::of(lifecycle).only::<two>().hang::<two>().try_start();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.stop();
    };
    let (started, ()) = tokio::join!(starting, stopping);
    let report = started.expect_err("it can't have started");
    report.assert_clean().assert_ran_once::<undo_one>().assert_not_run::<undo_two>();
    assert_eq!(report.cause, Some(StopCause::Requested));
    assert_eq!(report.outcome(two::META), Some(&Outcome::Cancelled { ended: true }));
}

#[tokio::test(start_paused = true)]
async fn a_stop_twice_is_one_stop() {
    let app = app().start().await;
    app.stop_handle().stop();
    app.stop_handle().stop();
    let report = app.stop().await;
    report.assert_clean().assert_ran_once::<undo_one>();
    assert!(!report.hurried);
}

#[tokio::test(start_paused = true)]
async fn what_is_never_started_is_never_stopped() {
    struct Nothing(Arc<AtomicBool>);
    impl Observer for Nothing {
        fn on_event(&self, _: Duration, _: &Event) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let happened = Arc::<AtomicBool>::default();
    let lifecycle = of_this_file().observer(Nothing(Arc::clone(&happened)));
    lifecycle.stop_handle().stop();
    drop(TestApp::of(lifecycle).start());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!happened.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_start_starts_nothing() {
    let lifecycle = of_this_file();
    lifecycle.stop_handle().stop();
    let report = TestApp::of(lifecycle).only::<three>().run().await;
    report.assert_clean().assert_not_run::<three>();
}

#[tokio::test]
async fn a_stop_as_soon_as_the_server_listens_interrupts_no_start() {
    let lifecycle = Lifecycle::of([]).http(Http::new(App::new).bind("127.0.0.1:0")).console(false);
    let handle = lifecycle.stop_handle();
    // On a runtime of one thread, an observer is called on the thread that the event happens on.
    let lifecycle = lifecycle.observer(move |_: Duration, event: &Event| {
        if let Event::Listening { .. } = event {
            handle.stop();
        }
    });
    let report = lifecycle.serve().await;
    assert_eq!((report.exit_code(), report.interrupted), (0, false), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_requested_from_a_startup_hook_ends_the_start() {
    let report = TestApp::of(of_this_file()).only::<turns_back>().only::<three>().run().await;
    report.assert_clean().assert_order(&[three::META, turns_back::META, undo_three::META]);
    assert_eq!(report.cause, Some(StopCause::Requested));
}

#[tokio::test(start_paused = true)]
async fn a_stop_requested_from_a_ready_hook_is_a_stop_in_order() {
    let report = TestApp::of(of_this_file()).only::<has_enough>().only::<three>().run().await;
    report.assert_order(&[
        three::META,
        has_enough::META,
        undo_three::META,
        undo_two::META,
        undo_one::META,
    ]);
    assert_eq!(report.cause, Some(StopCause::Requested));
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_a_stop_changes_nothing() {
    let app = TestApp::of(of_this_file()).only::<stops_again>().only::<three>().start().await;
    app.signal(Signal::SIGTERM);
    let report = app.end().await;
    report.assert_clean().assert_ran_once::<stops_again>().assert_ran_once::<undo_one>();
    assert_eq!((report.cause.clone(), report.hurried), (Some(StopCause::Signal("SIGTERM")), false));
}

#[tokio::test(start_paused = true)]
async fn a_start_hook_that_exits_its_task_is_a_start_that_failed() {
    for hook in [vanishes::META, vanishes_from_its_thread::META] {
        let report = TestApp::of(Lifecycle::of([hook, three::META])).run().await;
        report.assert_exit_code(1);
        assert!(matches!(report.outcome(hook), Some(Outcome::Panicked { .. })), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_hooks_of_every_phase_run_in_exact_order() {
    let report = app().without::<settle>().run().await;
    let expected = [
        "one",
        "two",
        "three",
        "announce",
        "cheer",
        "withdraw",
        "hush",
        "pump",
        "feed",
        "flush",
        "account",
        "undo_three",
        "undo_two",
        "undo_one",
    ];
    assert_eq!(story(&report), expected, "{report}");
}

#[tokio::test(start_paused = true)]
async fn hooks_that_nothing_orders_run_beside_each_other_in_every_phase() {
    let slow = Duration::from_secs(1);
    let report = app().delay::<flush>(slow).delay::<settle>(slow).run().await;
    report.assert_clean().assert_overlapped::<flush, settle>().assert_before::<settle, account>();
    report.assert_stops_within(slow);
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_a_background_service_reaches_the_exit_code() {
    for fault in [Fault::panic(), Fault::fail("gone")] {
        // The fault comes a while after the start is over.
        let app = app().inject::<pump>(fault).delay::<pump>(Duration::from_secs(1)).start().await;
        let report = app.end().await;
        report.assert_exit_code(3).assert_ran_once::<undo_one>();
        let is_asked_for_by_pump = matches!(
            &report.cause,
            Some(StopCause::Service { hook, .. }) if *hook == pump::META
        );
        assert!(is_asked_for_by_pump, "{report}");
        let pump =
            report.services.iter().find(|service| service.hook == pump::META).expect("it ran");
        assert_eq!(pump.state, ServiceState::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dependant_stops_first() {
    let report = app().delay::<undo_two>(Duration::from_secs(1)).run().await;
    report.assert_stopped_before::<pump, feed>();
    report.assert_order(&[undo_three::META, undo_two::META, undo_one::META]);
    report.assert_before::<feed, flush>().assert_before::<account, undo_three>();
}

/// Checks what has to hold whatever happens to a run, and whenever.
fn check_invariants(report: &TestReport, what: &str) {
    for (start, undo) in STARTS.into_iter().zip(UNDOS) {
        let started = report.outcome(start) == Some(&Outcome::Succeeded);
        let undone = report.hooks.iter().filter(|ended| ended.hook == undo);
        let undone =
            undone.filter(|ended| !matches!(ended.outcome, Outcome::Skipped { .. })).count();
        assert_eq!(undone, usize::from(started), "{what}: `{}`\n\n{report}", undo.name());
    }
    let undone: Vec<_> = UNDOS.into_iter().rev().filter(|undo| report.ran(undo)).collect();
    report.assert_order(&undone);
    let users = [flush::META, settle::META, account::META];
    users.into_iter().filter(|user| report.ran(user)).for_each(|user| {
        report.assert_order(&[user, undo_three::META]);
    });
}

/// Returns every point of a whole run at which something happens to a hook.
async fn points() -> Vec<Moment> {
    let report = app().run().await;
    let ran = report.hooks.iter().map(|ended| ended.hook);
    let hooks = ran.flat_map(|hook| [Moment::begin_of(hook), Moment::end_of(hook)]);
    let states =
        [State::Starting, State::Ready, State::Draining, State::Stopping].map(Moment::state);
    hooks.chain(states).collect()
}

#[tokio::test(start_paused = true)]
async fn a_signal_at_every_single_step_of_start_and_stop_leaves_nothing_open() {
    let points = points().await;
    assert!(points.len() > 25);
    for point in points {
        let report = app().signal_at(point.clone(), Signal::SIGTERM).run().await;
        check_invariants(&report, &format!("SIGTERM when {point}"));
        assert_eq!(report.failures().count(), 0, "SIGTERM when {point}\n\n{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_at_every_single_step_of_the_stop_leaves_nothing_open() {
    let report = app().run().await;
    let of_the_stop = |hook: &&HookMeta| matches!(hook.kind(), Kind::Drain | Kind::Shutdown);
    let hooks = report.hooks.iter().map(|ended| ended.hook).filter(of_the_stop);
    for point in hooks.flat_map(|hook| [Moment::begin_of(hook), Moment::end_of(hook)]) {
        let builder = app().signal_at(Moment::state(State::Ready), Signal::SIGTERM);
        let builder = builder
            .signal_at(point.clone(), Signal::SIGTERM)
            .delay::<flush>(Duration::from_secs(1));
        let report = builder.start().await.end().await;
        check_invariants(&report, &format!("a second SIGTERM when {point}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_in_every_single_hook_leaves_nothing_open() {
    let plan = of_this_file().plan().expect("a plan");
    let names: Vec<_> = story(&app().run().await);
    for hook in plan.hooks().iter().copied().filter(|hook| names.contains(&hook.name().to_owned()))
    {
        let faults: [fn() -> Fault; 3] = [|| Fault::fail("no"), Fault::panic, Fault::hang];
        for fault in faults {
            let report = match app().inject_into(hook, fault()).try_start().await {
                Ok(app) => app.stop().await,
                Err(report) => *report,
            };
            check_invariants(&report, &format!("{:?} in `{}`", fault(), hook.name()));
            assert_ne!(report.exit_code(), 0, "{report}");
        }
    }
}
