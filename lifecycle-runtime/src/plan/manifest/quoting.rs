//! Texts of a program, quoted for the languages of manifests.

use std::fmt::Write;

/// Returns a text as a double-quoted scalar of YAML (YAML 1.2, section 7.3.1).
pub(super) fn yaml(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_printable(c) => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Returns a text as a scalar of YAML in which compose replaces no variable.
pub(super) fn compose(text: &str) -> String {
    yaml(&text.replace('$', "$$"))
}

/// Returns a text as a quoted word in a unit of systemd (`systemd.syntax(7)`), in which no
/// specifier is replaced.
pub(super) fn systemd(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            c if is_printable(c) => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Returns a text as the rest of a comment: on one line.
pub(super) fn in_comment(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect()
}

/// Returns whether a character may stand in a text as it is: no break of a line, and nothing that
/// YAML forbids (YAML 1.2, section 5.1).
fn is_printable(c: char) -> bool {
    let is_break = matches!(c, '\u{2028}' | '\u{2029}');
    !c.is_control() && !is_break && !matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
