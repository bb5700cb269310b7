//! Tests of the families: their names, their samples, and their texts.

use std::collections::BTreeSet;

use super::*;
use crate::observe::metrics::FamilyKind;

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn each_family_has_a_name_of_its_own_and_a_sample() {
    let names: Vec<_> = families().map(MetricFamily::name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    let series = series(&stopping());
    for name in names {
        assert!(is_name(&name), "{name}");
        assert!(name.starts_with("lifecycle_"), "{name}");
        assert!(series.iter().any(|series| series.name == name), "{name} has no sample");
    }
}

#[test]
fn no_sample_comes_twice() {
    for snapshot in [stopping(), beginning()] {
        let mut seen = BTreeSet::new();
        for Series { name, labels, .. } in series(&snapshot) {
            assert!(labels.iter().all(|(label, _)| is_name(label)), "{name} {labels:?}");
            let names: BTreeSet<_> = labels.iter().map(|(label, _)| label).collect();
            assert_eq!(names.len(), labels.len(), "{name} {labels:?}");
            let id = format!("{name} {labels:?}");
            assert!(seen.insert(id.clone()), "{id}");
        }
    }
}

/// Checks that no counter that a run has at its end is missing while nothing has been counted: a
/// first increase from nothing is none for Prometheus.
#[test]
fn counters_of_hooks_begin_with_zero() {
    let first = series(&beginning());
    for Series { name, labels, .. } in series(&stopping()) {
        let is_counter =
            families().any(|family| family.name() == name && family.kind == FamilyKind::Counter);
        if !is_counter || !labels.iter().any(|(label, _)| *label == "hook") {
            continue;
        }
        let before = first.iter().find(|series| series.name == name && series.labels == labels);
        let before = before.unwrap_or_else(|| panic!("{name} {labels:?} is missing"));
        assert_eq!(before.value, SampleValue::Count(0), "{name} {labels:?}");
    }
}

#[test]
fn what_there_is_not_yet_is_left_out() {
    let first: BTreeSet<_> = series(&beginning()).into_iter().map(|series| series.name).collect();
    let expected = [
        "lifecycle_build_info",
        "lifecycle_check_consecutive_failures",
        "lifecycle_check_runs_total",
        "lifecycle_check_status",
        "lifecycle_grace_period_seconds",
        "lifecycle_service_restarts_total",
        "lifecycle_signal_runs_total",
        "lifecycle_state",
        "lifecycle_start_time_seconds",
    ];
    assert_eq!(first, expected.map(str::to_owned).into());
}

#[test]
fn a_start_that_failed_has_no_time_to_ready() {
    let mut snapshot = stopping();
    let has_time = |snapshot: &MetricsSnapshot| {
        series(snapshot).iter().any(|series| series.name == "lifecycle_time_to_ready_seconds")
    };
    assert!(has_time(&snapshot));
    snapshot.record.was_interrupted = true;
    assert!(!has_time(&snapshot));
    snapshot.record.was_interrupted = false;
    snapshot.record.error = Some(crate::event::StartFailure::AppTimedOut);
    assert!(!has_time(&snapshot));
}

#[test]
fn a_stop_that_is_over_grows_no_longer() {
    let mut snapshot = stopping();
    let took = |snapshot: &MetricsSnapshot| {
        let series = series(snapshot).into_iter();
        let mut took = series.filter(|series| series.name == "lifecycle_stop_duration_seconds");
        took.next().expect("a time").value
    };
    assert_eq!(took(&snapshot), SampleValue::Number(2.0));
    snapshot.record.state = State::Stopped;
    snapshot.record.state_since = millis(2_500);
    assert_eq!(took(&snapshot), SampleValue::Number(1.5));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_check_stays_where_it_was_until_the_next_run() {
    let plan = sample::plan("check ping").expect("valid");
    let checks = Checks::new(plan.of_kind(Kind::HealthCheck));
    checks.record(hook(&plan, "ping"), &Outcome::Succeeded, millis(5));
    let ended = |now: Duration| {
        let checks = checks.figures(Freshness::Any);
        let series = series(&MetricsSnapshot { checks, now, ..stopping() }).into_iter();
        let mut ends =
            series.filter(|series| series.name == "lifecycle_check_last_run_timestamp_seconds");
        ends.next().expect("it has run").value
    };
    let first = ended(millis(3_000));
    // Clocks do not go alike: that of the run has gone further than that of the check.
    tokio::time::advance(millis(1_000)).await;
    assert_eq!(ended(millis(4_001)), first);
}

#[test]
fn metrics_as_open_metrics() {
    let mut snapshot = stopping();
    // They have run in this test.
    let ended_at = snapshot.began_at + millis(2_000);
    snapshot.checks.iter_mut().for_each(|check| {
        check.ended_at = check.ended_at.map(|_| ended_at);
    });
    let mut text = snapshot.into_text(TextFormat::OpenMetrics);
    let rust = option_env!("RUSTC_VERSION_OF_BUILD").map(|version| ("rust", version));
    for (label, version) in rust.into_iter().chain([("lifecycle", env!("CARGO_PKG_VERSION"))]) {
        text = text.replace(&format!("{label}=\"{version}\""), &format!("{label}=\"…\""));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn metrics_for_older_scrapers() {
    let mut snapshot = beginning();
    snapshot.servers = stopping().servers;
    let text = snapshot.into_text(TextFormat::Prometheus);
    assert!(text.contains("# TYPE lifecycle_http_requests_total counter\n"), "{text}");
    assert!(text.contains("# TYPE lifecycle_build_info gauge\n"), "{text}");
    assert!(text.contains("{name=\"sh\\\"op\\\\\\n\",version=\"1.2.3\","), "{text}");
    assert!(!text.contains("# UNIT ") && !text.contains("# EOF"), "{text}");
}

/// Checks the tables of the page: the names, types and labels of all families.
#[test]
fn the_page_has_each_family_with_its_type_and_its_labels() {
    let page = include_str!("../../../../docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let mut rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let mut labels_before = BTreeSet::new();
    for family in families() {
        let name = family.name();
        let row = rows.next().unwrap_or_else(|| panic!("no row for {name}"));
        assert_eq!(row[1], format!("`{name}`"));
        let kind = match family.kind {
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
            FamilyKind::Info => "info",
        };
        assert_eq!(row[2], kind, "{name}");
        let labels: BTreeSet<_> = if row[3] == "the same" {
            labels_before
        } else {
            row[3].split(", ").map(|label| label.trim_matches('`').to_owned()).collect()
        };
        let mut expected: BTreeSet<_> = labels_of(&name).into_iter().map(str::to_owned).collect();
        match &*name {
            // The program of this test does not give the first, and a build may lack the other.
            "lifecycle_build_info" => expected.extend(["built".to_owned(), "rust".to_owned()]),
            _ if expected.is_empty() => {
                expected.insert(String::new());
            }
            _ => {}
        }
        assert_eq!(labels, expected, "{name}");
        labels_before = labels;
    }
    assert_eq!(rows.next(), None);
}
