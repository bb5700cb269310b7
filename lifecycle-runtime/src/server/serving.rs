//! A server from its first connection to its last: started, watched, drained.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::accept::{self, Acceptor};
use super::address::Bound;
use super::service::Endpoint;
use super::traffic::Tables;
use super::worker::{self, Desk, Order, Worker};
use super::{BoundHttp, Http, Surroundings};
use crate::event::Traffic;

/// How many connections may wait, as in `HttpServer`.
const BACKLOG: u32 = 1024;

/// How long workers may take to drop what was cut off.
const LEAVING: Duration = Duration::from_millis(100);

/// Why a worker doesn't serve.
const NO_APP: &str = "an app could not be built; see the log for the reason";

impl BoundHttp {
    /// Builds the apps. On the async runtime.
    pub(crate) async fn build(self, surroundings: &Surroundings) -> io::Result<BuiltHttp> {
        let Http { apps, protocol, settings, setting, .. } = self.http;
        let (backlog, scheme) = (settings.backlog.unwrap_or(BACKLOG), protocol.scheme());
        let is_secure = scheme == "https";
        let endpoints = self.sockets.iter().map(|socket| Ok(Endpoint { is_secure, address: socket.address()? }));
        let plan = Arc::new(worker::Plan {
            endpoints: endpoints.collect::<io::Result<_>>()?,
            auto_h2c: protocol.is_either(),
            secure: protocol.secure(&settings),
            announces: Arc::default(),
            room: Arc::default(),
            at_work: watch::Sender::new(0),
            settings,
        });
        let (mut workers, mut desks, mut ready) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..plan.settings.workers() {
            let (worker, desk, is_ready) = worker::start(number, &plan, apps(surroundings).map_err(io::Error::other)?)?;
            workers.push(worker);
            desks.push(desk);
            ready.push(is_ready);
        }
        for is_ready in ready {
            is_ready.await.map_err(|_| io::Error::other(NO_APP))?;
        }
        Ok(BuiltHttp { sockets: self.sockets, setting, backlog, scheme, plan, workers, desks })
    }
}

/// A server whose workers wait for connections.
pub(crate) struct BuiltHttp {
    sockets: Vec<Bound>,
    setting: &'static str,
    backlog: u32,
    scheme: &'static str,
    plan: Arc<worker::Plan>,
    workers: Vec<Worker>,
    desks: Vec<Desk>,
}

impl BuiltHttp {
    /// Listens and serves. On the async runtime.
    ///
    /// # Errors
    ///
    /// Why not, and what to do about it.
    pub(crate) fn open(self) -> Result<Serving, String> {
        let Self { sockets, setting, backlog, scheme, plan, workers, desks } = self;
        let listeners = sockets.into_iter().map(|socket| socket.listen(backlog, setting));
        let listeners: Vec<_> = listeners.collect::<Result<_, _>>()?;
        let urls = listeners.iter().map(|listener| listener.url(scheme)).collect();
        let acceptor = accept::start(listeners, desks, Arc::clone(&plan.room));
        let acceptor = acceptor.map_err(|error| format!("the server can't accept connections: {error}"))?;
        let tables = Tables::new(workers.iter().map(|worker| Arc::clone(&worker.table)));
        Ok(Serving { urls, tables, announces: Arc::clone(&plan.announces), workers, acceptor })
    }
}

/// A server that serves.
pub(crate) struct Serving {
    pub(crate) urls: Vec<String>,
    pub(crate) tables: Tables,
    announces: Arc<AtomicBool>,
    workers: Vec<Worker>,
    acceptor: Acceptor,
}

/// How long a drain may take.
#[derive(Clone, Copy)]
pub(crate) struct DrainTimes {
    /// How long connections without a request are kept.
    pub(crate) quiet: Duration,
    /// When requests are cut off.
    pub(crate) cut: Instant,
    /// When what can't be cut off is left behind.
    pub(crate) leave: Instant,
}

impl Serving {
    /// Whether the server has ended by itself, which it should not, and why.
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        let acceptor = self.acceptor.poll_ended(context).map(|()| "it accepts no more connections");
        let mut workers =
            self.workers.iter_mut().map(|worker| worker.poll_ended(context).map(|()| "a worker has ended"));
        workers.find(Poll::is_ready).unwrap_or(acceptor).map(|reason| Some(reason.to_owned()))
    }

    /// From now on every response closes its connection, and clients that can be told otherwise are told.
    pub(crate) fn announce_close(&self) {
        self.announces.store(true, Ordering::Relaxed);
        self.workers.iter().for_each(|worker| worker.order(Order::Announce));
    }

    /// Closes everything at once.
    pub(crate) async fn close(self) {
        let now = Instant::now();
        self.drain(DrainTimes { quiet: Duration::ZERO, cut: now, leave: now }, std::future::pending().boxed()).await;
    }

    /// Serves what is waiting, closes the listeners, and waits for the requests in flight.
    pub(crate) async fn drain(mut self, times: DrainTimes, mut hurried: BoxFuture<'_, ()>) -> Traffic {
        let Self { acceptor, workers, tables, .. } = &mut self;
        let drained = async {
            acceptor.close().await;
            workers.iter().for_each(|worker| worker.order(Order::Close { quiet: times.quiet }));
            all_ended(workers).await;
        };
        let leave = tokio::select! {
            () = drained => None,
            () = sleep_until(times.cut) => Some(times.leave),
            () = &mut hurried => Some(Instant::now()),
        };
        if let Some(leave) = leave {
            tables.cut();
            workers.iter().for_each(|worker| worker.order(Order::Cut));
            let hurried = async {
                hurried.await;
                sleep(LEAVING).await;
            };
            let is_late = leave <= Instant::now();
            tokio::select! {
                () = all_ended(workers) => {}
                () = sleep_until(leave.max(Instant::now() + LEAVING)) => {}
                () = hurried, if !is_late => {}
            }
        }
        tables.traffic()
    }
}

/// Waits until nothing of the app runs any more.
async fn all_ended(workers: &mut [Worker]) {
    for worker in workers {
        worker.ended().await;
    }
}
