//! Parts of one run.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
#[cfg(feature = "metrics")]
use tokio::sync::{mpsc::UnboundedSender, oneshot};
use tokio::time::{Instant, sleep_until};

use super::succession::Succession;
use crate::engine::executor::StepGate;
use crate::engine::recurring::{FirstChecks, Inbox};
use crate::engine::{Engine, Work};
use crate::event::{Event, Events, Observers, RuntimeName, StalledPart};
use crate::hook::Kind;
use crate::hook::runtime::HookRuntime;
use crate::hook::scope::Scope;
use crate::hook::state::State;
use crate::hook::stop::{Progress, Stop, StopCause, StopHandle, stop_asked};
use crate::observe::console::Console;
use crate::observe::health::{Audience, Checks, Health};
use crate::observe::live::Live;
use crate::observe::report::Recorder;
use crate::observe::view::{About, EventLog, RunView, Shown};
use crate::plan::Plan;
use crate::process::config::Config;
use crate::process::stalls::{StallMonitor, StallTracker, WatchedRuntime};
use crate::process::systemd::Notifier;
use crate::server::{AppContext, BoundHttp, Handover, OpenServers, PanicEvents, TaskSet};

/// Part of the grace period for which a stop waits for the owners of all held values together. With
/// the default grace period, this is as long as for a quiet client.
const HELD_VALUES_SHARE: u32 = 100;

/// Shortest such time, unless the grace period is too short for it: a task that releases a value
/// has to run first.
const HELD_VALUES_LEAST: Duration = Duration::from_millis(100);

/// Request to publish the metrics, with the sender that says that it is done, if that is awaited.
#[cfg(feature = "metrics")]
pub(super) type PublicationRequest = Option<oneshot::Sender<()>>;

/// Run with all of its parts.
pub(crate) struct Run {
    pub(crate) config: Config,
    pub(crate) engine: Arc<Engine>,
    pub(crate) handle: StopHandle,
    /// Inbox of the signals that hooks wait for.
    pub(crate) inbox: Inbox,
    pub(crate) live: Live,
    pub(crate) console: Console,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) app_context: AppContext,
    pub(super) switches: RunSwitches,
    pub(super) recorder: Recorder,
    pub(super) checks: Checks,
    pub(super) first_checks: FirstChecks,
    pub(super) succession: Succession,
    /// Sender to the thread that publishes the metrics, which ends with it.
    #[cfg(feature = "metrics")]
    pub(super) publication: Option<UnboundedSender<PublicationRequest>>,
}

/// Parts of a run's work that its plan leaves open, and that differ in tests.
pub(crate) struct RunOptions {
    /// Function that makes the task of a hook.
    pub(crate) work: Work,
    pub(crate) hooks: HookRuntime,
    /// Function that returns a number from 0 to 1, another one on each call.
    pub(crate) jitter: fn() -> f64,
    /// Gate that decides when steps that wait for nothing may begin.
    pub(crate) gate: Option<Arc<dyn StepGate>>,
    pub(crate) switches: RunSwitches,
    /// The program, for its operators.
    pub(crate) about: About,
}

/// Switches of a run, which differ in tests.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct RunSwitches {
    /// Set if the stop waits for the owners of held values.
    pub(crate) is_patient: bool,
    /// Set if the program has a server, even if nothing listens, as in a test.
    pub(crate) serves: bool,
    /// Set if a program without a server ends when all its services are done.
    pub(crate) ends_with_services: bool,
    /// Set if a person at a terminal may be waiting.
    pub(crate) is_interactive: bool,
    /// Set if the program can start a successor of itself.
    pub(crate) can_upgrade: bool,
}

impl RunOptions {
    /// Makes the options of a program, whose hooks run on this runtime.
    pub(super) fn new(hooks: HookRuntime, config: &Config, about: About) -> Self {
        let work: Work = Arc::new(|hook, scope| (hook.run)(scope));
        Self {
            work,
            hooks,
            jitter: fastrand::f64,
            gate: None,
            switches: RunSwitches {
                is_patient: true,
                serves: !about.servers.is_empty(),
                ends_with_services: !config.keep_running,
                is_interactive: std::io::stdin().is_terminal() || std::io::stderr().is_terminal(),
                can_upgrade: cfg!(unix),
            },
            about,
        }
    }
}

/// Servers of a run, whose addresses are taken.
#[derive(Default)]
pub(crate) struct Servers {
    pub(crate) apps: Vec<BoundHttp>,
    /// Server that answers probes from before the first hook until after the last.
    pub(crate) admin: Option<BoundHttp>,
}

impl Run {
    /// Makes a run that has not begun.
    pub(crate) fn new(
        config: Config,
        plan: Arc<Plan>,
        handle: StopHandle,
        mut observers: Observers,
        console: Console,
        options: RunOptions,
    ) -> Self {
        let (progress, observed) = watch::channel(Progress::default());
        let recorder = Recorder::new(plan.hooks().len());
        // The recorder comes first: an observer that reacts to an event and asks for the state has
        // to find the event recorded.
        observers.own.insert(0, Arc::new(recorder.clone()));
        let log = EventLog::new();
        if config.admin.is_some() {
            observers.own.insert(1, Arc::new(log.clone()));
        }
        let events = Events::new(observers);
        let checks = Checks::new(plan.of_kind(Kind::HealthCheck));
        let stalls = StallTracker::new(config.stall_limits);
        let live = Live::new(recorder.clone(), checks.clone(), stalls.clone());
        let (ailing, waits, lost) = (live.clone(), live.clone(), live.clone());
        let scope = Scope::new(plan.index(), Stop::new(observed.clone()), handle.clone());
        let RunOptions { work, hooks, jitter, gate, switches, about } = options;
        let health = Health::new(
            observed,
            config.ready_while_draining,
            checks.clone(),
            move || ailing.ailments_now(),
            move |audience| match audience {
                Audience::Public => waits.waits_in_public(),
                Audience::Operators => waits.waits().iter().map(ToString::to_string).collect(),
            },
            stalls.clone(),
        )
        .with_notes(move || lost.lost_services());
        let view = RunView::new(Shown {
            plan: Arc::clone(&plan),
            recorder: recorder.clone(),
            checks: checks.clone(),
            health: health.clone(),
            stalls: stalls.clone(),
            live: live.clone(),
            events: log,
            about,
            began: events.began(),
        });
        let panics = PanicEvents::new(events.clone());
        let app_context = AppContext {
            tasks: TaskSet::new(hooks.clone(), panics.clone()),
            panics,
            scope: scope.clone(),
            health,
            stalls,
            view,
            servers: OpenServers::default(),
            notifier: Notifier::default(),
            handover: Handover::default(),
        };
        Self {
            config,
            inbox: Inbox::of(plan.of_kind(Kind::Signal)),
            first_checks: FirstChecks::of(&plan),
            engine: Arc::new(Engine { plan, scope, work, hooks, events, jitter, gate }),
            handle,
            live,
            console,
            progress,
            app_context,
            switches,
            recorder,
            checks,
            succession: Succession::default(),
            #[cfg(feature = "metrics")]
            publication: None,
        }
    }

    /// Starts the monitor of stalls. It watches the runtime of the hooks from now on, and workers
    /// once their servers are open. The blocking pool of the hooks has `pool_size` threads at most,
    /// if that is known.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a thread.
    pub(super) fn monitor_stalls(&self, pool_size: Option<usize>) -> io::Result<StallMonitor> {
        let AppContext { stalls, tasks, .. } = &self.app_context;
        let tasks = tasks.clone();
        stalls.watch(&WatchedRuntime {
            name: RuntimeName::Hooks,
            handle: self.engine.hooks.handle().clone(),
            pool_size,
            holders: Arc::new(move |part, stalled_for| match part {
                StalledPart::Runtime(_) => tasks.holders(stalled_for),
                StalledPart::BlockingPool(_) => Vec::new(),
            }),
        });
        let progress = self.progress.subscribe();
        let state = move || progress.borrow().state;
        let events = self.engine.events.clone();
        StallMonitor::start(stalls.clone(), events, state, self.heartbeat())
    }

    /// Has the console show what a start or a stop is doing.
    pub(super) fn show_live(&self) {
        let (live, plan) = (self.live.clone(), Arc::clone(&self.engine.plan));
        let startup_timeout = self.config.startup_timeout;
        self.console.show_live(move || live.progress(&plan, startup_timeout));
    }

    /// Returns the time for which the stop waits for the owners of held values.
    pub(super) fn patience(&self) -> Duration {
        let grace = self.config.grace;
        (grace / HELD_VALUES_SHARE).max(HELD_VALUES_LEAST.min(grace / 4))
    }

    /// Runs each readiness check once, all side by side. The start goes on whatever their results
    /// are, and also when its time is up. Returns the cause of a stop that is asked for meanwhile.
    pub(super) async fn check_readiness(&self, limit: Instant) -> Option<StopCause> {
        // Without readiness checks there is no moment at which a stop could interrupt the start.
        if self.first_checks.are_none() {
            return None;
        }
        let mut asked = self.handle.asked();
        tokio::select! {
            biased;
            cause = stop_asked(&mut asked) => Some(cause),
            () = self.first_checks.run() => None,
            () = sleep_until(limit) => None,
        }
    }

    /// Changes the state, and emits an event if it is another one.
    pub(super) fn enter(&self, state: State) {
        let change = |progress: &mut Progress| {
            progress.has_started |= state == State::Ready;
            std::mem::replace(&mut progress.state, state) != state
        };
        if self.progress.send_if_modified(change) || state == State::Starting {
            self.engine.events.emit(&Event::State(state));
        }
    }
}
