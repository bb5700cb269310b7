//! Harness that runs a service as a text describes it, and writes down what happens, with its time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::engine::Engine;
use crate::engine::services::{RunningServices, ServiceEnd, ServiceHandle, supervise};
use crate::event::{Event, Events, Observer, Observers, Outcome, ServiceState};
use crate::hook::HookMeta;
use crate::hook::runtime::HookRuntime;
use crate::hook::scope::Scope;
use crate::hook::service::Service;
use crate::hook::state::State;
use crate::hook::stop::{Progress, Stop, StopCause, StopHandle};
use crate::hook::task::{Task, Value};
use crate::plan::{Plan, sample};

/// Runs a service to its end, and compares the lines with the expected ones: `MILLIS WHAT | MILLIS
/// WHAT`.
///
/// `policy` is written as in the text of a plan. `runs` says what each run does; the last one
/// repeats. Each run is some of `is ready`, `ends`, `fails`, `panics`, each with `after MILLIS`,
/// `runs` (until it is told to stop) and `hangs`, joined by `, and`. `commands` are `stop MILLIS`
/// and `cancel MILLIS`.
#[track_caller]
pub(super) fn check(
    policy: &str,
    runs: &str,
    commands: &str,
    expected: &str,
) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    let [policy, runs, commands, expected] = [policy, runs, commands, expected].map(str::to_owned);
    async move {
        let lines = supervise_runs(&policy, &runs, &commands).await;
        assert_eq!(lines.join(" | "), expected, "{place}: {policy}: {runs}: {commands}");
    }
}

async fn supervise_runs(policy: &str, runs: &str, commands: &str) -> Vec<String> {
    let runs: Vec<_> = runs.split(';').map(|run| run.trim().to_owned()).collect();
    let number = Mutex::new(0);
    let task = move |scope: Scope| {
        let mut number = number.lock().expect("no panic");
        let run = runs[runs.len().min(*number + 1) - 1].clone();
        *number += 1;
        Task::future(async move {
            let service = scope.service().expect("the scope of a service");
            for step in run.split(", and ") {
                act(step, &service).await?;
            }
            Ok(Value::new(()))
        })
    };
    let run = SupervisorRun::start(hook(policy), task);
    for command in commands.split(';').filter(|command| !command.is_empty()) {
        let (command, at) = command.trim().split_once(' ').expect("a command and a time");
        sleep_until(run.began + Duration::from_millis(at.parse().expect("a number"))).await;
        match command {
            "stop" => run.stop(),
            _ => run.cancel(),
        }
    }
    // This is longer than anything here takes.
    sleep_until(run.began + Duration::from_secs(3600)).await;
    run.lines()
}

async fn act(step: &str, service: &Service) -> Result<(), crate::hook::error::BoxError> {
    let (what, after) = step.split_once(" after ").unwrap_or((step, "0"));
    tokio::time::sleep(Duration::from_millis(after.parse().expect("a number"))).await;
    match what {
        "is ready" => service.ready(),
        "fails" => return Err("broken".into()),
        "panics" => panic!("oops"),
        "runs" => service.stop().requested().await,
        "hangs" => std::future::pending().await,
        what => assert_eq!(what, "ends"),
    }
    Ok(())
}

/// Service under test, with the lines that it has written.
pub(super) struct SupervisorRun {
    began: Instant,
    log: Log,
    service: ServiceHandle,
    progress: watch::Sender<Progress>,
}

/// Log of what has happened.
#[derive(Clone)]
struct Log {
    began: Instant,
    lines: Arc<Mutex<Vec<String>>>,
    written: Arc<Notify>,
}

impl Log {
    fn write(&self, what: &str) {
        let at = self.began.elapsed().as_millis();
        self.lines.lock().expect("no panic").push(format!("{at} {what}"));
        // Only one test waits at a time, and it looks at all lines before it does.
        self.written.notify_one();
    }

    /// Writes down that a step that waits for the service goes on, when it does.
    fn await_service(&self, end: impl Future<Output = ServiceEnd> + Send + 'static) {
        let log = self.clone();
        tokio::spawn(async move {
            let end = end.await;
            log.write(&format!("awaited: {}", log.described(end)));
        });
    }

    fn described(&self, end: ServiceEnd) -> String {
        let lines = self.lines.lock().expect("no panic");
        let has = |state: &str| lines.iter().any(|line| line.ends_with(state));
        match end {
            ServiceEnd::Itself(Ok(())) if has(" running") && !has(" stopping") => {
                "ready".to_owned()
            }
            ServiceEnd::Itself(result) => result.err().unwrap_or(Outcome::Succeeded).to_string(),
            ServiceEnd::Cancelled => "cancelled".to_owned(),
        }
    }
}

impl Observer for Log {
    fn on_event(&self, _: Duration, event: &Event) {
        match event {
            Event::Service { state: ServiceState::BackingOff { after, delay }, .. } => {
                self.write(&format!("backing off {}: {after}", delay.as_millis()));
            }
            // The `HookEnded` that follows says the same, and how it ended.
            Event::Service { state: ServiceState::Stopped | ServiceState::Failed, .. } => {}
            Event::Service { state, .. } => self.write(&state.to_string()),
            Event::HookEnded { outcome, .. } if outcome.is_failure() => {
                self.write(&format!("failed: {outcome}"));
            }
            Event::HookEnded { outcome, .. } => self.write(&format!("stopped: {outcome}")),
            _ => {}
        }
    }
}

impl SupervisorRun {
    pub(super) fn start(
        hook: &'static HookMeta,
        task: impl Fn(Scope) -> Task + Send + Sync + 'static,
    ) -> Self {
        let began = Instant::now();
        let log = Log { began, lines: Arc::default(), written: Arc::default() };
        let (progress, observed) = watch::channel(Progress::default());
        let handle = StopHandle::new();
        let asked = (handle.asked(), log.clone());
        tokio::spawn(async move {
            let (mut asked, log) = asked;
            if let Ok(asked) = asked.wait_for(|asked| asked.cause.is_some()).await
                && let Some(StopCause::Service { hook, outcome }) = &asked.cause
            {
                log.write(&format!("asked: {}", outcome.of(hook)));
            }
        });
        let scope = Scope::new(Arc::default(), Stop::new(observed), handle);
        let events = Events::new(Observers {
            own: vec![Arc::new(log.clone())],
            others: Vec::new(),
            on_thread: None,
        });
        let engine = Engine {
            plan: Arc::new(Plan::new([hook]).expect("a valid plan")),
            scope,
            work: Arc::new(move |_, scope| task(scope)),
            hooks: HookRuntime::new(Handle::current()),
            events,
            jitter: || 1.0,
            gate: None,
        };
        let service = supervise(hook, Arc::new(engine), RunningServices::default().guard());
        log.await_service(service.started());
        Self { began, log, service, progress }
    }

    /// Begins the run's stop, which the service is not told of yet.
    pub(super) fn drain(&self) {
        self.progress.send_modify(|progress| progress.state = State::Draining);
    }

    pub(super) fn stop(&self) {
        match self.service.stop(Instant::now() + Duration::from_secs(3600)) {
            Some(ended) => self.log.await_service(ended),
            None => self.log.write("over already"),
        }
    }

    pub(super) fn cancel(&self) {
        self.service.commands().cancel();
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.log.lines.lock().expect("no panic").clone()
    }

    /// Waits until this line has been written.
    pub(super) async fn until(&self, what: &str) {
        let is_it = |line: &String| line.split_once(' ').is_some_and(|(_, line)| line == what);
        while !self.lines().iter().any(is_it) {
            let written =
                tokio::time::timeout(Duration::from_secs(60), self.log.written.notified()).await;
            assert!(written.is_ok(), "no {what}: {:?}", self.lines());
        }
    }
}

/// Returns a service with this policy.
pub(super) fn hook(policy: &str) -> &'static HookMeta {
    sample::hooks(&format!("service svc {policy}"))[0]
}
