//! Tests of the time that cancelled tasks have on a machine that lets threads wait.

use std::future::pending;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, advance, timeout};

use super::{Deadline, RunningTasks};
use crate::event::{Limit, Outcome};
use crate::hook::runtime::HookRuntime;
use crate::hook::stop::CommandSender;
use crate::plan::sample::hooks;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Makes the set of one task that never ends, is cancelled after 500 ms, and may take until
/// `abandon_at`.
fn endless(abandon_at: u64) -> RunningTasks {
    let hook = hooks("service s")[0];
    let mut tasks = RunningTasks::new(1, &HookRuntime::new(Handle::current()));
    let now = Instant::now();
    let time = Deadline {
        cancel_at: now + millis(500),
        limit: Limit::Timeout,
        abandon_at: now + millis(abandon_at),
    };
    tasks.await_service(0, hook, CommandSender::default(), pending(), now, time);
    tasks
}

/// Waits for as long as the endless task is cancelled, and not abandoned yet.
async fn run_into_timeout(tasks: &mut RunningTasks) {
    let ended = timeout(millis(550), tasks.next()).await;
    assert!(ended.is_err(), "it has only been cancelled");
}

/// Checks when the endless task is abandoned: while nobody looks, the first `unseen` milliseconds
/// pass.
async fn check_abandoned(unseen: u64, abandon_at: u64, at: u64) {
    let mut tasks = endless(abandon_at);
    advance(millis(unseen)).await;
    let ended = tasks.next().await.expect("a task");
    assert_eq!(ended.took, millis(at), "{unseen} ms unseen, {abandon_at} ms at most");
    let expected = Outcome::TimedOut { limit: Limit::Timeout, ended: false };
    assert_eq!(ended.result.err(), Some(expected));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_has_more_time_to_end_where_the_alarm_came_late() {
    // The alarm comes in time.
    check_abandoned(0, 10_000, 600).await;
    // It comes 230 ms late, so the task has as much more.
    check_abandoned(730, 10_000, 730 + 100 + 230).await;
    // It never has more than the steps behind it leave.
    check_abandoned(730, 800, 800).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_is_abandoned_later_where_that_moment_was_noticed_late() {
    let mut tasks = endless(10_000);
    run_into_timeout(&mut tasks).await;
    advance(millis(250)).await;
    let ended = tasks.next().await.expect("a task");
    assert_eq!(ended.took, millis(800 + 200));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_given_up_has_no_more_time_than_that_however_late() {
    let mut tasks = endless(10_000);
    tasks.give_up(Instant::now() + millis(300));
    advance(millis(450)).await;
    let ended = tasks.next().await.expect("a task");
    assert_eq!(ended.took, millis(450));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_run_into_its_timeout_has_no_more_time_when_it_is_given_up() {
    for give_up_after in [20, 10_000] {
        let mut tasks = endless(20_000);
        run_into_timeout(&mut tasks).await;
        tasks.give_up(Instant::now() + millis(give_up_after));
        let ended = tasks.next().await.expect("a task");
        assert_eq!(ended.took, millis(550 + give_up_after.min(50)));
        let expected = Outcome::TimedOut { limit: Limit::Timeout, ended: false };
        assert_eq!(ended.result.err(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_given_up_twice_at_once_has_a_moment_to_end() {
    let mut tasks = endless(20_000);
    tasks.give_up(Instant::now() + millis(300));
    tasks.cancel(Instant::now());
    let ended = tasks.next().await.expect("a task");
    assert_eq!(ended.took, millis(10));
    // The moment counts from the first time.
    let mut tasks = endless(20_000);
    tasks.give_up(Instant::now() + millis(300));
    assert!(timeout(millis(7), tasks.next()).await.is_err(), "it has 300 ms");
    tasks.cancel(Instant::now());
    assert_eq!(tasks.next().await.expect("a task").took, millis(10));
}
