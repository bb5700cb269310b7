//! Metrics through the crate `metrics` in a program with a single thread. The test has a program of
//! its own, as the recorder belongs to the whole process.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{Lifecycle, StopHandle, on_ready};
use metrics::{
    Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_global_recorder,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Sender to the task of the program that sends metrics on.
static FLUSHES: OnceLock<UnboundedSender<mpsc::Sender<()>>> = OnceLock::new();

/// Set while that task does so.
static FLUSHING: AtomicBool = AtomicBool::new(true);

/// Number of the times that it has done so.
static FLUSHED: AtomicU32 = AtomicU32::new(0);

#[on_ready]
fn stop(handle: StopHandle) {
    handle.stop();
}

/// Recorder that waits, at the end of a run, until a task of the program has sent its metrics on.
struct FlushingRecorder;

struct FlushedGauge;

impl GaugeFn for FlushedGauge {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        if value > 0.0 {
            let (sender, flushed) = mpsc::channel();
            FLUSHES.wait().send(sender).expect("the task runs");
            // An error means that the test is over.
            let _ = flushed.recv();
        }
    }
}

impl Recorder for FlushingRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let is_last =
            key.name() == "lifecycle_state" && key.labels().any(|label| label.value() == "stopped");
        if is_last { Gauge::from_arc(Arc::new(FlushedGauge)) } else { Gauge::noop() }
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Runs the program, and returns its exit code.
async fn run() -> u8 {
    let lifecycle = Lifecycle::of([stop::META]).console(false).signals(false);
    lifecycle.grace(Duration::from_secs(1)).serve().await.exit_code()
}

/// Checks that the last publication may need the program's only thread. It comes before the report
/// if it can, and holds the end up no longer than an observer may.
#[tokio::test]
async fn a_recorder_may_wait_for_the_only_thread_of_the_program() {
    set_global_recorder(FlushingRecorder).expect("it is the only one");
    let (sender, mut flushes) = unbounded_channel();
    FLUSHES.set(sender).expect("it is set once");
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Some(flush) = flushes.recv().await {
            if FLUSHING.load(Ordering::Relaxed) {
                FLUSHED.fetch_add(1, Ordering::Relaxed);
                flush.send(()).expect("the recorder waits");
            } else {
                open.push(flush);
            }
        }
    });
    assert_eq!(run().await, 0);
    assert_ne!(FLUSHED.load(Ordering::Relaxed), 0, "the report came before the publication");
    FLUSHING.store(false, Ordering::Relaxed);
    assert_eq!(run().await, 0);
}
