//! Texts of the live lines.

use std::borrow::Cow;

use super::screen::Size;
use crate::event::{StopCause, Wait, readable};
use crate::hook::error::printable;
use crate::hook::state::State;
use crate::observe::live::LiveProgress;

/// Largest number of rows: most of the terminal is the program's.
const MOST: u16 = 8;

/// Returns the lines about a start or a stop, for a terminal of this size.
pub(super) fn lines(progress: &LiveProgress, size: Size) -> Vec<String> {
    let most = usize::from(MOST.min(size.rows / 3));
    let mut waits: Vec<_> = progress.stalls.iter().map(|text| Entry::bad(text)).collect();
    waits.extend(progress.waits.iter().map(Entry::of));
    let more = if waits.len() < most { 0 } else { waits.len() - (most - 2) };
    let width = usize::from(size.columns);
    let mut lines = vec![header(progress, waits.is_empty(), width)];
    lines.extend(waits.iter().take(waits.len() - more).map(|wait| wait.line(width)));
    if more > 0 {
        lines.push(format!("  … and {more} more"));
    }
    lines
}

/// Returns the first line: what is going on for how long, and how far it is.
fn header(progress: &LiveProgress, waits_for_nothing: bool, width: usize) -> String {
    let LiveProgress { state, cause, took, left, done, total, .. } = progress;
    let cause = cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let mut text = format!(" {}, {} left", readable(*took), readable(*left));
    if *total > 0 {
        text += &format!(", {done} of {total} hooks done");
    }
    if *state >= State::Draining
        && !progress.is_hurried
        && matches!(progress.cause, Some(StopCause::Signal(_)))
    {
        text += ", ^C to hurry";
    }
    if !waits_for_nothing {
        text += ", waiting for:";
    }
    let (state, rest) = (format!("{state}{cause}"), text);
    let rest = shortened(&rest, width.saturating_sub(state.chars().count()));
    format!("\x1b[1m{state}\x1b[0m{rest}")
}

/// Thing that is waited for, with the place in the code.
struct Entry<'p> {
    text: Cow<'p, str>,
    place: String,
    is_bad: bool,
}

impl<'p> Entry<'p> {
    fn of(wait: &'p Wait) -> Self {
        let place = match wait {
            Wait::Hook { hook, .. } | Wait::Service { hook, .. } | Wait::Value { hook, .. } => {
                format!(" ({})", hook.place())
            }
            _ => String::new(),
        };
        Self { text: wait.to_string().into(), place, is_bad: false }
    }

    fn bad(text: &'p str) -> Self {
        Self { text: text.into(), place: String::new(), is_bad: true }
    }

    fn line(&self, width: usize) -> String {
        // A path of a request is the client's text.
        let text = printable(&self.text).replace(['\n', '\t'], " ");
        let width = width.saturating_sub(2);
        let text = shortened(&text, width);
        let place = shortened(&self.place, width - text.chars().count());
        let colour = if self.is_bad { "\x1b[31m" } else { "" };
        format!("  {colour}{text}\x1b[0;2m{place}\x1b[0m")
    }
}

/// Returns a text, or as much of it as fits into this number of columns.
fn shortened(text: &str, columns: usize) -> Cow<'_, str> {
    if text.chars().count() <= columns {
        return text.into();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns == 0 { kept.into() } else { format!("{kept}…").into() }
}
