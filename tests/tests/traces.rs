//! Spans of the start and the stop, as a trace viewer gets them from `tracing-opentelemetry`. The
//! test has a program of its own, as the subscriber belongs to the whole process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle_runtime::event::{Event, Observer, State};
use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{
    Dep, Lifecycle, Report, Stop, StopHandle, on_shutdown, on_startup, service,
};
use opentelemetry::trace::{SpanId, Status, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio::time::sleep;
use tracing_subscriber::layer::SubscriberExt;

#[on_startup]
async fn db() {
    // Longer than `settings`, so that `migrations` waits for this.
    sleep(Duration::from_millis(50)).await;
}

#[on_startup]
async fn settings() {}

#[on_startup(after = [settings])]
async fn migrations(_db: Dep<db>) {
    tracing::info!("migrated");
}

#[service(after = [migrations])]
async fn outbox(stop: Stop) {
    stop.requested().await;
}

#[on_shutdown(after = [outbox])]
async fn flush() -> Result<(), &'static str> {
    Err("the disk is full")
}

#[on_shutdown(of = db)]
async fn close_db(_db: Dep<db>) {}

struct StopWhenReady(StopHandle);

impl Observer for StopWhenReady {
    fn on_event(&self, _: Duration, event: &Event) {
        if let Event::State(State::Ready) = event {
            self.0.stop();
        }
    }
}

/// Spans that have been exported.
struct Exported {
    by_name: BTreeMap<String, Vec<SpanData>>,
}

impl Exported {
    fn of(exporter: &InMemorySpanExporter) -> Self {
        let mut by_name = BTreeMap::<_, Vec<_>>::new();
        for span in exporter.get_finished_spans().expect("it is there") {
            by_name.entry(span.name.to_string()).or_default().push(span);
        }
        Self { by_name }
    }

    fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    fn root(&self, name: &str) -> &SpanData {
        let [span] = &self.by_name[name][..] else { panic!("one {name}") };
        assert_eq!(span.parent_span_id, SpanId::INVALID, "{name}");
        span
    }

    /// Returns the span of this name below a root.
    fn below(&self, root: &str, name: &str) -> &SpanData {
        let parent = self.root(root).span_context.span_id();
        let mut spans = self.by_name[name].iter().filter(|span| span.parent_span_id == parent);
        let span = spans.next().unwrap_or_else(|| panic!("no {name} below {root}"));
        assert!(spans.next().is_none(), "more than one {name} below {root}");
        span
    }

    /// Checks that a step is linked to the step that it waited for longest, if it waited.
    fn check_link(&self, root: &str, name: &str, awaited: Option<&str>) {
        let step = self.below(root, name);
        let links: Vec<_> = step.links.iter().map(|link| link.span_context.span_id()).collect();
        let awaited = awaited.map(|name| self.below(root, name));
        let expected: Vec<_> =
            awaited.iter().map(|awaited| awaited.span_context.span_id()).collect();
        assert_eq!(links, expected, "{name}");
        if let Some(awaited) = awaited {
            assert!(awaited.start_time <= step.start_time, "{name} began first");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_and_a_stop_are_a_trace_each_with_links_to_what_was_waited_for() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("the first");

    let at_report = Arc::<Mutex<Option<Exported>>>::default();
    let (seen, of_report) = (Arc::clone(&at_report), exporter.clone());
    let lifecycle = Lifecycle::of([migrations::META, outbox::META, flush::META])
        .console(false)
        .signals(false)
        .on_report(move |_: &Report| {
            *seen.lock().expect("no panic") = Some(Exported::of(&of_report));
        });
    let stop_when_ready = StopWhenReady(lifecycle.stop_handle());
    let report = lifecycle.observer(stop_when_ready).serve().await;
    assert_eq!(report.exit_code(), 3, "{report}");

    let exported = at_report.lock().expect("no panic").take().expect("the report was made");
    assert!(exported.has("stop"), "all spans have ended when the report is made");
    exported.check_link("start", "settings", None);
    exported.check_link("start", "db", None);
    exported.check_link("start", "migrations", Some("db"));
    exported.check_link("start", "outbox", Some("migrations"));
    exported.check_link("stop", "outbox", None);
    exported.check_link("stop", "flush", Some("outbox"));
    // `migrations` uses `db`, and its drop waits for `outbox`.
    exported.check_link("stop", "close_db", Some("outbox"));
    let status = |name| &exported.below("stop", name).status;
    assert!(matches!(status("flush"), Status::Error { .. }), "{:?}", status("flush"));
    assert_eq!(status("close_db"), &Status::Unset);
    let events = &exported.below("start", "migrations").events;
    assert!(events.iter().any(|event| event.name == "migrated"), "what a hook logs is in its span");
}
