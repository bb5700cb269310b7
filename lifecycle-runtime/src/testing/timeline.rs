//! Timeline of a run: its events in order, for assertions, and as text for people.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::moment::{Moment, begins, ends};
use crate::event::{Event, Observer, ServiceState, readable};
use crate::hook::{HookMeta, Kind};

/// Event with the time at which it happened.
#[derive(Debug, Clone)]
pub(super) struct TimelineEntry {
    pub(super) at: Duration,
    pub(super) event: Event,
}

/// Recorder of the events of a run. Clones share one record.
#[derive(Clone)]
pub(super) struct TimelineRecorder {
    entries: Arc<Mutex<Vec<TimelineEntry>>>,
    /// Number of entries, to wake those who wait for a moment.
    count: watch::Sender<usize>,
}

impl TimelineRecorder {
    pub(super) fn new() -> Self {
        Self { entries: Arc::default(), count: watch::Sender::new(0) }
    }

    pub(super) fn timeline(&self) -> Timeline {
        Timeline { entries: self.entries().clone() }
    }

    /// Waits until this moment has come.
    pub(super) async fn reached(&self, moment: &Moment) {
        let has_come = |entries: &[TimelineEntry]| {
            entries
                .iter()
                .filter(|entry| moment.is(&entry.event))
                .nth(moment.number() - 1)
                .is_some()
        };
        // This can't fail, as `self` holds the sender.
        let _ = self.count.subscribe().wait_for(|_| has_come(&self.entries())).await;
    }

    fn entries(&self) -> MutexGuard<'_, Vec<TimelineEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for TimelineRecorder {
    fn on_event(&self, at: Duration, event: &Event) {
        let mut entries = self.entries();
        entries.push(TimelineEntry { at, event: event.clone() });
        let count = entries.len();
        drop(entries);
        self.count.send_replace(count);
    }
}

/// Events of a run, in order. Its text has a line for each event, and a lane for each hook from its
/// beginning to its end.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    entries: Vec<TimelineEntry>,
}

impl Timeline {
    /// Returns the position of the first event of this kind.
    pub(super) fn first(&self, is: impl Fn(&Event) -> bool) -> Option<usize> {
        self.entries.iter().position(|entry| is(&entry.event))
    }

    /// Returns what `find` finds in the last event in which it finds something.
    pub(super) fn last<'t, T>(&'t self, find: impl Fn(&'t Event) -> Option<T>) -> Option<T> {
        self.entries.iter().rev().find_map(|entry| find(&entry.event))
    }

    /// Returns the URLs of the servers.
    pub(super) fn urls(&self) -> Vec<String> {
        let url = |entry: &TimelineEntry| match &entry.event {
            Event::Listening { url } => Some(url.clone()),
            _ => None,
        };
        self.entries.iter().filter_map(url).collect()
    }

    /// Returns the number of events of this kind.
    pub(super) fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.entries.iter().filter(|entry| is(&entry.event)).count()
    }

    /// Returns the positions at which a hook first began and last ended, if it ran. A hook that has
    /// not ended ends behind the last event.
    pub(super) fn span(&self, hook: &HookMeta) -> Option<(usize, usize)> {
        let begin = self.first(|event| begins(event) == Some(hook))?;
        let end = self
            .entries
            .iter()
            .rposition(|entry| ends(&entry.event).is_some_and(|(ended, _)| ended == hook));
        Some((begin, end.unwrap_or(self.entries.len())))
    }

    /// Returns the position at which a service was ready for the first time.
    pub(super) fn ready(&self, service: &HookMeta) -> Option<usize> {
        self.first(|event| {
            matches!(
                event,
                Event::Service { hook, state: ServiceState::Running } if *hook == service
            )
        })
    }

    /// Returns the position at which a service was told to stop.
    pub(super) fn told_to_stop(&self, service: &HookMeta) -> Option<usize> {
        self.first(|event| {
            matches!(
                event,
                Event::Service { hook, state: ServiceState::Stopping } if *hook == service
            )
        })
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lanes: Vec<Option<&HookMeta>> = Vec::new();
        let mut lines = Vec::new();
        for TimelineEntry { at, event } in &self.entries {
            let Some(text) = line(event) else { continue };
            let begins = begins(event);
            if let Some(hook) = begins {
                match lanes.iter_mut().find(|lane| lane.is_none()) {
                    Some(free) => *free = Some(hook),
                    None => lanes.push(Some(hook)),
                }
            }
            let ended = ends(event).map(|(hook, _)| hook);
            let mark = |lane: Option<&HookMeta>| match lane {
                None => ' ',
                hook if hook == begins => '┌',
                hook if hook == ended => '└',
                Some(_) => '│',
            };
            lines.push((readable(*at), lanes.iter().copied().map(mark).collect::<String>(), text));
            if let Some(over) = lanes.iter_mut().find(|lane| lane.is_some() && **lane == ended) {
                *over = None;
            }
        }
        let width = lanes.len();
        for (at, lanes, text) in lines {
            writeln!(f, "{at:>10}  {lanes:width$}  {text}")?;
        }
        Ok(())
    }
}

/// Returns the text of an event's line; `None` for an event that adds nothing to its neighbours.
fn line(event: &Event) -> Option<String> {
    let name = |hook: &HookMeta| match hook.kind() {
        Kind::Service => format!("service {}", hook.display_name()),
        _ => hook.display_name().to_owned(),
    };
    Some(match event {
        Event::State(state) => format!("— {state} —"),
        Event::HookStarted { hook } => format!("{} begins", name(hook)),
        Event::HookEnded { hook, outcome, took } => {
            format!("{} {outcome} ({})", name(hook), readable(*took))
        }
        Event::Health { hook, passes: true, .. } => {
            format!("health check {} passes", hook.display_name())
        }
        Event::Health { hook, error, .. } => {
            let name = hook.display_name();
            match error {
                Some(error) => format!("health check {name} fails: {error}"),
                None => format!("health check {name} fails: it has not passed"),
            }
        }
        Event::Service {
            state: ServiceState::Starting | ServiceState::Stopped | ServiceState::Failed,
            ..
        } => {
            return None;
        }
        Event::Service { hook, state: ServiceState::BackingOff { after, delay } } => {
            format!("{} {after}; again in {}", name(hook), readable(*delay))
        }
        Event::Service { hook, state } => format!("{} is {state}", name(hook)),
        Event::DropFailed { hook, outcome } => {
            format!("the drop of the value of {} {outcome}", hook.display_name())
        }
        Event::StartFailed { failure } => format!("the start failed: {failure}"),
        Event::StopBegun { cause, .. } => format!("stop: {cause}"),
        Event::Hurried => "hurried".to_owned(),
        _ => return None,
    })
}
