//! Programs on a terminal: keys that stop them, colours, and lines behind `^C`.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::pty::openpty;

use crate::harness::{Signal, Start, own_address, program};
use crate::http::request;
use crate::serve;

/// Text that a terminal has shown so far, read by a thread of its own.
struct Shown {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Shown {
    /// Reads a terminal until the last process on it has ended.
    fn on(terminal: OwnedFd) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&text);
        let mut terminal = File::from(terminal);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            // On Linux, reading from a terminal without a process ends with EIO.
            while let Ok(length @ 1..) = terminal.read(&mut chunk) {
                written.lock().expect("no panic").extend_from_slice(&chunk[..length]);
            }
        });
        Self { text, reader }
    }

    fn has(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.text.lock().expect("no panic")).contains(text)
    }

    /// Waits for the end of the last process, and returns everything that it has written.
    fn all(self) -> String {
        self.reader.join().expect("no panic");
        let text = self.text.lock().expect("no panic").clone();
        String::from_utf8(text).expect("a text")
    }
}

/// Returns what `service` writes to a terminal.
fn on_a_terminal(start: Start) -> String {
    on_a_terminal_until(start, Signal::SIGTERM)
}

/// Returns what it writes to a terminal if this signal stops it once it is ready.
fn on_a_terminal_until(start: Start, signal: Signal) -> String {
    let terminal = openpty(None, None).expect("a terminal");
    let mut program = start.stderr(terminal.slave).start();
    let shown = Shown::on(terminal.master);
    program.wait_while(|| !shown.has("ready after"));
    program.signal(signal);
    program.end().expect_code(0);
    shown.all()
}

/// Line of a stop that waits for no drain delay.
const UNDELAYED: &str = "a key of the terminal: the drain delay is not waited for";

/// Makes the program wait for this drain delay in full: half of the grace period is longer.
fn delayed(start: Start, delay: &str) -> Start {
    start.env("LIFECYCLE_DRAIN_DELAY", delay).env("LIFECYCLE_GRACE", "1h")
}

#[test]
fn a_key_that_stops_waits_for_no_delay() {
    let start = |delay| delayed(program!("service").env("TERM", "dumb"), delay);
    // The delay is longer than any test waits.
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        let text = on_a_terminal_until(start("10m"), signal);
        assert!(text.contains(UNDELAYED), "{text}");
    }
    // A program that has a terminal, but gets another signal, was not stopped by a key.
    let text = on_a_terminal_until(start("1s"), Signal::SIGTERM);
    // A second or more, and no milliseconds.
    let is_delayed =
        |line: &str| line.contains("server closed in ") && line.contains(" s: 0 requests");
    assert!(text.lines().any(is_delayed) && !text.contains(UNDELAYED), "{text}");
    // Without a terminal there is no key either.
    let mut program = start("1s").start().ready();
    program.signal(Signal::SIGINT);
    let ended = program.end();
    ended.expect_code(0).expect_not_said(&[UNDELAYED]);
    assert!(ended.stderr().lines().any(is_delayed), "{ended}");
}

#[test]
fn a_key_that_follows_another_reason_waits_for_no_delay_either() {
    let terminal = openpty(None, None).expect("a terminal");
    let address = own_address();
    let start = serve("").env("LIFECYCLE_BIND", &address).stderr(terminal.slave);
    let mut program = delayed(start, "10m").start();
    let shown = Shown::on(terminal.master);
    program.wait_while(|| !shown.has("ready after"));
    request(&address, "POST /stop").expect("it accepts still");
    request(&address, "GET /").expect("it accepts still");
    program.signal(Signal::SIGINT);
    program.end().expect_code(0);
    let text = shown.all();
    assert!(text.contains(UNDELAYED), "{text}");
}

#[test]
fn the_first_line_behind_a_key_that_stops_begins_on_a_line_of_its_own() {
    for (signal, name, lines) in [
        (Signal::SIGINT, "SIGINT", 1),
        (Signal::SIGQUIT, "SIGQUIT", 1),
        (Signal::SIGTERM, "SIGTERM", 0),
    ] {
        let text = on_a_terminal_until(program!("service").env("TERM", "dumb"), signal);
        // A terminal would have shown `^C` where the empty line is.
        let before = text.split(&format!("lifecycle: stopping ({name})")).next().expect("a text");
        assert_eq!(before.matches("\r\n\r\n").count(), lines, "{text}");
        assert_eq!(text.matches("\r\n\r\n").count(), lines, "{text}");
    }
}

#[test]
fn colour_on_a_terminal_unless_that_has_none_or_no_color_is_set() {
    let coloured = on_a_terminal(program!("service").env("TERM", "xterm"));
    assert!(coloured.contains("\x1b[32mdone\x1b[0m db in "), "{coloured}");
    let plain = on_a_terminal(program!("service").env("NO_COLOR", "1"));
    assert!(plain.contains("lifecycle: done db in ") && !plain.contains('\x1b'), "{plain}");
    // https://no-color.org: "when present and not an empty string".
    assert!(
        on_a_terminal(program!("service").env("NO_COLOR", "").env("TERM", "xterm"))
            .contains('\x1b')
    );
    assert!(!on_a_terminal(program!("service").env("TERM", "dumb")).contains('\x1b'));
}
