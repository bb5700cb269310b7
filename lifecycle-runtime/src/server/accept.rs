//! Accepting connections, on a thread of its own: it goes on whatever the workers and the hooks' runtime are doing.
//!
//! The end of it loses none: connections that are waiting are handed over before the listener is closed, and while that
//! happens no new ones begin.

use std::cell::Cell;
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
use tokio::time::sleep;

use super::address::Listener;
#[cfg(unix)]
use super::address::SocketFile;
use super::worker::Desk;
use crate::task::thread;

/// How long to wait when the system has no more room for connections, as actix-server does.
const EXHAUSTED: Duration = Duration::from_millis(510);

/// How long a handshake that has begun may take to end, once no new one does.
const HANDSHAKES: Duration = Duration::from_millis(1);

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) stream: Stream,
    /// Which of the server's addresses it came to.
    pub(super) endpoint: usize,
}

pub(super) enum Stream {
    Tcp(std::net::TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

/// The thread that accepts, as others see it.
pub(super) struct Acceptor {
    close: watch::Sender<bool>,
    closed: oneshot::Receiver<()>,
}

impl Acceptor {
    /// Hands over what waits, and closes the listeners.
    pub(super) async fn close(&mut self) {
        self.close.send_replace(true);
        if !self.closed.is_terminated() {
            // An error means that the thread is gone, and its listeners with it.
            let _ = (&mut self.closed).await;
        }
    }

    /// Whether it has ended by itself, which it should not. Only until it has.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.closed).poll(context).map(drop)
    }
}

/// Starts to accept. `room` tells when a worker may have room again.
pub(super) fn start(listeners: Vec<Listener>, desks: Vec<Desk>, room: Arc<Notify>) -> io::Result<Acceptor> {
    let (close, closing) = watch::channel(false);
    let (closes, closed) = oneshot::channel();
    thread("http-accept", move || {
        if let Ok(runtime) = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            let accepts = async {
                let turns = Rc::new(Turns { desks, next: Cell::new(0), room });
                let doors = listeners.into_iter().enumerate().map(|(endpoint, listener)| {
                    spawn_local(accept(listener, endpoint, Rc::clone(&turns), closing.clone()).boxed_local())
                });
                for door in doors.collect::<Vec<_>>() {
                    let _ = door.await;
                }
            };
            runtime.block_on(accepts.boxed_local());
        }
        let _ = closes.send(());
    })?;
    Ok(Acceptor { close, closed })
}

/// The workers, in turn.
struct Turns {
    desks: Vec<Desk>,
    next: Cell<usize>,
    room: Arc<Notify>,
}

impl Turns {
    /// The next worker that has room.
    fn next(&self) -> Option<&Desk> {
        let count = self.desks.len();
        let turn = (0..count).map(|step| (self.next.get() + step) % count).find(|turn| self.desks[*turn].has_room())?;
        self.next.set((turn + 1) % count);
        Some(&self.desks[turn])
    }

    /// Waits until a worker has room. Connections wait in the system meanwhile.
    async fn room(&self) {
        while !self.desks.iter().any(Desk::has_room) {
            self.room.notified().await;
        }
        // There may be room for the other listeners, too.
        self.room.notify_one();
    }

    /// Hands over a connection, to a worker that has room if one has.
    fn hand(&self, accepted: Accepted) {
        let turn = self.next.get();
        self.next().unwrap_or(&self.desks[turn]).hand(accepted);
    }
}

/// Accepts until it is time to close, then what still waits.
async fn accept(listener: Listener, endpoint: usize, turns: Rc<Turns>, mut closing: watch::Receiver<bool>) {
    let door = match Door::new(listener) {
        Ok(door) => door,
        Err(error) => return tracing::error!("can't accept connections: {error}"),
    };
    loop {
        let stream = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => break,
            stream = async { turns.room().await; door.accept().await } => stream,
        };
        match stream {
            Ok(stream) => turns.hand(Accepted { stream, endpoint }),
            Err(error) if concerns_one(&error) => {}
            Err(error) => {
                tracing::error!("can't accept a connection: {error}");
                sleep(EXHAUSTED).await;
            }
        }
    }
    if let Ok(door) = door.close() {
        // What was under way when the door was closed has arrived when it is looked at again.
        for wait in [HANDSHAKES, Duration::ZERO] {
            while let Some(stream) = door.next() {
                turns.hand(Accepted { stream, endpoint });
            }
            if !wait.is_zero() {
                sleep(wait).await;
            }
        }
    }
}

/// Whether an error is about the connection that was to be accepted, and no other.
fn concerns_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A listener that accepts.
enum Door {
    Tcp(tokio::net::TcpListener),
    /// The parent's, too.
    #[cfg(unix)]
    Inherited(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, SocketFile),
}

/// A listener that lets in only those who are already waiting.
enum ClosedDoor {
    Tcp(std::net::TcpListener),
    /// Of no concern any more: what waits there is for whoever has it next.
    #[cfg(unix)]
    LeftOpen,
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

impl Door {
    fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
            #[cfg(unix)]
            Listener::Inherited(listener) => Self::Inherited(tokio::net::TcpListener::from_std(listener)?),
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
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0.into_std()?)),
        }
    }

    fn close(self) -> io::Result<ClosedDoor> {
        Ok(match self {
            Self::Tcp(listener) => {
                let listener = listener.into_std()?;
                #[cfg(target_os = "linux")]
                if let Err(error) = refuse_handshakes(&listener) {
                    tracing::debug!("a connection that begins while the listener closes may be reset: {error}");
                }
                ClosedDoor::Tcp(listener)
            }
            #[cfg(unix)]
            Self::Inherited(_) => ClosedDoor::LeftOpen,
            #[cfg(unix)]
            Self::Unix(listener, file) => {
                // Nobody finds the socket any more.
                drop(file);
                ClosedDoor::Unix(listener.into_std()?)
            }
        })
    }
}

async fn accept_tcp(listener: &tokio::net::TcpListener) -> io::Result<Stream> {
    let (stream, peer) = listener.accept().await?;
    Ok(Stream::Tcp(stream.into_std()?, peer))
}

impl ClosedDoor {
    /// The next connection that waits. The listener doesn't block.
    fn next(&self) -> Option<Stream> {
        loop {
            let next = match self {
                Self::Tcp(listener) => listener.accept().map(|(stream, peer)| Stream::Tcp(stream, peer)),
                #[cfg(unix)]
                Self::LeftOpen => return None,
                #[cfg(unix)]
                Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
            };
            match next {
                Err(error) if concerns_one(&error) => {}
                next => return next.and_then(Stream::nonblocking).ok(),
            }
        }
    }
}

impl Stream {
    fn nonblocking(self) -> io::Result<Self> {
        match &self {
            Self::Tcp(stream, _) => stream.set_nonblocking(true)?,
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_nonblocking(true)?,
        }
        Ok(self)
    }
}

/// Has the system drop the first packet of each new connection, while handshakes that have begun go on to their end.
///
/// A listener that is closed resets what waits in it, and between the last `accept` and the close there is always a
/// moment. A client whose first packet is dropped sends it again a second later; by then it is refused, or received
/// by the process that has taken over the port.
#[cfg(target_os = "linux")]
fn refuse_handshakes(listener: &std::net::TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // Opcodes of the classic filter machine, see linux/bpf_common.h; it sees a packet from its TCP header on.
    const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
    const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;

    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}
