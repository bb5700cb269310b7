//! Driver of a run, from before its first hook to its report: its phases, and the tasks beside
//! them.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::phases::{CriticalPaths, RunPhases, open_all};
use super::report_time::observers_until;
use super::run::{Run, Servers};
use crate::engine::executor::Executor;
use crate::engine::recurring::Recurring;
use crate::event::{Event, Wait};
use crate::hook::state::State;
use crate::hook::task::{all, block_on};
use crate::observe::report::Report;
use crate::observe::trace;
use crate::plan::{Timetable, last_words};
use crate::process::watchdog::WatchdogHandle;
use crate::server::{Opening, Serving};

/// Time for which the end of a run waits until the last events are sent to all clients that follow
/// them: three round trips of 300 ms. One that reads has made room for them before.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// Run whose hooks have all ended. Only values that others hold, and the report, are left.
pub(super) struct EndedRun {
    run: Run,
    executor: Executor,
    paths: CriticalPaths,
    admin: Vec<Serving>,
}

impl Run {
    /// Starts the run, waits for a reason to stop, stops it, and returns its report.
    pub(crate) async fn drive(self, servers: Servers, watchdog: Option<WatchdogHandle>) -> Report {
        match self.execute(servers, watchdog).boxed().await {
            Ok(ended) => ended.end().await,
            Err(report) => *report,
        }
    }

    /// Starts the run, waits for a reason to stop, and stops it. Returns a report if it could not
    /// begin.
    pub(super) async fn execute(
        self,
        servers: Servers,
        watchdog: Option<WatchdogHandle>,
    ) -> Result<EndedRun, Box<Report>> {
        let mut opening = Opening::default();
        let admin = match open_all(
            servers.admin.into_iter().collect(),
            &self.app_context.unwatched(),
            &mut opening,
        )
        .boxed()
        .await
        {
            Ok(admin) => admin,
            Err(failure) => {
                opening.close(Instant::now(), &self.handle.asked()).boxed().await;
                self.console.complain(&failure.to_string());
                self.succession.failed(&failure);
                return Err(Box::new(Report::not_begun(1, failure)));
            }
        };
        let urls = admin.iter().flat_map(|server| &server.urls);
        urls.for_each(|url| self.engine.events.emit(&Event::AdminListening { url: url.clone() }));
        let timetable =
            Timetable::new(&self.engine.plan, self.config.stop_settings(self.switches.serves));
        let recurring = Recurring {
            engine: Arc::clone(&self.engine),
            progress: self.progress.subscribe(),
            inbox: self.inbox.clone(),
            reserve: timetable.shutdown_budget().whole(),
            checks: self.checks.clone(),
            first_checks: self.first_checks.clone(),
        };
        let recurring_over = Notify::new();
        let phases = RunPhases {
            run: &self,
            began: Instant::now(),
            timetable,
            watchdog,
            stop_span: OnceLock::new(),
            recurring_over: &recurring_over,
        };
        let recur = async {
            recurring.run().await;
            recurring_over.notify_one();
            pending::<Infallible>().await
        };
        let (executor, paths) = tokio::select! {
            biased;
            never = self.report_progress() => match never {},
            never = self.ask_for_time() => match never {},
            never = self.answer_upgrades() => match never {},
            never = recur => match never {},
            never = self.engine.hooks.keep_awake() => match never {},
            ended = phases.execute(servers.apps).boxed() => ended,
        };
        Ok(EndedRun { run: self, executor, paths, admin })
    }

    /// Emits an event for a failure that the program reported while it was stopping for another
    /// reason.
    fn emit_late_failure(&self) {
        if let Some(error) = self.handle.take_late_failure() {
            self.engine.events.emit(&Event::LateFailure { error });
        }
    }

    /// Waits until the program's observers have seen all events and the metrics are published, at
    /// most as long as the stop may take.
    async fn deliver_events(&self) {
        // The last hook may have used up all of its time, so observers have some beyond that.
        let now = Instant::now();
        let deadline = self.progress.borrow().deadline.unwrap_or(now);
        let deadline = observers_until(deadline, self.config.grace, now);
        // What is published comes from the run, and waits for no observer.
        #[cfg(feature = "metrics")]
        let published = self.request_publication();
        self.live.add(move |_| vec![Wait::Observers { running: now.elapsed() }]);
        let delivered = async {
            self.engine.events.flushed().await;
            // An observer may have reported a failure because of an event that it has seen just
            // now.
            self.emit_late_failure();
            self.engine.events.delivered().await;
        };
        let is_delivered = tokio::select! {
            biased;
            never = self.report_waits() => match never {},
            delivered = timeout_at(deadline, delivered) => delivered.is_ok(),
        };
        self.live.forget_others();
        if !is_delivered {
            self.console
                .complain("an observer of events has not returned, and has not seen all of them");
        }
        #[cfg(feature = "metrics")]
        if let Some(published) = published {
            self.await_publication(published, deadline).await;
        }
        self.emit_late_failure();
    }
}

impl EndedRun {
    /// Drops the values that are left, and returns the report.
    pub(super) async fn end(mut self) -> Report {
        let deadline = self.run.progress.borrow().deadline.unwrap_or_else(Instant::now);
        self.executor.settle(deadline).boxed().await;
        self.run.emit_late_failure();
        self.run.enter(State::Stopped);
        self.run.deliver_events().await;
        let report = self.report();
        self.close_admin().await;
        report
    }

    /// Closes the listener for operators, once the last events have been sent to its clients.
    async fn close_admin(&mut self) {
        let deadline = self.run.progress.borrow().deadline.unwrap_or_else(Instant::now)
            + last_words(self.run.config.grace) / 2;
        let limit = deadline.min(Instant::now() + LAST_EVENTS);
        // A client that does not read them is left behind.
        let _ = timeout_at(limit, self.run.app_context.view.events().end()).await;
        let admin = std::mem::take(&mut self.admin);
        all(admin.into_iter().map(|server| server.close().boxed())).await;
    }

    /// Drops the values that are left, shuts the runtime of the hooks down, and returns the report.
    /// If values are held, the runtime goes first: then its tasks release them, and the values are
    /// dropped here.
    pub(super) fn end_with(mut self, own: &Runtime, hooks: Runtime) -> Report {
        if self.executor.holds_nothing() {
            let report = block_on(own, self.end());
            // Work on the blocking pool that never ends must not keep the process from ending.
            hooks.shutdown_background();
            return report;
        }
        let deadline = self.run.progress.borrow().deadline.unwrap_or_else(Instant::now);
        let left = (deadline + last_words(self.run.config.grace) / 2)
            .saturating_duration_since(Instant::now());
        hooks.shutdown_timeout(self.run.patience().min(left));
        self.executor.settle_here();
        self.run.emit_late_failure();
        self.run.enter(State::Stopped);
        block_on(own, self.run.deliver_events());
        let report = self.report();
        block_on(own, self.close_admin());
        report
    }

    fn report(&mut self) -> Report {
        let paths = std::mem::take(&mut self.paths);
        let Some(report) = self.run.recorder.report(paths.start, paths.stop) else {
            // The thread that ends the process has written its last line, with another exit code.
            loop {
                std::thread::park();
            }
        };
        let is_traced = trace::report(&report).is_shown;
        self.run.console.report(&report, is_traced);
        report
    }
}
