//! Metrics as text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

use super::family::FamilyUnit;
use super::{FamilyKind, MetricFamily, MetricsSnapshot, SampleValue, families};

/// Text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFormat {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// The older format of Prometheus, which every scraper reads.
    Prometheus,
}

impl TextFormat {
    /// Returns the content type of the format.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

impl MetricsSnapshot {
    /// Returns the metrics as text.
    pub(crate) fn into_text(self, format: TextFormat) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(SnapshotCollector(self)));
        let mut text = String::new();
        let encoded = match format {
            TextFormat::OpenMetrics => text::encode(&mut text, &registry),
            TextFormat::Prometheus => prometheus_text::encode(&mut text, &registry),
        };
        // Nothing refuses what is written to a text.
        debug_assert_eq!(encoded, Ok(()));
        text
    }
}

/// Snapshot, as the encoder takes it.
struct SnapshotCollector(MetricsSnapshot);

impl fmt::Debug for SnapshotCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotCollector").finish_non_exhaustive()
    }
}

impl Collector for SnapshotCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        families().try_for_each(|family| encode(family, &self.0, &mut encoder))
    }
}

fn encode(
    family: &MetricFamily,
    snapshot: &MetricsSnapshot,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let unit = family.unit.map(|unit| match unit {
        FamilyUnit::Seconds => Unit::Seconds,
        FamilyUnit::Ratio => Unit::Other(unit.name().to_owned()),
    });
    let kind = match family.kind {
        FamilyKind::Counter => MetricType::Counter,
        FamilyKind::Gauge => MetricType::Gauge,
        FamilyKind::Info => MetricType::Info,
    };
    let mut encoder = encoder.encode_descriptor(family.base, family.help, unit.as_ref(), kind)?;
    let mut encoded = Ok(());
    family.samples(snapshot, &mut |labels, value| {
        if encoded.is_ok() {
            encoded = encode_sample(family.kind, labels, value, &mut encoder);
        }
    });
    encoded
}

fn encode_sample(
    kind: FamilyKind,
    labels: &[(&'static str, &str)],
    value: SampleValue,
    encoder: &mut MetricEncoder<'_>,
) -> fmt::Result {
    const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;
    if kind == FamilyKind::Info {
        return encoder.encode_info(&labels);
    }
    let mut encoder = encoder.encode_family(&labels)?;
    match (kind, value) {
        (FamilyKind::Counter, SampleValue::Count(count)) => {
            encoder.encode_counter(&count, NO_EXEMPLAR)
        }
        (FamilyKind::Counter, SampleValue::Number(number)) => {
            encoder.encode_counter(&number, NO_EXEMPLAR)
        }
        (_, SampleValue::Count(count)) => encoder.encode_gauge(&count),
        (_, SampleValue::Number(number)) => encoder.encode_gauge(&number),
    }
}
