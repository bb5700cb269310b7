//! Time table as rows, for people and for machines.

use std::fmt::Write;
use std::time::Duration;

use super::{Span, Timetable, is_less};
use crate::event::readable;
use crate::hook::{HookMeta, Kind, Phase};
use crate::plan::{Plan, label};

/// Row of a time table.
#[derive(Debug)]
pub(crate) struct TimetableRow {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) what: String,
    /// Hook that the row is about, if any.
    pub(crate) hook: Option<&'static HookMeta>,
}

impl Timetable {
    /// Returns the time table as lines; none if nothing runs in the stop.
    pub(crate) fn text(&self, plan: &Plan) -> String {
        let rows = self.rows(plan);
        if rows.is_empty() {
            return String::new();
        }
        let mut text = "time table of the stop, from the signal, at worst\n".to_owned();
        for TimetableRow { from, to, what, .. } in rows {
            let span = format!("{} to {}", readable_moment(from), readable_moment(to));
            let _ = writeln!(text, "  {span:<20}  {what}");
        }
        let span =
            format!("{} to {}", readable_moment(self.hooks_end()), readable_moment(self.grace()));
        let _ = writeln!(text, "  {span:<20}  report");
        text
    }

    /// Returns a row for each hook of a phase of the stop.
    fn phase_rows(&self, plan: &Plan, phase: Phase) -> impl Iterator<Item = TimetableRow> {
        let graph = plan.phase(phase);
        self.spans(plan, phase).into_iter().map(move |Span { hook, step, from, to, has }| {
            let limit = match hook.timeout {
                Some(limit) if is_less(has, limit) => {
                    format!("at least {} of its {}", readable(has), readable(limit))
                }
                Some(limit) => format!("timeout {}", readable(limit)),
                None => format!("no timeout, at least {}", readable(has)),
            };
            let what = format!("{}, {limit}", label(&plan.hooks, graph.steps()[step]));
            TimetableRow { from, to, what, hook: Some(hook) }
        })
    }

    /// Returns the rows of the time table, in the order of the stop.
    pub(crate) fn rows(&self, plan: &Plan) -> Vec<TimetableRow> {
        let row =
            |from, to, what: &str| TimetableRow { from, to, what: what.to_owned(), hook: None };
        let drain_end = self.drain_end();
        let hooks_end = self.drain_hooks_end();
        let closed = self.close();
        let mut rows = Vec::new();
        for hook in plan.of_kind(Kind::Signal) {
            let what = format!("{}, if it runs already", hook.display_name());
            rows.push(TimetableRow { from: Duration::ZERO, to: drain_end, what, hook: Some(hook) });
        }
        rows.extend(self.phase_rows(plan, Phase::Drain));
        if closed > hooks_end {
            rows.push(row(hooks_end, closed, "drain delay"));
        }
        if let Some(end) = self.requests_end() {
            rows.push(row(Duration::ZERO, closed.min(end), "new connections"));
            rows.push(row(Duration::ZERO, end, "requests"));
        }
        rows.extend(self.phase_rows(plan, Phase::Shutdown));
        rows
    }
}

fn readable_moment(moment: Duration) -> String {
    if moment.is_zero() { "0 s".to_owned() } else { readable(moment) }
}
