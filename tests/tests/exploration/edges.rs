//! Edges that a plan lacks, and the messages about them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::testing::{TestApp, TestReport};
use lifecycle_runtime::{BoxError, Dep, on_shutdown, on_startup};
use tokio::time::sleep;

use crate::{failure, of};

#[derive(Default)]
struct Db {
    tables: AtomicU32,
    log: Mutex<Vec<&'static str>>,
}

impl Db {
    fn note(&self, what: &'static str) {
        self.log.lock().expect("no panic").push(what);
    }

    fn has(&self, what: &str) -> bool {
        self.log.lock().expect("no panic").contains(&what)
    }
}

#[on_startup]
async fn db() -> Db {
    Db::default()
}

#[on_startup]
async fn tables(db: Dep<db>) {
    db.tables.fetch_add(1, Ordering::Relaxed);
}

/// Lacks `after = [tables]`, but sorts behind `tables`, so that it mostly works.
#[on_startup]
async fn users(db: Dep<db>) -> Result<(), BoxError> {
    if db.tables.load(Ordering::Relaxed) == 0 { Err("no such table".into()) } else { Ok(()) }
}

#[on_startup(after = [tables])]
async fn views(_db: Dep<db>) {}
#[on_startup]
async fn cache() {}
#[on_startup(after = [cache])]
async fn pages() {}

const START: &[&HookMeta] = &[users::META, views::META, pages::META];

#[test]
fn a_missing_after_is_found_and_named() {
    let failure = failure(|| of(START).run(async |_| {}));
    assert!(failure.contains("    the start failed\n"), "{failure}");
    let place = |name: &str, hook: &HookMeta| format!("`{name}` ({})", hook.place());
    let (tables, users) = (place("tables", tables::META), place("users", users::META));
    let edge = format!(
        "\nwhat decides: {tables} ran after {users}; nothing orders them: add `after = [tables]` \
         to `users`, or take `Dep<tables>` as an argument of it\n"
    );
    assert!(failure.contains(&edge), "{failure}");
    assert!(failure.contains("users failed: no such table"), "{failure}");
    for line in
        ["\nthe schedule:\n\n", "  users begins\n", "\nwhat happened:\n\n", "  — starting —\n"]
    {
        assert!(failure.contains(line), "{line}: {failure}");
    }
}

#[on_startup(after = [tables])]
async fn users_behind_tables(db: Dep<db>) {
    assert!(db.tables.load(Ordering::Relaxed) > 0);
}

#[test]
fn with_that_edge_every_schedule_passes() {
    let explored = of(&[users_behind_tables::META, views::META, pages::META]).run(async |_| {});
    assert!(explored.exhaustive, "{explored}");
}

#[on_shutdown]
async fn archive(db: Dep<db>) {
    db.note("archived");
}
/// Waits, so that it ends second even in a run in which it begins first.
#[on_shutdown]
async fn flush(db: Dep<db>) -> Result<(), BoxError> {
    sleep(Duration::from_millis(20)).await;
    if db.has("archived") { Err("the archive is closed".into()) } else { Ok(()) }
}
#[on_shutdown]
async fn farewell() {}

#[test]
fn a_missing_edge_of_the_stop_is_named_although_a_hook_only_goes_on_too_late() {
    let failure = failure(|| of(&[flush::META, archive::META, farewell::META]).run(async |_| {}));
    assert!(failure.contains("    the run was not clean\n"), "{failure}");
    let edge = "add `after = [flush]` to `archive`, or `before = [archive]` to `flush`";
    assert!(failure.contains(edge), "{failure}");
    assert!(
        failure.contains("what decides: `flush` (")
            && failure.contains(") went on after `archive` ("),
        "{failure}"
    );
}

struct Disk;

static WRITTEN: Mutex<Vec<&str>> = Mutex::new(Vec::new());

#[on_startup]
async fn disk() -> Disk {
    Disk
}
#[on_shutdown(of = disk)]
async fn unmount(_disk: Dep<disk>) {
    WRITTEN.lock().expect("no panic").push("unmounted");
}
/// Uses the disk, but does not name it as a dependency.
#[on_shutdown]
async fn save() {
    WRITTEN.lock().expect("no panic").push("saved");
}

#[test]
fn what_uses_a_value_in_secret_is_told_to_take_it() {
    let test = async |app: TestApp| {
        WRITTEN.lock().expect("no panic").clear();
        app.stop().await.assert_clean();
        let written = WRITTEN.lock().expect("no panic").clone();
        assert_eq!(written, ["saved", "unmounted"]);
    };
    let failure = failure(|| of(&[disk::META, unmount::META, save::META]).run(test));
    let edge = format!(
        "\nwhat decides: `save` ({}) ran after `unmount` ({}); nothing orders them: take \
         `Dep<disk>` as an argument of `save`, or add `after = [disk]` to it\n",
        save::META.place(),
        unmount::META.place(),
    );
    assert!(failure.contains(&edge), "{failure}");
    // The message has the line of the test that failed, and the test's own words.
    assert!(failure.contains(&format!("    panicked at {}:", file!())), "{failure}");
    assert!(failure.contains("    assertion `left == right` failed\n"), "{failure}");
}

#[test]
fn what_fails_under_every_schedule_is_said_to_be_no_question_of_order() {
    let failure = failure(|| of(&[cache::META, disk::META]).run(async |_| panic!("never works")));
    assert!(
        failure.contains("\nit failed under 1 other schedules, too: it isn't the order\n"),
        "{failure}"
    );
    let failure = self::failure(|| of(&[cache::META]).run(async |_| panic!("never works")));
    assert!(failure.contains("\nthere is no other order: it isn't the order\n"), "{failure}");
}

fn not_run(report: &TestReport) {
    report.assert_not_run::<cache>();
}

#[test]
fn what_the_failure_shows_is_not_shown_again() {
    let failure = failure(|| of(&[cache::META]).check(not_run).run(async |_| {}));
    assert_eq!(failure.matches("what happened:").count(), 1, "{failure}");
    assert_eq!(failure.matches("cache done").count(), 1, "{failure}");
}

#[test]
fn what_fails_by_chance_is_said_to_depend_on_more() {
    let runs = AtomicU32::new(0);
    let failure = failure(|| {
        of(START)
            .schedules(3)
            .check(|_| assert_ne!(runs.fetch_add(1, Ordering::Relaxed), 1))
            .run(async |_| {})
    });
    assert!(failure.contains("run again in the same order it passes"), "{failure}");
}
