//! State of a run that is ready, and is not well.

use lifecycle_tests::http::Connection;

use crate::harness::program;
use crate::{open, patient, ready, shown, start};

#[test]
fn a_readiness_check_that_fails_shows_in_the_state() {
    let Some((mut program, page)) = ready(start("")) else { return };
    page.wait_until("document.querySelector('#state').className === 'state ok'");
    program.tell("break ping");
    page.wait_for("#state.bad", "ready, but /readyz fails");
    page.wait_for("#reason", "no answer");
    page.wait_until("document.title.endsWith('ready, but /readyz fails')");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn stalled_workers_show_in_the_state() {
    let start = patient(program!("stalls")).env("LIFECYCLE_STALL_AFTER", "1s");
    let mut program = start.start().ready();
    let address = program.address();
    let block = |name: &str| {
        let mut client = Connection::to(&address).expect("it listens");
        client.send(&format!("GET /block/{name}")).expect("it listens");
        client
    };
    let mut first = block("first");
    program.wait_until_said("first blocks");
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#state.warn", "ready, but 1 part stalled");
    // Workers get connections in turn.
    let mut second = block("second");
    program.wait_until_said("second blocks");
    page.wait_for("#state.bad", "ready, but /readyz fails");
    page.wait_for("#reason", "all workers of ");
    page.wait_for("#stalls", "Stalled: 2 parts of the process");
    program.tell("first");
    program.tell("second");
    first.response().expect("a response");
    second.response().expect("a response");
    page.wait_until("document.querySelector('#state').className === 'state ok'");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_full_blocking_pool_is_told_as_such() {
    let start = patient(program!("stalls")).env("LIFECYCLE_STALL_AFTER", "1s");
    let mut program = start.start().ready();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /pool/first").expect("it listens");
    program.wait_until_said("first blocks");
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#stalls", "the blocking pool of worker ");
    page.wait_for("#stalls .first", "all of its threads are busy");
    page.show("events");
    page.wait_for("#events", ": all of its threads are busy");
    program.tell("first");
    client.response().expect("a response");
    page.wait_until("document.getElementById('stalls') === null");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_service_that_backs_off_is_no_success_in_the_graph() {
    let Some((mut program, page)) = ready(start("")) else { return };
    page.show("graph");
    page.wait_until("document.querySelector('#graph .node.up[data-hook=\"admin::pump\"]')");
    program.tell("pump");
    page.wait_until("document.querySelector('#graph .node.warn[data-hook=\"admin::pump\"]')");
    // The start was well all the same.
    page.show("timeline");
    page.wait_until("document.querySelector('.gantt [data-key=\"admin::pump\"] .mark.ok')");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn several_servers_are_shown_beside_each_other() {
    let servers = shown(program!("servers")).without_env("LIFECYCLE_BIND");
    let Some((program, page)) = ready(servers) else { return };
    page.show("traffic");
    page.wait_for("[data-key='server 0'] h2", "Connections to http://127.0.0.1:");
    page.wait_for("[data-key='server 1'] h2", "Connections to http://127.0.0.1:");
    page.show("about");
    page.wait_for("#settings", "server 0: bind");
    page.wait_for("#settings", "server 1: workers");
    page.close();
    program.stop().expect_code(0);
}
