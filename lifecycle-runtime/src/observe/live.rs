//! Live view of a run: the answer to "what is it waiting for?".

mod progress;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{ServiceState, StartFailure, Wait, readable};
use crate::hook::state::State;
use crate::hook::{CheckKind, HookMeta};
use crate::observe::health::Checks;
use crate::observe::report::{
    ForcedExit, ForcedExitCause, Recorder, Report, ServiceReport, Standing,
};
use crate::process::stalls::StallTracker;
pub(crate) use progress::LiveProgress;
pub(crate) use steps::StepCount;

/// Live view of the hooks that are running and of other sources, such as servers.
#[derive(Clone)]
pub(crate) struct Live {
    recorder: Recorder,
    checks: Checks,
    stalls: StallTracker,
    began: Instant,
    others: Arc<Mutex<Vec<LiveSource>>>,
    ailments: Arc<Mutex<Vec<Ailment>>>,
}

/// Function that returns what a run waits for in this state, or what goes on beside it.
type LiveSource = Arc<dyn Fn(State) -> Vec<Wait> + Send + Sync>;

/// Function that returns the ailment of a server, if it has one.
type Ailment = Arc<dyn Fn() -> Option<String> + Send + Sync>;

impl Live {
    /// Makes the view of a run that begins now and has this recorder, these health checks and these
    /// watched parts.
    pub(crate) fn new(recorder: Recorder, checks: Checks, stalls: StallTracker) -> Self {
        let (others, ailments) = (Arc::default(), Arc::default());
        Self { recorder, checks, stalls, began: Instant::now(), others, ailments }
    }

    /// Adds a source, which is asked for what goes on.
    pub(crate) fn add(&self, source: impl Fn(State) -> Vec<Wait> + Send + Sync + 'static) {
        self.others().push(Arc::new(source));
    }

    /// Adds a source, which is asked for an ailment.
    pub(crate) fn add_ailment(&self, ailment: impl Fn() -> Option<String> + Send + Sync + 'static) {
        self.ailments().push(Arc::new(ailment));
    }

    /// Removes all sources that were added.
    pub(crate) fn forget_others(&self) {
        self.others().clear();
        self.ailments().clear();
    }

    /// Returns the ailments: services that are not up, except those that the process can do
    /// without, and servers.
    pub(crate) fn ailments_now(&self) -> Vec<String> {
        // The lock is not held meanwhile, as the sources have locks of their own.
        let ailments = self.ailments().clone();
        self.ailing_services()
            .into_iter()
            .chain(ailments.iter().filter_map(|ailment| ailment()))
            .collect()
    }

    /// Returns everything that a start or a stop waits for. Requests keep no start waiting.
    pub(crate) fn waits(&self) -> Vec<Wait> {
        let state = self.recorder.standing().state;
        let mut waits = self.others_of_a_stop(state);
        waits.extend(self.own_waits(state));
        waits
    }

    /// Returns the same as texts for anybody who reaches the app, without the requests of other
    /// clients.
    pub(crate) fn waits_in_public(&self) -> Vec<String> {
        let state = self.recorder.standing().state;
        let others = self.others_of_a_stop(state);
        let server = (!others.is_empty()).then(|| "the HTTP server".to_owned());
        let own = self.own_waits(state).into_iter().map(|wait| wait.to_string());
        server.into_iter().chain(own).collect()
    }

    /// Returns the waits of the other sources, which only a stop has.
    fn others_of_a_stop(&self, state: State) -> Vec<Wait> {
        if state >= State::Draining { self.of_others(state) } else { Vec::new() }
    }

    /// Returns the hooks and services that are waited for.
    fn own_waits(&self, state: State) -> Vec<Wait> {
        let mut waits = Vec::new();
        for (hook, running) in self.running() {
            if is_awaited_hook(state, hook) {
                waits.push(Wait::Hook { hook, running });
            }
        }
        for service in self.services() {
            if is_awaited_service(state, &service.state) {
                waits.push(self.wait_for(service));
            }
        }
        waits
    }

    /// Returns the wait for a service: since it began, or since it was told to stop.
    fn wait_for(&self, service: ServiceReport) -> Wait {
        let ServiceReport { hook, state, last_error, since, began, .. } = service;
        match state {
            ServiceState::Stopping => {
                Wait::Service { hook, state, running: self.since(since), last_error: None }
            }
            state => Wait::Service { hook, state, running: self.since(began), last_error },
        }
    }

    /// Returns the services that are not up, each with the reason, except those that the process
    /// can do without.
    pub(crate) fn ailing_services(&self) -> Vec<String> {
        let ails = |service: ServiceReport| {
            let why = match (&service.state, service.last_error) {
                (
                    ServiceState::Starting
                    | ServiceState::Failing { .. }
                    | ServiceState::BackingOff { .. },
                    Some(error),
                ) => format!(": it {error}"),
                (ServiceState::Failed, Some(error)) => {
                    return format!("service `{}` {error}", service.hook.display_name());
                }
                _ => String::new(),
            };
            format!("service `{}` is {}{why}", service.hook.display_name(), service.state)
        };
        let is_ailing = |service: &ServiceReport| {
            let is_up = matches!(
                service.state,
                ServiceState::Running | ServiceState::Stopping | ServiceState::Stopped
            );
            !is_up && !service.hook.is_dispensable()
        };
        self.services().into_iter().filter(is_ailing).map(ails).collect()
    }

    /// Returns the services that have failed for good and that the process goes on without, each
    /// with its error.
    pub(crate) fn lost_services(&self) -> Vec<String> {
        let is_lost = |service: &ServiceReport| {
            service.state == ServiceState::Failed && service.hook.is_dispensable()
        };
        let line = |service: ServiceReport| {
            let error = service
                .last_error
                .as_ref()
                .map_or_else(|| service.state.to_string(), ToString::to_string);
            format!("service `{}` {error}; going on without it", service.hook.display_name())
        };
        self.services().into_iter().filter(is_lost).map(line).collect()
    }

    /// Adds the last run of a service that never became ready to the failure of the start that it
    /// failed by.
    pub(crate) fn with_last_run(&self, mut start: StartFailure) -> StartFailure {
        if let StartFailure::Hook { hook, failure } = &mut start
            && let Some(service) = self.services().into_iter().find(|known| known.hook == *hook)
            && let Some(recorded) = service.last_error
        {
            *failure = recorded;
        }
        start
    }

    fn services(&self) -> Vec<ServiceReport> {
        self.recorder.services()
    }

    fn since(&self, at: Duration) -> Duration {
        self.began.elapsed().saturating_sub(at)
    }

    /// Returns everything that is going on, as lines: the state, the hooks that a start or a stop
    /// waits for, the others that run, and what fails or is stalled.
    pub(crate) fn picture(&self) -> String {
        let Standing { state, since, cause, .. } = self.recorder.standing();
        let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
        let took = readable(self.since(since));
        let line = |hook: &HookMeta, what: &str| {
            format!("{} ({}, #[{}]) {what}", hook.display_name(), hook.place(), hook.kind)
        };
        // A stop waits for neither failed checks nor lost services.
        let mut failing = if state < State::Draining {
            self.checks.failing().into_iter().chain(self.lost_services()).collect()
        } else {
            Vec::new()
        };
        failing.extend(self.stalls.texts());
        let mut awaited: Vec<_> = self.of_others(state).iter().map(ToString::to_string).collect();
        let mut others = Vec::new();
        for (hook, running) in self.running() {
            let list = if is_awaited_hook(state, hook) { &mut awaited } else { &mut others };
            list.push(line(hook, &readable(running)));
        }
        for service in self.services().into_iter().filter(ServiceReport::is_alive) {
            let is_awaited = is_awaited_service(state, &service.state);
            let list = if is_awaited { &mut awaited } else { &mut others };
            let since = readable(self.since(service.since));
            list.push(line(service.hook, &format!("{} {since}", service.state)));
        }
        let more = |heading, lines: &[String]| match lines {
            [] => String::new(),
            lines => format!("\n{}", listed(heading, lines, "")),
        };
        let lists = if state == State::Ready {
            awaited.extend(others);
            listed("running", &awaited, " nothing")
        } else {
            listed("waiting for", &awaited, " nothing") + &more("running", &others)
        };
        format!("{state}{cause} for {took}, {lists}{}", more("failing", &failing))
    }

    /// Returns the hooks that run, the longest first, each with its duration.
    fn running(&self) -> Vec<(&'static HookMeta, Duration)> {
        let elapsed = self.began.elapsed();
        let running = self.recorder.running().into_iter();
        let mut running: Vec<_> =
            running.map(|(hook, since)| (hook, elapsed.saturating_sub(since))).collect();
        running.sort_unstable_by(|a, b| {
            b.1.cmp(&a.1).then(a.0.display_name().cmp(b.0.display_name()))
        });
        running
    }

    fn of_others(&self, state: State) -> Vec<Wait> {
        // The lock is not held meanwhile, as the sources have locks of their own.
        let others = self.others().clone();
        others.iter().flat_map(|source| source(state)).collect()
    }

    /// Returns `true` if the start has failed or is not over, unless it was stopped on request.
    pub(crate) fn has_not_started(&self) -> bool {
        self.recorder.has_not_started()
    }

    /// Notes that the process ends now. Returns the exit code of a run that is over: then that is
    /// the one of the process.
    pub(crate) fn end_by_force(&self) -> Option<u8> {
        self.recorder.end_by_force()
    }

    /// Makes the report of everything so far, for a process that ends by force, with this exit code
    /// unless the run is over.
    pub(crate) fn report_so_far(&self, exit_code: u8, cause: ForcedExitCause) -> Report {
        let forced = ForcedExit { cause, waiting_for: self.waits() };
        self.recorder.report_so_far(exit_code, self.began.elapsed(), forced)
    }

    fn ailments(&self) -> MutexGuard<'_, Vec<Ailment>> {
        self.ailments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn others(&self) -> MutexGuard<'_, Vec<LiveSource>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns `true` if a start or a stop waits for a hook that runs.
fn is_awaited_hook(state: State, hook: &HookMeta) -> bool {
    // Among recurring hooks, a start waits only for the first runs of readiness checks.
    let is_readiness =
        || hook.health_check().is_some_and(|check| check.kind == CheckKind::Readiness);
    state >= State::Draining || !hook.kind.recurs() || (state == State::Starting && is_readiness())
}

/// Returns `true` if a start or a stop waits for a service. A start waits until it is ready, a stop
/// from the moment at which it is told to stop.
fn is_awaited_service(state: State, service: &ServiceState) -> bool {
    match service {
        ServiceState::Starting | ServiceState::Failing { .. } | ServiceState::BackingOff { .. } => {
            state == State::Starting
        }
        ServiceState::Stopping => true,
        _ => false,
    }
}

/// Returns a heading and indented lines, or the heading and `none` if there are no lines.
fn listed(heading: &str, lines: &[String], none: &str) -> String {
    match lines {
        [] => format!("{heading}{none}"),
        lines => format!("{heading}:\n  {}", lines.join("\n  ")),
    }
}
