//! Scheduler of an exploration, which lets the hooks of a run go on one at a time, by permits.

pub(super) mod action;
mod permit;
pub(super) mod strategy;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::engine::Work;
use crate::engine::executor::StepGate;
use crate::hook::task::Task;
use crate::hook::{HookMeta, Kind};
use crate::plan::{Plan, Step};
use crate::testing::moment::Signal;
use crate::testing::signals::SignalSender;
use action::{Action, HookStep, InjectedFault};
use permit::{Permit, ScheduledFuture};
use strategy::{Choice, Strategy};

/// Wait after which nothing runs any more: the shortest one that there is. Paused time moves on
/// only when nothing else is left to do.
const IDLE: Duration = Duration::from_millis(1);

/// Time limit of the wait for a hook that waits for something other than a permit, before the next
/// permit is given. Far less than a start may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Scheduler that decides which hook of a run goes on next. Clones share one state.
#[derive(Clone)]
pub(super) struct Scheduler(Arc<SchedulerInner>);

struct SchedulerInner {
    state: Mutex<SchedulerState>,
    /// Notification that somebody has asked for a permit.
    asked: Notify,
    injections: Injections,
    run: OnceLock<ExploredRun>,
}

/// Signals and faults that the scheduler may inject, at most one in each run.
#[derive(Debug, Clone, Default)]
pub(super) struct Injections {
    pub(super) signals: Vec<Signal>,
    pub(super) faults: bool,
    pub(super) faults_at_awaits: bool,
}

/// Run that is scheduled: its plan, the time at which it began, and the sender of its signals.
struct ExploredRun {
    plan: Arc<Plan>,
    began: Instant,
    signals: Arc<SignalSender>,
}

struct SchedulerState {
    strategy: Strategy,
    trace: Trace,
    /// Requests for permits, each by its action.
    waiting: BTreeMap<Action, WaitingAction>,
    /// Number of requests for a permit so far.
    count: u64,
    /// Hooks that wait for something other than a permit; `true` if it did not come when time
    /// passed.
    pending: BTreeMap<usize, bool>,
    /// Hooks that have had their permit to begin, each with the fault that it begins with, if any.
    begun: HashMap<usize, Option<InjectedFault>>,
    /// Faults of hooks that have a permit to go on.
    injected_at: HashMap<usize, InjectedFault>,
    /// Number of times that each hook has asked to go on.
    went_on: HashMap<usize, u32>,
    /// Number of times that time has passed.
    times: u32,
    /// Number of requests before time began to pass, if that was the last step.
    asked_before: Option<u64>,
    /// Set while the test itself runs.
    is_test_running: bool,
}

/// Request for a permit.
#[derive(Default)]
struct WaitingAction {
    /// Number of requests before this one.
    number: u64,
    waker: Option<Waker>,
    has_permit: bool,
}

/// Record of a run under a scheduler: its choices and its steps.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    /// Choices among several actions.
    pub(super) choices: Vec<Choice>,
    /// Actions that were permitted, each with its time in the run.
    pub(super) steps: Vec<(Duration, Action)>,
    /// Fault or signal that was injected into the run.
    pub(super) injected: Option<Action>,
    /// Services on threads of their own, which need no permits.
    pub(super) threads: Vec<&'static HookMeta>,
    /// Reason why the run does not fit the choices that were given.
    pub(super) misfit: Option<String>,
}

impl Trace {
    /// Returns a sentence about what a run may depend on besides its choices.
    pub(super) fn chance(&self) -> String {
        if self.threads.is_empty() {
            return "what it does may depend on threads, real time, random numbers or the order of \
                    a hash map"
                .to_owned();
        }
        let advice = |hook: &&HookMeta| {
            let (name, place) = (hook.display_name(), hook.place());
            format!(
                "what it does may depend on the service `{name}` ({place}): it is a plain `fn`, \
                 which has a thread of its own \
                 and goes on whenever it likes: replace it by `replace::<{name}>(())`"
            )
        };
        self.threads.iter().map(advice).collect::<Vec<_>>().join("; ")
    }
}

impl Scheduler {
    pub(super) fn new(strategy: Strategy, injections: Injections) -> Self {
        let state = SchedulerState {
            strategy,
            trace: Trace::default(),
            waiting: BTreeMap::new(),
            count: 0,
            pending: BTreeMap::new(),
            begun: HashMap::new(),
            injected_at: HashMap::new(),
            went_on: HashMap::new(),
            times: 0,
            asked_before: None,
            is_test_running: false,
        };
        let (state, asked, run) = (Mutex::new(state), Notify::new(), OnceLock::new());
        Self(Arc::new(SchedulerInner { state, asked, injections, run }))
    }

    /// Returns the signals that may be sent.
    pub(super) fn signals(&self) -> &[Signal] {
        &self.0.injections.signals
    }

    /// Returns whether faults may be injected into hooks.
    pub(super) fn inject_faults(&self) -> bool {
        self.0.injections.faults || self.0.injections.faults_at_awaits
    }

    /// Sets the run to schedule, before it begins.
    pub(super) fn set_run(&self, plan: Arc<Plan>, signals: Arc<SignalSender>) {
        let _ = self.0.run.set(ExploredRun { plan, began: Instant::now(), signals });
    }

    /// Returns work whose hooks go on only when they have a permit.
    pub(super) fn scheduled(&self, work: Work) -> Work {
        let scheduler = self.clone();
        Arc::new(move |hook, scope| {
            let at = scheduler.plan().and_then(|plan| plan.position(hook.id));
            let Some(at) = at else { return work(hook, scope) };
            let begun = scheduler.state().begun.remove(&at);
            let task = work(hook, scope);
            let task = match begun.flatten() {
                Some(fault) => fault.fault().apply(task),
                None => task,
            };
            let is_of_a_phase = !(hook.kind.recurs() || hook.kind == Kind::Service);
            match task {
                // A wait takes permits, too.
                task @ (Task::Future(_) | Task::Delayed(..)) => {
                    let future = task.into_future();
                    let (scheduler, may_go_on) = (scheduler.clone(), begun.is_some());
                    let (permit, hangs) = (None, false);
                    Task::future(ScheduledFuture {
                        future,
                        scheduler,
                        at,
                        is_of_a_phase,
                        may_go_on,
                        permit,
                        hangs,
                    })
                }
                // A blocking task runs to its end under one permit.
                blocking @ Task::Blocking(_) => {
                    let threads = &mut scheduler.state().trace.threads;
                    if hook.kind == Kind::Service && !threads.contains(&hook) {
                        threads.push(hook);
                    }
                    blocking
                }
            }
        })
    }

    /// Waits for the permit of the test itself.
    pub(super) async fn test_permit(&self) {
        self.ask(Action::Test).await;
    }

    /// Sets whether the test runs now. While it does, nothing is injected, as the test could not
    /// know of it.
    pub(super) fn set_test_running(&self, is_running: bool) {
        self.state().is_test_running = is_running;
    }

    pub(super) fn plan(&self) -> Option<&Arc<Plan>> {
        self.0.run.get().map(|run| &run.plan)
    }

    /// Returns whether the run began at least this long ago.
    pub(super) fn has_run_for(&self, time: Duration) -> bool {
        self.0.run.get().is_some_and(|run| run.began.elapsed() >= time)
    }

    pub(super) fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    /// Gives one permit after the other, each when nothing runs any more.
    pub(super) async fn give_permits(&self) -> Infallible {
        loop {
            while self.state().is_idle() {
                self.0.asked.notified().await;
            }
            sleep(IDLE).await;
            let Some(run) = self.0.run.get() else { continue };
            let next = self.state().next(run, &self.0.injections);
            match next {
                Some(Action::Time(_)) => self.let_time_pass().await,
                Some(Action::Signal(at)) => {
                    // This can't fail: `start_scheduled` has checked that the signal has an effect,
                    // and one that would end the process is no option.
                    let _ = run.signals.send(self.0.injections.signals[at]);
                }
                _ => {}
            }
        }
    }

    async fn let_time_pass(&self) {
        let count = self.state().count;
        let new_action = async {
            while self.state().count == count {
                self.0.asked.notified().await;
            }
        };
        if timeout(PATIENCE, new_action).await.is_err() {
            self.state().pending.values_mut().for_each(|is_tried| *is_tried = true);
        }
    }

    fn ask(&self, action: Action) -> Permit {
        let mut state = self.state();
        let number = state.count;
        state.waiting.insert(action, WaitingAction { number, ..WaitingAction::default() });
        state.count += 1;
        drop(state);
        self.0.asked.notify_one();
        Permit { scheduler: self.clone(), action }
    }

    /// Asks for a permit for a hook that can go on after it has waited for something else.
    fn ask_to_go_on(&self, at: usize) -> Permit {
        let number = {
            let mut state = self.state();
            state.pending.remove(&at);
            let number = state.went_on.entry(at).or_default();
            *number += 1;
            *number
        };
        self.ask(Action::Hook(at, HookStep::GoOn(number)))
    }

    /// Takes the fault of a hook that goes on.
    fn fault_at(&self, at: usize) -> Option<InjectedFault> {
        self.state().injected_at.remove(&at)
    }

    fn state(&self) -> MutexGuard<'_, SchedulerState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StepGate for Scheduler {
    fn permit(&self, step: Step) -> BoxFuture<'static, ()> {
        match step {
            Step::Run(at) => self.ask(Action::Hook(at, HookStep::Begin)).boxed(),
            Step::Drop(at) => self.ask(Action::Hook(at, HookStep::Drop)).boxed(),
            Step::Stop(_) | Step::Barrier(_) => std::future::ready(()).boxed(),
        }
    }
}

impl SchedulerState {
    fn is_idle(&self) -> bool {
        self.waiting.values().all(|waiting| waiting.has_permit)
    }

    /// Gives the next permit. `None` if nobody waits for one any more.
    fn next(&mut self, run: &ExploredRun, injections: &Injections) -> Option<Action> {
        let options = self.options(run, injections);
        let next = match options[..] {
            [] => return None,
            [only] => only,
            _ => self.choose(&options),
        };
        self.trace.steps.push((run.began.elapsed(), next));
        let granted = match next {
            Action::Hook(at, HookStep::Begin) => {
                self.begun.insert(at, None);
                next
            }
            Action::Fault(at, what, fault) => {
                if what == HookStep::Begin {
                    self.begun.insert(at, Some(fault));
                } else {
                    self.injected_at.insert(at, fault);
                }
                Action::Hook(at, what)
            }
            // A test doesn't begin on an app that stops. If the app doesn't stop, the test may as
            // well be next.
            Action::Signal(_) => Action::Test,
            next => next,
        };
        if next.is_injected() {
            self.trace.injected = Some(next);
        }
        let time_passes = matches!(next, Action::Time(_));
        self.times += u32::from(time_passes);
        self.asked_before = time_passes.then_some(self.count);
        if let Some(waiting) = self.waiting.get_mut(&granted) {
            waiting.has_permit = true;
            waiting.waker.take().into_iter().for_each(Waker::wake);
        }
        Some(next)
    }

    fn options(&self, run: &ExploredRun, injections: &Injections) -> Vec<Action> {
        let waiting = self.waiting.iter().filter(|(_, waiting)| !waiting.has_permit);
        let mut options: Vec<_> = waiting.map(|(action, _)| *action).collect();
        if options.is_empty() {
            return options;
        }
        // Next come the actions for which time passed: otherwise it need not have passed.
        if let Some(before) = self.asked_before {
            let is_new = |action: &&Action| self.waiting[*action].number >= before;
            let new: Vec<_> = options.iter().filter(is_new).copied().collect();
            if !new.is_empty() {
                return new;
            }
        }
        if self.pending.values().any(|is_tried| !is_tried) {
            options.push(Action::Time(self.times));
        }
        if self.trace.injected.is_none() && !self.is_test_running {
            let may_fail = |action: &Action| match *action {
                Action::Hook(at, HookStep::Begin) if injections.faults => {
                    Some((at, HookStep::Begin))
                }
                Action::Hook(at, HookStep::GoOn(n)) if injections.faults_at_awaits => {
                    Some((at, HookStep::GoOn(n)))
                }
                _ => None,
            };
            let may_fail: Vec<_> = options.iter().filter_map(may_fail).collect();
            for (at, what) in may_fail {
                options.extend(InjectedFault::ALL.map(|fault| Action::Fault(at, what, fault)));
            }
            let signals = injections.signals.iter().enumerate();
            let signals = signals.filter(|(_, signal)| !run.signals.would_end_process(**signal));
            options.extend(signals.map(|(at, _)| Action::Signal(at)));
        }
        options
    }

    fn choose(&mut self, options: &[Action]) -> Action {
        let (choices, steps) = (self.trace.choices.len(), self.trace.steps.len());
        let taken = self.strategy.choose(options, choices, steps).unwrap_or_else(|| {
            let what = format!("choice {} is one of {}", choices + 1, options.len());
            self.trace.misfit.get_or_insert(what);
            0
        });
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        self.trace.choices.push(Choice { taken: number(taken), of: number(options.len()) });
        options[taken]
    }
}
