//! Time table of a stop: the moments from which and until which each part of it may run, at worst.
//!
//! The stop is a sequence: drain hooks, then the drain delay, then the listeners close and requests
//! finish, then the shutdown hooks run. Requests have `drain_timeout`, or half of what drain hooks
//! and the delay leave of the grace period. What hooks keep is scaled into the rest. Drain hooks
//! and shutdown hooks keep a tenth of the grace period each.

mod rows;

use std::time::Duration;

use super::Plan;
use super::budget::{ABANDON_AFTER, Budget, heaviest_path, hook_of};
use crate::event::{ScaledLimit, over_budget, readable};
use crate::hook::{HookMeta, Kind, Phase};
use crate::process::config::StopSettings;
pub(super) use rows::TimetableRow;

/// Part of the grace period that drain hooks keep at least, and shutdown hooks, whatever
/// `drain_timeout` is.
const HOOKS_PART: u32 = 10;

/// Time table of a stop. Moments count from its beginning.
#[derive(Debug)]
pub(crate) struct Timetable {
    settings: StopSettings,
    drain: Budget,
    shutdown: Budget,
    /// Time that requests have once the listeners close, at least.
    requests: Duration,
    /// Time that signal hooks need which the stop finds running, with the time in which they are
    /// abandoned.
    signals: Duration,
    /// Set if a drain hook has no timeout.
    has_untimed_drain_hook: bool,
}

/// Time between the last request that is cut off and the first shutdown hook, in which what was cut
/// off is dropped. No client is waited for. On a machine that is too busy for it, the report counts
/// what is not dropped yet as left behind, and the hook begins.
const DROPPING: Duration = Duration::from_millis(200);

/// Returns the time between the end of the last hook and the end of the process: a twentieth of the
/// grace period, at most 1 s. The report has to fit in, even where the process hardly runs.
pub(crate) fn last_words(grace: Duration) -> Duration {
    (grace / 20).min(Duration::from_secs(1))
}

impl Timetable {
    /// Shares out the grace period: every hook has its whole timeout if that fits.
    pub(crate) fn new(plan: &Plan, settings: StopSettings) -> Self {
        let unlimited = Self::limited(plan, settings, Duration::MAX, |_| Duration::MAX);
        if unlimited.needed() <= settings.grace {
            return unlimited;
        }
        let StopSettings { grace, drain_delay, drain_timeout, serves, .. } = settings;
        let for_hooks = grace.saturating_sub(last_words(grace));
        let for_drain = for_hooks.saturating_sub(drain_delay);
        let for_others = match drain_timeout.filter(|_| serves) {
            Some(timeout) => {
                let least = (grace / HOOKS_PART).max(least_of_shutdown(plan, grace));
                timeout.saturating_add(leaving(grace, serves)).saturating_add(least)
            }
            None => Duration::ZERO,
        };
        let drain = (for_drain / 2).min(for_drain.saturating_sub(for_others));
        let drain = drain.max(grace / HOOKS_PART);
        Self::limited(plan, settings, drain, |before| {
            // Even without a server, the stop waits for what can't be cancelled, in the time that
            // is left.
            let (least, most) = (grace / HOOKS_PART, grace / HOOKS_PART * (HOOKS_PART - 1));
            for_hooks.saturating_sub(before).clamp(least, most)
        })
    }

    /// Shares out a time for the drain hooks, and one for the shutdown hooks that depends on what
    /// is before them.
    fn limited(
        plan: &Plan,
        settings: StopSettings,
        drain: Duration,
        shutdown: impl FnOnce(Duration) -> Duration,
    ) -> Self {
        let StopSettings { grace, drain_delay, drain_timeout, quiet_window, serves, .. } = settings;
        let drain = Budget::new(&plan.hooks, plan.phase(Phase::Drain), grace, drain, None);
        let before_close = drain.whole().saturating_add(drain_delay);
        let requests = match drain_timeout {
            _ if !serves => Duration::ZERO,
            Some(timeout) => timeout,
            None => (grace.saturating_sub(before_close) / 2).max(quiet_window),
        };
        let with_leaving = requests.saturating_add(leaving(grace, serves));
        let before = before_close.saturating_add(with_leaving);
        let shutdown = Budget::new(
            &plan.hooks,
            plan.phase(Phase::Shutdown),
            grace,
            shutdown(before),
            Some(before),
        );
        let signals = plan.of_kind(Kind::Signal).filter_map(HookMeta::timeout).max();
        let signals =
            signals.map_or(Duration::ZERO, |timeout| timeout.saturating_add(ABANDON_AFTER));
        let has_untimed_drain_hook = plan.of_kind(Kind::Drain).any(|hook| hook.timeout.is_none());
        Self { settings, drain, shutdown, requests, signals, has_untimed_drain_hook }
    }

    pub(crate) fn grace(&self) -> Duration {
        self.settings.grace
    }

    pub(crate) fn drain_budget(&self) -> &Budget {
        &self.drain
    }

    pub(crate) fn shutdown_budget(&self) -> &Budget {
        &self.shutdown
    }

    /// Returns the moment at which the last hook has ended.
    pub(crate) fn hooks_end(&self) -> Duration {
        self.grace().saturating_sub(last_words(self.grace()))
    }

    /// Returns the moment from which only shutdown hooks and teardowns may go on.
    pub(crate) fn drain_end(&self) -> Duration {
        self.hooks_end().saturating_sub(self.shutdown.whole())
    }

    /// Returns the moment at which the last drain hook has ended at worst: the listeners close the
    /// drain delay later.
    pub(crate) fn drain_hooks_end(&self) -> Duration {
        if !self.has_untimed_drain_hook {
            return self.drain.whole();
        }
        // A drain hook without a timeout leaves requests their time.
        let others = self.settings.drain_delay.saturating_add(self.requests);
        self.drain.whole().max(self.cut().saturating_sub(others))
    }

    /// Returns the moment at which requests are cut off, whatever `drain_timeout` is.
    pub(crate) fn cut(&self) -> Duration {
        self.drain_end().saturating_sub(leaving(self.grace(), self.settings.serves))
    }

    /// Returns the moment until which the drain delay may go on: it leaves requests their time, or
    /// half of what there is for both, if a `drain_timeout` is longer than that.
    pub(crate) fn latest_close(&self) -> Duration {
        let for_both = self.cut().saturating_sub(self.drain_hooks_end());
        self.cut().saturating_sub(self.requests.min(for_both / 2))
    }

    /// Returns the time that the drain delay has at worst, if that is less than it asks for.
    pub(crate) fn scaled_delay(&self) -> Option<Duration> {
        let has = self.close().saturating_sub(self.drain_hooks_end());
        is_less(has, self.settings.drain_delay).then_some(has)
    }

    /// Returns the moment at which the listeners close at worst.
    pub(crate) fn close(&self) -> Duration {
        let hooks_end = self.drain_hooks_end();
        let delayed = hooks_end.saturating_add(self.settings.drain_delay);
        delayed.min(self.latest_close()).max(hooks_end)
    }

    /// Returns the moment at which the last request is cut off at worst; `None` without a server.
    pub(crate) fn requests_end(&self) -> Option<Duration> {
        let StopSettings { drain_timeout, serves, .. } = self.settings;
        let timed = |timeout| self.close().saturating_add(timeout);
        let end = drain_timeout.map_or(Duration::MAX, timed);
        serves.then_some(end.min(self.cut()))
    }

    /// Returns the time that the stop takes at worst, if every hook has its whole timeout.
    pub(crate) fn needed(&self) -> Duration {
        let StopSettings { grace, quiet_window, serves, .. } = self.settings;
        let requests = if serves { self.requests.max(quiet_window) } else { Duration::ZERO };
        let requests = requests.saturating_add(leaving(grace, serves));
        let drain =
            self.drain.needed().saturating_add(self.settings.drain_delay).saturating_add(requests);
        let hooks = drain.max(self.signals).saturating_add(self.shutdown.needed());
        hooks.saturating_add(last_words(self.grace()))
    }

    /// Returns a text about the time that the reserves of shutdown hooks and services lack; `None`
    /// if they fit.
    pub(crate) fn lack(&self) -> Option<String> {
        let StopSettings { grace, drain_delay, drain_timeout, serves, .. } = self.settings;
        let reserved = self.shutdown.reserved();
        let requests = self.requests.saturating_add(leaving(grace, serves));
        let others = [
            (self.drain.whole(), "the drain hooks", "the timeouts of drain hooks"),
            (drain_delay, "`drain_delay`", "`drain_delay`"),
            (requests, "requests", "`drain_timeout`"),
            (last_words(grace), "the report", ""),
        ];
        let taken = others.iter().fold(Duration::ZERO, |sum, (time, ..)| sum.saturating_add(*time));
        if reserved <= grace.saturating_sub(taken) {
            return None;
        }
        let others = others.into_iter().filter(|(time, ..)| !time.is_zero());
        let mut shorter = vec!["a `reserve`"];
        let mut needs = Vec::new();
        for (time, whose, what) in others {
            let is_half = whose == "requests" && drain_timeout.is_none();
            let half = if is_half { " (half of the rest)" } else { "" };
            needs.push(format!("{} for {whose}{half}", readable(time)));
            // Half of the rest shrinks with the rest.
            if !what.is_empty() && !is_half {
                shorter.push(what);
            }
        }
        let set = if serves && drain_timeout.is_none() { "set a `drain_timeout`, " } else { "" };
        Some(format!(
            "the reserves of shutdown hooks and services need {} with their margins, and the grace \
             period of {} leaves {} beside {}; raise `grace`, {set}or shorten {}",
            readable(reserved),
            readable(grace),
            readable(grace.saturating_sub(taken)),
            needs.join(", "),
            alternatives(&shorter),
        ))
    }

    /// Returns the limits that had to be scaled, as the stop may take longer than it has.
    pub(crate) fn scaled(&self, plan: &Plan) -> Option<Vec<ScaledLimit>> {
        if self.needed() <= self.grace() {
            return None;
        }
        let phases = [Phase::Drain, Phase::Shutdown].map(|phase| self.spans(plan, phase));
        let hooks = phases.iter().flatten().filter_map(|span| {
            let limit = span.hook.timeout?;
            is_less(span.has, limit).then_some(ScaledLimit {
                hook: span.hook,
                limit,
                has: span.has,
            })
        });
        let signals = plan.of_kind(Kind::Signal).filter_map(|hook| {
            let (limit, has) = (hook.timeout?, self.drain_end().saturating_sub(ABANDON_AFTER));
            (has < limit).then_some(ScaledLimit { hook, limit, has })
        });
        Some(hooks.chain(signals).collect())
    }

    /// Returns the time from the beginning of the stop that requests have at least; `None` without
    /// a server.
    pub(crate) fn requests_have(&self) -> Option<Duration> {
        let StopSettings { drain_delay, drain_timeout, serves, .. } = self.settings;
        // Drain hooks may end at once.
        let delay = drain_delay.min(self.latest_close());
        let least = drain_timeout.map_or(Duration::MAX, |timeout| delay.saturating_add(timeout));
        serves.then(|| least.min(self.cut()))
    }

    /// Returns the warning of a stop that may take longer than it has.
    pub(crate) fn warning(&self, plan: &Plan) -> Option<String> {
        let scaled = self.scaled(plan)?;
        let (requests, delay) = (self.requests_have(), self.scaled_delay());
        Some(over_budget(self.needed(), self.grace(), requests, delay, &scaled))
    }

    /// Returns the time of each hook of a phase of the stop, at worst: if all before it use theirs.
    fn spans(&self, plan: &Plan, phase: Phase) -> Vec<Span> {
        let (budget, from, to) = match phase {
            Phase::Drain => (&self.drain, Duration::ZERO, self.drain_hooks_end()),
            _ => (&self.shutdown, self.drain_end(), self.hooks_end()),
        };
        let graph = plan.phase(phase);
        let mut begins = vec![from; graph.steps().len()];
        let mut spans = Vec::new();
        for step in graph.sequence() {
            let hook = hook_of(&plan.hooks, graph, step);
            let end = to.saturating_sub(budget.behind(step));
            // A step that takes no time of its own passes on the moment from which it may begin.
            let over = if hook.is_some() { end } else { begins[step] };
            for next in graph.successors(step) {
                begins[next] = begins[next].max(over);
            }
            let Some(hook) = hook else { continue };
            let is_told = phase == Phase::Shutdown && hook.stops_with_drain();
            let from = if is_told { Duration::ZERO } else { begins[step] };
            let has = end.saturating_sub(from).saturating_sub(budget.margin(step));
            spans.push(Span { hook, step, from, to: end, has });
        }
        spans
    }
}

/// Returns the time that shutdown hooks and services keep however much has to be scaled, even if
/// the drain is over at once and leaves nothing to services that are told to stop with it.
fn least_of_shutdown(plan: &Plan, grace: Duration) -> Duration {
    let (phase, before) = (plan.phase(Phase::Shutdown), Some(Duration::ZERO));
    Budget::new(&plan.hooks, phase, grace, Duration::MAX, before).least()
}

/// Time of a hook in a stop, at worst.
struct Span {
    hook: &'static HookMeta,
    step: usize,
    from: Duration,
    to: Duration,
    /// Time that it has until it is cancelled.
    has: Duration,
}

/// Returns the time in which what was cut off is dropped.
fn leaving(grace: Duration, serves: bool) -> Duration {
    if serves { DROPPING.min(grace / 20) } else { Duration::ZERO }
}

/// Returns whether a time is less than a limit, and not by rounding.
fn is_less(time: Duration, limit: Duration) -> bool {
    time.saturating_add(Duration::from_micros(1)) < limit
}

/// Returns these parts as `a`, `a or b`, `a, b or c`.
fn alternatives(parts: &[&str]) -> String {
    match parts {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        parts => parts.concat(),
    }
}

impl Plan {
    /// Returns the heaviest path of hooks with timeouts that a stop goes through.
    pub(super) fn heaviest_stop(&self) -> Vec<&'static HookMeta> {
        let timeouts =
            |path: &[&HookMeta]| path.iter().filter_map(|hook| hook.timeout).sum::<Duration>();
        let drain = heaviest_path(&self.hooks, self.phase(Phase::Drain));
        let signal = self
            .of_kind(Kind::Signal)
            .filter(|hook| hook.timeout.is_some())
            .max_by_key(|hook| hook.timeout);
        let mut path = match signal {
            Some(hook) if hook.timeout.is_some_and(|timeout| timeout > timeouts(&drain)) => {
                vec![hook]
            }
            _ => drain,
        };
        path.extend(heaviest_path(&self.hooks, self.phase(Phase::Shutdown)));
        path
    }
}
