//! The service's own history: its runs, and the copy of the database that each leaves.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use lifecycle_runtime::{Dep, on_shutdown, on_startup};
use sqlx::SqlitePool;

use crate::config::config;
use crate::store::db;

/// The number of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run(i64);

/// Records that a run began.
///
/// `order = 10`: it comes last of all, as a start that failed is no run.
#[on_startup(order = 10)]
pub async fn run(db: Dep<db>) -> sqlx::Result<Run> {
    if let Some(since) = unfinished(&db).await? {
        eprintln!(
            "warning: the run that began at {since} did not stop properly, or another \
             process has not stopped yet"
        );
    }
    let mut transaction = db.begin().await?;
    let id = sqlx::query_scalar("INSERT INTO runs (started_at) VALUES (?) RETURNING id")
        .bind(Timestamp::now().to_string())
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Run(id))
}

/// Returns the time at which the latest run began, if its end was not recorded.
async fn unfinished(db: &SqlitePool) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT started_at FROM runs WHERE stopped_at IS NULL AND id = (SELECT max(id) FROM runs)",
    )
    .fetch_optional(db)
    .await
}

/// Records that the run ended, and the number of clocks.
///
/// It is not the teardown of `run`: that would come after the copy, which has to contain this row.
#[on_shutdown]
pub async fn record_stop(db: Dep<db>, run: Dep<run>) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE runs SET stopped_at = ?, clocks = (SELECT count(*) FROM clocks) WHERE id = ?",
    )
    .bind(Timestamp::now().to_string())
    .bind(run.0)
    .execute(&*db)
    .await
    .map(drop)
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("can't copy the database; is there space left?")]
    Copy(#[from] sqlx::Error),
    #[error("can't put the copy to {}; the old one is still there", .0.display())]
    Replace(PathBuf, #[source] std::io::Error),
}

/// Leaves a copy of the database at the path in `WORLDCLOCK_BACKUP`.
///
/// `order = 10`: it comes after every shutdown hook that still writes, in whatever module.
/// `after = [run]`: a start that failed must not replace a good copy.
#[on_shutdown(order = 10, after = [run], timeout = "6s")]
pub async fn backup(db: Dep<db>, config: Dep<config>) -> Result<(), BackupError> {
    let Some(target) = &config.backup else {
        return Ok(());
    };
    // The new copy is made beside the old one, which stays whole if the stop is cut short.
    let unfinished = target.with_added_extension("new");
    let replace_failed = |error| BackupError::Replace(target.clone(), error);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(replace_failed(error));
        }
        _ => {}
    }
    sqlx::query("VACUUM INTO ?").bind(unfinished.to_string_lossy()).execute(&*db).await?;
    fs::File::open(&unfinished).and_then(|copy| copy.sync_all()).map_err(replace_failed)?;
    fs::rename(&unfinished, target).map_err(replace_failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{migrated, settings};

    #[actix_web::test]
    async fn a_run_that_was_killed_is_noticed_by_the_next() {
        let (_folder, db) = migrated().await;
        let killed = run(Dep::new(db.clone())).await.unwrap();
        assert!(unfinished(&db).await.unwrap().is_some());
        let next = run(Dep::new(db.clone())).await.unwrap();
        assert_ne!(next, killed);
        record_stop(Dep::new(db.clone()), Dep::new(next)).await.unwrap();
        assert_eq!(unfinished(&db).await.unwrap(), None);
    }

    #[actix_web::test]
    async fn the_copy_is_a_whole_database_and_replaces_the_last_one() {
        let (folder, db) = migrated().await;
        let copy = folder.path().join("copy.db");
        let mut settings = settings(folder.path());
        settings.backup = Some(copy.clone());
        for runs in 1..=2_i64 {
            run(Dep::new(db.clone())).await.unwrap();
            backup(Dep::new(db.clone()), Dep::new(settings.clone())).await.unwrap();
            let copy = SqlitePool::connect(&format!("sqlite:{}", copy.display())).await.unwrap();
            let copied: i64 =
                sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&copy).await.unwrap();
            assert_eq!(copied, runs);
            copy.close().await;
        }
        assert!(!copy.with_added_extension("new").exists());
    }

    #[actix_web::test]
    async fn no_copy_is_left_unless_asked_for() {
        let (folder, db) = migrated().await;
        let files = || folder.path().read_dir().unwrap().count();
        let before = files();
        backup(Dep::new(db), Dep::new(settings(folder.path()))).await.unwrap();
        assert_eq!(files(), before);
    }
}
