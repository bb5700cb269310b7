//! Service units of systemd.

use std::time::Duration;

use super::needed::Needed;
use super::times;
use super::words::words;
use crate::plan::manifest::Program;

/// Time that systemd leaves a start and a stop if a unit says nothing (`DefaultTimeoutStopSec`).
const TIMEOUT: Duration = Duration::from_secs(90);

/// Returns whether a text is a unit: its first line is a section.
pub(super) fn is_unit(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !is_comment(line));
    first.is_some_and(|line| section(line).is_some())
}

/// Returns everything that doesn't fit in the service of a unit.
pub(super) fn misfits(program: &Program, text: &str) -> Result<Vec<String>, String> {
    let service = service(text)?;
    let needed = Needed::with(program, program.grace_or_default(), variables(&service)?)?;
    // The last of several lines counts. `TimeoutSec` stands for both.
    let time = |field: &str| {
        let mut lines = service.iter().rev();
        let found = lines.find(|(name, _)| *name == field || *name == "TimeoutSec");
        match found {
            Some((name, value)) => match times::of_systemd(value) {
                Ok(limit) => Ok((limit, format!("{name} is {value}"))),
                Err(error) => Err(format!("{name}: {error}")),
            },
            None => Ok((TIMEOUT, format!("{field} is 90 by default"))),
        }
    };
    let (limit, name) = time("TimeoutStopSec")?;
    let mut misfits: Vec<_> = needed.of_stop(&name, limit, Duration::ZERO).into_iter().collect();
    let kind = service.iter().rev().find(|(name, _)| *name == "Type");
    if kind.is_some_and(|(_, kind)| kind.starts_with("notify")) {
        let (limit, name) = time("TimeoutStartSec")?;
        misfits.extend(needed.of_start(&name, limit));
    }
    Ok(misfits)
}

/// Returns the names and values of the service of a unit, in the order of their lines.
///
/// # Errors
///
/// The first line that no unit has, or that there is no service.
fn service(text: &str) -> Result<Vec<(&str, String)>, String> {
    let mut within = None;
    let mut is_service = false;
    let mut values: Vec<(&str, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if is_comment(line) {
            continue;
        }
        let value = if goes_on {
            Some((None, line))
        } else if let Some(name) = section(line) {
            within = Some(name);
            is_service |= name == "Service";
            continue;
        } else {
            line.split_once('=').map(|(name, value)| (Some(name.trim_end()), value.trim_start()))
        };
        let (Some((name, value)), Some(within)) = (value, within) else {
            return Err(format!("this is no unit: line {}: `{line}`", number + 1));
        };
        let continued = value.strip_suffix('\\');
        goes_on = continued.is_some();
        if within == "Service" {
            let value = continued.unwrap_or(value);
            if let Some(name) = name {
                values.push((name, value.to_owned()));
            } else if let Some((_, last)) = values.last_mut() {
                last.extend([" ", value]);
            }
        }
    }
    if is_service { Ok(values) } else { Err("this unit has no section [Service]".to_owned()) }
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', ';'])
}

fn section(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_name.then_some(name)
}

/// Returns the `LIFECYCLE_*` variables of a service.
fn variables(service: &[(&str, String)]) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for (_, value) in service.iter().filter(|(name, _)| *name == "Environment") {
        if value.is_empty() {
            variables.clear();
        }
        for word in words(value).map_err(|error| format!("Environment={value}: {error}"))? {
            if let Some((name, value)) = word.split_once('=')
                && name.starts_with("LIFECYCLE_")
            {
                variables.push((name.to_owned(), value.replace("%%", "%")));
            }
        }
    }
    Ok(variables)
}
