//! Stop that hangs: what is to blame is the first that one sees.

use lifecycle_tests::http::Connection;

use crate::browser::Browser;
use crate::harness::Signal;
use crate::{open, ready, start};

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
