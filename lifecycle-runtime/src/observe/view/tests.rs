//! Tests of the view of a run.

mod critical_path;
mod event_json;
mod event_log;
mod many;
mod timeline;

use std::time::Duration;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
