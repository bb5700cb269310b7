//! Live lines about the things that a start or a stop waits for.

use std::time::Duration;

use super::fit::{columns_of, one_line, shortened, shortened_in_the_middle};
use crate::event::{RequestInfo, Wait, readable};

/// Line about one thing that is waited for.
#[derive(Default)]
pub(super) struct WaitLine {
    /// Name, whose middle is left out where there is no room for it.
    name: String,
    /// Text behind the name, which always has its room: a time.
    time: String,
    /// Text behind the time, of which the beginning is kept.
    detail: String,
    /// Place in the code, if there is one.
    place: String,
    /// Set if it has failed or is stalled.
    is_bad: bool,
}

/// Thing that is waited for and has a line: each request has its own.
#[derive(Clone, Copy)]
pub(super) enum Waited<'w> {
    Request { word: &'static str, request: &'w RequestInfo },
    Other(&'w Wait),
}

impl<'w> Waited<'w> {
    /// Returns the things that a wait names.
    pub(super) fn all_of(wait: &'w Wait) -> impl Iterator<Item = Self> {
        let (longest, word): (&[RequestInfo], _) = match wait {
            Wait::Requests { longest, .. } => (longest, ""),
            Wait::Tasks { longest, .. } => (longest, "a task of "),
            _ => (&[], ""),
        };
        let other = longest.is_empty().then_some(Self::Other(wait));
        let requests = longest.iter().map(move |request| Self::Request { word, request });
        other.into_iter().chain(requests)
    }

    /// Returns the time for which it has been running; zero if that is not known.
    pub(super) fn running(self) -> Duration {
        match self {
            Self::Request { request, .. } => request.running,
            Self::Other(wait) => wait.running().unwrap_or_default(),
        }
    }

    /// Returns the line about it.
    pub(super) fn line(self) -> WaitLine {
        match self {
            Self::Request { word, request } => WaitLine::of_request(word, request),
            Self::Other(wait) => WaitLine::of(wait),
        }
    }
}

impl WaitLine {
    /// Returns the number of things that a wait stands for, each of which would have a line.
    pub(super) fn count_of(wait: &Wait) -> usize {
        match wait {
            Wait::Requests { count, .. } | Wait::Tasks { count, .. } => (*count).max(1),
            _ => 1,
        }
    }

    /// Returns a line about something that is stalled.
    pub(super) fn bad(text: &str) -> Self {
        Self { detail: one_line(text), is_bad: true, ..Self::default() }
    }

    fn of(wait: &Wait) -> Self {
        match wait {
            Wait::Hook { hook, running } => Self {
                place: format!(" ({})", hook.place()),
                ..Self::timed(hook.display_name(), *running)
            },
            Wait::Service { hook, state, running, last_error } => {
                let detail = last_error.as_ref().map(|error| format!(" ({state}: it {error})"));
                Self {
                    detail: one_line(&detail.unwrap_or_default()),
                    place: format!(" ({})", hook.place()),
                    is_bad: last_error.is_some(),
                    ..Self::timed(hook.display_name(), *running)
                }
            }
            Wait::Value { hook, .. } => Self {
                name: one_line(&wait.to_string()),
                place: format!(" ({})", hook.place()),
                ..Self::default()
            },
            _ => Self { name: one_line(&wait.to_string()), ..Self::default() },
        }
    }

    fn of_request(word: &str, request: &RequestInfo) -> Self {
        Self::timed(&format!("{word}{} {}", request.method, request.path), request.running)
    }

    fn timed(name: &str, running: Duration) -> Self {
        let time = format!(" {}", readable(running));
        Self { name: one_line(name), time, ..Self::default() }
    }

    /// Returns the line in colours, which is no wider than this.
    pub(super) fn painted(&self, width: usize) -> String {
        let mut room = width.saturating_sub(2);
        let time = shortened(&self.time, room);
        room -= columns_of(&time);
        let name = shortened_in_the_middle(&self.name, room);
        room -= columns_of(&name);
        let detail = shortened(&self.detail, room);
        let place = shortened(&self.place, room - columns_of(&detail));
        let colour = if self.is_bad { "\x1b[31m" } else { "" };
        format!("  {colour}{name}{time}{detail}\x1b[0;2m{place}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{HookFailure, Outcome, ServiceState};
    use crate::plan::sample::hooks;

    #[test]
    fn a_line_says_what_the_console_says() {
        let hook = hooks("stop close_db")[0];
        let running = Duration::from_secs(4);
        let request = RequestInfo { method: "GET".into(), path: "/report".to_owned(), running };
        let longest = vec![request];
        let state = ServiceState::Failed;
        let outcome = Outcome::Failed { error: "no\nbroker".into() };
        let last_error = Some(HookFailure { outcome, last_run: None });
        for wait in [
            Wait::Hook { hook, running },
            Wait::Service { hook, state: state.clone(), running, last_error },
            Wait::Service { hook, state, running, last_error: None },
            Wait::Requests { count: 1, longest: longest.clone() },
            Wait::Tasks { count: 1, longest },
            Wait::Connections { count: 2 },
            Wait::Value { hook, others: 1 },
            Wait::Observers { running },
        ] {
            let lines: Vec<_> = Waited::all_of(&wait).map(Waited::line).collect();
            let WaitLine { name, time, detail, .. } = &lines[0];
            assert_eq!(format!("{name}{time}{detail}"), one_line(&wait.to_string()));
            assert_eq!((lines.len(), WaitLine::count_of(&wait)), (1, 1));
        }
    }
}
