//! Connections of a worker. Each is a task, from its first byte to its last.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::Protocol;
use futures_util::future::FutureExt;
use slab::Slab;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Load, WorkerCommand, WorkerSpec};
use crate::server::accepted::{Accepted, AcceptedStream};
use crate::server::connection::{Closer, Connection, WorkerPhase};
use crate::server::http2::PREFACE;
use crate::server::linger::linger;
use crate::server::service::Serve;
use crate::server::settings::keep_alive_header;
use crate::server::socket::SharedSocket;
use crate::server::tcp_info::Peer;
use crate::server::traffic::RequestTable;
use crate::server::transport::Transport;

/// Connection in the set, with its socket once that is ready for HTTP.
struct Member {
    connection: Rc<Connection>,
    socket: Option<SharedSocket>,
}

/// Set of a worker's connections, with the state that they share.
pub(super) struct ConnectionSet {
    spec: Arc<WorkerSpec>,
    /// One app for each endpoint.
    apps: Vec<Serve>,
    table: Arc<RequestTable>,
    load: Arc<Load>,
    phase: Rc<WorkerPhase>,
    open: RefCell<Slab<Member>>,
    /// Handles of the connections' tasks.
    tasks: RefCell<Slab<AbortHandle>>,
    /// Number of the WebSocket handlers whose connection has ended.
    handlers: Cell<usize>,
    /// Notification that the last connection and the last such handler have ended.
    emptied: Notify,
    /// Permits for TLS handshakes.
    handshakes: Semaphore,
}

impl ConnectionSet {
    pub(super) fn new(
        spec: Arc<WorkerSpec>,
        apps: Vec<Serve>,
        table: Arc<RequestTable>,
        load: Arc<Load>,
    ) -> Rc<Self> {
        let keep_alive = keep_alive_header(spec.settings.keep_alive());
        let phase = Rc::new(WorkerPhase::new(Arc::clone(&spec.announces), keep_alive));
        let handshakes = Semaphore::new(spec.settings.max_connection_rate());
        Rc::new(Self {
            spec,
            apps,
            table,
            load,
            phase,
            open: RefCell::default(),
            tasks: RefCell::default(),
            handlers: Cell::new(0),
            emptied: Notify::new(),
            handshakes,
        })
    }

    /// Serves connections until none is left to serve, and returns `true`; or until they are cut
    /// off, and returns `false`.
    pub(super) async fn serve(
        self: &Rc<Self>,
        mut accepted: mpsc::UnboundedReceiver<Accepted>,
        commands: &mut mpsc::UnboundedReceiver<WorkerCommand>,
    ) -> bool {
        let mut closes = false;
        let mut is_last = false;
        loop {
            if is_last && closes && self.is_empty() {
                return true;
            }
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(WorkerCommand::Announce) => self.each(Connection::announce),
                    Some(WorkerCommand::Close { quiet_window }) => {
                        closes = true;
                        self.phase.close(self.spec.settings.closing_times(quiet_window));
                        self.each(Connection::wake);
                    }
                    Some(WorkerCommand::Cut) | None => {
                        self.table.cut();
                        self.leave_to_system();
                        return false;
                    }
                },
                accepted = accepted.recv(), if !is_last => match accepted {
                    Some(accepted) => self.spawn(accepted),
                    None => is_last = true,
                },
                () = self.emptied.notified() => {}
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.open.borrow().is_empty() && self.handlers.get() == 0
    }

    fn each(&self, call: impl Fn(&Connection)) {
        for (_, member) in self.open.borrow().iter() {
            call(&member.connection);
        }
    }

    /// Leaves connections with unacknowledged bytes to the system.
    fn leave_to_system(&self) {
        for (_, member) in self.open.borrow().iter() {
            if let Some(socket) = &member.socket
                && socket.info().is_some_and(|info| info.is_unacknowledged())
            {
                socket.leave_to_system();
            }
        }
    }

    /// Serves a connection on a task of its own.
    fn spawn(self: &Rc<Self>, accepted: Accepted) {
        let connection = Rc::new(Connection::new(Arc::clone(&self.table), Rc::clone(&self.phase)));
        let member = Member { connection: Rc::clone(&connection), socket: None };
        let key = self.open.borrow_mut().insert(member);
        self.table.open();
        let guard = ConnectionGuard { connections: Rc::clone(self), key };
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let task_guard = TaskGuard { connections: Rc::clone(self), key: entry.key() };
        let task = async move {
            let _task_guard = task_guard;
            let request = WebSocketRequest(Rc::clone(&connection));
            if let Err(error) = guard.connections.drive(key, &connection, accepted).await {
                tracing::debug!("a connection ended before its first request: {error}");
            }
            let Some(websocket) = request.0.websocket() else { return };
            // The handler is a task of its own: the worker waits for it, without the connection.
            let handler = HandlerGuard::new(&guard.connections);
            drop(guard);
            websocket.handler_ended(handler.0.spec.settings.closing_timeout()).boxed_local().await;
        };
        entry.insert(tokio::task::spawn_local(task.boxed_local()).abort_handle());
    }

    /// Drops the tasks of connections that were cut off. Returns `false` if other tasks may be left
    /// that no handler has spawned: those of HTTP/2 streams or of a WebSocket.
    pub(super) async fn abort(&self) -> bool {
        let has_others = |(_, member): (usize, &Member)| {
            member.connection.is_http2() || member.connection.websocket().is_some()
        };
        let is_clear = self.handlers.get() == 0 && !self.open.borrow().iter().any(has_others);
        self.tasks.borrow().iter().for_each(|(_, task)| task.abort());
        while !self.tasks.borrow().is_empty() {
            yield_now().await;
        }
        is_clear
    }

    /// Drives a connection from its handshake to its end.
    async fn drive(
        &self,
        key: usize,
        connection: &Rc<Connection>,
        accepted: Accepted,
    ) -> io::Result<()> {
        poll_fn(|context| {
            connection.driven_by(context);
            Poll::Ready(())
        })
        .await;
        let mut closer = None;
        let opened = self.open(connection, &mut closer, accepted.stream).await?;
        let Some(Opened { peer, socket, protocol }) = opened else { return Ok(()) };
        self.open.borrow_mut()[key].socket = Some(socket.clone());
        connection.opened();
        let mut transport = Transport::new(socket.clone(), Rc::clone(connection));
        let disconnect = self.spec.settings.closing_timeout();
        let mut head_limit = None;
        let protocol = if let Some(protocol) = protocol {
            protocol
        } else {
            head_limit =
                self.spec.settings.client_request_timeout().map(|limit| Instant::now() + limit);
            let sniffed = sniff(&mut transport, head_limit).boxed_local();
            let Some(protocol) = closing(connection, &mut closer, &socket, sniffed).await else {
                return Ok(());
            };
            let Some(protocol) = protocol? else {
                refuse_slow_head(&socket, connection, disconnect).boxed_local().await;
                return Ok(());
            };
            protocol
        };
        if protocol == Protocol::Http2 {
            transport.speaks_http2();
            head_limit = None;
        }
        let served = (self.apps[accepted.endpoint])(transport, protocol, peer);
        let served = with_head_by(head_limit, connection, served);
        match closing(connection, &mut closer, &socket, served).await {
            Some(Served::Whole) if connection.is_ending() => {
                linger(&socket, connection, disconnect).boxed_local().await;
            }
            Some(Served::WithoutHead) => {
                refuse_slow_head(&socket, connection, disconnect).boxed_local().await;
            }
            Some(Served::Whole) | None => {}
        }
        Ok(())
    }
}

/// Response to a client that has not sent a request's head in time, as actix-http gives it.
const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Result of actix-http's work on a connection.
enum Served {
    Whole,
    /// The connection was given up, because the head of the first request did not come in time.
    WithoutHead,
}

/// Serves a connection, and gives it up unless the first request's head comes by the limit.
/// actix-http counts that time itself, but not the time that it took to learn the protocol.
async fn with_head_by(
    limit: Option<Instant>,
    connection: &Connection,
    served: impl Future<Output = ()>,
) -> Served {
    let mut served = pin!(served);
    if let Some(limit) = limit
        && timeout_at(limit, &mut served).boxed_local().await.is_ok()
    {
        return Served::Whole;
    }
    if limit.is_some() && !connection.has_begun() {
        return Served::WithoutHead;
    }
    served.await;
    Served::Whole
}

/// Reads the first bytes of a client that may speak either protocol, and returns its protocol;
/// `None` if too few bytes have come by the limit.
async fn sniff(transport: &mut Transport, limit: Option<Instant>) -> io::Result<Option<Protocol>> {
    let begins = transport.begins_with(PREFACE);
    let begins = match limit {
        Some(limit) => match timeout_at(limit, begins).await {
            Ok(begins) => begins?,
            Err(_) => return Ok(None),
        },
        None => begins.await?,
    };
    Ok(Some(if begins { Protocol::Http2 } else { Protocol::Http1 }))
}

/// Ends a connection on which the head of the first request did not come in time.
async fn refuse_slow_head(socket: &SharedSocket, connection: &Connection, disconnect: Duration) {
    let _ = timeout(disconnect, socket.write_all(REQUEST_TIMEOUT)).await;
    connection.answered();
    linger(socket, connection, disconnect).await;
}

/// Drives a connection by `future`, and towards its end while the server closes. Returns `None` if
/// the connection is given up.
async fn closing<T>(
    connection: &Connection,
    closer: &mut Option<Box<Closer>>,
    peer: &impl Peer,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        connection.poll_closing(closer, context, peer);
        if connection.is_given_up() {
            return Poll::Ready(None);
        }
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            connection.poll_delivery(closer, context, peer);
            if connection.is_given_up() {
                return Poll::Ready(None);
            }
        }
        polled.map(Some)
    })
    .await
}

/// Connection that is ready for HTTP, with its protocol if that is known.
struct Opened {
    peer: Option<SocketAddr>,
    socket: SharedSocket,
    protocol: Option<Protocol>,
}

impl ConnectionSet {
    /// Makes an accepted connection ready for HTTP. Returns `None` if the connection was ended
    /// meanwhile.
    async fn open(
        &self,
        connection: &Connection,
        closer: &mut Option<Box<Closer>>,
        accepted: AcceptedStream,
    ) -> io::Result<Option<Opened>> {
        let settings = &self.spec.settings;
        let (stream, peer) = match accepted {
            AcceptedStream::Tcp(stream, peer) => (TcpStream::from_std(stream)?, peer),
            #[cfg(unix)]
            AcceptedStream::Unix(stream) => {
                let socket = SharedSocket::new(UnixStream::from_std(stream)?);
                return Ok(Some(Opened { peer: None, socket, protocol: Some(Protocol::Http1) }));
            }
        };
        // Otherwise a frame of ours could wait 40 ms for the client to acknowledge the one before
        // it.
        let _ = stream.set_nodelay(settings.tcp_nodelay.unwrap_or(true));
        let Some(secure) = &self.spec.secure else {
            let protocol = (!self.spec.auto_h2c).then_some(Protocol::Http1);
            let socket = SharedSocket::new(stream);
            return Ok(Some(Opened { peer: Some(peer), socket, protocol }));
        };
        let ends = |context: &mut Context<'_>, stream: Option<&TcpStream>| {
            connection.poll_closing(closer, context, &stream);
            connection.is_quiet() || connection.is_over() || connection.is_given_up()
        };
        let accepted = secure.accept(stream, &self.handshakes, ends).await?;
        Ok(accepted.map(|(socket, protocol)| Opened {
            peer: Some(peer),
            socket,
            protocol: Some(protocol),
        }))
    }
}

/// Guard of a connection's membership in the set.
struct ConnectionGuard {
    connections: Rc<ConnectionSet>,
    key: usize,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let set = &self.connections;
        let gone = set.open.borrow_mut().try_remove(self.key);
        drop(gone);
        set.table.close();
        set.load.release();
        if set.is_empty() {
            set.emptied.notify_one();
        }
    }
}

/// Guard of the handle of a connection's task, dropped with the task.
struct TaskGuard {
    connections: Rc<ConnectionSet>,
    key: usize,
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.connections.tasks.borrow_mut().try_remove(self.key);
    }
}

/// Guard of the request that made a WebSocket of its connection. The request ends with the
/// connection's task, even if that panics or is dropped.
struct WebSocketRequest(Rc<Connection>);

impl Drop for WebSocketRequest {
    fn drop(&mut self) {
        if let Some(websocket) = self.0.websocket() {
            websocket.finish();
        }
    }
}

/// Guard that counts a WebSocket handler whose connection has ended.
struct HandlerGuard(Rc<ConnectionSet>);

impl HandlerGuard {
    fn new(connections: &Rc<ConnectionSet>) -> Self {
        connections.handlers.set(connections.handlers.get() + 1);
        Self(Rc::clone(connections))
    }
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        self.0.handlers.set(self.0.handlers.get() - 1);
        if self.0.is_empty() {
            self.0.emptied.notify_one();
        }
    }
}
