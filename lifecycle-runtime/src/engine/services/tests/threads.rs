//! Tests of services that are plain functions, each run of which has a thread of its own. They run
//! on real time, as threads don't follow paused time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use super::supervisor_run::{SupervisorRun, hook};
use crate::hook::task::{Task, Value};

#[tokio::test]
async fn a_plain_function_has_a_thread_of_its_own_and_is_told_by_its_stop() {
    let (sender, names) = mpsc::channel();
    let sender = Mutex::new(sender);
    let run = SupervisorRun::start(hook("restart never"), move |scope| {
        let sender = sender.lock().expect("no panic").clone();
        Task::blocking(move || {
            sender.send(thread::current().name().map(str::to_owned)).expect("the test waits");
            assert!(scope.stop().wait(Duration::MAX));
            Ok(Value::new(()))
        })
    });
    run.until("awaited: ready").await;
    run.stop();
    run.until("awaited: done").await;
    assert_eq!(names.recv().expect("it ran"), Some("svc".to_owned()));
}

#[tokio::test]
async fn a_plain_function_that_panics_has_failed() {
    let run = SupervisorRun::start(hook("restart never exit ignore"), |_| {
        Task::blocking(|| panic!("oops"))
    });
    run.until("failed: panicked: oops").await;
}

#[tokio::test]
async fn a_plain_function_may_use_the_async_runtime() {
    let run = SupervisorRun::start(hook("restart never"), |_| {
        Task::blocking(|| {
            let task = tokio::spawn(async { 42 });
            assert_eq!(tokio::runtime::Handle::current().block_on(task)?, 42);
            Ok(Value::new(()))
        })
    });
    run.until("stopped: done").await;
}

#[tokio::test]
async fn a_plain_function_that_is_cancelled_is_heard_of_when_it_ends() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let run = SupervisorRun::start(hook("restart never"), move |_| {
        let wait = wait.lock().expect("no panic").take().expect("one run");
        Task::blocking(move || {
            let _ = wait.recv();
            Ok(Value::new(()))
        })
    });
    run.until("awaited: ready").await;
    run.stop();
    run.cancel();
    run.until("stopping").await;
    drop(go);
    run.until("awaited: done").await;
    let lines = run.lines();
    assert!(
        !lines.iter().any(|line| line.contains("cancelled")),
        "it was let go while it still ran: {lines:?}"
    );
}

#[tokio::test]
async fn a_plain_function_whose_task_panics_learns_of_it_and_is_run_again() {
    let again = Arc::new(Notify::new());
    let (runs, runs_again) = (AtomicUsize::new(0), Arc::clone(&again));
    let policy = "restart on_failure backoff 1..1 handle";
    let run = SupervisorRun::start(hook(policy), move |scope| {
        let is_first = runs.fetch_add(1, Ordering::SeqCst) == 0;
        let again = Arc::clone(&runs_again);
        Task::blocking(move || {
            let service = scope.service().expect("a service");
            service.ready();
            if is_first {
                service.spawn(async { panic!("oops") });
            } else {
                again.notify_one();
            }
            assert!(scope.stop().wait(Duration::MAX));
            assert!(scope.stop().is_requested());
            Ok(Value::new(()))
        })
    });
    run.until("backing off 1: panicked: oops (a task that it spawned)").await;
    again.notified().await;
    run.stop();
    run.until("awaited: done").await;
}

#[tokio::test]
async fn a_plain_function_that_goes_on_after_its_task_has_panicked_is_failing_until_it_ends() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let run = SupervisorRun::start(hook("restart never exit ignore handle"), move |scope| {
        let wait = wait.lock().expect("no panic").take().expect("one run");
        Task::blocking(move || {
            let service = scope.service().expect("a service");
            service.ready();
            service.spawn(async { panic!("oops") });
            let _ = wait.recv();
            Ok(Value::new(()))
        })
    });
    run.until("failing").await;
    drop(go);
    run.until("failed: panicked: oops (a task that it spawned)").await;
}
