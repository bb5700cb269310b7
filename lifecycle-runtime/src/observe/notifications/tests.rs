//! Tests of the notifications about events, as the service manager gets them.

use super::*;
use crate::event::{Outcome, RequestInfo, StartFailure, StopCause};
use crate::plan::sample;
use crate::process::systemd::sample::SampleManager;

/// Run with two hooks for SIGHUP, whose events are told one by one.
struct NotifyingRun {
    manager: SampleManager,
    hooks: Vec<&'static HookMeta>,
    observer: Notifications,
}

impl NotifyingRun {
    fn new() -> Self {
        let manager = SampleManager::new();
        let hooks = sample::hooks(
            "start db; signal reload on SIGHUP; signal announce on SIGHUP; \
             signal rotate on SIGUSR2",
        );
        let limit = Duration::from_secs(60);
        let observer = Notifications::new(manager.notifier(), hooks.iter().copied(), limit);
        Self { manager, hooks, observer }
    }

    fn ready() -> Self {
        let run = Self::new();
        run.tell(&Event::State(State::Ready));
        run.manager.lines_until("READY=1");
        run
    }

    fn tell(&self, event: &Event) {
        self.observer.on_event(Duration::ZERO, event);
    }

    fn hook(&self, name: &str) -> &'static HookMeta {
        self.hooks.iter().find(|hook| hook.display_name() == name).expect("a hook of the run")
    }

    fn begins(&self, name: &str) {
        self.tell(&Event::HookStarted { hook: self.hook(name) });
    }

    fn ends(&self, name: &str, outcome: Outcome) {
        let hook = self.hook(name);
        self.tell(&Event::HookEnded { hook, outcome, took: Duration::ZERO });
    }

    fn stop_begins(&self, cause: StopCause) {
        let grace = Duration::from_secs(25);
        self.tell(&Event::StopBegun { cause, grace, requests: None });
    }
}

#[test]
fn a_start_asks_for_time_and_says_where_it_listens_once_it_is_ready() {
    let run = NotifyingRun::new();
    run.tell(&Event::State(State::Starting));
    let lines = run.manager.lines_until("EXTEND_TIMEOUT_USEC=10000000");
    assert_eq!(lines[0], "STATUS=starting");
    let on = vec![Wait::Hook { hook: run.hook("db"), running: Duration::from_secs(5) }];
    run.tell(&Event::Waiting { on });
    run.manager.lines_until("STATUS=starting: waiting for db 5 s");
    for port in [80, 81] {
        run.tell(&Event::Listening { url: format!("http://127.0.0.1:{port}") });
    }
    run.tell(&Event::State(State::Ready));
    let lines = run.manager.lines_until("READY=1");
    let expected =
        ["READY=1", "STATUS=ready, listening on http://127.0.0.1:80, http://127.0.0.1:81"];
    assert_eq!(lines, expected);
}

#[test]
fn a_stop_asks_for_time_and_names_no_request() {
    let run = NotifyingRun::ready();
    run.stop_begins(StopCause::Signal("SIGTERM"));
    let lines = run.manager.lines_until("STOPPING=1");
    let expected = ["STOPPING=1", "STATUS=stopping (SIGTERM)", "EXTEND_TIMEOUT_USEC=10000000"];
    assert_eq!(lines, expected);
    let (method, path) = ("GET".into(), "/secret".to_owned());
    let longest = vec![RequestInfo { method, path, running: Duration::ZERO }];
    run.tell(&Event::Waiting { on: vec![Wait::Requests { count: 1, longest }] });
    run.manager.lines_until("STATUS=stopping (SIGTERM): waiting for 1 request");
    run.tell(&Event::State(State::Stopped));
    let text = run.manager.next();
    let left = text.trim_end().strip_prefix("EXTEND_TIMEOUT_USEC=").expect("time for the end");
    let left: u64 = left.parse().expect("a time");
    assert!(left <= 26_000_000, "{left}");
}

#[test]
fn the_failure_of_a_start_is_shown_while_it_is_rolled_back() {
    let run = NotifyingRun::new();
    run.tell(&Event::StartFailed { failure: StartFailure::AppTimedOut });
    run.stop_begins(StopCause::StartFailed);
    let lines = run.manager.lines_until("STOPPING=1");
    assert!(lines[1].starts_with("STATUS=start failed: "), "{lines:?}");
    assert!(lines[1].ends_with("; stopping"), "{lines:?}");
}

#[test]
fn a_reload_is_over_with_its_last_hook() {
    let run = NotifyingRun::ready();
    for _ in 0..2 {
        run.begins("reload");
        let lines = run.manager.lines_until("RELOADING=1");
        assert!(lines[1].starts_with("MONOTONIC_USEC="), "{lines:?}");
        assert_eq!(lines[2], "STATUS=reloading");
        run.ends("reload", Outcome::Failed { error: "no file".to_owned() });
        run.begins("announce");
        run.ends("announce", Outcome::Succeeded);
        let lines = run.manager.lines_until("READY=1");
        assert_eq!(lines[0], "READY=1", "nothing in between");
        assert!(lines[1].starts_with("STATUS=ready; hook `reload` "), "{lines:?}");
    }
    // Nothing of the failure is left after a reload that is a success, even if its first hook could
    // not begin.
    run.ends("reload", Outcome::Succeeded);
    run.ends("announce", Outcome::Succeeded);
    let lines = run.manager.lines_until("READY=1");
    assert_eq!(lines[0], "RELOADING=1");
    assert_eq!(&lines[3..], ["READY=1", "STATUS=ready"]);
}

#[test]
fn only_a_run_that_is_ready_reloads_and_only_by_sighup() {
    let run = NotifyingRun::ready();
    run.begins("rotate");
    run.ends("rotate", Outcome::Succeeded);
    run.begins("reload");
    run.stop_begins(StopCause::Requested);
    run.ends("reload", Outcome::Succeeded);
    run.begins("announce");
    run.ends("announce", Outcome::Succeeded);
    run.tell(&Event::State(State::Stopped));
    let lines = run.manager.lines_until("STOPPING=1");
    assert_eq!(lines.iter().filter(|line| *line == "READY=1").count(), 0, "{lines:?}");
    assert!(run.manager.next().starts_with("EXTEND_TIMEOUT_USEC="), "nothing else follows");
}
