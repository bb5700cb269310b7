//! Metrics of a program, as a scraper sees them.

use lifecycle_tests::promtool;
use serde_json::Value;

use super::{address_of, ask, ask_with, start};
use crate::harness::{Program, Signal};
use crate::http::{Connection, head, request};

/// Header that Prometheus sends.
const ACCEPT: &str = "accept: application/openmetrics-text;version=1.0.0,\
                      application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Metrics of one scrape, as text.
struct Scrape(String);

impl Scrape {
    fn of(address: &str) -> Self {
        let response = ask(address, "/metrics");
        assert_eq!(response.status, 200, "{}", response.body);
        Self(response.body)
    }

    /// Returns the sum of the samples with this name and these labels, each as `key="value"`.
    /// `None` if there is none.
    fn get(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, its_labels) = series.split_once('{').unwrap_or((series, ""));
            let is_asked_for =
                found == name && labels.iter().all(|label| its_labels.contains(label));
            is_asked_for.then(|| value.parse::<f64>().expect("a number"))
        };
        let samples = self.0.lines().filter(|line| !line.starts_with('#')).filter_map(sample);
        samples.reduce(|sum, value| sum + value)
    }

    /// Returns the number of requests with an outcome.
    fn requests(&self, outcome: &str) -> Option<f64> {
        self.get("lifecycle_http_requests_total", &[&format!("outcome=\"{outcome}\"")])
    }
}

/// Scrapes until the metrics are as expected, and returns them.
#[track_caller]
fn wait_for(program: &mut Program, is_expected: impl Fn(&Scrape) -> bool) -> Scrape {
    let address = address_of(program);
    program.wait_while(|| !is_expected(&Scrape::of(&address)));
    Scrape::of(&address)
}

#[test]
fn requests_are_counted_as_their_clients_and_the_report_count_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("run.json");
    let mut program = start("close_db=wait")
        .env("LIFECYCLE_WORKERS", "2")
        .env("LIFECYCLE_REPORT", report.to_str().expect("a path"))
        .start();
    let address = program.address();
    for _ in 0..5 {
        assert_eq!(request(&address, "GET /").expect("an answer").status, 200);
    }
    for _ in 0..2 {
        assert!(request(&address, "GET /panic").is_err());
    }
    assert!(request(&address, "GET /broken").is_err());
    let mut gone = Connection::to(&address).expect("it listens");
    gone.send("GET /endless").expect("it listens");
    gone.response_head().expect("a head");
    drop(gone);
    let mut cut = Connection::to(&address).expect("it listens");
    cut.send("GET /asleep").expect("it listens");
    program.wait_until_said("asleep");
    // The second request comes behind the last response.
    let mut late = Connection::to(&address).expect("it listens");
    let both = format!("{}{}", head("GET /held", 0), head("GET /", 0));
    late.write(both.as_bytes()).expect("it listens");
    program.wait_until_said("held");
    let in_flight = |it: &Scrape| it.get("lifecycle_http_requests_in_flight", &[]) == Some(2.0);
    wait_for(&mut program, |it| in_flight(it) && it.requests("abandoned") == Some(1.0));

    program.signal(Signal::SIGTERM);
    let draining = |it: &Scrape| it.get("lifecycle_state", &["state=\"draining\""]) == Some(1.0);
    wait_for(&mut program, draining);
    program.tell("held");
    assert_eq!(late.response().expect("an answer").status, 200);
    assert_eq!(late.response().expect("an answer").status, 503);
    wait_for(&mut program, |it| it.requests("refused") == Some(1.0));
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    assert!(cut.response().is_err());
    let last = Scrape::of(&address_of(&mut program));
    let counted = ["finished", "panicked", "failed", "abandoned", "refused", "cut"]
        .map(|outcome| (outcome, last.requests(outcome)));
    let expected = [6.0, 2.0, 1.0, 1.0, 1.0, 1.0].map(Some);
    assert_eq!(counted.map(|(_, count)| count), expected);
    assert_eq!(last.get("lifecycle_http_requests_in_flight", &[]), Some(0.0));
    assert_eq!(last.get("lifecycle_stop_hurried", &[]), Some(1.0));
    let connections = |outcome: &str| {
        last.get("lifecycle_http_connections_total", &[&format!("outcome=\"{outcome}\"")])
    };
    let connections = ["closed", "cut", "unaccepted"].map(|it| (it, connections(it)));
    program.tell("close_db");
    program.end().expect_code(3);

    let report = std::fs::read_to_string(report).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let number = |of: &str, outcome: &str| match &report["traffic"][of][outcome] {
        Value::Array(named) => u32::try_from(named.len()).ok().map(f64::from),
        number => number.as_f64(),
    };
    for (outcome, count) in counted {
        assert_eq!(number("requests", outcome), count, "{outcome}: {report}");
    }
    for (outcome, count) in connections {
        assert_eq!(number("connections", outcome), count, "{outcome}: {report}");
    }
}

#[test]
fn promtool_finds_no_fault_with_the_metrics() {
    let mut program = start("db=wait close_db=wait").start();
    program.wait_until_said("db");
    let address = address_of(&mut program);
    let starting = Scrape::of(&address);
    promtool::check("metrics", &starting.0);
    // What there is not yet is left out.
    for name in ["lifecycle_time_to_ready_seconds", "lifecycle_http_requests_total"] {
        assert_eq!(starting.get(name, &[]), None);
        assert!(starting.0.contains(&format!("# TYPE {name} ")));
    }
    assert_eq!(starting.get("lifecycle_service_restarts_total", &[]), Some(0.0));
    program.tell("db");
    let mut program = program.ready();
    request(&program.address(), "GET /").expect("an answer");
    promtool::check("metrics", &Scrape::of(&address).0);
    program.tell("pump");
    program.tell("break ping");
    let failing = |it: &Scrape| it.get("lifecycle_check_status", &["status=\"fail\""]) == Some(1.0);
    promtool::check("metrics", &wait_for(&mut program, failing).0);
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    promtool::check("metrics", &Scrape::of(&address).0);
    program.tell("close_db");
    program.end().expect_code(0);
}

#[test]
fn a_stop_is_measured_while_it_goes_on() {
    let mut program = start("close_db=wait").env("LIFECYCLE_GRACE", "50s").start().ready();
    let ready = Scrape::of(&address_of(&mut program));
    assert_eq!(ready.get("lifecycle_state", &["state=\"ready\""]), Some(1.0));
    assert!(ready.get("lifecycle_time_to_ready_seconds", &[]).is_some_and(|time| time > 0.0));
    assert_eq!(ready.get("lifecycle_grace_period_seconds", &[]), Some(50.0));
    assert_eq!(ready.get("lifecycle_stop_duration_seconds", &[]), None);
    let announced = ["hook=\"admin::announce\"", "outcome=\"succeeded\""];
    assert_eq!(ready.get("lifecycle_hook_outcome", &announced), Some(1.0));
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    let stopping = Scrape::of(&address_of(&mut program));
    let took = stopping.get("lifecycle_stop_duration_seconds", &[]).expect("a time");
    let used = stopping.get("lifecycle_grace_period_used_ratio", &[]).expect("a share");
    assert!((used * 50.0 - took).abs() < 1e-6, "{used} of 50 s is {took} s");
    let drain = stopping.get("lifecycle_drain_duration_seconds", &[]).expect("a time");
    assert!(drain <= took, "{drain} s of {took} s");
    let running = stopping.get("lifecycle_hook_running_seconds", &["hook=\"admin::close_db\""]);
    assert!(running.expect("it runs") <= took);
    let pump = ["hook=\"admin::pump\"", "state=\"stopped\""];
    assert_eq!(stopping.get("lifecycle_service_state", &pump), Some(1.0));
    program.tell("close_db");
    program.end().expect_code(0);
}

#[test]
fn services_and_checks_are_counted() {
    let mut program = start("").start().ready();
    let succeeded = |it: &Scrape| it.get("lifecycle_check_runs_total", &["result=\"succeeded\""]);
    let passing = wait_for(&mut program, |it| succeeded(it) >= Some(2.0));
    assert_eq!(passing.get("lifecycle_check_runs_total", &["result=\"failed\""]), Some(0.0));
    let last = passing.get("lifecycle_check_last_run_timestamp_seconds", &[]).expect("a moment");
    assert!(last > passing.get("lifecycle_start_time_seconds", &[]).expect("a moment"));
    program.tell("pump");
    program.tell("break ping");
    let failing = |it: &Scrape| {
        it.get("lifecycle_service_state", &["state=\"backing_off\""]) == Some(1.0)
            && it.get("lifecycle_check_consecutive_failures", &[]) >= Some(3.0)
    };
    let failing = wait_for(&mut program, failing);
    assert_eq!(failing.get("lifecycle_check_status", &["status=\"fail\""]), Some(1.0));
    assert_eq!(failing.get("lifecycle_check_status", &["status=\"pass\""]), Some(0.0));
    assert_eq!(failing.get("lifecycle_service_state", &[]), Some(1.0), "one state at a time");
    // Errors and paths of requests are not for everybody.
    request(&program.address(), "GET /").expect("an answer");
    let body = ask(&address_of(&mut program), "/metrics").body;
    for secret in ["script", "no answer", "path=", "error"] {
        assert!(!body.contains(secret), "`{secret}` in {body}");
    }
    program.stop().expect_code(0);
}

#[test]
fn a_worker_that_is_blocked_is_stalled_and_has_its_connections_counted() {
    let started = start("").env("LIFECYCLE_WORKERS", "1").env("LIFECYCLE_STALL_AFTER", "200ms");
    let mut program = started.start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    let worker = ["part=\"runtime\"", "of=\"worker\""];
    let stalled = |it: &Scrape| it.get("lifecycle_stalled", &worker) == Some(1.0);
    let early = wait_for(&mut program, stalled);
    assert_eq!(early.get("lifecycle_stalls_total", &worker), Some(1.0));
    let seconds = |it: &Scrape| it.get("lifecycle_stall_seconds_total", &worker).expect("a time");
    assert!(seconds(&early) >= 0.2, "{}", seconds(&early));
    let later = wait_for(&mut program, |it| seconds(it) > seconds(&early));
    let open = later.get("lifecycle_http_connections_open", &["state=\"unknown\""]);
    assert_eq!(open, Some(1.0));
    program.tell("block");
    client.response().expect("a response");
    let over = wait_for(&mut program, |it| it.get("lifecycle_stalled", &[]) == Some(0.0));
    assert_eq!(over.get("lifecycle_stalls_total", &[]), Some(1.0));
    assert!(seconds(&over) >= seconds(&later));
    let open = over.get("lifecycle_http_connections_open", &["protocol=\"http/1.1\""]);
    assert_eq!(open, Some(1.0));
    program.stop().expect_code(0);
}

#[test]
fn a_client_gets_the_format_that_it_prefers() {
    let mut program = start("").start().ready();
    let address = address_of(&mut program);
    let host = format!("host: {address}");
    let asked = |accept: &str| ask_with(&address, "GET /metrics", &[&host, accept]);
    let open_metrics = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    for accept in [
        ACCEPT,
        "accept: application/openmetrics-text",
        "accept: */*;q=0.1, \
                    application/openmetrics-text; version=1.0.0",
    ] {
        let response = asked(accept);
        assert!(response.head.contains(open_metrics), "{accept}: {}", response.head);
        assert!(response.body.ends_with("\n# EOF\n"), "{}", response.body);
    }
    let prometheus = "content-type: text/plain; version=0.0.4; charset=utf-8";
    for accept in [
        "accept: */*",
        "accept: text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.4",
        "accept: application/openmetrics-text;version=2.0.0",
        "accept: application/openmetrics-text;version=1.0.0;q=0",
        "accept: nonsense",
        "x-accept: application/openmetrics-text",
    ] {
        let response = asked(accept);
        assert!(response.head.contains(prometheus), "{accept}: {}", response.head);
        assert!(!response.body.contains("# EOF"), "{}", response.body);
    }
    program.stop().expect_code(0);
}
