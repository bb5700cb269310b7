//! Network between a server and its clients with the round trip time, bandwidth and loss of a real
//! one.
//!
//! A [`Rig`] is two network namespaces joined by a relay over two TUN devices:
//!
//! ```text
//! server process         relay, in the test process          client threads
//! 10.9.0.1  [TUN]  ──▶  loss, queue, bandwidth, delay  ──▶  [TUN]  10.9.0.2
//!           [TUN]  ◀──  loss, queue, bandwidth, delay  ◀──  [TUN]
//! ```
//!
//! A namespace belongs to threads, not to processes: [`Rig::server`] and [`Rig::client`] run a
//! closure on a thread of theirs. Every socket that the closure opens, every thread that it spawns
//! and every process that it starts is in the same namespace. So a program is started by
//! `rig.server(|| Command::new(…).spawn())`, and client code runs unchanged in
//! `rig.client(|| …)`.
//!
//! Rigs don't know of each other: all of them use the same addresses, and each port is free in each
//! of them. Dropping a rig ends its relay and removes its devices; the namespaces go with their
//! last thread, socket and process. A program in a rig has to be dropped before it: declare the
//! program after the rig.
//!
//! Rigs need Linux, root and `/dev/net/tun`. [`unavailable`] returns the reason why there can be
//! none; tests say `SKIPPED` then.
//!
//! With `LIFECYCLE_RIG_CAPTURE=/some/folder` each rig writes the packets that its server sees to
//! `<number>.pcap` there, for `tcpdump -nr` or Wireshark. To look into a rig that runs, find the
//! process id of its server and run `nsenter -t <pid> -n ss -tanoi`.

#![cfg(target_os = "linux")]

mod capture;
mod handshakes;
mod link;
mod namespace;
mod relay;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use tun_rs::{DeviceBuilder, SyncDevice};

use capture::Capture;
pub use handshakes::{Handshake, Segment};
pub use link::{Link, Path, Verdict};
pub use namespace::Namespace;
use relay::Relay;
pub use relay::{Counts, Direction};

/// Number of packets that a device holds for the relay: more than any relay leaves there as long as
/// it has a processor.
const DEVICE_QUEUE: u32 = 20_000;

/// Size of a packet, as on Ethernet.
const MTU: u16 = 1500;

/// Two network namespaces and the link between them.
pub struct Rig {
    number: usize,
    server: Namespace,
    client: Namespace,
    relay: Relay,
    link: Link,
}

impl Rig {
    /// Address of the server's side.
    pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

    /// Address of the clients' side.
    pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

    /// Makes the namespaces and joins them by this link.
    ///
    /// # Errors
    ///
    /// This is not Linux, not root, or there is no `/dev/net/tun`.
    pub fn new(link: Link) -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);

        let (server, server_device) = side(Self::SERVER)?;
        let (client, client_device) = side(Self::CLIENT)?;
        let capture = Capture::from_environment()?.map(Arc::new);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let relay = Relay::start(number, server_device, client_device, &link, capture.as_ref())?;
        Ok(Self { number, server, client, relay, link })
    }

    /// Returns the number of the rig in this process. The names of its threads begin with it:
    /// `rig 7 in` is that of the packets to the server.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Returns the link that the packets go through.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Returns the server's address with a port, as clients connect to it and as `LIFECYCLE_BIND`
    /// takes it.
    #[must_use]
    pub fn address(port: u16) -> String {
        SocketAddr::from((Self::SERVER, port)).to_string()
    }

    /// Runs a closure on a thread of the server's namespace, and returns its value once it has
    /// ended.
    pub fn server<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.server.run(work)
    }

    /// Runs a closure on a thread of the clients' namespace, and returns its value once it has
    /// ended.
    pub fn client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.client.run(work)
    }

    /// Runs this many clients at the same time, each on a thread of the clients' namespace, and
    /// returns their values.
    ///
    /// # Panics
    ///
    /// If a client did.
    pub fn clients<T: Send>(&self, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let work = &work;
        self.client.run(|| {
            thread::scope(|scope| {
                let spawn = |number| scope.spawn(move || work(number));
                let clients: Vec<_> = (0..count).map(spawn).collect();
                clients
                    .into_iter()
                    .map(|client| client.join().expect("a client panicked"))
                    .collect()
            })
        })
    }

    /// Starts a client on a thread of the clients' namespace.
    ///
    /// Every wait of the client must have a limit, as the rig does not end it.
    pub fn spawn_client<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.client.spawn(work)
    }

    /// Returns the namespace of the clients, for threads that outlive a borrow of the rig.
    #[must_use]
    pub fn client_namespace(&self) -> &Namespace {
        &self.client
    }

    /// Switches the link off: no packet arrives any more in either direction, and neither side is
    /// told.
    pub fn switch_off(&self) {
        self.relay.switch_off();
    }

    /// Switches the link on again.
    pub fn switch_on(&self) {
        self.relay.switch_on();
    }

    /// Returns counts of the packets that the relay has handled so far in a direction.
    #[must_use]
    pub fn counts(&self, direction: Direction) -> Counts {
        self.relay.counts(direction)
    }

    /// Returns the number of packets that the link has dropped so far, by chance or because of a
    /// full queue, from the TCP connection with this port on the clients' side.
    #[must_use]
    pub fn dropped(&self, port: u16) -> u64 {
        self.relay.dropped(port)
    }

    /// Returns the handshakes so far, by the port on the clients' side.
    #[must_use]
    pub fn handshakes(&self) -> HashMap<u16, Handshake> {
        self.relay.handshakes()
    }
}

/// Makes one side: a namespace with a device and its own loopback.
fn side(address: Ipv4Addr) -> io::Result<(Namespace, SyncDevice)> {
    Namespace::with(|| {
        namespace::bring_loopback_up()?;
        let device = DeviceBuilder::new().name("rig").ipv4(address, 24, None).mtu(MTU);
        let device = device.with(|device| {
            device.tx_queue_len(DEVICE_QUEUE);
        });
        let device = device.build_sync()?;
        device.set_nonblocking(true)?;
        Ok(device)
    })
}

/// Returns the reason why there can be no rig here, or nothing if there can be one.
pub fn unavailable() -> Option<&'static str> {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    let reason = || {
        let error = Rig::new(Link::default()).err()?;
        Some(format!(
            "no network namespaces with TUN devices (they need root and /dev/net/tun): {error}"
        ))
    };
    REASON.get_or_init(reason).as_deref()
}
