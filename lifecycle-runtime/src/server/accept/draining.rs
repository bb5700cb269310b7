//! A listener that lets in only those who are on their way already.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::{Stream, accept_tcp};
use crate::server::packets;

/// Number of the last connections whose round trip counts for those that are under way.
const SAMPLES: usize = 128;

/// Time that a packet may take through the system on top of its way.
const SYSTEM: Duration = Duration::from_millis(1);

/// Time for which a round trip counts: clients come and go.
const LATE: Duration = Duration::from_secs(60);

/// Longest pause between two looks at handshakes that are under way.
const PAUSE: Duration = Duration::from_millis(25);

/// Longest round trip that counts: a client tries again when its first packet is not answered within this time
/// (RFC 6298, section 2).
const LONGEST: Duration = Duration::from_secs(1);

/// Round trips of the last handshakes, as the kernel has measured them.
#[derive(Default)]
pub(super) struct Handshakes {
    last: VecDeque<(Instant, Duration)>,
}

impl Handshakes {
    pub(super) fn record(&mut self, round_trip: Option<Duration>) {
        let Some(round_trip) = round_trip else { return };
        if self.last.len() == SAMPLES {
            self.last.pop_front();
        }
        self.last.push_back((Instant::now(), round_trip));
    }

    /// Returns the longest round trip of late.
    fn longest(&self) -> Option<Duration> {
        let late = self.last.iter().filter(|(at, _)| at.elapsed() < LATE);
        late.map(|(_, round_trip)| (*round_trip).min(LONGEST)).max()
    }

    /// Returns how long a handshake that has begun should take: the longest round trip of late with a margin of half of it,
    /// which is the quiet window at most. Not longer, as each packet that the filter drops meanwhile costs its client a
    /// second.
    pub(super) fn usual_time(&self, quiet_window: Duration) -> Duration {
        let longest = self.longest().unwrap_or_default();
        longest + (longest / 2 + SYSTEM).min(quiet_window.max(SYSTEM))
    }

    /// Returns how long to wait on, `waited` after the close has begun: a packet may be queued on its way, or lost, and
    /// whoever is the first client of all has not been measured. `None` if nobody is on the way, or nobody may take so long.
    pub(super) fn more_time(&self, waited: Duration, quiet_window: Duration, port: Option<u16>) -> Option<Duration> {
        let longest = self.longest().unwrap_or(LONGEST);
        let left = (longest + quiet_window).checked_sub(waited).filter(|left| !left.is_zero())?;
        is_under_way(port?)?.then(|| left.min((longest / 4).clamp(SYSTEM, PAUSE)))
    }
}

/// Returns whether a handshake with this port has begun and not ended; `None` where the system doesn't tell.
fn is_under_way(port: u16) -> Option<bool> {
    let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];
    let mut tables = tables.iter().filter_map(|path| std::fs::read_to_string(path).ok()).peekable();
    tables.peek()?;
    Some(tables.any(|table| has_handshake(&table, port)))
}

/// Looks for a socket of this port in the state `SYN_RECV`, see proc(5).
fn has_handshake(table: &str, port: u16) -> bool {
    let port = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().is_some_and(|local| local.ends_with(&port));
        local && fields.nth(1) == Some("03")
    })
}

/// A listener that lets in only those who are on their way already.
pub(super) enum DrainingListener {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

impl DrainingListener {
    pub(super) fn tcp(listener: tokio::net::TcpListener) -> Self {
        if let Err(error) = packets::refuse_handshakes(&listener) {
            tracing::debug!("a connection that begins while the listener closes may be reset: {error}");
        }
        Self::Tcp(listener)
    }

    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    pub(super) fn has_waiting(&self) -> bool {
        match self {
            Self::Tcp(listener) => super::has_waiting(listener),
            #[cfg(unix)]
            Self::Unix(listener) => super::has_waiting(listener),
        }
    }

    /// Waits for the next connection.
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => accept_tcp(listener).await,
            #[cfg(unix)]
            Self::Unix(listener) => super::accept_unix(listener).await,
        }
    }

    /// Returns the next connection that waits.
    pub(super) fn next(&self) -> io::Result<Option<Stream>> {
        let next = match self {
            Self::Tcp(listener) => {
                let accepted = socket2::SockRef::from(listener).accept();
                accepted.and_then(|(socket, peer)| {
                    let peer = peer.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?;
                    Ok(Stream::Tcp(socket.into(), peer))
                })
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let accepted = socket2::SockRef::from(listener).accept();
                accepted.map(|(socket, _)| Stream::Unix(socket.into()))
            }
        };
        match next {
            Ok(stream) => stream.nonblocking().map(Some),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Stream {
    fn nonblocking(self) -> io::Result<Self> {
        match &self {
            Self::Tcp(stream, _) => stream.set_nonblocking(true)?,
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_nonblocking(true)?,
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(250);

    fn handshakes(round_trips: &[u64]) -> Handshakes {
        let mut handshakes = Handshakes::default();
        round_trips.iter().for_each(|millis| handshakes.record(Some(Duration::from_millis(*millis))));
        handshakes
    }

    fn usual_time(round_trips: &[u64]) -> u128 {
        handshakes(round_trips).usual_time(WINDOW).as_millis()
    }

    #[test]
    fn a_handshake_has_the_longest_round_trip_of_late_and_a_margin() {
        assert_eq!(usual_time(&[]), 1);
        assert_eq!(usual_time(&[40]), 61);
        assert_eq!(usual_time(&[300, 1, 2]), 451);
        assert_eq!(usual_time(&[800]), 1050, "the margin is the quiet window at most");
        assert_eq!(usual_time(&[5000]), 1250, "nobody waits longer than until a client tries again");
        let late: Vec<_> = std::iter::once(900).chain(std::iter::repeat_n(10, SAMPLES)).collect();
        assert_eq!(usual_time(&late), 16);
    }

    #[test]
    fn nobody_waits_on_without_a_handshake_that_is_under_way() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        assert_eq!(handshakes(&[40]).more_time(Duration::ZERO, WINDOW, Some(port)), None);
        assert_eq!(handshakes(&[40]).more_time(Duration::ZERO, WINDOW, None), None);
    }

    #[test]
    fn a_handshake_is_found_by_its_port_and_state() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                     \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
                     \x20  1: 0100007F:1F91 0200000A:C001 03 00000000:00000000\n\
                     \x20  2: 0100007F:1F92 0200000A:1F93 01 00000000:00000000\n";
        assert!(has_handshake(table, 0x1f91));
        assert!(!has_handshake(table, 0x1f90));
        assert!(!has_handshake(table, 0x1f92));
        assert!(!has_handshake(table, 0xc001));
        assert!(!has_handshake("", 1));
    }
}
