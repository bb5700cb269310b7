//! Form of the lines: as text, with colours on a terminal, or as JSON.

use std::fmt::Write;
use std::time::SystemTime;

use tracing::Level;

use super::fields::Fields;
use super::json;
use super::message::{ConsoleMessage, Paint};
use super::timestamp::rfc3339;
use crate::hook::error::printable;
use crate::process::config::ConsoleFormat;

/// Style of the lines: their form, and whether they have colours.
#[derive(Clone, Copy, Default)]
pub(super) struct Style {
    pub(super) format: ConsoleFormat,
    pub(super) colour: bool,
    /// Set if each line of text begins with its priority, as the journal takes it from a stream.
    pub(super) priorities: bool,
}

impl Style {
    /// Returns whole lines. Nothing in them acts on a terminal, whoever wrote the text.
    pub(super) fn lines(self, message: &ConsoleMessage<'_>) -> String {
        let now = SystemTime::now();
        if self.format == ConsoleFormat::Json {
            return json::line(now, message);
        }
        let prefix = self.prefix(now, message.level);
        let mut written = String::with_capacity(message.text.len() + 48);
        for (place, line) in printable(message.text).lines().enumerate() {
            written.push_str(&prefix);
            if place > 0 {
                written.push_str(message.indent);
            } else if !message.good.is_empty() {
                let _ = write!(written, "{} ", self.paint(Paint::Good, message.good));
            }
            let _ = writeln!(written, "{}", self.paint(message.paint, line));
        }
        written
    }

    /// Returns the line that replaces lines that were left out.
    pub(super) fn left_out(self, lines: u64) -> String {
        let noun = if lines == 1 { "line" } else { "lines" };
        let text = format!("… {lines} {noun} left out");
        if self.format == ConsoleFormat::Json {
            let fields = Fields::default().with("lines_left_out", lines);
            let message =
                ConsoleMessage { level: Level::WARN, fields, ..ConsoleMessage::info(&text) };
            return json::line(SystemTime::now(), &message);
        }
        let plain = Self { colour: false, ..self };
        format!("{}{text}\n", plain.prefix(SystemTime::now(), Level::WARN))
    }

    /// Returns the beginning of a line of text.
    fn prefix(self, now: SystemTime, level: Level) -> String {
        let priority = if self.priorities { priority(level) } else { "" };
        let prefix = match self.format {
            ConsoleFormat::Time => format!("{} lifecycle:", rfc3339(now)),
            _ => "lifecycle:".to_owned(),
        };
        format!("{priority}{} ", self.coloured("2", &prefix))
    }

    fn paint(self, paint: Paint, text: &str) -> String {
        match paint {
            Paint::Plain => text.to_owned(),
            Paint::Good => self.coloured("32", text),
            Paint::Bad => self.coloured("31", text),
        }
    }

    fn coloured(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Returns the priority of a line as the journal reads it: a number of `syslog(3)`.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}
