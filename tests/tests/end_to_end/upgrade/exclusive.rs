//! Exclusive hooks, which wait until the predecessor has ended.

use super::line::{Installed, Line};
use crate::harness::{Signal, own_address, program};
use crate::http::Connection;
use crate::load::{Load, Shape};

/// Clients that keep their connection, and think for a moment between two requests.
const KEPT: Shape = Shape { clients: 16, pause: (2_000, 10_000), ..Shape::CLOSED_LOOP };

/// Clients that open a connection for each request.
const FRESH: Shape = Shape { clients: 4, pause: (2_000, 10_000), ..Shape::FRESH };

#[test]
fn what_must_not_exist_twice_begins_when_the_predecessor_has_ended_and_requests_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = own_address();
    let start = program!("service").env("LIFECYCLE_BIND", &address);
    let start = start.args(&format!("lock={} single", folder.path().join("lock").display()));
    let mut line = Line::start(start.env("LIFECYCLE_QUIET_WINDOW", "10s"));
    let loads = [KEPT, FRESH].map(|shape| Load::start(&address, shape, |_, _| "GET /".to_owned()));
    for _ in 0..5 {
        line.upgrade();
        line.wait_until_at(&address);
        for load in &loads {
            load.wait_for(load.answered() + 50);
            load.expect_all_at_work();
        }
    }
    let ended = line.stop();
    ended.expect_code(0);
    for load in loads {
        load.end().expect_nothing_lost();
    }
    let did = ended.did();
    let of_service: Vec<_> = did.iter().filter(|said| said.starts_with("single ")).collect();
    assert_eq!(of_service, ["single begins", "single ends"].repeat(6).iter().collect::<Vec<_>>());
}

#[test]
fn an_exclusive_hook_that_fails_fails_the_start_when_there_is_nobody_to_go_on() {
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let address = own_address();
    let line = Line::start(installed.start().env("LIFECYCLE_BIND", &address));
    installed.replace_by_script("{run} alone=fail");
    line.signal(Signal::SIGUSR2);
    // This waits for the end of both processes.
    let ended = line.program.end();
    ended.expect_code(0).expect_said(&["upgrade: process ", "start failed: hook `alone`"]);
    let codes: Vec<_> = ["exit code 0", "exit code 1"]
        .map(|code| ended.stderr().matches(code).count())
        .into_iter()
        .collect();
    assert_eq!(codes, [1, 1], "{ended}");
    assert!(Connection::to(&address).is_err());
}

#[test]
fn an_exclusive_hook_of_a_program_without_a_predecessor_begins_as_any_other() {
    let ended = program!("service").args("alone").start().ready().stop();
    ended.expect_code(0);
    assert!(ended.did().contains(&"alone"), "{ended}");
}
