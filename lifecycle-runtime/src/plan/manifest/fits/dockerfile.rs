//! Dockerfiles.

use super::needed::{Needed, of_stop_signal};
use super::words::words;
use crate::plan::manifest::Program;
use crate::process::config::CONTAINER_STOP;

/// Returns whether a text is a Dockerfile, by its first instruction.
pub(super) fn is_dockerfile(text: &str) -> bool {
    instructions(text).first().is_some_and(|(name, _)| matches!(name.as_str(), "FROM" | "ARG"))
}

/// Returns everything that doesn't fit in the image of a Dockerfile.
pub(super) fn misfits(program: &Program, text: &str) -> Result<Vec<String>, String> {
    let instructions = instructions(text);
    // What is before the last base builds it.
    let bases = instructions.iter().rposition(|(name, _)| name == "FROM").unwrap_or_default();
    let image = &instructions[bases..];
    let last = |wanted: &str| image.iter().rfind(|(name, _)| name == wanted);
    let mut misfits = Vec::new();
    if let Some((name, command)) = last("ENTRYPOINT").or_else(|| last("CMD"))
        && !command.starts_with('[')
        && !command.starts_with("exec ")
    {
        misfits.push(format!(
            "{name} {command}: process 1 is a shell, which passes no signal on; write the words as \
             a list, {name} [\"…\"]"
        ));
    }
    if let Some((name, signal)) = last("STOPSIGNAL") {
        misfits.extend(of_stop_signal(name, signal));
    }
    let mut variables = Vec::new();
    for (_, entry) in image.iter().filter(|(name, _)| name == "ENV") {
        variables.extend(assigned(entry)?);
    }
    Needed::with(program, CONTAINER_STOP, variables).map_err(|error| format!("ENV: {error}"))?;
    Ok(misfits)
}

/// Returns the `LIFECYCLE_*` variables of an `ENV`: `NAME=value …`, or `NAME value`.
fn assigned(entry: &str) -> Result<Vec<(String, String)>, String> {
    let words = words(entry).map_err(|error| format!("ENV {entry}: {error}"))?;
    let pairs: Vec<_> = match &words[..] {
        [name, value, ..] if !name.contains('=') => vec![(name.clone(), value.clone())],
        words => words
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    };
    // `$NAME` stands for another variable.
    let is_known =
        |(name, value): &(String, String)| name.starts_with("LIFECYCLE_") && !value.contains('$');
    Ok(pairs.into_iter().filter(is_known).collect())
}

/// Returns the instructions, each with its arguments on one line.
fn instructions(text: &str) -> Vec<(String, String)> {
    let mut instructions: Vec<(String, String)> = Vec::new();
    let mut goes_on = false;
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let continued = line.strip_suffix('\\');
        let part = continued.unwrap_or(line).trim_end();
        match instructions.last_mut() {
            Some((_, arguments)) if goes_on => arguments.extend([" ", part]),
            _ => {
                let (name, arguments) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
                instructions.push((name.to_ascii_uppercase(), arguments.trim_start().to_owned()));
            }
        }
        goes_on = continued.is_some();
    }
    instructions
}
