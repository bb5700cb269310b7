//! Views of a run: its state, its start, its services and checks, its requests and connections.

use lifecycle_tests::http::Connection;
use serde_json::json;

use crate::harness::program;
use crate::{open, patient, ready, shown, start};

#[test]
fn the_state_is_live_with_what_the_start_waits_for() {
    let mut program = start("db=wait").start();
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#state", "starting");
    page.wait_for("#blamed", "db");
    page.wait_for("#blamed .place", "tests/src/bin/admin.rs:");
    page.wait_for("#countdown", " left");
    page.wait_for("#countdown", "0 of 3 steps done");
    program.tell("db");
    page.wait_for("#state", "ready");
    page.wait_until("document.getElementById('blamed') === null");
    page.wait_until("document.title.endsWith('shop: ready')");
    page.wait_for("#link", "live");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn the_start_is_a_chart_with_the_critical_path() {
    let Some((program, page)) = ready(start("")) else { return };
    page.show("timeline");
    for hook in ["db", "pump", "announce"] {
        page.wait_until(&format!(
            "document.querySelector('.gantt [data-key=\"admin::{hook}\"] .span').offsetWidth > 0"
        ));
    }
    // The path has hooks behind each other, of which the last ends with the start.
    page.wait_for(".row.critical[data-key='admin::announce']", "◆");
    page.wait_for(".path", "announce");
    let left = |hook: &str| {
        let bar = format!("document.querySelector('[data-key=\"admin::{hook}\"] .span')");
        page.value(&format!("{bar}.getBoundingClientRect().left")).as_f64().expect("a number")
    };
    assert!(left("db") < left("announce"));
    // Before a stop there is the time table, whose last hook is the last of the plan.
    page.click("[data-gantt=stop]");
    page.wait_for(".legend", "The stop has not begun");
    page.wait_for(".gantt[data-phase=planned] .row:last-child", "close_db");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn services_show_their_restarts_and_the_countdown_to_the_next_run() {
    let Some((mut program, page)) = ready(start("")) else { return };
    page.show("services");
    page.wait_for("#services", "running");
    program.tell("pump");
    page.wait_for("#services", "backing off");
    page.wait_for("#services .backoff", "next run in");
    let left = page.text("#services .backoff");
    page.wait_until(&format!(
        "document.querySelector('#services .backoff').textContent !== {}",
        json!(left)
    ));
    page.wait_for("#tab-services .badge", "1");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_service_shows_the_number_of_its_restarts() {
    let services = shown(program!("services")).args("flaky=fail");
    let Some((mut program, page)) = ready(services) else { return };
    page.show("services");
    let row = "#services tr[data-key='services::flaky']";
    page.wait_for(row, "flakyrunning");
    assert!(page.text(&format!("{row} [data-head=Restarts]")).starts_with('0'));
    program.tell("flaky 1");
    page.wait_until(&format!(
        "document.querySelector({}).textContent.startsWith('1')",
        json!(format!("{row} [data-head=Restarts]"))
    ));
    page.wait_for(row, "(at most 2 in 1 min)");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn checks_show_their_history() {
    let Some((mut program, page)) = ready(start("")) else { return };
    page.show("checks");
    page.wait_until("document.querySelectorAll('#checks .history rect.ok').length >= 3");
    program.tell("break ping");
    page.wait_until("document.querySelectorAll('#checks .history path.bad').length >= 3");
    page.wait_for("#checks .word.bad", "fail");
    page.wait_for("#checks", "failed: no answer");
    page.wait_for("#blame", "ping");
    // The bars have titles, which no key shows.
    page.click("#blame [data-hook='admin::ping']");
    page.wait_for("#panel .results li", "ago, took ");
    page.wait_for("#panel .results li", ": failed: no answer");
    page.wait_until("document.querySelectorAll('#panel .results li').length >= 6");
    page.wait_for("#panel [data-key='Failures in a row']", "; it fails after 3");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn requests_and_connections_are_shown_as_charts_and_as_lists() {
    let Some((mut program, page)) = ready(start("").env("LIFECYCLE_WORKERS", "1")) else { return };
    page.show("traffic");
    page.wait_for("#view", "No request is in flight.");
    // A server closes a connection on which no request comes for a while.
    let mut idle = Connection::to(&program.address()).expect("it listens");
    idle.send("GET /").expect("it listens");
    idle.response().expect("a response");
    let mut held = Connection::to(&program.address()).expect("it listens");
    held.send("GET /held").expect("it listens");
    page.wait_for("#requests code", "GET /held");
    page.wait_for("#requests", "running");
    page.wait_for("#connections-0", "in flight1");
    page.wait_for("#connections-0", "idle1");
    // The line has been at 0, and is now at 1.
    page.wait_until(
        "new Set(document.querySelector('.chart polyline').getAttribute('points').split(' ')
            .map(point => point.split(',')[1])).size === 2",
    );
    program.tell("held");
    held.response().expect("a response");
    page.wait_for("#view", "No request is in flight.");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_stall_is_shown_big_with_the_request_that_holds_the_thread() {
    let start = patient(program!("stalls")).env("LIFECYCLE_STALL_AFTER", "1s");
    let mut program = start.start().ready();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block/first").expect("it listens");
    program.wait_until_said("first blocks");
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#stalls", "worker ");
    page.wait_for("#stalls", "has been stalled for ");
    page.wait_for("#stalls .first", "blocked by GET /block/first");
    page.show("events");
    page.wait_for("#events", "has been stalled for ");
    page.wait_for("#events", ": blocked by GET /block/first");
    program.tell("first");
    client.response().expect("a response");
    page.wait_until("document.getElementById('stalls') === null");
    page.wait_for("#events", "goes on after a stall of ");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let start = start("").env("LIFECYCLE_WORKERS", "2").env("LIFECYCLE_STALL_TIMEOUT", "off");
    let Some((program, page)) = ready(start) else { return };
    page.show("about");
    page.wait_for("#settings tr[data-key=grace]", "grace10 minenvironment");
    page.wait_for("#settings tr[data-key=workers]", "workers2environment");
    page.wait_for("#settings tr[data-key=stall_timeout]", "stall_timeoutoffenvironment");
    page.wait_for(".facts", "0a1b2c3");
    page.close();
    program.stop().expect_code(0);
}
