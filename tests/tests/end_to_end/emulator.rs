//! Emulated terminal with a program on it, which has its own session as in a window of its own: the
//! keys of the terminal reach it, and it is in the foreground.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use avt::Terminal;
use nix::pty::openpty;
use nix::unistd::ttyname;
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::{Program, Start};

/// Shell that leads the session. It opens the terminal for reading, too, as only that makes it the
/// session's. It stays there until a line comes on stdin, as the end of a session throws away what
/// nobody has read yet.
const LEADER: &str = r#"
exec setsid /bin/sh -c '
    exec 3<>"$TEST_TERMINAL" 9>&1 >&3 2>&3 3>&-
    trap : INT
    "$0" "$@" >&"${TEST_STDOUT:-1}" 9>&-
    echo "ended $?" >&9
    echo "that was all"
    read -r leave
' "$0" "$@""#;

/// Line of [`LEADER`] that runs the program.
const RUN: &str = r#""$0" "$@" >&"${TEST_STDOUT:-1}" 9>&-"#;

/// Lines that run the program as a shell with job control does: once it is suspended, a first Enter
/// lets it go on in the background, and a second in the foreground.
const RUN_AS_JOB: &str = r#"
    set -m
    "$0" "$@" 9>&-
    echo "suspended"
    read -r key <&2
    bg
    read -r key <&2
    fg"#;

/// Lines that run the program twice, side by side. The other begins with an Enter, and has the
/// arguments of `TEST_BESIDE`.
const RUN_TWICE: &str = r#"
    "$0" "$@" >&2 9>&- | { read -r key <&2; exec "$0" $TEST_BESIDE <&2 >&2 9>&-; }"#;

/// Line that the shell writes behind everything of the program.
pub(crate) const LAST: &str = "that was all";

/// Sequences around a frame of live lines, which terminals show as one.
pub(crate) const FRAME: &str = "\x1b[?2026h";
const FRAME_END: &str = "\x1b[?2026l";

/// Size of the terminal unless a test chooses another, in columns and rows.
const SIZE: (u16, u16) = (100, 30);

/// Program on an emulated terminal.
pub(crate) struct Emulator {
    pub(crate) program: Program,
    keyboard: File,
    shown: Arc<Mutex<Shown>>,
    reader: JoinHandle<()>,
    /// End of the program's side, which keeps the terminal open until everything is read.
    side: OwnedFd,
}

/// Everything that the terminal has got.
struct Shown {
    terminal: Terminal,
    bytes: Vec<u8>,
    /// Beginning of a character, or of a frame, whose end has not come.
    begun: Vec<u8>,
}

impl Shown {
    fn new((columns, rows): (u16, u16)) -> Self {
        let terminal = Terminal::with_scrollback(columns.into(), rows.into(), None);
        Self { terminal: terminal.expect("a size"), bytes: Vec::new(), begun: Vec::new() }
    }

    /// Shows what was written; a frame when all of it has come, as terminals do.
    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.begun.extend_from_slice(bytes);
        let valid = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = std::str::from_utf8(&self.begun[..valid]).expect("it is valid");
        let open = text.rfind(FRAME).filter(|at| !text[*at..].contains(FRAME_END));
        let text = &text[..open.unwrap_or(valid)];
        self.terminal.feed(text);
        let shown = text.len();
        self.begun.drain(..shown);
    }

    /// Returns the rows of the screen, without blanks at their ends.
    fn rows(&self) -> Vec<String> {
        let lines = self.terminal.screen().visible_lines();
        lines.map(|line| line.text().trim_end().to_owned()).collect()
    }
}

impl Emulator {
    /// Starts a program on a terminal of the usual size.
    pub(crate) fn start(path: &str, prepare: impl FnOnce(Start) -> Start) -> Self {
        Self::sized(path, Some(SIZE), prepare)
    }

    /// Starts a program on a terminal that is not its session's, as another window.
    pub(crate) fn elsewhere(path: &str, prepare: impl FnOnce(Start) -> Start) -> Self {
        Self::led_by(&LEADER.replace("3<>", "3>"), path, Some(SIZE), prepare)
    }

    /// Starts a program as a job, which [`Key::Suspend`] and [`Key::Enter`] move about.
    pub(crate) fn with_jobs(path: &str, prepare: impl FnOnce(Start) -> Start) -> Self {
        Self::led_by(&LEADER.replace(RUN, RUN_AS_JOB), path, Some(SIZE), prepare)
    }

    /// Starts a program that is begun once more, with these arguments, by [`Key::Enter`].
    pub(crate) fn twice(path: &str, args: &str, prepare: impl FnOnce(Start) -> Start) -> Self {
        let leader = LEADER.replace(RUN, RUN_TWICE);
        let prepare = |start| prepare(start).env("TEST_BESIDE", args);
        Self::led_by(&leader, path, Some(SIZE), prepare)
    }

    /// Starts a program on a terminal of this size, in columns and rows; with `None`, of an unknown
    /// size.
    pub(crate) fn sized(
        path: &str,
        size: Option<(u16, u16)>,
        prepare: impl FnOnce(Start) -> Start,
    ) -> Self {
        Self::led_by(LEADER, path, size, prepare)
    }

    fn led_by(
        leader: &str,
        path: &str,
        size: Option<(u16, u16)>,
        prepare: impl FnOnce(Start) -> Start,
    ) -> Self {
        let pair = openpty(None, None).expect("a terminal");
        if let Some(size) = size {
            set_size(&pair.master, size);
        }
        let shown = Arc::new(Mutex::new(Shown::new(size.unwrap_or(SIZE))));
        let fed = Arc::clone(&shown);
        let keyboard = File::from(pair.master);
        let mut output = keyboard.try_clone().expect("a descriptor");
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            // On Linux, reading from a terminal without a process ends with EIO.
            while let Ok(length @ 1..) = output.read(&mut chunk) {
                fed.lock().expect("no panic").feed(&chunk[..length]);
            }
        });
        let name = ttyname(&pair.slave).expect("a terminal has a name");
        let start = Start::script(path, leader).env("TEST_TERMINAL", name);
        let start = start.env("TERM", "xterm-256color").without_env("CI");
        let program = prepare(start).start();
        Self { program, keyboard, shown, reader, side: pair.slave }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().expect("no panic")
    }

    /// Returns the rows of the screen, without blanks at their ends.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.shown().rows()
    }

    /// Returns the lines of the screen and of what has scrolled off it, up to the last that is not
    /// blank.
    pub(crate) fn text(&self) -> Vec<String> {
        let shown = self.shown();
        let text = shown.terminal.screen().text();
        let mut text: Vec<_> = text.iter().map(|line| line.trim_end().to_owned()).collect();
        while text.last().is_some_and(String::is_empty) {
            text.pop();
        }
        text
    }

    /// Returns everything that was written to the terminal.
    pub(crate) fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.shown().bytes).into_owned()
    }

    /// Returns the frames of live lines that have been written.
    pub(crate) fn frames(&self) -> Vec<String> {
        self.bytes().split(FRAME).skip(1).map(frame_text).collect()
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: Key) {
        self.keyboard.write_all(&[key as u8]).expect("a terminal");
    }

    /// Gives the terminal another size, in columns and rows.
    pub(crate) fn resize(&self, size: (u16, u16)) {
        self.shown().terminal.resize(size.0.into(), size.1.into());
        set_size(&self.keyboard, size);
    }

    /// Waits until the rows of the screen are as a test wants them, and returns them.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, is_there: impl Fn(&[String]) -> bool) -> Vec<String> {
        let (shown, seen) = (Arc::clone(&self.shown), RefCell::default());
        self.program.wait_while(|| {
            let rows = shown.lock().expect("no panic").rows();
            let is_missing = !is_there(&rows);
            seen.replace(rows);
            is_missing
        });
        seen.into_inner()
    }

    /// Waits until a row of the screen contains this text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> Vec<String> {
        self.wait_until(|rows| rows.iter().any(|row| row.contains(text)))
    }

    /// Waits until this many frames of live lines have been written.
    #[track_caller]
    pub(crate) fn wait_for_frames(&mut self, count: usize) {
        let shown = Arc::clone(&self.shown);
        self.program.wait_while(|| {
            let shown = shown.lock().expect("no panic");
            String::from_utf8_lossy(&shown.bytes).matches(FRAME).count() < count
        });
    }

    /// Waits for the end of the program, with this exit code.
    #[track_caller]
    pub(crate) fn wait_for_code(&mut self, code: i32) {
        self.program.wait_until_said(&format!("ended {code}"));
    }

    /// Waits for the end of the program with this exit code, and for everything that it has
    /// written. Checks that the terminal is as it was: it has its cursor, and scrolls as a whole.
    #[track_caller]
    pub(crate) fn end(mut self, code: i32) -> Remains {
        self.wait_for_code(code);
        self.wait_for(LAST);
        let (mut text, bytes) = (self.text(), self.bytes());
        text.pop();
        let mut shown = self.shown();
        assert!(shown.terminal.cursor().visible, "{text:#?}");
        let (_, rows) = shown.terminal.size();
        shown.terminal.feed(&*"below\r\n".repeat(2 * rows));
        assert_eq!(shown.terminal.cursor().row, rows - 1, "{text:#?}");
        let is_free = |line: &avt::Line| line.text().trim_end() == "below";
        assert!(shown.terminal.screen().visible_lines().take(rows - 1).all(is_free), "{text:#?}");
        drop(shown);
        self.leave();
        Remains { text, bytes }
    }

    /// Ends the session.
    pub(crate) fn leave(mut self) {
        self.program.tell("leave");
        drop(self.program.end());
        drop(self.side);
        self.reader.join().expect("no panic");
    }
}

/// Lines and bytes that remain of a program on its terminal.
pub(crate) struct Remains {
    /// Lines of the screen and of what has scrolled off it.
    pub(crate) text: Vec<String>,
    /// Everything that was written.
    pub(crate) bytes: String,
}

impl Remains {
    /// Checks that a line contains this text.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) -> &Self {
        assert!(
            self.text.iter().any(|line| line.contains(text)),
            "no `{text}` in {:#?}",
            self.text
        );
        self
    }

    /// Checks that no line contains this text.
    #[track_caller]
    pub(crate) fn expect_not(&self, text: &str) -> &Self {
        let line = self.text.iter().find(|line| line.contains(text));
        assert!(line.is_none(), "{line:?} in {:#?}", self.text);
        self
    }
}

/// Key with a meaning for the terminal.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    /// `^C`: SIGINT.
    Interrupt = 3,
    Enter = 13,
    /// `^S`: the output stands still.
    Stop = 19,
    /// `^Z`: SIGTSTP.
    Suspend = 26,
    /// `^Q`: it goes on.
    GoOn = 17,
}

/// Returns the text of a frame, without what was written behind it.
fn frame_text(text: &str) -> String {
    text.split(FRAME_END).next().unwrap_or_default().to_owned()
}

fn set_size(terminal: &impl AsFd, (columns, rows): (u16, u16)) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("a terminal");
}
