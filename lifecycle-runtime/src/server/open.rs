//! Open servers of a run, as its operators see them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use tokio::sync::mpsc::WeakUnboundedSender;

use super::connection::ConnectionKind;
use super::connection_counts::{ConnectionKinds, CountRequests};
use super::traffic::RequestTables;
use super::worker::WorkerCommand;
use crate::observe::metrics::{ConnectionCount, ServerCounts};

/// Protocol and state of connections that their worker has not told.
const UNKNOWN: ConnectionKind = ConnectionKind { protocol: "unknown", state: "unknown" };

/// Server whose traffic operators may ask for.
#[derive(Clone)]
pub(crate) struct OpenServer {
    pub(super) urls: Vec<String>,
    pub(super) tables: RequestTables,
    pub(super) workers: Arc<[OpenWorker]>,
    /// Count of the connections that were never accepted.
    pub(super) unaccepted: Arc<AtomicU64>,
}

/// Worker that operators may have count its connections.
pub(super) struct OpenWorker {
    /// Sender of commands, which does not keep the worker from ending.
    commands: WeakUnboundedSender<WorkerCommand>,
    requests: CountRequests,
}

/// Servers of a run that have been opened, in that order. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct OpenServers(Arc<Mutex<Vec<OpenServer>>>);

impl OpenServers {
    /// Adds a server that has been opened.
    pub(crate) fn add(&self, server: OpenServer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(server);
    }

    /// Returns the servers that have been opened.
    pub(super) fn all(&self) -> Vec<OpenServer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the counts of each server's traffic. A worker that is blocked holds this up for
    /// 250 ms at most.
    pub(crate) async fn counts(&self) -> Vec<ServerCounts> {
        let servers = self.all();
        join_all(servers.iter().map(OpenServer::counts)).await
    }
}

impl OpenServer {
    /// Has each worker count its connections. `None` stands for one that doesn't.
    pub(super) async fn connections(&self) -> Vec<Option<ConnectionKinds>> {
        join_all(self.workers.iter().map(OpenWorker::count)).await
    }

    async fn counts(&self) -> ServerCounts {
        let by_worker = self.connections().await;
        let mut kinds = ConnectionKinds::new();
        for (open, counted) in self.tables.connections().into_iter().zip(by_worker) {
            match counted {
                Some(counted) => {
                    for (kind, count) in counted {
                        *kinds.entry(kind).or_default() += count;
                    }
                }
                None if open == 0 => {}
                None => *kinds.entry(UNKNOWN).or_default() += open,
            }
        }
        let open = kinds.into_iter().map(|(ConnectionKind { protocol, state }, count)| {
            ConnectionCount { protocol, state, count }
        });
        ServerCounts {
            url: self.urls.first().cloned().unwrap_or_default(),
            open: open.collect(),
            connections_unaccepted: self.unaccepted.load(Ordering::Relaxed),
            ..self.tables.counts()
        }
    }
}

impl OpenWorker {
    pub(super) fn new(commands: WeakUnboundedSender<WorkerCommand>) -> Self {
        Self { commands, requests: CountRequests::default() }
    }

    async fn count(&self) -> Option<ConnectionKinds> {
        let commands = self.commands.upgrade().filter(|commands| !commands.is_closed())?;
        let command = |requests| commands.send(WorkerCommand::Count(requests)).is_ok();
        self.requests.count(command).await
    }
}
