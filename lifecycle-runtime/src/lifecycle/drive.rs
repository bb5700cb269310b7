//! A run from before its first hook to its report: its phases, and what goes on beside them.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use futures_util::future::FutureExt;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::run::{Run, Servers};
use super::stage::{Stage, serve};
use crate::event::Event;
use crate::hook::Kind;
use crate::recurring::Recurring;
use crate::report::Report;
use crate::server::Opening;
use crate::watchdog::Leash;

impl Run {
    /// Starts, waits for a reason to stop, stops.
    pub(crate) async fn drive(self, servers: Servers, leash: Option<Leash>) -> Report {
        let mut opening = Opening::default();
        let admin = match serve(servers.admin.into_iter().collect(), &self.surroundings, &mut opening).boxed().await {
            Ok(admin) => admin,
            Err(failure) => {
                opening.close(Instant::now(), &self.handle.asked()).boxed().await;
                self.console.complain(&failure.reason);
                return Report::not_begun(1, failure.reason);
            }
        };
        let urls = admin.iter().flat_map(|server| &server.urls);
        urls.for_each(|url| self.events.emit(&Event::AdminListening { url: url.clone() }));
        let stop_budget = self.plan.budget(Kind::Shutdown, self.config.grace);
        let drain_budget = self.plan.budget(Kind::Drain, self.config.grace.saturating_sub(stop_budget.whole()));
        let recurring = Recurring {
            plan: Arc::clone(&self.plan),
            scope: self.surroundings.scope.clone(),
            work: Arc::clone(&self.conduct.work),
            events: self.events.clone(),
            progress: self.progress.subscribe(),
            asked: self.handle.asked(),
            inbox: self.inbox.clone(),
            reserve: stop_budget.whole(),
            checks: self.checks.clone(),
        };
        let recurring_over = Notify::new();
        let stage = Stage { run: &self, drain_budget, stop_budget, leash, recurring_over: &recurring_over };
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
            paths = stage.play(servers.apps).boxed() => paths,
        };
        let report = self.recorder.report(paths.start, paths.stop);
        self.console.report(&report);
        for server in admin {
            server.close().await;
        }
        report
    }
}
