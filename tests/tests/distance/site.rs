//! Server on one side of a rig, and the parts that its clients on the other side need.

use std::fs;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use lifecycle_tests::LIMIT;
use lifecycle_tests::rig::{Link, Namespace, Rig};
use tempfile::TempDir;

use crate::clients::{Journal, Protocol, Tally, Target};
use crate::harness::{Ended, Program, Signal, Start, program};
use crate::{LOSSY_WINDOW, WINDOW};

/// Running server. Its program is declared before the rig, and so ends before it.
pub(crate) struct Site {
    pub(crate) program: Program,
    pub(crate) target: Target,
    pub(crate) rtt: Duration,
    /// Quiet window, unless the test has set another.
    pub(crate) window: Duration,
    clients: Namespace,
    pub(crate) rig: Rig,
    _folder: TempDir,
}

impl Site {
    /// Starts `routes` at the end of a link, and waits until it is ready. Where packets are lost,
    /// the program has a longer quiet window.
    pub(crate) fn start(protocol: Protocol, link: Link, set: impl FnOnce(Start) -> Start) -> Self {
        let rtt = link.rtt;
        let window = if link.loss > 0.0 { LOSSY_WINDOW } else { WINDOW };
        let rig = Rig::new(link).expect("there was one before");
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = folder.path().join("certificate");
        let address = Rig::address(80);
        let mut start = set(program!("routes")).env("LIFECYCLE_BIND", &address);
        if window != WINDOW {
            start = start.env("LIFECYCLE_QUIET_WINDOW", format!("{}ms", window.as_millis()));
        }
        if protocol == Protocol::H2c {
            start = start.args("h2c");
        }
        if protocol.is_tls() {
            start = start.args(&format!("certificate={}", certificate.display()));
        }
        let program = rig.server(move || start.start()).ready();
        let target = Target::new(protocol, address, &certificate);
        let clients = rig.client_namespace().clone();
        Self { program, target, rtt, window, clients, rig, _folder: folder }
    }

    /// Starts a client.
    pub(crate) fn client<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Target) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let target = self.target.clone();
        self.clients.spawn(move || work(&target))
    }

    /// Begins the stop, and waits until the server has announced it. Returns the time of the
    /// signal.
    pub(crate) fn stop(&mut self) -> Instant {
        let signalled = Instant::now();
        self.program.signal(Signal::SIGTERM);
        self.program.wait_for("stopping");
        signalled
    }

    /// Waits for the ends of clients that may have connected without the server's knowledge. Leaves
    /// out the clients whose handshake has lost its last packet, see [`Journal::forgive`].
    #[track_caller]
    pub(crate) fn tally(&self, clients: impl IntoIterator<Item = JoinHandle<Journal>>) -> Tally {
        let mut tally = tally(clients);
        let handshakes = self.rig.handshakes();
        let is_end_lost =
            |port| handshakes.get(&port).is_some_and(|handshake| handshake.is_end_lost);
        tally.0.retain_mut(|journal| !journal.forgive(is_end_lost));
        tally
    }

    /// Waits for the end of the program. The program must have cut off this many requests, finished
    /// those that were answered, refused those that were answered with 503, and exited with the
    /// code that follows from that.
    #[track_caller]
    pub(crate) fn expect_report(self, tally: &Tally, cut: usize) -> Ended {
        let ended = self.program.end();
        expect_report(&ended, tally.answered(), cut);
        match tally.refused() {
            0 => ended.expect_not_said(&[" refused"]),
            refused => ended.expect_said(&[&format!(" cut off, {refused} refused")]),
        };
        ended
    }
}

/// Checks that the report and the exit code have these numbers.
#[track_caller]
pub(crate) fn expect_report(ended: &Ended, finished: usize, cut: usize) {
    let stderr = ended.stderr();
    let line = stderr.lines().find(|line| line.contains("server closed in")).unwrap_or_default();
    let noun = if finished == 1 { "request" } else { "requests" };
    let expected = format!(": {finished} {noun} finished, {cut} cut off");
    assert!(
        line.contains(&expected),
        "the clients saw `{expected}`, and the report says `{line}`\n{ended}"
    );
    ended.expect_code(if cut == 0 { 0 } else { 3 });
}

/// Waits for the client's end.
#[track_caller]
pub(crate) fn joined<T>(client: JoinHandle<T>) -> T {
    client.join().unwrap_or_else(|panic| resume_unwind(panic))
}

#[track_caller]
pub(crate) fn tally(clients: impl IntoIterator<Item = JoinHandle<Journal>>) -> Tally {
    Tally(clients.into_iter().map(joined).collect())
}

/// Waits until the server's kernel has acknowledged all that the clients have sent. This is for a
/// client's thread, as it asks the thread's network namespace.
#[track_caller]
pub(crate) fn wait_until_acknowledged() {
    let began = Instant::now();
    while unacknowledged() > 0 {
        assert!(began.elapsed() < LIMIT, "what a client has sent is not acknowledged");
        sleep(Duration::from_millis(1));
    }
}

/// Returns the number of bytes that TCP sockets of this thread's namespace have sent and that have
/// not been acknowledged: `tx_queue` in `proc_net_tcp(5)`.
fn unacknowledged() -> u64 {
    let table = fs::read_to_string("/proc/thread-self/net/tcp").expect("sockets");
    let queue = |line: &str| {
        let (sent, _) = line.split_whitespace().nth(4)?.split_once(':')?;
        u64::from_str_radix(sent, 16).ok()
    };
    table.lines().filter_map(queue).sum()
}

/// Makes a gate, by which one thread lets another go on.
pub(crate) fn gate() -> (Key, Gate) {
    let (key, gate) = mpsc::channel();
    (Key(key), Gate(gate))
}

/// Handle that opens a gate.
#[derive(Clone)]
pub(crate) struct Key(mpsc::Sender<()>);

impl Key {
    /// Lets the thread behind the gate go on, now or when it begins to wait.
    pub(crate) fn open(&self) {
        // A thread that does not wait any more has failed, and said so.
        let _ = self.0.send(());
    }
}

/// Handle that waits at a gate.
pub(crate) struct Gate(mpsc::Receiver<()>);

impl Gate {
    /// Returns whether the gate has been opened once more.
    pub(crate) fn is_open(&self) -> bool {
        self.0.try_recv().is_ok()
    }

    /// Waits until the gate is opened once more.
    #[track_caller]
    pub(crate) fn wait(&self) {
        self.0.recv_timeout(LIMIT).expect("nobody opens the gate");
    }
}
