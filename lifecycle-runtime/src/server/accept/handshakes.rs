//! Time for handshakes that have begun when the listener closes, computed from the round trips that
//! the kernel has measured.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Number of recent connections whose round trips count for the handshakes that are under way.
const SAMPLES: usize = 128;

/// Time that a packet may spend in the system on top of its way, and shortest pause between two
/// looks. A handshake that a busy machine holds up for longer is in the kernel's table, and waited
/// for; where the kernel doesn't show that, its client is reset.
const SYSTEM: Duration = Duration::from_millis(1);

/// Time for which a round trip counts, as clients come and go. One from farther away than all
/// recent ones is in the kernel's table, and waited for.
const RECENT: Duration = Duration::from_secs(60);

/// Longest pause between two looks at handshakes that are under way. It is shorter where round
/// trips are. The listener closes at most this much later than it could.
const PAUSE: Duration = Duration::from_millis(25);

/// Longest round trip that counts: a client tries again when its first packet is not answered
/// within this time (RFC 6298, section 2).
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

    /// Returns the longest recent round trip.
    fn longest(&self) -> Option<Duration> {
        let recent = self.last.iter().filter(|(at, _)| at.elapsed() < RECENT);
        recent.map(|(_, round_trip)| (*round_trip).min(LONGEST)).max()
    }

    /// Returns the time that a handshake which has begun should take: the longest recent round
    /// trip, with a margin of half of it, which is the quiet window at most. The time is no longer,
    /// as each packet that the filter drops meanwhile costs its client a second.
    pub(super) fn usual_time(&self, quiet_window: Duration) -> Duration {
        let longest = self.longest().unwrap_or_default();
        longest + (longest / 2 + SYSTEM).min(quiet_window.max(SYSTEM))
    }

    /// Returns the additional time to wait if handshakes are under way, for a server that began to
    /// close at this moment. A packet may be queued on its way, or lost, and the round trip of the
    /// very first client has not been measured. `None` if no handshake may take so long.
    pub(super) fn more_time(&self, began: Instant, quiet_window: Duration) -> Option<Duration> {
        let longest = self.longest().unwrap_or(LONGEST);
        let left = (began + longest + quiet_window).saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min((longest / 4).clamp(SYSTEM, PAUSE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(250);

    fn handshakes(round_trips: &[u64]) -> Handshakes {
        let mut handshakes = Handshakes::default();
        for millis in round_trips {
            handshakes.record(Some(Duration::from_millis(*millis)));
        }
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
        assert_eq!(
            usual_time(&[5000]),
            1250,
            "nobody waits longer than until a client tries again"
        );
        let late: Vec<_> = std::iter::once(900).chain(std::iter::repeat_n(10, SAMPLES)).collect();
        assert_eq!(usual_time(&late), 16);
    }

    #[test]
    fn a_handshake_that_is_under_way_has_no_more_than_the_longest_and_the_window() {
        let now = Instant::now();
        let known = handshakes(&[40]);
        assert_eq!(known.more_time(now, WINDOW), Some(Duration::from_millis(10)));
        assert!(
            known
                .more_time(now - Duration::from_millis(285), WINDOW)
                .is_some_and(|more| more < SYSTEM * 6)
        );
        assert_eq!(known.more_time(now - Duration::from_millis(290), WINDOW), None);
        // The very first client may be far away.
        assert!(handshakes(&[]).more_time(now - LONGEST, WINDOW).is_some());
    }
}
