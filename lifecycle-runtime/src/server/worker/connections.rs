//! Connections of a worker. Each is a task, from its first byte to its last.

mod drive;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::FutureExt;
use slab::Slab;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{AbortHandle, yield_now};

use super::{Load, WorkerCommand, WorkerSpec};
use crate::server::accepted::Accepted;
use crate::server::connection::{Connection, WorkerPhase};
use crate::server::connection_counts::ConnectionKinds;
use crate::server::service::Serve;
use crate::server::settings::keep_alive_header;
use crate::server::socket::SharedSocket;
use crate::server::tcp_info::Peer;
use crate::server::traffic::RequestTable;

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
                    Some(WorkerCommand::Count(requests)) => requests.answer(|| self.kinds()),
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

    /// Returns whether handlers run whose connections have ended.
    pub(super) fn has_handlers(&self) -> bool {
        self.phase.has_in_flight()
    }

    fn is_empty(&self) -> bool {
        self.open.borrow().is_empty() && self.handlers.get() == 0
    }

    /// Returns the numbers of the connections, by their protocol and progress.
    fn kinds(&self) -> ConnectionKinds {
        let mut kinds = ConnectionKinds::new();
        for (_, member) in self.open.borrow().iter() {
            *kinds.entry(member.connection.kind(member.socket.is_some())).or_default() += 1;
        }
        kinds
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
    /// that no handler has spawned: those of HTTP/2 streams, even of one whose connection has
    /// ended, or of a WebSocket.
    pub(super) async fn abort(&self) -> bool {
        let has_others = |(_, member): (usize, &Member)| {
            member.connection.is_http2() || member.connection.websocket().is_some()
        };
        let is_clear = self.handlers.get() == 0 && !self.open.borrow().iter().any(has_others);
        self.tasks.borrow().iter().for_each(|(_, task)| task.abort());
        while !self.tasks.borrow().is_empty() {
            yield_now().await;
        }
        is_clear && !self.has_handlers()
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
