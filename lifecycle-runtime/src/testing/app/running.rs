//! Run of a test app, from its start to its report.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OnceCell, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::engine::Work;
use crate::event::{Observer, Observers};
use crate::hook::runtime::HookRuntime;
use crate::hook::state::State;
use crate::hook::stop::{Progress, StopHandle};
use crate::lifecycle::{Lifecycle, Reactions, Run, RunOptions, RunSwitches, Servers};
use crate::observe::console::Console;
use crate::observe::report::Report;
use crate::observe::view::About;
use crate::plan::Plan;
use crate::process::config::ConsoleFormat;
use crate::server::{AppContext, BuildInMemory, Http, InMemory};
use crate::testing::assertions::TestReport;
use crate::testing::faults::HookFault;
use crate::testing::moment::TimedSignal;
use crate::testing::scheduler::Scheduler;
use crate::testing::signals::SignalSender;
use crate::testing::stalls::Stalls;
use crate::testing::timeline::TimelineRecorder;
use crate::testing::work::beside_threads;

/// Parts of which a test app is made.
pub(super) struct AppParts {
    pub(super) lifecycle: Lifecycle,
    pub(super) plan: Arc<Plan>,
    pub(super) work: Work,
    pub(super) faults: Arc<Vec<HookFault>>,
    pub(super) signals: Vec<TimedSignal>,
    pub(super) stalls: Stalls,
    pub(super) listens: bool,
    pub(super) is_whole_program: bool,
    /// Scheduler that gives the permits, if one hook goes on at a time.
    pub(super) scheduler: Option<Scheduler>,
}

/// Run of a test app, shared by the clones of the app.
pub(super) struct RunningApp {
    pub(super) handle: StopHandle,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) app_context: AppContext,
    pub(super) plan: Arc<Plan>,
    pub(super) record: TimelineRecorder,
    faults: Arc<Vec<HookFault>>,
    stalls: Stalls,
    pub(super) signals: Arc<SignalSender>,
    /// Builder of the actix-web app that answers in memory, if the lifecycle has a server.
    pub(super) memory: Option<BuildInMemory>,
    /// App that answers in memory, built for the first request.
    pub(super) app: OnceCell<InMemory>,
    run: RefCell<Option<JoinHandle<Report>>>,
    /// Report of the run, or the mistakes of the test.
    report: OnceCell<Result<TestReport, String>>,
}

impl RunningApp {
    /// Begins the run of an app.
    pub(super) fn start(parts: AppParts) -> Self {
        let mut lifecycle = parts.lifecycle;
        let serves = !lifecycle.servers.is_empty();
        let ends_with_services = parts.is_whole_program && !lifecycle.config.keep_running;
        let memory = lifecycle.servers.first_mut().and_then(Http::take_memory);
        let servers =
            if parts.listens { lifecycle.bound_to_free_ports() } else { Servers::default() };
        let record = TimelineRecorder::new();
        let signals = Arc::new(SignalSender::new(parts.signals));
        let own: Vec<Arc<dyn Observer>> =
            vec![Arc::new(record.clone()), Arc::<SignalSender>::clone(&signals)];
        let observers = Observers { own, others: lifecycle.observers, on_thread: None };
        if let Some(scheduler) = &parts.scheduler {
            scheduler.set_run(Arc::clone(&parts.plan), Arc::clone(&signals));
        }
        // `is_patient` is off, as a test holds the values that it looks at.
        let options = RunOptions {
            work: beside_threads(parts.work, lifecycle.config.startup_timeout),
            hooks: HookRuntime::new(Handle::current()),
            jitter: || 1.0,
            gate: parts.scheduler.map(|scheduler| Arc::new(scheduler) as _),
            switches: RunSwitches {
                is_patient: false,
                serves,
                ends_with_services,
                is_interactive: false,
                can_upgrade: false,
            },
            about: About::default(),
        };
        let run = Run::new(
            lifecycle.config,
            Arc::clone(&parts.plan),
            lifecycle.handle.clone(),
            observers,
            Console::silent(ConsoleFormat::Plain),
            options,
        );
        signals.open(Reactions::new(lifecycle.handle.clone(), run.inbox.clone()).each_counts());
        let progress = run.progress.subscribe();
        let app_context = run.app_context.clone();
        let on_report = lifecycle.on_report;
        let run = tokio::spawn(async move {
            let report = run.drive(servers, None).await;
            on_report.call(&report);
            report
        });
        Self {
            handle: lifecycle.handle,
            progress,
            app_context,
            plan: parts.plan,
            record,
            faults: parts.faults,
            stalls: parts.stalls,
            signals,
            memory,
            app: OnceCell::new(),
            run: RefCell::new(Some(run)),
            report: OnceCell::new(),
        }
    }

    /// Waits until the start is over, and returns whether it succeeded.
    pub(super) async fn has_started(&self) -> bool {
        let is_over =
            |progress: &Progress| progress.has_started || progress.state == State::Stopped;
        // An error means that the run has ended: then there is a report.
        let mut progress = self.progress.clone();
        progress.wait_for(is_over).await.is_ok_and(|progress| progress.has_started)
    }

    /// Waits until the run has ended, and returns its report.
    ///
    /// # Errors
    ///
    /// The mistakes of the test.
    pub(super) async fn ended(&self) -> Result<TestReport, String> {
        self.report.get_or_init(|| self.report()).await.clone()
    }

    /// Returns whether the run has ended and somebody has waited for its report.
    pub(super) fn has_ended(&self) -> bool {
        self.report.initialized()
    }

    async fn report(&self) -> Result<TestReport, String> {
        // The sender is dropped when the run ends.
        let mut progress = self.progress.clone();
        while progress.changed().await.is_ok() {}
        // The run stays in its place until it is over, as whoever waits here may give up.
        let report = poll_fn(|context| match &mut *self.run.borrow_mut() {
            Some(run) => Pin::new(run).poll(context),
            None => Poll::Pending,
        });
        let report = report.await;
        self.run.take();
        self.judge(report)
    }

    /// Returns the report of the run.
    ///
    /// # Errors
    ///
    /// The mistakes of the test, such as faults and signals that never came up.
    fn judge(&self, report: Result<Report, JoinError>) -> Result<TestReport, String> {
        let report = report.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let timeline = self.record.timeline();
        let unused = self.faults.iter().filter_map(HookFault::unused).chain(self.signals.unused());
        let mistakes: Vec<_> = self.signals.mistakes().drain(..).chain(unused).collect();
        if mistakes.is_empty() {
            let mut stalls = self.stalls.noted();
            stalls.retain(|stall| !self.faults.iter().any(|fault| fault.hook == stall.hook));
            return Ok(TestReport::new(report, timeline, stalls));
        }
        Err(format!("{}; what happened:\n\n{timeline}", mistakes.join("\n")))
    }
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        self.handle.stop();
        if std::thread::panicking() {
            return;
        }
        match Handle::try_current().map(|runtime| (runtime.runtime_flavor(), runtime)) {
            Ok((RuntimeFlavor::MultiThread, runtime)) => {
                match self.judge(tokio::task::block_in_place(|| runtime.block_on(run))) {
                    Ok(report) => _ = report.assert_clean(),
                    Err(mistake) => panic!("{mistake}"),
                }
            }
            _ => panic!(
                "a `TestApp` was dropped while it ran, and nothing can be waited for here: end the \
                 test with `app.stop().await`, or write it under `#[lifecycle_runtime::test]`, \
                 which does"
            ),
        }
    }
}
