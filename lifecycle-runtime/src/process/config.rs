//! Settings of a run: those of the builder, which `LIFECYCLE_*` environment variables override.

mod duration;
mod environment;
mod in_force;
mod outputs;
mod platform;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use duration::written;
#[cfg(feature = "testing")]
pub(crate) use environment::SEED;
pub(crate) use environment::{ConfigError, LONGEST, NOTHING_SERVED, WORKERS, worker_count};
pub(crate) use in_force::{InForce, SettingOrigin, SettingOrigins, SettingsInForce};
pub use outputs::ConsoleFormat;
pub(crate) use outputs::{OutputSettings, TerminationLog};
#[cfg(feature = "testing")]
pub(crate) use platform::CONTAINER_STOP;
pub(crate) use platform::{Platform, delay_in_kubernetes};

use super::stalls::StallLimits;

/// Settings of a run that are not a server's own.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Config {
    pub(crate) grace: Duration,
    pub(crate) startup_timeout: Duration,
    /// Time that requests have; `None` for what shutdown hooks leave of `grace`, and at least half
    /// of it.
    pub(crate) drain_timeout: Option<Duration>,
    pub(crate) drain_delay: Duration,
    pub(crate) quiet_window: Duration,
    pub(crate) console: ConsoleMode,
    pub(crate) outputs: OutputSettings,
    pub(crate) strict_budget: bool,
    /// Set if the run goes on when all services are done and there is no server.
    pub(crate) keep_running: bool,
    /// Addresses to listen on instead of the server's own.
    pub(crate) bind: Option<Vec<String>>,
    /// Address on which the probes are answered.
    pub(crate) admin: Option<String>,
    /// Set if the listener of the probes shows everything, even on an address that others reach.
    pub(crate) admin_details: bool,
    /// Host names that clients of that listener may use, besides those of this machine.
    pub(crate) admin_hosts: Vec<String>,
    /// Time for which idle connections are kept instead of the server's own; zero if they are not.
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) ready_while_draining: bool,
    pub(crate) stall_limits: StallLimits,
    /// Number of workers instead of the server's own.
    pub(crate) workers: Option<usize>,
    /// File for the id of the process.
    pub(crate) pid_file: Option<PathBuf>,
    /// Format in which the program prints the plan instead of running.
    pub(crate) plan: Option<PlanFormat>,
    pub(crate) origins: SettingOrigins,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(25),
            startup_timeout: Duration::from_secs(60),
            drain_timeout: None,
            drain_delay: Duration::ZERO,
            quiet_window: Duration::from_millis(250),
            console: ConsoleMode::Auto,
            outputs: OutputSettings::default(),
            strict_budget: false,
            keep_running: false,
            bind: None,
            admin: None,
            admin_details: false,
            admin_hosts: Vec::new(),
            keep_alive: None,
            ready_while_draining: false,
            stall_limits: StallLimits::default(),
            workers: None,
            pid_file: None,
            plan: None,
            origins: SettingOrigins::default(),
        }
    }
}

/// Settings that the time table of a stop depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopSettings {
    pub(crate) grace: Duration,
    pub(crate) drain_delay: Duration,
    /// Set if the program or the environment has set `drain_delay`. Its default may depend on the
    /// platform.
    pub(crate) drain_delay_is_set: bool,
    pub(crate) drain_timeout: Option<Duration>,
    pub(crate) quiet_window: Duration,
    /// Set if the program has a server, whose requests need time.
    pub(crate) serves: bool,
}

/// Events that the console writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsoleMode {
    /// Those that nobody shows by `tracing`.
    Auto,
    /// All.
    On,
    /// None.
    Off,
}

impl From<bool> for ConsoleMode {
    fn from(console: bool) -> Self {
        if console { Self::On } else { Self::Off }
    }
}

impl Config {
    /// Returns the grace period, or the default in place of zero, which is refused.
    pub(crate) fn grace_or_default(&self) -> Duration {
        if self.grace.is_zero() { Self::default().grace } else { self.grace }
    }

    /// Returns the settings that the time table of a stop depends on.
    pub(crate) fn stop_settings(&self, serves: bool) -> StopSettings {
        StopSettings {
            grace: self.grace,
            drain_delay: self.drain_delay,
            drain_delay_is_set: self.origins.is_set("drain_delay"),
            drain_timeout: self.drain_timeout,
            quiet_window: self.quiet_window,
            serves,
        }
    }
}

/// Description of the values of `LIFECYCLE_PLAN`.
pub(crate) const PLAN_FORMATS: &str =
    "text, snapshot, mermaid, dot, json, kubernetes, compose, systemd or dockerfile";

/// Format of a plan; the values of `LIFECYCLE_PLAN`.
///
/// ```
/// use lifecycle_runtime::plan::PlanFormat;
///
/// assert_eq!("dot".parse(), Ok(PlanFormat::Dot));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanFormat {
    /// Plain lines for reading, with the file and line of each hook. They show those keys of an
    /// attribute that are not the default.
    Text,
    /// The same lines with the module of each hook instead, for a file that is kept and compared.
    /// They change with the plan, and not with the code around it. One hook is one line, wherever
    /// the code is built and in whatever order it is linked.
    ///
    /// With [insta](https://insta.rs) a test shows what has changed, and `cargo insta review` keeps
    /// it. `Cargo.toml`:
    ///
    /// ```toml
    /// [dev-dependencies]
    /// insta = "1"
    /// ```
    ///
    /// A test, beside those of the service:
    ///
    /// ```test_harness,no_run
    /// use lifecycle_runtime::plan::{PlanError, PlanFormat};
    /// use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};
    ///
    /// #[on_startup(timeout = "10s")]
    /// async fn db() {}
    /// #[on_startup]
    /// async fn migrations(_db: Dep<db>) {}
    /// #[on_shutdown(of = db)]
    /// async fn close_db(_db: Dep<db>) {}
    ///
    /// #[test]
    /// fn the_plan_is_the_one_that_was_reviewed() -> Result<(), PlanError> {
    ///     insta::assert_snapshot!(Lifecycle::new().plan()?.render(PlanFormat::Snapshot));
    ///     Ok(())
    /// }
    /// ```
    ///
    /// The snapshot that it keeps, in `snapshots/`:
    ///
    /// ```text
    /// start
    ///   db  my_service  timeout 10s
    ///   migrations  my_service  after db
    /// ready
    ///   nothing
    /// drain
    ///   nothing
    /// stop
    ///   close_db  my_service  teardown of db
    /// ```
    Snapshot,
    /// A [Mermaid](https://mermaid.js.org) flowchart, as Markdown on many platforms shows it.
    Mermaid,
    /// A graph for [Graphviz](https://graphviz.org).
    Dot,
    /// The whole plan as JSON, for programs.
    Json,
    /// A manifest for Kubernetes, in YAML: a Deployment, a Service and a `PodDisruptionBudget`.
    ///
    /// This and the following three are files by which the program is deployed [with its
    /// settings](crate::guide::deploying#files-that-fit): its name and version, its addresses and
    /// its limits of time. `REPLACE` marks what the program doesn't know, such as its image. A
    /// setting counts as the program or the environment has set it; where nobody has, the file has
    /// the default of the place that it is for, and not that of the machine that makes it.
    ///
    /// `Plan::assert_fits`, with the feature `testing`, checks a file that you have changed, or one
    /// of your own.
    Kubernetes,
    /// A file of compose, with a service for Docker.
    Compose,
    /// Units of systemd: a service, and a socket for the addresses of its server. Each stands
    /// behind a comment with the name of its file.
    Systemd,
    /// A Dockerfile that builds the program.
    Dockerfile,
}

impl FromStr for PlanFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "snapshot" => Ok(Self::Snapshot),
            "mermaid" => Ok(Self::Mermaid),
            "dot" => Ok(Self::Dot),
            "json" => Ok(Self::Json),
            "kubernetes" => Ok(Self::Kubernetes),
            "compose" => Ok(Self::Compose),
            "systemd" => Ok(Self::Systemd),
            "dockerfile" => Ok(Self::Dockerfile),
            _ => Err(format!("expected {PLAN_FORMATS}")),
        }
    }
}
