//! Service with hooks of every kind: `service [no-http] [HOOK[=FAULT]]...`
//!
//! Without arguments it has the hooks of `BASE`. Each argument that names another hook adds it.

use std::fs::File;
use std::process::ExitCode;
use std::sync::Once;
use std::thread;
use std::time::Duration;

use actix_web::body::BodyStream;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse};
use futures_util::stream;
use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::{
    BoxError, Dep, Lifecycle, Stop, StopHandle, on_drain, on_ready, on_shutdown, on_startup,
    probes, service,
};
use lifecycle_tests::act::{
    Broken, SaysDropped, act, act_blocking, end_with_stdin, heard, log_as_told, say, told_to,
};

#[on_startup]
async fn db() -> Result<String, Broken> {
    act("db").await?;
    Ok("rows".to_owned())
}

struct Cache;

impl Drop for Cache {
    fn drop(&mut self) {
        say("cache dropped");
        match &*told_to("cache") {
            "panic-at-drop" => panic!("cache has no idea"),
            "hang-at-drop" => thread::sleep(Duration::from_secs(600)),
            _ => {}
        }
    }
}

#[on_startup]
fn cache(_db: Dep<db>) -> Result<Cache, Broken> {
    act_blocking("cache")?;
    Ok(Cache)
}

#[on_startup(after = [cache])]
async fn warm() -> Result<(), Broken> {
    act("warm").await
}

#[on_shutdown]
async fn flush(_cache: Dep<cache>) -> Result<(), Broken> {
    act("flush").await
}

#[on_shutdown(order = 10)]
fn audit(_cache: Dep<cache>) -> Result<(), Broken> {
    act_blocking("audit")
}

#[on_shutdown(of = db)]
async fn close_db(_db: Dep<db>) -> Result<(), Broken> {
    act("close_db").await
}

const BASE: [&HookMeta; 6] =
    [db::META, cache::META, warm::META, flush::META, audit::META, close_db::META];

#[on_startup(after = [cache])]
async fn beside() -> Result<(), Broken> {
    act("beside").await
}

#[on_startup(after = [cache])]
fn beside_blocking() -> Result<(), Broken> {
    act_blocking("beside_blocking")
}

/// Writes many lines to stdout and stderr when stdin says `chatter`, and half of another, whose
/// other half follows when stdin says `rest`.
#[on_startup(after = [warm])]
async fn chatter() {
    heard("chatter").await;
    for number in 0..200 {
        if number % 2 == 0 {
            say(&format!("chatter says {number}"));
        } else {
            eprintln!("chatter says {number}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    eprint!("half a line");
    heard("rest").await;
    eprintln!(" and the rest");
}

#[on_startup(after = [warm], timeout = "500ms")]
async fn timed() -> Result<(), Broken> {
    act("timed").await
}

#[on_startup(after = [warm], timeout = "500ms")]
fn timed_blocking() -> Result<(), Broken> {
    act_blocking("timed_blocking")
}

#[on_startup(after = [warm])]
async fn stops_at_once(handle: StopHandle) {
    say("stops_at_once");
    let _cancelled = SaysDropped("stops_at_once");
    handle.stop();
    // Without this wait the hook could end before the run hears of the stop.
    std::future::pending::<()>().await;
}

#[on_ready]
async fn announce(_cache: Dep<cache>) -> Result<(), Broken> {
    act("announce").await
}

#[on_ready]
fn announce_blocking(_cache: Dep<cache>) -> Result<(), Broken> {
    act_blocking("announce_blocking")
}

#[on_drain]
async fn withdraw(_cache: Dep<cache>) -> Result<(), Broken> {
    act("withdraw").await
}

#[on_drain(order = 5, timeout = "700ms")]
fn timed_withdraw() -> Result<(), Broken> {
    act_blocking("timed_withdraw")
}

#[on_shutdown(order = 5, timeout = "500ms")]
async fn timed_flush() -> Result<(), Broken> {
    act("timed_flush").await
}

#[on_shutdown(order = 5, timeout = "500ms")]
fn timed_audit() -> Result<(), Broken> {
    act_blocking("timed_audit")
}

#[on_startup(after = [warm])]
async fn stove() -> Result<(), Broken> {
    act("stove").await
}

#[on_startup(after = [stove])]
async fn oven() -> Result<(), Broken> {
    act("oven").await
}

// It takes no argument, so that nothing but the plan keeps it from running.
#[on_shutdown(of = stove)]
async fn cool() {
    say("cool");
}

#[on_shutdown(of = db)]
async fn close_db_again() {
    say("close_db_again");
}

/// Takes the lock of a file, which no two processes can have at once: `lock=PATH`.
#[on_startup(exclusive = true)]
fn lock() -> Result<File, BoxError> {
    let file = File::create(told_to("lock"))?;
    file.try_lock()?;
    Ok(file)
}

#[on_startup(exclusive = true)]
async fn alone() -> Result<(), Broken> {
    act("alone").await
}

#[service(exclusive = true)]
async fn single(stop: Stop) {
    say("single begins");
    stop.requested().await;
    say("single ends");
}

const MORE: [&HookMeta; 18] = [
    chatter::META,
    oven::META,
    beside::META,
    beside_blocking::META,
    timed::META,
    timed_blocking::META,
    stops_at_once::META,
    announce::META,
    announce_blocking::META,
    withdraw::META,
    timed_withdraw::META,
    timed_flush::META,
    timed_audit::META,
    cool::META,
    close_db_again::META,
    lock::META,
    alone::META,
    single::META,
];

async fn index() -> &'static str {
    "ok"
}

async fn rows(db: Dep<db>) -> String {
    db.to_string()
}

async fn held() -> &'static str {
    say("held");
    let _cancelled = SaysDropped("held");
    heard("held").await;
    "held"
}

async fn block() -> &'static str {
    say("block");
    thread::sleep(Duration::from_secs(600));
    "never"
}

async fn panicking() -> &'static str {
    panic!("the handler has no idea");
}

async fn streamed() -> HttpResponse {
    let chunks = stream::unfold(0, |number| async move {
        actix_web::rt::time::sleep(Duration::from_millis(2)).await;
        (number < 10)
            .then(|| (Ok::<_, actix_web::Error>(Bytes::from_static(b"0123456789")), number + 1))
    });
    HttpResponse::Ok().body(BodyStream::new(chunks))
}

async fn until_stop(stop: Stop) -> &'static str {
    say("until_stop");
    stop.requested().await;
    "stopped"
}

async fn stop(handle: StopHandle) -> &'static str {
    handle.stop();
    "stopping"
}

/// Answers with the process id of the successor, or the reason why there is none.
async fn upgrade(handle: StopHandle) -> String {
    match handle.upgrade().await {
        Ok(successor) => successor.to_string(),
        Err(error) => error.to_string(),
    }
}

async fn process() -> String {
    std::process::id().to_string()
}

static HANGS: Once = Once::new();

fn main() -> ExitCode {
    end_with_stdin();
    log_as_told();
    let names: Vec<String> = std::env::args().skip(1).collect();
    let is_named =
        |hook: &HookMeta| names.iter().any(|name| name.split('=').next() == Some(hook.name()));
    let lifecycle =
        Lifecycle::of(BASE.into_iter().chain(MORE.into_iter().filter(|hook| is_named(hook))));
    if names.iter().any(|name| name == "no-http") {
        return lifecycle.run();
    }
    let app = || {
        match &*told_to("app") {
            "hang" => {
                // Each worker builds an app.
                HANGS.call_once(|| say("app hangs"));
                thread::sleep(Duration::from_secs(600));
            }
            "panic" => panic!("the app has no idea"),
            _ => {}
        }
        App::new()
            .data_factory(|| async {
                if told_to("app") == "data" { Err("there is none") } else { Ok(()) }
            })
            .configure(probes)
            .route("/", web::get().to(index))
            .route("/rows", web::get().to(rows))
            .route("/held", web::get().to(held))
            .route("/block", web::get().to(block))
            .route("/panicking", web::get().to(panicking))
            .route("/streamed", web::get().to(streamed))
            .route("/until-stop", web::get().to(until_stop))
            .route("/stop", web::post().to(stop))
            .route("/upgrade", web::post().to(upgrade))
            .route("/process", web::get().to(process))
    };
    lifecycle.http(app).run()
}
