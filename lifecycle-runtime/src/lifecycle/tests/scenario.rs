//! Harness that runs a plan whose hooks behave as a text says, and writes down what happens, with
//! its time.

mod result;
mod script;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;

pub(super) use self::result::ScenarioRun;
use self::script::{Script, Seen, work};
use crate::engine::executor::StepGate;
use crate::event::{Observers, millis};
use crate::hook::HookMeta;
use crate::hook::runtime::HookRuntime;
use crate::lifecycle::run::{Run, RunOptions, RunSwitches, Servers};
use crate::observe::console::Console;
use crate::observe::report::Report;
use crate::observe::view::About;
use crate::plan::sample;
use crate::process::config::{Config, ConsoleFormat};

/// Longest time that a run may take: on paused time no test takes that long.
const LIMIT: Duration = Duration::from_secs(3600);

/// Run that a test describes.
pub(super) struct Scenario {
    plan: String,
    behaviours: HashMap<String, String>,
    /// Lines that trigger a signal when they are written: the first asks for the stop, the second
    /// hurries it.
    signals: Vec<String>,
    config: Config,
    gate: Option<Arc<dyn StepGate>>,
    ends_with_services: bool,
    stopped_before: bool,
    serves: bool,
}

impl Scenario {
    /// Makes a scenario of a plan and of behaviours, divided by semicolons.
    ///
    /// A behaviour is `NAME takes MILLIS`, `NAME fails`, `NAME fails once LINE`, `NAME panics`,
    /// `NAME hangs`, `NAME blocks until LINE` (on the blocking pool), `NAME has a value` (whose
    /// drop is written down), `NAME has a value that panics`, `NAME has a value that others keep`,
    /// `NAME asks` (how much time it has left), `NAME asks when stopped` or `NAME asks when the
    /// stop begins` (at that event, and when it hears of the stop). A hook that runs again and
    /// again takes one after the other of several, divided by commas, and repeats the last: `NAME
    /// fails, passes`. A service `runs` until it is told to stop, then `runs and takes MILLIS` or
    /// `runs and fails`; or it `is ready after MILLIS`, and runs, then `and takes MILLIS`.
    pub(super) fn new(plan: &str, behaviours: &str) -> Self {
        let behaviours =
            behaviours.split(';').filter_map(|behaviour| behaviour.trim().split_once(' '));
        let behaviours =
            behaviours.map(|(name, does)| (name.to_owned(), does.to_owned())).collect();
        Self {
            plan: plan.to_owned(),
            behaviours,
            signals: vec!["ready".to_owned()],
            config: Config::default(),
            gate: None,
            ends_with_services: false,
            stopped_before: false,
            serves: false,
        }
    }

    /// Asks for the stop before the run.
    pub(super) fn stopped_before(mut self) -> Self {
        self.stopped_before = true;
        self
    }

    /// Makes the run end when all services are done.
    pub(super) fn ends_with_services(mut self) -> Self {
        self.ends_with_services = true;
        self
    }

    /// Sends a signal when each of these lines is written, one after the other, instead of one when
    /// the run is ready. A signal stops or hurries the run, but `LINE -> SIGHUP stop` sends the
    /// named ones instead, and `LINE -> -` sends none.
    pub(super) fn signals(mut self, lines: &[&str]) -> Self {
        self.signals = lines.iter().map(|&line| line.to_owned()).collect();
        self
    }

    /// Gives the run a gate, which decides when steps begin.
    pub(super) fn gate(mut self, gate: impl StepGate + 'static) -> Self {
        self.gate = Some(Arc::new(gate));
        self
    }

    pub(super) fn grace(mut self, millis: u64) -> Self {
        self.config.grace = Duration::from_millis(millis);
        self
    }

    pub(super) fn startup_timeout(mut self, millis: u64) -> Self {
        self.config.startup_timeout = Duration::from_millis(millis);
        self
    }

    /// Moves the end of the startup timeout by this many microseconds: by less than a timer can
    /// tell.
    pub(super) fn startup_timeout_later(mut self, micros: u64) -> Self {
        self.config.startup_timeout += Duration::from_micros(micros);
        self
    }

    pub(super) fn drain_delay(mut self, millis: u64) -> Self {
        self.config.drain_delay = Duration::from_millis(millis);
        self
    }

    /// Makes the program serve a request that never ends, with this `drain_timeout`.
    pub(super) fn serves_for_ever(mut self, drain_timeout: Option<u64>) -> Self {
        self.serves = true;
        self.config.drain_timeout = drain_timeout.map(Duration::from_millis);
        self
    }

    pub(super) async fn run(self) -> ScenarioRun {
        let plan = Arc::new(sample::plan(&self.plan).expect("a valid plan"));
        let script = Arc::new(Script::new(self.signals));
        let options = RunOptions {
            work: work(Arc::clone(&script), self.behaviours),
            hooks: HookRuntime::new(Handle::current()),
            jitter: || 1.0,
            gate: self.gate,
            switches: RunSwitches {
                is_patient: true,
                serves: self.serves,
                ends_with_services: self.ends_with_services,
                is_interactive: false,
                can_upgrade: false,
            },
            about: About::default(),
        };
        let observers = Observers {
            own: Vec::new(),
            others: vec![Arc::new(Seen(Arc::clone(&script)))],
            on_thread: None,
        };
        let run = Run::new(
            self.config,
            plan,
            script.handle.clone(),
            observers,
            Console::silent(ConsoleFormat::Plain),
            options,
        );
        let _ = script.inbox.set(run.inbox.clone());
        if self.serves {
            run.app_context.tasks.spawn_endless();
        }
        if self.stopped_before {
            script.handle.stop();
        }
        let view = run.app_context.view.clone();
        let report = run.drive(Servers::default(), None);
        // If a line never comes, hooks that recur would go on forever.
        let report = tokio::time::timeout(LIMIT, report).await.expect("it ends");
        check_paths(&report, &view.timeline());
        let lines = script.lines.lock().expect("no panic").clone();
        let events = script.events.lock().expect("no panic").clone();
        ScenarioRun { report, lines, events }
    }
}

/// Checks that operators see the critical paths of the report.
#[track_caller]
fn check_paths(report: &Report, timeline: &str) {
    let timeline: Value = serde_json::from_str(timeline).expect("JSON");
    for (of, path) in [("start", &report.start_path), ("stop", &report.stop_path)] {
        // Of a start that ended early, the report has a part of the path only.
        if path.is_empty() || (of == "start" && (report.error.is_some() || report.interrupted)) {
            continue;
        }
        let step =
            |(hook, took): &(&HookMeta, Duration)| json!([hook.display_name(), millis(*took)]);
        let path: Vec<_> = path.iter().map(step).collect();
        let shown = timeline[of]["critical_path"].as_array().expect("a list");
        let shown: Vec<_> = shown.iter().map(|step| json!([step["name"], step["took"]])).collect();
        assert_eq!(json!(shown).to_string(), json!(path).to_string(), "{of}");
    }
}
