//! Acknowledged writes, which are there after any stop or kill.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use actix_web::rt::System;
use lifecycle_runtime::testing::Signal;
use serde_json::json;
use sqlx::SqlitePool;

use crate::process::{client, command};

const WRITERS: usize = 4;

#[test]
fn a_write_that_was_acknowledged_survives_every_stop() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let mut written = BTreeSet::new();
    for round in 0..20 {
        let mut service = command(folder.path()).env("WORLDCLOCK_BACKUP", &copy).spawn();
        let url = service.url();
        // Each round stops the service after another number of writes.
        write_until_gone(&url, &format!("round {round}"), &mut written, 1 + round * 5, || {
            service.signal(Signal::SIGTERM);
        });
        let ended = service.wait();
        assert_eq!(ended.code(), Some(0), "round {round}: {ended}");
        assert_eq!(files(folder.path()), ["clock.db", "copy.db"], "round {round}: {ended}");

        let left = Left::read(&folder.path().join("clock.db"));
        assert_eq!(
            written.difference(&left.labels).collect::<Vec<_>>(),
            [""; 0],
            "round {round}: {ended}"
        );
        assert_eq!(
            left.clocks_at_stop,
            i64::try_from(left.labels.len()).ok(),
            "the stop was noted before the last write"
        );
        assert_eq!(Left::read(&copy), left, "the copy was made before the last write");
    }
}

#[test]
fn a_write_that_was_acknowledged_survives_a_kill_and_the_next_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let mut written = BTreeSet::new();
    write_until_gone(&service.url(), "killed", &mut written, 50, || {
        service.kill();
    });
    service.wait().assert_killed_by(Signal::SIGKILL);

    let mut service = command(folder.path()).spawn();
    service.url();
    service.signal(Signal::SIGINT);
    let ended = service.wait();
    ended.assert_exit_code(0).assert_contains("did not stop properly");
    assert!(Left::read(&folder.path().join("clock.db")).labels.is_superset(&written));
}

/// Writes from several threads without a pause, until the service can't be reached. Calls `stop`
/// after `enough` acknowledged writes.
fn write_until_gone(
    url: &str,
    name: &str,
    written: &mut BTreeSet<String>,
    enough: usize,
    stop: impl FnOnce(),
) {
    let (sender, acknowledged) = channel();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let sender = sender.clone();
            scope.spawn(move || write(url, &format!("{name}, writer {writer}"), &sender));
        }
        drop(sender);
        written.extend(acknowledged.iter().take(enough));
        stop();
        written.extend(acknowledged);
    });
}

fn write(url: &str, name: &str, acknowledged: &Sender<String>) {
    let client = client();
    for number in 0.. {
        let label = format!("{name}, number {number}");
        let new = json!({ "label": label, "zone": "Europe/Zurich" });
        let Ok(response) = client.post(format!("{url}/clocks")).send_json(new) else { return };
        // This holds up to the last request: an answer is the right one, or there is none.
        assert_eq!(response.status(), 201);
        acknowledged.send(label).unwrap();
    }
}

fn files(folder: &Path) -> Vec<String> {
    let names =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Data that a stop leaves in a database.
#[derive(Debug, PartialEq)]
struct Left {
    labels: BTreeSet<String>,
    clocks_at_stop: Option<i64>,
}

impl Left {
    fn read(file: &Path) -> Self {
        System::new().block_on(async {
            let db = SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
            let sound: String =
                sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&db).await.unwrap();
            assert_eq!(sound, "ok");
            let labels: Vec<String> =
                sqlx::query_scalar("SELECT label FROM clocks").fetch_all(&db).await.unwrap();
            let last = "SELECT clocks FROM runs ORDER BY id DESC LIMIT 1";
            let clocks_at_stop = sqlx::query_scalar(last).fetch_one(&db).await.unwrap();
            db.close().await;
            Self { labels: labels.into_iter().collect(), clocks_at_stop }
        })
    }
}
