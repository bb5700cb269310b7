//! One run, from its first hook to its report: the order of everything.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::config::Config;
use crate::console::Console;
use crate::event::{Event, Events, Requests};
use crate::executor::{CriticalPath, Executor, StartError, Work};
use crate::live::Live;
use crate::plan::{Budget, Plan};
use crate::report::{Recorder, Report};
use crate::scope::Scope;
use crate::server::{BoundHttp, DrainTimes, Serving};
use crate::state::State;
use crate::stop::{Asked, Progress, Stop, StopCause, StopHandle, hurried, stop_asked};
use crate::watchdog::Leash;

/// Everything that a run is made of.
pub(super) struct Run {
    pub(super) config: Config,
    pub(super) plan: Arc<Plan>,
    pub(super) handle: StopHandle,
    pub(super) hears_signals: bool,
    pub(super) work: Work,
    pub(super) events: Events,
    pub(super) recorder: Recorder,
    pub(super) live: Live,
    pub(super) console: Console,
}

/// How often a start, and how often a stop, says what it waits for.
const START_NEWS: Duration = Duration::from_secs(5);
const STOP_NEWS: Duration = Duration::from_secs(1);

impl Run {
    /// Starts, waits for a reason to stop, stops.
    pub(super) async fn drive(self, servers: Vec<BoundHttp>, leash: Option<Leash>) -> Report {
        let (progress, observed) = watch::channel(Progress::default());
        let scope = Scope::new(self.plan.index(), Stop::new(observed), self.handle.clone());
        let stage = Stage {
            budget: Budget::new(self.plan.hooks(), self.plan.stop(), self.config.grace),
            run: &self,
            progress,
            leash,
        };
        let (start_path, stop_path) = tokio::select! {
            biased;
            paths = stage.play(servers, scope) => paths,
            never = stage.narrate() => match never {},
        };
        let report = self.recorder.report(start_path, stop_path);
        self.console.report(&report);
        report
    }
}

/// A run that runs.
struct Stage<'r> {
    run: &'r Run,
    progress: watch::Sender<Progress>,
    budget: Budget,
    leash: Option<Leash>,
}

impl Stage<'_> {
    async fn play(&self, servers: Vec<BoundHttp>, scope: Scope) -> (CriticalPath, CriticalPath) {
        let Run { config, plan, work, events, .. } = self.run;
        let mut executor = Executor::new(Arc::clone(plan), scope.clone(), Arc::clone(work), events.clone());
        let mut asked = self.run.handle.asked();

        self.enter(State::Starting);
        let limit = Instant::now() + config.startup_timeout;
        let started = executor.start(limit, &mut asked, |failure| self.fail(failure)).await;
        let start_path = match started {
            Ok(path) => match serve(servers, &scope).await {
                Ok(serving) => {
                    self.until_stop(serving, asked).await;
                    path
                }
                Err(failure) => {
                    self.fail(&failure);
                    path
                }
            },
            Err(_) => Vec::new(),
        };
        self.enter(State::Stopping);
        let stop_path = executor.stop(self.deadline(), &self.budget).await;
        self.enter(State::Stopped);
        (start_path, stop_path)
    }

    /// Everything between the last startup hook and the first shutdown hook.
    async fn until_stop(&self, mut serving: Vec<Serving>, mut asked: watch::Receiver<Asked>) {
        let Run { events, live, .. } = self.run;
        for server in &serving {
            server.urls.iter().for_each(|url| events.emit(&Event::Listening { url: url.clone() }));
            let traffic = server.traffic.clone();
            live.add(move || traffic.requests().cut);
        }
        self.enter(State::Ready);
        self.release_watchdog();
        let cause = tokio::select! {
            biased;
            cause = stop_asked(&mut asked) => cause,
            error = std::future::poll_fn(|context| first_ended(&mut serving, context)) => StopCause::Server(error),
        };
        // Before anybody hears of the stop: no response after that may invite another request.
        serving.iter().for_each(Serving::announce_close);
        self.begin_stop(&cause);
        self.enter(State::Draining);
        let requests = self.drain(serving, asked).await;
        live.forget_others();
        if let Some((requests, took)) = requests {
            events.emit(&Event::Drained { requests, took });
        }
    }

    /// Waits for `drain_delay`, closes the listeners, and waits for requests.
    async fn drain(&self, serving: Vec<Serving>, mut asked: watch::Receiver<Asked>) -> Option<(Requests, Duration)> {
        let Run { config, .. } = self.run;
        let began = Instant::now();
        // Also a delay leaves the shutdown hooks their time.
        let end = self.deadline().checked_sub(self.budget.whole()).unwrap_or(began);
        if !config.drain_delay.is_zero() {
            tokio::select! {
                biased;
                () = hurried(&mut asked) => {}
                () = sleep(config.drain_delay) => {}
                () = sleep_until(end) => {}
            }
        }
        let cut = config.drain_timeout.map_or(end, |timeout| end.min(Instant::now() + timeout));
        let times = DrainTimes { quiet: config.quiet_window, cut, leave: end };
        let mut drains = JoinSet::new();
        for server in serving {
            let mut asked = asked.clone();
            drains.spawn(async move { server.drain(times, hurried(&mut asked)).await });
        }
        let drained = drains.join_all().await;
        let together = drained.into_iter().reduce(Requests::and);
        together.map(|requests| (requests, began.elapsed()))
    }

    /// The start has failed: the stop begins, for what has started. Returns when to stop waiting for what still runs.
    fn fail(&self, failure: &StartError) -> Instant {
        self.run.events.emit(&Event::StartFailed { reason: failure.reason.clone() });
        self.begin_stop(&failure.cause);
        self.enter(State::Stopping);
        self.deadline().checked_sub(self.budget.whole()).unwrap_or_else(Instant::now)
    }

    /// From here the stop's time runs.
    fn begin_stop(&self, cause: &StopCause) {
        let grace = self.run.config.grace;
        if let Some(leash) = &self.leash {
            leash.arm(std::time::Instant::now() + grace);
        }
        // What is printed at the end has to fit in as well.
        let for_hooks = grace.saturating_sub((grace / 20).min(Duration::from_millis(250)));
        let from = self.run.handle.asked().borrow().at.unwrap_or_else(Instant::now);
        self.progress.send_modify(|progress| progress.deadline = Some(from + for_hooks));
        self.run.events.emit(&Event::StopBegun { cause: cause.clone(), grace });
    }

    fn deadline(&self) -> Instant {
        self.progress.borrow().deadline.unwrap_or_else(Instant::now)
    }

    fn enter(&self, state: State) {
        if self.progress.send_if_modified(|progress| std::mem::replace(&mut progress.state, state) != state)
            || state == State::Starting
        {
            self.run.events.emit(&Event::State(state));
        }
    }

    /// The start is over; a stop, also one asked for just now, has a deadline of its own.
    fn release_watchdog(&self) {
        if let Some(leash) = &self.leash {
            leash.rearm(None);
            if self.run.handle.asked().borrow().cause.is_some() {
                leash.arm(std::time::Instant::now() + self.run.config.grace);
            }
        }
    }

    /// Tells of what takes long, and that it is hurried.
    async fn narrate(&self) -> std::convert::Infallible {
        let mut asked = self.run.handle.asked();
        let mut progress = self.progress.subscribe();
        let mut told = false;
        loop {
            let state = progress.borrow_and_update().state;
            let pause = match state {
                State::Starting => sleep(START_NEWS),
                State::Ready => sleep(Duration::MAX),
                _ => sleep(STOP_NEWS),
            };
            tokio::select! {
                Ok(()) = progress.changed() => {}
                () = hurried(&mut asked), if !told => {
                    told = true;
                    self.run.events.emit(&Event::Hurried);
                }
                () = pause => {
                    let on = self.run.live.waits();
                    if !on.is_empty() {
                        self.run.events.emit(&Event::Waiting { on });
                    }
                }
            }
        }
    }
}

/// Opens the listeners: everything that requests need is there.
async fn serve(servers: Vec<BoundHttp>, scope: &Scope) -> Result<Vec<Serving>, StartError> {
    let mut serving = Vec::new();
    for server in servers {
        match server.serve(scope.clone()).await {
            Ok(server) => serving.push(server),
            Err(error) => {
                let reason = format!("the server can't listen: {error}");
                return Err(StartError { cause: StopCause::StartFailed, reason });
            }
        }
    }
    Ok(serving)
}

fn first_ended(serving: &mut [Serving], context: &mut Context<'_>) -> Poll<Option<String>> {
    let mut ended = serving.iter_mut().map(|server| server.poll_ended(context));
    ended.find(Poll::is_ready).unwrap_or(Poll::Pending)
}
