//! The database: the lines, the position in each file, and the last line that the collector has
//! acknowledged.

use std::collections::BTreeMap;
use std::future::ready;
use std::path::PathBuf;
use std::time::Duration;

use lifecycle_runtime::{Dep, on_shutdown, on_startup};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use crate::follow::{FileId, Piece};
use crate::settings::settings;

/// Longest wait of a write for another write, and of anything for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error(
    "can't open the database {}; `database` must name a SQLite file, or a new one in an existing \
     folder",
    path.display()
)]
pub struct OpenError {
    path: PathBuf,
    source: sqlx::Error,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("can't write to the database")]
    Database(#[from] sqlx::Error),
    #[error("{name} has been read by another process: its position is not {expected} any more")]
    Elsewhere { name: String, expected: i64 },
}

/// Opens the database, and creates it on the first run. Committed data is on the disk (`FULL`): it
/// survives a crash and a power cut.
#[on_startup(timeout = "30s")]
pub async fn db(settings: Dep<settings>) -> Result<SqlitePool, OpenError> {
    let path = settings.fixed.database.clone();
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE);
    // One writes lines, one writes what was forwarded, and one is for the health check.
    let pool = SqlitePoolOptions::new()
        .max_connections(3)
        .acquire_timeout(PATIENCE)
        // SQLite rolls some transactions back by itself, for example when the disk is full
        // (https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction).
        // The library does not notice, its own rollback fails, and the connection would refuse to
        // begin another transaction.
        .before_acquire(|connection, _| Box::pin(ready(Ok(!connection.is_in_transaction()))));
    pool.connect_with(options).await.map_err(|source| OpenError { path, source })
}

/// Brings the tables up to date.
#[on_startup]
pub async fn migrations(db: Dep<db>) -> Result<(), MigrateError> {
    sqlx::migrate!().run(&*db).await
}

/// Reads the position that each file had when the process started.
#[on_startup(after = [migrations])]
pub async fn positions(db: Dep<db>) -> sqlx::Result<BTreeMap<FileId, u64>> {
    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as("SELECT inode, created, position FROM files").fetch_all(&*db).await?;
    Ok(rows
        .into_iter()
        .map(|(inode, created, position)| (FileId { inode, created }, position.cast_unsigned()))
        .collect())
}

/// Closes the database. As the teardown of `db` it runs once everything that uses the database has
/// ended.
#[on_shutdown(of = db, timeout = "5s")]
pub async fn close_db(db: Dep<db>) {
    db.close().await;
}

/// Writes lines and the positions behind them in one transaction.
///
/// So each line is written exactly once, even if the process is killed: the positions always match
/// the lines. The update names the old position, so that two processes on one database can't both
/// write a line.
pub async fn write(db: &SqlitePool, pieces: &[Piece]) -> Result<(), WriteError> {
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    for of_one_file in pieces.chunk_by(|one, next| one.file.id == next.file.id) {
        let [first, ..] = of_one_file else { continue };
        let last = of_one_file.last().unwrap_or(first);
        let file = advance(&mut transaction, first, last.after).await?;
        for line in of_one_file.iter().filter_map(|piece| piece.line.as_deref()) {
            let insert =
                sqlx::query("INSERT INTO lines (file, line) VALUES (?, ?)").bind(file).bind(line);
            insert.execute(&mut *transaction).await?;
        }
    }
    Ok(transaction.commit().await?)
}

/// Moves a file's position behind these pieces, and returns the id of its row.
async fn advance(
    transaction: &mut SqliteConnection,
    first: &Piece,
    after: u64,
) -> Result<i64, WriteError> {
    let FileId { inode, created } = first.file.id;
    let expected = first.before.cast_signed();
    sqlx::query("INSERT OR IGNORE INTO files (inode, created, name, position) VALUES (?, ?, ?, 0)")
        .bind(inode)
        .bind(created)
        .bind(&first.file.name)
        .execute(&mut *transaction)
        .await?;
    sqlx::query_scalar(
        "UPDATE files SET position = ? WHERE inode = ? AND created = ? AND position = ? \
         RETURNING id",
    )
    .bind(after.cast_signed())
    .bind(inode)
    .bind(created)
    .bind(expected)
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(|| WriteError::Elsewhere { name: first.file.name.clone(), expected })
}

#[cfg(test)]
pub mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;
    use crate::follow::Source;
    use crate::settings::tests::in_folder;

    /// Makes a database for one test, by the hooks themselves.
    pub async fn migrated() -> (TempDir, SqlitePool) {
        let folder = tempfile::tempdir().unwrap();
        let pool = db(Dep::new(in_folder(folder.path()))).await.unwrap();
        migrations(Dep::new(pool.clone())).await.unwrap();
        (folder, pool)
    }

    pub async fn lines(db: &SqlitePool) -> Vec<String> {
        let lines: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT line FROM lines ORDER BY seq").fetch_all(db).await.unwrap();
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    /// Makes a piece with a line, of a file that has this number as its name and inode.
    pub fn piece(file: i64, before: u64, after: u64, line: &str) -> Piece {
        let file =
            Arc::new(Source { id: FileId { inode: file, created: 0 }, name: file.to_string() });
        Piece { file, before, after, line: Some(line.into()) }
    }

    #[tokio::test]
    async fn lines_and_positions_are_written_together() {
        let (_folder, db) = migrated().await;
        write(&db, &[piece(1, 0, 2, "a"), piece(2, 0, 3, "bc"), piece(1, 2, 4, "d")])
            .await
            .unwrap();
        assert_eq!(lines(&db).await, ["a", "bc", "d"]);
        let positions = positions(Dep::new(db)).await.unwrap();
        assert_eq!(positions.into_values().collect::<Vec<_>>(), [4, 3]);
    }

    #[tokio::test]
    async fn writes_go_on_once_a_full_disk_has_space_again() {
        let (_folder, db) = migrated().await;
        // Page limit of the file: either as many pages as it has, or more than it will ever need.
        let limit = async |pages: &'static str| {
            let mut all = Vec::new();
            for _ in 0..3 {
                let mut connection = db.acquire().await.unwrap();
                sqlx::query(pages).execute(&mut *connection).await.unwrap();
                all.push(connection);
            }
        };
        let line = "x".repeat(100_000);
        for _ in 0..3 {
            limit("PRAGMA max_page_count = 1").await;
            let WriteError::Database(full) =
                write(&db, &[piece(1, 0, 2, &line)]).await.unwrap_err()
            else {
                panic!()
            };
            assert_eq!(full.into_database_error().unwrap().code().unwrap(), "13", "SQLITE_FULL");
        }
        limit("PRAGMA max_page_count = 1000000").await;
        write(&db, &[piece(1, 0, 2, &line)]).await.unwrap();
        assert_eq!(lines(&db).await, [line]);
    }

    #[tokio::test]
    async fn what_does_not_begin_where_the_last_ended_is_refused_with_all_that_came_with_it() {
        let (_folder, db) = migrated().await;
        write(&db, &[piece(1, 0, 2, "a")]).await.unwrap();
        for pieces in [
            [piece(2, 0, 3, "bc"), piece(1, 0, 2, "a")],
            [piece(2, 0, 3, "bc"), piece(1, 4, 6, "e")],
        ] {
            let error = write(&db, &pieces).await.unwrap_err();
            assert!(matches!(&error, WriteError::Elsewhere { name, .. } if name == "1"), "{error}");
        }
        assert_eq!(lines(&db).await, ["a"]);
        assert_eq!(positions(Dep::new(db)).await.unwrap().len(), 1);
    }
}
