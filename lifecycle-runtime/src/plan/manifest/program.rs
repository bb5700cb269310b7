//! Program as its manifests describe it.

use std::time::Duration;

use super::names;
use super::quoting::in_comment;
use crate::process::config::{Config, delay_in_kubernetes, written};
use crate::process::info::Info;

/// Time that whoever stops a program leaves it on top of its grace period, and whoever starts it on
/// top of its startup timeout: 5 s, as between 25 s and the 30 s of Kubernetes.
const MARGIN: u64 = 5;

/// Program with the settings that its manifests depend on.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) servers: Vec<ProgramServer>,
    /// Address of the listener for operators.
    pub(super) admin: Option<String>,
    /// Grace period, if the program or the environment has set it. Its default depends on the
    /// platform.
    pub(super) grace: Option<Duration>,
    /// Drain delay, if it is set.
    pub(super) drain_delay: Option<Duration>,
    pub(super) startup_timeout: Duration,
    /// Time after which a stalled process fails its liveness probe; `None` for never.
    pub(super) stall_timeout: Option<Duration>,
    /// Variables of the environment that have set something: the program has the same settings
    /// elsewhere only if it has them there, too.
    pub(super) variables: Vec<(String, String)>,
}

/// Server of a program.
#[derive(Debug, Clone)]
pub(crate) struct ProgramServer {
    /// Addresses, as [`Http::bind`](crate::Http::bind) takes them.
    pub(crate) addresses: Vec<String>,
    pub(crate) is_tls: bool,
    /// Time for which an idle connection is kept, if it is one of the settings' times.
    pub(crate) keep_alive: Option<Duration>,
}

impl Program {
    /// Describes a program with these settings. A setting that only the platform has changed counts
    /// as unset: the manifest is for another platform.
    pub(crate) fn new(info: &Info, config: &Config, servers: Vec<ProgramServer>) -> Self {
        let known = |name: &str| {
            let mut facts = info.known();
            facts.find(|(fact, _)| *fact == name).map(|(_, value)| value.to_owned())
        };
        let if_set = |setting, time| config.origins.is_set(setting).then_some(time);
        Self {
            name: known("name").unwrap_or_default(),
            version: known("version"),
            servers,
            admin: config.admin.clone(),
            grace: if_set("grace", config.grace),
            drain_delay: if_set("drain_delay", config.drain_delay),
            startup_timeout: config.startup_timeout,
            stall_timeout: config.stall_limits.timeout,
            variables: config.variables(Config::environment()),
        }
    }

    /// Describes a program of which nothing is known but its executable.
    pub(super) fn of_executable() -> Self {
        Self::new(&Info::of_executable(), &Config::default(), Vec::new())
    }

    /// Returns the name that the program has as a container, a service or a unit.
    pub(super) fn label(&self) -> String {
        names::label(&self.name)
    }

    /// Returns the image, whose registry nobody knows.
    pub(super) fn image(&self) -> String {
        let version = self.version.as_deref().and_then(names::version);
        format!("registry.example/{}:{}", self.label(), version.as_deref().unwrap_or("latest"))
    }

    /// Returns the first lines of a manifest: its program, and the settings that it was made for.
    pub(super) fn heading(&self, format: &str, drain_delay: Duration) -> String {
        let version = self.version.as_deref().map(|version| format!(" {version}"));
        let name = in_comment(&format!("{}{}", self.name, version.unwrap_or_default()));
        let stall_timeout = self.stall_timeout.map_or_else(|| "off".to_owned(), written);
        let mut text = format!(
            "# {name}, by LIFECYCLE_PLAN={format}. REPLACE marks what the program doesn't know.\n\
             # Its settings there: grace {}, drain_delay {}, startup_timeout {}, stall_timeout \
             {stall_timeout}",
            written(self.grace_or_default()),
            written(drain_delay),
            written(self.startup_timeout),
        );
        let keep_alive = self.servers.iter().filter_map(|server| server.keep_alive).min();
        if let Some(keep_alive) = keep_alive {
            text.push_str(&format!(", keep_alive {}", written(keep_alive)));
        }
        text.push_str(".\n");
        text
    }

    /// Returns the grace period that the program has where nobody stops it after less.
    pub(super) fn grace_or_default(&self) -> Duration {
        self.grace.unwrap_or(Config::default().grace)
    }

    /// Returns the drain delay that the program has outside of Kubernetes.
    pub(super) fn drain_delay(&self) -> Duration {
        self.drain_delay.unwrap_or_default()
    }

    /// Returns the drain delay that the program has in Kubernetes.
    pub(super) fn drain_delay_in_kubernetes(&self) -> Duration {
        let default = || delay_in_kubernetes(self.grace_or_default());
        if self.servers.is_empty() {
            return self.drain_delay();
        }
        self.drain_delay.unwrap_or_else(default)
    }

    /// Returns the seconds that a stop has before the program is killed.
    pub(super) fn stop_limit(&self) -> u64 {
        whole_seconds(self.grace_or_default()).saturating_add(MARGIN)
    }

    /// Returns the seconds that a start has before it is given up from outside.
    pub(super) fn start_limit(&self) -> u64 {
        whole_seconds(self.startup_timeout).saturating_add(MARGIN)
    }

    /// Returns whether the environment has set this variable.
    pub(super) fn is_from_environment(&self, name: &str) -> bool {
        self.variables.iter().any(|(variable, _)| variable == name)
    }

    /// Returns the variables of the environment, except for those of addresses.
    pub(super) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let is_address = |name: &str| matches!(name, "LIFECYCLE_BIND" | "LIFECYCLE_ADMIN");
        self.variables.iter().filter(move |(name, _)| !is_address(name)).cloned()
    }
}

/// Returns the time in seconds, rounded up.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
