//! Places that this program has bound. The system lets the program bind an address twice, and only
//! refuses the second listener, when all hooks have run.

use std::net::SocketAddr;

use super::BindError;

/// Places that this program has taken, each with its owner.
#[derive(Default)]
pub(crate) struct Taken {
    places: Vec<(Place, String)>,
    /// Number of the addresses that have one.
    numbered: usize,
}

/// Place that a socket is bound to.
#[derive(Clone)]
pub(super) enum Place {
    Tcp {
        address: SocketAddr,
        /// Set if an IPv6 address takes no IPv4.
        only_v6: bool,
    },
    /// A file, by device and inode.
    #[cfg(unix)]
    File(u64, u64),
    /// An abstract name of a Unix socket.
    #[cfg(unix)]
    Abstract(String),
}

impl Place {
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (&Self::Tcp { address: a, .. }, &Self::Tcp { address: b, .. }) => {
                a.port() == b.port() && (a.ip() == b.ip() || self.covers(b) || other.covers(a))
            }
            #[cfg(unix)]
            (Self::File(device, inode), other) => {
                matches!(other, Self::File(d, i) if (d, i) == (device, inode))
            }
            #[cfg(unix)]
            (Self::Abstract(name), other) => {
                matches!(other, Self::Abstract(taken) if taken == name)
            }
            #[cfg(unix)]
            _ => false,
        }
    }

    /// Returns whether the place stands for every address of this one's kind.
    fn covers(&self, one: SocketAddr) -> bool {
        match *self {
            Self::Tcp { address, only_v6 } => {
                let takes_both = address.is_ipv6() && !only_v6;
                address.ip().is_unspecified() && (takes_both || address.is_ipv4() == one.is_ipv4())
            }
            #[cfg(unix)]
            Self::File(..) | Self::Abstract(_) => false,
        }
    }
}

impl Taken {
    /// Returns the number of the next address of the program.
    pub(in crate::server) fn next_number(&mut self) -> usize {
        self.numbered += 1;
        self.numbered - 1
    }

    /// Refuses a place that another of the program's addresses has.
    pub(super) fn check(&self, address: &str, place: &Place) -> Result<(), BindError> {
        match self.places.iter().find(|(taken, _)| taken.meets(place)) {
            Some((_, owner)) => Err(BindError::Malformed(format!(
                "can't listen on {address}, which {owner} of this program takes; \
                 give each an address of its own"
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn add(&mut self, address: &str, setting: &str, place: Place) {
        self.places.push((place, format!("{address} ({setting})")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks whether a program can listen on both addresses.
    #[track_caller]
    fn check(a: &str, b: &str, expected: bool) {
        let place = |text: &str| {
            let (address, only_v6) =
                text.strip_prefix("only ").map_or((text, false), |address| (address, true));
            Place::Tcp { address: address.parse().expect("an address"), only_v6 }
        };
        for (a, b) in [(a, b), (b, a)] {
            let mut taken = Taken::default();
            taken.add(a, "`bind`", place(a));
            assert_eq!(taken.check(b, &place(b)).is_ok(), expected, "{a} {b}");
        }
    }

    #[test]
    fn addresses_meet_that_the_system_lets_nobody_listen_on_at_once() {
        check("127.0.0.1:80", "127.0.0.1:80", false);
        check("127.0.0.1:80", "127.0.0.1:81", true);
        check("127.0.0.1:80", "127.0.0.2:80", true);
        check("0.0.0.0:80", "127.0.0.1:80", false);
        check("[::]:80", "[::1]:80", false);
        check("[::]:80", "0.0.0.0:80", false);
        check("[::]:80", "127.0.0.1:80", false);
        check("only [::]:80", "0.0.0.0:80", true);
        check("[::1]:80", "0.0.0.0:80", true);
        check("[::1]:80", "127.0.0.1:80", true);
    }
}
