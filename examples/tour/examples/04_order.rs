//! The order of hooks, and hooks that run at the same time:
//! `cargo run -p tour --example 04_order`.
//!
//! Press Ctrl-C once it is ready, and it draws its hooks over time, from left to right:
//!
//! ```text
//! settings        ####
//! cache               ########
//! database            ############
//! migrations                      ####
//! search_index                        ####
//!
//! close_cache     ####
//! close_database  ########
//! ```
//!
//! `LIFECYCLE_PLAN=text cargo run -p tour --example 04_order` prints which hook waits for which,
//! and starts nothing.

use std::process::ExitCode;
use std::time::Duration;

use lifecycle_runtime::hook::Kind;
use lifecycle_runtime::report::HookReport;
use lifecycle_runtime::{Dep, Lifecycle, Report, on_shutdown, on_startup};
use tokio::time::sleep;

/// Duration that stands for work.
const WORK: Duration = Duration::from_millis(100);

#[on_startup]
async fn settings() {
    sleep(WORK).await;
}

/// Begins once `settings` has succeeded, as it takes its value.
#[on_startup]
async fn database(_settings: Dep<settings>) {
    sleep(3 * WORK).await;
}

/// Runs at the same time as `database`: neither needs the other.
#[on_startup]
async fn cache(_settings: Dep<settings>) {
    sleep(2 * WORK).await;
}

/// Needs no value of `database`, only its success: `after` says so.
#[on_startup(after = [database])]
async fn migrations() {
    sleep(WORK).await;
}

/// Waits for all startup hooks of a lower order. The others have order 0.
#[on_startup(order = 10)]
async fn search_index() {
    sleep(WORK).await;
}

/// Runs once everything that uses the value of `database` has ended, as every teardown does.
/// Neither teardown waits for the other, so they run at the same time as well.
#[on_shutdown(of = database)]
async fn close_database() {
    sleep(2 * WORK).await;
}

#[on_shutdown(of = cache)]
async fn close_cache() {
    sleep(WORK).await;
}

/// Repeats a mark once for each quarter of `WORK`.
fn bar(mark: &str, time: Duration) -> String {
    let quarters = (time + WORK / 8).as_millis() / (WORK / 4).as_millis();
    (0..quarters).map(|_| mark).collect()
}

/// Draws the hooks of the start, and those of the stop.
fn draw(report: &Report) {
    for kind in [Kind::Startup, Kind::Shutdown] {
        let hooks: Vec<_> = report.hooks.iter().filter(|ran| ran.hook.kind == kind).collect();
        let begun = |ran: &HookReport| ran.ended_at.saturating_sub(ran.took);
        let first = hooks.iter().map(|ran| begun(ran)).min().unwrap_or_default();
        for ran in hooks {
            let waited = bar(" ", begun(ran).saturating_sub(first));
            println!("{:16}{waited}{}", ran.hook.name(), bar("#", ran.took));
        }
        println!();
    }
}

fn main() -> ExitCode {
    Lifecycle::new().on_report(draw).run()
}
