//! Script of a scenario: the behaviour of its hooks, the log of what happens, and the signals that
//! follow certain lines.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use crate::engine::Work;
use crate::engine::recurring::Inbox;
use crate::event::{Event, Observer, Outcome, ServiceState};
use crate::hook::state::State;
use crate::hook::stop::{Stop, StopCause, StopHandle};
use crate::hook::task::{Task, Value};

/// Log of what has happened so far, and the reactions to it.
pub(super) struct Script {
    pub(super) lines: Mutex<Vec<String>>,
    written: Condvar,
    pub(super) events: Mutex<Vec<Event>>,
    signals: Mutex<Vec<String>>,
    pub(super) handle: StopHandle,
    pub(super) inbox: OnceLock<Inbox>,
    /// Stop signals of the hooks that ask when the stop begins, with their names.
    stops: Mutex<Vec<(&'static str, Stop)>>,
}

impl Script {
    pub(super) fn new(signals: Vec<String>) -> Self {
        Self {
            lines: Mutex::default(),
            written: Condvar::new(),
            events: Mutex::default(),
            signals: Mutex::new(signals),
            handle: StopHandle::new(),
            inbox: OnceLock::new(),
            stops: Mutex::default(),
        }
    }

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

    fn write_left(&self, name: &str, stop: &Stop) {
        let left = stop.time_left().map(|left| left.as_millis());
        self.write(&format!("0 {name} has {left:?}"));
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

/// Returns the work of a run whose hooks behave as the texts say.
pub(super) fn work(script: Arc<Script>, behaviours: HashMap<String, String>) -> Work {
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
                            if let Some("takes") = words.get(5).map(String::as_str) {
                                sleep(&words[6]).await;
                            }
                        }
                        "asks" => {
                            let stop = scope.stop();
                            match words.last().map(String::as_str) {
                                Some("stopped") => stop.requested().await,
                                Some("begins") => {
                                    script
                                        .stops
                                        .lock()
                                        .expect("no panic")
                                        .push((name, stop.clone()));
                                    stop.requested().await;
                                }
                                _ => {}
                            }
                            script.write_left(name, &stop);
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
pub(super) struct Seen(pub(super) Arc<Script>);

impl Observer for Seen {
    fn on_event(&self, at: Duration, event: &Event) {
        self.0.events.lock().expect("no panic").push(event.clone());
        if let Event::StopBegun { .. } = event {
            let stops = self.0.stops.lock().expect("no panic").clone();
            for (name, stop) in &stops {
                self.0.write_left(name, stop);
            }
        }
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
