//! Relay that reads the packets of each device and writes them to the other one at their time.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use tun_rs::SyncDevice;

use super::capture::Capture;
use super::handshakes::{Handshake, Handshakes, Packet};
use super::{Link, Path, Verdict};

/// Number of packets that are read before the packets that are due are written.
const BATCH: usize = 64;

/// Direction of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From clients to the server.
    ToServer,
    /// From the server to clients.
    ToClient,
}

/// Counts of the packets of a direction so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of packets that were sent.
    pub sent: u64,
    /// Number of packets that were lost by chance, or because the link was off.
    pub lost: u64,
    /// Number of packets that met a full queue.
    pub overflowed: u64,
}

#[derive(Default)]
struct Counters {
    sent: AtomicU64,
    lost: AtomicU64,
    overflowed: AtomicU64,
}

/// Number of packets that were dropped, by the port of the client.
type Dropped = Mutex<HashMap<u16, u64>>;

/// Handle of two threads, one for each direction. When it is dropped, they end, and the devices
/// with them.
pub(super) struct Relay {
    threads: Vec<JoinHandle<()>>,
    counters: [Arc<Counters>; 2],
    dropped: Arc<Dropped>,
    handshakes: Arc<Handshakes>,
    is_off: Arc<AtomicBool>,
    /// Socket whose close wakes the threads.
    stop: Option<UnixStream>,
}

impl Relay {
    pub(super) fn start(
        number: usize,
        server: SyncDevice,
        client: SyncDevice,
        link: &Link,
        capture: Option<&Arc<Capture>>,
    ) -> io::Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let (server, client) = (Arc::new(server), Arc::new(client));
        let counters = [Arc::<Counters>::default(), Arc::default()];
        let dropped = Arc::<Dropped>::default();
        let handshakes = Arc::<Handshakes>::default();
        let is_off = Arc::<AtomicBool>::default();
        let mut threads = Vec::new();
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (from, to) = match direction {
                Direction::ToServer => (&client, &server),
                Direction::ToClient => (&server, &client),
            };
            let mut lane = Lane {
                from: Arc::clone(from),
                to: Arc::clone(to),
                path: Path::new(link, direction as u64),
                on_the_way: VecDeque::new(),
                direction,
                counters: Arc::clone(&counters[direction as usize]),
                dropped: Arc::clone(&dropped),
                handshakes: Arc::clone(&handshakes),
                is_off: Arc::clone(&is_off),
                capture: capture.cloned(),
            };
            let stopped = stopped.try_clone()?;
            // The system keeps 15 bytes of a name.
            let name = match direction {
                Direction::ToServer => format!("rig {number} in"),
                Direction::ToClient => format!("rig {number} out"),
            };
            threads.push(thread::Builder::new().name(name).spawn(move || lane.run(&stopped))?);
        }
        Ok(Self { threads, counters, dropped, handshakes, is_off, stop: Some(stop) })
    }

    /// Stops letting packets through, including those that are on the way.
    pub(super) fn switch_off(&self) {
        self.is_off.store(true, Ordering::SeqCst);
    }

    /// Lets packets through again.
    pub(super) fn switch_on(&self) {
        self.is_off.store(false, Ordering::SeqCst);
    }

    pub(super) fn counts(&self, direction: Direction) -> Counts {
        let counters = &self.counters[direction as usize];
        let [sent, lost, overflowed] = [&counters.sent, &counters.lost, &counters.overflowed]
            .map(|count| count.load(Ordering::Relaxed));
        Counts { sent, lost, overflowed }
    }

    pub(super) fn dropped(&self, port: u16) -> u64 {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.get(&port).copied().unwrap_or_default()
    }

    pub(super) fn handshakes(&self) -> HashMap<u16, Handshake> {
        self.handshakes.get()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop = None;
        for thread in self.threads.drain(..) {
            // A relay that panicked has said so, and its test has failed for want of packets.
            let _ = thread.join();
        }
    }
}

/// Relay of one direction.
struct Lane {
    from: Arc<SyncDevice>,
    to: Arc<SyncDevice>,
    path: Path,
    /// Packets by their time of arrival, which is also the order in which they were sent.
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    direction: Direction,
    counters: Arc<Counters>,
    dropped: Arc<Dropped>,
    handshakes: Arc<Handshakes>,
    is_off: Arc<AtomicBool>,
    capture: Option<Arc<Capture>>,
}

impl Lane {
    /// Relays packets until the other end of this socket is closed.
    fn run(&mut self, stopped: &UnixStream) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            self.deliver();
            let next = self.on_the_way.front().map(|(arrival, _)| *arrival);
            let timeout = next.map(|arrival| {
                TimeSpec::from_duration(arrival.saturating_duration_since(Instant::now()))
            });
            let mut ready = [
                PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.from.as_fd(), PollFlags::POLLIN),
            ];
            match ppoll(&mut ready, timeout, None) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => panic!("polling a device: {error}"),
            }
            if ready[0].any().unwrap_or(true) {
                return;
            }
            self.take_in(&mut buffer);
        }
    }

    /// Writes the packets whose time has come.
    fn deliver(&mut self) {
        let now = Instant::now();
        while self.on_the_way.front().is_some_and(|(arrival, _)| *arrival <= now) {
            let Some((_, packet)) = self.on_the_way.pop_front() else { return };
            if self.is_off.load(Ordering::SeqCst) {
                self.count_drop(&packet, &self.counters.lost);
                continue;
            }
            if self.direction == Direction::ToServer {
                self.record(&packet);
                if let Some(packet) = Packet::read(&packet, self.direction) {
                    self.handshakes.arrived(&packet);
                }
            }
            // A device that refuses a packet loses it, as a network card may.
            let _ = self.to.send(&packet);
        }
    }

    /// Reads the packets that wait in the device.
    fn take_in(&mut self, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            let length = match self.from.recv(buffer) {
                Ok(length) => length,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
                {
                    return;
                }
                Err(error) => panic!("reading from a device: {error}"),
            };
            let packet = &buffer[..length];
            if self.direction == Direction::ToClient {
                self.record(packet);
                if let Some(packet) = Packet::read(packet, self.direction) {
                    self.handshakes.answered(&packet);
                }
            }
            self.counters.sent.fetch_add(1, Ordering::Relaxed);
            match self.path.send(Instant::now(), length) {
                Verdict::Arrives(arrival) => self.on_the_way.push_back((arrival, packet.to_vec())),
                Verdict::Lost => self.count_drop(packet, &self.counters.lost),
                Verdict::Overflows => self.count_drop(packet, &self.counters.overflowed),
            }
        }
    }

    fn count_drop(&self, packet: &[u8], counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
        let Some(packet) = Packet::read(packet, self.direction) else { return };
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        *dropped.entry(packet.port).or_default() += 1;
        if self.direction == Direction::ToServer {
            self.handshakes.lost(&packet);
        }
    }

    fn record(&self, packet: &[u8]) {
        if let Some(capture) = &self.capture {
            capture.record(packet);
        }
    }
}
