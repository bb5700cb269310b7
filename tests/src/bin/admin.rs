//! Service with a listener for operators: `admin [noisy] [HOOK[=FAULT]]...`

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use actix_web::body::BodyStream;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse};
use futures_util::{StreamExt, stream};
use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{
    Dep, Info, Lifecycle, Stop, health_check, on_drain, on_ready, on_shutdown, on_startup, service,
};
use lifecycle_tests::act::{Broken, act, end_with_stdin, has_heard, heard, say};

/// Error that a page must not take for a part of itself.
const SCRIPT: &str = "<script>alert(\"broken\")</script>";

#[on_startup]
async fn db() -> Result<String, Broken> {
    act("db").await?;
    Ok("3 rows".to_owned())
}

#[on_shutdown(of = db)]
async fn close_db(_db: Dep<db>) -> Result<(), Broken> {
    act("close_db").await
}

#[on_ready]
async fn announce(_db: Dep<db>) -> Result<(), Broken> {
    act("announce").await
}

#[on_drain]
async fn withdraw() -> Result<(), Broken> {
    act("withdraw").await
}

/// Fails when stdin says `pump`.
#[service(restart = "on_failure", backoff = "1h..1h")]
async fn pump(_db: Dep<db>, stop: Stop) -> Result<(), &'static str> {
    tokio::select! {
        () = heard("pump") => Err(SCRIPT),
        () = stop.requested() => Ok(()),
    }
}

/// Fails again and again, with a long error.
#[service(
    restart = "on_failure",
    backoff = "1ms..1ms",
    max_restarts = "unlimited",
    on_exit = "ignore"
)]
async fn noisy() -> Result<(), String> {
    Err("x".repeat(60_000))
}

/// Fails from the line `break ping` on stdin on.
#[health_check(interval = "200ms", timeout = "200ms")]
async fn ping() -> Result<(), &'static str> {
    if has_heard("break ping") { Err("no answer") } else { Ok(()) }
}

async fn index() -> &'static str {
    "ok"
}

async fn held() -> &'static str {
    say("held");
    heard("held").await;
    "held"
}

async fn asleep() -> &'static str {
    say("asleep");
    std::future::pending().await
}

/// Sends a body that has no end.
async fn endless() -> HttpResponse {
    let chunk = Bytes::from_static(&[b'x'; 16 * 1024]);
    HttpResponse::Ok().body(BodyStream::new(stream::repeat(chunk).map(Ok::<_, io::Error>)))
}

/// Sends a body that breaks off in the middle.
async fn broken() -> HttpResponse {
    let chunks = [Ok(Bytes::from_static(b"first")), Err(io::Error::other("the disk is full"))];
    HttpResponse::Ok().body(BodyStream::new(stream::iter(chunks)))
}

/// Blocks its worker until stdin says `block`.
async fn block() -> &'static str {
    say("block");
    while !has_heard("block") {
        std::thread::sleep(Duration::from_millis(5));
    }
    "unblocked"
}

async fn rows(db: Dep<db>) -> String {
    db.to_string()
}

async fn level() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

async fn panicking() -> &'static str {
    panic!("the route has no idea");
}

fn main() -> ExitCode {
    end_with_stdin();
    let base = [close_db::META, announce::META, withdraw::META, pump::META, ping::META];
    let is_noisy = std::env::args().any(|argument| argument == "noisy");
    let info = Info::new("shop", "1.2.3").revision("0a1b2c3").built("2026-03-01T12:00:00Z");
    Lifecycle::of(base.into_iter().chain(is_noisy.then_some(noisy::META)))
        .info(info)
        .admin_routes(|config| {
            config.route("/rows", web::get().to(rows)).route("/level", web::post().to(level));
        })
        .admin_routes(|config| {
            config.route("/panicking", web::get().to(panicking));
            // The framework's own answers stay.
            config.route("/livez", web::get().to(panicking)).default_service(web::to(panicking));
        })
        .http(|| {
            App::new()
                .route("/", web::get().to(index))
                .route("/held", web::get().to(held))
                .route("/block", web::get().to(block))
                .route("/asleep", web::get().to(asleep))
                .route("/endless", web::get().to(endless))
                .route("/broken", web::get().to(broken))
                .route("/panic", web::get().to(panicking))
        })
        .run()
}
