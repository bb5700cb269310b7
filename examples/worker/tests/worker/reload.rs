//! Reloads by SIGHUP: of new settings, of broken ones, and of those that can't change.

use std::fs;

use lifecycle_runtime::testing::Signal;

use crate::place::Place;
use crate::process::stop;

#[test]
fn a_signal_reads_the_settings_anew_and_broken_ones_keep_the_old_and_say_why() {
    let place = Place::new();
    let mut worker = place.command().spawn();
    worker.wait_for_line("ready after");
    place.append("a.log", "info 1\n");
    place.wait_for(&mut worker, &["info 1"]);

    place.set("keep", "\"error\"");
    worker.signal(Signal::SIGHUP);
    worker.wait_for_line("done reload");
    place.append("a.log", "info 2\nerror 2\n");
    place.wait_for(&mut worker, &["info 1", "error 2"]);

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
        let line = worker.wait_for_line("hook `reload` (examples/worker/src/settings.rs:");
        assert!(line.contains(why), "{line}");
    }
    place.append("a.log", "info 3\nerror 3\n");
    place.wait_for(&mut worker, &["info 1", "error 2", "error 3"]);
    stop(worker);
}

#[test]
fn without_settings_there_is_no_start() {
    let place = Place::new();
    fs::remove_file(place.path("worker.toml")).unwrap();
    let output = place.command().output();
    output
        .assert_exit_code(1)
        .assert_contains("can't read worker.toml; WORKER_CONFIG must name a file");
    assert!(!place.path("worker.db").exists());
}

#[test]
fn operators_see_what_goes_on() {
    let place = Place::new();
    let mut worker = place.command().spawn();
    worker.wait_for_line("ready after");
    let metrics = worker.wait_for_probe("/metrics", |response| response.status == 200).body;
    for part in [
        "lifecycle_build_info{name=\"worker\",",
        "lifecycle_service_state{hook=\"worker::tail::tail\",state=\"running\"} 1\n",
    ] {
        assert!(metrics.contains(part), "{metrics}");
    }
    stop(worker);
}
