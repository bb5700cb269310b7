//! Batches of lines on their way into the database: many lines at once, none later than the
//! settings allow.

use lifecycle_runtime::{Dep, Stop, on_startup, service};
use sqlx::SqlitePool;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout_at};

use crate::follow::Piece;
use crate::settings::{Settings, settings};
use crate::store::{WriteError, db, migrations, write};

/// Capacity of the queue, in pieces. When it is full, `tail` waits.
const ROOM: usize = 1024;

/// Queue of the pieces that have been read and not been written yet.
pub struct Queue {
    sender: Sender<Piece>,
    inbox: Mutex<Inbox>,
}

struct Inbox {
    receiver: Receiver<Piece>,
    /// Pieces that were taken out of the queue and are not written yet. If a run of the service
    /// fails, the next run finds them here.
    batch: Vec<Piece>,
}

impl Queue {
    pub fn sender(&self) -> Sender<Piece> {
        self.sender.clone()
    }
}

#[on_startup]
pub fn queue() -> Queue {
    let (sender, receiver) = mpsc::channel(ROOM);
    Queue { sender, inbox: Mutex::new(Inbox { receiver, batch: Vec::new() }) }
}

/// Makes the `Notify` that is notified of each batch that was written.
#[on_startup]
pub fn written() -> Notify {
    Notify::new()
}

/// Writes batch after batch, and at the stop the pieces that are left.
///
/// If the database is locked or full, the service fails and is restarted; meanwhile the queue fills
/// up, and `tail` waits.
#[service(
    after = [migrations],
    restart = "on_failure",
    backoff = "100ms..10s",
    stop_timeout = "10s"
)]
pub async fn batches(
    queue: Dep<queue>,
    db: Dep<db>,
    settings: Dep<settings>,
    written: Dep<written>,
    stop: Stop,
) -> Result<(), WriteError> {
    let mut inbox = queue.inbox.lock().await;
    let mut is_last = false;
    while !is_last {
        is_last = inbox.fill(&settings, &stop).await;
        inbox.write(&db, &written).await?;
    }
    Ok(())
}

impl Inbox {
    /// Waits for the next batch. Returns whether it is the last one: the stop has begun, and nobody
    /// sends any more.
    async fn fill(&mut self, settings: &Settings, stop: &Stop) -> bool {
        if self.batch.is_empty() {
            tokio::select! {
                first = self.receiver.recv() => self.batch.extend(first),
                () = stop.requested() => {}
            }
        }
        let live = settings.live.load();
        let deadline = Instant::now() + live.batch_time();
        while self.batch.len() < live.batch_lines.get() {
            let next = async {
                tokio::select! {
                    biased;
                    next = self.receiver.recv() => next,
                    () = stop.requested() => None,
                }
            };
            match timeout_at(deadline, next).await {
                Ok(Some(piece)) => self.batch.push(piece),
                Ok(None) => return true,
                Err(_) => break,
            }
        }
        false
    }

    async fn write(&mut self, db: &SqlitePool, written: &Notify) -> Result<(), WriteError> {
        if !self.batch.is_empty() {
            write(db, &self.batch).await?;
            self.batch.clear();
            written.notify_one();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::tests::in_folder;
    use crate::store::tests::{lines, migrated, piece};

    #[tokio::test]
    async fn what_could_not_be_written_is_written_by_the_next_run() {
        let (folder, pool) = migrated().await;
        let (queue, written) = (Dep::<queue>::new(queue()), Dep::<written>::new(written()));
        let settings = Dep::<settings>::new(in_folder(folder.path()));
        let run = || {
            batches(
                queue.clone(),
                Dep::new(pool.clone()),
                settings.clone(),
                written.clone(),
                Stop::never(),
            )
        };

        queue.sender().send(piece(1, 0, 2, "a")).await.unwrap();
        sqlx::query("ALTER TABLE lines RENAME TO hidden").execute(&pool).await.unwrap();
        assert!(matches!(run().await, Err(WriteError::Database(_))));
        queue.sender().send(piece(1, 2, 4, "b")).await.unwrap();
        sqlx::query("ALTER TABLE hidden RENAME TO lines").execute(&pool).await.unwrap();
        tokio::select! {
            end = run() => panic!("{end:?}"),
            () = written.notified() => {}
        }
        assert_eq!(lines(&pool).await, ["a", "b"]);
    }

    #[tokio::test]
    async fn a_batch_is_written_when_it_is_full_or_its_time_is_over() {
        let (folder, pool) = migrated().await;
        let (queue, written) = (Dep::<queue>::new(queue()), Dep::<written>::new(written()));
        let settings = Dep::<settings>::new(in_folder(folder.path()));
        let mut live = (*settings.live.load_full()).clone();
        (live.batch_lines, live.batch_ms) = (2.try_into().unwrap(), 3_600_000);
        settings.live.store(live.clone().into());
        let sender = queue.sender();
        for (before, line) in [(0, "a"), (2, "b"), (4, "c")] {
            sender.send(piece(1, before, before + 2, line)).await.unwrap();
        }
        let one = |queue, settings| async {
            tokio::select! {
                end = batches(
                    queue,
                    Dep::new(pool.clone()),
                    settings,
                    written.clone(),
                    Stop::never(),
                ) => panic!("{end:?}"),
                () = written.notified() => {}
            }
        };
        one(queue.clone(), settings.clone()).await;
        assert_eq!(lines(&pool).await, ["a", "b"]);

        live.batch_ms = 1;
        settings.live.store(live.into());
        tokio::time::timeout(Duration::from_secs(60), one(queue, settings)).await.unwrap();
        assert_eq!(lines(&pool).await, ["a", "b", "c"]);
    }
}
