//! Files that grow, are rotated and are deleted while the worker follows them.

use std::fs;

use crate::place::Place;
use crate::process::{stop, wait_for_readyz};

#[test]
fn what_was_read_is_written_by_the_stop_and_a_line_that_is_not_complete_is_none_yet() {
    let place = Place::new();
    place.set("batch_lines", "3");
    place.set("batch_ms", "3_600_000");
    let mut worker = place.command().spawn();
    worker.wait_for_line("ready after");
    // The file appears complete, so the worker reads all of it at once.
    fs::write(place.path("new"), "1\n2\n3\n4\n5\nsi").unwrap();
    fs::rename(place.path("new"), place.log("a.log")).unwrap();
    place.wait_for(&mut worker, &["1", "2", "3"]);
    let log = stop(worker).to_string();
    assert_eq!(place.lines(), ["1", "2", "3", "4", "5"], "{log}");
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text}:\n{log}"));
    assert!(at("stop tail") < at("done tail") && at("done tail") < at("stop batches"), "{log}");
    assert!(at("done batches") < at("tear down close_db"), "{log}");

    place.append("a.log", "x\n");
    place.set("batch_lines", "1");
    let mut worker = place.command().spawn();
    place.wait_for(&mut worker, &["1", "2", "3", "4", "5", "six"]);
    stop(worker);
}

#[test]
fn a_rotation_loses_nothing_and_repeats_nothing() {
    let place = Place::new();
    let mut worker = place.command().spawn();
    place.append("a.log", "1\n2");
    place.wait_for(&mut worker, &["1"]);
    // A program goes on writing to a rotated file for a while.
    fs::rename(place.log("a.log"), place.log("a.log.1")).unwrap();
    place.append("a.log.1", "\n3\n");
    place.wait_for(&mut worker, &["1", "2", "3"]);
    place.append("a.log", "4\n");
    place.wait_for(&mut worker, &["1", "2", "3", "4"]);
    stop(worker);

    // Two rotations while no worker runs.
    place.append("a.log", "5\n");
    fs::rename(place.log("a.log.1"), place.log("a.log.2")).unwrap();
    fs::rename(place.log("a.log"), place.log("a.log.1")).unwrap();
    place.append("a.log", "6\n");
    let mut worker = place.command().spawn();
    let expected = ["1", "2", "3", "4", "5", "6"];
    place.wait_for(&mut worker, &expected);

    // A deleted file, and a new one, which may well get its inode.
    fs::remove_file(place.log("a.log")).unwrap();
    worker.wait_for_line("a.log is gone");
    place.append("a.log", "6\n");
    place.wait_for(&mut worker, &[&expected[..], &["6"]].concat());
    stop(worker);
}

#[test]
fn a_file_that_is_cut_short_is_read_from_its_beginning() {
    let place = Place::new();
    let mut worker = place.command().spawn();
    place.append("a.log", "long enough\nand more");
    place.wait_for(&mut worker, &["long enough"]);
    fs::write(place.log("a.log"), "new\n").unwrap();
    place.wait_for(&mut worker, &["long enough", "new"]);
    stop(worker);

    fs::write(place.log("a.log"), "").unwrap();
    let mut worker = place.command().spawn();
    place.append("a.log", "x\n");
    place.wait_for(&mut worker, &["long enough", "new", "x"]);
    stop(worker);
}

#[test]
fn a_spool_that_is_gone_is_told_and_one_that_is_back_is_followed() {
    let place = Place::new();
    let mut worker = place.command().spawn();
    wait_for_readyz(&mut worker, 200, "");
    fs::remove_dir(place.path("spool")).unwrap();
    wait_for_readyz(&mut worker, 503, "can't use spool as the spool");
    fs::create_dir(place.path("spool")).unwrap();
    place.append("a.log", "1\n");
    place.wait_for(&mut worker, &["1"]);
    wait_for_readyz(&mut worker, 200, "");
    stop(worker);
}
