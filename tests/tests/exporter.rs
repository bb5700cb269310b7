//! Metrics through the crate `metrics`, as the program's own exporter has them. The test has a
//! program of its own, as the recorder belongs to the whole process.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use actix_web::{App, web};
use lifecycle_runtime::event::{Event, Observer, State};
use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{BoxError, Http, Lifecycle, Report, StopHandle};
use lifecycle_runtime::{on_ready, on_shutdown, on_startup};
use lifecycle_tests::http::request;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Recorder of the program.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Address of the listener for operators.
static ADMIN: OnceLock<String> = OnceLock::new();

/// Metrics that the listener shows at the end of the start.
static SHOWN: OnceLock<String> = OnceLock::new();

#[on_startup]
fn recorder() -> Result<(), BoxError> {
    let recorder = PrometheusBuilder::new().install_recorder()?;
    RECORDER.set(recorder).map_err(|_| "it is installed once".into())
}

/// Sends requests, and looks at the metrics then.
#[on_ready]
fn ask(handle: StopHandle) {
    let address = handle.listening()[0].trim_start_matches("http://");
    for _ in 0..3 {
        assert_eq!(request(address, "GET /").expect("an answer").status, 200);
    }
    let mut admin = lifecycle_tests::http::Connection::to(ADMIN.wait()).expect("it listens");
    let head = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", ADMIN.wait());
    admin.write(head.as_bytes()).expect("it listens");
    SHOWN.set(admin.response().expect("an answer").body).expect("it is asked once");
}

#[on_shutdown]
fn flush() -> Result<(), &'static str> {
    Err("the disk is full")
}

struct StopWhenReady(StopHandle);

impl Observer for StopWhenReady {
    fn on_event(&self, _: Duration, event: &Event) {
        match event {
            Event::AdminListening { url, .. } => {
                let address = url.trim_start_matches("http://").to_owned();
                ADMIN.set(address).expect("there is one");
            }
            Event::State(State::Ready) => self.0.stop(),
            _ => {}
        }
    }
}

/// Returns the names of all samples with their labels, except for those that come and go.
fn series(text: &str) -> BTreeSet<&str> {
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let series = samples.map(|line| line.rsplit_once(' ').expect("a value").0);
    let goes = ["lifecycle_hook_running_seconds", "lifecycle_http_connections_open"];
    series.filter(|series| !goes.iter().any(|name| series.starts_with(name))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exporter_of_the_program_has_the_metrics_of_the_whole_run() {
    let at_report = Arc::<Mutex<String>>::default();
    let seen = Arc::clone(&at_report);
    let app = || App::new().route("/", web::get().to(|| async { "ok" }));
    let lifecycle = Lifecycle::of([recorder::META, ask::META, flush::META])
        .console(false)
        .signals(false)
        .admin("127.0.0.1:0")
        .http(Http::new(app).bind("127.0.0.1:0").workers(1))
        .on_report(move |_: &Report| {
            let recorder = RECORDER.get().expect("the hook has run");
            *seen.lock().expect("no panic") = recorder.render();
        });
    let stop_when_ready = StopWhenReady(lifecycle.stop_handle());
    let report = lifecycle.observer(stop_when_ready).serve().await;
    assert_eq!(report.exit_code(), 3, "{report}");
    assert_eq!(report.traffic.requests.finished, 3);

    let text = at_report.lock().expect("no panic").clone();
    let shown = SHOWN.get().expect("it was looked at");
    let missing: Vec<_> = series(shown).difference(&series(&text)).copied().collect();
    assert_eq!(missing, Vec::<&str>::new(), "{text}");
    let value = |name: &str, labels: &[&str]| {
        let mut lines = text.lines().filter(|line| {
            line.starts_with(&format!("{name}{{")) && labels.iter().all(|it| line.contains(it))
        });
        lines.next().and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value.to_owned())
    };
    let is = |name, labels, expected: &str| {
        assert_eq!(value(name, labels).as_deref(), Some(expected), "{text}");
    };
    is("lifecycle_http_requests_total", &["outcome=\"finished\""], "3");
    is("lifecycle_http_requests_total", &["outcome=\"cut\""], "0");
    is("lifecycle_state", &["state=\"stopped\""], "1");
    is("lifecycle_state", &["state=\"ready\""], "0");
    is("lifecycle_hook_outcome", &["hook=\"exporter::flush\"", "outcome=\"failed\""], "1");
    for line in [
        "# HELP lifecycle_state State of the run",
        "# TYPE lifecycle_state gauge",
        "# TYPE lifecycle_http_requests_total counter",
    ] {
        assert!(text.lines().any(|it| it == line), "no `{line}` in {text}");
    }
}
