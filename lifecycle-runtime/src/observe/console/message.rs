//! Messages of the console, before they have a form.

use tracing::Level;

use super::fields::Fields;

/// Kind of a text, which determines its colour.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    Plain,
    Good,
    Bad,
}

/// Text to be written, of one line or several.
pub(super) struct ConsoleMessage<'a> {
    pub(super) level: Level,
    pub(super) paint: Paint,
    /// Word before the text that is painted as good; may be empty.
    pub(super) good: &'a str,
    pub(super) text: &'a str,
    /// Beginning of every line but the first, as text.
    pub(super) indent: &'a str,
    /// Fields, which JSON has beside the text.
    pub(super) fields: Fields,
}

impl<'a> ConsoleMessage<'a> {
    /// Makes a message about something that is as it should be.
    pub(super) fn info(text: &'a str) -> Self {
        Self {
            level: Level::INFO,
            paint: Paint::Plain,
            good: "",
            text,
            indent: "",
            fields: Fields::default(),
        }
    }

    /// Makes a message about something that went wrong.
    pub(super) fn error(text: &'a str) -> Self {
        Self { level: Level::ERROR, paint: Paint::Bad, ..Self::info(text) }
    }
}
