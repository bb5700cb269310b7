//! Errors from binding an address, and what to do about them.

use std::io;

/// Error from binding an address.
pub(in crate::server) enum BindError {
    /// Mistake in the configuration, such as text that is no address.
    Malformed(String),
    /// Refusal by the system.
    Refused(String),
}

/// Returns whether the system has no such address, or no addresses of its kind at all.
pub(super) fn is_unavailable(error: &io::Error) -> bool {
    #[cfg(unix)]
    let no_such_kind = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    #[cfg(not(unix))]
    let no_such_kind = 10047; // WSAEAFNOSUPPORT
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(no_such_kind)
}

pub(super) fn malformed(address: &str, reason: &str) -> BindError {
    BindError::Malformed(format!(
        "`{address}` is no address to listen on ({reason}); use host:port, as in \
         127.0.0.1:8080, unix:/path, unix:/path?mode=660, unix:@name, fd:3 or fd:name"
    ))
}

/// Returns the message about an address that the system refuses, with advice.
pub(super) fn refused(address: &str, setting: &str, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 and some folders need more rights: choose"
        }
        io::ErrorKind::AlreadyExists => "move it away, or choose",
        _ if is_unavailable(error) => "this machine has no such address: choose",
        _ => return format!("can't listen on {address}: {error}"),
    };
    format!("can't listen on {address}: {error}; {advice} another address with {setting}")
}
