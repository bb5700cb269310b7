//! The program, its start, and its settings.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event::as_millis;
use crate::hook::state::State;
use crate::process::config::{InForce, SettingsInForce};
use crate::process::info::Info;

/// Description of a program, with its settings in force.
pub(crate) struct About {
    pub(crate) info: Info,
    pub(crate) settings: SettingsInForce,
    pub(crate) servers: Vec<ServerSettings>,
}

impl Default for About {
    fn default() -> Self {
        let (settings, servers) = (SettingsInForce::new(), Vec::new());
        Self { info: Info::of_executable(), settings, servers }
    }
}

/// Settings in force of one server.
#[derive(Serialize)]
pub(crate) struct ServerSettings {
    pub(crate) bind: InForce,
    pub(crate) keep_alive: InForce,
    pub(crate) workers: InForce,
}

#[derive(Serialize)]
pub(super) struct InfoJson<'a> {
    #[serde(flatten)]
    info: &'a Info,
    /// Version of the compiler, as it states it.
    rust: Option<&'static str>,
    /// Version of this crate.
    lifecycle: &'static str,
    pid: u32,
    started_at: Option<String>,
    #[serde(serialize_with = "as_millis")]
    now: Duration,
    state: State,
    settings: &'a SettingsInForce,
    servers: &'a [ServerSettings],
}

impl<'a> InfoJson<'a> {
    pub(super) fn of(about: &'a About, began_at: SystemTime, state: State, now: Duration) -> Self {
        Self {
            info: &about.info,
            rust: option_env!("RUSTC_VERSION_OF_BUILD"),
            lifecycle: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            // A clock beyond the year 9999 has no such text.
            started_at: OffsetDateTime::from(began_at).format(&Rfc3339).ok(),
            now,
            state,
            settings: &about.settings,
            servers: &about.servers,
        }
    }
}
