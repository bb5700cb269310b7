//! Signals, sorted by what a hook may hear.

use crate::words;

/// POSIX signals that a program may use as it likes.
pub const FREE: [&str; 17] = [
    "SIGHUP",
    "SIGUSR1",
    "SIGUSR2",
    "SIGWINCH",
    "SIGALRM",
    "SIGCHLD",
    "SIGCONT",
    "SIGIO",
    "SIGPIPE",
    "SIGPROF",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGVTALRM",
    "SIGXCPU",
    "SIGXFSZ",
];

/// Signals that the runtime itself hears.
const STOPS: [&str; 3] = ["SIGTERM", "SIGINT", "SIGQUIT"];

/// Signals that the system never hands to a program.
const UNCAUGHT: [&str; 2] = ["SIGKILL", "SIGSTOP"];

/// Signals that a thread gets for a fault of its own, which it would repeat as soon as a handler
/// returned.
const FAULTS: [&str; 7] = ["SIGSEGV", "SIGILL", "SIGFPE", "SIGBUS", "SIGABRT", "SIGTRAP", "SIGSYS"];

/// Returns the signal of this name, if a hook may hear it.
pub fn parse(name: &str) -> Result<&'static str, String> {
    if let Some(signal) = FREE.into_iter().find(|signal| *signal == name) {
        return Ok(signal);
    }
    Err(if STOPS.contains(&name) {
        format!(
            "the framework itself uses `{name}`: it begins the stop, for which there are \
             `#[on_drain]` and \
             `#[on_shutdown]` hooks"
        )
    } else if UNCAUGHT.contains(&name) {
        format!("`{name}` can't be caught: the system never hands it to a program")
    } else if FAULTS.contains(&name) {
        format!(
            "`{name}` is not for hooks: it tells of a fault in the program, which can't go on from \
             there"
        )
    } else {
        let all = FREE.into_iter().chain(STOPS).chain(UNCAUGHT).chain(FAULTS);
        let whole =
            if is_name(&name.to_uppercase()) { name.to_owned() } else { format!("SIG{name}") };
        let known = format!("a hook can hear {}", words::list(FREE, "or"));
        words::unknown("signal", name, words::meant(&whole, all), &known)
    })
}

/// Returns whether a name is meant to be that of a signal.
pub fn is_name(name: &str) -> bool {
    name.starts_with("SIG")
}
