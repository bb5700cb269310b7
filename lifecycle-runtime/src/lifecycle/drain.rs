//! Drain of a run, from the beginning of a stop to the last request.

use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::deadlines::earlier;
use super::phases::RunPhases;
use super::run::Run;
use crate::engine::executor::{CriticalPath, Executor, Interrupted};
use crate::event::{Event, Tasks, Traffic, Wait};
use crate::hook::stop::{Asked, StopCause, hurried};
use crate::hook::task::all;
use crate::server::{DrainTimes, Serving};

impl RunPhases<'_> {
    /// Runs the drain hooks and drains the servers, and returns the critical path of the drain
    /// hooks. `left` has the hooks that were still running if the run was never ready.
    pub(super) async fn drain_all(
        &self,
        executor: &mut Executor,
        serving: Vec<Serving>,
        left: Option<Interrupted>,
        asked: watch::Receiver<Asked>,
    ) -> CriticalPath {
        let Run { engine, live, .. } = self.run;
        let was_ready = left.is_none();
        executor.trace_below(self.stop_span());
        executor.stop_services_with_drain();
        let began = Instant::now();
        let hooks_over = watch::Sender::new(false);
        let hooks = async {
            let budget = self.timetable.drain_budget();
            let end = if was_ready {
                self.moment(self.timetable.drain_hooks_end())
            } else {
                self.drain_end()
            };
            if let Some(left) = left {
                // Hooks that still run may do what drain hooks undo.
                let give_up_at = earlier(end, budget.whole());
                executor.give_up(left, give_up_at).await;
            }
            let time = self.phase_time(budget, end);
            let path = executor.drain(time).await;
            hooks_over.send_replace(true);
            (path, began.elapsed())
        };
        let servers = async {
            // No client was invited to a run that was never ready, and a successor has the others.
            if was_ready && !self.run.progress.borrow().has_successor {
                self.delay(hooks_over.subscribe(), asked.clone()).await;
            }
            if let Some((traffic, took)) = self.drain(serving, began, asked.clone()).await {
                engine.events.emit(&Event::Drained { traffic: Box::new(traffic), took });
            }
            live.forget_others();
            began.elapsed()
        };
        let ((path, hooks_took), drain_took) = tokio::join!(hooks.boxed(), servers.boxed());
        // Otherwise the delay and the requests took the time, and not the hooks.
        if hooks_took >= drain_took / 2 { path } else { CriticalPath::new() }
    }

    /// Waits until the listeners are to close: for the drain hooks, and then for `drain_delay`, in
    /// which their effect spreads. A hurried stop waits for neither.
    async fn delay(
        &self,
        mut hooks_over: watch::Receiver<bool>,
        mut asked: watch::Receiver<Asked>,
    ) {
        let Run { config, live, switches, console, .. } = self.run;
        let delay_end = watch::Sender::new(None::<Instant>);
        let shown = delay_end.subscribe();
        live.add(move |_| {
            let left = |end: Instant| end.saturating_duration_since(Instant::now());
            let delay = shown.borrow().map(|end| Wait::DrainDelay { left: left(end) });
            delay.into_iter().collect()
        });
        let mut interrupts = asked.clone();
        let delay = async {
            // A hook that began late may end later than the time table says. It still may use what
            // the listeners give it. This can't fail: the caller keeps the sender.
            let _ = hooks_over.wait_for(|over| *over).await;
            let end = Instant::now() + config.drain_delay;
            let end = end.min(self.moment(self.timetable.latest_close()));
            if end <= Instant::now() {
                return;
            }
            delay_end.send_replace(Some(end));
            tokio::select! {
                biased;
                () = interrupted(&mut interrupts), if switches.is_interactive => {
                    console.say("a key of the terminal: the drain delay is not waited for");
                }
                () = sleep_until(end) => {}
            }
        };
        tokio::select! {
            biased;
            () = hurried(&mut asked) => {}
            () = delay => {}
        }
        delay_end.send_replace(None);
    }

    /// Closes the listeners and waits for the requests. Returns the traffic, and the time since the
    /// beginning of the drain.
    async fn drain(
        &self,
        serving: Vec<Serving>,
        began: Instant,
        asked: watch::Receiver<Asked>,
    ) -> Option<(Traffic, Duration)> {
        let Run { config, .. } = self.run;
        let last = self.moment(self.timetable.cut());
        let cut = config.drain_timeout.map_or(last, |timeout| last.min(Instant::now() + timeout));
        self.run.progress.send_modify(|progress| progress.cut = Some(cut));
        let times = DrainTimes { quiet: config.quiet_window, cut, leave: self.drain_end() };
        let mut drained = vec![Traffic::default(); serving.len()];
        let drains = drained.iter_mut().zip(serving).map(|(traffic, server)| {
            let mut asked = asked.clone();
            async move { *traffic = server.drain(times, hurried(&mut asked).boxed()).await }.boxed()
        });
        let tasks = &self.run.app_context.tasks;
        let limit = async {
            let mut asked = asked.clone();
            tokio::select! {
                () = sleep_until(cut) => {}
                () = hurried(&mut asked) => {}
            }
        };
        // Requests may spawn tasks, so these are waited for as long as the servers drain, too.
        tasks.finish(all(drains), limit).await;
        // A test may answer requests without a server.
        let without_server = || (tasks.counts() != Tasks::default()).then(Traffic::default);
        let mut traffic = drained.into_iter().reduce(Traffic::merge).or_else(without_server)?;
        traffic.tasks = Tasks { dropped_by: traffic.tasks.dropped_by, ..tasks.counts() };
        Some((traffic, began.elapsed()))
    }
}

/// Waits for a key of the terminal that asks for the stop, or that comes after something else has
/// asked for it.
async fn interrupted(asked: &mut watch::Receiver<Asked>) {
    let is_key = |name: &str| matches!(name, "SIGINT" | "SIGQUIT" | "Ctrl-C" | "Ctrl-Break");
    let is_interrupt = |asked: &Asked| match (&asked.cause, asked.late_signal) {
        (Some(StopCause::Signal(name)), _) if is_key(name) => true,
        (_, Some((name, _))) => is_key(name),
        _ => false,
    };
    if asked.wait_for(is_interrupt).await.is_err() {
        std::future::pending::<()>().await;
    }
}
