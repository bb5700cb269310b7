//! Durations, as attributes write them: `"250ms"`, `"5s"`, `"1m30s"`.
//!
//! Environment variables take the same format (`config/duration.rs` of the runtime). Neither crate
//! can use the other's parser, so both are tested with one table, `tests/durations.txt`.

/// Units with their milliseconds, in the order in which they may follow each other.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const FORM: &str = "write whole numbers and units, such as \"250ms\", \"5s\", \"2m\" or \"1m30s\"";

/// Parses a duration into milliseconds. Zero is a mistake; the message gives `why_not_zero` as the
/// reason.
pub fn parse(text: &str, why_not_zero: &str) -> Result<u64, String> {
    // Zero needs no unit.
    let mut rest = if text.bytes().all(|byte| byte == b'0') { "" } else { text };
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after_number) = split(rest, |c| c.is_ascii_digit());
        let (unit, after_unit) = split(after_number, |c| c.is_ascii_alphabetic());
        if number.is_empty() || unit.is_empty() {
            return Err(format!("`{text}` is not a duration: {FORM}"));
        }
        let Some((_, scale)) = units.find(|(name, _)| *name == unit) else {
            return Err(if UNITS.iter().any(|(name, _)| *name == unit) {
                format!("each unit once, the largest first: {FORM}")
            } else {
                format!("unknown unit `{unit}`: {FORM}")
            });
        };
        let amount = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
        total = amount
            .and_then(|amount| total.checked_add(amount))
            .ok_or("the duration is too long: it doesn't fit into 64 bits of milliseconds")?;
        rest = after_unit;
    }
    match total {
        0 if text.is_empty() => Err(format!("the duration is empty: {FORM}")),
        0 => Err(format!("the duration is zero: {why_not_zero}")),
        total => Ok(total),
    }
}

fn split(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}
