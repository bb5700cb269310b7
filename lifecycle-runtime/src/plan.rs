//! The plan: all hooks of a run as checked graphs, one for each phase.
//!
//! It is pure: it looks at metadata only, and knows neither the async runtime nor the server.

mod budget;
mod build;
mod check;
mod clash;
mod graph;
mod json;
mod manifest;
mod members;
mod names;
mod render;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
mod timetable;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use budget::{ABANDON_AFTER, Budget};
#[cfg(feature = "testing")]
pub(crate) use check::missing;
pub(crate) use graph::{Behind, Graph, Step, Walk};
pub(crate) use manifest::{Program, ProgramServer};
pub(crate) use members::{with_everything_named, with_teardowns};
pub(crate) use timetable::{Timetable, last_words};

pub use crate::process::config::PlanFormat;

use crate::event::readable;
use crate::hook::id::{HookId, HookMap};
use crate::hook::{HookMeta, Kind, Phase};
use crate::process::config::{Config, StopSettings, delay_in_kubernetes};

/// All hooks of a run as checked graphs, which say in what order they start and stop.
///
/// A plan is made and checked before anything runs. Get the one of the registered hooks from
/// [`Lifecycle::plan`](crate::Lifecycle::plan).
///
/// ```
/// use lifecycle_runtime::hook::Hook;
/// use lifecycle_runtime::plan::Plan;
/// use lifecycle_runtime::{Dep, on_startup};
///
/// #[on_startup]
/// async fn db() {}
/// #[on_startup]
/// async fn cache(db: Dep<db>) {}
///
/// // `db` is planned, too: `cache` names it.
/// let plan = Plan::new([cache::META])?;
/// assert_eq!(plan.hooks().len(), 2);
/// print!("{plan}");
/// # Ok::<(), lifecycle_runtime::plan::PlanError>(())
/// ```
#[derive(Debug)]
pub struct Plan {
    /// Hooks, sorted by kind, order, module path and name, so that link order doesn't matter.
    hooks: Vec<&'static HookMeta>,
    index: Arc<HookMap<usize>>,
    graphs: Graphs,
    settings: StopSettings,
    /// Program that the manifests are of.
    program: Option<Program>,
}

impl Plan {
    /// Plans these hooks and everything that they name, and checks the result. A teardown that is
    /// not among them is left out; [`Lifecycle::of`](crate::Lifecycle::of) takes it along.
    ///
    /// # Errors
    ///
    /// Every problem that the compiler could not see, each with the places of the hooks involved.
    pub fn new(hooks: impl IntoIterator<Item = &'static HookMeta>) -> Result<Self, PlanError> {
        let (mut hooks, mut index) = with_everything_named(hooks);
        let path = |hook: &HookMeta| (hook.module, hook.name, hook.kind, hook.order());
        let crate_and_line = |hook: &HookMeta| (hook.origin, hook.file, hook.line);
        sort(&mut hooks, &|a, b| {
            path(a).cmp(&path(b)).then_with(|| crate_and_line(a).cmp(&crate_and_line(b)))
        });
        let mut problems = check::one_hook_per_path(&hooks);
        // Stable: those of one order stay sorted by path.
        sort(&mut hooks, &|a, b| (a.kind, a.order()).cmp(&(b.kind, b.order())));
        names::tell_apart(&mut hooks);
        for (at, hook) in hooks.iter().enumerate() {
            index.insert(hook.id, at);
        }
        problems.extend(check::all(&hooks, &index));
        if problems.is_empty() {
            let graphs = Graphs::of(&hooks, &index);
            for (_, graph) in graphs.titled() {
                problems.extend(
                    graph.cycles().iter().map(|cycle| check::describe_cycle(&hooks, graph, cycle)),
                );
            }
            if problems.is_empty() {
                return Ok(Self {
                    hooks,
                    index: Arc::new(index),
                    graphs,
                    settings: Config::default().stop_settings(false),
                    program: None,
                });
            }
        }
        Err(PlanError { problems })
    }

    /// Returns the hooks, sorted by kind, order, module path and name.
    #[must_use]
    pub fn hooks(&self) -> &[&'static HookMeta] {
        &self.hooks
    }

    /// Returns the hooks of one kind, sorted by order, module path and name.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &'static HookMeta> {
        of_kind(&self.hooks, kind).map(|(_, hook)| hook)
    }

    /// Checks that hooks of these paths are planned.
    pub(crate) fn has(&self, paths: &[String]) -> Result<(), PlanError> {
        let problems = check::missing(&self.hooks, paths);
        if problems.is_empty() { Ok(()) } else { Err(PlanError { problems }) }
    }

    /// Returns the heaviest path of hooks and the time that the whole stop takes at worst. The path
    /// is that of drain hooks, and then of services and shutdown hooks, whose timeouts add up to
    /// the most.
    ///
    /// The time is the sum of these timeouts and of four other times. Each hook that others wait
    /// for has 0.1 s (or a tenth of a shorter timeout) in which it is abandoned if it doesn't end.
    /// `drain_delay` counts, and so does the time that requests have: `drain_timeout`, or half of
    /// what drain hooks and the delay leave of `grace`; a lifecycle without a server has none. The
    /// report has a twentieth of `grace`, at most 1 s. A hook without a `timeout` counts as a
    /// second at most: it has what the others leave. A signal hook stands for the drain if its
    /// timeout is longer: it may have begun just before the stop.
    ///
    /// The time of a value's `Drop` doesn't count, nor does the time for which the stop waits until
    /// others let go of a value: both are limited to what hooks don't use. A value that needs time
    /// to be closed has a teardown, with a `timeout`.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::{Lifecycle, on_shutdown};
    /// use std::time::Duration;
    ///
    /// #[on_shutdown(timeout = "5s")]
    /// async fn flush() {}
    /// #[on_shutdown(timeout = "3s", after = [flush])]
    /// async fn report() {}
    ///
    /// let (path, time) = Lifecycle::new().plan()?.worst_case_stop();
    /// assert_eq!(time, Duration::from_millis(9_100));
    /// assert_eq!(path[0].name(), "flush");
    /// # Ok::<(), lifecycle_runtime::plan::PlanError>(())
    /// ```
    #[must_use]
    pub fn worst_case_stop(&self) -> (Vec<&'static HookMeta>, Duration) {
        (self.heaviest_stop(), self.timetable().needed())
    }

    /// Panics if the stop takes longer than `time` [at worst](Self::worst_case_stop), with `time`
    /// as its grace period: for a unit test of a program. A plan that passes gives every hook its
    /// whole timeout. The time of a value's `Drop` doesn't count.
    ///
    /// If the program has a server and doesn't set [`drain_delay`](crate::Lifecycle::drain_delay),
    /// the default delay in Kubernetes counts: 5 s, at most a fifth of this time.
    ///
    /// # Panics
    ///
    /// If the stop may take longer. The message has the limits that would have to be scaled.
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::{Lifecycle, on_shutdown};
    /// use std::time::Duration;
    ///
    /// #[on_shutdown(timeout = "5s")]
    /// async fn flush() {}
    ///
    /// // In a test: inside the grace period that a container has by default.
    /// Lifecycle::new().plan()?.assert_stops_within(Duration::from_secs(9));
    /// # Ok::<(), lifecycle_runtime::plan::PlanError>(())
    /// ```
    #[track_caller]
    pub fn assert_stops_within(&self, time: Duration) {
        let mut settings = StopSettings { grace: time, ..self.settings };
        let mut why = String::new();
        if settings.serves && !settings.drain_delay_is_set {
            settings.drain_delay = delay_in_kubernetes(time);
            why = format!(
                " (with {} of `drain_delay`, as in Kubernetes unless it is set)",
                readable(settings.drain_delay)
            );
        }
        if let Some(warning) = Timetable::new(self, settings).warning(self) {
            panic!("{warning}{why}");
        }
    }

    /// Plans the stop with these settings.
    pub(crate) fn with_settings(self, settings: StopSettings) -> Self {
        Self { settings, ..self }
    }

    /// Returns the time that the stop may take.
    pub(crate) fn grace(&self) -> Duration {
        self.settings.grace
    }

    /// Returns the reason why the stop does not fit into its grace period. Reserves never scale,
    /// and nothing does if `is_strict` is set.
    pub(crate) fn misfit(&self, is_strict: bool) -> Option<String> {
        let timetable = self.timetable();
        let warning = || timetable.warning(self).filter(|_| is_strict);
        timetable.lack().or_else(|| Some(format!("{}; strict_budget is on", warning()?)))
    }

    /// Returns the plan if its stop fits into the grace period.
    pub(crate) fn fitting(self, is_strict: bool) -> Result<Self, PlanError> {
        match self.misfit(is_strict) {
            None => Ok(self),
            Some(problem) => Err(PlanError { problems: vec![problem] }),
        }
    }

    /// Returns the time table of the stop.
    pub(crate) fn timetable(&self) -> Timetable {
        Timetable::new(self, self.settings)
    }

    /// Returns the hook as this plan has it, with its display name, for a hook that a planned one
    /// names.
    pub(crate) fn planned(&self, hook: &'static HookMeta) -> &'static HookMeta {
        self.position(hook.id).map_or(hook, |at| self.hooks[at])
    }

    /// Returns the steps of a phase.
    pub(crate) fn phase(&self, phase: Phase) -> &Graph {
        match phase {
            Phase::Startup => &self.graphs.startup,
            Phase::Ready => &self.graphs.ready,
            Phase::Drain => &self.graphs.drain,
            Phase::Shutdown => &self.graphs.shutdown,
        }
    }

    /// Returns the steps of the signal hooks, which recur and so belong to no phase.
    pub(crate) fn signals(&self) -> &Graph {
        &self.graphs.signals
    }

    /// Returns all graphs in the order of a run, each with its title.
    pub(crate) fn graphs(&self) -> [(&'static str, &Graph); 6] {
        self.graphs.titled()
    }

    /// Returns the position of each hook in [`hooks`](Self::hooks).
    pub(crate) fn index(&self) -> Arc<HookMap<usize>> {
        Arc::clone(&self.index)
    }

    /// Returns the position of a hook in [`hooks`](Self::hooks).
    pub(crate) fn position(&self, id: HookId) -> Option<usize> {
        self.index.get(&id).copied()
    }
}

/// Graphs of a plan: one for each phase, and one for each kind of hook that recurs.
#[derive(Debug)]
struct Graphs {
    startup: Graph,
    checks: Graph,
    ready: Graph,
    signals: Graph,
    drain: Graph,
    shutdown: Graph,
}

impl Graphs {
    fn of(hooks: &[&'static HookMeta], index: &HookMap<usize>) -> Self {
        let phase = |phase| build::phase(phase, hooks, index);
        Self {
            startup: phase(Phase::Startup),
            checks: build::recurring(Kind::HealthCheck, hooks, index),
            ready: phase(Phase::Ready),
            signals: build::recurring(Kind::Signal, hooks, index),
            drain: phase(Phase::Drain),
            shutdown: phase(Phase::Shutdown),
        }
    }

    fn titled(&self) -> [(&'static str, &Graph); 6] {
        [
            ("start", &self.startup),
            ("check", &self.checks),
            ("ready", &self.ready),
            ("signal", &self.signals),
            ("drain", &self.drain),
            ("stop", &self.shutdown),
        ]
    }
}

/// Hooks of a plan, sorted.
type Hooks<'a> = &'a [&'static HookMeta];

/// Sorts stably. The function is a `dyn` one, so that the long code of a sort is compiled once.
fn sort(
    hooks: &mut [&'static HookMeta],
    by: &dyn Fn(&'static HookMeta, &'static HookMeta) -> Ordering,
) {
    hooks.sort_by(|a, b| by(a, b));
}

/// Returns the hooks of one kind among sorted ones, each with its position.
fn of_kind<'h>(
    hooks: &'h [&'static HookMeta],
    kind: Kind,
) -> impl Iterator<Item = (usize, &'static HookMeta)> + use<'h> {
    let from = hooks.partition_point(|hook| hook.kind < kind);
    let to = hooks.partition_point(|hook| hook.kind <= kind);
    (from..to).map(|at| (at, hooks[at]))
}

/// Returns the label of a step for people.
fn label(hooks: &[&'static HookMeta], step: Step) -> String {
    match step {
        Step::Run(hook) => hooks[hook].display_name.to_owned(),
        Step::Stop(hook) => format!("stop {}", hooks[hook].display_name),
        Step::Drop(hook) => format!("drop {}", hooks[hook].display_name),
        Step::Barrier(Behind::Orders) => "the lower orders".to_owned(),
        Step::Barrier(Behind::Services) => "the services".to_owned(),
    }
}

/// Error of hooks that can't be planned: every problem, each with the places of the hooks involved.
///
/// ```standalone_crate
/// use lifecycle_runtime::hook::Hook;
/// use lifecycle_runtime::plan::Plan;
/// use lifecycle_runtime::on_shutdown;
///
/// #[on_shutdown(before = [b])]
/// async fn a() {}
/// #[on_shutdown(before = [a])]
/// async fn b() {}
///
/// let error = Plan::new([a::META]).unwrap_err();
/// assert!(error.to_string().starts_with("these hooks wait for each other: a → b → a"));
/// ```
#[derive(Debug, Clone)]
pub struct PlanError {
    problems: Vec<String>,
}

impl PlanError {
    /// Returns the problems, as one text each.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for PlanError {}
