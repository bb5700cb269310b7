//! Rows at the bottom of a terminal that its output does not reach, by the control sequences of the
//! VT100, which every terminal knows.

use std::fmt::Write;

/// Size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: u16,
    pub(super) columns: u16,
}

/// Has the terminal show everything up to [`END`] at once, if it can.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// Remembers the cursor and its colours, and returns to them.
const SAVE: &str = "\x1b7";
const RESTORE: &str = "\x1b8";

/// Moves the cursor down by a row, in its column; at the bottom the output scrolls up.
const DOWN: &str = "\x1bD";

/// Lets the whole screen scroll. This moves the cursor.
const SCROLL_ALL: &str = "\x1b[r";

/// Erases everything behind the cursor.
const ERASE_BELOW: &str = "\x1b[J";

/// Rows that are kept from scrolling.
#[derive(Default)]
pub(super) struct Screen {
    /// Number of the rows, and the size of the terminal when they were drawn.
    drawn: Option<(u16, Size)>,
}

impl Screen {
    pub(super) fn is_drawn(&self) -> bool {
        self.drawn.is_some()
    }

    /// Returns what draws these lines on a terminal of this size, on as many rows as were ever
    /// needed. `is_stale` is set if others may have used the terminal since the last frame.
    pub(super) fn draw(&mut self, size: Size, lines: &[String], is_stale: bool) -> String {
        let mut text = BEGIN.to_owned();
        let kept = self.drawn.take().map_or(0, |(rows, drawn)| {
            if drawn == size && !is_stale {
                return rows;
            }
            // Where the rows are now is not known, except that the cursor is above them.
            text += &[SAVE, SCROLL_ALL, RESTORE, ERASE_BELOW].concat();
            0
        });
        let rows = kept.max(u16::try_from(lines.len()).unwrap_or(u16::MAX));
        let more = rows - kept;
        if more > 0 {
            text += &DOWN.repeat(more.into());
            let _ = write!(text, "\x1b[{more}A");
        }
        let first = size.rows.saturating_sub(rows) + 1;
        let _ = write!(text, "{SAVE}\x1b[1;{}r", first - 1);
        // A line that is too wide after all must not go on in the next row, or scroll.
        text += "\x1b[0m\x1b[?7l";
        let blank = usize::from(rows) - lines.len();
        let lines = std::iter::repeat_n("", blank).chain(lines.iter().map(String::as_str));
        for (row, line) in (first..).zip(lines) {
            let _ = write!(text, "\x1b[{row};1H\x1b[2K{line}");
        }
        self.drawn = Some((rows, size));
        text + "\x1b[?7h" + RESTORE + END
    }

    /// Returns what gives the rows back; nothing if there are none. `size` is the size of the
    /// terminal now, if that is known.
    pub(super) fn erase(&mut self, size: Option<Size>) -> String {
        let Some((rows, drawn)) = self.drawn.take() else { return String::new() };
        let mut text = [BEGIN, SAVE, SCROLL_ALL].concat();
        if size == Some(drawn) {
            for row in drawn.rows.saturating_sub(rows) + 1..=drawn.rows {
                let _ = write!(text, "\x1b[{row};1H\x1b[2K");
            }
            text += RESTORE;
        } else {
            text += &[RESTORE, ERASE_BELOW].concat();
        }
        text + END
    }
}
