//! Acceptance of connections, on a thread of its own. It goes on, whatever the workers and the
//! hooks' runtime are doing.
//!
//! Closing the listeners loses no connection. The acceptor gives waiting connections to the workers
//! before it closes a listener, and waits for handshakes that have begun. Meanwhile no new ones
//! begin.

mod handshakes;
mod listener;
mod obstacle;
mod reserve;
mod rotation;
mod search;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{FusedFuture, FutureExt, OptionFuture, try_join_all};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};

use super::accepted::{Accepted, AcceptedStream};
use super::address::Listener;
use super::handover::{Handover, ListenerOwner, OpenSocket};
use super::worker::{Vacancies, WorkerHandle};
use crate::hook::task::thread;
use handshakes::Handshakes;
use listener::{AcceptingListener, DrainingListener, ListeningSocket};
pub(crate) use obstacle::Obstacle;
pub(super) use obstacle::Obstacles;
use obstacle::{ListenerObstacle, concerns_one};
use reserve::Reserve;
use rotation::WorkerRotation;
use search::HandshakeSearch;

/// Command to the accepting thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptCommand {
    Accept,
    /// Accept the connections that wait, and close. A handshake has a margin of `quiet_window` at
    /// most.
    Drain {
        quiet_window: Duration,
    },
    /// Close at once.
    Close,
}

/// Handle through which the server commands the accepting thread and waits for its end.
pub(super) struct Acceptor {
    commands: watch::Sender<AcceptCommand>,
    closed: oneshot::Receiver<()>,
    unaccepted: Arc<AtomicU64>,
}

impl Acceptor {
    /// Begins to accept the connections that wait, and to close the listeners.
    pub(super) fn drain(&self, quiet_window: Duration) {
        self.commands.send_replace(AcceptCommand::Drain { quiet_window });
    }

    /// Closes the listeners, even if connections wait.
    pub(super) fn close(&self) {
        self.commands.send_replace(AcceptCommand::Close);
    }

    /// Waits until the listeners are closed.
    pub(super) async fn closed(&mut self) {
        if !self.closed.is_terminated() {
            // An error means that the thread and its listeners are gone.
            let _ = (&mut self.closed).await;
        }
    }

    /// Returns the number of connections that were waiting when it was too late, and could not be
    /// accepted before.
    pub(super) fn unaccepted(&self) -> u64 {
        self.unaccepted.load(Ordering::Relaxed)
    }

    /// Returns the count of these connections, as others may read it.
    pub(super) fn unaccepted_count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.unaccepted)
    }

    /// Polls for an unexpected end of the acceptor. Must not be called again once it is ready.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.closed).poll(context).map(drop)
    }
}

/// Limits of the connections that wait to be accepted.
#[derive(Clone, Copy)]
pub(super) struct AcceptLimits {
    /// Number of connections that may wait.
    pub(super) backlog: u32,
    /// Number of connections that are accepted even when the process has no descriptor left.
    pub(super) reserve: usize,
}

/// Starts to accept connections. `vacancies` notify the acceptor when a worker may have room again.
/// Returns the acceptor, and the sockets of the listeners.
///
/// # Errors
///
/// The system's error, if it refuses a thread or the means to be notified of connections.
pub(super) fn start(
    listeners: Vec<Listener>,
    workers: Vec<WorkerHandle>,
    vacancies: &Vacancies,
    limits: AcceptLimits,
    obstacles: Obstacles,
    handover: Handover,
) -> io::Result<(Acceptor, Vec<OpenSocket>)> {
    let (commands, command_receiver) = watch::channel(AcceptCommand::Accept);
    let (closed_sender, closed) = oneshot::channel();
    let (begun_sender, begun) = std::sync::mpsc::sync_channel(1);
    let unaccepted = Arc::<AtomicU64>::default();
    let acceptor_thread = AcceptorThread {
        listeners,
        workers,
        vacancies: vacancies.clone(),
        limits,
        obstacles,
        handover,
        commands: command_receiver,
        unaccepted: Arc::clone(&unaccepted),
    };
    thread("http-accept", move || {
        acceptor_thread.run(&begun_sender);
        let _ = closed_sender.send(());
    })?;
    let panicked = || Err(io::Error::other("the accepting thread has panicked"));
    let open = begun.recv().unwrap_or_else(|_| panicked())?;
    Ok((Acceptor { commands, closed, unaccepted }, open))
}

/// State that the accepting thread takes over.
struct AcceptorThread {
    listeners: Vec<Listener>,
    workers: Vec<WorkerHandle>,
    vacancies: Vacancies,
    limits: AcceptLimits,
    obstacles: Obstacles,
    handover: Handover,
    commands: watch::Receiver<AcceptCommand>,
    unaccepted: Arc<AtomicU64>,
}

impl AcceptorThread {
    /// Accepts until all listeners are closed. Sends whether that has begun.
    fn run(self, begun_sender: &SyncSender<io::Result<Vec<OpenSocket>>>) {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(self.accept(begun_sender).boxed_local()),
            Err(error) => drop(begun_sender.send(Err(error))),
        }
    }

    async fn accept(self, begun_sender: &SyncSender<io::Result<Vec<OpenSocket>>>) {
        let listeners: io::Result<Vec<_>> =
            self.listeners.into_iter().map(AcceptingListener::new).collect();
        let listeners = match listeners {
            Ok(listeners) => listeners,
            Err(error) => return drop(begun_sender.send(Err(error))),
        };
        let open = listeners.iter().map(|listener| listener.socket.open()).collect();
        let _ = begun_sender.send(Ok(open));
        let rotation = Rc::new(WorkerRotation::new(self.workers, self.vacancies));
        let accepts = listeners.into_iter().enumerate().map(|(endpoint, listener)| {
            let accept = Accept {
                endpoint,
                backlog: self.limits.backlog,
                reserve: Reserve::new(self.limits.reserve),
                rotation: Rc::clone(&rotation),
                held: None,
                obstacle: self.obstacles.of_listener(),
                handshakes: Handshakes::default(),
                handover: self.handover.clone(),
                commands: self.commands.clone(),
                unaccepted: Arc::clone(&self.unaccepted),
            };
            spawn_local(accept.run(listener).boxed_local())
        });
        // The first one that panics ends the others as well: the server has to stop then.
        let _ = try_join_all(accepts).await;
    }
}

/// State of accepting on one listener.
struct Accept {
    endpoint: usize,
    /// Number of connections that may wait.
    backlog: u32,
    reserve: Reserve,
    rotation: Rc<WorkerRotation>,
    /// Connection that has been accepted, until a worker has room for it.
    held: Option<AcceptedStream>,
    obstacle: ListenerObstacle,
    handshakes: Handshakes,
    handover: Handover,
    commands: watch::Receiver<AcceptCommand>,
    /// Count of the connections that were waiting when it was too late, and could not be accepted
    /// before.
    unaccepted: Arc<AtomicU64>,
}

impl Accept {
    /// Accepts until it is time to close, then accepts the connections that still wait.
    async fn run(mut self, mut listener: AcceptingListener) {
        let mut commands = self.commands.clone();
        let handover = self.handover.clone();
        let accept = async {
            handover.reached(ListenerOwner::Own).await;
            self.accept(&listener.socket).await;
        };
        let command = tokio::select! {
            biased;
            command = commands.wait_for(|command| *command != AcceptCommand::Accept) => {
                command.map_or(AcceptCommand::Close, |command| *command)
            }
            () = handover.reached(ListenerOwner::Successor), if listener.is_handed_on => {
                AcceptCommand::Close
            }
            () = accept => AcceptCommand::Close,
        };
        self.dispatch();
        match handover.owner() {
            ListenerOwner::Own => listener.take_over(),
            ListenerOwner::Successor if listener.is_handed_on => return listener.leave(),
            ListenerOwner::Predecessor | ListenerOwner::Successor => {}
        }
        let Some(DrainingListener { socket, file_removed }) = listener.drain() else { return };
        let mut file_removed = OptionFuture::from(file_removed).fuse();
        let is_empty = if let AcceptCommand::Drain { quiet_window } = command {
            self.empty(&socket, &mut file_removed, quiet_window).await
        } else {
            false
        };
        // Other systems don't tell whether connections wait, but an obstacle shows that one does.
        if !is_empty && (cfg!(unix) || self.obstacle.is_there()) {
            self.unaccepted.fetch_add(socket.waiting(), Ordering::Relaxed);
        }
        if !file_removed.is_terminated() {
            file_removed.await;
        }
    }

    /// Accepts the connections that still wait. Returns `false` if the command to close comes
    /// before the end.
    async fn empty(
        &mut self,
        listener: &ListeningSocket,
        mut file_removed: impl Future + Unpin,
        quiet_window: Duration,
    ) -> bool {
        let mut commands = self.commands.clone();
        let emptied = async {
            tokio::select! {
                biased;
                _ = &mut file_removed => {}
                () = self.accept(listener) => {}
            }
            self.dispatch();
            self.drain(listener, quiet_window).await;
        };
        tokio::select! {
            biased;
            _ = commands.wait_for(|command| *command == AcceptCommand::Close) => false,
            () = emptied => true,
        }
    }

    /// Accepts connections for ever, and gives them to the workers.
    async fn accept(&mut self, listener: &ListeningSocket) {
        loop {
            self.rotation.room().await;
            if self.held.is_some() {
                self.dispatch();
                continue;
            }
            let accepted = tokio::select! {
                biased;
                accepted = listener.accept() => accepted,
                () = self.obstacle.pause(self.rotation.connection_ended()),
                    if !self.reserve.is_full() =>
                {
                    self.reserve.fill();
                    continue;
                }
            };
            match accepted {
                // Another listener may have filled the worker meanwhile.
                Ok(stream) => self.hold(stream),
                Err(error) if concerns_one(&error) => {}
                Err(error) if listener.has_waiting() && self.reserve.spend(&error) => continue,
                Err(error) => self.obstructed(error, listener).await,
            }
            self.reserve.fill();
        }
    }

    /// Reports the obstacle, if a connection waits, and returns when accepting may be possible
    /// again. (The system may return such an error even for an empty queue.)
    async fn obstructed(&mut self, error: io::Error, listener: &ListeningSocket) {
        if listener.has_waiting() {
            self.obstacle.report(error);
        }
        self.obstacle.pause(self.rotation.connection_ended()).await;
        if !listener.has_waiting() {
            self.obstacle.passed();
        }
    }

    /// Accepts the connections that wait, and those that arrive in the time that a handshake which
    /// has begun may take.
    async fn drain(&mut self, listener: &ListeningSocket, quiet_window: Duration) {
        let began = Instant::now();
        let mut until = began + self.handshakes.usual_time(quiet_window);
        // No other handshake begins from now on.
        let mut first_search = Some(HandshakeSearch::begin(listener.address()));
        loop {
            let accepted = if Instant::now() < until {
                timeout_at(until, listener.accept()).await.ok()
            } else {
                None
            };
            match accepted {
                Some(Ok(stream)) => {
                    self.hold(stream);
                    self.dispatch();
                    // The client may have been the first, or the farthest.
                    until = until.max(began + self.handshakes.usual_time(quiet_window));
                }
                Some(Err(error)) if concerns_one(&error) => {}
                Some(Err(error)) => self.obstructed(error, listener).await,
                None => {
                    if let Some(search) = first_search.take()
                        && !search.found().await.0
                    {
                        break;
                    }
                    let (is_under_way, took) =
                        HandshakeSearch::begin(listener.address()).found().await;
                    match self.handshakes.more_time(began, quiet_window) {
                        // With many connections a search takes long, and there must be time for
                        // other things.
                        Some(more) if is_under_way => until = Instant::now() + more.max(took),
                        _ => break,
                    }
                }
            }
        }
        // Accepts the last connections that have come, even if the runtime has not noticed their
        // readiness. Accepts no more than fit into the queue: without a filter others come all the
        // time.
        let has_waiting = listener.has_waiting();
        let is_shut = listener.refuse_clients();
        let mut taken = 0;
        while taken <= self.backlog && listener.has_waiting() {
            match listener.next() {
                Ok(Some(stream)) => {
                    self.hold(stream);
                    self.dispatch();
                    taken += 1;
                }
                Ok(None) => return,
                Err(error) if concerns_one(&error) => taken += 1,
                // The error doesn't show that a connection waits, and the listener can't tell.
                Err(_) if is_shut && !has_waiting => return,
                Err(error) => self.obstructed(error, listener).await,
            }
        }
    }

    /// Takes a connection that has been accepted.
    fn hold(&mut self, stream: AcceptedStream) {
        self.obstacle.passed();
        self.handshakes.record(stream.round_trip());
        self.held = Some(stream);
    }

    /// Gives the connection that is held to a worker, even if none has room.
    fn dispatch(&mut self) {
        if let Some(stream) = self.held.take() {
            self.rotation.dispatch(Accepted { stream, endpoint: self.endpoint });
        }
    }
}
