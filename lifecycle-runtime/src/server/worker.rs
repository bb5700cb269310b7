//! Workers: threads with an async runtime, an app, and the connections that they are given.
//!
//! A worker ends after a command to do so, once its last connection is gone, and everything that
//! its handlers left on the blocking pool. So once its thread has ended, nothing of the app runs
//! any more. Before it ends, it waits for the other workers: its runtime drives each database
//! connection that one of its handlers has opened, and a pool may lend that connection to a handler
//! of another worker.

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
use super::connection_counts::CountRequests;
use super::panics::PanicEvents;
use super::secure::Secure;
use super::service::{Endpoint, Make, build};
use super::settings::Settings;
use super::tasks::TaskSet;
use super::traffic::RequestTable;
use crate::event::{RuntimeName, StalledPart};
use crate::hook::task::thread;
use crate::process::stalls::WatchedRuntime;

/// Number of steps that tasks have to end in after the last connection has ended.
const LAST_STEPS: usize = 8;

/// Command to a worker about its connections.
pub(super) enum WorkerCommand {
    /// Tell clients that their connection ends.
    Announce,
    /// Expect no further connections, and close those without a request once they have been quiet
    /// for this long.
    Close { quiet_window: Duration },
    /// Drop connections as they are.
    Cut,
    /// Count the connections by their protocol and progress.
    Count(CountRequests),
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
    table: Arc<RequestTable>,
    load: Arc<Load>,
}

/// Number of a worker's connections, with its limit.
struct Load {
    now: AtomicUsize,
    limit: usize,
    vacancies: Vacancies,
}

/// Notifications to the acceptor that a connection has ended.
#[derive(Clone, Default)]
pub(super) struct Vacancies {
    /// Notification for a listener that waits until a worker has room. The listener passes it on.
    pub(super) room: Arc<Notify>,
    /// Notification for a listener that waits until the system has room.
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
    /// Returns the handle of a worker without a thread, and the receiver of its connections.
    #[cfg(test)]
    pub(super) fn for_test(limit: usize) -> (Self, mpsc::UnboundedReceiver<Accepted>) {
        let (connections, accepted) = mpsc::unbounded_channel();
        let load = Load { now: AtomicUsize::new(0), limit, vacancies: Vacancies::default() };
        (Self { connections, table: Arc::default(), load: Arc::new(load) }, accepted)
    }

    /// Returns the table of the worker's traffic.
    #[cfg(test)]
    pub(super) fn table(&self) -> &RequestTable {
        &self.table
    }

    /// Returns the notifications that a connection of the worker has ended.
    #[cfg(test)]
    pub(super) fn vacancies(&self) -> &Vacancies {
        &self.load.vacancies
    }

    /// Counts one connection fewer, as if one had ended.
    #[cfg(test)]
    pub(super) fn release(&self) {
        self.load.release();
    }

    /// Returns whether the worker takes more connections.
    pub(super) fn has_room(&self) -> bool {
        self.load.now.load(Ordering::Relaxed) < self.load.limit
    }

    /// Gives a connection to the worker.
    pub(super) fn dispatch(&self, accepted: Accepted) {
        self.load.now.fetch_add(1, Ordering::Relaxed);
        // Counted here: a worker that a handler blocks may never get to it.
        self.table.open();
        if self.connections.send(accepted).is_err() {
            // A worker is only gone after a command to go, and then drops its connections.
            self.table.close();
        }
    }
}

impl Worker {
    /// Returns a sender of commands that does not keep the worker from ending.
    pub(super) fn weak_commands(&self) -> mpsc::WeakUnboundedSender<WorkerCommand> {
        self.commands.downgrade()
    }

    pub(super) fn command(&self, command: WorkerCommand) {
        // A worker that is gone has nothing left to do.
        let _ = self.commands.send(command);
    }

    /// Returns the worker's runtime as the monitor of stalls watches it.
    pub(super) fn watched(
        &self,
        number: usize,
        url: &str,
        handle: Handle,
        pool_size: usize,
    ) -> WatchedRuntime {
        let table = Arc::clone(&self.table);
        WatchedRuntime {
            name: RuntimeName::Worker { number, url: url.to_owned() },
            handle,
            pool_size: Some(pool_size),
            holders: Arc::new(move |part, _| match part {
                StalledPart::Runtime(_) => table.holders(),
                StalledPart::BlockingPool(_) => Vec::new(),
            }),
        }
    }

    /// Waits until nothing of the app is left on the worker's thread.
    pub(super) async fn ended(&mut self) {
        if !self.has_ended() {
            let _ = (&mut self.ended).await;
        }
    }

    /// Polls for the end of the worker. Must not be called again once it is ready.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.ended).poll(context).map(drop)
    }

    /// Returns whether nothing of the app is left on the worker's thread.
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
    /// Number of workers that may still serve, of all servers that were opened together.
    pub(super) serving: watch::Sender<usize>,
    /// Tasks of handlers, which may use connections that workers drive.
    pub(super) tasks: TaskSet,
    pub(super) panics: PanicEvents,
}

/// Guard that counts a worker among those that may still serve.
struct ServingGuard(Arc<WorkerSpec>);

impl ServingGuard {
    fn new(spec: &Arc<WorkerSpec>) -> Self {
        spec.serving.send_modify(|number| *number += 1);
        Self(Arc::clone(spec))
    }

    /// Waits for the other workers and for the tasks of handlers, but only until a command cuts
    /// them off.
    async fn end_together(self, commands: &mut mpsc::UnboundedReceiver<WorkerCommand>) {
        let (mut others, tasks) = (self.0.serving.subscribe(), self.0.tasks.clone());
        drop(self);
        let all_ended = async {
            // The specification holds the sender, so it is there.
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

/// Worker that has been started, with the result of building its apps.
pub(super) struct Started {
    pub(super) worker: Worker,
    pub(super) handle: WorkerHandle,
    /// Runtime of the worker once the apps are built, or the reason for which that failed.
    pub(super) built: oneshot::Receiver<Result<Handle, String>>,
}

/// Starts a worker.
pub(super) fn start(number: usize, spec: &Arc<WorkerSpec>, make: Make) -> io::Result<Started> {
    let (connections, accepted) = mpsc::unbounded_channel();
    let (commands, command_receiver) = mpsc::unbounded_channel();
    let (ended_sender, ended) = oneshot::channel();
    let (built_sender, built) = oneshot::channel();
    let table = Arc::new(RequestTable::new(spec.panics.clone()));
    let load = Arc::new(Load {
        now: AtomicUsize::new(0),
        limit: spec.settings.max_connections(),
        vacancies: spec.vacancies.clone(),
    });
    let worker_thread = WorkerThread {
        spec: Arc::clone(spec),
        make,
        table: Arc::clone(&table),
        load: Arc::clone(&load),
        accepted,
        command_receiver,
        guard: ServingGuard::new(spec),
    };
    // Dropped even if the thread panics.
    let gone = GoneGuard { table: Arc::clone(&table), _ended_sender: ended_sender };
    let name = spec.settings.thread_name.unwrap_or("http-worker");
    thread(&format!("{name}-{number}"), move || {
        let _gone = gone;
        worker_thread.run(built_sender);
    })?;
    Ok(Started {
        worker: Worker { table: Arc::clone(&table), commands, ended },
        handle: WorkerHandle { connections, table, load },
        built,
    })
}

/// Guard that notes, when it is dropped, that nothing of the app is left on a worker's thread.
struct GoneGuard {
    table: Arc<RequestTable>,
    /// Sender whose drop notifies those who wait for the worker.
    _ended_sender: oneshot::Sender<()>,
}

impl Drop for GoneGuard {
    fn drop(&mut self) {
        self.table.go();
    }
}

/// State that a worker's thread takes over.
struct WorkerThread {
    spec: Arc<WorkerSpec>,
    make: Make,
    table: Arc<RequestTable>,
    load: Arc<Load>,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    command_receiver: mpsc::UnboundedReceiver<WorkerCommand>,
    guard: ServingGuard,
}

impl WorkerThread {
    /// Runs the worker to its end.
    fn run(self, built_sender: oneshot::Sender<Result<Handle, String>>) {
        let mut runtime = Builder::new_current_thread();
        runtime.enable_all().max_blocking_threads(self.spec.settings.max_blocking_threads());
        // The runtime is made here, as actix panics if it can't make one.
        let runtime = match runtime.build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let reason = format!("a worker thread can't have an async runtime: {error}");
                return drop(built_sender.send(Err(reason)));
            }
        };
        // Handlers find actix's `System` and `Arbiter` on their thread, as under `HttpServer`.
        let system = System::with_tokio_rt(move || runtime);
        system.block_on(self.serve_with_tasks(built_sender).boxed_local());
        // Drops the tasks that are left, and waits for code that runs on the blocking pool.
        drop(system);
    }

    /// Serves connections, and then notes whether tasks are left that nobody awaits.
    async fn serve_with_tasks(self, built_sender: oneshot::Sender<Result<Handle, String>>) {
        let table = Arc::clone(&self.table);
        // Tasks that handlers spawn are in this set, and actix's own are not.
        let mut tasks = LocalSet::new();
        let is_clear = tasks.run_until(self.serve(built_sender)).await;
        if is_clear && !is_empty(&mut tasks).await {
            table.drop_tasks();
        }
        table.leave();
    }

    /// Serves until no connection is left, or until the rest has been cut off. Returns whether the
    /// tasks that are left then come from handlers or the app.
    async fn serve(mut self, built_sender: oneshot::Sender<Result<Handle, String>>) -> bool {
        let mut apps = Vec::new();
        for endpoint in &self.spec.endpoints {
            match build(&self.make, endpoint, &self.spec.settings).await {
                Ok(app) => apps.push(app),
                Err(reason) => {
                    let _ = built_sender.send(Err(reason));
                    return false;
                }
            }
        }
        let _ = built_sender.send(Ok(Handle::current()));
        let connections = ConnectionSet::new(self.spec, apps, Arc::clone(&self.table), self.load);
        let is_done = connections.serve(self.accepted, &mut self.command_receiver).await;
        if is_done {
            self.guard.end_together(&mut self.command_receiver).await;
            return !connections.has_handlers();
        }
        connections.abort().await
    }
}

/// Returns whether no task of this thread is left, neither in this set nor beside it.
async fn is_empty(tasks: &mut LocalSet) -> bool {
    // A task that is about to end needs a step or two.
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
