//! Predecessor of this process, as the successor sees it.

use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::message::{PredecessorMessage, SuccessorMessage, parse, send};
use super::other_process::OtherProcess;
use crate::hook::task::thread;

/// Longest time between the end of the channel, with which a predecessor lets go of everything, and
/// the end of its process. One that goes on has let go all the same.
const ENDS: Duration = Duration::from_secs(1);

/// Handle on the predecessor of this process.
pub(crate) struct Predecessor {
    /// Process id of the predecessor.
    pub(crate) id: u32,
    channel: UnixStream,
    state: watch::Sender<PredecessorState>,
    is_told: AtomicBool,
}

/// Progress of a predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PredecessorState {
    /// It accepts connections.
    Serves,
    /// It lets the successor accept, and stops.
    Stops,
    /// It has ended.
    Gone,
}

impl Predecessor {
    /// Begins to listen for messages that arrive on this channel, on a thread of its own. If the
    /// predecessor gives the upgrade up, that thread calls `on_give_up`.
    ///
    /// # Errors
    ///
    /// The system's error, if it refuses a thread or a descriptor.
    pub(crate) fn new(
        channel: UnixStream,
        on_give_up: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let mut lines = BufReader::new(channel.try_clone()?);
        let state = watch::Sender::new(PredecessorState::Serves);
        let progress = state.clone();
        let id = peer(&channel).unwrap_or_else(parent_id);
        let process = OtherProcess::open(id);
        thread("lifecycle-predecessor", move || {
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                match parse(&line) {
                    Some(PredecessorMessage::TakeOver) => {
                        progress.send_replace(PredecessorState::Stops);
                    }
                    Some(PredecessorMessage::GiveUp) => on_give_up(),
                    None => {}
                }
                line.clear();
            }
            match process {
                Ok(process) => {
                    process.ends_within(ENDS);
                }
                Err(_) => wait_for_end_of_parent(id),
            }
            progress.send_replace(PredecessorState::Gone);
        })?;
        Ok(Self { id, channel, state, is_told: AtomicBool::new(false) })
    }

    /// Sends a message. A predecessor that is gone needs none.
    pub(crate) fn tell(&self, message: &SuccessorMessage) {
        let _ = send(&self.channel, message);
    }

    /// Tells the predecessor, once, that this process is ready to take over.
    pub(crate) fn tell_ready(&self) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            self.tell(&SuccessorMessage::Ready);
        }
    }

    /// Waits until the successor may accept connections: the predecessor lets it, or has ended
    /// unexpectedly, and nobody else accepts.
    pub(crate) async fn lets_take_over(&self) {
        self.reached(PredecessorState::Stops).await;
    }

    /// Returns whether the predecessor has let go of everything.
    pub(crate) fn is_gone(&self) -> bool {
        *self.state.borrow() == PredecessorState::Gone
    }

    /// Waits until the predecessor has let go of everything: its run is over. Says before that this
    /// process takes over, which is final.
    pub(crate) async fn lets_go(&self) {
        self.lets_take_over().await;
        self.tell(&SuccessorMessage::Serving);
        self.reached(PredecessorState::Gone).await;
    }

    async fn reached(&self, least: PredecessorState) {
        // This can't fail: the sender is here.
        let _ = self.state.subscribe().wait_for(|state| *state >= least).await;
    }
}

/// Returns the process that has made the channel: the predecessor, even if a launcher has started
/// this process. `None` if the system does not tell it.
#[cfg(target_os = "linux")]
fn peer(channel: &UnixStream) -> Option<u32> {
    use nix::sys::socket::{getsockopt, sockopt};

    let credentials = getsockopt(channel, sockopt::PeerCredentials).ok()?;
    // It is 0 for a process of a namespace that is not seen from here.
    credentials.pid().try_into().ok().filter(|id| *id > 0)
}

#[cfg(not(target_os = "linux"))]
fn peer(_channel: &UnixStream) -> Option<u32> {
    None
}

/// Waits for the end of the parent process, for a while: it closes its files one by one, and the
/// channel may not be the last.
fn wait_for_end_of_parent(parent: u32) {
    let until = Instant::now() + ENDS;
    while parent_id() == parent && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}
