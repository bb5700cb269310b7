//! Hooks of one name in two modules. They have a program of their own, as the subscriber and the
//! hooks belong to the whole process.

use std::time::Duration;

use lifecycle_runtime::event::{Event, State};
use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::plan::PlanFormat;
use lifecycle_runtime::{Lifecycle, Report, StopHandle};
use lifecycle_tests::written::Buffer;

mod store {
    use lifecycle_runtime::{Dep, on_shutdown, on_startup};

    #[on_startup]
    pub(crate) async fn db() -> &'static str {
        tracing::info!("opening");
        "store"
    }

    #[on_shutdown(of = db)]
    async fn close(db: Dep<db>) -> Result<(), String> {
        Err(format!("{} is broken", *db))
    }
}

mod cache {
    use lifecycle_runtime::{Dep, on_shutdown, on_startup};

    #[on_startup]
    pub(crate) async fn db(store: Dep<super::store::db>) -> &'static str {
        *store
    }

    #[on_shutdown(of = db)]
    async fn close() {}
}

#[track_caller]
fn check(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn the_plan_tells_them_apart() {
    let plan = Lifecycle::new().plan().expect("no contradictions");
    check(
        &plan.render(PlanFormat::Snapshot),
        &[
            "  store::db  names::store\n  cache::db  names::cache  after store::db\n",
            "  store::close  names::store  teardown of store::db  after cache::close\n",
        ],
    );
    assert_eq!((store::db::META.name(), store::db::META.display_name()), ("db", "db"));
}

async fn run() -> Report {
    let lifecycle = Lifecycle::new().console(false).signals(false);
    let stop: StopHandle = lifecycle.stop_handle();
    let stop_when_ready = move |_: Duration, event: &Event| {
        if let Event::State(State::Ready) = event {
            stop.stop();
        }
    };
    lifecycle.observer(stop_when_ready).serve().await
}

#[tokio::test]
async fn tracing_and_the_report_tell_them_apart() {
    let seen = Buffer::default();
    let writer = seen.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .without_time()
        .with_ansi(false);
    let subscriber = subscriber.with_max_level(tracing::Level::DEBUG).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the first");

    let report = run().await;
    check(&report.to_string(), &["hook `store::close` (", "store is broken"]);
    let text = seen.text();
    check(
        &text,
        &[
            "start:hook{name=\"store::db\" kind=\"on_startup\" ",
            "}: names::store: opening",
            "hook started hook=\"cache::db\" kind=on_startup",
            "hook done hook=\"cache::close\" kind=on_shutdown",
            "hook failed hook=\"store::close\" kind=on_shutdown",
        ],
    );
}
