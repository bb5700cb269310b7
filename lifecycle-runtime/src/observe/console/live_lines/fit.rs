//! Texts that fit into a number of columns.

use std::borrow::Cow;

use crate::hook::error::printable;

/// Returns the number of columns that a text takes.
pub(super) fn columns_of(text: &str) -> usize {
    text.chars().count()
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

/// Returns a text, or what fits of it: so many characters at its end, and its beginning.
fn kept(text: &str, columns: usize, at_end: usize) -> Cow<'_, str> {
    let all = columns_of(text);
    if all <= columns {
        return text.into();
    }
    if columns == 0 {
        return "".into();
    }
    let begin: String = text.chars().take(columns - 1 - at_end).collect();
    let end: String = text.chars().skip(all - at_end).collect();
    format!("{begin}…{end}").into()
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
}
