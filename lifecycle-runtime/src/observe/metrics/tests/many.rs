//! Test of metrics of many hooks.

use super::*;

/// Returns the number of samples of a run of this many hooks of each kind, all of which have run,
/// and the length of their text.
fn size(number: usize) -> (usize, usize) {
    let kinds = [("start", ""), ("service", ""), ("check", ""), ("signal", " on SIGHUP")];
    let hooks = (10_000..10_000 + number)
        .flat_map(|number| kinds.map(|(kind, rest)| format!("{kind} {kind}_{number}{rest}; ")));
    let plan = Arc::new(sample::plan(&hooks.collect::<String>()).expect("valid"));
    let recorder = Recorder::new(plan.hooks().len());
    let checks = Checks::new(plan.of_kind(Kind::HealthCheck));
    for hook in plan.hooks().iter().copied() {
        let at = |event: &Event| recorder.on_event(millis(1), event);
        let outcome = Outcome::Failed { error: "no".into() };
        at(&Event::HookStarted { hook });
        if hook.kind() == Kind::Service {
            at(&Event::Service { hook, state: ServiceState::Running });
        }
        checks.record(hook, &outcome, millis(1));
        at(&Event::HookEnded { hook, outcome, took: millis(1) });
    }
    let (record, checks) = (recorder.so_far(), checks.figures(Freshness::Any));
    let snapshot = MetricsSnapshot { plan, record, checks, ..stopping() };
    (series(&snapshot).len(), snapshot.into_text(TextFormat::OpenMetrics).len())
}

/// Checks that each hook adds the same number of samples, however many there are.
#[test]
fn each_hook_adds_as_much_as_any_other() {
    let (none, one, many) = (size(0), size(1), size(2_500));
    let each = one.0 - none.0;
    assert!(each <= 40, "{each} samples for a hook of each kind");
    assert_eq!(many.0 - none.0, 2_500 * each);
    // Times differ in their digits.
    assert!(many.1 - none.1 < 2 * 2_500 * (one.1 - none.1), "{many:?} {one:?} {none:?}");
}
