//! Metrics for the crate `metrics`, and so for the exporter that the program has.

use std::collections::HashSet;

use metrics::{Key, Label, Level, Metadata, Recorder, SharedString, Unit, with_recorder};

use super::family::FamilyUnit;
use super::{FamilyKind, MetricFamily, MetricsSnapshot, SampleValue, families};

static METADATA: Metadata<'static> =
    Metadata::new("lifecycle_runtime", Level::INFO, Some(module_path!()));

/// Publisher of metrics to the recorder that the program has installed.
#[derive(Default)]
pub(crate) struct MetricsPublisher {
    /// Gauges that were published last.
    gauges: HashSet<Key>,
    /// Address of the recorder that knows the families.
    described_to: Option<usize>,
}

impl MetricsPublisher {
    /// Publishes the metrics.
    pub(crate) fn publish(&mut self, snapshot: &MetricsSnapshot) {
        with_recorder(|recorder| self.publish_to(recorder, snapshot));
    }

    fn publish_to(&mut self, recorder: &dyn Recorder, snapshot: &MetricsSnapshot) {
        let mut gauges = HashSet::with_capacity(self.gauges.len());
        // A program may install its recorder at any time, in a startup hook for example.
        let address = std::ptr::from_ref(recorder).addr();
        let is_new = self.described_to.replace(address) != Some(address);
        for family in families() {
            let name = SharedString::from(family.name());
            if is_new {
                describe(family, name.clone(), recorder);
            }
            family.samples(snapshot, &mut |labels, value| {
                let labels: Vec<_> = labels
                    .iter()
                    .map(|(key, value)| Label::new(*key, (*value).to_owned()))
                    .collect();
                let key = Key::from_parts(name.clone(), labels);
                match (family.kind, value) {
                    (FamilyKind::Counter, SampleValue::Count(count)) => {
                        recorder.register_counter(&key, &METADATA).absolute(count);
                    }
                    (_, value) => {
                        recorder.register_gauge(&key, &METADATA).set(value.number());
                        gauges.insert(key);
                    }
                }
            });
        }
        // A recorder keeps what it has been given, so a value that there is no longer is 0 there.
        for gone in self.gauges.difference(&gauges) {
            recorder.register_gauge(gone, &METADATA).set(0.0);
        }
        self.gauges = gauges;
    }
}

fn describe(family: &MetricFamily, name: SharedString, recorder: &dyn Recorder) {
    let unit = family.unit.and_then(|unit| match unit {
        FamilyUnit::Seconds => Some(Unit::Seconds),
        FamilyUnit::Ratio => None,
    });
    // Counters of the facade are whole numbers, which seconds are not.
    if family.kind == FamilyKind::Counter && family.unit.is_none() {
        recorder.describe_counter(name.into(), unit, family.help.into());
    } else {
        recorder.describe_gauge(name.into(), unit, family.help.into());
    }
}

impl SampleValue {
    #[allow(clippy::cast_precision_loss, reason = "no gauge counts that far")]
    pub(super) fn number(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Number(number) => number,
        }
    }
}
