//! Upgrades that fail: the predecessor goes on, says why, and loses nothing.

use super::line::{Gate, Installed, Line, names, process_at};
use crate::harness::{Signal, Start, own_address, program, system};
use crate::http::{Connection, request};
use crate::load::{Load, Shape};

/// Clients that keep their connection, and think for a moment between two requests.
const KEPT: Shape = Shape { clients: 16, pause: (2_000, 10_000), ..Shape::CLOSED_LOOP };

/// Clients that open a connection for each request.
const FRESH: Shape = Shape { clients: 4, pause: (2_000, 10_000), ..Shape::FRESH };

/// Scripts of successors that fail, and texts of the reasons that the predecessor says. `{run}`
/// runs the program.
const FAILURES: [(&str, &str); 19] = [
    ("{run} db=fail", "failed: can't open the store: page 7 is unreadable"),
    ("{run} db=panic", "panicked: db has no idea"),
    ("{run} db=abort", "the successor ended before it was ready (signal: 6 (SIGABRT)"),
    ("{run} cache=fail", "failed: can't open the store"),
    ("{run} warm=hang", "ran into"),
    ("{run} timed=hang", "ran into its timeout"),
    ("{run} stops_at_once", "the successor ended before it was ready (exit status: 0)"),
    ("{run} app=panic", "building it panicked"),
    ("{run} app=data", "the successor failed: "),
    ("{run} announce=fail", "failed: can't open the store"),
    ("{run} announce=panic", "panicked: announce has no idea"),
    ("{run} announce=hang", "ran into"),
    ("{run} announce=abort", "the successor ended before it was ready (signal: 6 (SIGABRT)"),
    ("export LIFECYCLE_GRACE=soon\n{run}", "LIFECYCLE_GRACE=soon: "),
    ("export LIFECYCLE_BIND=0.0.0.0:{port}\n{run}", "in use"),
    ("exit 7", "the successor ended before it was ready (exit status: 7)"),
    ("kill -9 $$", "the successor ended before it was ready (signal: 9 (SIGKILL)"),
    ("exec sleep 600", "the program that was started has said nothing for 2s"),
    ("trap '' TERM\nwhile :; do sleep 1; done", "the program that was started has said nothing"),
];

#[test]
fn a_successor_that_fails_in_any_way_leaves_the_predecessor_as_it_was() {
    let (installed, address) = (Installed::new(env!("CARGO_BIN_EXE_service")), own_address());
    let (_, port) = address.rsplit_once(':').expect("a port");
    let start = installed.start().env("LIFECYCLE_BIND", &address);
    let start = start.env("LIFECYCLE_STARTUP_TIMEOUT", "2s").env("LIFECYCLE_GRACE", "4s");
    let mut line = Line::start(start);
    let first = line.process;
    let loads = [KEPT, FRESH].map(|shape| Load::start(&address, shape, |_, _| "GET /".to_owned()));
    let mut check = |reason: &str| {
        let said = line.fail();
        assert!(said.contains(reason), "no `{reason}` in: {said}");
        for load in &loads {
            load.wait_for(load.answered() + 20);
            load.expect_all_at_work();
        }
        assert_eq!(process_at(&address), first);
        assert_eq!(request(&address, "GET /readyz").expect("a response").status, 200);
        // Whoever says that it has failed has reaped it, too.
        let left = system::children(first);
        assert!(left.is_empty(), "{reason}: {left:?}");
    };
    for (script, reason) in FAILURES {
        installed.replace_by_script(&script.replace("{port}", port));
        check(reason);
    }
    // The system takes it for a script, which has no such command.
    installed.replace_by("\u{7f}ELF, but not really", "755");
    check("the successor ended before it was ready (exit status: 127)");
    installed.replace_by("#!/bin/sh", "644");
    check("can't be started: Permission denied");
    installed.remove();
    check("can't be started: No such file or directory");
    installed.restore();
    line.upgrade();
    line.wait_until_at(&address);
    let ended = line.stop();
    ended.expect_code(0);
    for load in loads {
        load.end().expect_nothing_lost();
    }
}

#[test]
fn without_a_descriptor_there_is_no_upgrade() {
    let start = Start::with_descriptors(env!("CARGO_BIN_EXE_routes"), 48);
    let mut line = Line::start(start.args("workers=1"));
    let address = line.program.address();
    let mut busy = Vec::new();
    loop {
        let mut client = Connection::to(&address).expect("it listens");
        client.send("GET /held/slow").expect("it listens");
        busy.push(client);
        let said = line.program.wait_until_said_or("held slow", busy.len(), "can't accept");
        if said {
            break;
        }
    }
    let said = line.fail();
    assert!(said.contains("can't be started: Too many open files"), "{said}");
    line.program.tell("slow");
    // Each client that ends makes room for another.
    for mut client in busy {
        assert_eq!(client.response().expect("a response").status, 200);
    }
    line.program.wait_for("accepting connections again");
    line.upgrade();
    assert_eq!(request(&address, "GET /").expect("a response").body, "ok");
    line.stop().expect_code(0);
}

#[test]
fn a_successor_that_finds_the_disk_full_leaves_the_pid_file_as_it_was() {
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let file = installed.folder.path().join("pid");
    let mut line = Line::start(installed.start().env("LIFECYCLE_PID_FILE", &file));
    let text = || std::fs::read_to_string(&file).expect("a file");
    assert_eq!(text(), format!("{}\n", line.process));
    // The limit is that of a file's size. The system says so in a signal as well, which has to be
    // ignored.
    installed.replace_by_script("trap '' XFSZ\nulimit -f 0\n{run}");
    let said = line.fail();
    assert!(said.contains("can't be written: File too large"), "{said}");
    assert_eq!(text(), format!("{}\n", line.process));
    assert_eq!(names(installed.folder.path()), ["pid", "program"]);
    line.stop().expect_code(0);
    assert_eq!(names(installed.folder.path()), ["program"]);
}

#[test]
fn a_pid_file_that_can_not_be_written_fails_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("none/pid");
    let ended = program!("service").env("LIFECYCLE_PID_FILE", &file).end();
    let line = format!("the PID file {} can't be written: No such file", file.display());
    ended.expect_code(1).expect_did(&[]).expect_said(&[&line]);
}

#[test]
fn a_successor_goes_on_if_its_predecessor_is_killed_meanwhile() {
    let installed = Installed::new(env!("CARGO_BIN_EXE_service"));
    let address = own_address();
    let mut line = Line::start(installed.start().env("LIFECYCLE_BIND", &address));
    let gate = Gate::before(&installed);
    line.signal(Signal::SIGUSR2);
    line.program.wait_for("upgrade: starting ");
    let predecessor = line.process;
    line.program.wait_while(|| system::children(predecessor).is_empty());
    let successor = system::children(predecessor)[0];
    line.signal(Signal::SIGKILL);
    // Nobody accepts it yet.
    let mut client = Connection::to(&address).expect("the successor has the listener");
    client.send("GET /process").expect("it is connected");
    gate.open();
    assert_eq!(client.response().expect("a response").body, successor.to_string());
    line.process = successor;
    let ended = line.stop();
    ended.expect_said(&["took over from process ", "exit code 0"]);
}
