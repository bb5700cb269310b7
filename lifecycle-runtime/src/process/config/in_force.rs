//! Settings in force, each with its origin, for people who ask a running program.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Config, ConsoleFormat, ConsoleMode, TerminationLog};
use crate::event::millis;

/// Origin of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SettingOrigin {
    /// The default of the framework.
    Default,
    /// The program, by a builder method.
    Builder,
    /// An environment variable.
    Environment,
    /// The platform, such as Kubernetes, on which a default depends.
    Platform,
}

/// Origins of the settings that don't have the framework's default, by the names of the settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SettingOrigins(BTreeMap<String, SettingOrigin>);

impl SettingOrigins {
    /// Notes the origin of a setting, in place of an earlier one.
    pub(crate) fn note(&mut self, setting: &str, origin: SettingOrigin) {
        self.0.insert(setting.to_owned(), origin);
    }

    /// Returns whether the program or the environment has set this setting.
    pub(crate) fn is_set(&self, setting: &str) -> bool {
        matches!(self.of(setting), SettingOrigin::Builder | SettingOrigin::Environment)
    }

    fn of(&self, setting: &str) -> SettingOrigin {
        self.0.get(setting).copied().unwrap_or(SettingOrigin::Default)
    }
}

/// Setting in force. Durations are numbers of milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct InForce {
    pub(crate) value: Value,
    pub(crate) from: SettingOrigin,
}

/// Settings in force, by their names.
pub(crate) type SettingsInForce = BTreeMap<&'static str, InForce>;

impl Config {
    /// Returns the settings in force, except those that each server has for itself.
    pub(crate) fn in_force(&self) -> SettingsInForce {
        let time = |time: Duration| Value::from(millis(time));
        let console = match self.console {
            ConsoleMode::Auto => "auto",
            ConsoleMode::On => "on",
            ConsoleMode::Off => "off",
        };
        let format = match self.outputs.console {
            ConsoleFormat::Live => "live",
            ConsoleFormat::Plain => "plain",
            ConsoleFormat::Time => "time",
            ConsoleFormat::Json => "json",
        };
        let path = |path: &Path| path.display().to_string();
        let termination_log = match &self.outputs.termination_log {
            TerminationLog::IfPresent => "auto".to_owned(),
            TerminationLog::File(file) => path(file),
            TerminationLog::Off => "off".to_owned(),
        };
        let settings = [
            ("admin", Value::from(self.admin.clone())),
            ("admin_details", self.admin_details.into()),
            ("admin_hosts", self.admin_hosts.clone().into()),
            ("console", console.into()),
            ("console_format", format.into()),
            ("drain_delay", time(self.drain_delay)),
            ("drain_timeout", self.drain_timeout.map(millis).into()),
            ("grace", time(self.grace)),
            ("keep_running", self.keep_running.into()),
            ("pid_file", self.pid_file.as_deref().map(path).into()),
            ("quiet_window", time(self.quiet_window)),
            ("ready_while_draining", self.ready_while_draining.into()),
            ("report", self.outputs.report.as_deref().map(path).into()),
            ("stall_after", time(self.stall_limits.after)),
            ("stall_timeout", self.stall_limits.timeout.map(millis).into()),
            ("startup_timeout", time(self.startup_timeout)),
            ("strict_budget", self.strict_budget.into()),
            ("termination_log", termination_log.into()),
        ];
        let with_origin = |(name, value)| (name, InForce { value, from: self.origins.of(name) });
        settings.into_iter().map(with_origin).collect()
    }

    /// Returns the variables of an environment that have set something, sorted by name, except for
    /// `LIFECYCLE_PLAN`.
    pub(crate) fn variables(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Vec<(String, String)> {
        let is_in_force = |name: &str| {
            let setting = name.strip_prefix("LIFECYCLE_").map(str::to_ascii_lowercase);
            setting.is_some_and(|setting| {
                setting != "plan" && self.origins.of(&setting) == SettingOrigin::Environment
            })
        };
        let mut variables: Vec<_> = environment
            .into_iter()
            .filter(|(name, _)| is_in_force(name))
            .map(|(name, value)| (name, value.trim().to_owned()))
            .collect();
        variables.sort();
        variables
    }

    /// Returns the origin of a setting that each server has for itself. `is_set` is set if the
    /// program has set it for the server.
    pub(crate) fn origin_for_server(&self, setting: &str, is_set: bool) -> SettingOrigin {
        match self.origins.of(setting) {
            SettingOrigin::Default if is_set => SettingOrigin::Builder,
            origin => origin,
        }
    }
}
