//! Attempt at an upgrade: the successor is started, and followed until it serves, on a thread of
//! the attempt's own.

use std::io::{self, BufRead, BufReader};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use tokio::sync::oneshot;

use super::launch::Launch;
use super::message::{PredecessorMessage, SuccessorMessage, parse, send};
use super::program::StartedProgram;
use super::successor::{HandedListener, Successor, SuccessorEnd};
use crate::hook::stop::{UpgradeError, UpgradeResult};
use crate::hook::task::thread;

/// Time between two looks at whether the attempt is cancelled, or the successor has ended while a
/// process that it has started keeps the channel open.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Time that a successor has beyond its own limit, on a machine that is busy.
const MARGIN: Duration = Duration::from_secs(5);

/// Time within which a process ends that has closed the channel, or has been told to end.
const ENDS: Duration = Duration::from_secs(1);

/// Attempt at an upgrade. If it is dropped before it has ended, it is cancelled, and the successor
/// ends. Once the successor serves, to drop it is to let go of everything.
pub(crate) struct UpgradeAttempt {
    channel: UnixStream,
    successor: Successor,
    is_cancelled: Arc<AtomicBool>,
    result: oneshot::Receiver<UpgradeResult>,
    has_ended: bool,
}

/// Limits of an attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UpgradeLimits {
    /// Time within which the successor has to say that it is one.
    pub(crate) first_message: Duration,
    /// Time that a successor which has failed has to end by itself.
    pub(crate) grace: Duration,
}

impl UpgradeAttempt {
    /// Starts the successor. `may_take_over` returns whether nothing speaks against the upgrade at
    /// the moment at which the successor is ready.
    ///
    /// # Errors
    ///
    /// The system's error, if it refuses a descriptor or a thread.
    pub(crate) fn begin(
        program: &'static StartedProgram,
        listeners: Vec<HandedListener>,
        launch: Launch,
        limits: UpgradeLimits,
        may_take_over: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let (channel, end) = UnixStream::pair()?;
        let socket = fstat(&end)?.st_ino;
        channel.set_read_timeout(Some(BETWEEN_LOOKS))?;
        let (result_sender, result) = oneshot::channel();
        let successor = Successor::default();
        let is_cancelled = Arc::<AtomicBool>::default();
        let mut monitor = SuccessorMonitor {
            channel: BufReader::new(channel.try_clone()?),
            line: Vec::new(),
            successor: successor.clone(),
            is_cancelled: Arc::clone(&is_cancelled),
        };
        thread("lifecycle-upgrade", move || {
            let started = monitor.successor.start(program, listeners, end.into(), &launch);
            let result = match started {
                Ok(()) => {
                    monitor.find_process(socket);
                    monitor.until_serving(limits, may_take_over)
                }
                Err(error) => {
                    let (program, error) = (program.path.clone(), error.to_string());
                    Err(UpgradeError::NotStarted { program, error })
                }
            };
            if result.is_err() {
                monitor.give_up(limits.grace);
            }
            let _ = result_sender.send(result);
            monitor.successor.reap();
        })?;
        Ok(Self { channel, successor, is_cancelled, result, has_ended: false })
    }

    /// Waits for the end of the attempt. A successor that has failed has ended then.
    ///
    /// Cancel safe. Must not be called again once it has returned.
    pub(crate) async fn ended(&mut self) -> UpgradeResult {
        let result = (&mut self.result).await;
        self.has_ended = true;
        // The sender is dropped only if the thread panics.
        result.unwrap_or(Err(UpgradeError::Stopped))
    }
}

impl Drop for UpgradeAttempt {
    fn drop(&mut self) {
        if self.has_ended {
            // For a successor that has taken over, this is the end of its predecessor.
            let _ = self.channel.shutdown(Shutdown::Both);
            return;
        }
        // This process may end before the thread gets to it.
        self.is_cancelled.store(true, Ordering::SeqCst);
        let _ = send(&self.channel, &PredecessorMessage::GiveUp);
        self.successor.terminate();
    }
}

/// Monitor of a successor, which reads its messages and notices its end.
struct SuccessorMonitor {
    channel: BufReader<UnixStream>,
    /// Part of the next line that has been read.
    line: Vec<u8>,
    successor: Successor,
    is_cancelled: Arc<AtomicBool>,
}

/// Reason for which no message comes.
enum NoMessage {
    /// It has not come in time.
    Late,
    /// The attempt is cancelled.
    Cancelled,
    /// The successor has ended, or at least closed the channel.
    Ended(Option<SuccessorEnd>),
}

impl SuccessorMonitor {
    /// Looks for the process of a successor that is no child, for a while at most, by its end of
    /// the channel: if it is another program, it tells no process id, and has to be ended all the
    /// same. Its first message tells where the system shows it to nobody.
    fn find_process(&self, socket: u64) {
        let until = Instant::now() + ENDS;
        loop {
            self.successor.look_for(socket);
            let is_over = self.successor.id().is_some() || Instant::now() >= until;
            if is_over || is_readable_within(self.channel.get_ref(), Duration::from_millis(10)) {
                return;
            }
        }
    }

    /// Follows the successor until it serves, and returns its process id.
    fn until_serving(
        &mut self,
        limits: UpgradeLimits,
        may_take_over: impl Fn() -> bool,
    ) -> UpgradeResult {
        let silent = UpgradeError::Silent { after: limits.first_message };
        let startup_timeout = match self.next(limits.first_message, silent.clone())? {
            SuccessorMessage::Starting { startup_timeout, process } => {
                process.inspect(|id| self.successor.identify(*id));
                startup_timeout
            }
            SuccessorMessage::Failed { error } => return Err(UpgradeError::StartFailed { error }),
            SuccessorMessage::Ready | SuccessorMessage::Serving => return Err(silent),
        };
        // Without an id, nobody could be told whom to follow from now on.
        let id = self.successor.id().ok_or_else(|| UpgradeError::StartFailed {
            error: "its process id can't be told".to_owned(),
        })?;
        let after = startup_timeout.saturating_add(MARGIN);
        let late = UpgradeError::TimedOut { after };
        self.expect(&SuccessorMessage::Ready, after, &late)?;
        if !may_take_over() {
            return Err(UpgradeError::Stopped);
        }
        // If this fails, the successor is gone, and no message comes.
        let _ = send(self.channel.get_ref(), &PredecessorMessage::TakeOver);
        self.expect(&SuccessorMessage::Serving, MARGIN, &late).map(|()| id)
    }

    /// Waits for this message, for this time at most.
    fn expect(
        &mut self,
        expected: &SuccessorMessage,
        limit: Duration,
        late: &UpgradeError,
    ) -> Result<(), UpgradeError> {
        let until = Instant::now().checked_add(limit);
        loop {
            let left = until.map_or(limit, |until| until.saturating_duration_since(Instant::now()));
            match self.next(left, late.clone())? {
                message if message == *expected => return Ok(()),
                SuccessorMessage::Failed { error } => {
                    return Err(UpgradeError::StartFailed { error });
                }
                _ => {}
            }
        }
    }

    /// Waits for the next message, for this time at most.
    fn next(
        &mut self,
        limit: Duration,
        late: UpgradeError,
    ) -> Result<SuccessorMessage, UpgradeError> {
        self.receive(limit).map_err(|reason| match reason {
            NoMessage::Late => late,
            NoMessage::Cancelled => UpgradeError::Stopped,
            NoMessage::Ended(end) => {
                let status = match end {
                    Some(end) => end.to_string(),
                    None if self.successor.id().is_some() => {
                        "it has closed the channel, and goes on".to_owned()
                    }
                    None => SuccessorEnd::Detached.to_string(),
                };
                UpgradeError::Ended { status }
            }
        })
    }

    fn receive(&mut self, limit: Duration) -> Result<SuccessorMessage, NoMessage> {
        let until = Instant::now().checked_add(limit);
        let mut end = None;
        loop {
            if self.is_cancelled.load(Ordering::SeqCst) {
                return Err(NoMessage::Cancelled);
            }
            match self.channel.read_until(b'\n', &mut self.line) {
                Ok(_) if self.line.ends_with(b"\n") => {
                    let line = std::mem::take(&mut self.line);
                    // A later version may say something that this one does not know.
                    if let Some(message) = parse(&line) {
                        return Ok(message);
                    }
                }
                Err(error) if is_pause(&error) => match end {
                    // Nothing has come since it ended.
                    Some(end) => return Err(NoMessage::Ended(Some(end))),
                    None => end = self.successor.end(),
                },
                Ok(_) | Err(_) => {
                    return Err(NoMessage::Ended(self.successor.ended_within(ENDS)));
                }
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Err(NoMessage::Late);
            }
        }
    }

    /// Ends the successor: by a message, then by SIGTERM, as it may be a program that knows no
    /// messages, and by SIGKILL when its time is up.
    fn give_up(&self, grace: Duration) {
        let _ = send(self.channel.get_ref(), &PredecessorMessage::GiveUp);
        if !self.successor.is_started() || self.successor.ended_within(ENDS).is_some() {
            return;
        }
        self.successor.terminate();
        if self.successor.ended_within(grace).is_none() {
            self.successor.kill();
            self.successor.reap();
        }
    }
}

/// Waits until there is something to read, or the other end is closed, for this time at most, and
/// returns whether it is so.
fn is_readable_within(channel: &UnixStream, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).ok();
    let mut polled = [PollFd::new(channel, PollFlags::IN)];
    poll(&mut polled, limit.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Returns whether nothing has come for a while.
fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
