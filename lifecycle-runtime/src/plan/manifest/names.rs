//! Names of a program in manifests, where not every text is a name.

/// Longest label. Kubernetes allows 63 characters, and names of pods are longer than that of their
/// Deployment.
const LONGEST_LABEL: usize = 40;

/// Longest value of a label in Kubernetes.
const LONGEST_VERSION: usize = 63;

/// Returns a name as a DNS label that begins with a letter (RFC 1035, section 2.3.1), as a Service
/// needs it. It is not `lifecycle`: Kubernetes would set variables that look like settings.
pub(super) fn label(name: &str) -> String {
    let mut label = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            label.push(c.to_ascii_lowercase());
        } else if !label.is_empty() && !label.ends_with('-') {
            label.push('-');
        }
    }
    label.truncate(LONGEST_LABEL);
    let label = label.trim_end_matches('-');
    let is_reserved = label == "lifecycle" || label.starts_with("lifecycle-");
    if label.is_empty() {
        "app".to_owned()
    } else if is_reserved || !label.starts_with(|c: char| c.is_ascii_alphabetic()) {
        format!("app-{label}")
    } else {
        label.to_owned()
    }
}

/// Returns a version as the value of a label and as the tag of an image; `None` if nothing of it
/// can be in one.
pub(super) fn version(version: &str) -> Option<String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let allowed: String = version.chars().map(|c| if is_allowed(c) { c } else { '-' }).collect();
    let is_at_edge = |c: char| !c.is_ascii_alphanumeric();
    let begun = allowed.trim_start_matches(is_at_edge);
    let cut = begun.get(..LONGEST_VERSION).unwrap_or(begun).trim_end_matches(is_at_edge);
    (!cut.is_empty()).then(|| cut.to_owned())
}

/// Returns a name as that of a file, as cargo calls a program.
pub(super) fn file(name: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let file: String = name.chars().map(|c| if is_allowed(c) { c } else { '-' }).collect();
    let file = file.trim_start_matches('-');
    if file.is_empty() { "app".to_owned() } else { file.to_owned() }
}
