//! Value that others hold beside the hooks:
//! `values [run|serve] [db=FAULT] [static] [task] [late] [slow] [broken]`
//!
//! `static` and `task` hold it for good, `late` holds it until stdin says `late`. With `db=wait`
//! its drop waits for stdin, with `slow` the start does. With `broken` the start fails.

use std::process::ExitCode;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};
use lifecycle_tests::act::{end_with_stdin, has_heard, heard, say, told_to};
use tokio::runtime::Runtime;

#[on_startup]
async fn disk() -> String {
    "disk".to_owned()
}

#[on_shutdown(of = disk)]
async fn close_disk() {
    say("close_disk");
}

struct Database(#[allow(dead_code, reason = "it is used until the database is gone")] Dep<disk>);

impl Drop for Database {
    fn drop(&mut self) {
        say("db drops");
        match &*told_to("db") {
            "wait" => {
                while !has_heard("db") {
                    thread::sleep(Duration::from_millis(2));
                }
            }
            "panic" => panic!("db has no idea"),
            _ => {}
        }
        say("db dropped");
    }
}

#[on_startup]
async fn db(disk: Dep<disk>) -> Database {
    Database(disk)
}

static KEPT: OnceLock<Dep<db>> = OnceLock::new();

fn is_told(option: &str) -> bool {
    std::env::args().any(|argument| argument == option)
}

#[on_startup]
async fn holders(db: Dep<db>) {
    if is_told("static") {
        let _ = KEPT.set(db.clone());
    }
    if is_told("task") {
        let db = db.clone();
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(db);
        });
    }
    if is_told("late") {
        tokio::spawn(async move {
            heard("late").await;
            drop(db);
        });
    }
}

#[on_startup(after = [holders])]
async fn last() -> Result<(), &'static str> {
    if is_told("slow") {
        say("slow");
        heard("slow").await;
    }
    if is_told("broken") { Err("no rows") } else { Ok(()) }
}

fn main() -> ExitCode {
    end_with_stdin();
    let lifecycle = Lifecycle::of([disk::META, close_disk::META, db::META, last::META]);
    if !is_told("serve") {
        return lifecycle.run();
    }
    let report = Runtime::new().expect("a runtime").block_on(lifecycle.serve());
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("a JSON object");
    say(&json["held"].to_string());
    report.exit_code().into()
}
