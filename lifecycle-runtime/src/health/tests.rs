//! What each probe answers.

use super::*;
use Probe::{Liveness, Readiness, Startup};

#[track_caller]
fn check(state: State, has_started: bool, ready_while_draining: bool, passing: &[Probe]) {
    let (_sender, progress) = watch::channel(Progress { state, has_started, deadline: None });
    let health = Health::new(progress, ready_while_draining, Checks::default(), || vec!["db 2.1 s".to_owned()]);
    let passes = |probe: &Probe| health.answer(*probe).passes;
    let passed: Vec<_> = [Liveness, Startup, Readiness].into_iter().filter(passes).collect();
    assert_eq!(passed, passing, "{state}");
}

#[test]
fn only_a_process_that_is_ready_passes_every_probe() {
    check(State::Starting, false, false, &[Liveness]);
    check(State::Ready, true, false, &[Liveness, Startup, Readiness]);
    check(State::Draining, true, false, &[Liveness, Startup]);
    check(State::Stopping, true, false, &[Liveness, Startup]);
    check(State::Stopped, true, false, &[Liveness, Startup]);
}

#[test]
fn readiness_may_outlast_the_signal_but_not_the_server() {
    check(State::Draining, true, true, &[Liveness, Startup, Readiness]);
    check(State::Stopping, true, true, &[Liveness, Startup]);
}

#[test]
fn a_start_that_has_failed_never_passes() {
    check(State::Draining, false, true, &[Liveness]);
    check(State::Stopping, false, true, &[Liveness]);
}

#[test]
fn the_body_says_why() {
    let (sender, progress) = watch::channel(Progress::default());
    let health = Health::new(progress, false, Checks::default(), || vec!["db 2.1 s".to_owned()]);
    assert_eq!(
        health.answer(Readiness).body,
        r#"{"status":"fail","state":"starting","reason":"the start is not over","waiting_for":["db 2.1 s"]}"#
    );
    sender.send_replace(Progress { state: State::Ready, has_started: true, deadline: None });
    assert_eq!(health.answer(Readiness).body, r#"{"status":"pass","state":"ready"}"#);
}
