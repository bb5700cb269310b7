//! Recorder of a run's events, which makes the report of them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{
    ForcedExit, HeldReport, HookReport, RecurringReport, Report, ServiceReport, StallReport,
};
use crate::event::{Event, Observer, StalledPart, StartFailure, Traffic};
use crate::hook::id::HookMap;
use crate::hook::state::State;
use crate::hook::stop::StopCause;
use crate::hook::{HookMeta, Kind};

/// Observer that records a run's events and makes the report of them.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Mutex<RunRecord>>);

/// State of a run, with its beginning and the cause of the stop.
pub(crate) struct Standing {
    pub(crate) state: State,
    /// Moment at which the run entered the state.
    pub(crate) since: Duration,
    /// Cause of the stop, if the run stops.
    pub(crate) cause: Option<StopCause>,
    pub(crate) stop_began: Option<Duration>,
    /// Time that the stop may take.
    pub(crate) grace: Option<Duration>,
    pub(crate) is_hurried: bool,
}

/// Record of a run so far.
#[derive(Clone, Default)]
pub(crate) struct RunRecord {
    pub(crate) state: State,
    /// Moment at which the run entered the state.
    pub(crate) state_since: Duration,
    pub(crate) cause: Option<StopCause>,
    pub(crate) error: Option<StartFailure>,
    /// Moment at which the start ended: the run was ready, unless there is an error.
    pub(crate) start_ended: Option<Duration>,
    pub(crate) stop_began: Option<Duration>,
    /// Time that the stop may take.
    pub(crate) grace: Option<Duration>,
    /// Moment of the last event.
    pub(crate) last: Duration,
    /// Hooks that began, each with the moment of that.
    pub(crate) begun: Vec<(&'static HookMeta, Duration)>,
    pub(crate) hooks: Vec<HookReport>,
    pub(crate) recurring: Indexed<RecurringReport>,
    pub(crate) services: Indexed<ServiceReport>,
    held: Vec<HeldReport>,
    stalls: Vec<StallReport>,
    pub(crate) traffic: Traffic,
    /// Time that the drain took, once it is over.
    pub(crate) drain_took: Option<Duration>,
    pub(crate) hurried: bool,
    /// Set if the stop was asked for during the start.
    pub(crate) was_interrupted: bool,
    /// Failure that the program reported while it was stopping for another reason.
    late_failure: Option<String>,
    /// Exit code, once the report is made.
    exit: Option<u8>,
    /// Set if the process ends before its run.
    is_forced: bool,
}

/// Entries of hooks, in the order in which they were added, that are found by their hook.
#[derive(Clone)]
pub(crate) struct Indexed<T> {
    pub(crate) entries: Vec<T>,
    positions: HookMap<usize>,
}

impl<T> Default for Indexed<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), positions: HookMap::default() }
    }
}

impl<T> Indexed<T> {
    fn get(&mut self, hook: &HookMeta) -> Option<&mut T> {
        self.entries.get_mut(*self.positions.get(&hook.id)?)
    }

    /// Returns the entry of a hook, if there is one.
    pub(crate) fn find(&self, hook: &HookMeta) -> Option<&T> {
        self.entries.get(*self.positions.get(&hook.id)?)
    }

    /// Returns the entry of a hook, which is made if there is none.
    fn get_or_insert(&mut self, hook: &HookMeta, make: impl FnOnce() -> T) -> &mut T {
        let at = *self.positions.entry(hook.id).or_insert(self.entries.len());
        if at == self.entries.len() {
            self.entries.push(make());
        }
        &mut self.entries[at]
    }
}

impl RunRecord {
    /// Returns the entry of a recurring hook. There is one for each hook and not for each run, as
    /// these hooks run for as long as the process does.
    fn recurring(&mut self, hook: &'static HookMeta) -> &mut RecurringReport {
        self.recurring.get_or_insert(hook, || RecurringReport {
            hook,
            runs: 0,
            failures: 0,
            last_error: None,
            last_outcome: None,
            since: None,
            cancelled: 0,
            last_took: None,
        })
    }

    fn stalls_of(&mut self, part: &StalledPart) -> &mut StallReport {
        let at = self.stalls.iter().position(|known| known.part == *part).unwrap_or_else(|| {
            self.stalls.push(StallReport::new(part));
            self.stalls.len() - 1
        });
        &mut self.stalls[at]
    }

    fn service(&mut self, hook: &HookMeta) -> Option<&mut ServiceReport> {
        self.services.get(hook)
    }
}

impl Observer for Recorder {
    fn on_event(&self, at: Duration, event: &Event) {
        let record = &mut *self.record();
        record.last = at;
        match event {
            Event::HookStarted { hook } if hook.kind.recurs() => {
                record.recurring(hook).since = Some(at);
            }
            Event::HookEnded { hook, outcome, took } if hook.kind.recurs() => {
                record.recurring(hook).ended(outcome, *took);
            }
            Event::HookStarted { hook } if hook.kind == Kind::Service => {
                record.services.get_or_insert(hook, || ServiceReport::new(hook, at));
            }
            Event::HookStarted { hook } => record.begun.push((hook, at)),
            Event::Service { hook, state } => {
                record.service(hook).into_iter().for_each(|service| service.enters(state, at));
            }
            Event::State(state) => {
                (record.state, record.state_since) = (*state, at);
                if *state == State::Ready {
                    record.start_ended = Some(at);
                }
            }
            Event::HookEnded { hook, outcome, took } => {
                if hook.kind == Kind::Service {
                    record.service(hook).into_iter().for_each(|service| service.has_ended(outcome));
                }
                record.hooks.push(HookReport {
                    hook,
                    ended_at: at,
                    took: *took,
                    outcome: outcome.clone(),
                    is_drop: false,
                });
            }
            Event::DropFailed { hook, outcome } => {
                let outcome = outcome.clone();
                record.hooks.push(HookReport {
                    hook,
                    ended_at: at,
                    took: Duration::ZERO,
                    outcome,
                    is_drop: true,
                });
            }
            Event::ValueHeld { hook, others } => {
                record.held.push(HeldReport { hook, others: *others });
            }
            Event::Stalled { part, after, .. } => record.stalls_of(part).stalled(*after),
            Event::StallEnded { part, took } => record.stalls_of(part).ended(*took),
            Event::StartFailed { failure } => {
                record.error = Some(failure.clone());
                record.start_ended = Some(at);
            }
            Event::StartInterrupted { .. } => {
                record.was_interrupted = true;
                record.start_ended = Some(at);
            }
            Event::LateFailure { error } => record.late_failure = Some(error.clone()),
            Event::StopBegun { cause, grace, .. } => {
                record.cause = Some(cause.clone());
                record.grace = Some(*grace);
                record.stop_began = Some(at);
            }
            Event::Hurried => record.hurried = true,
            Event::Drained { traffic, took } => {
                record.traffic = Traffic::clone(traffic);
                record.drain_took = Some(*took);
            }
            _ => {}
        }
    }
}

impl Recorder {
    /// Makes a recorder for a run of this many hooks.
    pub(crate) fn new(hooks: usize) -> Self {
        let (begun, hooks) = (Vec::with_capacity(hooks), Vec::with_capacity(hooks));
        Self(Arc::new(Mutex::new(RunRecord { begun, hooks, ..RunRecord::default() })))
    }

    /// Returns the hooks that are running, each with the moment at which it began.
    pub(crate) fn running(&self) -> Vec<(&'static HookMeta, Duration)> {
        self.record().running()
    }

    /// Returns what a function reads from the record, without a copy of that.
    pub(crate) fn read<T>(&self, function: impl FnOnce(&RunRecord) -> T) -> T {
        function(&self.record())
    }

    /// Returns the services that have begun so far.
    pub(crate) fn services(&self) -> Vec<ServiceReport> {
        self.record().services.entries.clone()
    }

    /// Returns a copy of the whole record.
    pub(crate) fn so_far(&self) -> RunRecord {
        self.record().clone()
    }

    /// Returns the state of the run.
    pub(crate) fn standing(&self) -> Standing {
        let record = self.record();
        Standing {
            state: record.state,
            since: record.state_since,
            cause: record.cause.clone(),
            stop_began: record.stop_began,
            grace: record.grace,
            is_hurried: record.hurried,
        }
    }

    /// Returns `true` if the start has failed or is not over, unless it was stopped on request.
    pub(crate) fn has_not_started(&self) -> bool {
        let record = self.record();
        let is_over = record.start_ended.is_some() || record.was_interrupted;
        record.error.is_some() || !is_over
    }

    /// Notes that the process ends now. Returns the exit code of a run that is over: then that is
    /// the one of the process.
    pub(crate) fn end_by_force(&self) -> Option<u8> {
        let mut record = self.record();
        record.is_forced = record.exit.is_none();
        record.exit
    }

    fn record(&self) -> MutexGuard<'_, RunRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the report of a run that is over. Returns `None` if the process ends by force: it has
    /// another exit code.
    pub(crate) fn report(
        &self,
        start_path: Vec<(&'static HookMeta, Duration)>,
        stop_path: Vec<(&'static HookMeta, Duration)>,
    ) -> Option<Report> {
        let mut record = self.record();
        if record.is_forced {
            return None;
        }
        let exit = record.exit_code();
        record.exit = Some(exit);
        Some(Report { start_path, stop_path, ..record.report(exit, record.last) })
    }

    /// Makes the report of everything that has happened until now, for a process that ends before
    /// its run. The exit code of a run that is over stays.
    pub(crate) fn report_so_far(&self, exit: u8, now: Duration, forced: ForcedExit) -> Report {
        let record = self.record();
        match record.exit {
            Some(exit) => record.report(exit, record.last),
            None => Report { forced: Some(forced), ..record.report(exit, now) },
        }
    }
}

impl RunRecord {
    /// Returns the hooks that are running, each with the moment at which it began.
    pub(crate) fn running(&self) -> Vec<(&'static HookMeta, Duration)> {
        let ended: HashSet<_> =
            self.hooks.iter().filter(|hook| !hook.is_drop).map(|hook| hook.hook.id).collect();
        let once = self.begun.iter().copied().filter(|(hook, _)| !ended.contains(&hook.id));
        once.chain(self.recurring.entries.iter().filter_map(|hook| Some((hook.hook, hook.since?))))
            .collect()
    }

    /// Returns the number of hooks of a kind that have ended or were passed over.
    pub(crate) fn ended(&self, kind: Kind) -> usize {
        self.hooks.iter().filter(|hook| hook.hook.kind == kind && !hook.is_drop).count()
    }

    /// Returns the exit code of a run that is over.
    pub(crate) fn exit_code(&self) -> u8 {
        let mut hooks = self.hooks.iter();
        let has_failed =
            hooks.any(|hook| hook.outcome.is_failure() && !hook.outcome.is_ignored(hook.hook));
        // A hook that a start has left behind may still use a value that was torn down.
        let is_left = |hook: &HookReport| hook.outcome.is_abandoned();
        let has_failed = has_failed || (self.was_interrupted && self.hooks.iter().any(is_left));
        let program_failed =
            matches!(self.cause, Some(StopCause::Server(_) | StopCause::Failed(_)));
        let program_failed = program_failed || self.late_failure.is_some();
        match &self.error {
            Some(_) => 1,
            None if has_failed || program_failed || !self.traffic.is_clean() => 3,
            None => 0,
        }
    }

    /// Returns the report of everything until now, without critical paths.
    fn report(&self, exit: u8, now: Duration) -> Report {
        let stop_took = self.stop_began.map(|began| now.saturating_sub(began));
        Report {
            exit,
            cause: self.cause.clone(),
            error: self.error.clone(),
            start_took: self.start_ended.unwrap_or_default(),
            stop_took: stop_took.unwrap_or_default(),
            // The guard may still ask for what has run, even if the run is over.
            hooks: self.hooks.clone(),
            recurring: self.recurring.entries.clone(),
            services: self.services.entries.clone(),
            held: self.held.clone(),
            stalls: self.stalls.clone(),
            traffic: self.traffic.clone(),
            start_path: Vec::new(),
            stop_path: Vec::new(),
            hurried: self.hurried,
            interrupted: self.was_interrupted,
            forced: None,
        }
    }
}
