//! The plan as JSON, for tools.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::graph::Step;
use super::render::{Waits, listed};
use super::{Plan, timetable};
use crate::hook::HookMeta;

impl Plan {
    /// Returns the plan as one object, with a newline at the end.
    pub(super) fn json(&self) -> String {
        // These are plain texts and numbers, so nothing can fail.
        let mut text = serde_json::to_string_pretty(&PlanJson(self)).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Plan as JSON: its hooks, and each phase by its title.
struct PlanJson<'p>(&'p Plan);

impl Serialize for PlanJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(
            "hooks",
            &plan.hooks.iter().map(|hook| HookJson::of(hook)).collect::<Vec<_>>(),
        )?;
        for (title, graph) in plan.shown() {
            let mut waits = Waits::of(plan, graph);
            let step = |step| {
                let (hook, does) = match graph.steps()[step] {
                    Step::Run(hook) => (Some(hook), "run"),
                    Step::Stop(hook) => (Some(hook), "stop"),
                    Step::Drop(hook) => (Some(hook), "drop"),
                    Step::Barrier(_) => (None, "nothing"),
                };
                let (after, behind) = waits.with_barriers(step);
                StepJson {
                    step: plan.label(graph, step),
                    hook: hook.map(|hook| plan.hooks[hook].path()),
                    does,
                    after,
                    behind,
                }
            };
            map.serialize_entry(title, &listed(graph).map(step).collect::<Vec<_>>())?;
        }
        let row = |row: timetable::TimetableRow| RowJson {
            what: row.what,
            hook: row.hook.map(HookMeta::path),
            from_ms: millis(row.from),
            to_ms: millis(row.to),
        };
        let rows = plan.timetable().rows(plan).into_iter().map(row);
        map.serialize_entry("time_table", &rows.collect::<Vec<_>>())?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct StepJson {
    step: String,
    /// Path of the hook.
    hook: Option<String>,
    /// `run`, or `stop` for the stop of a service.
    does: &'static str,
    after: Vec<String>,
    /// Groups of steps in `after`: `lower_orders`, `services`.
    behind: Vec<&'static str>,
}

/// Row of the time table of a stop.
#[derive(serde::Serialize)]
struct RowJson {
    what: String,
    hook: Option<String>,
    from_ms: u64,
    to_ms: u64,
}

#[derive(serde::Serialize)]
struct HookJson {
    path: String,
    name: &'static str,
    kind: &'static str,
    place: String,
    /// Type of the value.
    value: Option<&'static str>,
    order: Option<u32>,
    timeout_ms: Option<u64>,
    reserve_ms: Option<u64>,
    exclusive: bool,
    signal: Option<&'static str>,
    check: Option<CheckJson>,
    service: Option<ServiceJson>,
    needs: Vec<String>,
    before: Vec<String>,
    of: Option<String>,
}

#[derive(serde::Serialize)]
struct CheckJson {
    kind: &'static str,
    interval_ms: u64,
    failures: u32,
}

#[derive(serde::Serialize)]
struct ServiceJson {
    restart: &'static str,
    backoff_ms: [u64; 2],
    max_restarts: Option<u32>,
    within_ms: Option<u64>,
    stops_the_process: bool,
    stop_on: &'static str,
}

impl HookJson {
    fn of(hook: &HookMeta) -> Self {
        Self {
            path: hook.path(),
            name: hook.display_name(),
            kind: hook.kind().attribute(),
            place: hook.place(),
            value: hook.value_type(),
            order: hook.order(),
            timeout_ms: hook.timeout().map(millis),
            reserve_ms: hook.reserve.map(millis),
            exclusive: hook.is_exclusive,
            signal: hook.signal(),
            check: hook.health_check().map(|check| CheckJson {
                kind: check.kind.name(),
                interval_ms: millis(check.interval),
                failures: check.failures,
            }),
            service: hook.service().map(|service| ServiceJson {
                restart: service.restart.name(),
                backoff_ms: [millis(service.backoff.first), millis(service.backoff.cap)],
                max_restarts: service.max_restarts.map(|most| most.count),
                within_ms: service.max_restarts.map(|most| millis(most.within)),
                stops_the_process: !hook.is_dispensable(),
                stop_on: service.stop_on.name(),
            }),
            needs: hook.needs().map(HookMeta::path).collect(),
            before: hook.before().map(HookMeta::path).collect(),
            of: hook.of().map(HookMeta::path),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
