//! A worker: a thread with an async runtime of its own, an app, and the connections that it is
//! given.
//!
//! It ends when it is told to and its last connection is gone, and what its handlers left on the
//! blocking pool: whoever waits for its thread knows that nothing of the app runs any more. Before
//! that it waits for the other workers: a connection to a database that a handler has opened here
//! is driven here, and a pool lends it to handlers there.

mod connections;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::System;
use futures_util::future::FutureExt;
use futures_util::poll;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{LocalSet, yield_now};
use tokio::time::Instant;

use self::connections::ConnectionSet;
use super::accepted::Accepted;
use super::connection::ClosingTimes;
use super::secure::Secure;
use super::service::{Endpoint, Make, build};
use super::settings::Settings;
use super::tasks::TaskSet;
use super::traffic::RequestTable;
use crate::hook::task::thread;

/// Number of steps that tasks have to end when the last connection has ended.
const LAST_STEPS: usize = 8;

/// An order to a worker about its connections.
pub(super) enum WorkerCommand {
    /// Clients are told that their connection ends.
    Announce,
    /// No connection comes after those that have been given. Those without a request are closed
    /// once they have been quiet for this long.
    Close { quiet_window: Duration },
    /// Connections are dropped as they are.
    Cut,
}

/// Handle through which the server commands a worker and waits for its end.
pub(super) struct Worker {
    pub(super) table: Arc<RequestTable>,
    commands: mpsc::UnboundedSender<WorkerCommand>,
    ended: oneshot::Receiver<()>,
}

/// Handle through which the acceptor gives connections to a worker.
#[derive(Clone)]
pub(super) struct WorkerHandle {
    connections: mpsc::UnboundedSender<Accepted>,
    load: Arc<Load>,
}

/// Number of connections of a worker.
struct Load {
    now: AtomicUsize,
    limit: usize,
    vacancies: Vacancies,
}

/// Notifications to the acceptor that a connection has ended.
#[derive(Clone, Default)]
pub(super) struct Vacancies {
    /// For who waits until a worker has room, and passes that on.
    pub(super) room: Arc<Notify>,
    /// For who waits until the system has room.
    pub(super) ended: Arc<Notify>,
}

impl Load {
    fn release(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
        self.vacancies.room.notify_one();
        self.vacancies.ended.notify_one();
    }
}

impl WorkerHandle {
    /// Returns the handle of a worker that nobody runs, and what it is given.
    #[cfg(test)]
    pub(super) fn for_test(limit: usize) -> (Self, mpsc::UnboundedReceiver<Accepted>) {
        let (connections, accepted) = mpsc::unbounded_channel();
        let load = Load { now: AtomicUsize::new(0), limit, vacancies: Vacancies::default() };
        (Self { connections, load: Arc::new(load) }, accepted)
    }

    /// Returns whether the worker takes more connections.
    pub(super) fn has_room(&self) -> bool {
        self.load.now.load(Ordering::Relaxed) < self.load.limit
    }

    /// Gives a connection to the worker.
    pub(super) fn dispatch(&self, accepted: Accepted) {
        self.load.now.fetch_add(1, Ordering::Relaxed);
        // A worker that is gone was told to go: its connections were to be dropped.
        let _ = self.connections.send(accepted);
    }
}

impl Worker {
    pub(super) fn command(&self, command: WorkerCommand) {
        // One that is gone has nothing left to do.
        let _ = self.commands.send(command);
    }

    /// Waits until its thread has nothing of the app left.
    pub(super) async fn ended(&mut self) {
        if !self.has_ended() {
            let _ = (&mut self.ended).await;
        }
    }

    /// Polls for the same, only until it has ended.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.ended).poll(context).map(drop)
    }

    /// Returns whether nothing of the app is left on its thread.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }
}

/// Specification of all workers of a server.
pub(super) struct WorkerSpec {
    pub(super) settings: Settings,
    pub(super) secure: Option<Secure>,
    pub(super) auto_h2c: bool,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) announces: Arc<AtomicBool>,
    pub(super) vacancies: Vacancies,
    /// Number of the workers that may still serve, of all servers that were opened together.
    pub(super) serving: watch::Sender<usize>,
    /// The tasks of handlers, which may use what workers drive.
    pub(super) tasks: TaskSet,
}

/// A worker among those that may still serve, until this is dropped.
struct ServingGuard(Arc<WorkerSpec>);

impl ServingGuard {
    fn new(spec: &Arc<WorkerSpec>) -> Self {
        spec.serving.send_modify(|number| *number += 1);
        Self(Arc::clone(spec))
    }

    /// Waits for the others and for the tasks of handlers, too, but no longer than until what they
    /// do is cut off.
    async fn end_together(self, commands: &mut mpsc::UnboundedReceiver<WorkerCommand>) {
        let (mut others, tasks) = (self.0.serving.subscribe(), self.0.tasks.clone());
        drop(self);
        let all_ended = async {
            // Their sender is in the specification.
            let _ = others.wait_for(|number| *number == 0).await;
            tasks.none_left().await;
        };
        let cut =
            async { while !matches!(commands.recv().await, Some(WorkerCommand::Cut) | None) {} };
        tokio::select! {
            () = all_ended => {}
            () = cut => {}
        }
    }
}

impl Drop for ServingGuard {
    fn drop(&mut self) {
        self.0.serving.send_modify(|number| *number -= 1);
    }
}

/// A worker that has been started, and how its apps turn out.
pub(super) struct Started {
    pub(super) worker: Worker,
    pub(super) handle: WorkerHandle,
    /// Ready when the apps are built, or with the reason why not.
    pub(super) built: oneshot::Receiver<Result<(), String>>,
}

/// Starts a worker.
pub(super) fn start(number: usize, spec: &Arc<WorkerSpec>, make: Make) -> io::Result<Started> {
    let (connections, accepted) = mpsc::unbounded_channel();
    let (commands, commanded) = mpsc::unbounded_channel();
    let (ends, ended) = oneshot::channel();
    let (builds, built) = oneshot::channel();
    let table = Arc::new(RequestTable::default());
    let load = Arc::new(Load {
        now: AtomicUsize::new(0),
        limit: spec.settings.max_connections(),
        vacancies: spec.vacancies.clone(),
    });
    let thread_of = WorkerThread {
        spec: Arc::clone(spec),
        make,
        table: Arc::clone(&table),
        load: Arc::clone(&load),
        accepted,
        commanded,
        guard: ServingGuard::new(spec),
    };
    // Even if it panics.
    let gone = GoneGuard { table: Arc::clone(&table), _ends: ends };
    thread(&format!("http-worker-{number}"), move || {
        let _gone = gone;
        thread_of.run(builds);
    })?;
    Ok(Started {
        worker: Worker { table, commands, ended },
        handle: WorkerHandle { connections, load },
        built,
    })
}

/// Notes that nothing of the app is left on a worker's thread, when this is dropped.
struct GoneGuard {
    table: Arc<RequestTable>,
    /// Whoever waits for the worker hears that this is dropped.
    _ends: oneshot::Sender<()>,
}

impl Drop for GoneGuard {
    fn drop(&mut self) {
        self.table.go();
    }
}

/// Everything that a worker's thread needs.
struct WorkerThread {
    spec: Arc<WorkerSpec>,
    make: Make,
    table: Arc<RequestTable>,
    load: Arc<Load>,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    commanded: mpsc::UnboundedReceiver<WorkerCommand>,
    guard: ServingGuard,
}

impl WorkerThread {
    /// Runs the worker to its end.
    fn run(self, builds: oneshot::Sender<Result<(), String>>) {
        let mut runtime = Builder::new_current_thread();
        runtime.enable_all().max_blocking_threads(self.spec.settings.max_blocking_threads());
        // Made here, as actix panics where there is none.
        let runtime = match runtime.build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let reason = format!("a worker thread can't have an async runtime: {error}");
                return drop(builds.send(Err(reason)));
            }
        };
        // Handlers find actix's `System` and `Arbiter` on their thread, as under `HttpServer`.
        let system = System::with_tokio_rt(move || runtime);
        system.block_on(self.serve_with_tasks(builds).boxed_local());
        // Drops the tasks that are left, and waits for what runs on the blocking pool.
        drop(system);
    }

    /// Serves, and notes whether tasks are left then that nobody awaits.
    async fn serve_with_tasks(self, builds: oneshot::Sender<Result<(), String>>) {
        let table = Arc::clone(&self.table);
        // Tasks that handlers spawn are in this set, and actix's own are not.
        let mut tasks = LocalSet::new();
        let is_done = tasks.run_until(self.serve(builds)).await;
        if is_done && !is_empty(&mut tasks).await {
            table.drop_tasks();
        }
        table.leave();
    }

    /// Serves until no connection is left. Returns `false` if what there was has been cut off, or
    /// there is no app.
    async fn serve(mut self, builds: oneshot::Sender<Result<(), String>>) -> bool {
        let mut apps = Vec::new();
        for endpoint in &self.spec.endpoints {
            match build(&self.make, endpoint, &self.spec.settings).await {
                Ok(app) => apps.push(app),
                Err(reason) => {
                    let _ = builds.send(Err(reason));
                    return false;
                }
            }
        }
        let _ = builds.send(Ok(()));
        let connections = ConnectionSet::new(self.spec, apps, Arc::clone(&self.table), self.load);
        let is_done = connections.serve(self.accepted, &mut self.commanded).await;
        if is_done {
            self.guard.end_together(&mut self.commanded).await;
        }
        is_done
    }
}

/// Returns whether no task of this thread is left: neither in this set nor beside it.
async fn is_empty(tasks: &mut LocalSet) -> bool {
    // One that is about to end needs a step or two.
    for _ in 0..LAST_STEPS {
        let is_empty =
            poll!(&mut *tasks).is_ready() && Handle::current().metrics().num_alive_tasks() == 0;
        if is_empty {
            return true;
        }
        yield_now().await;
    }
    false
}

impl Settings {
    fn closing_times(&self, quiet_window: Duration) -> ClosingTimes {
        ClosingTimes {
            since: Instant::now(),
            quiet_window,
            disconnect: self.closing_timeout(),
            head: self.client_request_timeout(),
            close_spread: self.websocket_close_spread.unwrap_or_default(),
        }
    }
}
