//! Settings as `LIFECYCLE_*` environment variables.

mod hosts;
mod of_services;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Config, ConsoleFormat, ConsoleMode, OutputSettings, PLAN_FORMATS};
use super::{SettingOrigin, TerminationLog, duration};
use crate::process::stalls::StallLimits;
use hosts::{host, hosts};
use of_services::is_of_a_service;

/// Environment variable: its name, the form of its value, and the function that sets it.
struct Variable {
    name: &'static str,
    form: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
}

const PREFIX: &str = "LIFECYCLE_";

impl Variable {
    /// Returns the name of the setting: `grace` for `LIFECYCLE_GRACE`.
    fn setting(&self) -> String {
        self.name.trim_start_matches(PREFIX).to_ascii_lowercase()
    }
}

/// Variable for tests that explore schedules. Programs that they start inherit it and ignore it.
pub(crate) const SEED: &str = "LIFECYCLE_SEED";

/// Longest time of a setting: a hundred years, longer than any process lives. A clock could not
/// tell moments that are much further ahead.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Largest number of workers that makes sense.
const MAX_WORKERS: usize = 512;

/// Description of the numbers of workers that a server can have.
pub(crate) const WORKERS: &str = "a number of threads from 1 to 512";

/// Reason why a count of 0 is refused.
pub(crate) const NOTHING_SERVED: &str = "nothing would be served";

const DURATION: &str = "a duration such as 250ms, 5s or 1m30s";

const DURATION_OR_OFF: &str = "off or a duration such as 250ms, 5s or 1m30s";

/// Variables of the outputs, which count even if others are refused.
const OF_OUTPUTS: [&str; 3] =
    ["LIFECYCLE_CONSOLE", "LIFECYCLE_REPORT", "LIFECYCLE_TERMINATION_LOG"];

const VARIABLES: [Variable; 21] = [
    Variable {
        name: "LIFECYCLE_ADMIN",
        form: "an address such as 0.0.0.0:9000 or unix:/run/admin.sock",
        set: |c, v| set(&mut c.admin, address(v).map(Some)),
    },
    Variable {
        name: "LIFECYCLE_ADMIN_DETAILS",
        form: "on or off",
        set: |c, v| set(&mut c.admin_details, switch(v)),
    },
    Variable {
        name: "LIFECYCLE_ADMIN_HOSTS",
        form: "host names such as admin.internal, separated by commas",
        set: |c, v| set(&mut c.admin_hosts, hosts(v)),
    },
    Variable {
        name: "LIFECYCLE_BIND",
        form: "addresses such as 0.0.0.0:8080, unix:/run/app.sock or fd:3, separated by commas",
        set: |c, v| set(&mut c.bind, addresses(v).map(Some)),
    },
    Variable {
        name: "LIFECYCLE_CONSOLE",
        form: "auto, on or off, and live, plain, time or json, separated by a comma",
        set: console,
    },
    Variable {
        name: "LIFECYCLE_DRAIN_DELAY",
        form: DURATION,
        set: |c, v| set(&mut c.drain_delay, duration::parse(v)),
    },
    Variable {
        name: "LIFECYCLE_DRAIN_TIMEOUT",
        form: DURATION,
        set: |c, v| set(&mut c.drain_timeout, duration::parse(v).map(Some)),
    },
    Variable {
        name: "LIFECYCLE_GRACE",
        form: DURATION,
        set: |c, v| set(&mut c.grace, positive(v)),
    },
    Variable {
        name: "LIFECYCLE_KEEP_ALIVE",
        form: DURATION_OR_OFF,
        set: |c, v| set(&mut c.keep_alive, keep_alive(v).map(Some)),
    },
    Variable {
        name: "LIFECYCLE_KEEP_RUNNING",
        form: "on or off",
        set: |c, v| set(&mut c.keep_running, switch(v)),
    },
    Variable {
        name: "LIFECYCLE_PID_FILE",
        form: "off or a path such as /run/app.pid",
        set: |c, v| set(&mut c.pid_file, path(v)),
    },
    Variable {
        name: "LIFECYCLE_PLAN",
        form: PLAN_FORMATS,
        set: |c, v| set(&mut c.plan, v.parse().map(Some).map_err(|_| "unknown format".to_owned())),
    },
    Variable {
        name: "LIFECYCLE_QUIET_WINDOW",
        form: DURATION,
        set: |c, v| set(&mut c.quiet_window, duration::parse(v)),
    },
    Variable {
        name: "LIFECYCLE_READY_WHILE_DRAINING",
        form: "on or off",
        set: |c, v| set(&mut c.ready_while_draining, switch(v)),
    },
    Variable {
        name: "LIFECYCLE_REPORT",
        form: "off or a path such as run.json",
        set: |c, v| set(&mut c.outputs.report, path(v)),
    },
    Variable {
        name: "LIFECYCLE_STALL_AFTER",
        form: DURATION,
        set: |c, v| set(&mut c.stall_limits.after, positive(v)),
    },
    Variable {
        name: "LIFECYCLE_STALL_TIMEOUT",
        form: DURATION_OR_OFF,
        set: |c, v| set(&mut c.stall_limits.timeout, positive_or_off(v)),
    },
    Variable {
        name: "LIFECYCLE_STARTUP_TIMEOUT",
        form: DURATION,
        set: |c, v| set(&mut c.startup_timeout, positive(v)),
    },
    Variable {
        name: "LIFECYCLE_STRICT_BUDGET",
        form: "on or off",
        set: |c, v| set(&mut c.strict_budget, switch(v)),
    },
    Variable {
        name: "LIFECYCLE_TERMINATION_LOG",
        form: "off or a path such as /dev/termination-log",
        set: |c, v| set(&mut c.outputs.termination_log, path(v).map(termination_log)),
    },
    Variable {
        name: "LIFECYCLE_WORKERS",
        form: WORKERS,
        set: |c, v| set(&mut c.workers, workers(v).map(Some)),
    },
];

impl Config {
    /// Overrides these settings by those of the environment. An empty variable counts as unset.
    ///
    /// # Errors
    ///
    /// Each name that begins like a setting and is none, and each value that a setting can't have,
    /// even one of the builder.
    pub(crate) fn with(
        mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let is_ours = |name: &str, value: &str| {
            let is_set = name.starts_with(PREFIX) && !value.trim().is_empty();
            is_set && name != SEED && !is_of_a_service(name, value)
        };
        let ours = environment.into_iter().filter(|(name, value)| is_ours(name, value));
        let mut ours: Vec<_> = ours.map(|(name, value)| format!("{name}={value}")).collect();
        ours.sort();
        for (name, value) in ours.iter().filter_map(|entry| entry.split_once('=')) {
            let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) else {
                let meant =
                    meant(name).map(|meant| format!(", did you mean {meant}?")).unwrap_or_default();
                problems.push(format!("unknown environment variable {name}{meant}"));
                continue;
            };
            match (variable.set)(&mut self, value.trim()) {
                Ok(()) => self.origins.note(&variable.setting(), SettingOrigin::Environment),
                Err(reason) => {
                    problems.push(format!("{name}={value}: {reason}; expected {}", variable.form));
                }
            }
        }
        // The values of the environment have been checked above; these are the builder's.
        for name in &mut self.admin_hosts {
            match host(name) {
                Ok(host) => *name = host,
                Err(reason) => problems.push(format!(
                    "`admin_hosts`: {reason}; expected host names such as admin.internal"
                )),
            }
        }
        let StallLimits { after, timeout } = self.stall_limits;
        let needed = [
            ("grace", self.grace),
            ("startup_timeout", self.startup_timeout),
            ("stall_after", after),
            ("stall_timeout", timeout.unwrap_or(LONGEST)),
        ];
        for (setting, _) in needed.into_iter().filter(|(_, time)| time.is_zero()) {
            problems.push(format!(
                "`{setting}` is 0, and nothing could be done in that time; expected a time above 0"
            ));
        }
        if problems.is_empty() { Ok(self.within_reason()) } else { Err(ConfigError { problems }) }
    }

    /// Returns the settings of the outputs, each by its variable if that has a valid value. What
    /// refuses the other settings has to be written somewhere, too.
    pub(crate) fn outputs_with(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> OutputSettings {
        let mut config = self.clone();
        for (name, value) in environment {
            let is_of_outputs = OF_OUTPUTS.contains(&&*name) && !value.trim().is_empty();
            let variable = VARIABLES.iter().find(|variable| variable.name == name);
            if let (true, Some(variable)) = (is_of_outputs, variable) {
                let mut changed = config.clone();
                // `with` refuses what is invalid.
                if (variable.set)(&mut changed, value.trim()).is_ok() {
                    config = changed;
                }
            }
        }
        config.outputs.absolute()
    }

    /// Shortens the times that are longer than [`LONGEST`].
    fn within_reason(mut self) -> Self {
        for duration in [
            &mut self.grace,
            &mut self.startup_timeout,
            &mut self.stall_limits.after,
            &mut self.drain_delay,
            &mut self.quiet_window,
        ] {
            *duration = LONGEST.min(*duration);
        }
        let timeout = &mut self.stall_limits.timeout;
        *timeout = timeout.map(|duration| LONGEST.min(duration));
        self.drain_timeout = self.drain_timeout.map(|duration| LONGEST.min(duration));
        self.keep_alive = self.keep_alive.map(|duration| LONGEST.min(duration));
        self
    }

    /// Returns the process's environment, for [`with`](Self::with). Text that is not Unicode is
    /// shown as it can be, and so refused.
    pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
        let text = |text: std::ffi::OsString| {
            text.into_string().unwrap_or_else(|text| text.to_string_lossy().into_owned())
        };
        std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
    }
}

/// Returns the variable that may have been meant: one that is a few letters away.
fn meant(name: &str) -> Option<&'static str> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let nearest =
        VARIABLES.iter().map(|variable| variable.name).min_by_key(|other| distance(other));
    nearest.filter(|other| distance(other) <= 2)
}

fn set<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn positive(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("nothing can finish in no time".to_owned()),
        duration => Ok(duration),
    }
}

fn positive_or_off(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" { Ok(None) } else { positive(text).map(Some) }
}

fn keep_alive(text: &str) -> Result<Duration, String> {
    if text == "off" { Ok(Duration::ZERO) } else { duration::parse(text) }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("neither on nor off".to_owned()),
    }
}

/// Sets the events that the console writes, or the form of its lines, or both.
fn console(config: &mut Config, text: &str) -> Result<(), String> {
    for word in text.split(',').map(str::trim) {
        match word {
            "auto" => config.console = ConsoleMode::Auto,
            "live" => config.set_console_format(ConsoleFormat::Live),
            "plain" => config.set_console_format(ConsoleFormat::Plain),
            "time" => config.set_console_format(ConsoleFormat::Time),
            "json" => config.set_console_format(ConsoleFormat::Json),
            _ => {
                let is_on = switch(word).map_err(|_| format!("`{word}` is none of these"))?;
                config.console = is_on.into();
            }
        }
    }
    Ok(())
}

impl Config {
    fn set_console_format(&mut self, format: ConsoleFormat) {
        self.outputs.console = format;
        self.origins.note("console_format", SettingOrigin::Environment);
    }
}

/// Returns a path, or `None` for `off`.
fn path(text: &str) -> Result<Option<PathBuf>, String> {
    // Text that is not Unicode has come as such characters.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("the path is not Unicode".to_owned());
    }
    Ok((text != "off").then(|| PathBuf::from(text)))
}

fn termination_log(path: Option<PathBuf>) -> TerminationLog {
    path.map_or(TerminationLog::Off, TerminationLog::File)
}

fn workers(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|_| "not a number".to_owned())?;
    worker_count(number).map_err(str::to_owned)
}

/// Returns the number of workers if a server can have so many.
pub(crate) fn worker_count(number: usize) -> Result<usize, &'static str> {
    match number {
        0 => Err(NOTHING_SERVED),
        number if number > MAX_WORKERS => Err("too many for one server"),
        number => Ok(number),
    }
}

fn addresses(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(address).collect()
}

fn address(text: &str) -> Result<String, String> {
    let address = text.trim().to_owned();
    if address.is_empty() { Err("an address is empty".to_owned()) } else { Ok(address) }
}

/// Error of a configuration: every problem, and the names that are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    pub(crate) fn new(problem: String) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))?;
        if self.problems.iter().any(|problem| problem.starts_with("unknown")) {
            let names: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
            write!(f, "\nvalid names: {}", names.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
