//! How the time of a stop is shared: who may run until when.
//!
//! Every hook keeps a reserve: its `timeout`, or a small share if it has none, and a little to be given up in, if it doesn't
//! end then. A step may run until what is left is just enough for the reserves of the steps that wait for it; what a step
//! doesn't use flows on to the next.

use std::time::Duration;

use super::graph::{Graph, Step};
use crate::hook::HookMeta;

/// The reserve of a hook without a `timeout`, at most.
const RESERVE: Duration = Duration::from_secs(1);

/// How long a cancelled hook may take to end before it is left to itself, at most.
pub(crate) const ABANDON_AFTER: Duration = Duration::from_millis(100);

/// Hooks without a `timeout` keep at most this part of the time, all together along one path.
const SHARE_WITHOUT_TIMEOUT: u32 = 5;

/// Per step of a phase of the stop, how much time has to be left when it ends.
#[derive(Debug)]
pub(crate) struct Budget {
    tails: Vec<Duration>,
    /// Per step, what of its reserve it is given up in.
    margins: Vec<Duration>,
    whole: Duration,
}

impl Budget {
    /// Shares the time of a phase out, `is_last` if the process ends with it. If the reserves don't fit into nine tenths of it,
    /// all shrink alike.
    pub(super) fn new(hooks: &[&'static HookMeta], phase: &Graph, time: Duration, is_last: bool) -> Self {
        let timeout = |step: usize| match phase.steps()[step] {
            Step::Run(hook) | Step::Stop(hook) => Some(hooks[hook].timeout),
            Step::Drop(_) | Step::Barrier(_) => None,
        };
        // Along the path with the most hooks that have no timeout.
        let count = |step: usize, _| Duration::from_secs(u64::from(matches!(timeout(step), Some(None))));
        let most = longest(phase, count).1.as_secs();
        let share = RESERVE.min(time / SHARE_WITHOUT_TIMEOUT / u32::try_from(most.max(1)).unwrap_or(u32::MAX));
        let margin = |step: usize, behind: Duration| match timeout(step) {
            // Whom nothing follows takes nobody's time.
            Some(timeout) if !(is_last && behind.is_zero()) => (timeout.unwrap_or(share) / 10).min(ABANDON_AFTER),
            _ => Duration::ZERO,
        };
        let reserve = |step: usize, behind: Duration| match timeout(step) {
            Some(Some(timeout)) => timeout.saturating_add(margin(step, behind)),
            Some(None) => share,
            None => Duration::ZERO,
        };

        let (mut tails, mut whole) = longest(phase, reserve);
        let mut margins: Vec<_> = tails.iter().enumerate().map(|(step, &behind)| margin(step, behind)).collect();
        let most = time / 10 * 9;
        if whole > most {
            let scale = most.as_secs_f64() / whole.as_secs_f64();
            tails.iter_mut().chain(&mut margins).for_each(|time| *time = time.mul_f64(scale));
            whole = most;
        }
        Self { tails, margins, whole }
    }

    /// How much time the steps behind this one keep.
    pub(crate) fn behind(&self, step: usize) -> Duration {
        self.tails[step]
    }

    /// How much of its time a step is given up in, if it doesn't end.
    pub(crate) fn margin(&self, step: usize) -> Duration {
        self.margins[step]
    }

    /// How much time all steps keep: what the phase before has to leave.
    pub(crate) fn whole(&self) -> Duration {
        self.whole
    }
}

/// The heaviest path of hook timeouts, and what it adds up to. Hooks without a timeout of their own don't count: they
/// end with the grace period.
pub(super) fn worst_case(hooks: &[&'static HookMeta], phase: &Graph) -> (Vec<&'static HookMeta>, Duration) {
    let hook = |step: usize| match phase.steps()[step] {
        Step::Run(hook) | Step::Stop(hook) => Some(hooks[hook]),
        Step::Drop(_) | Step::Barrier(_) => None,
    };
    let timeout = |step: usize| hook(step).and_then(|hook| hook.timeout).unwrap_or_default();
    let (behind, whole) = longest(phase, |step, _| timeout(step));
    let with_own = |step: &usize| behind[*step].saturating_add(timeout(*step));
    let first = (0..phase.steps().len()).max_by_key(with_own);
    let path = std::iter::successors(first, |&step| phase.successors(step).max_by_key(with_own));
    (path.filter_map(hook).filter(|hook| hook.timeout.is_some()).collect(), whole)
}

/// Per step, the weight of the heaviest path behind it, without its own; and the weight of the heaviest path of all. What a
/// step weighs may depend on what is behind it.
fn longest(graph: &Graph, weight: impl Fn(usize, Duration) -> Duration) -> (Vec<Duration>, Duration) {
    let mut behind = vec![Duration::ZERO; graph.steps().len()];
    let mut whole = Duration::ZERO;
    for step in graph.sequence().rev() {
        let with_own = |step: usize| behind[step].saturating_add(weight(step, behind[step]));
        let heaviest = graph.successors(step).map(with_own).max().unwrap_or_default();
        behind[step] = heaviest;
        whole = whole.max(heaviest.saturating_add(weight(step, heaviest)));
    }
    (behind, whole)
}
