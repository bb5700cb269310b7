//! Tests of services that are plain functions, each run of which has a thread of its own. They run
//! on real time, as threads don't follow paused time.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::supervisor_run::{SupervisorRun, hook};
use crate::hook::task::{Task, Value};

#[tokio::test]
async fn a_plain_function_has_a_thread_of_its_own_and_is_told_by_its_stop() {
    let (sender, names) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
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
    let wait = std::sync::Mutex::new(Some(wait));
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
