//! Time for handshakes that have begun when the listener closes: by the round trips that the kernel has measured.

use std::collections::VecDeque;
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

    /// Returns how long to wait on for a server that has begun to close at this moment: a packet may be queued on its way, or
    /// lost, and whoever is the first client of all has not been measured. `None` if nobody is on the way, or nobody may take
    /// so long.
    pub(super) async fn more_time(
        &self,
        began: Instant,
        quiet_window: Duration,
        port: Option<u16>,
    ) -> Option<Duration> {
        let port = port?;
        let longest = self.longest().unwrap_or(LONGEST);
        let until = began + longest + quiet_window;
        let asked = Instant::now();
        if until <= asked {
            return None;
        }
        // With many connections the tables are long: other listeners are not to wait for that.
        let (answer, is_under_way) = oneshot::channel();
        thread("http-handshakes", move || {
            let _ = answer.send(is_under_way_to(port));
        })
        .ok()?;
        let is_under_way = is_under_way.await.ok()??;
        // Nor is reading them to be all that is done.
        let pause = (longest / 4).clamp(SYSTEM, PAUSE).max(asked.elapsed());
        is_under_way.then(|| until.saturating_duration_since(Instant::now()).min(pause))
    }
}

/// Returns whether a handshake with this port has begun and not ended; `None` where the system doesn't tell.
fn is_under_way_to(port: u16) -> Option<bool> {
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
        let port = listener.local_addr().expect("bound").port();
        assert_eq!(handshakes(&[40]).more_time(Instant::now(), WINDOW, Some(port)).await, None);
        assert_eq!(handshakes(&[40]).more_time(Instant::now(), WINDOW, None).await, None);
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
