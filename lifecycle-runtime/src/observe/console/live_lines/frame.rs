//! Texts of the live lines.

use std::cmp::Reverse;

use super::fit::{columns_of, one_line, shortened};
use super::screen::Size;
use super::wait_line::{WaitLine, Waited};
use crate::event::{State, StopCause, readable};
use crate::observe::live::LiveProgress;

/// Largest number of rows: most of the terminal is the program's.
const MOST: u16 = 8;

/// Smallest number of rows that are there on any terminal: the header, something that is waited
/// for, and the number of the others.
const LEAST: u16 = 3;

/// Columns that a cause may take from what stands behind it.
const SHORT_CAUSE: usize = 20;

/// Smallest number of columns in which a part of a cause says anything.
const SHORTEST_CAUSE: usize = 8;

/// Returns the lines about a start or a stop, for a terminal of this size. What is stalled comes
/// first, and then what has been running the longest, as it is the likeliest to be to blame.
pub(super) fn lines(progress: &LiveProgress, size: Size) -> Vec<String> {
    let width = usize::from(size.columns);
    let most = usize::from(MOST.min(size.rows / 3).max(LEAST));
    let waits = &progress.waits;
    let total = progress.stalls.len() + waits.iter().map(WaitLine::count_of).sum::<usize>();
    // The header has a line, and those that are left out have one.
    let room = if total < most { total } else { most - 2 };
    let mut waited: Vec<_> = waits.iter().flat_map(Waited::all_of).collect();
    waited.sort_by_key(|waited| Reverse(waited.running()));
    let stalls = progress.stalls.iter().map(|text| WaitLine::bad(text));
    let named = stalls.chain(waited.into_iter().map(Waited::line)).take(room);
    let mut lines = vec![header(progress, total == 0, width)];
    lines.extend(named.map(|line| line.painted(width)));
    let named = lines.len() - 1;
    if named < total {
        lines.push(format!("  … and {} more", total - named));
    }
    lines
}

/// Returns the first line: what is going on for how long, and how far it is. What has no room is
/// left out, the times last of all.
fn header(progress: &LiveProgress, waits_for_nothing: bool, width: usize) -> String {
    let LiveProgress { state, cause, is_hurried, took, left, done, total, .. } = progress;
    let state_name = state.to_string();
    let mut rest = format!(" {}, {} left", readable(*took), readable(*left));
    let cause_text = cause.as_ref().map(|cause| one_line(&cause.to_string()));
    let because = cause_text.map(|cause| format!(" ({cause})")).unwrap_or_default();
    let mut parts = Vec::new();
    if *total > 0 {
        parts.push(format!(", {done} of {total} done"));
    }
    // Nothing that is left after the last hook can be hurried.
    let can_hurry = (State::Draining..State::Stopped).contains(state) || *is_hurried;
    if can_hurry && matches!(cause, Some(StopCause::Signal(_))) {
        parts.push(if *is_hurried { ", ^C to exit at once" } else { ", ^C to hurry" }.to_owned());
    }
    if !waits_for_nothing {
        parts.push(", waiting for:".to_owned());
    }
    let because_columns = columns_of(&because).min(SHORT_CAUSE);
    let taken = columns_of(&state_name) + columns_of(&rest) + because_columns;
    let mut room = width.saturating_sub(taken);
    for part in parts {
        if columns_of(&part) <= room {
            room -= columns_of(&part);
            rest += &part;
        }
    }
    let room = width.saturating_sub(columns_of(&state_name) + columns_of(&rest));
    let because = if columns_of(&because) <= room {
        because
    } else if room < SHORTEST_CAUSE {
        String::new()
    } else {
        // The bracket behind it stays.
        format!("{})", shortened(because.trim_end_matches(')'), room - 1))
    };
    let name = shortened(&state_name, width).into_owned() + &because;
    let rest = shortened(&rest, width - columns_of(&name));
    format!("\x1b[1m{name}\x1b[0m{rest}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{RequestInfo, Wait};
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
            "stopping (SIGTERM) 3.2 s, 21.8 s left, 2 of 5 done, ^C to hurry, waiting for:",
            "  GET /report 4 s",
            "  close_db 2.1 s (app.rs:1)",
        ];
        assert_eq!(plain(&stop(vec![wait, request("/report")]), 30, 100), expected);
        let hurried = LiveProgress { is_hurried: true, ..stop(Vec::new()) };
        let expected = ["stopping (SIGTERM) 3.2 s, 21.8 s left, 2 of 5 done, ^C to exit at once"];
        assert_eq!(plain(&hurried, 30, 100), expected);
    }

    #[test]
    fn lines_take_a_third_of_the_terminal_or_three_rows_and_count_the_rest() {
        let many = stop((0..20).map(|number| request(&format!("/{number}"))).collect());
        for (rows, lines, last) in
            [(60, 8, "  … and 14 more"), (12, 4, "  … and 18 more"), (8, 3, "  … and 19 more")]
        {
            let shown = plain(&many, rows, 100);
            assert_eq!((shown.len(), shown.last().map(String::as_str)), (lines, Some(last)));
        }
        // As many as there is room for are all named.
        let few = stop((0..3).map(|number| request(&format!("/{number}"))).collect());
        assert_eq!(plain(&few, 12, 100).last().map(String::as_str), Some("  GET /2 4 s"));
    }

    #[test]
    fn the_times_have_their_room_whatever_the_cause_is() {
        let mut progress = stop(vec![request("/report")]);
        let header = |progress: &LiveProgress, columns| plain(progress, 30, columns).remove(0);
        let whole = "stopping (SIGTERM) 3.2 s, 21.8 s left, 2 of 5 done, ^C to hurry, waiting for:";
        assert_eq!(header(&progress, 80), whole);
        assert_eq!(header(&progress, 30), "stopping 3.2 s, 21.8 s left");
        assert_eq!(header(&progress, 52), "stopping (SIGTERM) 3.2 s, 21.8 s left, 2 of 5 done");
        let cause = "cause ".repeat(34);
        progress.cause = Some(StopCause::Failed(cause));
        let long = header(&progress, 80);
        assert!(long.starts_with("stopping ("), "{long}");
        assert!(long.ends_with("…) 3.2 s, 21.8 s left, 2 of 5 done, waiting for:"), "{long}");
        assert_eq!(long.chars().count(), 80, "the cause has the room that is left: {long}");
        assert_eq!(header(&progress, 30), "stopping 3.2 s, 21.8 s left");
    }

    #[test]
    fn each_request_has_a_line_whose_time_is_in_sight() {
        let request = |path: &str, seconds| {
            let running = Duration::from_secs(seconds);
            RequestInfo { method: "GET".into(), path: path.to_owned(), running }
        };
        let long = format!("/orders/{}/items", "0123456789".repeat(9));
        let longest = vec![request(&long, 12), request("/report", 4)];
        let task = Wait::Tasks { count: 1, longest: vec![request("/mail", 3)] };
        let progress = stop(vec![Wait::Requests { count: 4, longest }, task]);
        let expected = [
            "  GET /orders/0…456789/items 12 s",
            "  GET /report 4 s",
            "  a task of GET /mail 3 s",
            "  … and 2 more",
        ];
        assert_eq!(plain(&progress, 30, 33)[1..], expected);
    }

    #[test]
    fn lines_are_no_wider_than_the_terminal() {
        let hook = hooks("stop close_db")[0];
        let wait = Wait::Hook { hook, running: Duration::from_secs(2) };
        let wide = request(&"/注文".repeat(50));
        let progress = stop(vec![request(&"/long".repeat(50)), wide, wait]);
        for columns in [10, 20, 30, 78] {
            for line in plain(&progress, 30, columns) {
                assert!(columns_of(&line) <= usize::from(columns), "{columns}: {line}");
            }
        }
        assert_eq!(plain(&progress, 30, 22)[3], "  close_db 2 s (app.r…");
    }

    #[test]
    fn what_has_been_running_the_longest_is_named_where_there_is_room_for_little() {
        let request = |seconds| {
            let running = Duration::from_secs(seconds);
            RequestInfo { method: "GET".into(), path: "/report".to_owned(), running }
        };
        let requests = |count| Wait::Requests { count, longest: vec![request(2), request(1)] };
        let hook = Wait::Hook { hook: hooks("drain leave")[0], running: Duration::from_secs(20) };
        let waits = vec![Wait::Connections { count: 3 }, requests(2), requests(9), hook];
        let mut progress = stop(waits);
        let expected = ["  leave 20 s (app.rs:1)", "  GET /report 2 s", "  … and 11 more"];
        assert_eq!(plain(&progress, 12, 100)[1..], expected);
        // What is stalled is worse.
        progress.stalls = vec!["worker 0 of http://127.0.0.1:80 for 6 s".to_owned()];
        let expected = [
            "  worker 0 of http://127.0.0.1:80 for 6 s",
            "  leave 20 s (app.rs:1)",
            "  … and 12 more",
        ];
        assert_eq!(plain(&progress, 12, 100)[1..], expected);
        let painted = &lines(&progress, Size { rows: 12, columns: 100 })[1];
        assert!(painted.contains("\x1b[31m"), "{painted}");
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
