//! Tests of the tasks that a service spawns: none outlasts it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::time::sleep;

use super::supervisor_run::{SupervisorRun, hook};
use crate::hook::service::{Service, ServiceProgress};
use crate::hook::task::{Task, Value};

/// Counter of the tasks that exist.
#[derive(Clone, Default)]
struct TaskCounter(Arc<AtomicUsize>);

impl TaskCounter {
    fn one(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.clone()
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Guard that counts a task until it is dropped.
struct Here(TaskCounter);

impl Drop for Here {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs a service whose runs spawn tasks, each of which takes the given time, or forever if none is
/// given, and then goes on as it likes.
fn run_with_tasks<F>(
    policy: &str,
    alive: &TaskCounter,
    tasks: &'static [Option<u64>],
    main: fn(Service) -> F,
) -> SupervisorRun
where
    F: Future<Output = Result<(), crate::hook::error::BoxError>> + Send + 'static,
{
    let alive = alive.clone();
    SupervisorRun::start(hook(&format!("{policy} handle")), move |scope| {
        let alive = alive.clone();
        Task::future(async move {
            let service = scope.service().expect("a service");
            for task in tasks {
                let here = Here(alive.one());
                service.spawn(async move {
                    let _here = here;
                    sleep(task.map_or(Duration::MAX, Duration::from_millis)).await;
                });
            }
            service.ready();
            main(service).await.map(Value::new)
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_service_has_ended_once_its_tasks_have() {
    let alive = TaskCounter::default();
    let run = run_with_tasks("restart never", &alive, &[Some(50), Some(80)], |_| async { Ok(()) });
    run.until("stopped: done").await;
    assert_eq!(run.lines(), ["0 starting", "0 running", "0 awaited: ready", "80 stopped: done"]);
    assert_eq!(alive.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_told_to_stop_ends_in_its_time() {
    let alive = TaskCounter::default();
    let run = run_with_tasks("restart never", &alive, &[], |service| async move {
        let stop = service.stop();
        service.spawn(async move {
            stop.requested().await;
            sleep(Duration::from_millis(40)).await;
        });
        Ok(())
    });
    run.until("awaited: ready").await;
    run.stop();
    run.until("awaited: done").await;
    assert_eq!(run.lines().last().map(String::as_str), Some("40 awaited: done"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_leaves_no_task_behind() {
    let alive = TaskCounter::default();
    let run = run_with_tasks(
        "restart on_failure most 1/60000 backoff 100..100 exit ignore",
        &alive,
        &[None, None],
        |_| async {
            sleep(Duration::from_millis(10)).await;
            Err("broken".into())
        },
    );
    run.until("backing off 100: failed: broken").await;
    assert_eq!(alive.count(), 0);
    run.until("failed: failed: 1 restart within 1m did not help, the last run failed: broken")
        .await;
    assert_eq!(alive.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_cancelled_leaves_no_task_behind() {
    let alive = TaskCounter::default();
    let run = run_with_tasks("restart never", &alive, &[None, None], |_| async { Ok(()) });
    run.until("awaited: ready").await;
    run.stop();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(alive.count(), 2);
    run.cancel();
    run.until("awaited: cancelled").await;
    assert_eq!(alive.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_fails_the_service_and_ends_the_others() {
    let alive = TaskCounter::default();
    let run = run_with_tasks("restart never exit ignore", &alive, &[None], |service| async move {
        service.spawn(async { panic!("oops") });
        std::future::pending().await
    });
    run.until("failed: panicked: oops (a task that it spawned)").await;
    assert_eq!(alive.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_spawned_when_all_is_over_does_not_begin() {
    let (sender, kept) = mpsc::channel();
    let sender = Mutex::new(sender);
    let run = SupervisorRun::start(hook("restart never handle"), move |scope| {
        let service = scope.service().expect("a service");
        sender.lock().expect("no panic").send(service.clone()).expect("the test waits");
        Task::future(async move { Ok(Value::new(())) })
    });
    run.until("awaited: done").await;
    let alive = TaskCounter::default();
    let here = Here(alive.one());
    kept.try_recv().expect("one run").spawn(async move {
        let _here = here;
        std::future::pending::<()>().await;
    });
    sleep(Duration::from_millis(1)).await;
    assert_eq!(alive.count(), 0);
}

/// This runs on threads and real time, as the task blocks its thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failure_is_told_although_a_task_that_blocks_is_cut_short() {
    let (fail, failing) = tokio::sync::oneshot::channel::<()>();
    let failing = Mutex::new(Some(failing));
    let (sender, mut handles) = tokio::sync::mpsc::unbounded_channel();
    let run = SupervisorRun::start(hook("restart never handle"), move |scope| {
        let service = scope.service().expect("a service");
        sender.send(service.clone()).expect("the test waits");
        let failing = failing.lock().expect("no panic").take().expect("one run");
        Task::future(async move {
            service.ready();
            failing.await?;
            Err("broken".into())
        })
    });
    let service = handles.recv().await.expect("a run");
    let (begin, begun) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    service.spawn(async move {
        begin.send(()).expect("the test waits");
        let _ = wait.recv();
    });
    begun.recv().expect("it begins");
    fail.send(()).expect("it runs");
    service.reached(ServiceProgress::Ended).await;
    run.cancel();
    run.until("stopping").await;
    run.stop();
    drop(go);
    run.until("awaited: failed: broken").await;
}
