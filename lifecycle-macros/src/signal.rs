//! The signals, and which of them a hook may hear.

use crate::words;

/// What POSIX systems have and a program may take as it likes.
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

/// What the runtime hears itself.
const STOPS: [&str; 3] = ["SIGTERM", "SIGINT", "SIGQUIT"];

/// What the system does not hand to a program.
const UNCAUGHT: [&str; 2] = ["SIGKILL", "SIGSTOP"];

/// What a thread gets for what it has just done. It would do it again as soon as a handler has
/// returned.
const FAULTS: [&str; 7] = ["SIGSEGV", "SIGILL", "SIGFPE", "SIGBUS", "SIGABRT", "SIGTRAP", "SIGSYS"];

/// The signal of this name, if a hook may hear it.
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
