//! Host names in settings.

/// Parses host names that are separated by commas.
///
/// # Errors
///
/// The mistake, as a part of a sentence.
pub(super) fn hosts(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(host).collect()
}

/// Returns a host name as clients may write it, without a port.
///
/// # Errors
///
/// The mistake, as a part of a sentence.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    match text.trim() {
        "" => Err("a name is empty".to_owned()),
        name if name.chars().all(is_of_name) => Ok(name.to_ascii_lowercase()),
        name => Err(format!("`{name}` is no host name")),
    }
}
