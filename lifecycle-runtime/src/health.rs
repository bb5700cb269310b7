//! What probes are told: whether the process lives, whether it has started, whether it is ready, and if not, why.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use crate::state::State;
use crate::stop::Progress;

/// A question that Kubernetes asks of a container, and load balancers of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whether the process still answers. If not, it is to be killed: so this stays a yes while it stops.
    Liveness,
    /// Whether the start is over.
    Startup,
    /// Whether to send it requests.
    Readiness,
}

/// The answer to a probe.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) passes: bool,
    /// Why, as a JSON object.
    pub(crate) body: String,
}

/// Says what it waits for, each with how long.
type Waits = dyn Fn() -> Vec<String> + Send + Sync;

/// The health of a run.
#[derive(Clone)]
pub(crate) struct Health {
    progress: watch::Receiver<Progress>,
    ready_while_draining: bool,
    waits: Arc<Waits>,
}

#[derive(Serialize)]
struct Body {
    status: &'static str,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting_for: Vec<String>,
}

impl Health {
    pub(crate) fn new(
        progress: watch::Receiver<Progress>,
        ready_while_draining: bool,
        waits: impl Fn() -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        Self { progress, ready_while_draining, waits: Arc::new(waits) }
    }

    /// Answers a probe. At once, whatever else goes on.
    pub(crate) fn answer(&self, probe: Probe) -> Answer {
        let Progress { state, has_started, .. } = *self.progress.borrow();
        let reason = match (probe, state) {
            (Probe::Liveness, _) | (_, State::Ready) => None,
            (_, State::Starting) => Some("the start is not over"),
            _ if !has_started => Some("the start has failed"),
            (Probe::Startup, _) => None,
            (Probe::Readiness, State::Draining) if self.ready_while_draining => None,
            (Probe::Readiness, _) => Some("the process is stopping"),
        };
        let passes = reason.is_none();
        let waiting_for = if state == State::Ready { Vec::new() } else { (self.waits)() };
        let body = Body { status: if passes { "pass" } else { "fail" }, state, reason, waiting_for };
        // Plain texts: there is nothing that could fail.
        Answer { passes, body: serde_json::to_string(&body).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Probe::{Liveness, Readiness, Startup};

    #[track_caller]
    fn check(state: State, has_started: bool, ready_while_draining: bool, passing: &[Probe]) {
        let (_sender, progress) = watch::channel(Progress { state, has_started, deadline: None });
        let health = Health::new(progress, ready_while_draining, || vec!["db 2.1 s".to_owned()]);
        let passes = |probe: &Probe| health.answer(*probe).passes;
        let passed: Vec<_> = [Liveness, Startup, Readiness].into_iter().filter(passes).collect();
        assert_eq!(passed, passing, "{state}");
    }

    #[test]
    fn only_a_process_that_is_ready_passes_every_probe() {
        check(State::Starting, false, false, &[Liveness]);
        check(State::Ready, true, false, &[Liveness, Startup, Readiness]);
        check(State::Draining, true, false, &[Liveness, Startup]);
        check(State::Stopping, true, false, &[Liveness, Startup]);
        check(State::Stopped, true, false, &[Liveness, Startup]);
    }

    #[test]
    fn readiness_may_outlast_the_signal_but_not_the_server() {
        check(State::Draining, true, true, &[Liveness, Startup, Readiness]);
        check(State::Stopping, true, true, &[Liveness, Startup]);
    }

    #[test]
    fn a_start_that_has_failed_never_passes() {
        check(State::Draining, false, true, &[Liveness]);
        check(State::Stopping, false, true, &[Liveness]);
    }

    #[test]
    fn the_body_says_why() {
        let (sender, progress) = watch::channel(Progress::default());
        let health = Health::new(progress, false, || vec!["db 2.1 s".to_owned()]);
        assert_eq!(
            health.answer(Readiness).body,
            r#"{"status":"fail","state":"starting","reason":"the start is not over","waiting_for":["db 2.1 s"]}"#
        );
        sender.send_replace(Progress { state: State::Ready, has_started: true, deadline: None });
        assert_eq!(health.answer(Readiness).body, r#"{"status":"pass","state":"ready"}"#);
    }
}
