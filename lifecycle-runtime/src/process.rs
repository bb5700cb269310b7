//! The process itself: its settings, its signals, its deadline, its service manager, and the hooks
//! that are linked into it.

pub(crate) mod config;
pub(crate) mod info;
pub(crate) mod registry;
pub(crate) mod signals;
pub(crate) mod stalls;
pub(crate) mod systemd;
pub(crate) mod upgrade;
pub(crate) mod watchdog;
