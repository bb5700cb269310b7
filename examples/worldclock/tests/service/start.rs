//! Starts that must fail: each with one message that says what to do, and without a moment in which
//! the service could be reached.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use lifecycle_runtime::testing::process::Command;

use crate::process::command;

/// Checks that the start of this command fails with a message that has all of these parts on one
/// line.
#[track_caller]
fn refused(command: &mut Command, parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let service = command.env("LIFECYCLE_BIND", format!("unix:{}", socket.display())).spawn();
    let ended = thread::scope(|scope| {
        let ended = scope.spawn(|| service.wait());
        while !ended.is_finished() {
            assert!(UnixStream::connect(&socket).is_err(), "the service can be reached");
        }
        ended.join().unwrap()
    });
    ended.assert_exit_code(1).assert_lacks("listening on").assert_lacks("panicked");
    let mut lines = ended.transcript().stderr();
    let found = lines.any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no line has all of {parts:?}: {ended}");
}

fn shipped() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/zones.csv")).unwrap()
}

#[test]
fn a_corrupt_zone_table_is_refused_by_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("my zones.csv");
    let row = shipped().lines().position(|line| line.starts_with("Europe/Zurich,")).unwrap() + 1;
    fs::write(&table, shipped().replace("47.3833,8.5333", "47.3833,85333")).unwrap();
    let place =
        format!("{}:{row}, column `longitude`: 85333 is not between -180 and 180", table.display());
    refused(
        command(folder.path()).env("WORLDCLOCK_ZONES", &table),
        &["zone_table", "src/table.rs:", &place, "unset WORLDCLOCK_ZONES"],
    );

    // The table is cut off in the middle of a row.
    let half = &shipped()[..shipped().find("47.3833").unwrap()];
    fs::write(&table, half).unwrap();
    let place = format!("{}:{row}: 5 values are expected, not 3", table.display());
    refused(
        command(folder.path()).env("WORLDCLOCK_ZONES", &table),
        &[&place, "unset WORLDCLOCK_ZONES"],
    );

    // The service starts once the table is correct.
    let mut service = command(folder.path()).spawn();
    service.url();
    service.stop().assert_exit_code(0);
    let left = folder.path().read_dir().unwrap().count();
    assert_eq!(left, 2, "the table and the database are there, nothing else");
}

#[test]
fn a_zone_table_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.csv");
    let name = format!("can't import {}: No such file", missing.display());
    refused(
        command(folder.path()).env("WORLDCLOCK_ZONES", missing),
        &[&name, "unset WORLDCLOCK_ZONES"],
    );
    refused(
        command(folder.path()).env("WORLDCLOCK_ZONES", folder.path()),
        &["Is a directory", "unset WORLDCLOCK_ZONES"],
    );
}

#[test]
fn a_database_that_cannot_be_opened_is_refused_with_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let advice = "WORLDCLOCK_DB must name a SQLite file, or a new one in an existing folder: ";
    let unable = "unable to open database file";
    refused(
        command(folder.path()).env("WORLDCLOCK_DB", folder.path()),
        &["src/store.rs:", advice, unable],
    );
    refused(
        command(folder.path()).env("WORLDCLOCK_DB", folder.path().join("no/such.db")),
        &[advice, unable],
    );

    let diary = folder.path().join("diary.txt");
    let text = "Dear diary, this is no database. ".repeat(100);
    fs::write(&diary, &text).unwrap();
    let name = format!("can't open the database {}; ", diary.display());
    refused(
        command(folder.path()).env("WORLDCLOCK_DB", &diary),
        &[&name, advice, "file is not a database"],
    );
    assert_eq!(fs::read_to_string(&diary).unwrap(), text, "the file is as it was");
}

#[test]
fn a_misspelt_setting_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    refused(
        command(folder.path()).env("WORLDCLOCK_ZONE", "zones.csv"),
        &["there is no setting WORLDCLOCK_ZONE; the settings are WORLDCLOCK_DB, \
             WORLDCLOCK_ZONES and WORLDCLOCK_BACKUP"],
    );
    assert!(folder.path().read_dir().unwrap().next().is_none(), "nothing was made");
}

#[test]
fn operators_see_what_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    service.wait_until_ready();
    let metrics = service.wait_for_probe("/metrics", |response| response.status == 200).body;
    for part in ["lifecycle_build_info{name=\"worldclock\",", "lifecycle_http_requests_total{"] {
        assert!(metrics.contains(part), "{metrics}");
    }
    service.stop().assert_exit_code(0);
}
