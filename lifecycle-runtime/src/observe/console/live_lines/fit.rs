//! Texts that fit into a number of columns.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::hook::error::printable;

/// Returns the number of columns that a text takes: two for a Chinese character.
pub(super) fn columns_of(text: &str) -> usize {
    text.width()
}

/// Returns a text in which nothing acts on the terminal, and nothing begins another line. It may be
/// an error of the program, or the path of a client's request.
pub(super) fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// Returns a text, or as much of its beginning as fits into this number of columns.
pub(super) fn shortened(text: &str, columns: usize) -> Cow<'_, str> {
    kept(text, columns, 0)
}

/// Returns a text, or as much of its beginning and its end as fits into this number of columns.
pub(super) fn shortened_in_the_middle(text: &str, columns: usize) -> Cow<'_, str> {
    kept(text, columns, columns.saturating_sub(1) / 2)
}

/// Returns a text, or what fits of it: as much as fits into so many columns at its end, and as much
/// of its beginning as there is room for.
fn kept(text: &str, columns: usize, at_end: usize) -> Cow<'_, str> {
    if columns_of(text) <= columns {
        return text.into();
    }
    if columns == 0 {
        return "".into();
    }
    let end = text.len() - fitting(text.chars().rev(), at_end);
    let room = columns - 1 - columns_of(&text[end..]);
    let begin = fitting(text.chars(), room);
    format!("{}…{}", &text[..begin], &text[end..]).into()
}

/// Returns the length in bytes of the first characters that fit into this number of columns.
fn fitting(characters: impl Iterator<Item = char>, columns: usize) -> usize {
    let with_columns = characters.scan(0, |taken, character| {
        *taken += character.width().unwrap_or(0);
        Some((*taken, character.len_utf8()))
    });
    with_columns.take_while(|(taken, _)| *taken <= columns).map(|(_, length)| length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_what_fits_of_it() {
        for (columns, begin, middle) in [
            (9, "/a/b/c/d", "/a/b/c/d"),
            (8, "/a/b/c/d", "/a/b/c/d"),
            (7, "/a/b/c…", "/a/…c/d"),
            (6, "/a/b/…", "/a/…/d"),
            (2, "/…", "/…"),
            (1, "…", "…"),
            (0, "", ""),
        ] {
            assert_eq!(shortened("/a/b/c/d", columns), begin);
            assert_eq!(shortened_in_the_middle("/a/b/c/d", columns), middle);
        }
    }
    #[test]
    fn a_wide_character_takes_two_columns() {
        let text = "/注文/印刷";
        assert_eq!(columns_of(text), 10);
        for (columns, begin, middle) in [
            (10, text, text),
            (9, "/注文/印…", "/注…印刷"),
            (8, "/注文/…", "/注文…刷"),
            (4, "/注…", "/注…"),
            (3, "/…", "/…"),
        ] {
            assert_eq!(shortened(text, columns), begin, "{columns}");
            assert_eq!(shortened_in_the_middle(text, columns), middle, "{columns}");
        }
    }
}
