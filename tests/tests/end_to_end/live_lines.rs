//! Live lines at the bottom of a terminal: what they show, and that nothing of it remains.

use crate::emulator::{Emulator, FRAME, Key, LAST};

const SERVICE: &str = env!("CARGO_BIN_EXE_service");
const SERVICES: &str = env!("CARGO_BIN_EXE_services");
const VALUES: &str = env!("CARGO_BIN_EXE_values");

/// Text that only live lines have.
const LIVE: &str = " left, ";

/// Starts `service` with these arguments on a terminal.
fn service(args: &str) -> Emulator {
    Emulator::start(SERVICE, |start| start.args(args))
}

/// Returns the row of the screen with the first live line of a start or a stop.
fn header(rows: &[String], state: &str) -> Option<usize> {
    rows.iter().position(|row| row.starts_with(state) && row.contains(LIVE))
}

/// Returns the live lines of a start or a stop that waits for this hook first.
fn live_lines<'r>(rows: &'r [String], state: &str, hook: &str) -> Option<&'r [String]> {
    let lines = &rows[header(rows, state)?..];
    lines.get(1)?.starts_with(&format!("  {hook} ")).then_some(lines)
}

/// Waits for the live lines of a start or a stop that waits for this hook, and returns them.
#[track_caller]
fn live(emulator: &mut Emulator, state: &str, hook: &str) -> Vec<String> {
    let rows = emulator.wait_until(|rows| live_lines(rows, state, hook).is_some());
    live_lines(&rows, state, hook).expect("it was waited for").to_vec()
}

/// Returns the seconds that the live lines of a stop say it has taken, and those that are left.
fn shown_times(rows: &[String]) -> Option<(f64, f64)> {
    let row = &rows[header(rows, "stopping (SIGINT) ")?];
    let (took, rest) = row.strip_prefix("stopping (SIGINT) ")?.split_once(" s, ")?;
    let (left, _) = rest.split_once(" s left, ")?;
    Some((took.parse().ok()?, left.parse().ok()?))
}

/// Presses `^C` in a stop, after more than the time within which signals count as one.
#[track_caller]
fn interrupt_again(emulator: &mut Emulator) {
    let rows = emulator.wait_until(|rows| shown_times(rows).is_some());
    let (last, _) = shown_times(&rows).expect("it was waited for");
    emulator.wait_until(|rows| shown_times(rows).is_some_and(|(took, _)| took > last + 0.7));
    emulator.press(Key::Interrupt);
}

/// Returns the lines of the console, or those of the program, without what differs from run to run:
/// times, ports, and the lines that depend on how long something takes.
fn masked(lines: &[String], of_console: bool) -> Vec<String> {
    let mask = |word: &str| {
        let is_time = word.starts_with(|c: char| c.is_ascii_digit())
            || ["s", "ms", "µs"].contains(&word.trim_end_matches([',', ':', ')']));
        if is_time || word.starts_with("http://") { "…".to_owned() } else { word.to_owned() }
    };
    let line = |line: &String| line.split(' ').map(mask).collect::<Vec<_>>().join(" ");
    let depends = |line: &String| line.starts_with("lifecycle: waiting for ");
    let is_asked = |line: &&String| line.starts_with("lifecycle: ") == of_console;
    lines.iter().filter(|line| is_asked(line) && !depends(line)).map(line).collect()
}

#[test]
fn a_slow_start_shows_what_it_waits_for_and_how_far_it_is() {
    let mut emulator = service("warm=wait");
    let first = live(&mut emulator, "starting ", "warm");
    assert!(first[0].ends_with(" left, 2 of 3 done, waiting for:"), "{first:#?}");
    assert!(first[1].contains(" (tests/src/bin/service.rs:"), "{first:#?}");
    assert_eq!(first.len(), 2, "they are the last on the screen: {first:#?}");
    // It counts.
    emulator.wait_until(|rows| rows.last() != first.last());
    emulator.program.tell("warm");
    let rows = emulator.wait_for("ready after");
    emulator.wait_until(|rows| header(rows, "starting ").is_none());
    assert!(rows.iter().any(|row| row.contains("lifecycle: done warm in ")), "{rows:#?}");
    emulator.press(Key::Interrupt);
    emulator.end(0);
}

#[test]
fn a_slow_stop_shows_the_time_that_is_left_and_who_blocks_it() {
    let mut emulator = service("flush=wait");
    emulator.wait_for("ready after");
    assert_eq!(header(&emulator.rows(), "starting "), None);
    emulator.press(Key::Interrupt);
    let first = live(&mut emulator, "stopping (SIGINT) ", "flush");
    let text = " s left, 0 of 3 done, ^C to hurry, waiting for:";
    assert!(first[0].ends_with(text), "{first:#?}");
    assert!(first[1].contains(" (tests/src/bin/service.rs:"), "{first:#?}");
    assert_eq!(first.len(), 2, "{first:#?}");
    interrupt_again(&mut emulator);
    let hurried = emulator.wait_for(", ^C to exit at once, waiting for:");
    let (took, left) = shown_times(&hurried).expect("times");
    assert!((took + left - 25.0).abs() < 0.3, "the time goes down: {hurried:#?}");
    emulator.program.tell("flush");
    emulator.end(0);
}

#[test]
fn what_remains_is_what_plain_lines_are() {
    let remains = |form: &'static str| {
        let args = "warm=wait flush=wait close_db=fail";
        let mut emulator =
            Emulator::start(SERVICE, |start| start.args(args).env("LIFECYCLE_CONSOLE", form));
        if form == "live" {
            live(&mut emulator, "starting ", "warm");
        } else {
            emulator.wait_for("start warm");
        }
        emulator.program.tell("warm");
        emulator.wait_for("ready after");
        emulator.press(Key::Interrupt);
        emulator.wait_for("waiting for flush");
        emulator.program.tell("flush");
        let remains = emulator.end(3);
        let failed = "\x1b[31mhook `close_db` (tests/src/bin/service.rs:";
        assert!(remains.bytes.contains(failed), "{}", remains.bytes);
        assert_eq!(remains.bytes.contains(FRAME), form == "live", "{}", remains.bytes);
        remains.text
    };
    let (live, plain) = (remains("live"), remains("plain"));
    for of_console in [true, false] {
        assert_eq!(masked(&live, of_console), masked(&plain, of_console));
    }
}

/// Starts `service` with a hook that writes 200 lines and half of another once there are live
/// lines, and the other half when `rest` comes on stdin.
#[track_caller]
fn chattering() -> Emulator {
    let mut emulator = service("chatter");
    live(&mut emulator, "starting ", "chatter");
    emulator.program.tell("chatter");
    emulator
}

#[test]
fn output_of_the_program_is_whole_and_above() {
    let mut emulator = chattering();
    let frames = emulator.bytes().matches(FRAME).count();
    let rows = emulator.wait_until(|rows| {
        rows.iter().any(|row| row == "half a line") && header(rows, "starting ").is_some()
    });
    let half = rows.iter().position(|row| row == "half a line").expect("it was waited for");
    assert!(half < header(&rows, "starting ").expect("it was waited for"), "{rows:#?}");
    // Frames follow that leave the half as it is.
    emulator.wait_for_frames(frames + 3);
    emulator.program.tell("rest");
    emulator.wait_for("ready after");
    emulator.press(Key::Interrupt);
    let remains = emulator.end(0);
    let said: Vec<_> = remains.text.iter().filter(|line| line.contains("chatter says ")).collect();
    let expected: Vec<_> = (0..200).map(|number| format!("chatter says {number}")).collect();
    assert_eq!(said, expected.iter().collect::<Vec<_>>());
    remains.expect("half a line and the rest").expect_not(LIVE);
}

#[test]
fn lines_follow_the_size_of_the_terminal() {
    let mut emulator = chattering();
    emulator.wait_until(|rows| rows.iter().any(|row| row == "half a line"));
    for size in [(100, 40), (60, 12), (120, 24)] {
        emulator.resize(size);
        let rows = emulator.wait_until(|rows| {
            let lines = live_lines(rows, "starting ", "chatter").map(<[_]>::len);
            rows.len() == usize::from(size.1) && lines == Some(2)
        });
        let headers = rows.iter().filter(|row| row.starts_with("starting ")).count();
        assert_eq!(headers, 1, "{rows:#?}");
        assert!(rows.iter().any(|row| row == "half a line"), "{rows:#?}");
    }
    // Too small for anything but the output, and as large again.
    emulator.resize((100, 6));
    emulator.wait_until(|rows| rows.len() == 6 && header(rows, "starting ").is_none());
    emulator.resize((100, 30));
    live(&mut emulator, "starting ", "chatter");
    emulator.program.tell("rest");
    emulator.wait_for("ready after");
    emulator.press(Key::Interrupt);
    let remains = emulator.end(0);
    let said = remains.text.iter().filter(|line| line.contains("chatter says ")).count();
    assert_eq!(said, 200, "{:#?}", remains.text);
    remains.expect("half a line and the rest").expect_not(LIVE);
}

#[test]
fn a_start_and_a_stop_that_are_quick_show_nothing() {
    let mut emulator = service("");
    emulator.wait_for("ready after");
    emulator.press(Key::Interrupt);
    let remains = emulator.end(0);
    let took = |what: &str| {
        let line = remains.text.iter().find_map(|line| line.split_once(what)).expect("a line").1;
        let (millis, _) = line.split_once(" ms")?;
        millis.parse::<f64>().ok()
    };
    // A machine that is busy may take longer.
    let is_quick = |took: Option<f64>| took.is_some_and(|millis| millis < 250.0);
    if is_quick(took("ready after ")) && is_quick(took("stopped (SIGINT) in ")) {
        assert!(!remains.bytes.contains(FRAME), "{}", remains.bytes);
    }
}

#[test]
fn plain_lines_wherever_nobody_wants_others() {
    let variables: [&[(&str, &str)]; 8] = [
        &[("NO_COLOR", "1")],
        &[("TERM", "dumb")],
        &[("TERM", "")],
        &[("CI", "true")],
        &[("LIFECYCLE_CONSOLE", "plain")],
        &[("LIFECYCLE_CONSOLE", "json")],
        &[("LIFECYCLE_CONSOLE", "time")],
        &[],
    ];
    for variables in variables {
        // The last is a terminal that doesn't know its size, such as that of a container.
        let size = (!variables.is_empty()).then_some((300, 30));
        let mut emulator = Emulator::sized(SERVICE, size, |start| {
            let start = start.args("flush=wait");
            variables.iter().fold(start, |start, (name, value)| start.env(name, value))
        });
        emulator.wait_for("ready after");
        emulator.press(Key::Interrupt);
        // It takes longer than until live lines would appear.
        emulator.wait_for("waiting for flush ");
        emulator.program.tell("flush");
        let bytes = emulator.end(0).bytes;
        assert!(!bytes.contains(FRAME), "{variables:?}: {bytes}");
        if variables == [("NO_COLOR", "1")] || variables == [("TERM", "dumb")] {
            assert!(!bytes.contains('\x1b'), "{variables:?}: {bytes}");
        }
    }
}

#[test]
fn ci_that_is_false_or_empty_is_none() {
    for value in ["false", ""] {
        let mut emulator =
            Emulator::start(SERVICE, |start| start.args("warm=wait").env("CI", value));
        live(&mut emulator, "starting ", "warm");
        emulator.press(Key::Interrupt);
        emulator.end(0);
    }
}

#[test]
fn in_the_background_nothing_is_drawn_and_nothing_taken_away() {
    let mut emulator = Emulator::with_jobs(SERVICE, |start| start.args("warm=wait"));
    live(&mut emulator, "starting ", "warm");
    emulator.press(Key::Suspend);
    emulator.wait_for("suspended");
    let frames = emulator.bytes().matches(FRAME).count();
    emulator.press(Key::Enter);
    emulator.program.tell("warm");
    let rows = emulator.wait_for("ready after");
    assert!(header(&rows, "starting ").is_some(), "{rows:#?}");
    assert_eq!(emulator.bytes().matches(FRAME).count(), frames);
    // In the foreground it gives the rows back.
    emulator.press(Key::Enter);
    emulator.wait_until(|rows| header(rows, "starting ").is_none());
    emulator.press(Key::Interrupt);
    emulator.end(0);
}

#[test]
fn an_observer_that_holds_the_end_up_is_shown() {
    let mut emulator = Emulator::start(SERVICES, |start| {
        start.args("observer=stop").env("LIFECYCLE_GRACE", "20s")
    });
    emulator.wait_for("ready after");
    emulator.press(Key::Interrupt);
    let shown = live(&mut emulator, "stopped (SIGINT) ", "an observer of events");
    assert!(shown[0].ends_with(" done, waiting for:"), "{shown:#?}");
    emulator.end(0).expect("an observer of events has not returned").expect_not(LIVE);
}

#[test]
fn a_terminal_of_another_session_has_none() {
    let mut emulator = Emulator::elsewhere(SERVICE, |start| start.args("warm=wait stops_at_once"));
    // It takes longer than until live lines would appear.
    emulator.wait_for("waiting for warm ");
    emulator.program.tell("warm");
    let bytes = emulator.end(0).bytes;
    assert!(!bytes.contains(FRAME), "{bytes}");
}

#[test]
fn of_two_programs_on_one_terminal_the_first_has_the_lines_until_it_is_ready() {
    let mut emulator = Emulator::twice(SERVICE, "warm=hang", |start| start.args("cache=wait"));
    live(&mut emulator, "starting ", "cache");
    emulator.press(Key::Enter);
    // The other waits for longer than until live lines would appear.
    emulator.wait_for("waiting for warm ");
    let is_of = |frame: &String, hook: &str| frame.contains(&format!("  {hook} "));
    let frames = emulator.frames();
    assert!(!frames.iter().any(|frame| is_of(frame, "warm")), "{frames:#?}");
    emulator.program.tell("cache");
    live(&mut emulator, "starting ", "warm");
    emulator.press(Key::Interrupt);
    emulator.end(0).expect_not(LIVE);
}

#[test]
fn what_a_subscriber_shows_has_no_live_lines_beside_it() {
    let mut emulator = service("flush=wait log=info");
    emulator.wait_for("ready");
    emulator.press(Key::Interrupt);
    emulator.wait_for("waiting on=");
    emulator.program.tell("flush");
    let bytes = emulator.end(0).bytes;
    assert!(!bytes.contains(FRAME), "{bytes}");
}

#[test]
fn a_key_that_stops_a_slow_start_leaves_a_clean_screen() {
    let mut emulator = service("warm=hang");
    live(&mut emulator, "starting ", "warm");
    emulator.press(Key::Interrupt);
    emulator.end(0).expect("stopped during the start (SIGINT)").expect_not(LIVE);
}

#[test]
fn a_start_that_fails_says_why_where_its_live_lines_were() {
    let mut emulator = service("cache=wait-fail");
    live(&mut emulator, "starting ", "cache");
    emulator.program.tell("cache");
    let remains = emulator.end(1);
    let failed = "\x1b[31mstart failed: hook `cache` (tests/src/bin/service.rs:";
    assert!(remains.bytes.contains(failed), "{}", remains.bytes);
    remains.expect_not(LIVE);
}

#[test]
fn a_forced_exit_gives_the_terminal_back() {
    // By a third signal.
    let mut emulator = service("flush=hang");
    emulator.wait_for("ready after");
    emulator.press(Key::Interrupt);
    for next in [", ^C to hurry", ", ^C to exit at once"] {
        emulator.wait_for(next);
        interrupt_again(&mut emulator);
    }
    emulator.end(130).expect("lifecycle: third signal (SIGINT): exit").expect_not(LIVE);

    // By the watchdog, as the drop of a value hangs.
    let mut emulator = Emulator::start(VALUES, |start| {
        let start = start.args("run task db=wait").without_env("LIFECYCLE_BIND");
        start.env("LIFECYCLE_GRACE", "2s")
    });
    emulator.wait_for("ready after");
    emulator.press(Key::Interrupt);
    emulator.wait_until(|rows| header(rows, "stopping (SIGINT) ").is_some());
    emulator.end(3).expect("the grace period of 2 s is over").expect_not(LIVE);
}

#[test]
fn a_terminal_that_stands_still_holds_nothing_up() {
    // What hooks say does not go there, as it would hold them up.
    let mut emulator = Emulator::start(SERVICE, |start| {
        let start = start.args("flush=wait").env("TEST_STDOUT", "9");
        // Nor does the watchdog end it before the test gives up.
        start.env("LIFECYCLE_GRACE", "1h")
    });
    emulator.wait_for("ready after");
    emulator.press(Key::Interrupt);
    live(&mut emulator, "stopping (SIGINT) ", "flush");
    emulator.press(Key::Stop);
    emulator.program.tell("flush");
    // It ends, though it can neither show that nor take its lines away.
    emulator.wait_for_code(0);
    assert!(header(&emulator.rows(), "stopping (SIGINT) ").is_some());
    emulator.press(Key::GoOn);
    emulator.wait_for(LAST);
    emulator.leave();
}
