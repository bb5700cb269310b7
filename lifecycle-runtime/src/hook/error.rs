//! Texts of errors and panics.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;

/// An error of any type, as hooks return it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Returns an error and all of its causes as one line: `first: second: third`.
///
/// Many errors repeat their cause. So a cause is left out if the text of its effect already ends
/// with the text of the cause.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// Returns a text that is safe to write to a terminal. Line breaks and tabs stay. Other characters
/// that act on a terminal, or that show the text in another order than it has, are written as in a
/// literal of Rust (`\u{1b}`).
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let mut chars = text.char_indices().filter(|(_, char)| acts(*char));
    let Some((first, _)) = chars.next() else { return Cow::Borrowed(text) };
    let (plain, rest) = text.split_at(first);
    let mut printable = plain.to_owned();
    let mut rest = rest.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            // A line break of Windows.
            '\r' if rest.peek() == Some(&'\n') => {}
            char if acts(char) => printable.extend(char.escape_default()),
            char => printable.push(char),
        }
    }
    Cow::Owned(printable)
}

/// Returns whether a character acts on a terminal: a control character, or one that turns the
/// direction of text.
pub(crate) fn acts(char: char) -> bool {
    let turns =
        matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    (char.is_control() && !matches!(char, '\n' | '\t')) || turns
}

/// Returns the message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a value that is not a text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_sent_nothing_that_acts_on_it() {
        for (text, expected) in [
            ("plain, über, 時計", "plain, über, 時計"),
            ("a\tb\nc\r\nd", "a\tb\nc\nd"),
            ("\x1b[2Jx\x07\x7f\0", r"\u{1b}[2Jx\u{7}\u{7f}\u{0}"),
            ("50 %\rdone", r"50 %\rdone"),
            // One-byte controls as a terminal of eight bits takes them, and text that reads
            // backwards.
            ("\u{9b}31m \u{202e}txt.exe\u{2069}", r"\u{9b}31m \u{202e}txt.exe\u{2069}"),
        ] {
            assert_eq!(printable(text), expected);
        }
        assert!(matches!(printable("as it is"), Cow::Borrowed(_)));
    }
}
