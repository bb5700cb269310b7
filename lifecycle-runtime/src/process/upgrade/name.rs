//! Names under which a successor finds what it is handed, as in `LISTEN_FDNAMES`.

use std::fmt;

/// Name of the successor's end of the channel.
pub(crate) const CHANNEL: &str = "lifecycle-upgrade";

/// Beginning of the name of a listener.
const LISTENER: &str = "lifecycle-listener";

/// Name of a listener that a successor is handed, which tells the address that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenerName {
    /// Position of the address among those of the program. A host with several addresses has
    /// several listeners with the same number.
    pub(crate) number: usize,
    /// Set if the first of these processes was started with the listener.
    pub(crate) is_of_parent: bool,
    /// Address as the program gives it.
    pub(crate) address: String,
}

impl fmt::Display for ListenerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = if self.is_of_parent { "parent" } else { "own" };
        // A colon separates names.
        let address = self.address.replace('%', "%25").replace(':', "%3A");
        write!(f, "{LISTENER}-{owner}-{}-{address}", self.number)
    }
}

impl ListenerName {
    /// Parses a name; `None` if it is another one.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(LISTENER)?.strip_prefix('-')?;
        let (owner, rest) = rest.split_once('-')?;
        let (number, address) = rest.split_once('-')?;
        Some(Self {
            number: number.parse().ok()?,
            is_of_parent: owner == "parent",
            address: address.replace("%3A", ":").replace("%25", "%"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_given_and_has_no_colon_meanwhile() {
        for address in ["127.0.0.1:80", "[::1]:80", "unix:/a-b%3A?mode=660", "unix:@x", "fd:web"] {
            for is_of_parent in [false, true] {
                let name = ListenerName { number: 12, is_of_parent, address: address.to_owned() };
                let text = name.to_string();
                assert!(!text.contains(':'), "{text}");
                assert_eq!(ListenerName::parse(&text), Some(name));
            }
        }
    }

    #[test]
    fn names_of_others_are_no_listeners_of_a_predecessor() {
        for name in ["", "web", CHANNEL, "lifecycle-listener", "lifecycle-listener-own-x-y"] {
            assert_eq!(ListenerName::parse(name), None, "{name}");
        }
    }
}
