//! Accepting connections, on a thread of its own: it goes on whatever the workers and the hooks' runtime are doing.
//!
//! Its end loses none: connections that wait are given to the workers before the listener is closed, handshakes that have
//! begun are waited for, and meanwhile no new ones begin.

mod draining;
mod obstacle;
mod rotation;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};

use super::address::Listener;
#[cfg(unix)]
use super::address::SocketFile;
use super::tcp_info::handshake_round_trip;
use super::worker::{Vacancies, WorkerHandle};
use crate::task::thread;
use draining::{DrainingListener, Handshakes};
pub(crate) use obstacle::Obstacle;
pub(super) use obstacle::Obstacles;
use rotation::WorkerRotation;

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) stream: Stream,
    /// Index of the server's address that it came to.
    pub(super) endpoint: usize,
}

pub(super) enum Stream {
    Tcp(std::net::TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Stream {
    /// Returns the round trip of its handshake, where it had one.
    fn round_trip(&self) -> Option<Duration> {
        match self {
            Self::Tcp(stream, _) => handshake_round_trip(stream),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

/// Order to the accepting thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Command {
    Accept,
    /// Take in what waits, and close; a handshake has a margin of this much at most.
    Drain {
        quiet_window: Duration,
    },
    /// Close at once.
    Close,
}

/// Handle of the thread that accepts.
pub(super) struct Acceptor {
    commands: watch::Sender<Command>,
    closed: oneshot::Receiver<()>,
}

impl Acceptor {
    /// Begins to take in what waits, and to close the listeners.
    pub(super) fn drain(&self, quiet_window: Duration) {
        self.commands.send_replace(Command::Drain { quiet_window });
    }

    /// Closes the listeners, whatever waits.
    pub(super) fn close(&self) {
        self.commands.send_replace(Command::Close);
    }

    /// Waits until the listeners are closed.
    pub(super) async fn closed(&mut self) {
        if !self.closed.is_terminated() {
            // An error means that the thread is gone, and its listeners with it.
            let _ = (&mut self.closed).await;
        }
    }

    /// Polls whether it has ended by itself, which it should not. Only until it has.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.closed).poll(context).map(drop)
    }
}

/// Starts to accept. `vacancies` tell when a worker may have room again.
pub(super) fn start(
    listeners: Vec<Listener>,
    workers: Vec<WorkerHandle>,
    vacancies: &Vacancies,
    backlog: u32,
    obstacles: Obstacles,
) -> io::Result<Acceptor> {
    let (commands, commanded) = watch::channel(Command::Accept);
    let (closes, closed) = oneshot::channel();
    let vacancies = vacancies.clone();
    thread("http-accept", move || {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        if let Ok(runtime) = runtime {
            let accepts = async {
                let rotation = Rc::new(WorkerRotation::new(workers, vacancies));
                let accepts = listeners.into_iter().enumerate().map(|(endpoint, listener)| {
                    let accept = Accept {
                        endpoint,
                        backlog,
                        rotation: Rc::clone(&rotation),
                        obstacles: obstacles.clone(),
                        handshakes: Handshakes::default(),
                        commands: commanded.clone(),
                    };
                    spawn_local(accept.run(listener).boxed_local())
                });
                for accept in accepts.collect::<Vec<_>>() {
                    let _ = accept.await;
                }
            };
            runtime.block_on(accepts.boxed_local());
        }
        let _ = closes.send(());
    })?;
    Ok(Acceptor { commands, closed })
}

/// The accepting for one listener.
struct Accept {
    endpoint: usize,
    /// Number of connections that may wait.
    backlog: u32,
    rotation: Rc<WorkerRotation>,
    obstacles: Obstacles,
    handshakes: Handshakes,
    commands: watch::Receiver<Command>,
}

impl Accept {
    /// Accepts until it is time to close, then what still waits.
    async fn run(mut self, listener: Listener) {
        let listener = match AcceptingListener::new(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!("can't accept connections: {error}"),
        };
        let mut commands = self.commands.clone();
        let command = tokio::select! {
            biased;
            command = commands.wait_for(|command| *command != Command::Accept) => {
                command.map_or(Command::Close, |command| *command)
            }
            () = self.accept(&listener) => Command::Close,
        };
        let Command::Drain { quiet_window } = command else { return };
        let Some(mut draining) = listener.drain() else { return };
        tokio::select! {
            biased;
            _ = commands.wait_for(|command| *command == Command::Close) => {}
            () = self.drain(&mut draining, quiet_window) => {}
        }
    }

    /// Accepts for ever.
    async fn accept(&mut self, listener: &AcceptingListener) {
        loop {
            self.rotation.room().await;
            match listener.accept().await {
                Ok(stream) => self.dispatch(stream),
                Err(error) if concerns_one(&error) => {}
                Err(error) => self.obstructed(&error, || listener.has_waiting()).await,
            }
        }
    }

    /// Nothing can be accepted. Tells so if somebody waits, and returns when that may be different. (The system says so of an
    /// empty queue, too.)
    async fn obstructed(&self, error: &io::Error, has_waiting: impl Fn() -> bool) {
        if has_waiting() {
            self.obstacles.tell(error);
        }
        self.obstacles.pause(self.rotation.connection_ended()).await;
        if !has_waiting() {
            self.obstacles.passed();
        }
    }

    /// Takes in what waits, and what arrives as long as a handshake that has begun may take.
    async fn drain(&mut self, listener: &mut DrainingListener, quiet_window: Duration) {
        let began = Instant::now();
        let mut until = began + self.handshakes.usual_time(quiet_window);
        loop {
            let accepted = if Instant::now() < until { timeout_at(until, listener.accept()).await.ok() } else { None };
            match accepted {
                Some(Ok(stream)) => {
                    self.dispatch(stream);
                    // It may have been the first, or the farthest.
                    until = until.max(began + self.handshakes.usual_time(quiet_window));
                }
                Some(Err(error)) if concerns_one(&error) => {}
                Some(Err(error)) => self.obstructed(&error, || listener.has_waiting()).await,
                None => match self.handshakes.more_time(began.elapsed(), quiet_window, listener.port()) {
                    Some(more) => until = Instant::now() + more,
                    None => break,
                },
            }
        }
        // The last that has come, past any readiness that has not been noticed. No more than fits into the queue: without a
        // filter others come all the time.
        let mut room = self.backlog;
        while room > 0 && listener.has_waiting() {
            match listener.next() {
                Ok(Some(stream)) => {
                    self.dispatch(stream);
                    room -= 1;
                }
                Ok(None) => return,
                Err(error) if concerns_one(&error) => {}
                Err(error) => self.obstructed(&error, || listener.has_waiting()).await,
            }
        }
    }

    fn dispatch(&mut self, stream: Stream) {
        self.obstacles.passed();
        self.handshakes.record(stream.round_trip());
        self.rotation.dispatch(Accepted { stream, endpoint: self.endpoint });
    }
}

/// Returns whether an error is about the connection that was to be accepted, and no other: see accept(2), "Error handling".
fn concerns_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, PermissionDenied};
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        return true;
    }
    matches!(error.kind(), PermissionDenied | HostUnreachable | NetworkDown | NetworkUnreachable)
        || is_pending_error(error)
}

/// Returns whether this is an error of the network that was pending on the new connection.
#[cfg(unix)]
fn is_pending_error(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let pending = [Errno::PROTO, Errno::NOPROTOOPT, Errno::HOSTDOWN, Errno::OPNOTSUPP, Errno::TIMEDOUT];
    error.raw_os_error().is_some_and(|code| pending.iter().any(|errno| errno.raw_os_error() == code))
}

/// Returns whether this is an error of the network that was pending on the new connection.
#[cfg(not(unix))]
fn is_pending_error(_error: &io::Error) -> bool {
    false
}

/// Returns whether a connection waits to be accepted; `true` where the system doesn't tell.
#[cfg(unix)]
fn has_waiting(listener: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut listeners = [PollFd::new(listener, PollFlags::IN)];
    poll(&mut listeners, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(0)
}

/// Returns whether a connection waits to be accepted; `true` where the system doesn't tell.
#[cfg(not(unix))]
fn has_waiting<T>(_listener: &T) -> bool {
    true
}

/// A listener that accepts.
enum AcceptingListener {
    Tcp(tokio::net::TcpListener),
    /// The parent's, too.
    #[cfg(unix)]
    Inherited(tokio::net::TcpListener),
    #[cfg(unix)]
    InheritedUnix(tokio::net::UnixListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, SocketFile),
}

impl AcceptingListener {
    fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
            #[cfg(unix)]
            Listener::Inherited(listener) => Self::Inherited(tokio::net::TcpListener::from_std(listener)?),
            #[cfg(unix)]
            Listener::InheritedUnix(listener) => Self::InheritedUnix(tokio::net::UnixListener::from_std(listener)?),
            #[cfg(unix)]
            Listener::Unix(listener, file) => Self::Unix(tokio::net::UnixListener::from_std(listener)?, file),
        })
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => accept_tcp(listener).await,
            #[cfg(unix)]
            Self::Inherited(listener) => accept_tcp(listener).await,
            #[cfg(unix)]
            Self::InheritedUnix(listener) | Self::Unix(listener, _) => accept_unix(listener).await,
        }
    }

    fn has_waiting(&self) -> bool {
        match self {
            Self::Tcp(listener) => has_waiting(listener),
            #[cfg(unix)]
            Self::Inherited(listener) => has_waiting(listener),
            #[cfg(unix)]
            Self::InheritedUnix(listener) | Self::Unix(listener, _) => has_waiting(listener),
        }
    }

    /// Lets in only those who are on their way already. `None` for a listener that stays open: what waits there is for
    /// whoever has it next.
    fn drain(self) -> Option<DrainingListener> {
        match self {
            Self::Tcp(listener) => Some(DrainingListener::tcp(listener)),
            #[cfg(unix)]
            Self::Inherited(_) | Self::InheritedUnix(_) => None,
            #[cfg(unix)]
            Self::Unix(listener, file) => {
                // Nobody finds the socket any more.
                drop(file);
                Some(DrainingListener::Unix(listener))
            }
        }
    }
}

async fn accept_tcp(listener: &tokio::net::TcpListener) -> io::Result<Stream> {
    let (stream, peer) = listener.accept().await?;
    Ok(Stream::Tcp(stream.into_std()?, peer))
}

#[cfg(unix)]
async fn accept_unix(listener: &tokio::net::UnixListener) -> io::Result<Stream> {
    Ok(Stream::Unix(listener.accept().await?.0.into_std()?))
}
