//! Time for handshakes that have begun when the listener closes: by the round trips that the kernel has measured.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::task::thread;

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

    /// Returns how long to wait on for a server that has begun to close at this moment, if handshakes are under way: a packet
    /// may be queued on its way, or lost, and whoever is the first client of all has not been measured. `None` if nobody may
    /// take so long.
    pub(super) fn more_time(&self, began: Instant, quiet_window: Duration) -> Option<Duration> {
        let longest = self.longest().unwrap_or(LONGEST);
        let left = (began + longest + quiet_window).saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min((longest / 4).clamp(SYSTEM, PAUSE)))
    }
}

/// A look at the system's table of connections. It is long, and other listeners are not to wait for it.
pub(super) struct Look {
    answer: Option<oneshot::Receiver<bool>>,
    began: Instant,
}

impl Look {
    /// Begins to look for handshakes with this address.
    pub(super) fn begin(address: Option<SocketAddr>) -> Self {
        let answer = address.and_then(|address| {
            let (sends, answer) = oneshot::channel();
            let looks = move || {
                let _ = sends.send(is_under_way_to(address));
            };
            thread("http-handshakes", looks).ok()?;
            Some(answer)
        });
        Self { answer, began: Instant::now() }
    }

    /// Returns whether a handshake is under way, and how long it took to look; `false` where the system doesn't tell.
    pub(super) async fn found(self) -> (bool, Duration) {
        let Some(answer) = self.answer else { return (false, Duration::ZERO) };
        (answer.await.unwrap_or(false), self.began.elapsed())
    }
}

/// Returns whether a handshake with this address has begun and not ended; `false` where the system doesn't tell.
fn is_under_way_to(address: SocketAddr) -> bool {
    // A listener of IPv6 may have clients of IPv4, too.
    let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];
    let tables = if address.is_ipv4() { &tables[..1] } else { &tables };
    let mut tables = tables.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    tables.any(|table| has_handshake(&table, address.port()))
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

    #[tokio::test]
    async fn nobody_waits_on_without_a_handshake_that_is_under_way() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let _client = std::net::TcpStream::connect(address).expect("it listens");
        assert!(!Look::begin(Some(address)).found().await.0);
        assert!(!Look::begin(None).found().await.0);
    }

    #[test]
    fn a_handshake_that_is_under_way_has_no_more_than_the_longest_and_the_window() {
        let now = Instant::now();
        let known = handshakes(&[40]);
        assert_eq!(known.more_time(now, WINDOW), Some(Duration::from_millis(10)));
        assert!(known.more_time(now - Duration::from_millis(285), WINDOW).is_some_and(|more| more < SYSTEM * 6));
        assert_eq!(known.more_time(now - Duration::from_millis(290), WINDOW), None);
        // Whoever is the first of all may be far away.
        assert!(handshakes(&[]).more_time(now - LONGEST, WINDOW).is_some());
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
