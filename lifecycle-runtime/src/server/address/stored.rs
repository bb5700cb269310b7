//! Listeners that the service manager keeps for the next process, as in `FDSTORE` of
//! `sd_notify(3)`: a crash loses no connection that waits in them.
//!
//! Each is kept under a name that is made of its address. The next process gets it as one of the
//! listeners that its parent has left open, and takes it where it would bind the address.

use std::fmt::Write;

use socket2::Socket;

use crate::process::systemd::Notifier;

/// Begin of the names.
const PREFIX: &str = "lifecycle-stored-";

/// Longest name that systemd takes (`FDNAME_MAX`).
const LONGEST_NAME: usize = 255;

/// Returns the name for an address, such as `127.0.0.1:8080` or `unix:/run/app.sock`; `None` if it
/// would be too long. A name has no colon and only visible characters of ASCII.
pub(super) fn name_of(address: &str) -> Option<String> {
    let mut name = PREFIX.to_owned();
    for byte in address.bytes() {
        if byte.is_ascii_graphic() && byte != b':' && byte != b'%' {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    (name.len() <= LONGEST_NAME).then_some(name)
}

/// Returns whether a listener of this name is one that the service manager has kept for us.
pub(super) fn is_stored_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Gives the service manager a listener to keep, if it keeps any. Returns whether it does: then
/// clients that wait when this process ends are for the next one.
pub(super) fn store(notifier: &Notifier, address: &str, listener: &Socket) -> bool {
    if !notifier.stores_listeners() {
        return false;
    }
    let (Some(name), Ok(copy)) = (name_of(address), listener.try_clone()) else { return false };
    notifier.store(&name, copy);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_addresses_apart_and_are_such_as_systemd_takes() {
        for (address, expected) in [
            ("127.0.0.1:8080", "lifecycle-stored-127.0.0.1%3A8080"),
            ("[::1]:80", "lifecycle-stored-[%3A%3A1]%3A80"),
            ("unix:/run/über app", "lifecycle-stored-unix%3A/run/%C3%BCber%20app"),
            ("unix:/run/100%25", "lifecycle-stored-unix%3A/run/100%2525"),
        ] {
            let name = name_of(address).expect("short enough");
            assert_eq!(name, expected);
            assert!(is_stored_name(&name));
        }
        assert_eq!(name_of(&format!("unix:/{}", "a".repeat(300))), None);
        assert!(!is_stored_name("web"));
    }
}
