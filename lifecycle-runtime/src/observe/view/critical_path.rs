//! Critical path of a phase, from the times of its steps so far.
//!
//! The report's path comes from the executor when a phase has ended. An operator asks while it
//! lasts.

use std::time::Duration;

use crate::plan::{Graph, Step};

/// Time of a step that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepTime {
    pub(super) began: Duration,
    /// Moment at which it ended; `None` while it runs.
    pub(super) ended: Option<Duration>,
}

/// Returns the steps that determined how long a phase has taken until now, in the order in which
/// they ran, each with its duration: the chain that leads to the step that has been running the
/// longest or, if none runs, to the one that ended last. `time_of` returns the time of a step that
/// has begun.
pub(super) fn critical_path(
    graph: &Graph,
    now: Duration,
    time_of: impl Fn(Step) -> Option<StepTime>,
) -> Vec<(Step, Duration)> {
    let number = graph.steps().len();
    let mut times: Vec<_> = graph.steps().iter().map(|&step| time_of(step)).collect();
    // A step could begin once this moment had come, which the end of that other step decided.
    let mut free_at = vec![Duration::ZERO; number];
    let mut freed_by = vec![None; number];
    for step in graph.sequence() {
        let mut ended = free_at[step];
        // Otherwise it takes no time, as a barrier, and ends when it may begin.
        if let Some(time) = &mut times[step] {
            // A service may have been told to stop before its step.
            time.began = time.began.max(free_at[step]);
            ended = time.ended.unwrap_or(now).max(free_at[step]);
        }
        for next in graph.successors(step) {
            if ended >= free_at[next] {
                free_at[next] = ended;
                freed_by[next] = Some(step);
            }
        }
    }
    let with_time = || (0..number).filter_map(|step| Some((step, times[step]?)));
    let running = with_time().filter(|(_, time)| time.ended.is_none());
    let longest = running.min_by_key(|(_, time)| time.began);
    let tip = longest.or_else(|| with_time().max_by_key(|(_, time)| time.ended));
    let chain = std::iter::successors(tip.map(|(step, _)| step), |&step| freed_by[step]);
    let took = |step: usize| {
        let time = times[step]?;
        let took = time.ended.unwrap_or(now).saturating_sub(time.began);
        (took > Duration::ZERO).then_some((graph.steps()[step], took))
    };
    let mut path: Vec<_> = chain.filter_map(took).collect();
    path.reverse();
    path
}
