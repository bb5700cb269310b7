//! Result of a scenario, and the checks of its lines.

use std::time::Duration;

use crate::event::{Event, Wait};
use crate::observe::report::Report;

/// Result of a scenario: the report of the run, the lines, and the events.
pub(in crate::lifecycle::tests) struct ScenarioRun {
    pub(in crate::lifecycle::tests) report: Report,
    pub(super) lines: Vec<String>,
    pub(super) events: Vec<Event>,
}

impl ScenarioRun {
    /// Checks all lines, in their order, each with its time in milliseconds.
    #[track_caller]
    pub(in crate::lifecycle::tests) fn check(&self, expected: &[&str]) {
        assert_eq!(self.lines, expected);
    }

    /// Checks all lines, whatever their order and time.
    #[track_caller]
    pub(in crate::lifecycle::tests) fn check_sorted(&self, expected: &[&str]) {
        let mut lines: Vec<_> = self
            .lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, what)| what)
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, expected);
    }

    /// Checks that these lines were written, each once and in this order, whatever was written
    /// between them.
    #[track_caller]
    pub(in crate::lifecycle::tests) fn check_order(&self, expected: &[&str]) {
        let lines = self.lines.iter().filter_map(|line| line.split_once(' ')).map(|(_, what)| what);
        let found: Vec<_> = lines.filter(|what| expected.contains(what)).collect();
        assert_eq!(found, expected);
    }

    /// Returns all lines, without their times.
    pub(in crate::lifecycle::tests) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.split_once(' ')).map(|(_, what)| what)
    }

    /// Returns the number of times that a line was written.
    pub(in crate::lifecycle::tests) fn count(&self, what: &str) -> usize {
        self.lines
            .iter()
            .filter(|line| line.split_once(' ').is_some_and(|(_, line)| line == what))
            .count()
    }

    /// Returns the times at which a line was written.
    pub(in crate::lifecycle::tests) fn times(&self, what: &str) -> Vec<Duration> {
        let lines = self
            .lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, line)| *line == what);
        lines.map(|(at, _)| Duration::from_millis(at.parse().expect("a number"))).collect()
    }

    pub(in crate::lifecycle::tests) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(in crate::lifecycle::tests) fn states(&self) -> Vec<String> {
        let state = |event: &Event| match event {
            Event::State(state) => Some(state.to_string()),
            _ => None,
        };
        self.events.iter().filter_map(state).collect()
    }

    /// Returns the text of the failure by which the start ended.
    pub(in crate::lifecycle::tests) fn error(&self) -> Option<String> {
        self.report.error.as_ref().map(ToString::to_string)
    }

    /// Returns the text of the last failure of the first service.
    pub(in crate::lifecycle::tests) fn last_error(&self) -> String {
        self.report.services[0].last_error.as_ref().expect("a failure").to_string()
    }

    /// Returns the names that each report of waiting lists.
    pub(in crate::lifecycle::tests) fn waits(&self) -> Vec<Vec<&str>> {
        let mut waits = Vec::new();
        for event in &self.events {
            if let Event::Waiting { on } = event {
                waits.push(on.iter().filter_map(name_of).collect());
            }
        }
        waits
    }
}

/// Returns the name of the hook that is waited for.
fn name_of(wait: &Wait) -> Option<&'static str> {
    match wait {
        Wait::Hook { hook, .. } | Wait::Service { hook, .. } => Some(hook.display_name()),
        _ => None,
    }
}
