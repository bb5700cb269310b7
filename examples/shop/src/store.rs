//! The database: SQLite in a file, or PostgreSQL, as `DATABASE_URL` says.

use std::future::ready;
use std::ops::Deref;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures_util::FutureExt;
use lifecycle_runtime::{Dep, health_check, on_shutdown, on_startup};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Any, AnyConnection, AnyPool, Connection, Executor, Transaction};

use crate::logs::with_causes;
use crate::settings::settings;

/// URL of the database if `DATABASE_URL` is not set.
const IN_A_FILE: &str = "sqlite://shop.db?mode=rwc";

/// Longest wait of a request for a connection, and in SQLite of a write for another write.
const PATIENCE: Duration = Duration::from_secs(3);

/// Settings of each connection to SQLite: readers never wait for a writer (write-ahead log), and
/// committed data is on the disk (`FULL`), so that a 201 survives a crash and a power cut.
const OF_SQLITE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                         PRAGMA busy_timeout = 3000; PRAGMA foreign_keys = ON";

/// Migrations for SQLite. Each database has its own, because the two differ in how a table counts
/// its rows. Every other statement is the same for both, with `$1` for an argument, integers, and
/// text.
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// A pool of connections to one of the two databases.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Deref for Store {
    type Target = AnyPool;

    fn deref(&self) -> &AnyPool {
        &self.pool
    }
}

impl Store {
    /// Begins a transaction that writes.
    ///
    /// In SQLite it keeps others from writing from its beginning on. Otherwise a transaction that
    /// reads first and then writes would fail if another had written in between.
    ///
    /// Even a single statement with `RETURNING` needs this. By itself it is committed after its
    /// rows were read, when it is finalised, and nobody would learn of an error at that moment, as
    /// when the disk is full.
    pub async fn write(&self) -> sqlx::Result<Transaction<'static, Any>> {
        match self.kind {
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Kind::Postgres => self.pool.begin().await,
        }
    }

    /// Opens the database of this URL.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        install_default_drivers();
        let scheme = url.split(':').next().unwrap_or_default();
        let kind = match scheme {
            "sqlite" => Kind::Sqlite,
            "postgres" | "postgresql" => Kind::Postgres,
            other => return Err(OpenError::Scheme(other.to_owned())),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if kind == Kind::Sqlite {
                        connection.execute(OF_SQLITE).await?;
                    }
                    Ok(())
                })
            })
            // SQLite rolls some transactions back by itself, for example when the disk is full
            // (https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction).
            // The library does not notice, its own rollback fails, and the connection would refuse
            // to begin another transaction.
            .before_acquire(|connection, _| ready(Ok(!connection.is_in_transaction())).boxed())
            .connect(url);
        let connect = async {
            // A single connection comes first: a pool retries for as long as a request would wait,
            // and forgets the cause.
            AnyConnection::connect(url).await?.close().await?;
            pool.await
        };
        let pool = connect
            .await
            .map_err(|source| OpenError::Connect { place: without_password(url), source })?;
        Ok(Self { pool, kind })
    }

    async fn migrate(&self) -> Result<(), MigrateError> {
        let migrations = match self.kind {
            Kind::Sqlite => &SQLITE,
            Kind::Postgres => &POSTGRES,
        };
        migrations.run(&self.pool).await
    }
}

/// Removes the password from a URL, so that it may stand in a log.
fn without_password(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else {
        return "what DATABASE_URL says".to_owned();
    };
    if parsed.password().is_some() {
        let _ = parsed.set_password(Some("***"));
    }
    parsed.to_string()
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "DATABASE_URL begins with `{0}:`; it has to be sqlite://FILE?mode=rwc or \
         postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    Scheme(String),
    #[error("can't open {place}; is it there, and does DATABASE_URL name it as it should?")]
    Connect { place: String, source: sqlx::Error },
}

impl OpenError {
    /// Returns whether a later attempt may succeed: the server can't be reached yet, or it says
    /// itself that it is starting (57P03).
    fn may_pass(&self) -> bool {
        match self {
            Self::Connect { source: sqlx::Error::Io(_), .. } => true,
            Self::Connect { source: sqlx::Error::Database(error), .. } => {
                error.code().as_deref() == Some("57P03")
            }
            _ => false,
        }
    }
}

/// Opens the database, and in SQLite creates the file on the first run.
///
/// If the database can't be reached, it is tried again for as long as `database_patience` says, as
/// it may be starting, too. Only this hook knows which errors are worth a retry: a wrong password
/// stays wrong.
#[on_startup(timeout = "55s")]
pub async fn db(settings: Dep<settings>) -> Result<Store, OpenError> {
    let url = std::env::var("DATABASE_URL").unwrap_or_else(|_| IN_A_FILE.to_owned());
    let again = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(2))
        .with_total_delay(Some(settings.database_patience.unsigned_abs()))
        .without_max_times();
    let open = || Store::open(&url);
    open.retry(again)
        .when(OpenError::may_pass)
        .notify(|error, wait| tracing::warn!("{}; trying again in {wait:?}", with_causes(error)))
        .await
}

/// Brings the tables up to date. Each migration is a transaction: one that fails leaves nothing
/// behind, and nothing is served.
#[on_startup]
pub async fn migrations(db: Dep<db>) -> Result<(), MigrateError> {
    db.migrate().await
}

/// Closes the connections. SQLite's last one moves the write-ahead log into the database, which
/// leaves one file.
#[on_shutdown(of = db, timeout = "3s")]
pub async fn close_db(db: Dep<db>) {
    db.close().await;
}

/// Fails if the database takes no writes: it may be gone, or its disk full.
#[health_check(interval = "2s", timeout = "2s", failures = 2, after = [migrations])]
pub async fn db_takes_writes(db: Dep<db>) -> sqlx::Result<()> {
    sqlx::query("UPDATE heartbeat SET beats = beats + 1").execute(&**db).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_transaction_that_sqlite_rolled_back_by_itself_is_none_to_whoever_writes_next() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&format!("sqlite://{}?mode=rwc", folder.path().join("db").display()))
                .await
                .unwrap();
        store.migrate().await.unwrap();
        let mut transaction = store.write().await.unwrap();
        // This connection only gets a file that may not grow.
        transaction.execute("PRAGMA max_page_count = 1").await.unwrap();
        let full = transaction
            .execute("UPDATE products SET name = CAST(zeroblob(100000) AS TEXT) WHERE id = 1")
            .await;
        assert_eq!(full.unwrap_err().into_database_error().unwrap().code().unwrap(), "13");
        drop(transaction);
        // The pool lends its connections in turn.
        for _ in 0..2 * store.size() {
            store.write().await.unwrap().commit().await.unwrap();
        }
    }
}
