//! Rotation in which workers are given connections.

use std::cell::Cell;

use crate::server::accepted::Accepted;
use crate::server::worker::{Vacancies, WorkerHandle};

/// Workers that are given connections in turn.
pub(super) struct WorkerRotation {
    workers: Vec<WorkerHandle>,
    next: Cell<usize>,
    vacancies: Vacancies,
}

impl WorkerRotation {
    pub(super) fn new(workers: Vec<WorkerHandle>, vacancies: Vacancies) -> Self {
        Self { workers, next: Cell::new(0), vacancies }
    }

    /// Waits until a worker takes more connections, which wait in the system meanwhile.
    pub(super) async fn room(&self) {
        while !self.workers.iter().any(WorkerHandle::has_room) {
            self.vacancies.room.notified().await;
        }
        // There may be room for the other listeners, too.
        self.vacancies.room.notify_one();
    }

    /// Waits until a connection has ended.
    pub(super) async fn connection_ended(&self) {
        self.vacancies.ended.notified().await;
    }

    /// Gives a connection to the next worker that has room, or to the next one if none has.
    pub(super) fn dispatch(&self, accepted: Accepted) {
        let count = self.workers.len();
        let turn = self.next.get();
        let mut turns = (0..count).map(|step| (turn + step) % count);
        let turn = turns.find(|turn| self.workers[*turn].has_room()).unwrap_or(turn);
        self.next.set((turn + 1) % count);
        self.workers[turn].dispatch(accepted);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::server::accepted::AcceptedStream;

    /// Returns the number of connections that each worker is given, out of so many, if the workers
    /// have this much room.
    fn given(room: &[usize], connections: usize) -> Vec<usize> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (workers, mut given): (Vec<_>, Vec<_>) =
            room.iter().map(|limit| WorkerHandle::for_test(*limit)).unzip();
        let rotation = WorkerRotation::new(workers, Vacancies::default());
        for _ in 0..connections {
            let stream = TcpStream::connect(address).expect("it listens");
            rotation
                .dispatch(Accepted { stream: AcceptedStream::Tcp(stream, address), endpoint: 0 });
        }
        given.iter_mut().map(|given| std::iter::from_fn(|| given.try_recv().ok()).count()).collect()
    }

    #[test]
    fn connections_go_to_the_workers_in_turn() {
        assert_eq!(given(&[10, 10, 10], 9), [3, 3, 3]);
    }

    #[test]
    fn a_worker_that_is_full_is_passed_over() {
        assert_eq!(given(&[1, 10, 10], 9), [1, 4, 4]);
    }

    #[test]
    fn workers_that_are_all_full_share_what_comes_at_the_close() {
        assert_eq!(given(&[0, 0, 0], 9), [3, 3, 3]);
        assert_eq!(given(&[3, 0, 0], 9), [5, 2, 2]);
    }
}
