//! Metrics of a run, in families, for `/metrics` and other exporters.
//!
//! Nothing is counted for them alone: each family is made of what a run records anyway, at the
//! moment at which somebody asks. So they cost nothing until then, and agree with the report.
//! `docs/metrics.md` describes the families.

mod checks;
#[cfg(feature = "metrics")]
mod facade;
mod family;
mod hooks;
mod http;
mod run;
mod services;
mod snapshot;
mod stalls;
#[cfg(test)]
mod tests;
mod text;

#[cfg(feature = "metrics")]
pub(crate) use facade::MetricsPublisher;
pub(crate) use family::{FamilyKind, MetricFamily, SampleValue, Samples};
pub(crate) use snapshot::{ConnectionCount, MetricsSnapshot, ServerCounts, TaskCounts};
pub(crate) use text::TextFormat;

/// Returns all families, in the order in which they are shown.
pub(crate) fn families() -> impl Iterator<Item = &'static MetricFamily> {
    let parts: [&[MetricFamily]; 6] = [
        &run::FAMILIES,
        &hooks::FAMILIES,
        &services::FAMILIES,
        &checks::FAMILIES,
        &http::FAMILIES,
        &stalls::FAMILIES,
    ];
    parts.into_iter().flatten()
}
