//! Pods of Kubernetes.

use std::time::Duration;

use serde_json::Value;

use super::needed::{Needed, own};
use super::times;
use crate::plan::manifest::Program;

/// Time that Kubernetes leaves a pod if its manifest says nothing.
const TERMINATION_GRACE_PERIOD: Duration = Duration::from_secs(30);

/// Time between two probes, and the failures that are one too many, if a manifest says nothing.
const PERIOD: Duration = Duration::from_secs(10);
const FAILURES: u64 = 3;

/// Paths of the probes that a program answers.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/startupz"];

/// Pod of a manifest.
pub(super) struct ManifestPod<'m> {
    /// Kind and name of what it belongs to.
    place: String,
    spec: &'m Value,
}

/// Returns the pods of a document: its own, that of what makes pods, or those of a list.
pub(super) fn pods(document: &Value) -> Vec<ManifestPod<'_>> {
    if let Some(items) = document.get("items").and_then(Value::as_array) {
        return items.iter().flat_map(pods).collect();
    }
    let paths = ["/spec/jobTemplate/spec/template/spec", "/spec/template/spec", "/spec"];
    let mut specs = paths.into_iter().filter_map(|path| document.pointer(path));
    let spec = specs.find(|spec| spec.get("containers").is_some_and(Value::is_array));
    let text = |path| document.pointer(path).and_then(Value::as_str).unwrap_or("?");
    let place = || format!("{} `{}`", text("/kind"), text("/metadata/name"));
    spec.map(|spec| ManifestPod { place: place(), spec }).into_iter().collect()
}

/// Returns everything that doesn't fit in a pod.
pub(super) fn misfits(program: &Program, pod: &ManifestPod<'_>) -> Result<Vec<String>, String> {
    let ManifestPod { place, spec } = pod;
    let containers = spec.get("containers").and_then(Value::as_array);
    let name = |container: &Value| container.get("name").and_then(Value::as_str).map(str::to_owned);
    let containers: Vec<_> = containers
        .into_iter()
        .flatten()
        .map(|container| (name(container).unwrap_or_default(), container))
        .collect();
    let at = |error: String| format!("{place}: {error}");
    let mut misfits = Vec::new();
    let own = own(program, "container", &containers, |container| is_ours(container)).map_err(at)?;
    for (name, container) in own {
        let found = in_container(program, spec, container);
        let at = |text: String| format!("{place}, container `{name}`: {text}");
        match found {
            Ok(found) => misfits.extend(found.into_iter().map(at)),
            Err(error) => misfits.push(at(error)),
        }
    }
    Ok(misfits)
}

fn in_container(program: &Program, pod: &Value, container: &Value) -> Result<Vec<String>, String> {
    let needed = Needed::with(program, program.grace_or_default(), variables(container))?;
    let field = "terminationGracePeriodSeconds";
    let given = times::of_kubernetes(pod, field)?;
    let limit = given.unwrap_or(TERMINATION_GRACE_PERIOD);
    let default = if given.is_none() { " by default" } else { "" };
    let name = format!("{field} is {}{default}", limit.as_secs());
    let mut misfits: Vec<_> =
        needed.of_stop(&name, limit, pre_stop(container)?).into_iter().collect();
    if let Some(probe) = container.get("startupProbe") {
        let delay = times::of_kubernetes(probe, "initialDelaySeconds")?.unwrap_or_default();
        let period = times::of_kubernetes(probe, "periodSeconds")?.unwrap_or(PERIOD);
        let failures = probe.get("failureThreshold").and_then(Value::as_u64).unwrap_or(FAILURES);
        let failures = u32::try_from(failures).unwrap_or(u32::MAX);
        let limit = delay.saturating_add(period.saturating_mul(failures));
        let name = format!(
            "startupProbe gives up after {} s (periodSeconds {} × failureThreshold {failures})",
            limit.as_secs(),
            period.as_secs()
        );
        misfits.extend(needed.of_start(&name, limit));
    }
    Ok(misfits)
}

/// Returns the time that the `preStop` hook of a container takes for sure.
fn pre_stop(container: &Value) -> Result<Duration, String> {
    let Some(hook) = container.pointer("/lifecycle/preStop") else { return Ok(Duration::ZERO) };
    if let Some(sleep) = hook.get("sleep") {
        return Ok(times::of_kubernetes(sleep, "seconds")?.unwrap_or_default());
    }
    let command = hook.pointer("/exec/command").and_then(Value::as_array);
    let words = command.into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<_> = words.flat_map(str::split_whitespace).collect();
    // `["sleep", "5"]`, or in a script for a shell.
    let sleeps = words.windows(2).filter(|pair| pair[0].rsplit('/').next() == Some("sleep"));
    let seconds =
        |pair: &[&str]| pair[1].trim_end_matches(['s', ';']).parse::<f64>().unwrap_or(0.0);
    let time = Duration::try_from_secs_f64(sleeps.map(seconds).sum::<f64>());
    Ok(time.unwrap_or_default())
}

/// Returns the `LIFECYCLE_*` variables of a container whose values stand in the manifest.
fn variables(container: &Value) -> Vec<(String, String)> {
    let variables = container.get("env").and_then(Value::as_array);
    let text =
        |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).map(str::to_owned);
    let variable = |entry: &Value| Some((text(entry, "name")?, text(entry, "value")?));
    // `$(NAME)` stands for another variable.
    let is_known =
        |(name, value): &(String, String)| name.starts_with("LIFECYCLE_") && !value.contains("$(");
    variables.into_iter().flatten().filter_map(variable).filter(is_known).collect()
}

/// Returns whether a container has a variable of the program, or its probes.
fn is_ours(container: &Value) -> bool {
    let probes = ["startupProbe", "readinessProbe", "livenessProbe"];
    let path = |probe: &str| container.pointer(&format!("/{probe}/httpGet/path"))?.as_str();
    !variables(container).is_empty()
        || probes.iter().filter_map(|probe| path(probe)).any(|path| PROBES.contains(&path))
}
