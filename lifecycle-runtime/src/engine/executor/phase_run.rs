//! Run of one phase: the steps that may begin, and the tasks of those that have begun.

use std::pin::pin;
use std::time::Duration;

use tracing::Span;

use super::running_tasks::{EndedTask, RunningTasks};
use super::traversal::{CriticalPath, Traversal};
use crate::engine::Engine;
use crate::event::Outcome;
use crate::hook::{HookMeta, Phase};
use crate::observe::trace::StepSpans;
use crate::plan::{Graph, Step};

/// Phase that is running: the traversal of its graph, and the tasks of its steps.
pub(super) struct PhaseRun<'p> {
    graph: &'p Graph,
    traversal: Traversal<'p>,
    pub(super) tasks: RunningTasks,
    spans: StepSpans,
    is_stop: bool,
}

/// Next thing to do in a phase.
pub(super) enum NextStep<I> {
    /// A step may begin.
    Ready(usize),
    /// The task of a step has ended. The step has ended as well, unless another task follows.
    Ended(EndedTask),
    /// The interruption has come.
    Interrupted(I),
    /// All steps have ended.
    Done,
}

impl<'p> PhaseRun<'p> {
    /// Begins a phase.
    pub(super) fn begin(phase: Phase, engine: &'p Engine, root: &Span) -> Self {
        let graph = engine.plan.phase(phase);
        let traversal = Traversal::through(graph, engine.gate.as_ref());
        let tasks = RunningTasks::new(graph.steps().len(), &engine.hooks);
        let spans = StepSpans::new(root.clone(), graph.steps().len());
        let is_stop = matches!(phase, Phase::Drain | Phase::Shutdown);
        Self { graph, traversal, tasks, spans, is_stop }
    }

    /// Returns the next thing to do, and waits for it if there is none. Of several, tasks that have
    /// ended come first, then steps that may begin. The interruption is looked at only before a
    /// wait, as that costs more than to begin a step.
    ///
    /// `runs_code` returns `true` for a step that runs code of the user's when it begins.
    pub(super) async fn next<I>(
        &mut self,
        runs_code: impl Fn(Step) -> bool,
        interruption: impl Future<Output = I>,
    ) -> NextStep<I> {
        let mut interruption = pin!(interruption);
        loop {
            if let Some(ended) = self.tasks.next_ended() {
                return NextStep::Ended(ended);
            }
            if let Some(step) = self.traversal.next(&runs_code) {
                return NextStep::Ready(step);
            }
            self.spans.settle();
            let waits_for_permit = self.traversal.waits();
            if waits_for_permit && !self.tasks.is_busy() {
                self.traversal.only_waits();
            }
            tokio::select! {
                biased;
                interruption = &mut interruption => return NextStep::Interrupted(interruption),
                () = self.traversal.permitted(), if waits_for_permit => {}
                ended = self.tasks.next(), if self.tasks.is_busy() || !waits_for_permit => {
                    return ended.map_or(NextStep::Done, NextStep::Ended);
                }
            }
        }
    }

    /// Returns the step of this number.
    pub(super) fn step(&self, number: usize) -> Step {
        self.graph.steps()[number]
    }

    /// Makes the span of a step of this hook that begins.
    pub(super) fn span(&mut self, step: usize, hook: &HookMeta) -> Span {
        self.spans.begin(step, hook, self.is_stop, self.traversal.awaited_by(step))
    }

    /// Notes that a step has ended after this time, with this outcome if it has one: steps that
    /// waited only for it may begin.
    pub(super) fn finish(&mut self, step: usize, took: Duration, outcome: Option<&Outcome>) {
        self.spans.end(step, outcome);
        self.traversal.ended(step, took);
    }

    /// Notes that a step has ended at once.
    pub(super) fn pass(&mut self, step: usize) {
        self.traversal.passed(step);
    }

    pub(super) fn critical_path(&self, hooks: &[&'static HookMeta]) -> CriticalPath {
        self.traversal.critical_path(hooks)
    }
}
