//! The database: opened and brought up to date at the start, left as one complete file at the stop.

use std::future::ready;
use std::path::PathBuf;
use std::time::Duration;

use lifecycle_runtime::{Dep, on_shutdown, on_startup};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqlitePool};

use crate::config::config;

/// Longest wait of a write for another write, and of a request for a connection.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
#[error(
    "can't open the database {}; WORLDCLOCK_DB must name a SQLite file, or a new one in an \
     existing folder",
    path.display()
)]
pub struct OpenError {
    path: PathBuf,
    source: sqlx::Error,
}

#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    #[error(
        "another process uses the database, so the last writes are still in its `-wal` file; \
         nothing is lost, but keep the two files together"
    )]
    InUse,
    #[error("can't empty the write-ahead log")]
    Checkpoint(#[from] sqlx::Error),
}

/// Opens the database, and creates it on the first run.
///
/// Readers never wait for a writer (write-ahead log), and a write is on the disk before the request
/// is answered (`FULL`), so that a 201 survives a crash and a power cut.
#[on_startup(timeout = "30s")]
pub async fn db(config: Dep<config>) -> Result<SqlitePool, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(&config.database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE);
    SqlitePoolOptions::new()
        .max_connections(8)
        .acquire_timeout(PATIENCE)
        // SQLite rolls some transactions back by itself, for example when the disk is full
        // (https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction).
        // The library does not notice, its own rollback fails, and the connection would go on as if
        // within a transaction.
        .before_acquire(|connection, _| Box::pin(ready(Ok(!connection.is_in_transaction()))))
        .connect_with(options)
        .await
        .map_err(|source| OpenError { path: config.database.clone(), source })
}

/// Brings the tables up to date.
#[on_startup]
pub async fn migrations(db: Dep<db>) -> Result<(), MigrateError> {
    sqlx::migrate!().run(&*db).await
}

/// Moves the write-ahead log into the database and closes it, which leaves one file that can be
/// copied.
///
/// As the teardown of `db` it runs once everything that uses the database has ended.
#[on_shutdown(of = db, timeout = "3s")]
pub async fn close_db(db: Dep<db>) -> Result<(), CloseError> {
    let checkpoint: sqlx::Result<(i64, i64, i64)> =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&*db).await;
    db.close().await;
    match checkpoint? {
        (0, ..) => Ok(()),
        _ => Err(CloseError::InUse),
    }
}

#[cfg(test)]
pub mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use tempfile::TempDir;

    pub fn settings(folder: &Path) -> Config {
        Config { database: folder.join("test.db"), zones: None, backup: None }
    }

    /// Makes a database for one test, by the hooks themselves.
    pub async fn migrated() -> (TempDir, SqlitePool) {
        let folder = tempfile::tempdir().unwrap();
        let pool = db(Dep::new(settings(folder.path()))).await.unwrap();
        migrations(Dep::new(pool.clone())).await.unwrap();
        (folder, pool)
    }

    async fn add_run(pool: &SqlitePool) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO runs (started_at) VALUES ('now')").execute(pool).await.map(drop)
    }

    #[actix_web::test]
    async fn is_made_on_the_first_run_and_kept_on_the_next() {
        let (folder, pool) = migrated().await;
        add_run(&pool).await.unwrap();
        close_db(Dep::new(pool)).await.unwrap();

        let pool = db(Dep::new(settings(folder.path()))).await.unwrap();
        migrations(Dep::new(pool.clone())).await.unwrap();
        let runs: i64 =
            sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&pool).await.unwrap();
        assert_eq!(runs, 1);
    }

    #[actix_web::test]
    async fn closing_leaves_one_file() {
        let (folder, pool) = migrated().await;
        add_run(&pool).await.unwrap();
        assert!(folder.path().join("test.db-wal").exists());
        close_db(Dep::new(pool.clone())).await.unwrap();
        let left: Vec<_> =
            folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["test.db"]);
        assert!(matches!(add_run(&pool).await, Err(sqlx::Error::PoolClosed)));
    }

    #[actix_web::test]
    async fn closing_beside_another_reader_says_so() {
        let (folder, pool) = migrated().await;
        let other = db(Dep::new(settings(folder.path()))).await.unwrap();
        let mut reader = other.begin().await.unwrap();
        sqlx::query("SELECT * FROM runs").fetch_all(&mut *reader).await.unwrap();
        add_run(&pool).await.unwrap();
        // This connection does not wait for the reader, which would be in vain.
        let options = pool.connect_options().as_ref().clone().busy_timeout(Duration::ZERO);
        let impatient = SqlitePool::connect_with(options).await.unwrap();
        assert!(matches!(close_db(Dep::new(impatient.clone())).await, Err(CloseError::InUse)));
        assert!(impatient.is_closed());
    }

    #[actix_web::test]
    async fn refuses_what_is_no_database() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        std::fs::write(&settings.database, "Dear diary, this is no database. ".repeat(100))
            .unwrap();
        let error = db(Dep::new(settings.clone())).await.unwrap_err();
        assert!(error.to_string().contains("test.db; WORLDCLOCK_DB must name"), "{error}");
        settings.database = folder.path().into();
        assert!(db(Dep::new(settings)).await.is_err());
    }
}
