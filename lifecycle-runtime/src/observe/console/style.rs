//! Look of the lines on a terminal.

/// Kind of a text, which determines its colour.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    Plain,
    Good,
    Bad,
}

/// Style of the lines: with colours or without.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) colour: bool,
}

impl Style {
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        match paint {
            Paint::Plain => text.to_owned(),
            Paint::Good => self.coloured("32", text),
            Paint::Bad => self.coloured("31", text),
        }
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.coloured("2", text)
    }

    fn coloured(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
