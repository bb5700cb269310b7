//! Texts of the live lines.

use std::borrow::Cow;

use super::screen::Size;
use crate::event::{State, StopCause, Wait, readable};
use crate::hook::error::printable;
use crate::observe::live::LiveProgress;

/// Largest number of rows: most of the terminal is the program's.
const MOST: u16 = 8;

/// Returns the lines about a start or a stop, for a terminal of this size.
pub(super) fn lines(progress: &LiveProgress, size: Size) -> Vec<String> {
    let width = usize::from(size.columns);
    let most = usize::from(MOST.min(size.rows / 3)).max(2);
    let mut waits: Vec<_> = progress.stalls.iter().map(|text| WaitLine::bad(text)).collect();
    waits.extend(progress.waits.iter().map(WaitLine::of));
    // The header has a line, and those that are left out have one.
    let named = if waits.len() < most { waits.len() } else { most - 2 };
    let mut lines = vec![header(progress, waits.is_empty(), width)];
    lines.extend(waits.iter().take(named).map(|wait| wait.painted(width)));
    if named < waits.len() {
        lines.push(format!("  … and {} more", waits.len() - named));
    }
    lines
}

/// Returns the first line: what is going on for how long, and how far it is.
fn header(progress: &LiveProgress, waits_for_nothing: bool, width: usize) -> String {
    let LiveProgress { state, cause, is_hurried, took, left, done, total, .. } = progress;
    let because = cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let mut rest = format!(" {}, {} left", readable(*took), readable(*left));
    if *total > 0 {
        rest += &format!(", {done} of {total} hooks done");
    }
    if *state >= State::Draining && matches!(cause, Some(StopCause::Signal(_))) {
        rest += if *is_hurried { ", ^C to exit at once" } else { ", ^C to hurry" };
    }
    if !waits_for_nothing {
        rest += ", waiting for:";
    }
    let name = one_line(&format!("{state}{because}"));
    let name = shortened(&name, width);
    let rest = shortened(&rest, width - name.chars().count());
    format!("\x1b[1m{name}\x1b[0m{rest}")
}

/// Line about one thing that is waited for.
struct WaitLine {
    text: String,
    /// Place in the code, if there is one.
    place: String,
    is_bad: bool,
}

impl WaitLine {
    fn of(wait: &Wait) -> Self {
        let place = match wait {
            Wait::Hook { hook, .. } | Wait::Service { hook, .. } | Wait::Value { hook, .. } => {
                format!(" ({})", hook.place())
            }
            _ => String::new(),
        };
        let has_failed = matches!(wait, Wait::Service { last_error: Some(_), .. });
        Self { text: one_line(&wait.to_string()), place, is_bad: has_failed }
    }

    fn bad(text: &str) -> Self {
        Self { text: one_line(text), place: String::new(), is_bad: true }
    }

    /// Returns the line in colours, which is no wider than this.
    fn painted(&self, width: usize) -> String {
        let width = width.saturating_sub(2);
        let text = shortened(&self.text, width);
        let place = shortened(&self.place, width - text.chars().count());
        let colour = if self.is_bad { "\x1b[31m" } else { "" };
        format!("  {colour}{text}\x1b[0;2m{place}\x1b[0m")
    }
}

/// Returns a text in which nothing acts on the terminal, and nothing begins another line. It may be
/// an error of the program, or the path of a client's request.
fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// Returns a text, or as much of it as fits into this number of columns.
fn shortened(text: &str, columns: usize) -> Cow<'_, str> {
    if text.chars().count() <= columns {
        return text.into();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns == 0 { kept.into() } else { format!("{kept}…").into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::RequestInfo;
    use crate::plan::sample::hooks;

    fn stop(waits: Vec<Wait>) -> LiveProgress {
        LiveProgress {
            state: State::Stopping,
            cause: Some(StopCause::Signal("SIGTERM")),
            is_hurried: false,
            took: Duration::from_millis(3_200),
            left: Duration::from_millis(21_800),
            done: 2,
            total: 5,
            waits,
            stalls: Vec::new(),
        }
    }

    /// Returns the lines without colours.
    fn plain(progress: &LiveProgress, rows: u16, columns: u16) -> Vec<String> {
        let codes = ["\x1b[1m", "\x1b[31m", "\x1b[0;2m", "\x1b[0m"];
        let plain =
            |line: &String| codes.iter().fold(line.clone(), |line, code| line.replace(code, ""));
        lines(progress, Size { rows, columns }).iter().map(plain).collect()
    }

    fn request(path: &str) -> Wait {
        let running = Duration::from_secs(4);
        let request = RequestInfo { method: "GET".into(), path: path.to_owned(), running };
        Wait::Requests { count: 1, longest: vec![request] }
    }

    #[test]
    fn a_stop_shows_its_countdown_and_who_blocks_it() {
        let hook = hooks("stop close_db")[0];
        let wait = Wait::Hook { hook, running: Duration::from_millis(2_100) };
        let expected = [
            "stopping (SIGTERM) 3.2 s, 21.8 s left, 2 of 5 hooks done, ^C to hurry, waiting for:",
            "  close_db 2.1 s (app.rs:1)",
            "  GET /report 4 s",
        ];
        assert_eq!(plain(&stop(vec![wait, request("/report")]), 30, 100), expected);
        let hurried = LiveProgress { is_hurried: true, ..stop(Vec::new()) };
        let expected =
            ["stopping (SIGTERM) 3.2 s, 21.8 s left, 2 of 5 hooks done, ^C to exit at once"];
        assert_eq!(plain(&hurried, 30, 100), expected);
    }

    #[test]
    fn lines_take_a_third_of_the_terminal_at_most_and_count_the_rest() {
        let many = stop((0..20).map(|number| request(&format!("/{number}"))).collect());
        for (rows, lines, last) in
            [(60, 8, "  … and 14 more"), (12, 4, "  … and 18 more"), (8, 2, "  … and 20 more")]
        {
            let shown = plain(&many, rows, 100);
            assert_eq!((shown.len(), shown.last().map(String::as_str)), (lines, Some(last)));
        }
        // As many as there is room for are all named.
        let few = stop((0..3).map(|number| request(&format!("/{number}"))).collect());
        assert_eq!(plain(&few, 12, 100).last().map(String::as_str), Some("  GET /2 4 s"));
    }

    #[test]
    fn lines_are_no_wider_than_the_terminal() {
        let hook = hooks("stop close_db")[0];
        let wait = Wait::Hook { hook, running: Duration::from_secs(2) };
        let progress = stop(vec![request(&"/long".repeat(50)), wait]);
        for columns in [10, 20, 30, 78] {
            for line in plain(&progress, 30, columns) {
                assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}");
            }
        }
        assert_eq!(plain(&progress, 30, 22)[2], "  close_db 2 s (app.r…");
    }

    #[test]
    fn nothing_of_a_client_or_an_error_acts_on_the_terminal() {
        let mut progress = stop(vec![request("/\x1b[2J\nnext")]);
        progress.cause = Some(StopCause::Failed("no\n\x1b[31mdisk".to_owned()));
        let shown = plain(&progress, 30, 200);
        assert!(shown.iter().all(|line| !line.contains(['\x1b', '\n'])), "{shown:?}");
        assert!(shown[0].contains(r"no \u{1b}[31mdisk"), "{shown:?}");
        assert_eq!(shown[1], r"  GET /\u{1b}[2J next 4 s");
    }
}
