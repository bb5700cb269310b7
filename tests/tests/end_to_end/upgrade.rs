//! Upgrades in place: a successor takes over the listeners, and no client notices.

mod exclusive;
mod failures;
mod handed;
mod line;
mod loaded;
#[cfg(target_os = "linux")]
mod managed;
mod requests;
