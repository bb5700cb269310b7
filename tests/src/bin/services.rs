//! Services beside a server: `services [HOOK[=FAULT]]...`
//!
//! The program has the hooks of `BASE`, and those that are named. `GET /held` is answered once
//! `held` has come on stdin. With `observer=stop` an observer hangs when it is told of the stop,
//! with `observer=brief` when it is told of the end of the service `brief`. A program with an
//! observer says that it has seen the report.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{App, web};
use lifecycle_runtime::event::{Event, Observer};
use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::{Dep, Lifecycle, Service, Stop, on_shutdown, on_startup, service};
use lifecycle_tests::act::{
    Broken, SaysDropped, act, act_blocking, end_with_stdin, heard, log_as_told, say, told_to,
};

#[on_startup]
async fn db() -> Result<String, Broken> {
    act("db").await?;
    Ok("rows".to_owned())
}

/// Becomes ready, and ends when its tasks have. Told to wait, it is ready when `queue` comes on
/// stdin.
#[service]
async fn queue(_db: Dep<db>, service: Service) -> Result<(), Broken> {
    act("queue").await?;
    service.ready();
    service.stop().requested().await;
    say("queue told");
    service.spawn(async {
        if told_to("flush") == "late" {
            heard("go on").await;
        }
        say("queue flushed");
    });
    Ok(())
}

#[service(after = [queue])]
async fn outbox(stop: Stop) {
    say("outbox");
    stop.requested().await;
    say("outbox told");
}

#[on_shutdown(before = [outbox])]
async fn last_mail() {
    say("last_mail");
}

#[on_shutdown]
async fn flush(_db: Dep<db>) {
    say("flush");
}

#[on_shutdown(of = db)]
async fn close_db() -> Result<(), Broken> {
    act("close_db").await
}

const BASE: [&HookMeta; 4] = [db::META, queue::META, flush::META, close_db::META];

#[service]
fn tail(_db: Dep<db>, stop: Stop) -> Result<(), Broken> {
    say(&format!("tail on thread {}", std::thread::current().name().unwrap_or_default()));
    while !stop.wait(Duration::from_millis(10)) {}
    say("tail told");
    act_blocking("tail_end")
}

/// Runs until `flaky` and the number of the run come on stdin, and then ends as it is told to.
#[service(restart = "on_failure", backoff = "10ms..20ms", max_restarts = "2 in 1m")]
async fn flaky(stop: Stop) -> Result<(), Broken> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = RUNS.fetch_add(1, Ordering::SeqCst) + 1;
    let line = format!("flaky {run}");
    say(&line);
    tokio::select! {
        () = stop.requested() => say("flaky told"),
        () = heard(&line) => return act("flaky").await,
    }
    Ok(())
}

/// Fails when it is told to, and is restarted only after every test has ended.
#[service(restart = "on_failure", backoff = "10m..10m")]
async fn distant(stop: Stop) -> Result<(), Broken> {
    tokio::select! {
        () = stop.requested() => Ok(()),
        () = heard("break distant") => Err(Broken(3)),
    }
}

#[service(on_exit = "ignore")]
async fn optional() -> Result<(), Broken> {
    heard("break optional").await;
    act("optional").await
}

#[service(stop_timeout = "300ms")]
async fn stuck(_db: Dep<db>, stop: Stop) {
    let _cancelled = SaysDropped("stuck");
    stop.requested().await;
    say("stuck told");
    std::future::pending::<()>().await;
}

#[service(stop_timeout = "1h")]
async fn patient(_db: Dep<db>, stop: Stop) {
    let _cancelled = SaysDropped("patient");
    stop.requested().await;
    say("patient told");
    std::future::pending::<()>().await;
}

#[service(stop_timeout = "300ms")]
async fn blocked(_db: Dep<db>, stop: Stop) -> Result<(), Broken> {
    stop.requested().await;
    act_blocking("blocked")
}

#[service(stop_timeout = "300ms")]
fn stuck_thread(stop: Stop) -> Result<(), Broken> {
    let _ = stop.wait(Duration::MAX);
    act_blocking("stuck_thread")
}

/// Ends by itself. Told to wait, it ends when `brief` comes on stdin.
#[service]
async fn brief() {
    say("brief");
    if told_to("brief") == "wait" {
        heard("brief").await;
    }
}

/// Fails before it is ready, and is not restarted while a test waits.
#[service(restart = "on_failure", backoff = "10m..10m")]
async fn unready(_service: Service) -> Result<(), Broken> {
    Err(Broken(3))
}

const MORE: [&HookMeta; 12] = [
    unready::META,
    brief::META,
    outbox::META,
    last_mail::META,
    tail::META,
    flaky::META,
    distant::META,
    optional::META,
    stuck::META,
    patient::META,
    blocked::META,
    stuck_thread::META,
];

struct Hangs;

impl Observer for Hangs {
    fn on_event(&self, _at: Duration, event: &Event) {
        let hangs = match event {
            Event::StopBegun { .. } => told_to("observer") == "stop",
            Event::HookEnded { hook, .. } => told_to("observer") == hook.name(),
            _ => false,
        };
        if hangs {
            say("observer hangs");
            std::thread::sleep(Duration::from_secs(600));
        }
    }
}

async fn held() -> &'static str {
    say("held");
    heard("held").await;
    "held"
}

fn main() -> ExitCode {
    end_with_stdin();
    log_as_told();
    let is_named = |hook: &&HookMeta| {
        std::env::args().any(|argument| argument.split('=').next() == Some(hook.name()))
    };
    let hooks = BASE.into_iter().chain(MORE.into_iter().filter(is_named));
    let mut lifecycle =
        Lifecycle::of(hooks).http(|| App::new().route("/held", web::get().to(held)));
    if !told_to("observer").is_empty() {
        lifecycle = lifecycle.observer(Hangs).on_report(|_| say("reported"));
    }
    lifecycle.run()
}
