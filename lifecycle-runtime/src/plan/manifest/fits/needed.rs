//! Times that a program needs, with the variables that a manifest gives it.

use std::time::Duration;

use crate::event::readable;
use crate::plan::manifest::Program;
use crate::process::config::Config;

/// Time on top of the grace period in which the process is gone, as the 10 s of `docker stop` are a
/// second more than the 9 s of a container.
const LEAST_MARGIN: Duration = Duration::from_secs(1);

/// Signals that begin a stop: SIGTERM, SIGINT and SIGQUIT, by name or number.
const STOP_SIGNALS: [&str; 6] = ["TERM", "INT", "QUIT", "15", "2", "3"];

/// Times that a program needs from whoever starts and stops it.
#[derive(Debug)]
pub(super) struct Needed {
    pub(super) grace: Duration,
    pub(super) startup_timeout: Duration,
}

impl Needed {
    /// Returns the times that a program has with these variables. `default` is its grace period in
    /// that place, if nobody sets it.
    ///
    /// # Errors
    ///
    /// The reason for which the program would not start.
    pub(super) fn with(
        program: &Program,
        default: Duration,
        variables: Vec<(String, String)>,
    ) -> Result<Self, String> {
        let config = Config::default().with(variables).map_err(|error| error.to_string())?;
        if config.bind.is_some() && program.servers.len() > 1 {
            return Err(format!(
                "LIFECYCLE_BIND is for programs with one HTTP server, and this one has {}",
                program.servers.len()
            ));
        }
        let is_set = |setting| config.origins.is_set(setting);
        let grace = program.grace.unwrap_or(default);
        Ok(Self {
            grace: if is_set("grace") { config.grace } else { grace },
            startup_timeout: if is_set("startup_timeout") {
                config.startup_timeout
            } else {
                program.startup_timeout
            },
        })
    }

    /// Returns the reason for which the program is killed in its stop, if the limit of the stop is
    /// too short. `limited` says which setting it is, and `used` is the time of it that is over
    /// before the signal.
    pub(super) fn of_stop(&self, limited: &str, limit: Duration, used: Duration) -> Option<String> {
        let needed = self.grace.saturating_add(LEAST_MARGIN);
        let (grace, whole) = (readable(self.grace), readable(needed));
        let short = format!("the program needs {whole}: its grace period of {grace}, and a second");
        if limit < needed {
            return Some(format!(
                "{limited}, and {short}; raise it, or lower `grace` or LIFECYCLE_GRACE"
            ));
        }
        let left = limit.saturating_sub(used);
        (left < needed).then(|| {
            format!(
                "{limited}, of which a preStop hook uses {}, and {short}; leave the hook out, as \
                 drain_delay does what its sleep is for",
                readable(used)
            )
        })
    }

    /// Returns the reason for which a start that is not over is given up from outside, if the limit
    /// of the start is too short.
    pub(super) fn of_start(&self, limited: &str, limit: Duration) -> Option<String> {
        (limit <= self.startup_timeout).then(|| {
            format!(
                "{limited}, and the start may take {}; raise it, or lower `startup_timeout` or \
                 LIFECYCLE_STARTUP_TIMEOUT",
                readable(self.startup_timeout)
            )
        })
    }
}

/// Returns the reason for which a signal begins no stop, if it is not one of those that do.
pub(super) fn of_stop_signal(setting: &str, signal: &str) -> Option<String> {
    let begins_stop = STOP_SIGNALS.contains(&signal.trim().trim_start_matches("SIG"));
    (!begins_stop).then(|| format!("{setting} is {signal}, which begins no stop; leave it out"))
}

/// Returns those that may be the program: those that are known to be, or the only one.
///
/// # Errors
///
/// The names of those that it may be, if there is no telling.
pub(super) fn own<'m, T>(
    program: &Program,
    what: &str,
    all: &'m [(String, T)],
    is_known: impl Fn(&T) -> bool,
) -> Result<Vec<&'m (String, T)>, String> {
    let label = program.label();
    let is_named = |name: &String| *name == label || *name == program.name;
    let is_own = |(name, it): &&(String, T)| is_named(name) || is_known(it);
    let own: Vec<_> = all.iter().filter(is_own).collect();
    match all {
        _ if !own.is_empty() => Ok(own),
        [only] => Ok(vec![only]),
        all => {
            let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
            Err(format!(
                "which {what} is this program: {}? name it `{label}`, or give it a variable of the \
                 program",
                names.join(", ")
            ))
        }
    }
}
