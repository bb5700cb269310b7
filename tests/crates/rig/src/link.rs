//! Link between the two sides: the time at which each packet arrives, or its loss.

use std::fmt;
use std::time::{Duration, Instant};

/// Length of a router's queue that has no bandwidth-delay product to go by, in bytes.
const QUEUE: u64 = 64 * 1024;

/// Properties of the way between server and clients, the same in both directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Time that a packet takes there and back, beyond what the queue and the bandwidth cost it.
    pub rtt: Duration,
    /// Bits per second in each direction, or nothing if they are unlimited.
    pub bandwidth: Option<u64>,
    /// Share of packets that are lost by chance: 0.01 is one in a hundred.
    pub loss: f64,
    /// Seed of the losses.
    pub seed: u64,
}

/// Link without delay, limit or loss.
impl Default for Link {
    fn default() -> Self {
        Self { rtt: Duration::ZERO, bandwidth: None, loss: 0.0, seed: 0 }
    }
}

impl Link {
    /// Makes a link with this round trip time in milliseconds, without limit or loss.
    #[must_use]
    pub fn rtt(milliseconds: u64) -> Self {
        Self { rtt: Duration::from_millis(milliseconds), ..Self::default() }
    }

    /// Limits the link to this many bits per second in each direction.
    #[must_use]
    pub fn bandwidth(self, bits_per_second: u64) -> Self {
        Self { bandwidth: Some(bits_per_second), ..self }
    }

    /// Makes the link lose this share of the packets, chosen by this seed.
    #[must_use]
    pub fn loss(self, share: f64, seed: u64) -> Self {
        Self { loss: share, seed, ..self }
    }

    /// Returns the number of bytes that may wait in the queue of a direction: the bandwidth-delay
    /// product, at least 64 KiB.
    #[must_use]
    pub fn queue(&self) -> Option<u64> {
        let product = |bandwidth: u64| u128::from(bandwidth) / 8 * self.rtt.as_millis() / 1000;
        self.bandwidth
            .map(|bandwidth| u64::try_from(product(bandwidth)).unwrap_or(u64::MAX).max(QUEUE))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RTT {:?}", self.rtt)?;
        if let Some(bandwidth) = self.bandwidth {
            write!(f, ", {} kbit/s", bandwidth / 1000)?;
        }
        if self.loss > 0.0 {
            write!(f, ", {} % loss (seed {})", self.loss * 100.0, self.seed)?;
        }
        Ok(())
    }
}

/// Decision about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Arrival at this time.
    Arrives(Instant),
    /// Loss by chance.
    Lost,
    /// Loss because of a full queue.
    Overflows,
}

/// State of one direction of a link.
pub struct Path {
    delay: Duration,
    bandwidth: Option<u64>,
    queue: u64,
    loss: f64,
    random: fastrand::Rng,
    /// Time at which everything in the queue has been sent.
    idle_at: Option<Instant>,
}

impl Path {
    /// Makes a direction of a link. The number of the stream keeps its losses apart from those of
    /// the other direction.
    #[must_use]
    pub fn new(link: &Link, stream: u64) -> Self {
        Self {
            delay: link.rtt / 2,
            bandwidth: link.bandwidth,
            queue: link.queue().unwrap_or(u64::MAX),
            loss: link.loss,
            random: fastrand::Rng::with_seed(link.seed.wrapping_mul(2).wrapping_add(stream)),
            idle_at: None,
        }
    }

    /// Decides about a packet of this length that comes now.
    pub fn send(&mut self, now: Instant, length: usize) -> Verdict {
        if self.random.f64() < self.loss {
            return Verdict::Lost;
        }
        let Some(bandwidth) = self.bandwidth else { return Verdict::Arrives(now + self.delay) };
        let begins = self.idle_at.map_or(now, |idle_at| idle_at.max(now));
        let length = length as u64;
        let waiting = (begins - now).as_nanos() * u128::from(bandwidth) / 8 / 1_000_000_000;
        if waiting + u128::from(length) > u128::from(self.queue) {
            return Verdict::Overflows;
        }
        let sent = begins + Duration::from_nanos(length * 8 * 1_000_000_000 / bandwidth);
        self.idle_at = Some(sent);
        Verdict::Arrives(sent + self.delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn packets_take_half_a_round_trip() {
        let now = Instant::now();
        assert_eq!(Path::new(&Link::rtt(40), 0).send(now, 1500), Verdict::Arrives(now + 20 * MS));
    }

    #[test]
    fn packets_wait_for_those_before_them() {
        let now = Instant::now();
        let mut path = Path::new(&Link::rtt(40).bandwidth(1_000_000), 0);
        assert_eq!(path.send(now, 1250), Verdict::Arrives(now + 30 * MS));
        assert_eq!(path.send(now, 1250), Verdict::Arrives(now + 40 * MS));
        assert_eq!(path.send(now + 100 * MS, 1250), Verdict::Arrives(now + 130 * MS));
    }

    #[test]
    fn a_full_queue_takes_no_more() {
        let now = Instant::now();
        let mut path = Path::new(&Link::rtt(1).bandwidth(1_000_000), 0);
        let taken =
            (0..100).filter(|_| matches!(path.send(now, 1024), Verdict::Arrives(_))).count();
        assert_eq!(taken, 64);
        // A kilobyte has been sent after 8.2 ms, which leaves room for another.
        assert!(matches!(path.send(now + 9 * MS, 1024), Verdict::Arrives(_)));
        assert_eq!(path.send(now + 9 * MS, 1024), Verdict::Overflows);
    }

    #[test]
    fn loss_is_the_same_for_the_same_seed() {
        let lost = |seed, stream| {
            let mut path = Path::new(&Link::rtt(1).loss(0.01, seed), stream);
            let now = Instant::now();
            (0..10_000).filter(|_| path.send(now, 100) == Verdict::Lost).collect::<Vec<_>>()
        };
        assert_eq!(lost(7, 0), lost(7, 0));
        assert_ne!(lost(7, 0), lost(7, 1));
        assert_ne!(lost(7, 0), lost(8, 0));
        assert!((50..200).contains(&lost(7, 0).len()), "{}", lost(7, 0).len());
    }
}
