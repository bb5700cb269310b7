//! View of a run for its operators, as JSON: its plan, its course, its services and checks, and the
//! program itself.
//!
//! Moments and durations are numbers of milliseconds, and moments count from the beginning of the
//! run. `docs/admin.md` describes the fields.

mod about;
mod critical_path;
mod event_json;
mod event_log;
mod live_facts;
#[cfg(test)]
mod tests;
mod timeline;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::time::Instant;

use crate::event::{as_millis, as_millis_if_any};
use crate::hook::Phase;
use crate::hook::state::State;
use crate::observe::health::{CheckHistory, Checks, Freshness, Health};
use crate::observe::live::Live;
use crate::observe::metrics::{MetricsSnapshot, ServerCounts, TaskCounts};
use crate::observe::report::{Recorder, ServiceReport};
use crate::plan::{Plan, PlanFormat};
use crate::process::stalls::StallTracker;
use about::InfoJson;
pub(crate) use about::{About, ServerSettings};
pub(crate) use event_log::{EventLog, Reading};
use live_facts::{LiveFacts, ProbesJson, StallJson};
use timeline::{HookPath, PhasePaths, TimelineJson};

/// View of a run. Clones are the same view.
#[derive(Clone)]
pub(crate) struct RunView(Arc<RunViewInner>);

/// Parts of a run that its view shows.
pub(crate) struct Shown {
    pub(crate) plan: Arc<Plan>,
    pub(crate) recorder: Recorder,
    pub(crate) checks: Checks,
    pub(crate) health: Health,
    pub(crate) stalls: StallTracker,
    pub(crate) live: Live,
    pub(crate) events: EventLog,
    pub(crate) about: About,
    /// Beginning of the run, from which events count their time.
    pub(crate) began: Instant,
}

struct RunViewInner {
    shown: Shown,
    began_at: SystemTime,
    /// Critical paths of the phases that are over.
    paths: Mutex<PhasePaths>,
    /// Plan as JSON, once somebody has asked for it: it never changes.
    plan: OnceLock<String>,
}

#[derive(Serialize)]
struct ServicesJson {
    #[serde(serialize_with = "as_millis")]
    now: Duration,
    services: Vec<ServiceView>,
}

#[derive(Serialize)]
struct ServiceView {
    name: &'static str,
    #[serde(flatten)]
    report: ServiceReport,
    #[serde(serialize_with = "as_millis")]
    began: Duration,
    #[serde(serialize_with = "as_millis_if_any")]
    ready: Option<Duration>,
    #[serde(serialize_with = "as_millis")]
    since: Duration,
    #[serde(serialize_with = "as_millis_if_any")]
    backoff_until: Option<Duration>,
}

#[derive(Serialize)]
struct ChecksJson {
    #[serde(serialize_with = "as_millis")]
    now: Duration,
    checks: Vec<CheckHistory>,
}

impl RunView {
    /// Makes the view of a run that has begun just now.
    pub(crate) fn new(shown: Shown) -> Self {
        let began_at = SystemTime::now();
        Self(Arc::new(RunViewInner {
            shown,
            began_at,
            paths: Mutex::default(),
            plan: OnceLock::new(),
        }))
    }

    /// Returns the plan, as `LIFECYCLE_PLAN=json` prints it.
    pub(crate) fn plan(&self) -> String {
        self.0.plan.get_or_init(|| self.0.shown.plan.render(PlanFormat::Json)).clone()
    }

    /// Returns the course of the start and the stop, and of each hook.
    pub(crate) fn timeline(&self) -> String {
        let Shown { plan, recorder, health, live, stalls, .. } = &self.0.shown;
        let facts = LiveFacts {
            waits: live.waits(),
            stalls: stalls.with_holders().into_iter().map(StallJson::of).collect(),
            probes: ProbesJson::of(health),
        };
        let paths = self.paths().clone();
        text(&TimelineJson::of(plan, recorder.so_far(), &paths, facts, self.now()))
    }

    /// Returns the services that have begun.
    pub(crate) fn services(&self) -> String {
        let service = |report: ServiceReport| ServiceView {
            name: report.hook.display_name(),
            began: report.began,
            ready: report.ready,
            since: report.since,
            backoff_until: report.backoff_until,
            report,
        };
        let services = self.0.shown.recorder.services().into_iter().map(service).collect();
        text(&ServicesJson { now: self.now(), services })
    }

    /// Returns the health checks with their last results.
    pub(crate) fn checks(&self) -> String {
        let Shown { checks, stalls, .. } = &self.0.shown;
        let freshness = Freshness::of(self.state(), stalls.limits().after);
        text(&ChecksJson { now: self.now(), checks: checks.with_history(freshness) })
    }

    /// Returns the program, its start, and its settings.
    pub(crate) fn info(&self) -> String {
        let Shown { about, .. } = &self.0.shown;
        text(&InfoJson::of(about, self.0.began_at, self.state(), self.now()))
    }

    /// Returns the figures of the run, with those of its servers.
    pub(crate) fn metrics(&self, servers: Vec<ServerCounts>, tasks: TaskCounts) -> MetricsSnapshot {
        let Shown { plan, recorder, checks, stalls, about, .. } = &self.0.shown;
        let record = recorder.so_far();
        let freshness = Freshness::of(record.state, stalls.limits().after);
        MetricsSnapshot {
            plan: Arc::clone(plan),
            record,
            checks: checks.figures(freshness),
            stalls: stalls.totals(),
            servers,
            tasks,
            info: about.info.clone(),
            began_at: self.0.began_at,
            now: self.now(),
        }
    }

    /// Returns the log of the run's events.
    pub(crate) fn events(&self) -> &EventLog {
        &self.0.shown.events
    }

    /// Returns the time since the beginning of the run.
    pub(crate) fn now(&self) -> Duration {
        self.0.shown.began.elapsed()
    }

    /// Notes that a phase is over, with its critical path.
    pub(crate) fn phase_over(&self, phase: Phase, path: HookPath) {
        self.paths().add(phase, path);
    }

    fn paths(&self) -> MutexGuard<'_, PhasePaths> {
        self.0.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> State {
        self.0.shown.recorder.standing().state
    }
}

/// Returns a value as the text of one JSON object, with a newline at the end.
fn text(value: &impl Serialize) -> String {
    // These are plain texts and numbers, so nothing can fail.
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    text
}
