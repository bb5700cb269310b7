//! Events of a run in `tracing`. The test has a program of its own, as the subscriber belongs to
//! the whole process.

use std::time::Duration;

use lifecycle_runtime::event::{Event, Observer, State};
use lifecycle_runtime::{Dep, Lifecycle, StopHandle, on_drain, on_ready, on_shutdown, on_startup};
use lifecycle_tests::written::Buffer;
use tracing_subscriber::fmt::format::FmtSpan;

#[on_startup]
async fn db() -> &'static str {
    "a pool"
}

#[on_shutdown(of = db)]
async fn close_db(db: Dep<db>) {
    tracing::info!("closing {db}");
}

#[on_ready]
async fn announce(db: Dep<db>) {
    tracing::info!("announcing {db}");
}

#[on_drain]
fn withdraw(db: Dep<db>) {
    tracing::info!("withdrawing {db}");
}

struct StopWhenReady(StopHandle);

impl Observer for StopWhenReady {
    fn on_event(&self, _: Duration, event: &Event) {
        if let Event::State(State::Ready) = event {
            self.0.stop();
        }
    }
}

#[tokio::test]
async fn every_event_and_a_span_per_hook_reach_tracing() {
    let seen = Buffer::default();
    let writer = seen.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .without_time()
        .with_ansi(false);
    let subscriber =
        subscriber.with_max_level(tracing::Level::DEBUG).with_span_events(FmtSpan::NEW).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the first");

    let lifecycle = Lifecycle::new().console(false).signals(false);
    let stop_when_ready = StopWhenReady(lifecycle.stop_handle());
    let report = lifecycle.observer(stop_when_ready).serve().await;
    assert!(report.is_clean(), "{report}");

    let text = seen.text();
    for line in [
        "start:hook{name=\"db\" kind=\"on_startup\" otel.name=\"db\"}",
        "}:hook{name=\"close_db\" kind=\"on_shutdown\" otel.name=\"close_db\"}: ",
        "}: tracing: closing a pool",
        "state state=starting",
        "hook started hook=\"db\" kind=on_startup",
        "hook done hook=\"db\" kind=on_startup",
        "state state=ready",
        "start:hook{name=\"announce\" kind=\"on_ready\" otel.name=\"announce\"}: ",
        "}: tracing: announcing a pool",
        "hook done hook=\"announce\" kind=on_ready",
        "stop{cause=requested by the program}:hook{name=\"withdraw\" kind=\"on_drain\" ",
        " otel.name=\"withdraw\"}: tracing: withdrawing a pool",
        "hook done hook=\"withdraw\" kind=on_drain",
        "stop begins cause=requested by the program",
        "hook done hook=\"close_db\" kind=on_shutdown",
        "state state=stopped",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}
