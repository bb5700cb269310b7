//! Console that keeps its lines, for tests.

use std::sync::{Arc, Mutex};

use super::lines::LineOutput;
use super::{Console, ConsoleFormat, Style};

/// Output that accepts everything at once.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<String>>);

impl LineOutput for Kept {
    fn write_now(&self, text: &[u8]) -> usize {
        self.0.lock().expect("no panic").push_str(&String::from_utf8_lossy(text));
        text.len()
    }

    fn write(&self, text: &[u8]) {
        self.write_now(text);
    }

    fn is_awaited(&self) -> bool {
        true
    }
}

/// Makes a console, and a function that returns its lines so far, without the prefix of each.
pub(crate) fn console(is_auto: bool, is_terminal: bool) -> (Console, impl Fn() -> Vec<String>) {
    let (console, lines) = console_of(ConsoleFormat::Plain);
    let lines =
        move || lines().iter().map(|line| line.replace("lifecycle: ", "")).collect::<Vec<_>>();
    (Console { is_terminal, is_auto, ..console }, lines)
}

/// Makes a console whose lines have this form, and a function that returns its lines so far.
pub(crate) fn console_of(format: ConsoleFormat) -> (Console, impl Fn() -> Vec<String>) {
    let kept = Kept::default();
    let console = Console::to(kept.clone(), Style { format, ..Style::default() });
    let lines = move || {
        let text = kept.0.lock().expect("no panic");
        text.lines().map(str::to_owned).collect()
    };
    (console, lines)
}
