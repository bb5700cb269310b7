//! Requests for upgrades: when, by whom, and what comes of them.

use super::line::{Gate, Installed, Line};
use crate::harness::{Signal, own_address, program, system};
use crate::http::{Connection, request};

#[test]
fn code_asks_for_an_upgrade_and_learns_what_comes_of_it() {
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let address = own_address();
    let start = installed.start().env("LIFECYCLE_BIND", &address);
    // A successor has the listeners, so that no balancer has to turn away. The delay is longer than
    // any wait of a test.
    let start = start.env("LIFECYCLE_DRAIN_DELAY", "5m").env("LIFECYCLE_GRACE", "20m");
    let mut line = Line::start(start);
    let first = line.process;
    installed.replace_by_script("exit 3");
    let failed = request(&address, "POST /upgrade").expect("a response").body;
    assert_eq!(failed, "the successor ended before it was ready (exit status: 3)");
    line.failed();
    installed.restore();
    let successor = request(&address, "POST /upgrade").expect("a response").body;
    line.upgraded();
    assert_eq!(successor, line.process.to_string());
    line.wait_until_at(&address);
    line.program.wait_for(&format!("took over from process {first}"));
    line.program.wait_for(&format!("stopping (process {successor} has taken over)"));
    line.program.wait_for(&format!("stopped (process {successor} has taken over)"));
    line.signal(Signal::SIGKILL);
    line.program.end().expect_code(0);
}

#[test]
fn a_request_during_an_upgrade_is_refused_and_the_upgrade_goes_on() {
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let mut line = Line::start(installed.start());
    let gate = Gate::before(&installed);
    line.signal(Signal::SIGUSR2);
    line.program.wait_for("upgrade: starting ");
    for _ in 0..2 {
        let said = line.fail();
        assert!(said.contains("no upgrade: another one is under way"), "{said}");
    }
    gate.open();
    line.upgraded();
    let ended = line.stop();
    ended.expect_code(0);
    assert_eq!(ended.stderr().matches("upgrade: starting ").count(), 1, "{ended}");
}

#[test]
fn a_program_that_starts_or_stops_is_not_upgraded() {
    let mut program = program!("service").args("db=wait").start();
    program.wait_until_said("db");
    program.signal(Signal::SIGUSR2);
    program.wait_for("no upgrade: the process is not ready, but starting");
    program.tell("db");
    let mut program = program.ready();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    program.signal(Signal::SIGUSR2);
    program.wait_for("no upgrade: the process is not ready, but draining");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    program.end().expect_code(0).expect_not_said(&["upgrade: starting"]);
}

#[test]
fn a_stop_ends_the_successor_that_is_still_starting() {
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let mut line = Line::start(installed.start());
    installed.replace_by_script("{run} warm=wait");
    line.signal(Signal::SIGUSR2);
    line.program.wait_until_said_times("warm", 2);
    // This waits until nobody has its output open.
    let ended = line.stop();
    ended.expect_code(0).expect_said(&[
        "no upgrade: the process was stopped meanwhile",
        "stopped during the start",
    ]);
    assert_eq!(ended.stderr().matches("exit code 0").count(), 2, "{ended}");
}

#[test]
fn a_hook_for_the_signal_takes_its_place() {
    let mut program = program!("recurring").args("rotate").start().ready();
    program.signal(Signal::SIGUSR2);
    program.wait_until_said("rotate");
    program.stop().expect_code(0).expect_not_said(&["upgrade"]);
}

#[test]
fn a_process_that_still_drains_holds_no_further_upgrade_up() {
    let address = own_address();
    let mut line = Line::start(program!("routes").env("LIFECYCLE_BIND", &address));
    let first = line.process;
    let mut client = line.begin_upload(&address);
    line.upgrade();
    let second = line.process;
    line.upgrade();
    // Its parent, which drains, has reaped it.
    line.wait_until_gone(second);
    assert!(!line.program.has_exited());
    client.write(b"cde").expect("it is connected");
    assert_eq!(client.response().expect("a response").body, "5");
    line.program.wait_while(|| system::is_running(first));
    line.stop().expect_code(0);
}
