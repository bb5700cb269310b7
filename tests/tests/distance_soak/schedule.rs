//! Schedules: the random settings of a stop.

use std::fmt;
use std::time::Duration;

use lifecycle_tests::rig::Link;

use crate::clients::Protocol;
use crate::work::Work;

/// Settings of one stop.
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) link: Link,
    /// Drain delay.
    pub(crate) delay: Duration,
    /// Quiet window.
    pub(crate) window: Duration,
    /// Drain timeout, if requests may miss it. In that case all requests have begun at the signal.
    pub(crate) deadline: Option<Duration>,
    /// Time from the begin of the clients to the signal, or from the begin of their requests.
    pub(crate) moment: Duration,
    pub(crate) clients: Vec<Work>,
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut link = Link::rtt(random.u64(1..=300));
        link.bandwidth = [None, Some(10_000_000), Some(1_000_000)][random.usize(..3)];
        if random.bool() {
            link = link.loss(0.01, seed);
        }
        // A packet that was lost, by chance or in a full queue, is sent again after a fraction of a
        // second. A request in it comes later than the default expects. An operator who knows the
        // network sets a longer window.
        let window = Duration::from_millis(if is_slow(&link) { 3000 } else { 250 });
        let delay = Duration::from_millis([0, 0, 300][random.usize(..3)]);
        let moment = Duration::from_millis(random.u64(200..2000));
        let deadline = (random.usize(..5) == 0).then_some(Duration::from_millis(500));
        let work = if deadline.is_some() { request } else { work };
        let clients = (0..random.usize(2..=8)).map(|_| work(&mut random, &link)).collect();
        Self { seed, link, delay, window, deadline, moment, clients }
    }

    /// Returns whether packets are lost, by chance or in a full queue.
    pub(crate) fn is_slow(&self) -> bool {
        is_slow(&self.link)
    }
}

fn is_slow(link: &Link) -> bool {
    link.loss > 0.0 || link.bandwidth.is_some()
}

/// Chooses one request, which may or may not be over before a deadline.
fn request(random: &mut fastrand::Rng, link: &Link) -> Work {
    let protocol = Protocol::ALL[random.usize(..4)];
    let path = match random.usize(..3) {
        0 => format!("/big/{}", length(random, link)),
        1 => format!("/slow/{}", random.u64(100..4000)),
        _ => format!("/stream/{}", random.u64(100..4000)),
    };
    Work::Once { protocol, path }
}

fn work(random: &mut fastrand::Rng, link: &Link) -> Work {
    let protocol = Protocol::ALL[random.usize(..4)];
    let http1 = Protocol::HTTP1[random.usize(..2)];
    let http2 = Protocol::HTTP2[random.usize(..2)];
    let pause = Duration::from_millis(random.u64(..100));
    match random.usize(..11) {
        0 | 1 => Work::Loop { protocol, pause },
        2 => Work::Fresh { protocol, pause: pause / 2 },
        3 => Work::Stream { protocol, milliseconds: random.u64(50..1500) },
        4 => Work::Large { protocol, length: length(random, link) },
        5 => Work::Upload { protocol, length: length(random, link) / 2 },
        6 => Work::Early { protocol: http1, length: random.usize(1000..32 << 10) },
        7 => Work::Events { protocol },
        8 => Work::Streams { protocol: http2, count: random.usize(2..8), pause },
        9 => Work::WebSocket { protocol: http1, work: None, pause },
        _ => Work::WebSocket { protocol: http1, work: Some(random.u64(..1500)), pause },
    }
}

/// Chooses a length that the link carries within a few seconds.
fn length(random: &mut fastrand::Rng, link: &Link) -> usize {
    let is_slow = link.bandwidth == Some(1_000_000)
        || (link.loss > 0.0 && link.rtt > Duration::from_millis(50));
    random.usize(1000..if is_slow { 64 << 10 } else { 512 << 10 })
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, link, delay, window, deadline, moment, clients } = self;
        write!(
            f,
            "seed {seed}: {link}, drain delay {delay:?}, quiet window {window:?}, the signal after \
             {moment:?}"
        )?;
        deadline.iter().try_for_each(|deadline| write!(f, ", the deadline {deadline:?} later"))?;
        clients
            .iter()
            .enumerate()
            .try_for_each(|(number, work)| write!(f, "\n  client {number}: {work:?}"))
    }
}
