//! Part of the page about testing that has a hook in the wrong place.

use std::sync::Mutex;

use lifecycle_runtime::testing::{TestApp, explore};
use lifecycle_runtime::{Dep, on_shutdown, on_startup};

#[on_startup]
async fn db() -> Mutex<Vec<String>> {
    Mutex::default()
}

#[on_shutdown(timeout = "5s")]
async fn save_drafts(db: Dep<db>) {
    db.lock().unwrap().push("3 drafts".into());
}

// --- a hook in the wrong place ---

#[on_shutdown]
async fn print_drafts(db: Dep<db>) -> Result<(), &'static str> {
    let rows = db.lock().unwrap();
    if rows.is_empty() { Err("there are no drafts") } else { Ok(()) }
}

#[test]
#[should_panic(expected = "add `after = [save_drafts]`")]
fn drafts_are_printed() {
    explore(async |app: TestApp| {
        app.stop().await.assert_clean();
    });
}

// --- not in the guide ---

/// Checks that the guide shows what such a test prints.
#[test]
fn the_guide_shows_what_such_a_test_says() {
    // The message has the test's name, which is that of its thread.
    let test = std::thread::Builder::new().name("drafts_are_printed".to_owned());
    let test = test.spawn(drafts_are_printed).expect("a thread");
    let said = *test.join().expect_err("it fails").downcast::<String>().expect("a text");
    let shown = include_str!("../../lifecycle-runtime/docs/testing.md")
        .split("```text\nthe test failed")
        .nth(1)
        .expect("what it says");
    let shown = format!("the test failed{}", shown.split("```").next().expect("a block"));
    let mut rest = said.lines();
    for line in shown.lines().filter(|line| !line.trim_start().starts_with('…')) {
        assert!(rest.any(|said| said == line), "no line `{line}` in\n\n{said}");
    }
}
