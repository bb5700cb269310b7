//! One run, from its first hook to its report: the order of everything.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::config::Config;
use crate::console::Console;
use crate::event::{Event, Events, Traffic};
use crate::executor::{CriticalPath, Executor, Left, StartError, Work};
use crate::health::{Checks, Health};
use crate::hook::Kind;
use crate::live::Live;
use crate::plan::{Budget, Plan};
use crate::recurring::{Inbox, Recurring};
use crate::report::{Recorder, Report};
use crate::scope::Scope;
use crate::server::{BoundHttp, BuiltHttp, DrainTimes, Serving, Surroundings};
use crate::state::State;
use crate::stop::{Asked, Progress, Stop, StopCause, StopHandle, hurried, stop_asked};
use crate::watchdog::Leash;

/// Everything that a run is made of.
pub(super) struct Run {
    pub(super) config: Config,
    pub(super) plan: Arc<Plan>,
    pub(super) handle: StopHandle,
    pub(super) hears_signals: bool,
    /// What hooks of signals wait for.
    pub(super) inbox: Inbox,
    pub(super) work: Work,
    /// Any number from 0 to 1, another each time.
    pub(super) jitter: fn() -> f64,
    pub(super) events: Events,
    pub(super) recorder: Recorder,
    pub(super) live: Live,
    pub(super) console: Console,
}

/// The servers of a run, with their addresses taken.
pub(super) struct Servers {
    pub(super) apps: Vec<BoundHttp>,
    /// Answers probes from before the first hook until after the last.
    pub(super) admin: Option<BoundHttp>,
}

/// How often a start, and how often a stop, says what it waits for.
const START_NEWS: Duration = Duration::from_secs(5);
const STOP_NEWS: Duration = Duration::from_secs(1);

impl Run {
    /// Starts, waits for a reason to stop, stops.
    pub(super) async fn drive(self, servers: Servers, leash: Option<Leash>) -> Report {
        let (progress, observed) = watch::channel(Progress::default());
        let (live, services) = (self.live.clone(), self.live.clone());
        let checks = Checks::new(self.plan.of_kind(Kind::HealthCheck));
        let surroundings = Surroundings {
            scope: Scope::new(self.plan.index(), Stop::new(observed.clone()), self.handle.clone()),
            health: Health::new(
                observed.clone(),
                self.config.ready_while_draining,
                checks.clone(),
                move || services.ailing_services(),
                move || live.waits(),
            ),
        };
        let admin = match serve(servers.admin.into_iter().collect(), &surroundings).await {
            Ok(admin) => admin,
            Err(failure) => {
                self.console.complain(&failure.reason);
                return Report::not_begun(1, failure.reason);
            }
        };
        let urls = admin.iter().flat_map(|server| &server.urls);
        urls.for_each(|url| self.events.emit(&Event::AdminListening { url: url.clone() }));
        let budget = |kind, time| Budget::new(self.plan.hooks(), self.plan.graph(kind), time);
        let stop_budget = budget(Kind::Shutdown, self.config.grace);
        let drain_budget = budget(Kind::Drain, self.config.grace.saturating_sub(stop_budget.whole()));
        let failing = checks.clone();
        self.live.add(move |state| if state < State::Draining { failing.failing() } else { Vec::new() });
        let recurring = Recurring {
            plan: Arc::clone(&self.plan),
            scope: surroundings.scope.clone(),
            work: Arc::clone(&self.work),
            events: self.events.clone(),
            progress: observed,
            asked: self.handle.asked(),
            inbox: self.inbox.clone(),
            reserve: stop_budget.whole(),
            checks,
        };
        let recurring_over = Notify::new();
        let stage = Stage { run: &self, progress, drain_budget, stop_budget, leash, recurring_over: &recurring_over };
        let recur = async {
            recurring.run().await;
            recurring_over.notify_one();
            pending::<Infallible>().await
        };
        let paths = tokio::select! {
            biased;
            // First, as its timer is the earliest: one that is due before all others wakes the thread that waits for them.
            never = stage.narrate() => match never {},
            never = recur => match never {},
            paths = stage.play(servers.apps, &surroundings) => paths,
        };
        let report = self.recorder.report(paths.start, paths.stop);
        self.console.report(&report);
        for server in admin {
            server.close().await;
        }
        report
    }
}

/// A run that runs.
struct Stage<'r> {
    run: &'r Run,
    progress: watch::Sender<Progress>,
    drain_budget: Budget,
    stop_budget: Budget,
    leash: Option<Leash>,
    /// No health check and no hook of a signal runs any more.
    recurring_over: &'r Notify,
}

/// What the start and the stop could not be faster than.
#[derive(Default)]
struct Paths {
    start: CriticalPath,
    stop: CriticalPath,
}

impl Stage<'_> {
    async fn play(&self, servers: Vec<BoundHttp>, surroundings: &Surroundings) -> Paths {
        let Run { config, plan, work, events, jitter, .. } = self.run;
        let mut executor =
            Executor::new(Arc::clone(plan), surroundings.scope.clone(), Arc::clone(work), events.clone(), *jitter);
        let mut asked = self.run.handle.asked();
        let mut paths = Paths::default();

        self.enter(State::Starting);
        let limit = Instant::now() + config.startup_timeout;
        match executor.start(Kind::Startup, limit, &mut asked).await {
            Ok(path) => {
                paths.start = path;
                let served = tokio::select! {
                    biased;
                    served = serve(servers, surroundings) => served,
                    cause = stop_asked(&mut asked) => Err(StartError::stopped(cause)),
                    () = sleep_until(limit) => Err(StartError::new("building the app ran into the startup timeout")),
                };
                match served {
                    Ok(serving) => self.until_stop(&mut executor, serving, limit, asked.clone(), &mut paths).await,
                    Err(failure) => self.fail(&failure, State::Stopping),
                }
            }
            Err((failure, left)) => {
                self.fail(&failure, State::Stopping);
                executor.give_up(left, self.drain_end(), &mut asked).await;
            }
        }
        self.recurring_over.notified().await;
        self.enter(State::Stopping);
        paths.stop.extend(executor.stop(Kind::Shutdown, self.deadline(), &self.stop_budget, &mut asked).await);
        self.enter(State::Stopped);
        paths
    }

    /// Everything between the last startup hook and the first shutdown hook.
    async fn until_stop(
        &self,
        executor: &mut Executor,
        mut serving: Vec<Serving>,
        limit: Instant,
        mut asked: watch::Receiver<Asked>,
        paths: &mut Paths,
    ) {
        let Run { events, live, .. } = self.run;
        let urls = serving.iter().flat_map(|server| &server.urls);
        urls.for_each(|url| events.emit(&Event::Listening { url: url.clone() }));
        for server in &serving {
            let tables = server.tables.clone();
            live.add(move |state| tables.now(state));
        }
        let ready = tokio::select! {
            biased;
            ready = self.ready(executor, limit, &mut asked, &mut paths.start) => ready,
            never = self.watch(&mut serving) => match never {},
        };
        for server in &serving {
            // Before anybody hears of the stop: no response after that may invite another request.
            server.announce_close();
        }
        let left = match ready {
            Ok(cause) => {
                self.begin_stop(&cause, State::Draining);
                None
            }
            Err((failure, left)) => {
                self.fail(&failure, State::Draining);
                Some(left)
            }
        };
        let hooks = async {
            let end = self.drain_end();
            if let Some(left) = left {
                // They may do what drain hooks undo.
                let give_up_at = earlier(end, self.drain_budget.whole());
                executor.give_up(left, give_up_at, &mut asked.clone()).await;
            }
            (executor.stop(Kind::Drain, end, &self.drain_budget, &mut asked.clone()).await, Instant::now())
        };
        let servers = async {
            if let Some((traffic, took)) = self.drain(serving, asked.clone()).await {
                events.emit(&Event::Drained { traffic, took });
            }
            live.forget_others();
            Instant::now()
        };
        let ((path, hooks_ended), drained) = tokio::join!(hooks, servers);
        // Hooks that the servers outlasted have held nothing up.
        if hooks_ended >= drained {
            paths.stop = path;
        }
    }

    /// Runs the ready hooks, and is ready until a stop is asked for.
    async fn ready(
        &self,
        executor: &mut Executor,
        limit: Instant,
        asked: &mut watch::Receiver<Asked>,
        path: &mut CriticalPath,
    ) -> Result<StopCause, (StartError, Left)> {
        // Without any there is no time in between for a stop to be a failed start.
        if !self.run.plan.graph(Kind::Ready).steps().is_empty() {
            path.extend(executor.start(Kind::Ready, limit, asked).await?);
        }
        self.enter(State::Ready);
        self.release_watchdog();
        Ok(stop_asked(asked).await)
    }

    /// A server that ends by itself asks for the stop.
    async fn watch(&self, serving: &mut [Serving]) -> Infallible {
        let error = poll_fn(|context| first_ended(serving, context)).await;
        self.run.handle.ask(StopCause::Server(error));
        pending().await
    }

    /// Waits for `drain_delay`, closes the listeners, and waits for requests.
    async fn drain(&self, serving: Vec<Serving>, mut asked: watch::Receiver<Asked>) -> Option<(Traffic, Duration)> {
        let Run { config, .. } = self.run;
        let began = Instant::now();
        // Also a delay leaves the shutdown hooks their time.
        let end = self.drain_end();
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
        let together = drained.into_iter().reduce(Traffic::and);
        together.map(|traffic| (traffic, began.elapsed()))
    }

    /// The start has failed: the stop begins, for what has started.
    fn fail(&self, failure: &StartError, next: State) {
        self.run.events.emit(&Event::StartFailed { reason: failure.reason.clone() });
        self.begin_stop(&failure.cause, next);
    }

    /// From here the stop's time runs, and everybody knows before anything else happens.
    fn begin_stop(&self, cause: &StopCause, next: State) {
        let grace = self.run.config.grace;
        if let Some(leash) = &self.leash {
            leash.arm(std::time::Instant::now() + grace);
        }
        // What is printed at the end has to fit in as well.
        let for_hooks = grace.saturating_sub((grace / 20).min(Duration::from_millis(250)));
        let from = self.run.handle.asked().borrow().at.unwrap_or_else(Instant::now);
        self.progress.send_modify(|progress| {
            progress.deadline = Some(from + for_hooks);
            progress.state = next;
        });
        self.run.events.emit(&Event::StopBegun { cause: cause.clone(), grace });
        self.run.events.emit(&Event::State(next));
    }

    fn deadline(&self) -> Instant {
        self.progress.borrow().deadline.unwrap_or_else(Instant::now)
    }

    /// When nothing may go on but shutdown hooks and teardowns.
    fn drain_end(&self) -> Instant {
        earlier(self.deadline(), self.stop_budget.whole())
    }

    fn enter(&self, state: State) {
        let change = |progress: &mut Progress| {
            progress.has_started |= state == State::Ready;
            std::mem::replace(&mut progress.state, state) != state
        };
        if self.progress.send_if_modified(change) || state == State::Starting {
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
    async fn narrate(&self) -> Infallible {
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

/// Builds the apps, and opens the listeners once all are there.
async fn serve(servers: Vec<BoundHttp>, surroundings: &Surroundings) -> Result<Vec<Serving>, StartError> {
    let failure = |what, error| StartError::new(format!("{what}: {error}"));
    let mut built = Vec::new();
    for server in servers {
        built.push(server.build(surroundings).await.map_err(|error| failure("no app to serve", error))?);
    }
    let open = |server: BuiltHttp| server.open().map_err(|error| failure("the server can't listen", error));
    built.into_iter().map(open).collect()
}

fn earlier(moment: Instant, by: Duration) -> Instant {
    moment.checked_sub(by).unwrap_or(moment)
}

fn first_ended(serving: &mut [Serving], context: &mut Context<'_>) -> Poll<Option<String>> {
    let mut ended = serving.iter_mut().map(|server| server.poll_ended(context));
    ended.find(Poll::is_ready).unwrap_or(Poll::Pending)
}
