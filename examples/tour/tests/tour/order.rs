use crate::process::example;

/// Returns the number of the line with this text.
#[track_caller]
fn line(log: &str, text: &str) -> usize {
    let found = log.lines().position(|line| line.ends_with(text) || line.contains(text));
    found.unwrap_or_else(|| panic!("no `{text}`:\n{log}"))
}

#[test]
fn hooks_run_as_soon_as_what_they_need_has_ended_and_the_others_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = example("04_order", &folder).spawn();
    program.wait_until_ready();
    let output = program.stop();
    output.assert_exit_code(0);
    let log: String = output.transcript().lines().map(|line| format!("{line}\n")).collect();
    for (before, after) in [
        ("done settings", "start database"),
        ("done settings", "start cache"),
        // These two run at the same time.
        ("start cache", "done database"),
        ("start database", "done cache"),
        ("done database", "start migrations"),
        ("done migrations", "start search_index"),
        ("done cache", "start search_index"),
        ("tear down close_database", "done close_cache"),
        ("tear down close_cache", "done close_database"),
    ] {
        assert!(line(&log, before) < line(&log, after), "{after} before {before}:\n{log}");
    }
    for name in ["settings", "database", "cache", "migrations", "search_index", "close_database"] {
        let bar = log.lines().find(|line| line.starts_with(name)).expect(name);
        assert!(bar.ends_with('#'), "{bar}");
    }
}
