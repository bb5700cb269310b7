//! Texts for people and numbers for programs that several outputs of events share.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Probe, ScaledLimit, StalledPart, Wait};
use crate::hook::{HookMeta, Kind};

/// Returns the warning of a stop that may take longer than it has.
pub(crate) fn over_budget(
    needed: Duration,
    grace: Duration,
    requests: Option<Duration>,
    delay: Option<Duration>,
    limits: &[ScaledLimit],
) -> String {
    let limit = |ScaledLimit { hook, limit, has }: &ScaledLimit| {
        format!("`{}` has {} of its {}", hook.display_name(), readable(*has), readable(*limit))
    };
    let grace = readable(grace);
    let mut parts: Vec<_> = requests
        .iter()
        .map(|time| format!("requests have {} of {grace}", readable(*time)))
        .collect();
    parts.extend(delay.map(|time| format!("`drain_delay` has {}", readable(time))));
    // Requests have their time beside the others.
    let is_behind = |hook: &HookMeta| matches!(hook.kind, Kind::Shutdown | Kind::Service);
    let (behind, beside): (Vec<_>, Vec<_>) = limits.iter().partition(|limit| is_behind(limit.hook));
    for (limits, when) in [(beside, ""), (behind, "after a full drain ")] {
        if !limits.is_empty() {
            let when = if requests.is_some() { when } else { "" };
            let hooks = limits.into_iter().map(limit).collect::<Vec<_>>();
            parts.push(format!("{when}{}", listed(&hooks, ", ")));
        }
    }
    format!(
        "the stop may take {}, longer than the grace period of {grace}: {}",
        readable(needed),
        parts.join("; ")
    )
}

/// Returns the warning of a value that others still hold.
pub(crate) fn held(hook: &HookMeta, others: usize) -> String {
    let hook = hook.label();
    let (others, them) = if others == 1 {
        ("1 other".to_owned(), "it")
    } else {
        (format!("{others} others"), "them")
    };
    format!(
        "the value of {hook} is still held by {others}, and its drop has not run; if that is a \
         task, end {them} when `Stop` fires, or make {them} a service"
    )
}

/// Returns the text about a part of a run that has not gone on for some time, with the probes that
/// fail by it.
pub(crate) fn stalled(
    part: &StalledPart,
    after: Duration,
    holders: &[Wait],
    probes: &[Probe],
) -> String {
    let paths: Vec<_> = probes.iter().map(|probe| probe.path()).collect();
    let fails = match paths[..] {
        [] => String::new(),
        [path] => format!("; {path} fails"),
        _ => format!("; {} fail", paths.join(" and ")),
    };
    let why = stalled_by(part, holders);
    format!("{part} has been stalled for {}: {why}{fails}", readable(after))
}

/// Returns the reason for which a part of a run does not go on.
pub(crate) fn stalled_by(part: &StalledPart, holders: &[Wait]) -> String {
    let holder = |holder: &Wait| match holder {
        Wait::Hook { hook, .. } => hook.label_as(noun(hook)).to_string(),
        holder => holder.to_string(),
    };
    let holders: Vec<_> = holders.iter().map(holder).collect();
    match part {
        StalledPart::BlockingPool(_) => "all of its threads are busy".to_owned(),
        StalledPart::Runtime(_) if holders.is_empty() => {
            "the code that blocks it is not known".to_owned()
        }
        StalledPart::Runtime(_) => format!("blocked by {}", listed(&holders, ", ")),
    }
}

fn noun(hook: &HookMeta) -> &'static str {
    match hook.kind {
        Kind::Service => "service",
        Kind::HealthCheck => "health check",
        _ => "hook",
    }
}

/// Number of things that a text for people names before it counts the rest.
pub(crate) const NAMED: usize = 20;

/// Returns the first of these names with the separator between them, and the number of the others.
pub(crate) fn listed(names: &[impl AsRef<str>], separator: &str) -> String {
    let mut text = String::new();
    for (place, name) in names.iter().take(NAMED).enumerate() {
        text.push_str(if place == 0 { "" } else { separator });
        text.push_str(name.as_ref());
    }
    match names.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// Returns a duration for programs: milliseconds, to the microsecond.
#[allow(clippy::cast_precision_loss, reason = "exact for the first 285 years")]
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// Serializes a duration as milliseconds.
pub(crate) fn as_millis<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(millis(*duration))
}

/// Serializes a duration as milliseconds, and an unknown one as null.
#[allow(clippy::ref_option, reason = "serde's signature")]
pub(crate) fn as_millis_if_any<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(millis).serialize(serializer)
}

/// Returns a duration for people: `4.2 s`, `12 ms`, `250 µs`, `3 min 20 s`.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole seconds of a duration"
)]
pub(crate) fn readable(duration: Duration) -> String {
    // Each limit is where the unit below would round up to the next one.
    match duration.as_secs_f64() {
        s if s >= 59.95 => format!("{} min {} s", s.round() as u64 / 60, s.round() as u64 % 60),
        s if s >= 0.9995 => format!("{s:.1} s").replace(".0 s", " s"),
        s if s >= 0.009_95 => format!("{:.0} ms", s * 1e3),
        s if s >= 0.000_999_5 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.0} µs", s * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_milliseconds_to_the_microsecond() {
        assert_eq!(millis(Duration::from_nanos(1_002_205_301)).to_string(), "1002.205");
        assert_eq!(millis(Duration::from_millis(10)).to_string(), "10");
    }

    #[test]
    fn what_is_many_is_named_in_part_and_counted() {
        let names: Vec<_> = (1..=23).map(|number| format!("hook {number}")).collect();
        assert_eq!(listed(&names[..2], ", "), "hook 1, hook 2");
        assert_eq!(listed(&names[..20], ", ").split(", ").count(), 20);
        assert!(listed(&names, " → ").ends_with(" → hook 20 and 3 more"));
        assert_eq!(listed(&names[..0], ", "), "");
    }

    #[test]
    fn durations_are_rounded_to_what_a_person_reads() {
        for (micros, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.0 ms"),
            (9_940, "9.9 ms"),
            (9_960, "10 ms"),
            (999_400, "999 ms"),
            (999_600, "1 s"),
            (1_040_000, "1 s"),
            (4_210_000, "4.2 s"),
            (59_960_000, "1 min 0 s"),
            (200_000_000, "3 min 20 s"),
        ] {
            assert_eq!(readable(Duration::from_micros(micros)), text);
        }
    }
}
