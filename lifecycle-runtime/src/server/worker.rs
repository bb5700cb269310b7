//! A worker: a thread with an async runtime of its own, an app, and the connections that it is handed.
//!
//! It ends when it is told to and its last connection is gone, and what its handlers left on the blocking pool: whoever
//! waits for its thread knows that nothing of the app runs any more. Before that it waits for the other workers: a
//! connection to a database that a handler has opened here is driven here, and a pool lends it to handlers there.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::Protocol;
use futures_util::future::FutureExt;
use slab::Slab;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::accept::{Accepted, Stream};
use super::connection::{Connection, Due, Phase};
use super::secure::Secure;
use super::service::{Endpoint, Make, Serve, build};
use super::settings::Settings;
use super::traffic::Table;
use super::transport::{Socket, Transport};
use crate::task::thread;

/// What a worker is told.
pub(super) enum Order {
    /// Clients are told that their connection ends.
    Announce,
    /// No connection comes after those that have been handed over. Connections without a request are closed when they
    /// have been quiet for this long.
    Close { quiet: Duration },
    /// Connections are dropped as they are.
    Cut,
}

/// A worker, as others see it.
pub(super) struct Worker {
    pub(super) table: Arc<Table>,
    orders: mpsc::UnboundedSender<Order>,
    ended: oneshot::Receiver<()>,
}

/// Where a worker is handed connections.
#[derive(Clone)]
pub(super) struct Desk {
    connections: mpsc::UnboundedSender<Accepted>,
    load: Arc<Load>,
}

/// How many connections a worker has.
struct Load {
    now: AtomicUsize,
    limit: usize,
    /// Tells the acceptor that there may be room again.
    room: Arc<Notify>,
}

impl Desk {
    /// Whether the worker takes more connections.
    pub(super) fn has_room(&self) -> bool {
        self.load.now.load(Ordering::Relaxed) < self.load.limit
    }

    /// Hands over a connection.
    pub(super) fn hand(&self, accepted: Accepted) {
        self.load.now.fetch_add(1, Ordering::Relaxed);
        // A worker that is gone was told to go: its connections were to be dropped.
        let _ = self.connections.send(accepted);
    }
}

impl Worker {
    pub(super) fn order(&self, order: Order) {
        // One that is gone has nothing left to do.
        let _ = self.orders.send(order);
    }

    /// Waits until its thread has nothing of the app left.
    pub(super) async fn ended(&mut self) {
        if !self.has_ended() {
            let _ = (&mut self.ended).await;
        }
    }

    /// The same, polled, and only until it has ended.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.ended).poll(context).map(drop)
    }

    /// Whether nothing of the app is left on its thread.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }
}

/// What all workers of a server are made from.
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) secure: Option<Secure>,
    pub(super) auto_h2c: bool,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) announces: Arc<AtomicBool>,
    /// Tells the acceptor that a worker may have room.
    pub(super) room: Arc<Notify>,
    /// How many workers may still serve.
    pub(super) at_work: watch::Sender<usize>,
}

/// A worker among those that may still serve, until this is dropped.
struct AtWork(Arc<Plan>);

impl AtWork {
    fn begin(plan: &Arc<Plan>) -> Self {
        plan.at_work.send_modify(|number| *number += 1);
        Self(Arc::clone(plan))
    }

    /// Waits for the others, too, but no longer than until what they do is cut off.
    async fn end_together(self, ordered: &mut mpsc::UnboundedReceiver<Order>) {
        let mut others = self.0.at_work.subscribe();
        drop(self);
        let cut = async { while !matches!(ordered.recv().await, Some(Order::Cut) | None) {} };
        tokio::select! {
            _ = others.wait_for(|number| *number == 0) => {}
            () = cut => {}
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.send_modify(|number| *number -= 1);
    }
}

/// Starts a worker, which is ready when the receiver has heard of it.
pub(super) fn start(number: usize, plan: &Arc<Plan>, make: Make) -> io::Result<(Worker, Desk, oneshot::Receiver<()>)> {
    let (connections, handed) = mpsc::unbounded_channel();
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let (is_ready, ready) = oneshot::channel();
    let (ends, ended) = oneshot::channel();
    let table = Arc::new(Table::default());
    let load = Arc::new(Load {
        now: AtomicUsize::new(0),
        limit: plan.settings.max_connections(),
        room: Arc::clone(&plan.room),
    });
    let desk = Desk { connections, load: Arc::clone(&load) };
    let worker = Worker { table: Arc::clone(&table), orders, ended };
    let (plan, gone) = (Arc::clone(plan), Arc::clone(&table));
    let at_work = AtWork::begin(&plan);
    let system = actix_web::rt::System::try_current();
    thread(&format!("http-worker-{number}"), move || {
        if let Some(system) = system {
            actix_web::rt::System::set_current(system);
        }
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(plan.settings.max_blocking_threads())
            .build_local(LocalOptions::default());
        if let Ok(runtime) = runtime {
            let works = async move {
                let mut apps = Vec::new();
                for endpoint in &plan.endpoints {
                    match build(&make, endpoint, &plan.settings).await {
                        Some(app) => apps.push(app),
                        None => return,
                    }
                }
                let _ = is_ready.send(());
                let phase = Rc::new(Phase::new(Arc::clone(&plan.announces)));
                let handshakes = Semaphore::new(plan.settings.max_connection_rate());
                let floor = Floor { plan, apps, table, load, phase, places: RefCell::default(), handshakes };
                let floor = Rc::new(floor);
                let is_done = work(&floor, handed, &mut ordered).await;
                floor.table.leave();
                if is_done {
                    at_work.end_together(&mut ordered).await;
                }
            };
            runtime.block_on(works.boxed_local());
            // Drops what tasks are left, and waits for what runs on the blocking pool.
            drop(runtime);
        }
        gone.go();
        let _ = ends.send(());
    })?;
    Ok((worker, desk, ready))
}

/// What a worker's connections share.
struct Floor {
    plan: Arc<Plan>,
    /// One for each endpoint.
    apps: Vec<Serve>,
    table: Arc<Table>,
    load: Arc<Load>,
    phase: Rc<Phase>,
    places: RefCell<Slab<Place>>,
    /// How many TLS handshakes may begin.
    handshakes: Semaphore,
}

struct Place {
    connection: Rc<Connection>,
    task: Option<AbortHandle>,
}

/// Serves what is handed over, until nothing is left to serve; or until it is cut off, and then says so: `false`.
async fn work(
    floor: &Rc<Floor>,
    mut handed: mpsc::UnboundedReceiver<Accepted>,
    ordered: &mut mpsc::UnboundedReceiver<Order>,
) -> bool {
    let mut quiet_until = None;
    let mut is_last = false;
    loop {
        let next = quiet_until.and_then(|quiet_until| floor.clear(quiet_until));
        if is_last && quiet_until.is_some() && floor.places.borrow().is_empty() {
            return true;
        }
        tokio::select! {
            biased;
            order = ordered.recv() => match order {
                Some(Order::Announce) => floor.tell(),
                Some(Order::Close { quiet }) => {
                    floor.phase.close();
                    floor.tell();
                    quiet_until = Some(Instant::now() + quiet);
                }
                Some(Order::Cut) | None => return false,
            },
            accepted = handed.recv(), if !is_last => match accepted {
                Some(accepted) => floor.welcome(accepted),
                None => is_last = true,
            },
            () = floor.phase.changed() => {}
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

impl Floor {
    /// Tells every client whose protocol has a word for it that its connection ends.
    fn tell(&self) {
        self.places.borrow().iter().for_each(|(_, place)| place.connection.tell());
    }

    /// Ends the connections that may end now, and returns when the next may.
    fn clear(&self, quiet_until: Instant) -> Option<Instant> {
        let now = Instant::now();
        let disconnect = self.plan.settings.websocket_timeout();
        let mut next = (quiet_until > now).then_some(quiet_until);
        for (_, place) in self.places.borrow().iter() {
            if quiet_until <= now {
                place.connection.tell_last();
            }
            let due = match place.connection.due(quiet_until, disconnect) {
                Due::Never => continue,
                Due::End(at) if at <= now => place.connection.end(),
                Due::Drop(at) if at <= now => {
                    place.task.iter().for_each(AbortHandle::abort);
                    continue;
                }
                Due::End(at) | Due::Drop(at) => at,
            };
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        next
    }

    /// Serves a connection.
    fn welcome(self: &Rc<Self>, accepted: Accepted) {
        let connection = Rc::new(Connection::new(Arc::clone(&self.table), Rc::clone(&self.phase)));
        let key = self.places.borrow_mut().insert(Place { connection: Rc::clone(&connection), task: None });
        self.table.open();
        let guest = Guest { floor: Rc::clone(self), key };
        let task = async move {
            if let Err(error) = guest.floor.serve(connection, accepted).await {
                tracing::debug!("a connection ended before its first request: {error}");
            }
            drop(guest);
        };
        let task = tokio::task::spawn_local(task.boxed_local());
        self.places.borrow_mut()[key].task = Some(task.abort_handle());
    }

    async fn serve(&self, connection: Rc<Connection>, accepted: Accepted) -> io::Result<()> {
        std::future::poll_fn(|context| {
            connection.driven_by(context);
            Poll::Ready(())
        })
        .await;
        let (peer, socket, protocol) = match self.open(&connection, accepted.stream).await {
            Some(opened) => opened?,
            None => return Ok(()),
        };
        let mut transport = Transport::new(socket, Rc::clone(&connection));
        let protocol = match protocol {
            Some(protocol) => protocol,
            None => self.sniff(&mut transport).await?,
        };
        if protocol == Protocol::Http2 {
            transport.speaks_http2();
        }
        (self.apps[accepted.endpoint])(transport, protocol, peer).await;
        Ok(())
    }
}

type Opened = (Option<SocketAddr>, Box<dyn Socket>, Option<Protocol>);

impl Floor {
    /// Makes an accepted connection's socket ready for HTTP; with the protocol, if that is clear. `None` if the
    /// connection was ended meanwhile.
    async fn open(&self, connection: &Connection, accepted: Stream) -> Option<io::Result<Opened>> {
        let settings = &self.plan.settings;
        let (stream, peer) = match accepted {
            Stream::Tcp(stream, peer) => (stream, peer),
            #[cfg(unix)]
            Stream::Unix(stream) => {
                let stream = UnixStream::from_std(stream);
                return Some(stream.map(|stream| (None, Box::new(stream) as _, Some(Protocol::Http1))));
            }
        };
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => return Some(Err(error)),
        };
        // Otherwise a frame of ours could wait 40 ms for the client to acknowledge the one before it.
        let _ = stream.set_nodelay(settings.tcp_nodelay.unwrap_or(true));
        let Some(secure) = &self.plan.secure else {
            let protocol = (!self.plan.auto_h2c).then_some(Protocol::Http1);
            return Some(Ok((Some(peer), Box::new(stream), protocol)));
        };
        let mut shaken = pin!(secure.accept(stream, &self.handshakes));
        std::future::poll_fn(|context| match connection.has_ended() {
            true => Poll::Ready(None),
            false => shaken.as_mut().poll(context).map(Some),
        })
        .await
        .map(|shaken| shaken.map(|(socket, protocol)| (Some(peer), socket, Some(protocol))))
    }

    /// Which protocol a client speaks that may speak either.
    async fn sniff(&self, transport: &mut Transport) -> io::Result<Protocol> {
        let begins = transport.begins_with(super::http2::PREFACE);
        let begins = match self.plan.settings.client_request_timeout() {
            Some(timeout) => tokio::time::timeout(timeout, begins).await??,
            None => begins.await?,
        };
        Ok(if begins { Protocol::Http2 } else { Protocol::Http1 })
    }
}

/// A connection's place on the floor.
struct Guest {
    floor: Rc<Floor>,
    key: usize,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let gone = self.floor.places.borrow_mut().try_remove(self.key);
        drop(gone);
        self.floor.table.close();
        self.floor.load.now.fetch_sub(1, Ordering::Relaxed);
        self.floor.load.room.notify_one();
        self.floor.phase.change();
    }
}
