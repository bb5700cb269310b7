//! Rows at the bottom of a terminal that its output does not reach, by the control sequences of the
//! VT100, which every terminal knows.

use std::fmt::Write;

/// Size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: u16,
    pub(super) columns: u16,
}

/// Sequence by which a terminal shows everything up to [`END`] at once, if it can.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// Sequences that keep the cursor with its colours, and return to it.
const SAVE: &str = "\x1b7";
const RESTORE: &str = "\x1b8";

/// Sequence that moves the cursor down by a row, in its column; at the bottom the output scrolls.
const DOWN: &str = "\x1bD";

/// Sequence that makes the whole screen scroll again. It moves the cursor.
const SCROLL_ALL: &str = "\x1b[r";

/// Sequence that erases everything behind the cursor.
const ERASE_BELOW: &str = "\x1b[J";

/// Rows that are kept from scrolling.
#[derive(Default)]
pub(super) struct Screen {
    /// Number of the rows, and the size of the terminal when they were drawn.
    drawn: Option<(u16, Size)>,
    /// Set if the terminal may have rows that others have used since.
    is_lost: bool,
}

impl Screen {
    pub(super) fn is_drawn(&self) -> bool {
        self.drawn.is_some()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Leaves the rows to whoever uses the terminal now, without writing. The next frame takes them
    /// anew.
    pub(super) fn lose(&mut self) {
        self.is_lost |= self.drawn.take().is_some();
    }

    /// Returns what draws these lines on a terminal of this size, on as many rows as were ever
    /// needed. `is_stale` is set if others may have used the terminal since the last frame.
    pub(super) fn draw(&mut self, size: Size, lines: &[String], is_stale: bool) -> String {
        let mut text = BEGIN.to_owned();
        let kept = match self.drawn.take() {
            Some((rows, drawn)) if drawn == size && !is_stale => rows,
            None if !self.is_lost => 0,
            _ => {
                // Where the rows are now is not known, except that the cursor is above them.
                text += &[SAVE, SCROLL_ALL, RESTORE, ERASE_BELOW].concat();
                0
            }
        };
        self.is_lost = false;
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
        let drawn = self.drawn.take();
        if drawn.is_none() && !self.is_lost {
            return String::new();
        }
        self.is_lost = false;
        let mut text = [BEGIN, SAVE, SCROLL_ALL].concat();
        if let Some((rows, drawn)) = drawn
            && size == Some(drawn)
        {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn size(rows: u16) -> Size {
        Size { rows, columns: 80 }
    }

    fn lines(count: usize) -> Vec<String> {
        vec!["line".to_owned(); count]
    }

    #[test]
    fn rows_are_taken_once_and_given_back() {
        let mut screen = Screen::default();
        let drawn = screen.draw(size(24), &lines(2), false);
        assert!(drawn.contains("\x1bD\x1bD\x1b[2A\x1b7\x1b[1;22r"), "{drawn:?}");
        // Fewer lines leave a row blank, so that the output does not move.
        let drawn = screen.draw(size(24), &lines(1), false);
        assert!(!drawn.contains(DOWN) && drawn.contains("\x1b[1;22r"), "{drawn:?}");
        assert!(drawn.contains("\x1b[23;1H\x1b[2K\x1b[24;1H\x1b[2Kline"), "{drawn:?}");
        let drawn = screen.draw(size(24), &lines(3), false);
        assert!(drawn.contains("2026h\x1bD\x1b[1A\x1b7\x1b[1;21r"), "{drawn:?}");
        let erased = screen.erase(Some(size(24)));
        assert!(erased.contains("\x1b[r\x1b[22;1H\x1b[2K\x1b[23;1H"), "{erased:?}");
        assert!(!screen.is_drawn() && screen.erase(Some(size(24))).is_empty());
    }

    #[test]
    fn rows_are_taken_anew_when_something_may_have_moved_them() {
        for (rows, is_stale) in [(24, true), (30, false)] {
            let mut screen = Screen::default();
            screen.draw(size(24), &lines(3), false);
            let drawn = screen.draw(size(rows), &lines(2), is_stale);
            let anew = format!("\x1b7\x1b[r\x1b8\x1b[J\x1bD\x1bD\x1b[2A\x1b7\x1b[1;{}r", rows - 2);
            assert!(drawn.contains(&anew), "{drawn:?}");
        }
        let mut screen = Screen::default();
        screen.draw(size(24), &lines(3), false);
        assert!(screen.erase(None).contains("\x1b[r\x1b8\x1b[J"));
    }
    #[test]
    fn rows_that_others_have_used_are_taken_anew_or_given_back() {
        let anew = "\x1b7\x1b[r\x1b8\x1b[J";
        let lost = || {
            let mut screen = Screen::default();
            screen.draw(size(24), &lines(3), false);
            screen.lose();
            assert!(!screen.is_drawn() && screen.is_lost());
            screen
        };
        let mut screen = lost();
        assert!(screen.draw(size(24), &lines(3), false).contains(anew));
        assert!(screen.is_drawn() && !screen.is_lost());
        assert!(!screen.draw(size(24), &lines(3), false).contains(anew));
        let mut screen = lost();
        assert!(screen.erase(Some(size(24))).contains(anew));
        assert!(!screen.is_lost() && screen.erase(Some(size(24))).is_empty());
        // A terminal that never had any has nothing to lose.
        let mut screen = Screen::default();
        screen.lose();
        assert!(!screen.is_lost());
    }
}
