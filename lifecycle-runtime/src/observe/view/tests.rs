//! Tests of the view of a run.

mod critical_path;
mod event_json;
mod event_log;
mod many;
mod services;
mod timeline;

use std::time::Duration;

use tokio::sync::watch;

use crate::hook::stop::Progress;
use crate::observe::health::{Checks, Health};
use crate::process::stalls::{StallLimits, StallTracker};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns the health of a run without services, checks and stalls.
fn sample_health(progress: watch::Receiver<Progress>) -> Health {
    let stalls = StallTracker::new(StallLimits::default());
    Health::new(progress, false, Checks::default(), Vec::new, |_| Vec::new(), stalls)
}
