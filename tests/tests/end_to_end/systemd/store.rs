//! Listeners that the service manager keeps: a crash loses no connection that waits in them.

use std::os::fd::RawFd;

use super::manager::Manager;
use crate::harness::{Program, Signal, Start, own_address, program};
use crate::http::{Connection, request};

/// Returns the start of a program with this address, for a service manager that keeps listeners.
fn service_on(address: &str) -> Start {
    program!("service").env("LIFECYCLE_BIND", address).env("FDSTORE", "8")
}

/// Starts a program with these listeners that were kept, whose numbers follow each other.
fn start_with(manager: &Manager, start: Start, kept: &[(String, RawFd)]) -> Program {
    let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
    let start = start
        .env("LISTEN_FDS", kept.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        .env("LISTEN_FDS_FIRST_FD", kept[0].1.to_string());
    manager.start(start)
}

#[test]
fn a_stop_and_a_crash_lose_no_connection_that_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let unix = format!("unix:{}", folder.path().join("s").display());
    for address in [own_address(), unix] {
        let manager = Manager::new();
        let mut program = manager.start(service_on(&address)).ready();
        let kept = [manager.next_stored()];
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            program.signal(signal);
            program.end();
            // It waits while nobody accepts.
            let mut client = Connection::to_any(&address).expect("the manager has it open");
            client.send("GET /").expect("it listens");
            let manager = Manager::new();
            program = start_with(&manager, service_on(&address), &kept).ready();
            // What is kept already is not given again.
            let lines = manager.until("READY=1");
            assert!(!lines.contains(&"FDSTORE=1".to_owned()), "{lines:?}");
            assert_eq!(client.response().expect("a response").body, "ok");
        }
        program.stop().expect_code(0).expect_not_said(&["no address of this program"]);
    }
}

#[test]
fn a_listener_whose_address_is_another_one_now_is_kept_no_longer() {
    let (before, now) = (own_address(), own_address());
    let manager = Manager::new();
    let mut program = manager.start(service_on(&before)).ready();
    let kept = [manager.next_stored()];
    program.signal(Signal::SIGKILL);
    program.end();
    let mut program = start_with(&manager, service_on(&now), &kept);
    program.wait_for(&format!("{before} is no address of this program any more: closed"));
    let lines = manager.until("FDSTOREREMOVE=1");
    assert_eq!(lines.last(), Some(&format!("FDNAME={}", kept[0].0)));
    let program = program.ready();
    assert_eq!(request(&now, "GET /").expect("a response").body, "ok");
    program.stop().expect_code(0);
}

#[test]
fn a_service_manager_that_keeps_nothing_is_given_nothing() {
    let manager = Manager::new();
    let program = manager.start(program!("service").without_env("FDSTORE")).ready();
    let lines = manager.until("READY=1");
    assert!(!lines.iter().any(|line| line.starts_with("FDSTORE")), "{lines:?}");
    program.stop().expect_code(0);
}
