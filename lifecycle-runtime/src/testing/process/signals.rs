//! Signals that the system sends to processes.

use std::io;
use std::process::ExitStatus;

use crate::testing::Signal;

/// Sends a signal to a process.
#[cfg(unix)]
pub(super) fn send(signal: Signal, process: u32) -> io::Result<()> {
    use nix::sys::signal::{Signal as Number, kill};
    let number: Number = signal
        .name()
        .parse()
        .map_err(|_| io::Error::other(format!("there is no {signal} on this system")))?;
    let process = i32::try_from(process).map_err(io::Error::other)?;
    Ok(kill(nix::unistd::Pid::from_raw(process), number)?)
}

#[cfg(not(unix))]
pub(super) fn send(_signal: Signal, _process: u32) -> io::Result<()> {
    Err(io::Error::other("there are no signals on this system; `kill` ends a process"))
}

/// Returns the signal that killed a process.
#[cfg(unix)]
pub(super) fn killer(status: ExitStatus) -> Option<Signal> {
    use std::os::unix::process::ExitStatusExt;
    let number = nix::sys::signal::Signal::try_from(status.signal()?);
    // Real-time signals have no names.
    Some(number.map_or(Signal::named("an unnamed signal"), |number| Signal::named(number.as_str())))
}

#[cfg(not(unix))]
pub(super) fn killer(_status: ExitStatus) -> Option<Signal> {
    None
}
