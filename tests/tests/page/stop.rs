//! Stop that hangs: what is to blame is the first that one sees.

use lifecycle_tests::http::Connection;
use serde_json::json;

use crate::browser::Browser;
use crate::harness::{Signal, program};
use crate::{open, ready, shown, start};

/// Checks that what is to blame is big, and in sight without scrolling.
fn assert_in_sight(page: &Browser) {
    let font = "parseFloat(getComputedStyle(document.querySelector('#blamed .what')).fontSize)";
    assert!(page.value(font).as_f64().expect("a size") >= 20.0);
    let bottom = "document.getElementById('blamed').getBoundingClientRect().bottom";
    assert!(page.value(bottom).as_f64().expect("a place") < 400.0);
}

#[test]
fn a_hook_that_hangs_is_blamed_beside_the_countdown() {
    let Some((mut program, page)) = ready(start("close_db=wait")) else { return };
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    page.wait_for("#state", "stopping");
    page.wait_for("#countdown", "Stopping (SIGTERM)");
    page.wait_for("#countdown", "grace period 10 min");
    page.wait_for("#blamed", "close_db");
    page.wait_for("#blamed .place", "tests/src/bin/admin.rs:");
    assert_in_sight(&page);
    let left = page.text("#countdown .left");
    page.wait_until(&format!(
        "document.querySelector('#countdown .left').textContent !== '{left}'"
    ));
    let part = "Number(document.querySelector('#countdown .bar').style.getPropertyValue('--part'))";
    let before = page.value(part);
    page.wait_until(&format!("{part} > {before}"));
    page.show("timeline");
    page.wait_for(".gantt[data-phase=stop] .critical[data-key='admin::close_db']", "◆");
    page.show("graph");
    page.wait_until(
        "document.querySelector('#graph .run[data-hook=\"admin::close_db\"] .sign')
            ?.textContent === '◐'",
    );
    program.tell("close_db");
    program.end().expect_code(0);
    page.wait_for("#notice", "The process has ended");
    page.close();
}

#[test]
fn a_request_that_does_not_end_is_blamed() {
    let mut program = start("").start().ready();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#state", "ready");
    program.signal(Signal::SIGTERM);
    page.wait_for("#state", "draining");
    page.wait_for("#blamed .what", "GET /held");
    page.wait_for("#blamed .place", "request in flight");
    assert_in_sight(&page);
    program.tell("held");
    client.response().expect("a response");
    program.end().expect_code(0);
    page.wait_for("#notice", "The process has ended");
    page.wait_for("#state", "stopped");
    page.close();
}

#[test]
fn an_observer_that_hangs_is_blamed_after_the_last_hook() {
    let services = shown(program!("services")).args("observer=stop");
    let Some((mut program, page)) = ready(services) else { return };
    program.signal(Signal::SIGTERM);
    program.wait_until_said("observer hangs");
    page.wait_for("#state.warn", "stopped, but the process goes on");
    page.wait_for("#countdown", "Stopped, but the process goes on (SIGTERM)");
    page.wait_for("#countdown .left", " left");
    page.wait_for("#blamed", "an observer of events");
    assert_in_sight(&page);
    assert_eq!(page.value("document.getElementById('over')"), json!(null));
    program.signal(Signal::SIGKILL);
    program.end();
    page.wait_for("#notice", "The process has ended");
    page.close();
}

#[test]
fn a_request_that_was_cut_off_makes_the_stop_bad() {
    let Some((mut program, page)) = ready(start("").env("LIFECYCLE_DRAIN_TIMEOUT", "1s")) else {
        return;
    };
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.end().expect_code(3);
    page.wait_for("#over.bad", "Stopped (SIGTERM)");
    page.wait_for("#over", "1 request cut off: GET /held");
    page.show("events");
    page.wait_for("#events", "the server closed after ");
    page.wait_for("#events", "1 request cut off: GET /held");
    page.close();
}

#[test]
fn a_check_that_failed_before_makes_no_stop_bad() {
    let Some((mut program, page)) = ready(start("")) else { return };
    program.tell("break ping");
    page.wait_for("#blame", "ping");
    program.signal(Signal::SIGTERM);
    program.end().expect_code(0);
    page.wait_for("#over.ok", "Stopped (SIGTERM)");
    assert_eq!(page.value("document.querySelector('#over .waits')"), json!(null));
    page.close();
}

#[test]
fn a_hook_that_failed_makes_the_stop_bad() {
    let Some((mut program, page)) = ready(start("withdraw=panic")) else { return };
    program.signal(Signal::SIGTERM);
    program.end().expect_code(3);
    page.wait_for("#over.bad", "withdraw");
    page.wait_for("#over", "panicked: withdraw has no idea");
    page.close();
}

#[test]
fn a_start_that_failed_is_shown_even_if_no_document_tells_of_it() {
    let mut program = start("db=wait-fail").start();
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#blamed", "db");
    page.wait_for("#link", "live");
    page.command("Network.enable", &json!({}));
    page.command("Network.setBlockedURLs", &json!({ "urls": ["*/timeline"] }));
    program.tell("db");
    program.end().expect_code(1);
    page.wait_for("#blame [data-key=failed]", "The start failed");
    page.wait_for("#blame [data-key=failed] .error", "db");
    page.wait_for("#over.bad", "Stopped");
    page.close();
}

#[test]
fn a_start_waits_for_the_first_run_of_a_readiness_check() {
    let mut program = shown(program!("recurring")).args("slow=wait").start();
    program.wait_until_said("slow");
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#state", "starting");
    page.wait_for("#blamed .what", "slow");
    page.wait_for("#blamed .time", " s");
    page.wait_for("#blamed .place", "tests/src/bin/recurring.rs:");
    program.tell("slow");
    page.wait_for("#state", "ready");
    page.close();
    program.stop().expect_code(0);
}
