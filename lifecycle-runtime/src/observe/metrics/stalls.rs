//! Families about stalls.

use super::family::FamilyUnit;
use super::{FamilyKind, MetricFamily, MetricsSnapshot, SampleValue, Samples};
use crate::event::{RuntimeName, StalledPart};
use crate::process::stalls::StallTotal;

pub(super) const FAMILIES: [MetricFamily; 3] = [
    MetricFamily::new(
        "lifecycle_stalled",
        FamilyKind::Gauge,
        "1 while a part of the process is stalled",
        stalled,
    ),
    MetricFamily::new(
        "lifecycle_stalls",
        FamilyKind::Counter,
        "Number of the stalls of a part of the process",
        stalls,
    ),
    MetricFamily::new(
        "lifecycle_stall",
        FamilyKind::Counter,
        "Time for which a part of the process has been stalled",
        seconds,
    )
    .in_unit(FamilyUnit::Seconds),
];

fn stalled(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    each(snapshot, samples, |stall| SampleValue::flag(stall.is_stalled));
}

fn stalls(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    each(snapshot, samples, |stall| SampleValue::Count(stall.count));
}

fn seconds(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    each(snapshot, samples, |stall| stall.time.into());
}

/// Passes one sample for each watched part on.
fn each(
    snapshot: &MetricsSnapshot,
    samples: &mut Samples<'_>,
    value: fn(&StallTotal) -> SampleValue,
) {
    for stall in &snapshot.stalls {
        let (part, runtime) = match &stall.part {
            StalledPart::Runtime(runtime) => ("runtime", runtime),
            StalledPart::BlockingPool(runtime) => ("blocking_pool", runtime),
        };
        match runtime {
            RuntimeName::Hooks => {
                samples(&[("part", part), ("of", "hooks")], value(stall));
            }
            RuntimeName::Worker { number, url } => {
                let number = number.to_string();
                let worker = [("server", url.as_str()), ("worker", number.as_str())];
                let labels = [("part", part), ("of", "worker"), worker[0], worker[1]];
                samples(&labels, value(stall));
            }
        }
    }
}
