//! Variables that a service manager sets for the processes that it starts.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

/// Contents of the service manager's variables.
#[derive(Debug, Default)]
pub(super) struct ManagerVariables {
    /// `NOTIFY_SOCKET`: a path, or an abstract name behind an `@`.
    pub(super) socket: Option<OsString>,
    /// `WATCHDOG_USEC`: the time between two signs of life at most, in microseconds.
    pub(super) watchdog: Option<String>,
    /// `WATCHDOG_PID`: the process that they are expected of.
    pub(super) watchdog_pid: Option<String>,
    /// `FDSTORE`: the number of descriptors that the service manager keeps at most.
    pub(super) store: Option<String>,
}

impl ManagerVariables {
    /// Returns the variables of this process. One that is empty counts as unset.
    pub(super) fn read() -> Self {
        let value = |name| env::var_os(name).filter(|value| !value.is_empty());
        let text = |name| value(name).map(|value| value.to_string_lossy().into_owned());
        Self {
            socket: value("NOTIFY_SOCKET"),
            watchdog: text("WATCHDOG_USEC"),
            watchdog_pid: text("WATCHDOG_PID"),
            store: text("FDSTORE"),
        }
    }

    /// Returns the time between two signs of life at most, if they are expected of this process.
    ///
    /// # Errors
    ///
    /// The mistake, if that is no time.
    pub(super) fn watchdog(&self, own: u32) -> Result<Option<Duration>, String> {
        let Some(time) = &self.watchdog else { return Ok(None) };
        if self.watchdog_pid.as_ref().is_some_and(|pid| pid.parse() != Ok(own)) {
            return Ok(None);
        }
        match time.parse() {
            Ok(0) | Err(_) => Err(format!(
                "WATCHDOG_USEC={time} is no time in microseconds: the service manager gets no \
                 WATCHDOG=1"
            )),
            Ok(micros) => Ok(Some(Duration::from_micros(micros))),
        }
    }

    /// Returns whether the service manager keeps descriptors.
    pub(super) fn stores_descriptors(&self) -> bool {
        let count = self.store.as_ref().and_then(|count| count.parse::<u64>().ok());
        count.is_some_and(|count| count > 0)
    }
}
