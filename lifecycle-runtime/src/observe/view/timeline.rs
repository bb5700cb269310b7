//! Course of a run: of its start, its stop, and each of its hooks.

use std::time::Duration;

use serde::Serialize;

use super::critical_path::{StepTime, critical_path};
use super::live_facts::{LiveFacts, ProbesJson, StallJson, WaitJson};
use crate::event::{Outcome, StopCause, Traffic, as_millis, as_millis_if_any};
use crate::hook::id::HookMap;
use crate::hook::state::State;
use crate::hook::{HookMeta, Phase};
use crate::observe::live::StepCount;
use crate::observe::report::{HookReport, RecurringReport, RunRecord, ServiceReport};
use crate::plan::{Plan, Step};

/// Course of a run, as JSON.
#[derive(Serialize)]
pub(super) struct TimelineJson {
    #[serde(serialize_with = "as_millis")]
    now: Duration,
    state: State,
    /// Moment at which the run entered the state.
    #[serde(serialize_with = "as_millis")]
    since: Duration,
    /// Texts of the waits.
    waiting_for: Vec<String>,
    waits: Vec<WaitJson>,
    stalls: Vec<StallJson>,
    probes: ProbesJson,
    start: StartJson,
    stop: Option<StopJson>,
    hooks: Vec<TimelineHook>,
    recurring: Vec<RecurringJson>,
}

#[derive(Serialize)]
struct StartJson {
    #[serde(serialize_with = "as_millis_if_any")]
    ended: Option<Duration>,
    error: Option<String>,
    /// Set if the stop was asked for before the start was over.
    interrupted: bool,
    #[serde(flatten)]
    steps: StepCount,
    critical_path: Vec<PathStep>,
}

#[derive(Serialize)]
struct StopJson {
    #[serde(serialize_with = "as_millis")]
    began: Duration,
    #[serde(serialize_with = "as_millis_if_any")]
    ended: Option<Duration>,
    /// Moment by which the process has ended at the latest.
    #[serde(serialize_with = "as_millis_if_any")]
    deadline: Option<Duration>,
    cause: Option<String>,
    /// Set if the cause is a request, and no failure.
    wanted: Option<bool>,
    hurried: bool,
    #[serde(flatten)]
    steps: StepCount,
    /// Traffic of the servers, once they are closed.
    traffic: Option<Traffic>,
    /// Exit code of the run, once it is over.
    exit_code: Option<u8>,
    critical_path: Vec<PathStep>,
}

/// Hook on a critical path.
#[derive(Serialize)]
struct PathStep {
    hook: String,
    name: &'static str,
    #[serde(serialize_with = "as_millis")]
    took: Duration,
}

/// Hook that has begun, or was passed over.
#[derive(Serialize)]
struct TimelineHook {
    hook: String,
    name: &'static str,
    kind: &'static str,
    #[serde(serialize_with = "as_millis_if_any")]
    began: Option<Duration>,
    /// Moment at which a service was ready for the first time.
    #[serde(serialize_with = "as_millis_if_any")]
    ready: Option<Duration>,
    /// Moment at which a service was told to stop.
    #[serde(serialize_with = "as_millis_if_any")]
    told_to_stop: Option<Duration>,
    #[serde(serialize_with = "as_millis_if_any")]
    ended: Option<Duration>,
    outcome: Option<Outcome>,
    /// Outcome as people read it, unless it is a success.
    error: Option<String>,
    /// Set if this is about the drop of the hook's value.
    is_drop: bool,
    /// Critical paths that the hook lies on: `start`, `stop`.
    paths: Vec<&'static str>,
}

#[derive(Serialize)]
struct RecurringJson {
    name: &'static str,
    #[serde(flatten)]
    report: RecurringReport,
    /// Outcome of the last run that has ended.
    last_outcome: Option<Outcome>,
    /// Moment from which it has been running, if it is.
    #[serde(serialize_with = "as_millis_if_any")]
    running_since: Option<Duration>,
}

/// Hooks on a critical path, each with the time that it took.
pub(super) type HookPath = Vec<(&'static HookMeta, Duration)>;

/// Critical paths of the phases that are over.
#[derive(Clone, Default)]
pub(super) struct PhasePaths(Vec<(Phase, HookPath)>);

impl PhasePaths {
    pub(super) fn add(&mut self, phase: Phase, path: HookPath) {
        self.0.push((phase, path));
    }

    fn get(&self, phase: Phase) -> Option<&HookPath> {
        self.0.iter().find(|(over, _)| *over == phase).map(|(_, path)| path)
    }
}

impl TimelineJson {
    pub(super) fn of(
        plan: &Plan,
        record: RunRecord,
        over: &PhasePaths,
        facts: LiveFacts,
        now: Duration,
    ) -> Self {
        let LiveFacts { waits, stalls, probes } = facts;
        let times = Times::of(&record);
        let start_path = times.paths(plan, over, [Phase::Startup, Phase::Ready], now);
        let stop_path = times.paths(plan, over, [Phase::Drain, Phase::Shutdown], now);
        let hooks = times.hooks(&record, &start_path, &stop_path);
        let stop = record.stop_began.map(|began| StopJson {
            began,
            ended: (record.state == State::Stopped).then_some(record.state_since),
            deadline: record.grace.map(|grace| began + grace),
            cause: record.cause.as_ref().map(ToString::to_string),
            wanted: record.cause.as_ref().map(StopCause::is_wanted),
            hurried: record.hurried,
            steps: StepCount::of_stop(plan, &record),
            traffic: record.drain_took.map(|_| record.traffic.clone()),
            exit_code: (record.state == State::Stopped).then(|| record.exit_code()),
            critical_path: shown(stop_path),
        });
        let recurring = |report: RecurringReport| RecurringJson {
            name: report.hook.display_name(),
            last_outcome: report.last_outcome.clone(),
            running_since: report.since,
            report,
        };
        Self {
            now,
            state: record.state,
            since: record.state_since,
            waiting_for: waits.iter().map(ToString::to_string).collect(),
            waits: waits.iter().map(WaitJson::of).collect(),
            stalls,
            probes,
            start: StartJson {
                ended: record.start_ended,
                error: record.error.as_ref().map(ToString::to_string),
                interrupted: record.was_interrupted,
                steps: StepCount::of_start(plan, &record),
                critical_path: shown(start_path),
            },
            stop,
            hooks,
            recurring: record.recurring.entries.into_iter().map(recurring).collect(),
        }
    }
}

fn shown(path: HookPath) -> Vec<PathStep> {
    let step = |(hook, took): (&HookMeta, Duration)| PathStep {
        hook: hook.path(),
        name: hook.display_name(),
        took,
    };
    path.into_iter().map(step).collect()
}

/// Times of the hooks and services of a run.
struct Times<'r> {
    /// Beginning of each hook that is no service.
    begun: HookMap<Duration>,
    /// End of each hook and service.
    ended: HookMap<&'r HookReport>,
    services: HookMap<&'r ServiceReport>,
}

impl<'r> Times<'r> {
    fn of(record: &'r RunRecord) -> Self {
        let ended = record.hooks.iter().filter(|ended| !ended.is_drop);
        Self {
            begun: record.begun.iter().map(|(hook, at)| (hook.id, *at)).collect(),
            ended: ended.map(|ended| (ended.hook.id, ended)).collect(),
            services: record.services.entries.iter().map(|it| (it.hook.id, it)).collect(),
        }
    }

    /// Returns the critical path of these phases: of those that are over as they have been found
    /// by the executor, of others as far as they have come.
    fn paths(&self, plan: &Plan, over: &PhasePaths, phases: [Phase; 2], now: Duration) -> HookPath {
        let path = |phase| over.get(phase).cloned().unwrap_or_else(|| self.path(plan, phase, now));
        phases.into_iter().flat_map(path).collect()
    }

    fn path(&self, plan: &Plan, phase: Phase, now: Duration) -> HookPath {
        let time_of = |step: Step| match step {
            Step::Run(hook) => self.time_to_run(plan.hooks()[hook]),
            Step::Stop(hook) => self.time_to_stop(plan.hooks()[hook]),
            Step::Drop(_) | Step::Barrier(_) => None,
        };
        let hook = |(step, took)| match step {
            Step::Run(hook) | Step::Stop(hook) => Some((plan.hooks()[hook], took)),
            Step::Drop(_) | Step::Barrier(_) => None,
        };
        critical_path(plan.phase(phase), now, time_of).into_iter().filter_map(hook).collect()
    }

    /// Returns the time of a hook, or the time that a service took to be ready.
    fn time_to_run(&self, hook: &HookMeta) -> Option<StepTime> {
        let ended = self.ended.get(&hook.id).map(|ended| ended.ended_at);
        match self.services.get(&hook.id) {
            Some(service) => {
                Some(StepTime { began: service.began, ended: service.ready.or(ended) })
            }
            None => Some(StepTime { began: *self.begun.get(&hook.id)?, ended }),
        }
    }

    /// Returns the time that a service took to stop.
    fn time_to_stop(&self, hook: &HookMeta) -> Option<StepTime> {
        let began = self.services.get(&hook.id)?.told_to_stop?;
        Some(StepTime { began, ended: self.ended.get(&hook.id).map(|ended| ended.ended_at) })
    }

    /// Returns the hooks that have begun or were passed over, in that order.
    fn hooks(&self, record: &RunRecord, start: &HookPath, stop: &HookPath) -> Vec<TimelineHook> {
        let mut paths: HookMap<Vec<&'static str>> = HookMap::default();
        for (name, path) in [("start", start), ("stop", stop)] {
            for (hook, _) in path {
                paths.entry(hook.id).or_default().push(name);
            }
        }
        let begun = record.begun.iter().map(|(hook, _)| *hook);
        let services = record.services.entries.iter().map(|service| service.hook);
        let passed_over = record.hooks.iter().filter(|ended| {
            let id = &ended.hook.id;
            ended.is_drop || !(self.begun.contains_key(id) || self.services.contains_key(id))
        });
        let mut hooks: Vec<_> = begun
            .chain(services)
            .map(|hook| self.hook(hook, self.ended.get(&hook.id).copied(), &paths))
            .chain(passed_over.map(|ended| self.hook(ended.hook, Some(ended), &paths)))
            .collect();
        hooks.sort_by_key(|hook| hook.began.or(hook.ended));
        hooks
    }

    fn hook(
        &self,
        hook: &'static HookMeta,
        ended: Option<&HookReport>,
        paths: &HookMap<Vec<&'static str>>,
    ) -> TimelineHook {
        let is_drop = ended.is_some_and(|ended| ended.is_drop);
        let service = self.services.get(&hook.id).filter(|_| !is_drop);
        let began = self.begun.get(&hook.id).copied().or(service.map(|service| service.began));
        let outcome = ended.map(|ended| ended.outcome.clone());
        let error = outcome.as_ref().filter(|outcome| **outcome != Outcome::Succeeded);
        TimelineHook {
            hook: hook.path(),
            name: hook.display_name(),
            kind: hook.kind.attribute(),
            began: began.filter(|_| !is_drop),
            ready: service.and_then(|service| service.ready),
            told_to_stop: service.and_then(|service| service.told_to_stop),
            ended: ended.map(|ended| ended.ended_at),
            error: error.map(ToString::to_string),
            outcome,
            is_drop,
            paths: if is_drop {
                Vec::new()
            } else {
                paths.get(&hook.id).cloned().unwrap_or_default()
            },
        }
    }
}
