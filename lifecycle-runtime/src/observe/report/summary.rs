//! Texts of a report: its summary for the console, and its line for Kubernetes.

use std::time::Duration;

use super::{HookReport, Report};
use crate::event::{NAMED, StartFailure, listed, readable};
use crate::hook::error::printable;

impl Report {
    /// Returns the report without the errors, for readers who have seen them.
    pub(crate) fn summary(&self) -> String {
        let mut lines = self.details();
        lines.push(self.closing());
        lines.join("\n")
    }

    /// Returns the last line of the report: its cause, its time, and the exit code.
    pub(crate) fn closing(&self) -> String {
        let Some(ended) = self.ended() else {
            let error = self.error.as_ref().map(ToString::to_string).unwrap_or_default();
            return format!("not started, exit code {}: {error}", self.exit);
        };
        let failed: Vec<_> = self.failures().map(|failed| failed.hook.display_name()).collect();
        let failed = if failed.is_empty() {
            String::new()
        } else {
            format!(", failed: {}", listed(&failed, ", "))
        };
        format!("{ended}{failed}, exit code {}", self.exit)
    }

    /// Returns the report in one line for everybody on the machine: it names no requests.
    pub(crate) fn status(&self) -> String {
        match (&self.error, &self.cause) {
            (Some(error), Some(_)) => format!("{}; {}", error.line(), self.closing()),
            _ => self.closing(),
        }
    }

    /// Returns the cause of the stop and its time; `None` if the run never began.
    fn ended(&self) -> Option<String> {
        let cause = self.cause.as_ref()?;
        let when = if self.interrupted { " during the start" } else { "" };
        Some(format!("stopped ({cause}){when} in {}", readable(self.stop_took)))
    }

    /// Returns the report in one line, which begins with the exit code and its reasons.
    pub(crate) fn one_line(&self) -> String {
        let mut parts: Vec<_> = self.forced.iter().map(ToString::to_string).collect();
        match (&self.error, &self.cause) {
            (Some(error), Some(_)) => parts.push(error.line()),
            (Some(error), None) => parts.push(error.to_string()),
            (None, Some(cause)) if self.forced.is_some() => {
                parts.push(format!("stopping ({cause})"));
            }
            (None, _) => parts.extend(self.ended()),
        }
        let failed_by = self.error.as_ref().and_then(StartFailure::hook);
        let others =
            self.failures().filter(|failed| failed.is_drop || failed_by != Some(failed.hook));
        parts.extend(others.take(NAMED).map(HookReport::failure));
        parts.extend(self.details());
        let line = format!("exit code {}: {}", self.exit, parts.join("; "));
        printable(&line).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Returns lines about problems that are no failures of hooks, and about hooks that took long.
    pub(crate) fn details(&self) -> Vec<String> {
        let cut = &self.traffic.requests.cut;
        let mut lines: Vec<_> =
            cut.iter().take(NAMED).map(|request| format!("request cut off: {request}")).collect();
        lines.extend(more_cut_off(cut.len(), "request"));
        lines.extend(
            self.traffic.tasks.cut.iter().take(NAMED).map(|task| format!("task cut off: {task}")),
        );
        lines.extend(more_cut_off(self.traffic.tasks.cut.len(), "task"));
        lines.extend(self.traffic.dropped());
        lines.extend(self.traffic.unaccepted());
        lines.extend(self.traffic.failures());
        lines.extend(self.traffic.left());
        if self.stop_path.iter().map(|(_, took)| *took).sum::<Duration>() >= Duration::from_secs(1)
        {
            let hooks = self
                .stop_path
                .iter()
                .map(|(hook, took)| format!("{} {}", hook.display_name(), readable(*took)));
            lines.push(format!(
                "the stop's hooks took their time in: {}",
                listed(&hooks.collect::<Vec<_>>(), " → ")
            ));
        }
        lines
    }
}

/// Returns a line about those of so many things that are not named; `None` if all are.
fn more_cut_off(count: usize, noun: &str) -> Option<String> {
    match count.saturating_sub(NAMED) {
        0 => None,
        1 => Some(format!("… and 1 more {noun} cut off")),
        more => Some(format!("… and {more} more {noun}s cut off")),
    }
}
