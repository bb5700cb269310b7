//! What shows and records what happens: every part of it observes events.

pub(crate) mod console;
pub(crate) mod health;
pub(crate) mod live;
pub mod report;
pub(crate) mod trace;
