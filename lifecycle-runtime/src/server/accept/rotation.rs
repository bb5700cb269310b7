//! The order in which workers are given connections.

use std::cell::Cell;
use std::sync::Arc;

use tokio::sync::Notify;

use super::Accepted;
use crate::server::worker::WorkerHandle;

/// The workers, in turn.
pub(super) struct WorkerRotation {
    workers: Vec<WorkerHandle>,
    next: Cell<usize>,
    /// Tells that a connection has ended.
    room: Arc<Notify>,
}

impl WorkerRotation {
    pub(super) fn new(workers: Vec<WorkerHandle>, room: Arc<Notify>) -> Self {
        Self { workers, next: Cell::new(0), room }
    }

    /// Waits until a worker takes more connections. They wait in the system meanwhile.
    pub(super) async fn room(&self) {
        while !self.workers.iter().any(WorkerHandle::has_room) {
            self.room.notified().await;
        }
        // There may be room for the other listeners, too.
        self.room.notify_one();
    }

    /// Waits until a connection has ended.
    pub(super) async fn connection_ended(&self) {
        self.room.notified().await;
    }

    /// Gives a connection to the next worker that has room, and to the next one if none has.
    pub(super) fn dispatch(&self, accepted: Accepted) {
        let count = self.workers.len();
        let turn = self.next.get();
        let mut turns = (0..count).map(|step| (turn + step) % count);
        let turn = turns.find(|turn| self.workers[*turn].has_room()).unwrap_or(turn);
        self.next.set((turn + 1) % count);
        self.workers[turn].dispatch(accepted);
    }
}
