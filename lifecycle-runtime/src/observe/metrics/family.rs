//! Families of metrics: samples of one name and one meaning, told apart by labels.

use super::MetricsSnapshot;

/// Family of metrics.
pub(crate) struct MetricFamily {
    /// Name without unit and suffix.
    pub(super) base: &'static str,
    pub(crate) kind: FamilyKind,
    pub(crate) unit: Option<FamilyUnit>,
    pub(crate) help: &'static str,
    /// Function that passes the family's samples on.
    samples: fn(&MetricsSnapshot, &mut Samples<'_>),
}

/// Kind of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyKind {
    /// Number or time that only grows, from 0 at the beginning of the run.
    Counter,
    /// Value that may become smaller.
    Gauge,
    /// Labels that say something about the program; the value is 1.
    Info,
}

/// Unit of a family's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyUnit {
    Seconds,
    /// Share, from 0 to 1.
    Ratio,
}

/// Value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SampleValue {
    Count(u64),
    Number(f64),
}

/// Function that takes the samples of a family, each with its labels.
pub(crate) type Samples<'s> = dyn FnMut(&[(&'static str, &str)], SampleValue) + 's;

impl MetricFamily {
    pub(super) const fn new(
        base: &'static str,
        kind: FamilyKind,
        help: &'static str,
        samples: fn(&MetricsSnapshot, &mut Samples<'_>),
    ) -> Self {
        Self { base, kind, unit: None, help, samples }
    }

    /// Returns the family with a unit.
    pub(super) const fn in_unit(self, unit: FamilyUnit) -> Self {
        Self { unit: Some(unit), ..self }
    }

    /// Returns the name of the samples.
    #[cfg(any(test, feature = "metrics"))]
    pub(crate) fn name(&self) -> String {
        let unit = self.unit.map(|unit| format!("_{}", unit.name())).unwrap_or_default();
        let suffix = match self.kind {
            FamilyKind::Counter => "_total",
            FamilyKind::Gauge => "",
            FamilyKind::Info => "_info",
        };
        format!("{}{unit}{suffix}", self.base)
    }

    /// Passes each sample of the family to a function.
    pub(crate) fn samples(&self, snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
        (self.samples)(snapshot, samples);
    }
}

impl FamilyUnit {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Ratio => "ratio",
        }
    }
}

impl SampleValue {
    /// Returns 1 for `true`, and 0 for `false`.
    pub(super) fn flag(flag: bool) -> Self {
        Self::Count(flag.into())
    }
}

impl From<std::time::Duration> for SampleValue {
    fn from(time: std::time::Duration) -> Self {
        Self::Number(time.as_secs_f64())
    }
}

/// Passes one sample for each state on: 1 for the one that is current, and 0 for the others.
pub(super) fn state_set<const N: usize>(
    label: &'static str,
    states: &[&'static str; N],
    current: &str,
    others: &[(&'static str, &str)],
    samples: &mut Samples<'_>,
) {
    for state in states {
        let labels: Vec<_> = others.iter().copied().chain([(label, *state)]).collect();
        samples(&labels, SampleValue::flag(*state == current));
    }
}
