//! Spans of the start and the stop, and of the steps below them, from which a trace viewer draws
//! the waterfall.

use tracing::Span;
use tracing::field::Empty;

use super::TARGET;
use crate::event::Outcome;
use crate::hook::stop::StopCause;
use crate::hook::{HookMeta, Kind};

/// Spans of the steps of a phase. Each is below the span of the start or the stop, and linked to
/// the step that it waited for longest.
pub(crate) struct StepSpans {
    root: Span,
    /// Span of each step that has begun; empty if no subscriber is interested.
    open: Vec<Option<Span>>,
    /// Steps that have ended just now. Their spans are kept until the steps that they were waited
    /// for by have begun, as there is no link to a span that is closed.
    ended: Vec<(usize, Span)>,
}

impl StepSpans {
    /// Makes the spans of a phase of this many steps, below this span.
    pub(crate) fn new(root: Span, steps: usize) -> Self {
        let open = if root.is_disabled() { Vec::new() } else { vec![None; steps] };
        Self { root, open, ended: Vec::new() }
    }

    /// Makes the span of a step of this hook that begins. `awaited` are the steps that it waited
    /// for longest, the last first.
    pub(crate) fn begin(
        &mut self,
        step: usize,
        hook: &HookMeta,
        is_stop: bool,
        mut awaited: impl Iterator<Item = usize>,
    ) -> Span {
        let span = of_step(&self.root, hook, is_stop);
        let Some(open) = self.open.get_mut(step) else { return span };
        let link = awaited.find_map(|step| self.ended.iter().find(|(ended, _)| *ended == step));
        if let Some((_, before)) = link {
            span.follows_from(before);
        }
        *open = Some(span.clone());
        span
    }

    /// Notes the outcome of a step that has ended.
    pub(crate) fn end(&mut self, step: usize, outcome: Option<&Outcome>) {
        let Some(span) = self.open.get_mut(step).and_then(Option::take) else { return };
        if let Some(outcome) = outcome {
            span.record("outcome", tracing::field::display(outcome));
            if outcome.is_failure() {
                span.record("otel.status_code", "ERROR");
            }
        }
        self.ended.push((step, span));
    }

    /// Closes the spans of the steps that have ended, as all steps that waited for them have begun.
    pub(crate) fn settle(&mut self) {
        self.ended.clear();
    }
}

/// Makes the span of a start.
pub(crate) fn start_span() -> Span {
    tracing::info_span!(target: TARGET, parent: None, "start")
}

/// Makes the span of a stop.
pub(crate) fn stop_span(cause: &StopCause) -> Span {
    tracing::info_span!(target: TARGET, parent: None, "stop", %cause)
}

/// Makes the span that a hook runs in, outside of the start and the stop.
pub(crate) fn span(hook: &HookMeta) -> Span {
    of_step(&Span::none(), hook, false)
}

/// Makes the span of a step below another. `otel.name` and `otel.status_code` are what
/// `tracing-opentelemetry` takes for the name and the status of the span.
fn of_step(root: &Span, hook: &HookMeta, is_stop: bool) -> Span {
    let (name, kind) = (hook.display_name(), hook.kind.attribute());
    macro_rules! step {
        ($text:literal) => {
            tracing::info_span!(
                target: TARGET, parent: root, $text, name, kind, otel.name = name,
                outcome = Empty, otel.status_code = Empty
            )
        };
    }
    match (hook.kind, is_stop, root.is_none()) {
        (Kind::Service, false, false) => step!("service_start"),
        (Kind::Service, true, false) => step!("service_stop"),
        _ => step!("hook"),
    }
}
