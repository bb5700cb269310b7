//! Output to stderr, and the behaviour of a program whose output does not get there.

use std::fs::File;
use std::io::{PipeReader, Read, Seek, Write, pipe};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;

use crate::harness::{Ended, Program, Signal, Start, own_address, program};
use crate::http::Connection;
use crate::{STARTED, STOPPED};

/// Starts a program whose stderr can't show that it listens.
fn started(start: Start) -> Program {
    let address = own_address();
    let mut program = start.env("LIFECYCLE_BIND", &address).start();
    program.wait_while(|| TcpStream::connect(&address).is_err());
    program
}

/// Stops the program, and checks that everything runs as ever.
fn expect_stops(program: Program) -> Ended {
    let ended = program.stop();
    ended.expect_code(0).expect_took(Duration::ZERO).expect_did(&[&STARTED[..], &STOPPED].concat());
    ended
}

/// Fills a pipe or a terminal to the brim.
pub(crate) fn fill(mut pipe: impl AsFd + Write) {
    let flags = |pipe: &_, flags| fcntl(pipe, FcntlArg::F_SETFL(flags)).expect("a pipe");
    flags(&pipe, OFlag::O_NONBLOCK);
    for chunk in [4096, 1] {
        while pipe.write(&vec![b'x'; chunk]).is_ok() {}
    }
    flags(&pipe, OFlag::empty());
}

/// Starts a program whose stderr is full, and keeps it so.
pub(crate) fn with_full_stderr(start: Start) -> (Program, PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    fill(&writer);
    (started(start.stderr(writer)), reader)
}

#[test]
fn a_full_stderr_holds_nothing_up() {
    let (program, _reader) = with_full_stderr(program!("service"));
    expect_stops(program);
}

#[test]
fn a_terminal_that_stands_still_holds_nothing_up() {
    let terminal = openpty(None, None).expect("a terminal");
    fill(File::from(terminal.slave.try_clone().expect("a terminal")));
    expect_stops(started(program!("service").stderr(terminal.slave)));
}

#[test]
fn a_broken_stderr_ends_nothing() {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    expect_stops(started(program!("service").stderr(writer)));
}

#[test]
fn a_closed_stderr_ends_nothing() {
    expect_stops(started(Start::shell(env!("CARGO_BIN_EXE_service"), "2>&-")));
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let (mut reader, writer) = pipe().expect("a pipe");
    let program = started(program!("service").stderr(writer));
    reader.read_exact(&mut [0; 10]).expect("the first line");
    drop(reader);
    expect_stops(program);
}

#[test]
fn plain_lines_when_piped() {
    let ended = program!("service").args("flush=fail").start().ready().stop();
    ended.expect_code(3);
    assert!(ended.stderr().lines().all(|line| line.starts_with("lifecycle: ")), "{ended}");
    assert!(!ended.stderr().contains('\x1b'), "{ended}");
}

#[test]
fn nothing_is_written_with_the_console_off_but_hooks_run() {
    let ended = expect_stops(started(program!("service").env("LIFECYCLE_CONSOLE", "off")));
    assert_eq!(ended.stderr(), "", "{ended}");
}

#[test]
fn the_reason_for_which_nothing_runs_is_written_also_with_the_console_off() {
    let mut taken = program!("service").start().ready();
    let address = taken.addresses().remove(0);
    let off = || program!("service").env("LIFECYCLE_CONSOLE", "off");
    let in_use = format!("lifecycle: can't listen on {address}: ");
    for (start, reason) in [
        (off().env("LIFECYCLE_BIND", &address), in_use.as_str()),
        (off().args("warm=fail"), "lifecycle: start failed: hook `warm` ("),
    ] {
        let ended = start.end();
        let stderr = ended.stderr();
        assert!(stderr.starts_with(reason) && stderr.lines().count() == 1, "{ended}");
        ended.expect_code(1);
    }
}

#[test]
fn who_asks_is_answered_also_with_the_console_off() {
    let mut program = started(program!("service").env("LIFECYCLE_CONSOLE", "off"));
    program.signal(Signal::SIGUSR1);
    program.wait_for(" for ");
    let ended = expect_stops(program);
    let answer = ended.stderr();
    assert!(answer.starts_with("lifecycle: ") && answer.ends_with(" nothing\n"), "{ended}");
    assert_eq!(answer.lines().count(), 1, "{ended}");
}

#[test]
fn the_last_words_have_a_while_to_be_written() {
    for start in [
        program!("service"),
        program!("embedded").args("multi"),
        program!("embedded").args("current"),
    ] {
        let (program, _reader) = with_full_stderr(start);
        program.stop().expect_code(0).expect_took(Duration::from_millis(200));
    }
}

#[test]
fn the_last_words_are_whole_however_much_there_is_to_say() {
    for _ in 0..20 {
        let ended = program!("service").args("warm=fail").end();
        assert!(ended.stderr().ends_with("exit code 1\n"), "{ended}");
    }
}

#[test]
fn a_panic_that_a_full_stderr_holds_up_keeps_nothing_else_from_running() {
    let (program, _reader) =
        with_full_stderr(program!("service").args("flush=panic").env("LIFECYCLE_GRACE", "4s"));
    let ended = program.stop();
    ended.expect_code(3).expect_did(&[&STARTED[..], &["flush", "audit", "close_db"]].concat());
    // If the stop had taken longer, the watchdog would have left hooks out.
    ended.expect_took(Duration::ZERO);
}

#[test]
fn a_full_stderr_does_not_keep_the_watchdog_from_ending_the_process() {
    let (program, _reader) =
        with_full_stderr(program!("service").args("flush=block").env("LIFECYCLE_GRACE", "1s"));
    program.stop().expect_code(3).expect_took(Duration::from_secs(1));
}

#[test]
fn a_full_stderr_does_not_keep_a_third_signal_from_ending_the_process() {
    let (mut program, _reader) = with_full_stderr(program!("service").args("close_db=hang"));
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    // Nothing shows that the program has heard the second signal. It hears signals of different
    // kinds one by one.
    program.signal(Signal::SIGINT);
    program.signal(Signal::SIGQUIT);
    let ended = program.end();
    assert!(matches!(ended.status.code(), Some(130 | 131)), "{}\n{ended}", ended.status);
    ended.expect_took(Duration::ZERO);
}

#[test]
fn many_requests_that_were_cut_are_twenty_lines_and_a_count() {
    let mut program = program!("service").env("LIFECYCLE_DRAIN_TIMEOUT", "100ms").start();
    let address = program.address();
    let mut clients: Vec<_> =
        (0..30).map(|_| Connection::to(&address).expect("it listens")).collect();
    for client in &mut clients {
        client.send("GET /held").expect("it listens");
    }
    program.wait_until_said_times("held", clients.len());
    let ended = program.stop();
    ended.expect_code(3).expect_said(&["30 cut off", "… and 10 more requests cut off"]);
    let named =
        ended.stderr().lines().filter(|line| line.contains("request cut off: GET /held")).count();
    assert_eq!(named, 20, "{ended}");
}

#[test]
fn what_a_hook_began_with_is_written_however_the_hook_ends_the_process() {
    for _ in 0..20 {
        let ended = program!("service").args("flush=abort").start().ready().stop();
        assert_eq!(ended.status.code(), None, "{ended}");
        ended.expect_said(&["lifecycle: run flush"]);
    }
}

#[test]
fn what_a_hook_began_with_reaches_a_file_however_the_hook_ends_the_process() {
    for _ in 0..20 {
        let mut file = tempfile::tempfile().expect("a file");
        let writer = file.try_clone().expect("a file");
        let mut program = started(program!("service").args("flush=abort").stderr(writer));
        program.signal(Signal::SIGTERM);
        program.end();
        let mut all = String::new();
        file.rewind().expect("a file");
        file.read_to_string(&mut all).expect("a text");
        assert!(all.ends_with("lifecycle: run flush\n"), "{all}");
    }
}

#[test]
fn what_a_hook_began_with_reaches_a_terminal_however_the_hook_ends_the_process() {
    for _ in 0..20 {
        let terminal = openpty(None, None).expect("a terminal");
        let mut program = started(program!("service").args("flush=abort").stderr(terminal.slave));
        program.signal(Signal::SIGTERM);
        program.end();
        let mut all = Vec::new();
        let _ = File::from(terminal.master).read_to_end(&mut all);
        let all = String::from_utf8(all).expect("a text");
        assert!(all.contains("run flush"), "{all}");
    }
}

#[test]
fn no_control_character_of_an_error_reaches_a_terminal_or_looks_like_a_line_of_ours() {
    let ended = program!("service").args("flush=fail-loudly").start().ready().stop();
    let lines: Vec<_> = ended
        .stderr()
        .lines()
        .filter(|line| line.starts_with("lifecycle: "))
        .map(str::to_owned)
        .collect();
    let at = lines.iter().position(|line| line.contains("panicked: ")).expect("a line");
    assert!(lines[at].ends_with(r"panicked: \u{1b}[2Jgone\rblank\u{9b}31m"), "{lines:#?}");
    assert!(
        lines[at + 1].starts_with("lifecycle:   lifecycle: stopped, exit code 0"),
        "{lines:#?}"
    );
}

#[test]
fn an_error_does_not_say_that_the_program_has_stopped() {
    let ended = program!("service").args("flush=fail-in-disguise").start().ready().stop();
    ended.expect_code(3).expect_said(&[r"failed: \u{1b}[2Jgone"]);
    let stderr = ended.stderr();
    assert!(!stderr.contains('\x1b'), "{ended}");
    let stopped: Vec<_> =
        stderr.lines().filter(|line| line.starts_with("lifecycle: stopped")).collect();
    assert!(
        matches!(stopped[..], [last] if last.ends_with("failed: flush, exit code 3")),
        "{ended}"
    );
}

#[test]
fn a_socket_as_systemd_has_it_is_written_to_at_once_and_holds_nothing_up() {
    let (mut reader, writer) = UnixStream::pair().expect("a socket");
    let mut program =
        started(program!("service").args("flush=abort").stderr(OwnedFd::from(writer)));
    program.signal(Signal::SIGTERM);
    program.end();
    let mut all = String::new();
    reader.read_to_string(&mut all).expect("a text");
    assert!(all.ends_with("lifecycle: run flush\n"), "{all}");
    let (_reader, writer) = UnixStream::pair().expect("a socket");
    writer.set_nonblocking(true).expect("a socket");
    while (&writer).write(&[b'x'; 4096]).is_ok() {}
    writer.set_nonblocking(false).expect("a socket");
    expect_stops(started(program!("service").stderr(OwnedFd::from(writer))));
}
