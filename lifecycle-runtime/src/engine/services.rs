//! Supervisors of services. A supervisor runs its service again as the attribute says, until it is
//! told to stop the service or the service has failed for good.

mod main;
mod restarts;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::event::{Event, Events, Limit, Outcome, ServiceState};
use crate::hook::runtime::HookRuntime;
use crate::hook::scope::Scope;
use crate::hook::service::{Service, ServiceProgress};
use crate::hook::stop::{Expiry, Order, Orders, StopCause, expired, ordered};
use crate::hook::task::Task;
use crate::hook::{HookMeta, ServicePolicy};

use main::Main;
use restarts::{AfterEnd, RestartTracker};

/// Parts of a service that its supervisor needs.
pub(crate) struct ServiceSpec {
    pub(crate) hook: &'static HookMeta,
    /// Function that makes the task of one run.
    pub(crate) task: Box<dyn Fn(Scope) -> Task + Send + Sync>,
    pub(crate) scope: Scope,
    pub(crate) hooks: HookRuntime,
    pub(crate) events: Events,
    /// Function that returns a number from 0 to 1, another one on each call.
    pub(crate) jitter: fn() -> f64,
}

/// Number of services that may still run, and number of those that have ended well. Clones share
/// the numbers.
#[derive(Clone, Default)]
pub(crate) struct RunningServices(watch::Sender<ServiceCounts>);

#[derive(Default)]
struct ServiceCounts {
    alive: usize,
    done: usize,
}

/// Guard that counts a service among those that may still run, until it is dropped.
pub(crate) struct RunningServiceGuard(RunningServices);

impl RunningServices {
    pub(crate) fn guard(&self) -> RunningServiceGuard {
        self.0.send_modify(|counts| counts.alive += 1);
        RunningServiceGuard(self.clone())
    }

    /// Waits until no service may run any more and at least one has ended well.
    pub(crate) async fn all_done(&self) {
        // This can't fail, as `self` keeps the sender.
        let _ = self.0.subscribe().wait_for(|counts| counts.alive == 0 && counts.done > 0).await;
    }
}

impl RunningServiceGuard {
    /// Notes that the service has ended well.
    fn done(&self) {
        self.0.0.send_modify(|counts| counts.done += 1);
    }
}

impl Drop for RunningServiceGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|counts| counts.alive -= 1);
    }
}

/// Handle to a service that a supervisor keeps running. When it is dropped, the service is
/// cancelled.
pub(crate) struct ServiceHandle {
    hook: &'static HookMeta,
    began: Instant,
    orders: watch::Sender<Orders>,
    ear: Arc<Mutex<Ear>>,
    /// Moment at which the service was told to stop, if that was before anybody waited for its end.
    announced: OnceLock<Instant>,
}

/// Way in which a service reached what a caller waits for: readiness, or its end.
pub(crate) enum ServiceEnd {
    /// It became ready or ended by itself.
    Itself(Result<(), Outcome>),
    /// It was cancelled.
    Cancelled,
}

/// Callback that takes the end of a wait, at most once. It is dropped without a call if the async
/// runtime goes away.
pub(crate) type EndListener = Box<dyn FnOnce(ServiceEnd) + Send>;

/// State of the callback that waits for a service.
enum Ear {
    Closed,
    Open(EndListener),
    /// The service has ended for good.
    Over,
}

/// Starts a service and its supervisor. `alive` is held until the service has ended for good. The
/// listener is called when the service is ready, or when it has ended before that.
pub(crate) fn supervise(
    spec: ServiceSpec,
    orders: watch::Sender<Orders>,
    listener: EndListener,
    alive: RunningServiceGuard,
) -> ServiceHandle {
    let ear = Arc::new(Mutex::new(Ear::Open(listener)));
    let (hook, began) = (spec.hook, Instant::now());
    let policy = hook.service().unwrap_or(ServicePolicy::DEFAULT);
    let supervisor = Supervisor {
        spec,
        policy,
        began,
        orders: orders.subscribe(),
        ear: Arc::clone(&ear),
        was_ready: false,
        is_told: false,
    };
    tokio::spawn(supervisor.keep_running(alive).boxed());
    ServiceHandle { hook, began, orders, ear, announced: OnceLock::new() }
}

/// Emits the events about a service's end.
fn tell_of_end(
    events: &Events,
    at: Instant,
    hook: &'static HookMeta,
    outcome: Outcome,
    began: Instant,
) {
    let state = if outcome.is_failure() { ServiceState::Failed } else { ServiceState::Stopped };
    events.emit_at(at, &Event::Service { hook, state });
    let took = at.saturating_duration_since(began);
    events.emit_at(at, &Event::HookEnded { hook, outcome, took });
}

impl ServiceHandle {
    /// Emits the events about the service's end, for a listener that has been told of it.
    pub(crate) fn tell_of_end(&self, events: &Events, at: Instant, outcome: Outcome) {
        tell_of_end(events, at, self.hook, outcome, self.began);
    }

    /// Tells the service to stop before anybody waits for its end. The service is cancelled at
    /// `until`, or when the returned handle says so.
    pub(crate) fn announce(&self, until: Option<Instant>) -> AnnouncedStop {
        let _ = self.announced.set(Instant::now());
        order(&self.orders, Order::Stop, until);
        let expiry = until.map(|at| Expiry { at, is_hurried: false });
        self.orders.send_modify(|orders| orders.expiry = expiry);
        AnnouncedStop(self.orders.clone())
    }

    /// Returns the moment at which the service was told to stop, if that was before anybody waited
    /// for its end.
    pub(crate) fn told_at(&self) -> Option<Instant> {
        self.announced.get().copied()
    }

    /// Tells the service to stop by `until`, and registers the listener for its end. Returns
    /// `false`, and makes no listener, if the service has ended already.
    pub(crate) fn tell(
        &self,
        until: Instant,
        listener: impl FnOnce(watch::Sender<Orders>) -> EndListener,
    ) -> bool {
        let mut ear = hold(&self.ear);
        if let Ear::Over = *ear {
            return false;
        }
        *ear = Ear::Open(listener(self.orders.clone()));
        drop(ear);
        order(&self.orders, Order::Stop, Some(until));
        true
    }
}

/// Handle to a service that was told to stop before anybody waits for its end.
pub(crate) struct AnnouncedStop(watch::Sender<Orders>);

impl AnnouncedStop {
    /// Cancels the service now, as the stop is hurried.
    pub(crate) fn hurry(&self) {
        let now = Expiry { at: Instant::now(), is_hurried: true };
        self.0.send_modify(|orders| orders.expiry = Some(now));
    }
}

/// Gives an order, unless a later one has been given, and the moment until which there is time for
/// it.
pub(crate) fn order(orders: &watch::Sender<Orders>, order: Order, until: Option<Instant>) {
    orders.send_if_modified(|given| {
        let is_later = given.order < order;
        given.order = order.max(given.order);
        given.until = until.or(given.until);
        is_later
    });
}

fn hold(ear: &Mutex<Ear>) -> MutexGuard<'_, Ear> {
    ear.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Task that keeps one service running. It runs none of the user's code itself, so nothing keeps it
/// from receiving orders.
struct Supervisor {
    spec: ServiceSpec,
    policy: ServicePolicy,
    began: Instant,
    orders: watch::Receiver<Orders>,
    ear: Arc<Mutex<Ear>>,
    was_ready: bool,
    is_told: bool,
}

impl Supervisor {
    async fn keep_running(mut self, alive: RunningServiceGuard) {
        let mut restarts = RestartTracker::new(self.policy);
        let end = loop {
            let began = Instant::now();
            let end = match self.run_once().await {
                ServiceEnd::Itself(end) if !self.is_told => end,
                over => break over,
            };
            let now = Instant::now();
            match restarts.next(end, now - began, now, self.spec.jitter) {
                AfterEnd::Over(end) => break ServiceEnd::Itself(end),
                AfterEnd::Again { after, delay } => {
                    self.enter(ServiceState::BackingOff { after, delay });
                    if let Some(end) = self.back_off(delay).await {
                        break end;
                    }
                }
            }
        };
        if matches!(end, ServiceEnd::Itself(Ok(()))) {
            alive.done();
        }
        self.over(end);
        // `over` has asked for the stop by now, if the service asks for one.
        drop(alive);
    }

    /// Runs the service once, from its beginning until nothing of the run is left.
    async fn run_once(&mut self) -> ServiceEnd {
        self.enter(ServiceState::Starting);
        let ServiceSpec { hook, task, scope, hooks, .. } = &self.spec;
        let service =
            Service::new(scope.stop().of_service(self.orders.clone()), Some(hooks.clone()));
        if !hook.takes_service_handle() {
            service.ready();
        }
        let mut main = Main::begin(task(scope.of_service(service.clone())), hook, hooks);
        let (mut orders, mut expiry) = (self.orders.clone(), self.orders.clone());
        let mut expired_by = None;
        let (mut is_ready, mut is_cancelled, mut was_cut, mut has_panicked) =
            (false, false, false, false);
        let mut end = None;
        loop {
            tokio::select! {
                biased;
                expiry = expired(&mut expiry), if expired_by.is_none() => {
                    let limit = if expiry.is_hurried { Limit::Hurry } else { Limit::Timeout };
                    expired_by = Some(limit);
                    was_cut |= service.has_tasks();
                    service.cancel_tasks();
                    main.cancel();
                }
                () = ordered(&mut orders, Order::Cancel), if !is_cancelled => {
                    is_cancelled = true;
                    was_cut |= service.has_tasks();
                    service.cancel_tasks();
                    main.cancel();
                }
                () = ordered(&mut self.orders, Order::Stop), if !self.is_told => {
                    self.enter(ServiceState::Stopping);
                    self.is_told = true;
                }
                () = service.is_ready(), if !is_ready && !is_cancelled && expired_by.is_none() => {
                    is_ready = true;
                    self.ready();
                    service.hear(ServiceProgress::Ready);
                }
                text = service.panicked(), if !has_panicked => {
                    has_panicked = true;
                    if end.as_ref().is_none_or(Result::is_ok) {
                        end = Some(Err(Outcome::Panicked { message: format!("{text} (a task that \
                            it spawned)") }));
                    }
                    service.cancel_tasks();
                    main.cancel();
                }
                ended = main.ended() => {
                    service.hear(ServiceProgress::Ended);
                    match ended {
                        Some(result) => {
                            if result.is_err() {
                                service.cancel_tasks();
                            }
                            // If one of its tasks panicked before, that is why it ended.
                            end.get_or_insert(result);
                        }
                        None => was_cut |= end.is_none(),
                    }
                }
                () = service.tasks_ended(), if main.has_ended() => break,
            }
        }
        // The rest of the run may still want to spawn tasks: they are cancelled, too.
        service.cancel_tasks();
        match (end, expired_by) {
            (Some(end), _) if !was_cut => ServiceEnd::Itself(end),
            (_, Some(limit)) => ServiceEnd::Itself(Err(Outcome::TimedOut { limit, ended: true })),
            (_, None) => ServiceEnd::Cancelled,
        }
    }

    /// Waits before the next run. Returns the end of the service if it is told to stop meanwhile:
    /// no run is going on then, so nothing is lost.
    async fn back_off(&mut self, delay: Duration) -> Option<ServiceEnd> {
        tokio::select! {
            biased;
            () = ordered(&mut self.orders, Order::Stop) => {
                self.enter(ServiceState::Stopping);
                Some(if self.was_ready {
                    ServiceEnd::Itself(Ok(()))
                } else {
                    ServiceEnd::Cancelled
                })
            }
            () = sleep(delay) => None,
        }
    }

    fn enter(&self, state: ServiceState) {
        // In the events the service is stopping from the command on until it has ended.
        if !self.is_told {
            self.spec.events.emit(&Event::Service { hook: self.spec.hook, state });
        }
    }

    fn ready(&mut self) {
        self.enter(ServiceState::Running);
        if !std::mem::replace(&mut self.was_ready, true) {
            let ear = std::mem::replace(&mut *hold(&self.ear), Ear::Closed);
            if let Ear::Open(listener) = ear {
                listener(ServiceEnd::Itself(Ok(())));
            }
        }
    }

    /// Passes the end to the listener, which emits the events about it. Without a listener nobody
    /// told the service to end: this emits the events, and asks for the stop if the service failed
    /// and the process needs it.
    fn over(self, end: ServiceEnd) {
        let ear = std::mem::replace(&mut *hold(&self.ear), Ear::Over);
        let ServiceSpec { hook, events, scope, .. } = &self.spec;
        let outcome = match (ear, end) {
            // The one that waits for it to be ready goes on, and will have nothing to tell it.
            (Ear::Open(listener), ServiceEnd::Itself(Ok(())))
                if !self.was_ready && !self.is_told =>
            {
                tell_of_end(events, Instant::now(), hook, Outcome::Succeeded, self.began);
                return listener(ServiceEnd::Itself(Ok(())));
            }
            // It was told to stop before it was ready, and the one that waits for that waits in
            // vain.
            (Ear::Open(listener), ServiceEnd::Itself(Ok(()))) if !self.was_ready => {
                return listener(ServiceEnd::Cancelled);
            }
            (Ear::Open(listener), end) => return listener(end),
            (_, ServiceEnd::Itself(result)) => result.err().unwrap_or(Outcome::Succeeded),
            (_, ServiceEnd::Cancelled) => Outcome::Cancelled { ended: true },
        };
        tell_of_end(events, Instant::now(), hook, outcome.clone(), self.began);
        if outcome.is_failure() && !hook.is_dispensable() {
            scope.stop_handle().ask(StopCause::Service { hook, outcome });
        }
    }
}
