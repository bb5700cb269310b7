//! Values of fakes, paused time, and real I/O in it: each test has a lifecycle of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::testing::process::Command;
use lifecycle_runtime::testing::{Explore, Signal, TestApp, TestAppBuilder, real_io};
use lifecycle_runtime::{Dep, Lifecycle, Service, Stop, on_shutdown, on_startup, service};
use tokio::time::{Instant, timeout};

/// Asks a thread, as a driver of a database does. The thread is none of tokio's, so tokio doesn't
/// know that it works.
async fn ask_a_thread() -> u32 {
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // This is long enough for paused time to move on if it could.
        std::thread::sleep(Duration::from_millis(20));
        answer.send(42)
    });
    answered.await.expect("an answer")
}

#[tokio::test(start_paused = true)]
async fn time_stands_still_while_something_real_is_waited_for() {
    let began = Instant::now();
    assert_eq!(timeout(Duration::from_secs(1), real_io(ask_a_thread())).await, Ok(42));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn time_goes_on_behind_it() {
    real_io(ask_a_thread()).await;
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

#[on_startup(timeout = "1s")]
async fn answer() -> u32 {
    ask_a_thread().await
}

fn asks() -> Lifecycle {
    Lifecycle::of([answer::META])
}

#[tokio::test(start_paused = true)]
async fn a_hook_with_real_io_does_not_run_into_its_timeout() {
    let app = TestApp::of(asks()).only::<answer>().real_io::<answer>().start().await;
    assert_eq!(*app.get::<answer>(), 42);
    app.stop().await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn without_it_paused_time_outruns_the_hook() {
    let report = TestApp::of(asks()).only::<answer>().run().await;
    report.assert_failed::<answer>("ran into its timeout");
}

#[service(stop_timeout = "1s")]
fn thread(stop: Stop) {
    while !stop.wait(Duration::from_millis(1)) {}
    // The service does something that has to be over before it ends.
    std::thread::sleep(Duration::from_millis(20));
}

fn threaded() -> TestAppBuilder {
    TestApp::of(Lifecycle::of([thread::META])).only::<thread>()
}

#[tokio::test(start_paused = true)]
async fn a_service_on_a_thread_of_its_own_has_the_time_that_it_needs_to_stop() {
    let report = threaded().real_io::<thread>().run().await;
    report.assert_clean().assert_stops_within(Duration::ZERO);
    threaded().run().await.assert_clean().assert_stops_within(Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn it_has_that_time_after_a_start_that_fails() {
    #[on_startup]
    fn jobs() {}
    #[on_startup]
    fn starting() {}
    for _ in 0..30 {
        let app = TestApp::of(Lifecycle::of([thread::META, jobs::META, starting::META]));
        let report = app.fail::<starting>("it can't").run().await;
        report.assert_exit_code(1).assert_stops_within(Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn it_has_the_time_that_it_needs_to_be_ready() {
    #[service]
    fn slow(service: Service) {
        std::thread::sleep(Duration::from_millis(20));
        service.ready();
        assert!(service.stop().wait(Duration::MAX));
    }
    let app = TestApp::of(Lifecycle::of([slow::META])).start().await;
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(3600), "time stands still while it runs");
    let report = app.stop().await;
    report.assert_clean().assert_stops_within(Duration::ZERO);
    assert_eq!(report.start_took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_stop_runs_into_its_timeout_all_the_same() {
    #[service(stop_timeout = "100ms")]
    fn stuck() {
        std::thread::sleep(Duration::from_secs(600));
    }
    #[service]
    async fn polls(stop: Stop) {
        while !stop.is_requested() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let report = TestApp::of(Lifecycle::of([stuck::META, polls::META])).run().await;
    report
        .assert_failed::<stuck>("ran into its timeout")
        .assert_stops_within(Duration::from_millis(200));
    // A hurry waits for no service.
    let app = TestApp::of(Lifecycle::of([stuck::META])).start().await;
    app.stop_handle().hurry();
    app.end()
        .await
        .assert_failed::<stuck>("was not waited for any longer")
        .assert_stops_within(Duration::from_millis(100));
}

#[test]
fn it_is_explored_the_same_each_time() {
    #[on_startup]
    async fn journal() {}
    #[on_shutdown(of = journal)]
    async fn close_journal() {}
    #[service]
    fn writes(_journal: Dep<journal>, service: Service) {
        std::thread::sleep(Duration::from_micros(fastrand::u64(..500)));
        service.ready();
        while !service.stop().wait(Duration::from_secs(60)) {}
        std::thread::sleep(Duration::from_micros(fastrand::u64(..500)));
    }
    #[on_shutdown]
    async fn tidies() {
        tokio::task::yield_now().await;
    }
    let setup = || TestApp::of(Lifecycle::of([writes::META, close_journal::META, tidies::META]));
    let explored =
        Explore::new().setup(setup).signals([Signal::SIGTERM]).faults().run(async |_| {});
    assert_eq!(explored.to_string(), "all 50 schedules");
}

#[test]
fn one_that_may_make_a_test_another_each_time_is_named() {
    #[service]
    fn ticks(stop: Stop) {
        assert!(stop.wait(Duration::MAX));
    }
    #[on_startup]
    async fn other() {}
    let (ticks, other) = (ticks::META, other::META);
    let turn = std::cell::Cell::new(0);
    let setup = || {
        TestApp::of(Lifecycle::of(if turn.replace(1) == 0 {
            vec![ticks, other]
        } else {
            vec![ticks]
        }))
    };
    let exploring = AssertUnwindSafe(|| Explore::new().setup(setup).run(async |_| {}));
    let failure = catch_unwind(exploring).expect_err("it is not the same each time");
    let failure = failure.downcast_ref::<String>().expect("a text");
    assert!(failure.starts_with("the test is not the same each time: "), "{failure}");
    let says = format!(
        "; what it does may depend on the service `ticks` ({}): it is a plain `fn`, which has a \
         thread of its own and goes on whenever it likes: replace it by `replace::<ticks>(())`",
        ticks.place()
    );
    assert!(failure.ends_with(&says), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_fake_is_real() {
    let app = threaded().real_io::<thread>().replace::<thread>(()).start().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    app.stop().await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_fake_of_a_service_that_says_when_it_is_ready_is_so_at_once() {
    #[service]
    async fn listener(_service: Service) {
        unreachable!("it is replaced")
    }
    let report = TestApp::of(Lifecycle::of([listener::META])).replace::<listener>(()).run().await;
    report.assert_clean();
    assert_eq!(report.start_took, Duration::ZERO);
}

#[test]
#[should_panic(
    expected = "time would stand still for as long as `thread` runs, and no hook would go on"
)]
fn a_service_that_is_real_is_not_explored() {
    Explore::new().setup(|| threaded().real_io::<thread>()).run(async |_| {});
}

#[test]
fn one_that_does_not_run_is_no_reason_not_to() {
    #[on_shutdown]
    async fn other() {}
    let only = || {
        TestApp::of(Lifecycle::of([thread::META, other::META])).real_io::<thread>().only::<other>()
    };
    assert!(Explore::new().setup(only).run(async |_| {}).exhaustive);
}

#[test]
fn a_fake_of_it_is() {
    let explored = Explore::new()
        .setup(|| threaded().real_io::<thread>().replace::<thread>(()))
        .run(async |_| {});
    assert!(explored.exhaustive);
}

#[tokio::test(start_paused = true)]
#[ignore = "it never ends: another test looks at what it says"]
async fn waits_for_a_timer_for_good() {
    #[service]
    async fn connection(stop: Stop) {
        stop.requested().await;
    }
    #[service]
    fn reader(stop: Stop) {
        assert!(stop.wait(Duration::MAX));
    }
    #[service(after = [connection, reader])]
    async fn polls(stop: Stop) {
        while !stop.is_requested() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // If nothing is reported, the test has to fail, and not to hang.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        std::process::exit(1);
    });
    TestApp::of(Lifecycle::of([polls::META]))
        .real_io::<connection>()
        .real_io::<reader>()
        .run()
        .await;
}

#[test]
fn a_test_that_hangs_as_time_stands_still_says_why() {
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["waits_for_a_timer_for_good", "--exact", "--ignored"])
        .spawn();
    let lines = [(); 2].map(|()| child.wait_for_line("time stands still"));
    for name in ["connection", "reader"] {
        let says = format!(
            "for 10 s time stands still because of `real_io::<{name}>()`, and no timer goes off"
        );
        let line = lines.iter().find(|line| line.contains(&says));
        assert!(
            line.is_some_and(|line| line.starts_with("tests/tests/testing_values.rs:")),
            "{lines:?}"
        );
    }
}

struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fake_is_dropped_where_the_value_would_be() {
    #[on_startup]
    async fn precious() -> Counted {
        unreachable!("it is replaced")
    }
    #[on_startup]
    async fn drops() -> Arc<AtomicU32> {
        Arc::default()
    }
    #[on_shutdown(order = 5)]
    async fn looks(_precious: Dep<precious>, drops: Dep<drops>) -> Result<(), String> {
        if drops.load(Ordering::Relaxed) == 0 { Ok(()) } else { Err("it is gone".to_owned()) }
    }
    let drops_seen = Arc::<AtomicU32>::default();
    let app = TestApp::of(Lifecycle::of([looks::META]))
        .replace::<precious>(Counted(Arc::clone(&drops_seen)))
        .replace::<drops>(Arc::clone(&drops_seen))
        .start()
        .await;
    app.stop().await.assert_clean();
    assert_eq!(drops_seen.load(Ordering::Relaxed), 1);
}
