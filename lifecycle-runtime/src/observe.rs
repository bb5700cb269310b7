//! Observers of a run's events, which show and record them.

pub(crate) mod console;
pub(crate) mod health;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod notifications;
pub mod report;
pub(crate) mod report_files;
pub(crate) mod trace;
pub(crate) mod view;
