//! Renderings of the plan for people and tools: text, Mermaid, DOT. `json.rs` has the one as JSON,
//! and `manifest.rs` the files by which its program is deployed.

use std::fmt::{self, Write};

use super::graph::{Behind, Graph, Step};
use super::{Plan, label};
use crate::hook::{Backoff, HookMeta, Kind, RestartLimit, ServicePolicy};
use crate::process::config::{PlanFormat, written};

impl fmt::Display for Plan {
    /// Writes the plan as [`PlanFormat::Text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(PlanFormat::Text))
    }
}

impl Plan {
    /// Returns the plan in the given format, with a newline at the end.
    ///
    /// ```
    /// use lifecycle_runtime::plan::PlanFormat;
    /// use lifecycle_runtime::{Lifecycle, on_startup};
    ///
    /// #[on_startup]
    /// async fn db() {}
    ///
    /// let plan = Lifecycle::new().plan()?;
    /// assert!(plan.render(PlanFormat::Mermaid).starts_with("flowchart"));
    /// # Ok::<(), lifecycle_runtime::plan::PlanError>(())
    /// ```
    #[must_use]
    pub fn render(&self, format: PlanFormat) -> String {
        match format {
            PlanFormat::Text => self.text(),
            PlanFormat::Snapshot => self.snapshot(),
            PlanFormat::Mermaid => self.mermaid(),
            PlanFormat::Dot => self.dot(),
            PlanFormat::Json => self.json(),
            PlanFormat::Kubernetes => self.kubernetes(),
            PlanFormat::Compose => self.compose(),
            PlanFormat::Systemd => self.systemd(),
            PlanFormat::Dockerfile => self.dockerfile(),
        }
    }

    fn text(&self) -> String {
        let mut text = self.lines(HookMeta::place, usize::MAX);
        text.push_str(&self.timetable().text(self));
        text
    }

    /// Returns the plan as a snapshot. It has no columns: a longer name would change the lines of
    /// the others.
    fn snapshot(&self) -> String {
        self.lines(|hook| hook.module.to_owned(), 0)
    }

    /// Returns a line for each step. The names are in a column of at most the width `widest`;
    /// behind it, `place` says where a hook is.
    fn lines(&self, place: fn(&HookMeta) -> String, widest: usize) -> String {
        let mut text = String::new();
        for (title, graph) in self.shown() {
            let _ = writeln!(text, "{title}");
            let mut back = Waits::of(self, graph);
            let shown: Vec<_> = listed(graph).collect();
            let longest = shown
                .iter()
                .map(|&step| self.label(graph, step).chars().count())
                .max()
                .unwrap_or_default();
            let width = longest.min(widest);
            for &step in &shown {
                let waits = back.list(step);
                let after = if waits.is_empty() {
                    String::new()
                } else {
                    format!("  after {}", waits.join(", "))
                };
                let details = self.details(graph, step, place);
                let _ = writeln!(text, "  {:width$}  {details}{after}", self.label(graph, step));
            }
            if shown.is_empty() {
                let _ = writeln!(text, "  nothing");
            }
        }
        text
    }

    fn mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        for (title, graph) in self.shown() {
            let _ = writeln!(text, "  subgraph {title}");
            for (step, what) in graph.steps().iter().enumerate() {
                let label = self.label(graph, step);
                let _ = match what {
                    Step::Run(_) | Step::Stop(_) => {
                        writeln!(text, "    {title}{step}[\"{label}\"]")
                    }
                    Step::Drop(_) => writeln!(text, "    {title}{step}([\"{label}\"])"),
                    Step::Barrier(_) => writeln!(text, "    {title}{step}{{{{\"{label}\"}}}}"),
                };
            }
            for (from, to) in edges(graph) {
                let _ = writeln!(text, "    {title}{from} --> {title}{to}");
            }
            text.push_str("  end\n");
        }
        text.push_str(
            "  start -->|the server listens| ready -->|a signal| drain -->|nothing is \
                       served| stop\n",
        );
        text
    }

    fn dot(&self) -> String {
        let mut text = String::from("digraph lifecycle {\n  rankdir=TB;\n  node [shape=box];\n");
        for (title, graph) in self.shown() {
            let _ = writeln!(text, "  subgraph cluster_{title} {{\n    label=\"{title}\";");
            for (step, what) in graph.steps().iter().enumerate() {
                let shape = match what {
                    Step::Run(_) | Step::Stop(_) => "box",
                    Step::Drop(_) => "ellipse",
                    Step::Barrier(_) => "diamond",
                };
                let label = self.label(graph, step);
                let _ = writeln!(text, "    {title}{step} [label=\"{label}\", shape={shape}];");
            }
            for (from, to) in edges(graph) {
                let _ = writeln!(text, "    {title}{from} -> {title}{to};");
            }
            text.push_str("  }\n");
        }
        text.push_str("}\n");
        text
    }

    /// Returns the graphs to show, each with its title: the phases, and hooks that recur if there
    /// are any.
    pub(super) fn shown(&self) -> impl Iterator<Item = (&'static str, &Graph)> {
        let recur = ["check", "signal"];
        let is_shown = move |(title, graph): &(&str, &Graph)| {
            !recur.contains(title) || !graph.steps().is_empty()
        };
        self.graphs().into_iter().filter(is_shown)
    }

    pub(super) fn label(&self, graph: &Graph, step: usize) -> String {
        label(&self.hooks, graph.steps()[step])
    }

    fn details(&self, graph: &Graph, step: usize, place: fn(&HookMeta) -> String) -> String {
        let (Step::Run(hook) | Step::Stop(hook)) = graph.steps()[step] else {
            return String::new();
        };
        let hook = self.hooks[hook];
        let mut details = place(hook);
        // A teardown without an order of its own stands outside the orders, which is not order 0.
        if let Some(order) = hook.order().filter(|&order| order > 0 || hook.is_teardown) {
            let _ = write!(details, "  order {order}");
        }
        if let Some(signal) = hook.signal() {
            let _ = write!(details, "  on {signal}");
        }
        if let Some(check) = hook.health_check() {
            let every = written(check.interval);
            let _ = write!(
                details,
                "  {} every {every}  failures {}",
                check.kind.name(),
                check.failures
            );
        }
        if let (Step::Run(_), Some(service)) = (graph.steps()[step], hook.service()) {
            let _ = write!(details, "  service  restart {}", service.restart.name());
            details.push_str(&deviations(service));
        } else if let Some(timeout) = hook.timeout() {
            let _ = write!(details, "  timeout {}", written(timeout));
        }
        if let Some(reserve) = hook
            .reserve
            .filter(|_| hook.kind != Kind::Service || matches!(graph.steps()[step], Step::Stop(_)))
        {
            let _ = write!(details, "  reserve {}", written(reserve));
        }
        if hook.is_exclusive && matches!(graph.steps()[step], Step::Run(_)) {
            details.push_str("  exclusive");
        }
        if let Some(resource) = hook.of() {
            let _ = write!(details, "  teardown of {}", self.planned(resource).display_name);
        }
        details
    }
}

/// Lists of what steps of a graph wait for.
pub(super) struct Waits<'p> {
    plan: &'p Plan,
    /// Graph with every edge turned around.
    back: Graph,
    /// For each step, the step whose list has been found to have it. One array serves all lists.
    seen_for: Vec<Option<usize>>,
}

impl<'p> Waits<'p> {
    pub(super) fn of(plan: &'p Plan, graph: &Graph) -> Self {
        Self { plan, back: graph.reversed(), seen_for: vec![None; graph.steps().len()] }
    }

    /// Returns the hooks, and orders as a whole, that a step of a list waits for. Drops are passed
    /// through: it goes without saying that a value ends behind what uses it.
    pub(super) fn list(&mut self, step: usize) -> Vec<String> {
        self.with_barriers(step).0
    }

    /// Returns the same list with the names of the groups of steps in it.
    pub(super) fn with_barriers(&mut self, step: usize) -> (Vec<String>, Vec<&'static str>) {
        let found = self.found(step);
        let label = |at: &usize| self.plan.label(&self.back, *at);
        let barrier = |at: &usize| match self.back.steps()[*at] {
            Step::Barrier(Behind::Orders) => Some("lower_orders"),
            Step::Barrier(Behind::Services) => Some("services"),
            _ => None,
        };
        let mut labels: Vec<_> = found.iter().map(label).collect();
        labels.sort();
        labels.dedup();
        let mut barriers: Vec<_> = found.iter().filter_map(barrier).collect();
        barriers.sort_unstable();
        barriers.dedup();
        (labels, barriers)
    }

    /// Returns the steps that a step of a list waits for. It is asked once for each step.
    fn found(&mut self, step: usize) -> Vec<usize> {
        let Self { back, seen_for, .. } = self;
        let mut open: Vec<_> = back.successors(step).collect();
        let mut waits = Vec::new();
        while let Some(at) = open.pop() {
            match back.steps()[at] {
                _ if seen_for[at].replace(step) == Some(step) => {}
                Step::Drop(_) => open.extend(back.successors(at)),
                Step::Run(_) | Step::Stop(_) | Step::Barrier(_) => waits.push(at),
            }
        }
        waits
    }
}

/// Returns the keys of a service, without `restart`, that are not the default, in the words of its
/// attribute.
fn deviations(service: ServicePolicy) -> String {
    let default = ServicePolicy::DEFAULT;
    let mut text = String::new();
    if service.backoff != default.backoff {
        let Backoff { first, cap } = service.backoff;
        let (first, cap) = (written(first), written(cap));
        let _ = write!(text, "  backoff {first}..{cap}");
    }
    if service.max_restarts != default.max_restarts {
        let _ = match service.max_restarts {
            None => write!(text, "  max_restarts unlimited"),
            Some(RestartLimit { count, within }) => {
                write!(text, "  max_restarts {count} in {}", written(within))
            }
        };
    }
    if service.on_exit != default.on_exit {
        let _ = write!(text, "  on_exit {}", service.on_exit.name());
    }
    if service.stop_on != default.stop_on {
        let _ = write!(text, "  stop_on {}", service.stop_on.name());
    }
    text
}

/// Returns the hooks of a graph, each behind those that it waits for.
pub(super) fn listed(graph: &Graph) -> impl Iterator<Item = usize> {
    graph.sequence().filter(|&step| matches!(graph.steps()[step], Step::Run(_) | Step::Stop(_)))
}

/// Returns every edge once.
fn edges(graph: &Graph) -> Vec<(usize, usize)> {
    let from = 0..graph.steps().len();
    let mut edges = Vec::new();
    let mut last_from = vec![None; graph.steps().len()];
    for from in from {
        for to in graph.successors(from) {
            if last_from[to].replace(from) != Some(from) {
                edges.push((from, to));
            }
        }
    }
    edges
}
