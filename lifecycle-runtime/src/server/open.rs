//! Open servers of a run, as its operators see them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::WeakUnboundedSender;

use super::traffic::RequestTables;
use super::worker::WorkerCommand;

/// Server whose traffic operators may ask for.
#[derive(Clone)]
pub(crate) struct OpenServer {
    pub(super) urls: Vec<String>,
    pub(super) tables: RequestTables,
    /// Senders of commands to its workers, which keep no worker from ending.
    pub(super) workers: Arc<[WeakUnboundedSender<WorkerCommand>]>,
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
}
