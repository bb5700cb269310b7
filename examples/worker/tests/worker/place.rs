//! The folder of a worker under test: its settings, its spool and its database.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use lifecycle_runtime::testing::process::{Child, Command};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::process::LIMIT;

pub struct Place {
    folder: TempDir,
    runtime: Runtime,
}

/// A line in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub seq: i64,
    pub file: i64,
    pub line: String,
}

impl Place {
    /// Makes a folder with the shipped settings, and shorter times.
    pub fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            runtime: Builder::new_current_thread().build().unwrap(),
        };
        fs::create_dir(place.path("spool")).unwrap();
        fs::write(place.path("worker.toml"), include_str!("../../worker.toml")).unwrap();
        for (key, value) in [("look_every_ms", "5"), ("batch_lines", "50"), ("batch_ms", "20")] {
            place.set(key, value);
        }
        place
    }

    /// Writes a setting into the file.
    pub fn set(&self, key: &str, value: &str) {
        let text = fs::read_to_string(self.path("worker.toml")).unwrap();
        let is_it = |line: &str| line.trim_start_matches("# ").split(" = ").next() == Some(key);
        assert!(text.lines().any(is_it), "there is no setting {key}");
        let line =
            |line| if is_it(line) { format!("{key} = {value}\n") } else { format!("{line}\n") };
        fs::write(self.path("worker.toml"), text.lines().map(line).collect::<String>()).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.path("spool").join(name)
    }

    pub fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.log(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command.env_clear().current_dir(self.folder.path()).limit(LIMIT);
        command.env_remove("LIFECYCLE_BIND").env("WORKER_CONFIG", "worker.toml");
        command
    }

    /// Reads the lines that are in the database.
    pub fn written(&self) -> Vec<Written> {
        let database = format!("sqlite:{}", self.path("worker.db").display());
        self.runtime.block_on(async {
            let Ok(mut db) = SqliteConnection::connect(&database).await else { return Vec::new() };
            let rows = sqlx::query_as("SELECT seq, file, line FROM lines ORDER BY seq")
                .fetch_all(&mut db)
                .await;
            db.close().await.unwrap();
            // A database that was only just created has no tables yet.
            let rows: Vec<(i64, i64, Vec<u8>)> = rows.unwrap_or_default();
            let written =
                |(seq, file, line)| Written { seq, file, line: String::from_utf8(line).unwrap() };
            rows.into_iter().map(written).collect()
        })
    }

    pub fn lines(&self) -> Vec<String> {
        self.written().into_iter().map(|written| written.line).collect()
    }

    /// Waits until the worker has written these lines into the database, in this order.
    #[track_caller]
    pub fn wait_for(&self, worker: &mut Child, lines: &[&str]) {
        worker.wait_until("the lines in the database", |_| self.lines().len() >= lines.len());
        assert_eq!(self.lines(), lines);
    }
}
