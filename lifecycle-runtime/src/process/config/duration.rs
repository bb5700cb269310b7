//! Durations as text, for settings and for the plan: `250ms`, `5s`, `1m30s`.
//!
//! Attributes take the same durations (`duration.rs` of the macros). Neither crate can use the
//! other's parser. A table with which both are tested, `tests/durations.txt`, keeps them alike.

use std::fmt::Write;
use std::time::Duration;

/// Milliseconds per unit, the units in the order in which they may follow each other.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Parses whole numbers with units, each unit once and the largest first. Zero needs no unit.
///
/// # Errors
///
/// The reason why the text is not a duration.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let malformed = || Err(format!("`{text}` is not a duration"));
    if text.is_empty() {
        return malformed();
    }
    let mut rest = if text.bytes().all(|byte| byte == b'0') { "" } else { text };
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after_number) = split(rest, |c| c.is_ascii_digit());
        let (unit, after_unit) = split(after_number, |c| c.is_ascii_alphabetic());
        if number.is_empty() || unit.is_empty() {
            return malformed();
        }
        let Some((_, scale)) = units.find(|(name, _)| *name == unit) else {
            return Err(if UNITS.iter().any(|(name, _)| *name == unit) {
                "each unit once, the largest first".to_owned()
            } else {
                format!("unknown unit `{unit}`")
            });
        };
        let amount = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
        total = amount
            .and_then(|amount| total.checked_add(amount))
            .ok_or("the duration is too long")?;
        rest = after_unit;
    }
    Ok(Duration::from_millis(total))
}

/// Returns the duration in whole milliseconds as a text that [`parse`] takes.
pub(crate) fn written(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, scale) in UNITS {
        let number = rest / u128::from(scale);
        if number > 0 {
            let _ = write!(text, "{number}{unit}");
        }
        rest %= u128::from(scale);
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn split(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_take_the_durations_that_attributes_take() {
        let table = include_str!("../../../../tests/durations.txt");
        for line in table.lines().filter(|line| line.starts_with('"')) {
            let (text, expected) =
                line[1..].rsplit_once("\" ").expect("a text and what comes of it");
            match (parse(text), expected.split_at(2)) {
                (Ok(duration), ("= ", expected)) => {
                    assert_eq!(duration.as_millis().to_string(), expected, "{line}");
                }
                (Err(message), ("! ", part)) => {
                    assert!(message.contains(part), "{line}: {message}");
                }
                (got, _) => panic!("{line}: {got:?}"),
            }
        }
        assert_eq!(parse(""), Err("`` is not a duration".to_owned()));
    }

    #[test]
    fn what_is_shown_can_be_set() {
        for (millis, text) in
            [(0, "0s"), (1, "1ms"), (10_000, "10s"), (90_000, "1m30s"), (86_400_250, "24h250ms")]
        {
            let duration = Duration::from_millis(millis);
            assert_eq!((&*written(duration), parse(text)), (text, Ok(duration)));
        }
        let longest = Duration::from_millis(u64::MAX);
        assert_eq!(parse(&written(longest)), Ok(longest));
        assert_eq!(written(Duration::from_nanos(1_999_999)), "1ms");
    }
}
