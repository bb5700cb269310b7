//! Time that each step of a phase of the stop leaves to the steps behind it.
//!
//! A hook keeps its `timeout`, or a small share if it has none, and a margin in which it is
//! abandoned if it doesn't end. Where that doesn't fit into the time of the phase, every hook keeps
//! its `reserve`, or a least share, and the same part of the rest. A step may run until what is
//! left is just what the steps behind it keep. The next steps have what a step doesn't use.

use std::time::Duration;

use super::graph::{Graph, Step};
use crate::hook::HookMeta;

/// Longest time that a hook without a `timeout` keeps. It is no limit: the hook has all that others
/// leave. One that needs more whatever others do has a `timeout` that says so.
const UNTIMED_SHARE: Duration = Duration::from_secs(1);

/// Part of the grace period that hooks without a `timeout` keep at most, all together along one
/// path.
const UNTIMED_PART: u32 = 5;

/// Part of the grace period that hooks keep however much has to be scaled, all together along one
/// path.
const LEAST_PART: u32 = 20;

/// Longest time that a cancelled hook has to end before it is abandoned. Its future is dropped at
/// its next `await`, without a round trip. On a machine that is too busy for it, a hook counts as
/// abandoned that would have ended, and what it uses may be torn down under it.
pub(crate) const ABANDON_AFTER: Duration = Duration::from_millis(100);

/// Part of what a hook keeps that is the margin in which it is abandoned: a tenth of its `timeout`.
const MARGIN_PART: u32 = 11;

/// Time of a phase, shared out among its steps.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Time that each step keeps, margin included.
    kept: Vec<Duration>,
    /// Time that the steps behind each step keep.
    behind: Vec<Duration>,
    margins: Vec<Duration>,
    whole: Duration,
    needed: Duration,
    least: Duration,
    reserved: Duration,
}

impl Budget {
    /// Shares out the time of a phase, at most `most`. `before` is the time until the last phase
    /// begins at the earliest if requests need theirs; `None` for another phase. The process ends
    /// with the last phase, so a step that nothing follows there needs no margin.
    pub(super) fn new(
        hooks: &[&'static HookMeta],
        phase: &Graph,
        grace: Duration,
        most: Duration,
        before: Option<Duration>,
    ) -> Self {
        let claims = Claims::new(hooks, phase, grace, before);
        let (_, needed) = longest(phase, |step| claims.full(step));
        let (_, reserved) = longest(phase, |step| claims.reserved(step));
        let (_, least) = longest(phase, |step| claims.least(step));
        // The longest path of a sum is no longer than the sum of the longest paths, so this part of
        // the rest fits.
        let part = if needed <= most {
            1.0
        } else {
            let rest = needed.saturating_sub(least).as_secs_f64();
            most.saturating_sub(least).as_secs_f64() / rest.max(f64::MIN_POSITIVE)
        };
        let kept = |step| {
            let (full, least) = (claims.full(step), claims.least(step));
            if part >= 1.0 { full } else { least + full.saturating_sub(least).mul_f64(part) }
        };
        let steps = || 0..phase.steps().len();
        let (behind, whole) = longest(phase, kept);
        Self {
            kept: steps().map(kept).collect(),
            margins: steps().map(|step| claims.margin(step, kept(step))).collect(),
            behind,
            whole: whole.min(most.max(least)),
            needed,
            least,
            reserved,
        }
    }

    /// Returns the time that the steps behind this one keep.
    pub(crate) fn behind(&self, step: usize) -> Duration {
        self.behind[step]
    }

    /// Returns the time that a step keeps for itself, its margin included.
    pub(crate) fn kept(&self, step: usize) -> Duration {
        self.kept[step]
    }

    /// Returns the part of a step's time in which it is abandoned if it doesn't end.
    pub(crate) fn margin(&self, step: usize) -> Duration {
        self.margins[step]
    }

    /// Returns the time that all steps keep, which the phase before has to leave.
    pub(crate) fn whole(&self) -> Duration {
        self.whole
    }

    /// Returns the time that all steps would keep if there were no limit.
    pub(super) fn needed(&self) -> Duration {
        self.needed
    }

    /// Returns the time that all steps keep however much has to be scaled.
    pub(super) fn least(&self) -> Duration {
        self.least
    }

    /// Returns the time that the steps have reserved.
    pub(super) fn reserved(&self) -> Duration {
        self.reserved
    }
}

/// Time that the steps of a phase ask for.
struct Claims<'p> {
    hooks: &'p [&'static HookMeta],
    phase: &'p Graph,
    /// Time that a hook without a `timeout` keeps.
    untimed: Duration,
    /// Time that each hook keeps however much has to be scaled, unless it asks for less.
    least: Duration,
    /// Set for each step that a hook waits for, and that so needs a margin.
    is_awaited: Vec<bool>,
    /// Time that services have had already which are told to stop with the drain.
    head_start: Duration,
}

impl<'p> Claims<'p> {
    fn new(
        hooks: &'p [&'static HookMeta],
        phase: &'p Graph,
        grace: Duration,
        before: Option<Duration>,
    ) -> Self {
        let count = |is_counted: bool| Duration::from_secs(u64::from(is_counted));
        let (hooks_behind, path) =
            longest(phase, |step| count(hook_of(hooks, phase, step).is_some()));
        // Counted along the path with the most hooks without a `timeout`.
        let is_untimed =
            |step| hook_of(hooks, phase, step).is_some_and(|hook| hook.timeout.is_none());
        let (_, most) = longest(phase, |step| count(is_untimed(step)));
        let number = |hooks: Duration| u32::try_from(hooks.as_secs()).unwrap_or(u32::MAX).max(1);
        Self {
            hooks,
            phase,
            untimed: UNTIMED_SHARE.min(grace / UNTIMED_PART / number(most)),
            least: grace / LEAST_PART / number(path),
            is_awaited: hooks_behind
                .iter()
                .map(|behind| before.is_none() || !behind.is_zero())
                .collect(),
            head_start: before.unwrap_or_default(),
        }
    }

    fn hook(&self, step: usize) -> Option<&'static HookMeta> {
        hook_of(self.hooks, self.phase, step)
    }

    /// Returns the time that a step keeps if everything fits.
    fn full(&self, step: usize) -> Duration {
        let Some(hook) = self.hook(step) else { return Duration::ZERO };
        let own = hook.timeout.map_or(self.untimed, |timeout| self.with_margin(step, timeout));
        let head_start = if hook.stops_with_drain() { self.head_start } else { Duration::ZERO };
        own.saturating_sub(head_start).max(self.reserved(step))
    }

    /// Returns the time that a step keeps however much has to be scaled.
    fn least(&self, step: usize) -> Duration {
        self.least.max(self.reserved(step)).min(self.full(step))
    }

    /// Returns the time that a step has reserved.
    fn reserved(&self, step: usize) -> Duration {
        let reserve = self.hook(step).and_then(|hook| hook.reserve);
        reserve.map_or(Duration::ZERO, |reserve| self.with_margin(step, reserve))
    }

    fn with_margin(&self, step: usize, time: Duration) -> Duration {
        if !self.is_awaited[step] {
            return time;
        }
        time.saturating_add((time / (MARGIN_PART - 1)).min(ABANDON_AFTER))
    }

    fn margin(&self, step: usize, kept: Duration) -> Duration {
        if !self.is_awaited[step] || self.hook(step).is_none() {
            return Duration::ZERO;
        }
        (kept / MARGIN_PART).min(ABANDON_AFTER)
    }
}

/// Returns the hook that a step runs or ends.
pub(super) fn hook_of(
    hooks: &[&'static HookMeta],
    phase: &Graph,
    step: usize,
) -> Option<&'static HookMeta> {
    match phase.steps()[step] {
        Step::Run(hook) | Step::Stop(hook) => Some(hooks[hook]),
        Step::Drop(_) | Step::Barrier(_) => None,
    }
}

/// Returns the hooks with a `timeout` on the heaviest path.
pub(super) fn heaviest_path(hooks: &[&'static HookMeta], phase: &Graph) -> Vec<&'static HookMeta> {
    let hook = |step: usize| hook_of(hooks, phase, step);
    let timeout = |step: usize| hook(step).and_then(|hook| hook.timeout).unwrap_or_default();
    let (behind, _) = longest(phase, timeout);
    let with_own = |step: &usize| behind[*step].saturating_add(timeout(*step));
    let first = (0..phase.steps().len()).max_by_key(with_own);
    let path = std::iter::successors(first, |&step| phase.successors(step).max_by_key(with_own));
    path.filter_map(hook).filter(|hook| hook.timeout.is_some()).collect()
}

/// Returns the weight of the heaviest path behind each step, without its own, and the weight of the
/// heaviest path of all.
fn longest(graph: &Graph, weight: impl Fn(usize) -> Duration) -> (Vec<Duration>, Duration) {
    let mut behind = vec![Duration::ZERO; graph.steps().len()];
    let mut whole = Duration::ZERO;
    for step in graph.sequence().rev() {
        let with_own = |step: usize| behind[step].saturating_add(weight(step));
        let heaviest = graph.successors(step).map(with_own).max().unwrap_or_default();
        behind[step] = heaviest;
        whole = whole.max(heaviest.saturating_add(weight(step)));
    }
    (behind, whole)
}
