//! Lines as JSON: one object a line, whatever texts it has.

use std::fmt::Write;
use std::time::SystemTime;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use super::lines::{LONGEST, shortened};
use super::message::ConsoleMessage;
use super::timestamp::rfc3339;
use crate::hook::error::acts;
use crate::observe::trace::TARGET;

/// Returns a message as a line. Texts are cut so that the line is no longer than the longest.
pub(super) fn line(now: SystemTime, message: &ConsoleMessage<'_>) -> String {
    let time = rfc3339(now);
    let separator = if message.good.is_empty() { "" } else { " " };
    let text = format!("{}{separator}{}", message.good, message.text);
    let mut longest_text = LONGEST;
    loop {
        let object = JsonLine { time: &time, message, text: &text, longest_text };
        // These are plain texts and numbers, so nothing can fail.
        let line = safe(&serde_json::to_string(&object).unwrap_or_default()) + "\n";
        if line.len() <= LONGEST || longest_text == 0 {
            return line;
        }
        longest_text /= 2;
    }
}

/// Line as an object.
struct JsonLine<'a> {
    time: &'a str,
    message: &'a ConsoleMessage<'a>,
    text: &'a str,
    /// Longest text that is not cut, in bytes.
    longest_text: usize,
}

impl Serialize for JsonLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", self.time)?;
        map.serialize_entry("level", self.message.level.as_str())?;
        map.serialize_entry("target", TARGET)?;
        map.serialize_entry("message", &shortened(self.text, self.longest_text))?;
        for (name, value) in &self.message.fields.0 {
            map.serialize_entry(name, &self.fitting(value))?;
        }
        map.end()
    }
}

impl JsonLine<'_> {
    /// Returns a value whose texts are not too long.
    fn fitting(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => shortened(text, self.longest_text).into(),
            Value::Array(values) => values.iter().map(|value| self.fitting(value)).collect(),
            other => other.clone(),
        }
    }
}

/// Returns JSON in which no character acts on a terminal, or shows the text in another order than
/// it has. Such characters stand in strings only, where an escape means the same.
fn safe(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for char in json.chars() {
        if acts(char) {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(char);
        }
    }
    safe
}
