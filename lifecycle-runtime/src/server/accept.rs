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
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FutureExt;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};

use super::address::Listener;
#[cfg(unix)]
use super::address::SocketFile;
use super::tcp_info::handshake_round_trip;
use super::worker::WorkerHandle;
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

/// Starts to accept. `room` tells when a worker may have room again.
pub(super) fn start(
    listeners: Vec<Listener>,
    workers: Vec<WorkerHandle>,
    room: Arc<Notify>,
    obstacles: Obstacles,
) -> io::Result<Acceptor> {
    let (commands, commanded) = watch::channel(Command::Accept);
    let (closes, closed) = oneshot::channel();
    thread("http-accept", move || {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        if let Ok(runtime) = runtime {
            let accepts = async {
                let rotation = Rc::new(WorkerRotation::new(workers, room));
                let accepts = listeners.into_iter().enumerate().map(|(endpoint, listener)| {
                    let accept = Accept {
                        endpoint,
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
                Err(error) => self.obstacles.wait(&error, self.rotation.connection_ended()).await,
            }
        }
    }

    /// Takes in what waits, and what arrives as long as a handshake that has begun may take.
    async fn drain(&mut self, listener: &mut DrainingListener, quiet_window: Duration) {
        let began = Instant::now();
        let mut until = began + self.handshakes.usual_time(quiet_window);
        loop {
            match timeout_at(until, listener.accept()).await {
                Ok(Ok(stream)) => {
                    self.dispatch(stream);
                    // It may have been the first, or the farthest.
                    until = until.max(began + self.handshakes.usual_time(quiet_window));
                }
                Ok(Err(error)) if concerns_one(&error) => {}
                Ok(Err(error)) => self.obstacles.wait(&error, self.rotation.connection_ended()).await,
                Err(_) => match self.handshakes.more_time(began.elapsed(), quiet_window, listener.port()) {
                    Some(more) => until = Instant::now() + more,
                    None => break,
                },
            }
        }
        // The last that has come, past any readiness that has not been noticed.
        loop {
            match listener.next() {
                Ok(Some(stream)) => self.dispatch(stream),
                Ok(None) => return,
                Err(error) if concerns_one(&error) => {}
                Err(error) => self.obstacles.wait(&error, self.rotation.connection_ended()).await,
            }
        }
    }

    fn dispatch(&mut self, stream: Stream) {
        self.obstacles.passed();
        if let Stream::Tcp(stream, _) = &stream {
            self.handshakes.record(handshake_round_trip(stream));
        }
        self.rotation.dispatch(Accepted { stream, endpoint: self.endpoint });
    }
}

/// Returns whether an error is about the connection that was to be accepted, and no other.
fn concerns_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
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
