//! State of TCP connections as the kernel sees it: how far away the peer is, and how much it has
//! acknowledged.
//!
//! Only the kernel knows when a response has reached its client: bytes that are written to a socket
//! may wait in its buffer for as long as the network takes.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// State of a TCP connection as the kernel reports it (`TCP_INFO`, see tcp(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TcpInfo {
    /// Smallest round trip that the kernel has measured; zero before the first one.
    pub(super) round_trip: Duration,
    /// Pause before the kernel sends something a second time; zero before it has measured one.
    pub(super) first_pause: Duration,
    /// Time since the peer was last heard of: since its last data or acknowledgement.
    pub(super) silent_for: Duration,
    /// Set once the connection is over for the kernel, too: the peer has reset it, or the kernel
    /// has given the peer up.
    pub(super) is_over: bool,
    /// Set once the kernel has sent something again, or has asked twice whether the peer takes
    /// more, until an answer comes.
    pub(super) is_unanswered: bool,
    /// Count of the bytes that have been written to the socket.
    pub(super) written: u64,
    /// Count of the bytes that the peer has acknowledged.
    pub(super) acknowledged: u64,
    /// Count of the bytes that have come from the peer.
    pub(super) received: u64,
}

impl TcpInfo {
    /// Returns whether the peer has yet to acknowledge data. The end of our half doesn't count: the
    /// peer may take its time to acknowledge that (up to 40 ms on Linux), and misses nothing.
    pub(super) fn is_unacknowledged(&self) -> bool {
        self.acknowledged < self.written
    }

    /// Returns the pause before the kernel should be asked again for the peer's acknowledgements.
    pub(super) fn poll_interval(&self) -> Duration {
        (self.round_trip / 4).clamp(Duration::from_millis(1), Duration::from_millis(25))
    }

    /// Returns whether the peer has vanished. Either it has reset the connection, or it
    /// acknowledges nothing, however often the kernel tries, for longer than `patience` and than a
    /// network may be out of order.
    pub(super) fn has_vanished(&self, patience: Duration) -> bool {
        // The kernel doubles the pause between two tries. So the first try that may get through
        // comes, at the latest, when the outage has lasted twice as long and the first pause on
        // top. The answer takes a few round trips.
        let answer = (8 * self.round_trip).max(2 * self.first_pause);
        let patience = patience.max(2 * OUTAGE).saturating_add(answer);
        self.is_over || self.is_unanswered && self.silent_for > patience
    }
}

#[cfg(test)]
mod tests;

/// Time for which a network may be out of order, as when a route or a phone's cell changes, without
/// a response being given up. A client that is gone looks the same until then. The round trip comes
/// on top.
pub(super) const OUTAGE: Duration = Duration::from_secs(3);

/// Source of answers about a connection's peer.
pub(super) trait Peer {
    /// Returns the kernel's state of the connection; `None` where the system doesn't tell.
    fn info(&self) -> Option<TcpInfo>;

    /// Returns whether bytes have come from the peer that nobody has read, even if the async
    /// runtime has not noticed yet: the process may have been stopped meanwhile.
    fn has_unread(&self) -> bool;
}

impl Peer for Option<&TcpStream> {
    fn info(&self) -> Option<TcpInfo> {
        self.and_then(tcp_info)
    }

    fn has_unread(&self) -> bool {
        self.is_some_and(|stream| has_unread(&SockRef::from(stream)))
    }
}

/// Returns whether something can be read from a socket. A trial read would take the error of a
/// reset connection away, and the next reader would take that for an end in order.
#[cfg(unix)]
pub(super) fn has_unread(socket: &SockRef<'_>) -> bool {
    rustix::io::ioctl_fionread(&**socket).is_ok_and(|unread| unread > 0)
}

/// Returns whether something can be read from a socket.
#[cfg(not(unix))]
pub(super) fn has_unread(socket: &SockRef<'_>) -> bool {
    socket.peek(&mut [std::mem::MaybeUninit::uninit()]).is_ok_and(|read| read > 0)
}

/// Schedule of questions about a peer's acknowledgements: often while it acknowledges more, and
/// ever less often while it doesn't.
#[derive(Default)]
pub(super) struct PollTimes {
    acknowledged: u64,
    pause: Duration,
}

impl PollTimes {
    /// Longest pause between two questions. A connection closes at most this much later than it
    /// could, whatever its round trip is. A pause that a busy machine makes longer costs no more
    /// than that.
    pub(super) const LONGEST: Duration = Duration::from_millis(50);

    /// Returns the moment of the next question, after this answer of the kernel.
    pub(super) fn next(&mut self, info: &TcpInfo) -> Instant {
        let has_moved =
            std::mem::replace(&mut self.acknowledged, info.acknowledged) != info.acknowledged;
        self.pause = if has_moved {
            info.poll_interval()
        } else {
            (2 * self.pause).max(info.poll_interval())
        };
        self.pause = self.pause.min(Self::LONGEST);
        Instant::now() + self.pause
    }
}

/// Returns the kernel's state of a connection; `None` where the system doesn't tell.
#[cfg(target_os = "linux")]
pub(super) fn tcp_info(stream: &TcpStream) -> Option<TcpInfo> {
    linux::read(stream)
}

/// Returns the kernel's state of a connection; `None` where the system doesn't tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn tcp_info(_stream: &TcpStream) -> Option<TcpInfo> {
    None
}

/// Returns the round trip that the kernel has measured in the handshake of an accepted connection.
#[cfg(target_os = "linux")]
pub(super) fn handshake_round_trip(stream: &std::net::TcpStream) -> Option<Duration> {
    linux::read(stream).map(|info| info.round_trip).filter(|round_trip| !round_trip.is_zero())
}

/// Returns the round trip that the kernel has measured in the handshake of an accepted connection.
#[cfg(not(target_os = "linux"))]
pub(super) fn handshake_round_trip(_stream: &std::net::TcpStream) -> Option<Duration> {
    None
}

/// Returns the number of connections that wait to be accepted; `None` where the system doesn't
/// tell.
#[cfg(target_os = "linux")]
pub(super) fn accept_queue(listener: &tokio::net::TcpListener) -> Option<u64> {
    linux::accept_queue(listener)
}

/// Returns the number of connections that wait to be accepted; `None` where the system doesn't
/// tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn accept_queue(_listener: &tokio::net::TcpListener) -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsFd;
    use std::sync::LazyLock;
    use std::time::Duration;

    use nix::sys::socket::GetSockOpt;
    use nix::{getsockopt_impl, libc, sockopt_impl};

    use super::TcpInfo;

    /// Length of the structure up to the last field that is read. A kernel that knows more fields
    /// returns only these.
    const LENGTH: usize = BYTES_RETRANS + 8;

    sockopt_impl!(
        /// Socket option `TCP_INFO`, read as bytes: its structure grows with the versions of the
        /// kernel.
        RawTcpInfo,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        [u8; LENGTH]
    );

    // Offsets in `struct tcp_info`, see linux/tcp.h: fields are only ever added behind the others.
    const STATE: usize = 0;
    const RETRANSMITS: usize = 2;
    const PROBES: usize = 3;
    const BACKOFF: usize = 4;
    const RTO: usize = 8;
    /// Offset of the number of connections that wait, in the case of a listener.
    const UNACKED: usize = 24;
    const LAST_DATA_RECV: usize = 52;
    const LAST_ACK_RECV: usize = 56;
    const RTT: usize = 68;
    const BYTES_ACKED: usize = 120;
    const BYTES_RECEIVED: usize = 128;
    const NOTSENT_BYTES: usize = 144;
    const MIN_RTT: usize = 148;
    const BYTES_SENT: usize = 200;
    const BYTES_RETRANS: usize = 208;

    // State of a connection that is over, see net/tcp_states.h.
    const CLOSE: u8 = 7;

    pub(super) fn read(socket: &impl AsFd) -> Option<TcpInfo> {
        static KNOWS_ALL: LazyLock<bool> = LazyLock::new(|| {
            let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
            release.is_ok_and(|release| knows_all(&release))
        });
        KNOWS_ALL.then(|| RawTcpInfo.get(socket).ok().map(|raw| parse(&raw)))?
    }

    pub(super) fn accept_queue(listener: &impl AsFd) -> Option<u64> {
        let raw = RawTcpInfo.get(listener).ok()?;
        Some(u32::from_ne_bytes(field(&raw, UNACKED)).into())
    }

    /// Returns whether a kernel of this release has all fields, the last of which came with 4.19.
    fn knows_all(release: &str) -> bool {
        let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        (numbers.next(), numbers.next()) >= (Some(4), Some(19))
    }

    fn parse(raw: &[u8; LENGTH]) -> TcpInfo {
        let long = |at| u32::from_ne_bytes(field(raw, at));
        let quad = |at| u64::from_ne_bytes(field(raw, at));
        let micros = |at| Duration::from_micros(long(at).into());
        let millis = |at| Duration::from_millis(long(at).into());

        // The kernel says `!0` for a smallest round trip before it has one.
        let has_smallest = long(MIN_RTT) != u32::MAX;
        let not_sent = long(NOTSENT_BYTES);
        TcpInfo {
            round_trip: if has_smallest {
                micros(MIN_RTT).min(micros(RTT))
            } else {
                Duration::ZERO
            },
            first_pause: micros(RTO) / 2_u32.saturating_pow(raw[BACKOFF].into()).max(1),
            silent_for: millis(LAST_DATA_RECV).min(millis(LAST_ACK_RECV)),
            is_over: raw[STATE] == CLOSE,
            // A single probe may be on its way to a peer that takes nothing and is well.
            is_unanswered: raw[RETRANSMITS] > 0 || raw[PROBES] > 1,
            written: quad(BYTES_SENT).saturating_sub(quad(BYTES_RETRANS)) + u64::from(not_sent),
            acknowledged: quad(BYTES_ACKED),
            received: quad(BYTES_RECEIVED),
        }
    }

    fn field<const N: usize>(raw: &[u8; LENGTH], at: usize) -> [u8; N] {
        std::array::from_fn(|byte| raw[at + byte])
    }

    #[cfg(test)]
    mod tests {
        use std::io::{Read, Write};
        use std::net::{TcpListener, TcpStream};

        use socket2::SockRef;

        use super::*;

        #[test]
        fn what_the_peer_has_acknowledged_is_told_from_what_waits() {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let mut client =
                TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
            let (mut server, _) = listener.accept().expect("a client");
            assert!(read(&server).expect("linux").round_trip > Duration::ZERO);

            server.write_all(b"hello").expect("it is open");
            client.read_exact(&mut [0; 5]).expect("all of it");
            let info = read(&server).expect("linux");
            assert_eq!((info.written, info.acknowledged, info.is_unacknowledged()), (5, 5, false));

            // The client's kernel takes what fits into its buffer, and no more.
            server.set_nonblocking(true).expect("it is open");
            let mut sent = 5;
            while let Ok(written) = server.write(&[0; 16_384]) {
                sent += written as u64;
            }
            let info = read(&server).expect("linux");
            assert!(info.is_unacknowledged() && info.acknowledged < sent, "{info:?}");
            assert_eq!(info.written, sent);
            assert!(!info.has_vanished(Duration::MAX), "it is open: {info:?}");

            // The client resets the connection, as it leaves bytes unread: it will never
            // acknowledge the rest.
            drop(client);
            let error = server.read(&mut [0]).expect_err("a reset");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            let info = read(&server).expect("linux");
            assert!(info.is_unacknowledged() && info.has_vanished(Duration::MAX), "{info:?}");
        }

        #[test]
        fn to_look_for_what_is_unread_takes_nothing_away() {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let mut client =
                TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
            let (mut server, _) = listener.accept().expect("a client");
            let is_unread = |server: &TcpStream| super::super::has_unread(&SockRef::from(server));
            assert!(!is_unread(&server));
            client.write_all(b"hello").expect("it is open");
            while !is_unread(&server) {}
            server.read_exact(&mut [0; 5]).expect("all of it");
            assert!(!is_unread(&server));

            SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
            drop(client);
            while !read(&server).expect("linux").is_over {}
            assert!(!is_unread(&server));
            let error = server.read(&mut [0]).expect_err("a reset");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }

        #[test]
        fn connections_that_wait_are_counted() {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("bound");
            let clients = [(); 3].map(|()| TcpStream::connect(address).expect("it listens"));
            assert_eq!(accept_queue(&listener), Some(3));
            let _accepted = listener.accept().expect("a client");
            assert_eq!(accept_queue(&listener), Some(2));
            drop(clients);
        }

        #[test]
        fn one_probe_may_be_on_its_way_and_two_are_not_answered() {
            for (field, count, expected) in [
                (RETRANSMITS, 0, false),
                (RETRANSMITS, 1, true),
                (PROBES, 1, false),
                (PROBES, 2, true),
            ] {
                let mut raw = [0; LENGTH];
                raw[field] = count;
                assert_eq!(parse(&raw).is_unanswered, expected, "{count} at {field}");
            }
        }

        #[test]
        fn a_kernel_that_is_too_old_is_not_asked() {
            for (release, expected) in [
                ("6.1.0-18-amd64", true),
                ("4.19", true),
                ("10.0.1", true),
                ("4.18.0-553.el8.x86_64", false),
                ("3.10.0", false),
                ("", false),
            ] {
                assert_eq!(knows_all(release), expected, "{release}");
            }
        }
    }
}
