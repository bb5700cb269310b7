//! Phases of a run, in their order, from the first hook to the last.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::progress::report_obstacles;
use super::run::{Run, RunOptions};
use crate::engine::executor::{CriticalPath, Executor, Interrupted, PhaseTime, StartError};
use crate::event::{Event, StartFailure, Traffic};
use crate::hook::Phase;
use crate::hook::state::State;
use crate::hook::stop::{Asked, ServerEnd, StopCause, stop_asked};
use crate::hook::task::all;
use crate::plan::{ABANDON_AFTER, Budget, Timetable, last_words};
use crate::process::watchdog::WatchdogHandle;
use crate::server::{AppContext, BoundHttp, Obstacle, Opening, Serving};

/// Run in progress, with the time table of its stop.
pub(super) struct RunPhases<'r> {
    pub(super) run: &'r Run,
    pub(super) began: Instant,
    pub(super) timetable: Timetable,
    pub(super) watchdog: Option<WatchdogHandle>,
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
    pub(super) async fn execute(&self, servers: Vec<BoundHttp>) -> (Executor, CriticalPaths) {
        let Run {
            config,
            plan,
            events,
            app_context,
            options: RunOptions { work, hooks, jitter, gate, is_patient, .. },
            ..
        } = self.run;
        let mut executor = Executor::new(
            Arc::clone(plan),
            app_context.scope.clone(),
            Arc::clone(work),
            hooks.clone(),
            events.clone(),
            *jitter,
            gate.clone(),
        );
        let mut asked = self.run.handle.asked();
        let mut paths = CriticalPaths::default();

        self.run.enter(State::Starting);
        let limit = Instant::now() + config.startup_timeout;
        self.run.progress.send_modify(|progress| progress.deadline = Some(limit));
        match executor.start(limit, &mut asked).await {
            Ok(path) => {
                paths.start = path;
                let mut opening = Opening::default();
                let served = tokio::select! {
                    biased;
                    served = serve(servers, app_context, &mut opening).boxed() => {
                        served.map_err(StartError::new)
                    }
                    cause = stop_asked(&mut asked) => Err(StartError::stopped(cause)),
                    () = sleep_until(limit) => Err(StartError::new(StartFailure::AppTimedOut)),
                };
                match served {
                    Ok(serving) => {
                        self.until_stop(&mut executor, serving, limit, asked.clone(), &mut paths)
                            .await;
                    }
                    Err(failure) => {
                        self.end_start(&failure, State::Stopping, false);
                        executor.announce_drain();
                        self.close(opening, &asked).await;
                    }
                }
            }
            Err((failure, left)) => {
                self.end_start(&failure, State::Stopping, false);
                executor.announce_drain();
                executor.give_up(left, self.drain_end(), &mut asked).await;
            }
        }
        self.recurring_over.notified().await;
        self.run.enter(State::Stopping);
        if *is_patient {
            let awaited = executor.set_patience(self.run.patience());
            self.run.live.add(move |_| awaited.now());
        }
        let time = self.phase_time(self.timetable.shutdown_budget(), self.deadline());
        paths.stop.extend(executor.stop(time, &mut asked).await);
        (executor, paths)
    }

    /// Runs the phases between the last startup hook and the first shutdown hook.
    async fn until_stop(
        &self,
        executor: &mut Executor,
        serving: Vec<Serving>,
        limit: Instant,
        asked: watch::Receiver<Asked>,
        paths: &mut CriticalPaths,
    ) {
        let obstacles = serving
            .iter()
            .map(|server| report_obstacles(&self.run.events, server.obstacle.clone()).boxed());
        let obstacles = all(obstacles.collect::<Vec<_>>());
        tokio::select! {
            () = self.serve_until_stop(executor, serving, limit, asked, paths).boxed() => {}
            // Without a server there is nothing to report, and this must not end the run.
            _ = async { obstacles.await; pending::<Infallible>().await } => {}
        }
    }

    async fn serve_until_stop(
        &self,
        executor: &mut Executor,
        mut serving: Vec<Serving>,
        limit: Instant,
        mut asked: watch::Receiver<Asked>,
        paths: &mut CriticalPaths,
    ) {
        let Run { events, live, .. } = self.run;
        let urls: Vec<_> = serving.iter().flat_map(|server| server.urls.clone()).collect();
        self.run.handle.listens(urls.clone());
        for url in urls {
            events.emit(&Event::Listening { url });
        }
        let tasks = self.run.app_context.tasks.clone();
        live.add(move |_| tasks.now().into_iter().collect());
        for server in &serving {
            let tables = server.tables.clone();
            live.add(move |state| tables.now(state));
            let obstacle = server.obstacle.clone();
            live.add_ailment(move || obstacle.borrow().as_ref().map(Obstacle::to_string));
        }
        let ready = tokio::select! {
            biased;
            ready = self.ready(executor, limit, &mut asked, &mut paths.start) => ready,
            never = self.watch(&mut serving) => match never {},
        };
        for server in &serving {
            // This comes before anybody learns of the stop: no later response may invite another
            // request.
            server.announce_close();
        }
        let serves = !serving.is_empty();
        let left = match ready {
            Ok(cause) => {
                self.begin_stop(&cause, State::Draining, serves);
                None
            }
            Err((failure, left)) => {
                self.end_start(&failure, State::Draining, serves);
                Some(left)
            }
        };
        paths.stop = self.drain_all(executor, serving, left, asked).await;
    }

    /// Runs the ready hooks, enters the state `Ready`, and waits until a stop is asked for.
    async fn ready(
        &self,
        executor: &mut Executor,
        limit: Instant,
        asked: &mut watch::Receiver<Asked>,
        path: &mut CriticalPath,
    ) -> Result<StopCause, (StartError, Interrupted)> {
        // Without ready hooks there is no moment at which a stop could turn into a failed start.
        if !self.run.plan.phase(Phase::Ready).steps().is_empty() {
            path.extend(executor.make_ready(limit, asked).await?);
        }
        if let Some(cause) = self.run.check_readiness(limit).await {
            return Err((
                StartError::stopped(cause),
                Interrupted::nothing(&self.run.options.hooks),
            ));
        }
        self.run.progress.send_modify(|progress| progress.deadline = None);
        self.run.enter(State::Ready);
        self.release_watchdog();
        let RunOptions { ends_with_services, serves, .. } = self.run.options;
        tokio::select! {
            biased;
            cause = stop_asked(asked) => Ok(cause),
            () = executor.services_done(), if ends_with_services && !serves => {
                self.run.handle.ask(StopCause::ServicesDone);
                Ok(stop_asked(asked).await)
            }
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
        let Run { events, live, .. } = self.run;
        let (began, waits) = (Instant::now(), opening.waits());
        live.add(move |_| waits().into_iter().collect());
        let traffic = opening.close(self.drain_end(), asked).boxed().await;
        live.forget_others();
        // A server that never served has no traffic to report, unless something of it is left.
        if traffic != Traffic::default() {
            events.emit(&Event::Drained { traffic, took: began.elapsed() });
        }
    }

    /// Begins the stop of a start that has failed or was interrupted, for what has started.
    fn end_start(&self, end: &StartError, next: State, serves: bool) {
        if let Some(failure) = end.failure.clone() {
            self.run.progress.send_modify(|progress| progress.start_failed = true);
            let failure = self.run.live.with_last_run(failure);
            self.run.events.emit(&Event::StartFailed { failure });
        } else {
            self.run.events.emit(&Event::StartInterrupted { cause: end.cause.clone() });
        }
        // A signal that follows finds this stop and hurries it.
        self.run.handle.ask(end.cause.clone());
        self.begin_stop(&end.cause, next, serves);
        if next == State::Draining {
            // Drain hooks come after the hooks that are still running.
            let drain_hooks = self.timetable.drain_budget().whole();
            self.run.progress.send_modify(|progress| {
                progress.last_call =
                    progress.last_call.map(|last_call| earlier(last_call, drain_hooks));
            });
        }
    }

    /// Begins the stop. Its time runs from here, and everybody learns of it before anything else
    /// happens.
    fn begin_stop(&self, cause: &StopCause, next: State, serves: bool) {
        let grace = self.run.config.grace;
        // The stop may have been asked for long before the run.
        let from =
            self.run.handle.asked().borrow().at.map_or_else(Instant::now, |at| at.max(self.began));
        if let Some(watchdog) = &self.watchdog {
            // This replaces the deadline of the start.
            watchdog.rearm(Some(from.into_std() + grace));
        }
        self.run.progress.send_modify(|progress| {
            // The time for the report at the end is part of the grace period, too.
            progress.deadline = Some(from + self.timetable.hooks_end());
            progress.cut = self.timetable.requests_end().map(|cut| from + cut);
            progress.last_call = Some(earlier(from + self.timetable.drain_end(), ABANDON_AFTER));
            progress.state = next;
        });
        let requests = self.timetable.requests_end().filter(|_| serves);
        self.run.events.emit(&Event::StopBegun { cause: cause.clone(), grace, requests });
        self.run.events.emit(&Event::State(next));
    }

    pub(super) fn deadline(&self) -> Instant {
        self.run.progress.borrow().deadline.unwrap_or_else(Instant::now)
    }

    /// Returns the moment from which only shutdown hooks and teardowns may run.
    pub(super) fn drain_end(&self) -> Instant {
        self.moment(self.timetable.drain_end())
    }

    /// Returns the moment for an offset of the time table.
    pub(super) fn moment(&self, moment: Duration) -> Instant {
        earlier(self.deadline(), self.timetable.hooks_end().saturating_sub(moment))
    }

    /// Returns the time of a phase that is to be over at `end`.
    pub(super) fn phase_time<'b>(&self, budget: &'b Budget, end: Instant) -> PhaseTime<'b> {
        // Half of the time for the report pays for steps that begin late.
        PhaseTime { budget, end, latest: end + last_words(self.run.config.grace) / 2 }
    }

    /// Lifts the deadline of the start. A stop, even one asked for just now, has a deadline of its
    /// own.
    fn release_watchdog(&self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.rearm(None);
            if self.run.handle.asked().borrow().cause.is_some() {
                watchdog.arm(std::time::Instant::now() + self.run.config.grace);
            }
        }
    }
}

/// Builds the apps of all servers, and then opens the listeners.
pub(super) async fn serve(
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

/// Returns a moment that is earlier by this duration.
pub(super) fn earlier(moment: Instant, by: Duration) -> Instant {
    moment.checked_sub(by).unwrap_or(moment)
}

fn first_ended(serving: &mut [Serving], context: &mut Context<'_>) -> Poll<ServerEnd> {
    let mut ended = serving.iter_mut().map(|server| server.poll_ended(context));
    ended.find(Poll::is_ready).unwrap_or(Poll::Pending)
}
