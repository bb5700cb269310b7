//! Life of a server: its apps are built, its listeners opened, its threads watched, its requests
//! drained.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, try_join_all};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::accept::{self, AcceptLimits, Acceptor, Obstacle, Obstacles};
use super::address::{Bound, Listener};
use super::handover::Handover;
use super::open::{OpenServer, OpenWorker};
use super::service::Endpoint;
use super::tasks::LEAVING;
use super::traffic::RequestTables;
use super::worker::{self, Started, Vacancies, Worker, WorkerCommand, WorkerHandle, WorkerSpec};
use super::{AppContext, BoundHttp, Http};
use crate::event::{Traffic, Wait};
use crate::hook::stop::{Asked, ServerEnd, hurried};
use crate::hook::task::all;
use crate::process::stalls::StallTracker;
use crate::process::systemd::Notifier;
use crate::process::upgrade::ListenerName;

/// Default number of connections that may wait to be accepted, as in `HttpServer`.
const BACKLOG: u32 = 1024;

/// Time that workers have to drop what was cut off when a stop is hurried, if the stop has as much.
/// Only code that blocks its worker needs it, or a machine so busy that the worker does not get to
/// run: teardowns that come before would close what is still in use.
const HURRIED: Duration = Duration::from_secs(1);

/// Reason reported for a worker whose thread has ended without giving one.
const NO_APP: &str = "building it panicked";

impl BoundHttp {
    /// Builds the apps, each on its worker. Each worker is added to `opening` when it is started.
    /// The caller must be on the async runtime.
    ///
    /// # Errors
    ///
    /// The reason for which an app can't be built: the first one, if there are several.
    pub(crate) async fn build(
        self,
        app_context: &AppContext,
        opening: &mut Opening,
    ) -> io::Result<BuiltHttp> {
        let Http { apps, protocol, settings, setting, .. } = self.http;
        let scheme = protocol.scheme();
        let limits = AcceptLimits {
            backlog: settings.backlog.unwrap_or(BACKLOG),
            reserve: settings.reserve,
        };
        let is_secure = scheme == "https";
        let endpoints = self
            .sockets
            .iter()
            .map(|socket| Ok(Endpoint { is_secure, address: socket.address()? }));
        let spec = Arc::new(WorkerSpec {
            endpoints: endpoints.collect::<io::Result<_>>()?,
            auto_h2c: protocol.is_either(),
            secure: protocol.secure(&settings),
            announces: Arc::default(),
            vacancies: Vacancies::default(),
            serving: opening.serving.clone(),
            tasks: app_context.tasks.clone(),
            panics: app_context.panics.clone(),
            settings,
        });
        let mut handles = Vec::new();
        let mut apps_built = Vec::new();
        for number in 0..spec.settings.workers() {
            let Started { worker, handle, built } =
                worker::start(number, &spec, apps(app_context))?;
            opening.workers.push(worker);
            handles.push(handle);
            apps_built.push(async { built.await.unwrap_or_else(|_| Err(NO_APP.to_owned())) });
        }
        let runtimes = try_join_all(apps_built).await.map_err(io::Error::other)?;
        Ok(BuiltHttp {
            sockets: self.sockets,
            names: self.names,
            setting,
            limits,
            scheme,
            spec,
            handles,
            runtimes,
            stalls: app_context.stalls.clone(),
            notifier: app_context.notifier.clone(),
            handover: app_context.handover.clone(),
        })
    }
}

/// Server whose apps are built and whose workers wait for connections.
pub(crate) struct BuiltHttp {
    sockets: Vec<Bound>,
    /// Name of each socket, for a successor; `None` for one that is not handed on.
    names: Vec<Option<ListenerName>>,
    setting: &'static str,
    limits: AcceptLimits,
    scheme: &'static str,
    spec: Arc<WorkerSpec>,
    handles: Vec<WorkerHandle>,
    /// Runtime of each worker.
    runtimes: Vec<Handle>,
    stalls: StallTracker,
    notifier: Notifier,
    handover: Handover,
}

impl BuiltHttp {
    /// Listens and serves. Servers must be opened in the order in which they were built, on the
    /// async runtime.
    ///
    /// # Errors
    ///
    /// The reason, with advice.
    pub(crate) fn open(self, opening: &mut Opening) -> Result<(), String> {
        let Self { sockets, names, setting, limits, scheme, spec, .. } = self;
        let Self { handles, runtimes, stalls, notifier, handover, .. } = self;
        let workers = handles.len();
        let listen = |socket: Bound| socket.listen(limits.backlog, setting, &notifier);
        let listeners = sockets.into_iter().map(listen);
        let listeners: Vec<_> = listeners.collect::<Result<_, _>>()?;
        let urls: Vec<_> = listeners.iter().map(|listener| listener.url(scheme)).collect();
        // Whether the service manager keeps a listener turns out when it listens.
        let of_parent = listeners.iter().map(Listener::is_of_parent);
        let names: Vec<_> = names
            .into_iter()
            .zip(of_parent)
            .map(|(name, is_of_parent)| Some(ListenerName { is_of_parent, ..name? }))
            .collect();
        let (obstacles, obstacle) = Obstacles::new();
        let accepting = handover.clone();
        let started =
            accept::start(listeners, handles, &spec.vacancies, limits, obstacles, accepting);
        let (acceptor, open) =
            started.map_err(|error| format!("the server can't accept connections: {error}"))?;
        let handed_on = names.into_iter().zip(open);
        handover.add(handed_on.filter_map(|(name, socket)| Some((name?, socket))));
        let workers: Vec<_> = opening.workers.drain(..workers).collect();
        let pool_size = spec.settings.max_blocking_threads();
        let url = urls.first().map_or("", String::as_str);
        for (number, (worker, runtime)) in workers.iter().zip(runtimes).enumerate() {
            stalls.watch(&worker.watched(number, url, runtime, pool_size));
        }
        let tables = tables_of(&workers);
        let announces = Arc::clone(&spec.announces);
        opening.open.push(Serving { urls, tables, obstacle, announces, workers, acceptor });
        Ok(())
    }
}

fn tables_of(workers: &[Worker]) -> RequestTables {
    RequestTables::new(workers.iter().map(|worker| Arc::clone(&worker.table)))
}

/// Servers that are being opened, all together or none. A caller that gives up must close them.
#[derive(Default)]
pub(crate) struct Opening {
    /// Workers of the servers that are not open yet, in the order of their servers.
    workers: Vec<Worker>,
    open: Vec<Serving>,
    /// Number of the workers of all servers that may still serve.
    serving: watch::Sender<usize>,
}

impl Opening {
    /// Takes all servers, once they are open.
    pub(crate) fn opened(&mut self) -> Vec<Serving> {
        std::mem::take(&mut self.open)
    }

    /// Returns a function that describes the workers which still have something of an app. It is
    /// meant for the time in which they are being closed.
    pub(crate) fn waits(&self) -> impl Fn() -> Option<Wait> + Send + Sync + 'static {
        let of_open = self.open.iter().map(|server| server.tables.clone());
        let tables: Vec<_> = of_open.chain([tables_of(&self.workers)]).collect();
        move || match tables.iter().map(|tables| tables.traffic().workers_left).sum() {
            0 => None,
            count => Some(Wait::Apps { count }),
        }
    }

    /// Ends the workers and the servers, and waits until nothing of an app is left. An app that is
    /// being built can't be cancelled: it has time until `until`, or until the stop is hurried.
    pub(crate) async fn close(self, until: Instant, asked: &watch::Receiver<Asked>) -> Traffic {
        let Self { mut workers, open, .. } = self;
        let tables = tables_of(&workers);
        tables.cut();
        for worker in &*workers {
            worker.command(WorkerCommand::Cut);
        }
        let times = DrainTimes { quiet: Duration::ZERO, cut: Instant::now(), leave: until };
        let mut drained = vec![Traffic::default(); open.len()];
        let drains = drained.iter_mut().zip(open).map(|(traffic, server)| {
            let mut asked = asked.clone();
            async move { *traffic = server.drain(times, hurried(&mut asked).boxed()).await }.boxed()
        });
        let all_gone = all(workers.iter_mut().map(|worker| worker.ended().boxed()));
        let ended = async {
            let mut asked = asked.clone();
            let hurried = async {
                hurried(&mut asked).await;
                sleep(HURRIED).await;
            };
            tokio::select! {
                () = all_gone => {}
                () = sleep_until(until.max(Instant::now() + LEAVING)) => {}
                () = hurried => {}
            }
        };
        tokio::join!(all(drains), ended);
        drained.into_iter().fold(tables.traffic(), Traffic::merge)
    }
}

/// Server that accepts and serves connections.
pub(crate) struct Serving {
    pub(crate) urls: Vec<String>,
    pub(crate) tables: RequestTables,
    /// Obstacle that keeps the server from accepting connections now.
    pub(crate) obstacle: watch::Receiver<Option<Obstacle>>,
    announces: Arc<AtomicBool>,
    workers: Vec<Worker>,
    acceptor: Acceptor,
}

/// Times that limit a drain.
#[derive(Clone, Copy)]
pub(crate) struct DrainTimes {
    /// Time for which connections without a request are kept.
    pub(crate) quiet: Duration,
    /// Moment at which requests are cut off.
    pub(crate) cut: Instant,
    /// Moment at which the drain no longer waits for code that can't be cut off.
    pub(crate) leave: Instant,
}

impl Serving {
    /// Polls for an unexpected end of the server, and returns the part that has ended.
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<ServerEnd> {
        let acceptor = self.acceptor.poll_ended(context).map(|()| ServerEnd::Acceptor);
        let mut workers = self
            .workers
            .iter_mut()
            .map(|worker| worker.poll_ended(context).map(|()| ServerEnd::Worker));
        workers.find(Poll::is_ready).unwrap_or(acceptor)
    }

    /// Returns the server as its operators see it.
    pub(crate) fn for_operators(&self) -> OpenServer {
        let workers =
            self.workers.iter().map(|worker| OpenWorker::new(worker.weak_commands())).collect();
        OpenServer {
            urls: self.urls.clone(),
            tables: self.tables.clone(),
            workers,
            unaccepted: self.acceptor.unaccepted_count(),
        }
    }

    /// Makes every response close its connection from now on, and announces the end to clients that
    /// need no response for that.
    pub(crate) fn announce_close(&self) {
        self.announces.store(true, Ordering::Relaxed);
        self.workers.iter().for_each(|worker| worker.command(WorkerCommand::Announce));
    }

    /// Closes the server at once, and cuts off everything.
    pub(crate) async fn close(self) {
        let now = Instant::now();
        self.drain(
            DrainTimes { quiet: Duration::ZERO, cut: now, leave: now },
            std::future::pending().boxed(),
        )
        .await;
    }

    /// Serves the connections that wait, closes the listeners, and waits for the requests in
    /// flight.
    pub(crate) async fn drain(
        mut self,
        times: DrainTimes,
        mut hurried: BoxFuture<'_, ()>,
    ) -> Traffic {
        let Self { acceptor, workers, tables, .. } = &mut self;
        acceptor.drain(times.quiet);
        for worker in &*workers {
            worker.command(WorkerCommand::Close { quiet_window: times.quiet });
        }
        let drained = async {
            acceptor.closed().await;
            all_ended(workers).await;
        };
        let leave = tokio::select! {
            () = drained => None,
            () = sleep_until(times.cut) => Some((times.leave, false)),
            () = &mut hurried => Some((times.leave.min(Instant::now() + HURRIED), true)),
        };
        if let Some((leave, is_hurried)) = leave {
            tables.hurry();
            acceptor.close();
            for worker in &*workers {
                worker.command(WorkerCommand::Cut);
            }
            let hurried = async {
                hurried.await;
                sleep(HURRIED).await;
            };
            tokio::select! {
                () = all_ended(workers) => {}
                () = sleep_until(leave.max(Instant::now() + LEAVING)) => {}
                () = hurried, if !is_hurried => {}
            }
            tables.cut();
            // When it has closed, it has counted the connections that were left waiting.
            let _ = timeout(LEAVING, acceptor.closed()).await;
        }
        let mut traffic = tables.traffic();
        traffic.connections.unaccepted = acceptor.unaccepted();
        traffic
    }
}

/// Waits until nothing of the app runs any more.
async fn all_ended(workers: &mut [Worker]) {
    for worker in workers {
        worker.ended().await;
    }
}
