//! Tests of the console's lines and their look.

mod formats;

use std::sync::{Arc, Condvar, Mutex, mpsc};

use super::*;
use tracing::Level;

use crate::event::{Event, Outcome, ServiceState};
use crate::hook::state::State;
use crate::plan::sample::hooks;

/// Output that takes its time, as a terminal may.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<String>>);

impl LineOutput for Slow {
    fn write_now(&self, _: &[u8]) -> usize {
        0
    }

    fn write(&self, text: &[u8]) {
        std::thread::sleep(Duration::from_millis(20));
        self.0.lock().expect("no panic").push_str(&String::from_utf8_lossy(text));
    }

    fn is_awaited(&self) -> bool {
        false
    }
}

/// Output that accepts a number of bytes at once, and more only when somebody reads, as a pipe.
#[derive(Clone, Default)]
struct Pipe(Arc<(Mutex<Room>, Condvar)>);

#[derive(Default)]
struct Room {
    left: usize,
    is_read: bool,
    written: String,
}

impl Pipe {
    fn with_room(left: usize) -> Self {
        Self(Arc::new((Mutex::new(Room { left, ..Room::default() }), Condvar::new())))
    }

    fn read(&self) {
        self.0.0.lock().expect("no panic").is_read = true;
        self.0.1.notify_all();
    }

    fn written(&self) -> String {
        self.0.0.lock().expect("no panic").written.clone()
    }
}

impl LineOutput for Pipe {
    fn write_now(&self, text: &[u8]) -> usize {
        let mut room = self.0.0.lock().expect("no panic");
        let taken = text.len().min(room.left);
        room.left -= taken;
        room.written.push_str(std::str::from_utf8(&text[..taken]).expect("a text"));
        taken
    }

    fn write(&self, text: &[u8]) {
        let room = self.0.0.lock().expect("no panic");
        let mut room = self.0.1.wait_while(room, |room| !room.is_read).expect("no panic");
        room.written.push_str(std::str::from_utf8(text).expect("a text"));
    }

    fn is_awaited(&self) -> bool {
        false
    }
}

fn console(output: impl LineOutput) -> Console {
    Console::to(output, Style::default())
}

#[test]
fn what_an_output_takes_is_written_when_say_returns() {
    let pipe = Pipe::with_room(usize::MAX);
    let console = console(pipe.clone());
    console.say("one\ntwo");
    assert_eq!(pipe.written(), "lifecycle: one\nlifecycle: two\n");
}

#[test]
fn what_an_output_does_not_take_follows_in_order() {
    // The pipe has room for a line and a half.
    let pipe = Pipe::with_room("lifecycle: 1\nlifec".len());
    let console = console(pipe.clone());
    (1..=5).for_each(|number| console.say(&number.to_string()));
    assert_eq!(pipe.written(), "lifecycle: 1\nlifec");
    pipe.read();
    console.flush(Duration::from_secs(60));
    assert_eq!(
        pipe.written(),
        (1..=5).map(|number| format!("lifecycle: {number}\n")).collect::<String>()
    );
}

#[test]
fn what_there_is_no_room_for_is_left_out_and_counted() {
    let pipe = Pipe::default();
    let console = console(pipe.clone());
    let said = 100_000;
    (0..said).for_each(|number| console.say(&format!("line {number}")));
    // A long text is no exception.
    console.complain(&"x".repeat(1_000_000));
    console.say(&(0..said).map(|number| format!("more {number}\n")).collect::<String>());
    pipe.read();
    console.flush(Duration::from_secs(60));
    let written = pipe.written();
    assert!(written.len() < 1_000_000, "{} bytes waited", written.len());
    let is_note = |line: &&str| line.ends_with(" left out") && line.contains('…');
    let left_out = |line: &str| {
        line.split(' ').nth(2).and_then(|count| count.parse::<usize>().ok()).unwrap_or_default()
    };
    let notes: usize = written.lines().filter(is_note).map(left_out).sum();
    let lines = written.lines().filter(|line| !is_note(line)).count();
    assert_eq!(notes + lines, 2 * said + 1, "{}", &written[..200]);
    // The last line is there.
    assert!(written.ends_with("lifecycle: more 99999\n"));
}

/// Output that accepts the first bytes, and reports that before it goes on.
struct Hesitant {
    pipe: Pipe,
    takes: mpsc::Sender<()>,
    goes_on: Mutex<mpsc::Receiver<()>>,
}

impl LineOutput for Hesitant {
    fn write_now(&self, text: &[u8]) -> usize {
        let written = self.pipe.write_now(text);
        let _ = self.takes.send(());
        let _ = self.goes_on.lock().expect("no panic").recv();
        written
    }

    fn write(&self, text: &[u8]) {
        self.pipe.write(text);
    }

    fn is_awaited(&self) -> bool {
        false
    }
}

#[test]
fn a_line_whose_beginning_is_written_is_never_left_out() {
    let pipe = Pipe::with_room("lifecycle: is".len());
    let ((takes, taken), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
    let console = console(Hesitant { pipe: pipe.clone(), takes, goes_on: Mutex::new(goes_on) });
    let begins = console.clone();
    let begins = std::thread::spawn(move || begins.say("is begun"));
    taken.recv().expect("it writes");
    (0..100_000).for_each(|number| console.say(&format!("line {number}")));
    go_on.send(()).expect("it waits");
    begins.join().expect("no panic");
    pipe.read();
    console.flush(Duration::from_secs(60));
    let written = pipe.written();
    let mut lines = written.lines();
    assert_eq!(lines.next(), Some("lifecycle: is begun"));
    assert!(
        lines.next().is_some_and(|line| line.ends_with(" lines left out")),
        "{}",
        &written[..200]
    );
    assert!(written.ends_with("lifecycle: line 99999\n"));
}

#[test]
fn nothing_of_an_error_acts_on_a_terminal_or_looks_like_another_line() {
    let pipe = Pipe::with_room(usize::MAX);
    let console = console(pipe.clone());
    let hook = hooks("start db")[0];
    let error = "\x1b[2Jcan't parse:\n\t^ here\nstopped (SIGTERM) in 1 s, exit code 0".to_owned();
    let outcome = Outcome::Failed { error };
    console.write_event(Duration::ZERO, &Event::State(State::Ready), Level::INFO);
    console.write_event(
        Duration::ZERO,
        &Event::HookEnded { hook, outcome, took: Duration::ZERO },
        Level::INFO,
    );
    let written = pipe.written();
    let lines: Vec<_> = written.lines().skip(1).collect();
    let expected = [
        r"lifecycle: hook `db` (app.rs:1) failed: \u{1b}[2Jcan't parse:",
        "lifecycle:   \t^ here",
        "lifecycle:   stopped (SIGTERM) in 1 s, exit code 0 (after 0 µs)",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn the_last_words_are_written_when_flush_returns() {
    let output = Slow::default();
    let console = Console::to(output.clone(), Style::default());
    console.say("one\ntwo");
    console.complain("three");
    console.flush(Duration::from_secs(60));
    assert_eq!(
        *output.0.lock().expect("no panic"),
        "lifecycle: one\nlifecycle: two\nlifecycle: three\n"
    );
}

#[test]
fn lines_are_painted_on_a_terminal_only() {
    for (colour, expected) in
        [(false, "lifecycle: bad\n"), (true, "\x1b[2mlifecycle:\x1b[0m \x1b[31mbad\x1b[0m\n")]
    {
        let output = Slow::default();
        let console = Console::to(output.clone(), Style { colour, ..Style::default() });
        console.complain("bad");
        console.flush(Duration::from_secs(60));
        assert_eq!(*output.0.lock().expect("no panic"), expected);
    }
}

#[test]
fn a_service_that_is_told_to_stop_is_timed_from_there() {
    let hooks = hooks("service svc; service done");
    let output = Slow::default();
    let console = Console::to(output.clone(), Style::default());
    let [svc, done] = hooks[..] else { unreachable!("there are two") };
    let stopping = Event::Service { hook: svc, state: ServiceState::Stopping };
    console.write_event(Duration::from_secs(60), &stopping, Level::INFO);
    for hook in [svc, done] {
        let ended =
            Event::HookEnded { hook, outcome: Outcome::Succeeded, took: Duration::from_secs(62) };
        console.write_event(Duration::from_secs(62), &ended, Level::INFO);
    }
    console.flush(Duration::from_secs(60));
    let written = output.0.lock().expect("no panic").replace("lifecycle: ", "");
    assert_eq!(written, "stop svc\ndone svc in 2 s\ndone done in 1 min 2 s\n");
}

#[test]
fn a_service_whose_thread_goes_on_after_a_panic_is_told_of_at_once() {
    let hook = hooks("service svc")[0];
    let (console, written) = sample::console(false, false);
    let after = Outcome::Panicked { message: "oops".to_owned() };
    let failing = Event::Service { hook, state: ServiceState::Failing { after } };
    console.write_event(Duration::ZERO, &failing, Level::WARN);
    assert_eq!(written(), ["service `svc` (app.rs:1) panicked: oops; its thread goes on"]);
}

#[test]
fn what_was_said_before_the_last_console_went_is_written_and_the_thread_ends() {
    let output = Slow::default();
    let console = Console::to(output.clone(), Style::default());
    console.say("one");
    console.clone().say("two");
    drop(console);
    let begun = std::time::Instant::now();
    // The thread has the other reference.
    while Arc::strong_count(&output.0) > 1 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the thread goes on");
        std::thread::yield_now();
    }
    assert_eq!(*output.0.lock().expect("no panic"), "lifecycle: one\nlifecycle: two\n");
}

#[test]
fn hooks_of_one_name_are_told_apart_by_their_modules() {
    let plan = crate::plan::sample::plan(
        "start store::db; start cache::db; check store::ping; check cache::ping",
    );
    let plan = plan.expect("valid");
    let (console, written) = sample::console(false, false);
    for &hook in plan.hooks() {
        console.write_event(Duration::ZERO, &Event::HookStarted { hook }, Level::INFO);
        let took = Duration::from_secs(1);
        console.write_event(
            took,
            &Event::HookEnded { hook, outcome: Outcome::Succeeded, took },
            Level::INFO,
        );
    }
    let lines =
        ["start cache::db", "done cache::db in 1 s", "start store::db", "done store::db in 1 s"];
    assert_eq!(written(), lines);
}

#[test]
fn what_always_has_a_line_is_written_past_a_silent_console() {
    assert!(!Console::silent(ConsoleFormat::Plain).or_stderr().is_silent());
    let (console, lines) = super::sample::console(false, false);
    console.or_stderr().complain("no thread");
    console.write_last_line("exit at once", 3);
    assert_eq!(lines(), ["no thread", "exit at once"]);
}

#[test]
fn only_a_terminal_needs_a_new_line_behind_a_key() {
    for (is_terminal, lines) in [(true, &["", "stopping"][..]), (false, &["stopping"][..])] {
        let (console, written) = sample::console(false, is_terminal);
        console.begin_line();
        console.say("stopping");
        assert_eq!(written(), lines, "{is_terminal}");
    }
}
