//! Scheduler of an exploration: of the hooks that could go on, one at a time does.

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

use crate::engine::executor::{StepGate, Work};
use crate::hook::task::Task;
use crate::hook::{HookMeta, Kind};
use crate::plan::{Plan, Step};
use crate::testing::moment::Signal;
use action::{Action, HookStep, InjectedFault};
use permit::{Permit, ScheduledFuture};
use strategy::{Choice, Strategy};

/// Paused time moves on when nothing else is left to do: after the least that it can move, nothing
/// is.
const IDLE: Duration = Duration::from_millis(1);

/// How long to wait for a hook that waits for something else, before another begins. Far less than
/// a start may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Decides which hook of a run goes on next. Clones are the same.
#[derive(Clone)]
pub(super) struct Scheduler(Arc<SchedulerInner>);

struct SchedulerInner {
    state: Mutex<SchedulerState>,
    /// Somebody asks for a turn.
    asked: Notify,
    injections: Injections,
    run: OnceLock<ExploredRun>,
}

/// What may befall a run, one per run.
#[derive(Debug, Clone, Default)]
pub(super) struct Injections {
    pub(super) signals: Vec<Signal>,
    pub(super) faults: bool,
    pub(super) faults_at_awaits: bool,
}

/// The run itself.
struct ExploredRun {
    plan: Arc<Plan>,
    began: Instant,
    send: Box<dyn Fn(Signal) -> Result<(), String> + Send + Sync>,
}

struct SchedulerState {
    strategy: Strategy,
    trace: Trace,
    waiting: BTreeMap<Action, WaitingAction>,
    /// How often somebody has asked.
    count: u64,
    /// Hooks that wait for something that is no turn; `true` if it did not come when time passed.
    pending: BTreeMap<usize, bool>,
    /// Hooks that have had their turn to begin, and how each goes wrong.
    begun: HashMap<usize, Option<InjectedFault>>,
    /// Hooks that go wrong where they go on.
    injected_at: HashMap<usize, InjectedFault>,
    went_on: HashMap<usize, u32>,
    times: u32,
    /// How many had asked when time began to pass, if that was the last step.
    asked_before: Option<u64>,
    test_runs: bool,
}

#[derive(Default)]
struct WaitingAction {
    /// How many had asked before.
    number: u64,
    waker: Option<Waker>,
    has_permit: bool,
}

/// What came of a run's choices.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    /// Where there was something to choose.
    pub(super) choices: Vec<Choice>,
    /// Everything that had a turn, and when.
    pub(super) steps: Vec<(Duration, Action)>,
    /// What was done to the run.
    pub(super) injected: Option<Action>,
    /// Services that wait for no turn.
    pub(super) threads: Vec<&'static HookMeta>,
    /// The choices that were given don't fit.
    pub(super) misfit: Option<String>,
}

impl Trace {
    /// What a run may depend on beside its choices.
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
            test_runs: false,
        };
        let (state, asked, run) = (Mutex::new(state), Notify::new(), OnceLock::new());
        Self(Arc::new(SchedulerInner { state, asked, injections, run }))
    }

    /// The signals that may be sent.
    pub(super) fn signals(&self) -> &[Signal] {
        &self.0.injections.signals
    }

    /// Returns whether hooks may go wrong, and hang.
    pub(super) fn inject_faults(&self) -> bool {
        self.0.injections.faults || self.0.injections.faults_at_awaits
    }

    /// Names the run that it schedules, before that begins.
    pub(super) fn of_run(
        &self,
        plan: Arc<Plan>,
        send: impl Fn(Signal) -> Result<(), String> + Send + Sync + 'static,
    ) {
        let _ = self.0.run.set(ExploredRun { plan, began: Instant::now(), send: Box::new(send) });
    }

    /// The work of hooks that go on only when it is their turn.
    pub(super) fn scheduled(&self, work: Work) -> Work {
        let scheduler = self.clone();
        Arc::new(move |hook, scope| {
            let at = scheduler.plan().and_then(|plan| plan.position(hook.id));
            let Some(at) = at else { return work(hook, scope) };
            let begun = scheduler.state().begun.remove(&at);
            let task = work(hook, scope);
            let task = match begun.flatten() {
                Some(fault) => fault.fault().befalls(task),
                None => task,
            };
            let is_of_a_phase = !(hook.kind.recurs() || hook.kind == Kind::Service);
            match task {
                Task::Future(future) => {
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
                // It runs to its end in one go.
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

    /// Waits for the test's own turn.
    pub(super) async fn test(&self) {
        self.ask(Action::Test).await;
    }

    /// Nothing is done to the run while the test runs, which could not know of it.
    pub(super) fn test_runs(&self, runs: bool) {
        self.state().test_runs = runs;
    }

    pub(super) fn plan(&self) -> Option<&Arc<Plan>> {
        self.0.run.get().map(|run| &run.plan)
    }

    /// Returns whether the run began that long ago.
    pub(super) fn has_run_for(&self, time: Duration) -> bool {
        self.0.run.get().is_some_and(|run| run.began.elapsed() >= time)
    }

    pub(super) fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    /// Gives one turn after the other, each when nothing runs any more.
    pub(super) async fn give(&self) -> Infallible {
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
                    // The plan has a hook for it.
                    let _ = (run.send)(self.0.injections.signals[at]);
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

    /// A hook that has waited for something else can go on.
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

    /// Takes what goes wrong in a hook that goes on.
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

    /// Gives the next turn. `None` if nobody waits any more.
    fn next(&mut self, run: &ExploredRun, injections: &Injections) -> Option<Action> {
        let options = self.options(injections);
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
            // A test doesn't begin on an app that stops; and if it doesn't stop, the test may as
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

    fn options(&self, injections: &Injections) -> Vec<Action> {
        let waiting = self.waiting.iter().filter(|(_, waiting)| !waiting.has_permit);
        let mut options: Vec<_> = waiting.map(|(action, _)| *action).collect();
        if options.is_empty() {
            return options;
        }
        // What time was let pass for comes next: otherwise it need not have passed.
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
        if self.trace.injected.is_none() && !self.test_runs {
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
            options.extend((0..injections.signals.len()).map(Action::Signal));
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
