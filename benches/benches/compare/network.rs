//! Network between a program and its clients.

use std::net::{IpAddr, Ipv4Addr};

#[cfg(target_os = "linux")]
use lifecycle_tests_rig::{Link, Rig};

/// Network that the programs serve on.
pub(crate) enum Network {
    Loopback,
    /// Two network namespaces with a round trip between them.
    #[cfg(target_os = "linux")]
    Distant(Rig),
}

impl Network {
    /// Makes a network with this round trip time in milliseconds.
    ///
    /// # Errors
    ///
    /// The reason why there can be no such network here.
    #[cfg(target_os = "linux")]
    pub(crate) fn distant(rtt: u64) -> Result<Self, String> {
        if let Some(reason) = lifecycle_tests_rig::unavailable() {
            return Err(reason.to_owned());
        }
        Rig::new(Link::rtt(rtt)).map(Self::Distant).map_err(|error| error.to_string())
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn distant(_rtt: u64) -> Result<Self, String> {
        Err("network namespaces are Linux's".to_owned())
    }

    /// Returns the address of the server's side.
    pub(crate) fn server_ip(&self) -> IpAddr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST.into(),
            #[cfg(target_os = "linux")]
            Self::Distant(_) => Rig::SERVER.into(),
        }
    }

    /// Runs a closure on the server's side, where its threads and processes remain.
    pub(crate) fn server<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Loopback => work(),
            #[cfg(target_os = "linux")]
            Self::Distant(rig) => rig.server(work),
        }
    }

    /// Runs a closure on the clients' side, where its threads and processes remain.
    pub(crate) fn client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Loopback => work(),
            #[cfg(target_os = "linux")]
            Self::Distant(rig) => rig.client(work),
        }
    }
}
