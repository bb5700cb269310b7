//! URLs of a program's listeners, read from the lines that it writes.

use super::transcript::Transcript;

/// Use of a listener: the requests of a server, or probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UrlKind {
    Server,
    Probes,
}

impl UrlKind {
    /// Returns the beginning of the console's line.
    fn console(self) -> &'static str {
        match self {
            Self::Server => "lifecycle: listening on ",
            Self::Probes => "lifecycle: probes on ",
        }
    }

    /// Returns the field of the console's line as JSON that names the event.
    fn console_json(self) -> &'static str {
        match self {
            Self::Server => r#""event":"listening","url":""#,
            Self::Probes => r#""event":"admin_listening","url":""#,
        }
    }

    /// Returns the message of the `tracing` event, which has the URL as a field.
    fn event(self) -> &'static str {
        match self {
            Self::Server => "listening",
            Self::Probes => "probes are answered",
        }
    }
}

/// Returns the URLs of the listeners of this kind.
pub(super) fn urls(transcript: &Transcript, listener: UrlKind) -> impl Iterator<Item = &str> {
    transcript.lines().filter_map(move |line| url(line, listener))
}

/// Returns the URL in a line, if the line names a listener of this kind. A subscriber may write the
/// fields of an event in colours, as text or as JSON.
fn url(line: &str, listener: UrlKind) -> Option<&str> {
    if let Some(url) = behind_time(line).strip_prefix(listener.console()) {
        return Some(url);
    }
    if line.contains(r#","target":"lifecycle_runtime","message":"#) {
        return line.split_once(listener.console_json())?.1.split('"').next();
    }
    let (_, fields) = line.split_once(listener.event())?;
    let (_, field) = fields.split_once("url")?;
    let schemes = ["http://", "https://", "unix:"];
    let at = schemes.into_iter().filter_map(|scheme| field.find(scheme)).min()?;
    field[at..].split(['"', ' ', '\u{1b}']).next()
}

/// Returns a line of the console without the time that may stand before it.
fn behind_time(line: &str) -> &str {
    match line.split_once(' ') {
        Some((time, rest)) if time.ends_with('Z') && time.contains('T') => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, server: Option<&str>, probes: Option<&str>) {
        assert_eq!((url(line, UrlKind::Server), url(line, UrlKind::Probes)), (server, probes));
    }

    #[test]
    fn the_console_says_where_it_listens() {
        check("lifecycle: listening on http://[::1]:80", Some("http://[::1]:80"), None);
        check("lifecycle: listening on unix:/run/my app", Some("unix:/run/my app"), None);
        check("lifecycle: probes on http://127.0.0.1:9", None, Some("http://127.0.0.1:9"));
        check("lifecycle: ready after 1 ms", None, None);
    }

    #[test]
    fn the_console_says_so_in_each_of_its_forms() {
        let time = "2026-11-30T15:47:10.123Z";
        check(
            &format!("{time} lifecycle: listening on http://[::1]:8"),
            Some("http://[::1]:8"),
            None,
        );
        let begin = format!(r#"{{"time":"{time}","level":"INFO","target":"lifecycle_runtime","#);
        let line = r#""message":"listening on http://[::1]:8","event":"listening","url":"http://[::1]:8"}"#;
        check(&format!("{begin}{line}"), Some("http://[::1]:8"), None);
        let line = r#""message":"probes on http://[::1]:9","event":"admin_listening","url":"http://[::1]:9"}"#;
        check(&format!("{begin}{line}"), None, Some("http://[::1]:9"));
        let line = r#""message":"listening for mail at http://mail.example"}"#;
        check(&format!("{begin}{line}"), None, None);
    }

    #[test]
    fn a_subscriber_says_it_in_its_own_form() {
        let url = Some("https://127.0.0.1:80");
        let target = "lifecycle_runtime::observe::trace";
        check(&format!("now INFO {target}: listening url=\"https://127.0.0.1:80\""), url, None);
        check(&format!("now INFO {target}: listening, url: \"https://127.0.0.1:80\""), url, None);
        let coloured = "listening \u{1b}[3murl\u{1b}[0m\u{1b}[2m=\u{1b}[0m\"https://127.0.0.1:80\"";
        check(&format!("\u{1b}[32m INFO\u{1b}[0m {coloured}"), url, None);
        let json =
            r#"{"level":"INFO","fields":{"message":"MESSAGE","url":"https://127.0.0.1:80"}}"#;
        check(&json.replace("MESSAGE", "listening"), url, None);
        check(&json.replace("MESSAGE", "probes are answered"), None, url);
    }

    #[test]
    fn what_a_program_says_of_others_is_not_taken_for_its_own() {
        check("listening for mail at http://mail.example", None, None);
        check("GET http://127.0.0.1:80/ while listening", None, None);
    }
}
