//! Server whose apps take their time to be built, or to go: `apps [app=FAULT] [data=FAULT]`
//!
//! The first server has two workers. `app` tells how the first worker's app is built: `wait` waits
//! for `app` on stdin, `wait-or-panic` does so while the other worker's app panics. `data` tells
//! how the app's data is dropped. With the environment variable `SECOND` there is a second server,
//! on the address in it.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use actix_web::{App, web};
use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{Dep, Http, Lifecycle, on_shutdown, on_startup};
use lifecycle_tests::act::{end_with_stdin, has_heard, say, told_to};

#[on_startup]
async fn db() -> String {
    say("db");
    "rows".to_owned()
}

#[on_shutdown(of = db)]
async fn close_db(_db: Dep<db>) {
    say("close_db");
}

/// Data of an app that uses the value until it is dropped.
struct Uses(Dep<db>);

impl Drop for Uses {
    fn drop(&mut self) {
        wait("data");
        say(&format!("data of {} dropped", *self.0));
    }
}

/// Blocks the thread until stdin has this line, if the arguments tell it to.
fn wait(name: &str) {
    match &*told_to(name) {
        "" => {}
        "hang" => {
            say(&format!("{name} hangs"));
            thread::sleep(Duration::from_secs(600));
        }
        _ => {
            say(&format!("{name} waits"));
            while !has_heard(name) {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn main() -> ExitCode {
    end_with_stdin();
    let built = AtomicUsize::new(0);
    let built: &AtomicUsize = Box::leak(Box::new(built));
    let app = move |db: Dep<db>| {
        let number = built.fetch_add(1, Ordering::SeqCst);
        if number == 0 {
            wait("app");
            say("app built");
        } else if told_to("app") == "wait-or-panic" {
            panic!("the other app has no idea");
        }
        App::new().app_data(web::Data::new(Uses(db)))
    };
    let mut lifecycle = Lifecycle::of([db::META, close_db::META]);
    if let Ok(second) = std::env::var("SECOND") {
        let http = Http::new(App::new).bind(second).workers(1);
        let first = Http::new(app).bind("127.0.0.1:0").workers(2);
        lifecycle = lifecycle.http(first).http(http);
    } else {
        lifecycle = lifecycle.http(Http::new(app).workers(2));
    }
    lifecycle.run()
}
