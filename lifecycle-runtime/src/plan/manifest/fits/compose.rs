//! Services of compose.

use std::time::Duration;

use serde_json::Value;

use super::needed::{Needed, of_stop_signal, own};
use super::times;
use crate::plan::manifest::Program;
use crate::process::config::CONTAINER_STOP;

/// Time that Docker leaves a container if nothing is set.
const STOP_GRACE_PERIOD: Duration = Duration::from_secs(10);

/// Returns everything that doesn't fit in the services of a file.
pub(super) fn misfits(program: &Program, services: &Value) -> Result<Vec<String>, String> {
    let Some(services) = services.as_object() else {
        return Err("this is no manifest: `services` has no names with services".to_owned());
    };
    let services: Vec<_> = services.iter().map(|(name, service)| (name.clone(), service)).collect();
    let mut misfits = Vec::new();
    let is_ours = |service: &&Value| !variables(service).is_empty();
    for (name, service) in own(program, "service", &services, is_ours)? {
        let at = |text: String| format!("service `{name}`: {text}");
        match in_service(program, service) {
            Ok(found) => misfits.extend(found.into_iter().map(at)),
            Err(error) => misfits.push(at(error)),
        }
    }
    Ok(misfits)
}

fn in_service(program: &Program, service: &Value) -> Result<Vec<String>, String> {
    let needed = Needed::with(program, CONTAINER_STOP, variables(service))?;
    let field = "stop_grace_period";
    let mut misfits = Vec::new();
    let (limit, name) = match service.get(field) {
        None | Some(Value::Null) => (STOP_GRACE_PERIOD, format!("{field} is 10s by default")),
        // The value comes from outside of the file.
        Some(Value::String(text)) if text.contains('$') => (Duration::MAX, field.to_owned()),
        Some(Value::String(text)) => {
            let limit = times::of_compose(text).map_err(|error| format!("{field}: {error}"))?;
            (limit, format!("{field} is {text}"))
        }
        Some(other) => return Err(format!("{field}: {other} is no duration")),
    };
    misfits.extend(needed.of_stop(&name, limit, Duration::ZERO));
    let signal = service.get("stop_signal").and_then(Value::as_str);
    misfits.extend(signal.and_then(|signal| of_stop_signal("stop_signal", signal)));
    Ok(misfits)
}

/// Returns the `LIFECYCLE_*` variables of a service, except for those whose values come from
/// outside of the file.
fn variables(service: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    };
    let all: Vec<_> = match service.get("environment") {
        Some(Value::Object(map)) => {
            map.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
        }
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|entry| entry.as_str()?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => Vec::new(),
    };
    let is_known =
        |(name, value): &(String, String)| name.starts_with("LIFECYCLE_") && !value.contains('$');
    all.into_iter().filter(is_known).collect()
}
