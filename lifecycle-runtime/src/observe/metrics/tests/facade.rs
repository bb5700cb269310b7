//! Tests of the metrics that a recorder of the crate `metrics` gets.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder as MetricsRecorder, SharedString,
    Unit, with_local_recorder,
};

use super::*;
use crate::observe::metrics::{FamilyKind, MetricsPublisher};

/// Recorder that keeps what it is given.
#[derive(Default)]
struct Recorded {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    /// Help text of each name.
    described: Mutex<BTreeMap<String, String>>,
}

impl Recorded {
    fn describe(&self, name: &KeyName, unit: Option<Unit>, help: &SharedString) {
        assert_eq!(unit == Some(Unit::Seconds), name.as_str().contains("_seconds"), "{name:?}");
        let mut described = self.described.lock().expect("no panic");
        described.insert(name.as_str().to_owned(), help.to_string());
    }

    fn counter(&self, id: &str) -> Option<u64> {
        let counters = self.counters.lock().expect("no panic");
        Some(counters.get(id)?.load(Ordering::Relaxed))
    }

    fn gauge(&self, id: &str) -> Option<f64> {
        let gauges = self.gauges.lock().expect("no panic");
        Some(f64::from_bits(gauges.get(id)?.load(Ordering::Relaxed)))
    }
}

fn id(name: &str, labels: impl IntoIterator<Item = (String, String)>) -> String {
    format!("{name} {:?}", labels.into_iter().collect::<Vec<_>>())
}

fn id_of(key: &Key) -> String {
    id(key.name(), key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())))
}

impl MetricsRecorder for Recorded {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&name, unit, &help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&name, unit, &help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("no family is a histogram: {name:?}");
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.counters.lock().expect("no panic");
        Counter::from_arc(Arc::clone(counters.entry(id_of(key)).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.gauges.lock().expect("no panic");
        Gauge::from_arc(Arc::clone(gauges.entry(id_of(key)).or_default()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("no family is a histogram: {key:?}");
    }
}

fn id_of_series(series: &Series) -> String {
    let labels = series.labels.iter().map(|(label, value)| ((*label).to_owned(), value.clone()));
    id(&series.name, labels)
}

#[test]
fn a_recorder_has_each_sample_by_its_name_and_labels() {
    let recorded = Recorded::default();
    let snapshot = stopping();
    with_local_recorder(&recorded, || MetricsPublisher::default().publish(&snapshot));
    let all = series(&snapshot);
    for series in &all {
        let id = id_of_series(series);
        let family = families().find(|family| family.name() == series.name).expect("its family");
        match (family.kind, series.value) {
            (FamilyKind::Counter, SampleValue::Count(count)) => {
                assert_eq!(recorded.counter(&id), Some(count), "{id}");
            }
            (_, value) => assert_eq!(recorded.gauge(&id), Some(value.number()), "{id}"),
        }
    }
    let kept = recorded.counters.lock().expect("no panic").len()
        + recorded.gauges.lock().expect("no panic").len();
    assert_eq!(kept, all.len());
    let described = recorded.described.lock().expect("no panic").clone();
    let expected = families().map(|family| (family.name(), family.help.to_owned())).collect();
    assert_eq!(described, expected);
}

#[test]
fn a_recorder_gets_the_descriptions_once() {
    let (first, second) = (Recorded::default(), Recorded::default());
    let mut publisher = MetricsPublisher::default();
    let mut described = |recorded: &Recorded| {
        with_local_recorder(recorded, || publisher.publish(&beginning()));
        std::mem::take(&mut *recorded.described.lock().expect("no panic")).len()
    };
    assert_eq!(described(&first), families().count());
    assert_eq!(described(&first), 0);
    assert_eq!(described(&second), families().count());
}

#[test]
fn a_gauge_that_there_is_no_longer_is_zero() {
    let recorded = Recorded::default();
    let mut publisher = MetricsPublisher::default();
    let close = ["hook", "kind"].map(str::to_owned).into_iter();
    let close = close.zip(["app::close", "on_shutdown"].map(str::to_owned));
    let close = id("lifecycle_hook_running_seconds", close);
    with_local_recorder(&recorded, || publisher.publish(&stopping()));
    assert_eq!(recorded.gauge(&close), Some(0.5));
    let mut ended = stopping();
    ended.record.begun.clear();
    with_local_recorder(&recorded, || publisher.publish(&ended));
    assert_eq!(recorded.gauge(&close), Some(0.0));
    let state = id("lifecycle_state", [("state".to_owned(), "stopping".to_owned())]);
    assert_eq!(recorded.gauge(&state), Some(1.0));
}
