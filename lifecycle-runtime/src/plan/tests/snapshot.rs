//! The plan as a snapshot: the changes of a program that it shows, and the lines that show them.

use super::*;

/// Returns the lines of each text that are not in the other.
fn changes(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let missing = |from: &[String], to: &[String]| {
        from.iter().filter(|line| !to.contains(line)).cloned().collect()
    };
    (missing(&before, &after), missing(&after, &before))
}

const SERVICE: &str = "start db timeout 10000; start cache needs db; start mail; service outbox \
                       needs db; \
                       stop close of db timeout 5000; stop flush needs db; check ping needs db";

#[test]
fn a_snapshot_does_not_change_with_link_order_nor_with_lines_above_a_hook() {
    let mut hooks = hooks(SERVICE);
    hooks.reverse();
    assert_eq!(Plan::new(hooks).expect("valid").render(PlanFormat::Snapshot), snapshot(SERVICE));
    // Each entry of a text is a line of the file: there, `mail` pushes `db` and all others down.
    let moved = SERVICE.replace("start mail; ", "");
    let moved = format!("start mail; {moved}");
    assert_ne!(plan(&moved).expect("valid").to_string(), plan(SERVICE).expect("valid").to_string());
    assert_eq!(snapshot(&moved), snapshot(SERVICE));
}

#[test]
fn a_snapshot_changes_with_the_plan_in_the_lines_of_the_change() {
    let line = |text: &str| vec![text.to_owned()];
    let before = snapshot(SERVICE);
    let after = snapshot(&SERVICE.replace("start mail;", "start mail after cache;"));
    assert_eq!(changes(&before, &after), (line("  mail  app"), line("  mail  app  after cache")));
    let after = snapshot(&SERVICE.replace("timeout 10000", "timeout 20000"));
    assert_eq!(
        changes(&before, &after),
        (line("  db  app  timeout 10s"), line("  db  app  timeout 20s"))
    );
    let after = snapshot(&format!("{SERVICE}; start a_hook_with_a_long_name"));
    assert_eq!(changes(&before, &after), (vec![], line("  a_hook_with_a_long_name  app")));
}

#[test]
fn a_snapshot_changes_with_every_key_that_is_not_the_default() {
    for (hook, key, shown) in [
        ("service s restart on_failure", "backoff 100..10000", "backoff 100ms..10s"),
        ("service s restart on_failure", "backoff 500..30000", "backoff 500ms..30s"),
        ("service s restart on_failure", "most 3/90000", "max_restarts 3 in 1m30s"),
        ("service s restart on_failure", "most unlimited", "max_restarts unlimited"),
        ("service s", "exit ignore", "on_exit ignore"),
        ("service s", "told drain", "stop_on drain"),
        ("service s", "reserve 5000", "reserve 5s"),
        ("stop s", "reserve 5000", "reserve 5s"),
        ("service s", "restart always", "restart always"),
        ("service s", "timeout 5000", "timeout 5s"),
        ("start s", "timeout 5000", "timeout 5s"),
        ("start s", "order 2", "order 2"),
        ("start s", "exclusive", "exclusive"),
        ("service s", "exclusive", "exclusive"),
        ("start r; stop s of r", "order 0", "order 0"),
        ("check s", "every 20000", "every 20s"),
        ("check s", "failures 5", "failures 5"),
        ("check s", "timeout 5000", "timeout 5s"),
        ("check s", "kind liveness", "liveness"),
        ("signal s on SIGHUP", "timeout 5000", "timeout 5s"),
    ] {
        let (before, after) = (snapshot(hook), snapshot(&format!("{hook} {key}")));
        let (_, new) = changes(&before, &after);
        let is_shown = matches!(&new[..], [line] if line.contains(shown));
        assert!(is_shown, "{hook} {key}: {new:?}");
        let text = plan(&format!("{hook} {key}")).expect("valid").to_string();
        assert!(text.contains(shown), "{text}");
    }
}

#[test]
fn a_snapshot_leaves_the_defaults_of_a_service_out() {
    let shown = snapshot("service s restart on_failure backoff 100..30000 most 5/60000 exit stop");
    let plain = "start\n  s  app  service  restart on_failure\n";
    assert!(shown.starts_with(plain), "{shown}");
}
