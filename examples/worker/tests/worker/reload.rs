//! SIGHUP: new settings, broken ones, and those that can't change.

use std::fs;

use nix::sys::signal::Signal;

use crate::place::Place;
use crate::process::Worker;

#[test]
fn a_signal_reads_the_settings_anew_and_broken_ones_keep_the_old_and_say_why() {
    let place = Place::new();
    let mut worker = Worker::spawn(&mut place.command());
    worker.ready();
    place.append("a.log", "info 1\n");
    place.has(&["info 1"]);

    place.set("keep", "\"error\"");
    worker.signal(Signal::SIGHUP);
    worker.says("done reload");
    place.append("a.log", "info 2\nerror 2\n");
    place.has(&["info 1", "error 2"]);

    let good = fs::read_to_string(place.path("worker.toml")).unwrap();
    for (broken, why) in [
        (
            good.replace("keep", "keeps"),
            "failed: worker.toml:11: unknown field `keeps`, expected one of `keep`",
        ),
        (good.replace("keep = \"error\"", "keep = \"err"), "failed: worker.toml:11: "),
        (
            good.replace("\"worker.db\"", "\"other.db\""),
            "what is in `[fixed]` can't change while the process runs",
        ),
    ] {
        fs::write(place.path("worker.toml"), broken).unwrap();
        worker.signal(Signal::SIGHUP);
        let line = worker.says("hook `reload` (examples/worker/src/settings.rs:");
        assert!(line.contains(why), "{line}");
    }
    place.append("a.log", "info 3\nerror 3\n");
    place.has(&["info 1", "error 2", "error 3"]);
    worker.stop();
}

#[test]
fn without_settings_there_is_no_start() {
    let place = Place::new();
    fs::remove_file(place.path("worker.toml")).unwrap();
    let ended = Worker::spawn(&mut place.command()).end();
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(
        ended.log.contains("can't read worker.toml; WORKER_CONFIG must name a file"),
        "{}",
        ended.log
    );
    assert!(!place.path("worker.db").exists());
}
