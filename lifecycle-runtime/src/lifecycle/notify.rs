//! Requests of a run to its service manager: for time, and for its life.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::run::Run;
use crate::hook::state::State;
use crate::observe::health::Probe;
use crate::observe::notifications::extension;
use crate::plan::last_words;
use crate::process::stalls::Heartbeat;

/// Time between two requests for time. Each is for several times as much, as the machine may be
/// busy.
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);

impl Run {
    /// Asks the service manager for time, again and again, as long as a start or a stop goes on and
    /// has time by its own limits.
    pub(super) async fn ask_for_time(&self) -> Infallible {
        let notifier = &self.app_context.notifier;
        if !notifier.is_some() {
            return pending().await;
        }
        loop {
            sleep(REQUEST_INTERVAL).await;
            let left = self.time_left();
            if !left.is_zero() {
                notifier.extend(extension(left));
            }
        }
    }

    /// Returns the time that a start or a stop has by its limits; zero for a run that is ready.
    fn time_left(&self) -> Duration {
        let progress = self.progress.borrow();
        let Some(mut end) = progress.deadline else { return Duration::ZERO };
        if progress.state >= State::Draining {
            end += last_words(self.config.grace);
        }
        end.saturating_duration_since(Instant::now())
    }

    /// Returns the signs of life that the service manager expects, twice as often as it does. They
    /// fail to come while `/livez` fails.
    pub(super) fn heartbeat(&self) -> Option<Heartbeat> {
        let notifier = self.app_context.notifier.clone();
        let every = notifier.watchdog()? / 2;
        let health = self.app_context.health.clone();
        let beat = move || {
            if health.failure_reason(Probe::Liveness).is_none() {
                notifier.is_alive();
            }
        };
        Some(Heartbeat { every, beat: Box::new(beat) })
    }
}
