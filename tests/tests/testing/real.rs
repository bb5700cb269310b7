//! Real I/O on paused time: ways to make time stand still for it, and messages if nothing does.

use std::io::Write as _;
use std::time::Duration;

use lifecycle_runtime::testing::{Fault, TestApp};
use lifecycle_runtime::{BoxError, Dep, Stop, on_shutdown, on_startup, service};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Asks a peer that answers after a while of real time, as a database does. Paused time does not
/// wait for it.
async fn ask() -> std::io::Result<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answers = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        std::net::TcpStream::connect(address).and_then(|mut stream| stream.write_all(&[7]))
    });
    let (mut stream, _) = listener.accept().await?;
    let answer = stream.read_u8().await;
    answers.join().expect("no panic")?;
    answer
}

/// Asks a peer that never answers, as every peer looks to paused time.
async fn ask_in_vain() -> std::io::Result<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    listener.accept().await?.0.read_u8().await
}

#[on_startup(timeout = "10s")]
async fn pool() -> Result<u8, BoxError> {
    Ok(ask().await?)
}

#[on_shutdown(of = pool, timeout = "1s")]
async fn close_pool(_pool: Dep<pool>) -> Result<(), BoxError> {
    Ok(ask().await.map(drop)?)
}

#[on_startup(timeout = "10s")]
async fn lost_pool() -> Result<u8, BoxError> {
    Ok(ask_in_vain().await?)
}

#[on_startup(timeout = "20ms")]
async fn brief_pool() -> Result<u8, BoxError> {
    Ok(ask_in_vain().await?)
}

#[on_startup]
async fn impatient_pool() -> Result<u8, BoxError> {
    Ok(timeout(Duration::from_secs(30), ask_in_vain())
        .await
        .map_err(|_| "the pool timed out")??)
}

#[service(stop_timeout = "5s")]
async fn follower(stop: Stop) {
    stop.requested().await;
    ask_in_vain().await.expect("an answer");
}

const PASSED: &str = "of paused time, which were ";

#[lifecycle_runtime::test]
async fn time_stands_still_for_all_hooks_that_end_by_themselves() {
    let report = TestApp::builder().only::<pool>().real_io_for_all().run().await;
    report.assert_clean().assert_ran_once::<close_pool>();
    let builder = TestApp::builder().only::<pool>().only::<follower>().real_io_for_all();
    builder.replace::<follower>(()).run().await.assert_clean();
}

#[lifecycle_runtime::test]
async fn a_hook_that_is_cut_off_on_paused_time_says_what_to_do() {
    let report = TestApp::builder().only::<lost_pool>().run().await;
    report.assert_failed::<lost_pool>("ran into its timeout");
    let said = report.to_string();
    assert!(said.contains("`lost_pool` waited 10 s of paused time, which were "), "{said}");
    assert!(
        said.contains("`real_io::<lost_pool>()`, or for all hooks by `real_io_for_all()`"),
        "{said}"
    );
    assert_eq!(said.matches(PASSED).count(), 1, "{said}");
}

#[lifecycle_runtime::test]
async fn so_does_one_that_gives_up_by_itself() {
    let report = TestApp::builder().only::<impatient_pool>().run().await;
    report.assert_failed::<impatient_pool>("the pool timed out");
    let said = report.to_string();
    assert!(said.contains("`impatient_pool` waited 30 s of paused time, which were "), "{said}");
}

#[lifecycle_runtime::test]
async fn a_service_is_to_be_replaced() {
    let said = TestApp::builder().only::<follower>().run().await.to_string();
    assert!(said.contains("`follower` waited "), "{said}");
    assert!(said.contains("replace it by `replace::<follower>(…)`, or let time pass"), "{said}");
}

#[lifecycle_runtime::test]
#[should_panic(expected = "`real_io::<lost_pool>()`")]
async fn the_panic_of_a_start_says_it() {
    TestApp::builder().only::<lost_pool>().start().await;
}

#[lifecycle_runtime::test]
async fn a_fault_of_the_test_is_nothing_real() {
    for fault in [Fault::hang(), Fault::hang().at_await(1)] {
        let report = TestApp::builder().only::<lost_pool>().inject::<lost_pool>(fault).run().await;
        report.assert_failed::<lost_pool>("ran into its timeout");
        assert!(!report.to_string().contains(PASSED), "{report}");
    }
}

#[lifecycle_runtime::test(start_paused = false)]
async fn time_that_passes_runs_away_from_nothing() {
    let report = TestApp::builder().only::<brief_pool>().run().await;
    report.assert_failed::<brief_pool>("ran into its timeout");
    assert!(!report.to_string().contains(PASSED), "{report}");
}

#[lifecycle_runtime::test]
async fn a_fault_inside_a_body_has_time_pass_though_it_stands_still_for_the_body() {
    let real = || TestApp::builder().only::<pool>().real_io_for_all();
    let report = real().inject::<pool>(Fault::hang().at_await(1)).run().await;
    report.assert_failed::<pool>("ran into its timeout");
    let report =
        real().inject::<pool>(Fault::delay(Duration::from_secs(3)).at_await(1)).run().await;
    report.assert_clean();
    assert_eq!(report.start_took, Duration::from_secs(3));
}

#[on_startup]
fn plain() {}

#[lifecycle_runtime::test]
#[should_panic(expected = "`plain` is a plain `fn`, which has no await; leave out `at_await`")]
async fn a_plain_function_has_no_await_in_real_time_either() {
    let builder = TestApp::builder().only::<plain>().real_io_for_all();
    builder.inject::<plain>(Fault::fail("no").at_await(1)).run().await;
}
