//! Harness that runs a plan whose hooks behave as a text says, and writes down what happens, with
//! its time.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::engine::Work;
use crate::engine::executor::StepGate;
use crate::engine::recurring::Inbox;
use crate::event::{Event, Observer, Observers, Outcome, ServiceState, Wait};
use crate::hook::runtime::HookRuntime;
use crate::hook::state::State;
use crate::hook::stop::{StopCause, StopHandle};
use crate::hook::task::{Task, Value};
use crate::lifecycle::run::{Run, RunOptions, RunSwitches, Servers};
use crate::observe::console::Console;
use crate::observe::report::Report;
use crate::plan::sample;
use crate::process::config::Config;

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

/// Result of such a run.
pub(super) struct ScenarioRun {
    pub(super) report: Report,
    lines: Vec<String>,
    events: Vec<Event>,
}

impl Scenario {
    /// Makes a scenario of a plan and of behaviours, divided by semicolons.
    ///
    /// A behaviour is `NAME takes MILLIS`, `NAME fails`, `NAME fails once LINE`, `NAME panics`,
    /// `NAME hangs`, `NAME blocks until LINE` (on the blocking pool), `NAME has a value` (whose
    /// drop is written down), `NAME has a value that panics`, `NAME has a value that others keep`,
    /// `NAME asks` (how much time it has left) or `NAME asks when stopped`. A hook that runs again
    /// and again takes one after the other of several, divided by commas, and repeats the last:
    /// `NAME fails, passes`. A service `runs` until it is told to stop, then `runs and takes
    /// MILLIS` or `runs and fails`; or it `is ready after MILLIS`, and runs.
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
        let script = Arc::new(Script {
            lines: Mutex::default(),
            written: Condvar::new(),
            events: Mutex::default(),
            signals: Mutex::new(self.signals),
            handle: StopHandle::new(),
            inbox: OnceLock::new(),
        });
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
            },
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
            Console::silent(),
            options,
        );
        let _ = script.inbox.set(run.inbox.clone());
        if self.serves {
            run.app_context.tasks.spawn_endless();
        }
        if self.stopped_before {
            script.handle.stop();
        }
        let report = run.drive(Servers::default(), None);
        // If a line never comes, hooks that recur would go on forever.
        let report = tokio::time::timeout(LIMIT, report).await.expect("it ends");
        let lines = script.lines.lock().expect("no panic").clone();
        let events = script.events.lock().expect("no panic").clone();
        ScenarioRun { report, lines, events }
    }
}

/// Log of what has happened so far, and the reactions to it.
struct Script {
    lines: Mutex<Vec<String>>,
    written: Condvar,
    events: Mutex<Vec<Event>>,
    signals: Mutex<Vec<String>>,
    handle: StopHandle,
    inbox: OnceLock<Inbox>,
}

impl Script {
    fn write(&self, line: &str) {
        self.lines.lock().expect("no panic").push(line.to_owned());
        self.written.notify_all();
        let what = line.split_once(' ').map_or(line, |(_, what)| what);
        let mut signals = self.signals.lock().expect("no panic");
        while signals.first().is_some_and(|signal| signal.split(" -> ").next() == Some(what)) {
            let signal = signals.remove(0);
            match signal.split_once(" -> ") {
                None => self.ask(),
                // The next such entry is for the next such line.
                Some((_, names)) => return names.split(' ').for_each(|name| self.send(name)),
            }
        }
    }

    fn send(&self, name: &str) {
        match name {
            "stop" => self.ask(),
            name => drop(self.inbox.get().expect("a run").put(name)),
        }
    }

    fn ask(&self) {
        let is_stopping = self.handle.asked().borrow().cause.is_some();
        if is_stopping {
            self.handle.hurry();
        } else {
            self.handle.ask(StopCause::Signal("SIGTERM"));
        }
    }

    fn wait_for(&self, what: &str) {
        let lines = self.lines.lock().expect("no panic");
        let is_it = |line: &String| line.split_once(' ').is_some_and(|(_, line)| line == what);
        let missing = |lines: &mut Vec<String>| !lines.iter().any(is_it);
        // A thread that waits forever would hold up the end of the test.
        let waited = self
            .written
            .wait_timeout_while(lines, Duration::from_secs(30), missing)
            .expect("no panic")
            .1;
        assert!(!waited.timed_out(), "`{what}` never happens");
    }
}

fn work(script: Arc<Script>, behaviours: HashMap<String, String>) -> Work {
    let runs = Mutex::new(HashMap::new());
    Arc::new(move |hook, scope| {
        let behaviour = behaviours.get(hook.display_name()).cloned().unwrap_or_default();
        let run = {
            let mut runs = runs.lock().expect("no panic");
            let run = runs.entry(hook.display_name()).or_insert(0);
            *run += 1;
            *run - 1
        };
        let all: Vec<_> = behaviour.split(", ").collect();
        let behaviour = all[run.min(all.len() - 1)];
        let words: Vec<String> = behaviour.split(' ').map(str::to_owned).collect();
        let script = Arc::clone(&script);
        let name = hook.display_name();
        match words[0].as_str() {
            "blocks" => Task::blocking(move || {
                script.write(&format!("0 {name} has a thread"));
                script.wait_for(&words[2..].join(" "));
                Ok(Value::new(()))
            }),
            "fails" if words.len() > 2 => Task::blocking(move || {
                script.wait_for(&words[2..].join(" "));
                Err(format!("{name} is broken").into())
            }),
            verb => {
                let verb = verb.to_owned();
                Task::future(async move {
                    match verb.as_str() {
                        "takes" => sleep(&words[1]).await,
                        "fails" => return Err(format!("{name} is broken").into()),
                        "panics" => panic!("{name} panics"),
                        "hangs" => std::future::pending().await,
                        "runs" => {
                            scope.stop().requested().await;
                            match words.get(2).map(String::as_str) {
                                Some("takes") => sleep(&words[3]).await,
                                Some("fails") => return Err(format!("{name} is broken").into()),
                                _ => {}
                            }
                        }
                        "is" => {
                            sleep(&words[3]).await;
                            scope.service().expect("a service").ready();
                            scope.stop().requested().await;
                        }
                        "asks" => {
                            if words.last().is_some_and(|word| word == "stopped") {
                                scope.stop().requested().await;
                            }
                            let left = scope.stop().time_left();
                            script.write(&format!(
                                "0 {name} has {:?}",
                                left.map(|left| left.as_millis())
                            ));
                        }
                        "has" => {
                            let panics = words.last().is_some_and(|word| word == "panics");
                            let value = Value::new(Precious { name, script, panics });
                            if words.last().is_some_and(|word| word == "keep") {
                                let kept = value.clone();
                                tokio::spawn(async move {
                                    std::future::pending::<()>().await;
                                    drop(kept);
                                });
                            }
                            return Ok(value);
                        }
                        _ => {}
                    }
                    Ok(Value::new(()))
                })
            }
        }
    })
}

async fn sleep(millis: &str) {
    tokio::time::sleep(Duration::from_millis(millis.parse().expect("a number"))).await;
}

/// Value whose drop is written down.
struct Precious {
    name: &'static str,
    script: Arc<Script>,
    panics: bool,
}

impl Drop for Precious {
    fn drop(&mut self) {
        self.script.write(&format!("0 {} dropped", self.name));
        assert!(!self.panics, "the value of {} panics", self.name);
    }
}

/// Observer that writes events down.
struct Seen(Arc<Script>);

impl Observer for Seen {
    fn on_event(&self, at: Duration, event: &Event) {
        self.0.events.lock().expect("no panic").push(event.clone());
        let what = match event {
            Event::HookStarted { hook } => format!("+{}", hook.display_name()),
            Event::HookEnded { hook, outcome, .. } => {
                format!("{} {}", hook.display_name(), short(outcome))
            }
            Event::DropFailed { hook, outcome } => {
                format!("drop of {} {}", hook.display_name(), short(outcome))
            }
            Event::State(State::Ready) => "ready".to_owned(),
            Event::Health { hook, passes: true, .. } => format!("{} healthy", hook.display_name()),
            Event::Health { hook, .. } => format!("{} unhealthy", hook.display_name()),
            Event::Service { hook, state: ServiceState::Running } => {
                format!("{} running", hook.display_name())
            }
            Event::Service { hook, state: ServiceState::BackingOff { .. } } => {
                format!("{} backs off", hook.display_name())
            }
            Event::Service { hook, state: ServiceState::Stopping } => {
                format!("-{}", hook.display_name())
            }
            Event::Hurried => "hurried".to_owned(),
            _ => return,
        };
        self.0.write(&format!("{} {what}", at.as_millis()));
    }
}

/// Returns the name of the hook that is waited for.
fn name_of(wait: &Wait) -> Option<&'static str> {
    match wait {
        Wait::Hook { hook, .. } | Wait::Service { hook, .. } => Some(hook.display_name()),
        _ => None,
    }
}

fn short(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "done",
        Outcome::Failed { .. } => "failed",
        Outcome::Panicked { .. } => "panicked",
        Outcome::TimedOut { ended: true, .. } => "timed out",
        Outcome::TimedOut { ended: false, .. } => "abandoned",
        Outcome::Cancelled { ended: true } => "cancelled",
        Outcome::Cancelled { ended: false } => "left behind",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Blocked => "blocked",
        Outcome::NotBegun { .. } => "not begun",
    }
}

impl ScenarioRun {
    /// Checks all lines, in their order, each with its time in milliseconds.
    #[track_caller]
    pub(super) fn check(&self, expected: &[&str]) {
        assert_eq!(self.lines, expected);
    }

    /// Checks all lines, whatever their order and time.
    #[track_caller]
    pub(super) fn check_sorted(&self, expected: &[&str]) {
        let mut lines: Vec<_> = self
            .lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, what)| what)
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, expected);
    }

    /// Checks that these lines were written, each once and in this order, whatever was written
    /// between them.
    #[track_caller]
    pub(super) fn check_order(&self, expected: &[&str]) {
        let lines = self.lines.iter().filter_map(|line| line.split_once(' ')).map(|(_, what)| what);
        let found: Vec<_> = lines.filter(|what| expected.contains(what)).collect();
        assert_eq!(found, expected);
    }

    /// Returns all lines, without their times.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.split_once(' ')).map(|(_, what)| what)
    }

    /// Returns the number of times that a line was written.
    pub(super) fn count(&self, what: &str) -> usize {
        self.lines
            .iter()
            .filter(|line| line.split_once(' ').is_some_and(|(_, line)| line == what))
            .count()
    }

    /// Returns the times at which a line was written.
    pub(super) fn times(&self, what: &str) -> Vec<Duration> {
        let lines = self
            .lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, line)| *line == what);
        lines.map(|(at, _)| Duration::from_millis(at.parse().expect("a number"))).collect()
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(super) fn states(&self) -> Vec<String> {
        let state = |event: &Event| match event {
            Event::State(state) => Some(state.to_string()),
            _ => None,
        };
        self.events.iter().filter_map(state).collect()
    }

    /// Returns the text of the failure by which the start ended.
    pub(super) fn error(&self) -> Option<String> {
        self.report.error.as_ref().map(ToString::to_string)
    }

    /// Returns the names that each report of waiting lists.
    pub(super) fn waits(&self) -> Vec<Vec<&str>> {
        let mut waits = Vec::new();
        for event in &self.events {
            if let Event::Waiting { on } = event {
                waits.push(on.iter().filter_map(name_of).collect());
            }
        }
        waits
    }
}
