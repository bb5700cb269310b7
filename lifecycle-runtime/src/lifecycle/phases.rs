//! Phases of a run, in their order, from the first hook to the last.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures_util::future::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tracing::Span;

use super::progress::report_obstacles;
use super::run::{Run, RunSwitches};
use crate::engine::executor::{CriticalPath, Executor, Interrupted, StartError};
use crate::event::{Event, StartFailure, Traffic};
use crate::hook::Phase;
use crate::hook::state::State;
use crate::hook::stop::{Asked, ServerEnd, StopCause, stop_asked};
use crate::hook::task::all;
use crate::observe::trace::start_span;
use crate::plan::Timetable;
use crate::process::watchdog::WatchdogHandle;
use crate::server::{AppContext, BoundHttp, Obstacle, Opening, Serving};

/// Run in progress, with the time table of its stop.
pub(super) struct RunPhases<'r> {
    pub(super) run: &'r Run,
    pub(super) began: Instant,
    pub(super) timetable: Timetable,
    pub(super) watchdog: Option<WatchdogHandle>,
    /// Span of the stop, once that has begun.
    pub(super) stop_span: OnceLock<Span>,
    /// Notification that no health check and no signal hook runs any more.
    pub(super) recurring_over: &'r Notify,
}

/// Critical paths of the start and the stop.
#[derive(Default)]
pub(super) struct CriticalPaths {
    pub(super) start: CriticalPath,
    pub(super) stop: CriticalPath,
}

impl RunPhases<'_> {
    /// Runs all phases.
    pub(super) async fn execute(&self, servers: Vec<BoundHttp>) -> (Executor, CriticalPaths) {
        let mut executor = Executor::new(Arc::clone(&self.run.engine));
        let mut paths = self.run_until_shutdown(&mut executor, servers).await;
        self.recurring_over.notified().await;
        paths.stop.extend(self.shutdown(&mut executor).await);
        (executor, paths)
    }

    /// Runs the phases before the shutdown: startup, ready and drain. After a start that ended
    /// before the servers were open, neither ready nor drain hooks run.
    async fn run_until_shutdown(
        &self,
        executor: &mut Executor,
        servers: Vec<BoundHttp>,
    ) -> CriticalPaths {
        let limit = self.begin_start();
        let Some(startup) = self.startup(executor, limit).await else {
            return CriticalPaths::default();
        };
        let Some(serving) = self.open(executor, servers, limit).await else {
            return CriticalPaths { start: startup, stop: CriticalPath::new() };
        };
        let (ready, drain) = self.serve(executor, serving, limit).await;
        CriticalPaths { start: [startup, ready].concat(), stop: drain }
    }

    /// Runs the startup hooks. If the start ends early, this gives up what still runs and returns
    /// `None`.
    async fn startup(&self, executor: &mut Executor, limit: Instant) -> Option<CriticalPath> {
        executor.trace_below(start_span());
        match executor.start(limit).await {
            Ok(path) => Some(self.over(Phase::Startup, path)),
            Err((error, left)) => {
                self.end_start(&error, State::Stopping, false);
                executor.stop_services_with_drain();
                executor.give_up(left, self.drain_end()).await;
                None
            }
        }
    }

    /// Opens the servers. If the start ends early, this closes them and returns `None`.
    async fn open(
        &self,
        executor: &mut Executor,
        servers: Vec<BoundHttp>,
        limit: Instant,
    ) -> Option<Vec<Serving>> {
        let mut asked = self.run.handle.asked();
        let mut opening = Opening::default();
        let opened = tokio::select! {
            biased;
            opened = open_all(servers, &self.run.app_context, &mut opening).boxed() => {
                opened.map_err(StartError::new)
            }
            cause = stop_asked(&mut asked) => Err(StartError::stopped(cause)),
            () = sleep_until(limit) => Err(StartError::new(StartFailure::AppTimedOut)),
        };
        match opened {
            Ok(serving) => Some(serving),
            Err(error) => {
                self.end_start(&error, State::Stopping, false);
                executor.stop_services_with_drain();
                self.close(opening, &asked).await;
                None
            }
        }
    }

    /// Runs the ready and the drain phase, and reports obstacles of the servers meanwhile. Returns
    /// the critical paths of both.
    async fn serve(
        &self,
        executor: &mut Executor,
        serving: Vec<Serving>,
        limit: Instant,
    ) -> (CriticalPath, CriticalPath) {
        let obstacles: Vec<_> = serving
            .iter()
            .map(|server| {
                report_obstacles(&self.run.engine.events, server.obstacle.clone()).boxed()
            })
            .collect();
        let report = async {
            all(obstacles).await;
            // Without a server there is nothing to report, and this must not end the run.
            pending::<Infallible>().await
        };
        tokio::select! {
            paths = self.ready_and_drain(executor, serving, limit).boxed() => paths,
            never = report => match never {},
        }
    }

    async fn ready_and_drain(
        &self,
        executor: &mut Executor,
        mut serving: Vec<Serving>,
        limit: Instant,
    ) -> (CriticalPath, CriticalPath) {
        self.show(&serving);
        let (path, end) = tokio::select! {
            biased;
            ready = self.ready(executor, limit) => ready,
            never = self.watch(&mut serving) => match never {},
        };
        for server in &serving {
            // This comes before anybody learns of the stop: no later response may invite another
            // request.
            server.announce_close();
        }
        let serves = !serving.is_empty();
        let left = match end {
            Ok(cause) => {
                self.begin_stop(&cause, serves);
                None
            }
            Err((error, left)) => {
                self.end_start(&error, State::Draining, serves);
                Some(left)
            }
        };
        let drain = self.drain_all(executor, serving, left, self.run.handle.asked()).await;
        (path, self.over(Phase::Drain, drain))
    }

    /// Runs the ready hooks and the first readiness checks, enters the state `Ready`, and waits for
    /// the cause of a stop. Returns it, or the early end of the start, with the critical path of
    /// the hooks.
    async fn ready(
        &self,
        executor: &mut Executor,
        limit: Instant,
    ) -> (CriticalPath, Result<StopCause, (StartError, Interrupted)>) {
        let path = match executor.make_ready(limit).await {
            Ok(path) => self.over(Phase::Ready, path),
            Err(end) => return (CriticalPath::new(), Err(end)),
        };
        if let Some(cause) = self.run.check_readiness(limit).await {
            let nothing = Interrupted::nothing(&self.run.engine.hooks);
            return (path, Err((StartError::stopped(cause), nothing)));
        }
        if let Some(cause) = self.wait_for_predecessor().await {
            let nothing = Interrupted::nothing(&self.run.engine.hooks);
            return (path, Err((StartError::stopped(cause), nothing)));
        }
        executor.trace_below(Span::none());
        self.end_start_well();
        self.take_over();
        (path, Ok(self.stop_cause(executor).await))
    }

    /// Waits until a stop is asked for, and asks for one itself when all services are done.
    async fn stop_cause(&self, executor: &Executor) -> StopCause {
        let mut asked = self.run.handle.asked();
        let RunSwitches { ends_with_services, serves, .. } = self.run.switches;
        tokio::select! {
            biased;
            cause = stop_asked(&mut asked) => cause,
            () = executor.services_done(), if ends_with_services && !serves => {
                self.run.handle.ask(StopCause::ServicesDone);
                stop_asked(&mut asked).await
            }
        }
    }

    /// Stops the services, runs the shutdown hooks, and drops the values.
    async fn shutdown(&self, executor: &mut Executor) -> CriticalPath {
        executor.trace_below(self.stop_span());
        self.run.enter(State::Stopping);
        if self.run.switches.is_patient {
            let awaited = executor.set_patience(self.run.patience());
            self.run.live.add(move |_| awaited.now());
        }
        let time = self.phase_time(self.timetable.shutdown_budget(), self.deadline());
        self.over(Phase::Shutdown, executor.stop(time).await)
    }

    /// Shows operators the critical path of a phase that is over.
    fn over(&self, phase: Phase, path: CriticalPath) -> CriticalPath {
        self.run.app_context.view.phase_over(phase, path.clone());
        path
    }

    /// Shows the requests and obstacles of open servers from now on, and then emits their
    /// addresses. So requests to an address that has been emitted are shown.
    fn show(&self, serving: &[Serving]) {
        let Run { engine, handle, live, app_context, .. } = self.run;
        let tasks = app_context.tasks.clone();
        live.add(move |_| tasks.now().into_iter().collect());
        for server in serving {
            app_context.servers.add(server.for_operators());
            let tables = server.tables.clone();
            live.add(move |state| tables.now(state));
            let obstacle = server.obstacle.clone();
            live.add_ailment(move || obstacle.borrow().as_ref().map(Obstacle::to_string));
        }
        let urls: Vec<_> = serving.iter().flat_map(|server| server.urls.clone()).collect();
        handle.listens(urls.clone());
        for url in urls {
            engine.events.emit(&Event::Listening { url });
        }
    }

    /// Asks for the stop when a server ends by itself.
    async fn watch(&self, serving: &mut [Serving]) -> Infallible {
        let end = poll_fn(|context| first_ended(serving, context)).await;
        self.run.handle.ask(StopCause::Server(end));
        pending().await
    }

    /// Closes servers that are not to open, and waits for them as for a hook that can't be
    /// cancelled: their apps use values that teardowns close.
    async fn close(&self, opening: Opening, asked: &watch::Receiver<Asked>) {
        let Run { engine, live, .. } = self.run;
        let began = Instant::now();
        let waits = opening.waits();
        live.add(move |_| waits().into_iter().collect());
        let traffic = opening.close(self.drain_end(), asked).boxed().await;
        live.forget_others();
        // A server that never served has no traffic to report, unless something of it is left.
        if traffic != Traffic::default() {
            engine
                .events
                .emit(&Event::Drained { traffic: Box::new(traffic), took: began.elapsed() });
        }
    }
}

/// Builds the apps of all servers, and then opens the listeners.
pub(super) async fn open_all(
    servers: Vec<BoundHttp>,
    app_context: &AppContext,
    opening: &mut Opening,
) -> Result<Vec<Serving>, StartFailure> {
    let mut built = Vec::new();
    for server in servers {
        let server = server.build(app_context, opening).await;
        built.push(server.map_err(|error| StartFailure::AppNotBuilt { error: error.to_string() })?);
    }
    for server in built {
        server.open(opening).map_err(|error| StartFailure::NotListening { error })?;
    }
    Ok(opening.opened())
}

fn first_ended(serving: &mut [Serving], context: &mut Context<'_>) -> Poll<ServerEnd> {
    let mut ended = serving.iter_mut().map(|server| server.poll_ended(context));
    ended.find(Poll::is_ready).unwrap_or(Poll::Pending)
}
