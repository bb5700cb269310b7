//! Tests of the whole worker inside one process: its start, the teardowns after a failure, the
//! lines that are in the database then, and the next process, which writes the others.
//!
//! Time is paused. The database and the spool are real ones in a folder of their own, and time
//! stands still while hooks use them; the services do so until the stop. So where a test needs time
//! to pass, the services *rest*: they do nothing until they are stopped.

mod archive_test;
mod collector;
mod recurring;
mod services;
mod start;
mod stop;

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use lifecycle_runtime::event::Outcome;
use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::testing::{Fault, TestApp, TestAppBuilder, TestReport, real_io};
use sqlx::SqlitePool;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::batches::{batches, queue, written};
use crate::forward::{forward, keeps_up};
use crate::settings::{Live, Settings, reload, settings};
use crate::spool::{spool, spool_is_there};
use crate::store::tests::{lines, piece};
use crate::store::{close_db, db, migrations, positions};
use crate::tail::tail;
use crate::worker;

/// A folder that a worker has used: one line is in its database, and another waits in its spool.
struct Place(TempDir);

impl Place {
    async fn new() -> Self {
        let place = Self::empty();
        place.append("old");
        assert_eq!(place.caught_up().await, ["old"]);
        place.append("new");
        place
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("spool")).expect("a folder");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns the shipped settings, except that each line is written at once.
    fn settings(&self) -> Settings {
        let settings = crate::settings::tests::in_folder(self.path());
        let one = 1.try_into().expect("it is not zero");
        settings.live.rcu(|live| Live {
            batch_lines: one,
            look_every_ms: one.try_into().expect("small"),
            ..(**live).clone()
        });
        settings
    }

    /// Returns the worker, without a collector.
    fn worker(&self) -> TestAppBuilder {
        worker_with(self.settings())
    }

    /// Returns the worker with services that rest.
    fn at_rest(&self) -> TestAppBuilder {
        self.worker().replace::<tail>(()).replace::<batches>(()).replace::<forward>(())
    }

    fn append(&self, line: &str) {
        let path = self.path().join("spool").join("a.log");
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a log");
        writeln!(file, "{line}").expect("a line");
    }

    /// Reads the lines that are in the database.
    async fn lines(&self) -> Vec<String> {
        lines_in(&self.path().join("worker.db")).await
    }

    /// Runs another worker until it has read the whole spool, and returns the lines in the
    /// database.
    async fn caught_up(&self) -> Vec<String> {
        let spooled = std::fs::read_to_string(self.path().join("spool/a.log"))
            .expect("a log")
            .lines()
            .count();
        let app = self.worker().start().await;
        written_by(&app, spooled).await;
        app.stop().await.assert_clean();
        self.lines().await
    }
}

/// Reads the lines in a database, on a connection of its own.
async fn lines_in(database: &Path) -> Vec<String> {
    real_io(async {
        let pool = SqlitePool::connect(&format!("sqlite:{}", database.display()))
            .await
            .expect("a database");
        let found = lines(&pool).await;
        pool.close().await;
        found
    })
    .await
}

/// Returns the worker with these settings.
fn worker_with(with: Settings) -> TestAppBuilder {
    TestApp::of(worker())
        .replace::<settings>(with)
        .real_io::<db>()
        .real_io::<migrations>()
        .real_io::<positions>()
        .real_io::<batches>()
        .real_io::<tail>()
        .real_io::<keeps_up>()
        .real_io::<close_db>()
}

/// Sends two lines to `batches`, as `tail` would.
async fn send_two(app: &TestApp) {
    let sender = app.get::<queue>().sender();
    for (before, line) in [(0, "a"), (2, "b")] {
        sender.send(piece(1, before, before + 2, line)).await.expect("the worker runs");
    }
}

/// Waits until the database has this many lines. A limit in real time ends the wait, as paused time
/// would not.
async fn written_by(app: &TestApp, count: usize) {
    let (db, written) = (app.get::<db>(), app.get::<written>());
    let (over, is_over) = channel::<()>();
    let writing = async {
        while lines(&db).await.len() < count {
            written.notified().await;
        }
    };
    tokio::select! {
        () = real_io(writing) => drop(over),
        _ = spawn_blocking(move || is_over.recv_timeout(Duration::from_secs(10))) => {
            panic!("{count} lines were not written; the worker: {:?}", app.readiness())
        }
    }
}

/// Startup hooks, each with the seconds after which one that hangs is cancelled: its own timeout,
/// or that of the whole start.
const STARTS: [(&HookMeta, u64); 7] = [
    (settings::META, 60),
    (spool::META, 60),
    (queue::META, 60),
    (written::META, 60),
    (db::META, 30),
    (migrations::META, 60),
    (positions::META, 60),
];

/// Services, each with its stop timeout in seconds.
const SERVICES: [(&HookMeta, u64); 3] = [(tail::META, 5), (batches::META, 10), (forward::META, 5)];

/// Hooks that recur, each with the number of failures that make the worker unready; 0 for one that
/// never does.
const RECURRING: [(&HookMeta, usize); 3] =
    [(spool_is_there::META, 1), (keeps_up::META, 3), (reload::META, 0)];

#[test]
fn no_hook_is_missing_here() {
    let (starts, services) =
        (STARTS.iter().map(|(hook, _)| hook), SERVICES.iter().map(|(hook, _)| hook));
    let recurring = RECURRING.iter().map(|(hook, _)| hook);
    let tried = starts.chain(services).chain(recurring).copied().chain([close_db::META]);
    let plan = worker().plan().expect("a plan");
    let planned = plan.hooks().iter().map(|hook| hook.path());
    assert_eq!(planned.collect::<HashSet<_>>(), tried.map(HookMeta::path).collect());
}

/// A fault, and the text with which the hook's outcome then begins.
type Mishap = (fn() -> Fault, &'static str);

const FAULTS: [Mishap; 3] = [
    (|| Fault::fail("injected"), "failed: injected"),
    (Fault::panic, "panicked: injected"),
    (Fault::hang, "ran "),
];

#[track_caller]
fn assert_ended(report: &TestReport, hook: &HookMeta, how: &str) {
    let outcome = report.outcome(hook).map(ToString::to_string).unwrap_or_default();
    assert!(outcome.starts_with(how), "{} {outcome}, and not {how}\n\n{report}", hook.name());
}

fn has_started(report: &TestReport, hook: &HookMeta) -> bool {
    report.outcome(hook) == Some(&Outcome::Succeeded)
}
