//! Events: the numbered list that the outbox delivers and the feed shows.

use std::time::Duration;

use jiff::Timestamp;
use lifecycle_runtime::{Stop, on_startup};
use serde::Serialize;
use sqlx::{Any, FromRow, Transaction};
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use crate::store::Store;

/// Time between two looks for events of other processes, if nothing has come.
const LOOK: Duration = Duration::from_secs(1);

/// An event as its receivers get it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Event {
    /// Number of the event: ascending, without gaps, in the order in which events were committed.
    pub seq: i64,
    /// Key that stays the same whenever the event is delivered.
    pub key: String,
    pub kind: String,
    /// Body as JSON.
    pub body: String,
}

/// An event to record.
pub struct NewEvent<'a, T> {
    pub user: i64,
    pub kind: &'a str,
    pub body: &'a T,
}

/// Provides the number of the last event that this process has committed. It wakes the tasks that
/// wait for new events.
#[on_startup]
pub fn latest_event() -> watch::Sender<i64> {
    watch::Sender::new(0)
}

/// Waits until there may be new events: this process has committed one, or a second has passed, in
/// which another may have. Returns at once if the shop stops.
pub async fn changed(latest_event: &mut watch::Receiver<i64>, stop: &Stop) {
    tokio::select! {
        () = stop.requested() => {}
        _ = latest_event.changed() => {}
        () = sleep(LOOK) => {}
    }
}

/// Writes the event and its deliveries, in the transaction of the change that it reports. It locks
/// the list until the transaction ends, so it should be the last step of that.
pub async fn record<T: Serialize>(
    transaction: &mut Transaction<'static, Any>,
    event: &NewEvent<'_, T>,
    now: Timestamp,
) -> Result<i64, RecordError> {
    let seq: i64 = sqlx::query_scalar("UPDATE last_event SET seq = seq + 1 RETURNING seq")
        .fetch_one(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO events (seq, key, user_id, kind, body) VALUES ($1, $2, $3, $4, $5)")
        .bind(seq)
        .bind(Uuid::new_v4().to_string())
        .bind(event.user)
        .bind(event.kind)
        .bind(serde_json::to_string(event.body)?)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "INSERT INTO deliveries (seq, target, due_at) VALUES ($1, 'webhook', $2), ($1, 'mail', $2)",
    )
    .bind(seq)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(seq)
}

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Write(#[from] sqlx::Error),
    #[error("the event can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Reads up to `limit` events after this one, in their order: those of this user, or of all.
pub async fn since(
    store: &Store,
    seq: i64,
    user: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Event>> {
    let query = match user {
        Some(user) => sqlx::query_as(
            "SELECT seq, key, kind, body FROM events WHERE seq > $1 AND user_id = $3 \
             ORDER BY seq LIMIT $2",
        )
        .bind(seq)
        .bind(limit)
        .bind(user),
        None => sqlx::query_as(
            "SELECT seq, key, kind, body FROM events WHERE seq > $1 \
             ORDER BY seq LIMIT $2",
        )
        .bind(seq)
        .bind(limit),
    };
    query.fetch_all(&**store).await
}

/// Reads the number of the last event of all.
pub async fn last(store: &Store) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT seq FROM last_event").fetch_one(&**store).await
}
