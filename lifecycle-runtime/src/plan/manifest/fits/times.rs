//! Times as manifests have them.

use std::time::Duration;

use serde_json::Value;

/// Units of Go's durations, which compose takes (`time.ParseDuration`).
const OF_COMPOSE: [(&str, f64); 7] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3_600.0),
];

/// Units of systemd (`systemd.time(7)`).
const OF_SYSTEMD: [(&str, f64); 22] = [
    ("usec", 1e-6),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("msec", 1e-3),
    ("ms", 1e-3),
    ("seconds", 1.0),
    ("second", 1.0),
    ("sec", 1.0),
    ("s", 1.0),
    ("minutes", 60.0),
    ("minute", 60.0),
    ("min", 60.0),
    ("m", 60.0),
    ("hours", 3_600.0),
    ("hour", 3_600.0),
    ("hr", 3_600.0),
    ("h", 3_600.0),
    ("days", 86_400.0),
    ("day", 86_400.0),
    ("d", 86_400.0),
    ("weeks", 604_800.0),
    ("week", 604_800.0),
];

/// Returns a time of compose.
pub(super) fn of_compose(text: &str) -> Result<Duration, String> {
    parse(text, &OF_COMPOSE, None)
}

/// Returns a time of systemd, in seconds where it has no unit. `infinity` and 0 stand for no limit.
pub(super) fn of_systemd(text: &str) -> Result<Duration, String> {
    if text.trim() == "infinity" {
        return Ok(Duration::MAX);
    }
    let time = parse(text, &OF_SYSTEMD, Some(1.0))?;
    Ok(if time.is_zero() { Duration::MAX } else { time })
}

/// Returns the whole seconds of a field of Kubernetes, if it is there.
pub(super) fn of_kubernetes(of: &Value, field: &str) -> Result<Option<Duration>, String> {
    match of.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
            None => Err(format!("{field}: {value} is no number of seconds")),
        },
    }
}

/// Sums numbers with units up. `bare` is the unit of a number without one.
fn parse(text: &str, units: &[(&str, f64)], bare: Option<f64>) -> Result<Duration, String> {
    let malformed = || format!("`{text}` is no duration");
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return Err(malformed());
    }
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        let number: f64 = digits.parse().map_err(|_| malformed())?;
        let scale = match units.iter().find(|(name, _)| *name == unit) {
            Some((_, scale)) => Some(*scale),
            // Zero needs no unit.
            None if unit.is_empty() => bare.or((digits == "0").then_some(1.0)),
            None => None,
        };
        seconds += number * scale.ok_or_else(malformed)?;
        rest = after.trim_start();
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}
