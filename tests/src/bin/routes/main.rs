//! Server with a route for each kind of client: `routes [OPTION]...`
//!
//! | option | effect |
//! |---|---|
//! | `address=ADDRESS` | the first server listens there |
//! | `workers=N` | the first server has this many workers, and not two |
//! | `max-connections=N` | the first server has one worker, which takes this many connections |
//! | `h2c` | the first server also speaks HTTP/2 without TLS |
//! | `certificate=PATH` | the first server speaks TLS, and writes its certificate there |
//! | `secure=ADDRESS` | a second server listens there, and speaks TLS instead of the first |
//! | `unix=PATH` | a second server listens on a Unix socket |
//! | `spread=MILLISECONDS` | the first server closes its web sockets over this time |
//! | `disconnect=MILLISECONDS` | `client_disconnect_timeout` |
//! | `clears` | the first server clears the extensions of each connection |
//! | `catches` | the first server answers for handlers that panic |
//! | `observes` | the program says when a server can't accept connections, and when it can again |
//! | `log=PATH` | the program logs there what happens, in order |
//!
//! Handlers that wait, wait for a line on stdin.

mod measured;
mod websocket;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::web::{self, Bytes, Payload, ServiceConfig};
use actix_web::{App, Error, HttpResponse};
use futures_util::{Stream, StreamExt, stream};
use lifecycle_runtime::event::{Event, Observer};
use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{Dep, Http, Lifecycle, Stop, on_shutdown, on_startup};
use lifecycle_tests::act::{end_with_stdin, heard, say, told_to};
use lifecycle_tests::certificate;
use tokio::runtime::Handle;
use tokio::time::sleep;

/// Time longer than any test waits.
const FOREVER: Duration = Duration::from_secs(600);

/// File for a log of what happened. Each line is one write to a file that is open for appending, so
/// lines stay whole and in order.
static LOG: LazyLock<Option<File>> = LazyLock::new(|| {
    let path = Some(told_to("log")).filter(|path| !path.is_empty())?;
    Some(OpenOptions::new().append(true).create(true).open(path).expect("a place for the log"))
});

fn log(line: &str) {
    if let Some(mut file) = LOG.as_ref() {
        file.write_all(format!("{line}\n").as_bytes()).expect("room for a line");
    }
}

#[on_startup]
async fn db() -> &'static str {
    log("db");
    "rows"
}

#[on_shutdown]
async fn flush(_db: Dep<db>) {
    log("flush");
    say("flush");
}

#[on_shutdown(of = db)]
async fn close_db(_db: Dep<db>) {
    log("close_db");
    say("close_db");
}

async fn index() -> &'static str {
    "ok"
}

/// Says that it ran, and answers.
async fn run(name: web::Path<String>) -> String {
    say(&format!("run {name}"));
    name.into_inner()
}

/// Logs that it ran, for tests with many requests.
async fn record(name: web::Path<String>) -> String {
    log(&name);
    name.into_inner()
}

async fn held(name: web::Path<String>) -> String {
    say(&format!("held {name}"));
    heard(&name).await;
    name.into_inner()
}

/// Answers with a body of this many bytes once stdin has this line.
async fn held_big(path: web::Path<(String, usize)>) -> HttpResponse {
    let (name, length) = path.into_inner();
    say(&format!("held {name}"));
    heard(&name).await;
    HttpResponse::Ok().body(vec![b'x'; length])
}

/// Answers with the length of the request's body.
async fn upload(mut body: Payload) -> Result<String, Error> {
    say("upload");
    let mut length = 0;
    while let Some(bytes) = body.next().await {
        length += bytes?.len();
    }
    Ok(length.to_string())
}

fn streamed(body: impl Stream<Item = &'static [u8]> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .body(BodyStream::new(body.map(|chunk| Ok::<_, Error>(Bytes::from_static(chunk)))))
}

/// Sends two chunks, and waits between them.
async fn chunks() -> HttpResponse {
    say("chunks");
    let second = stream::once(async {
        heard("chunks").await;
        &b"second"[..]
    });
    streamed(stream::iter([&b"first"[..]]).chain(second))
}

/// Sends events until the stop.
async fn events(stop: Stop) -> HttpResponse {
    say("events");
    let last = stream::once(async move {
        stop.requested().await;
        &b"data: last\n\n"[..]
    });
    streamed(stream::iter([&b"data: first\n\n"[..]]).chain(last))
}

/// Sends events for ever, even through a stop.
async fn endless() -> HttpResponse {
    streamed(stream::repeat(&b"data: again\n\n"[..]).then(|event| async move {
        sleep(Duration::from_millis(5)).await;
        event
    }))
}

/// Sends 64 MB, which is more than fits between a server and a client that does not read.
async fn large() -> HttpResponse {
    say("large");
    streamed(stream::repeat(&[b'x'; 16 * 1024][..]).take(4096))
}

async fn asleep() -> &'static str {
    say("asleep");
    sleep(Duration::from_secs(60)).await;
    "awake"
}

/// Holds up the worker thread, and all other requests of that worker.
async fn block() -> &'static str {
    say("block");
    thread::sleep(FOREVER);
    "never"
}

/// Uses what belongs to a hook, on a thread that nobody can cancel.
async fn blocking(name: web::Path<String>) -> Result<String, Error> {
    let name = name.into_inner();
    let used = web::block(move || {
        say("blocking");
        Handle::current().block_on(heard(&name));
        say("blocking ended");
        name
    });
    Ok(used.await?)
}

/// Sends a body that breaks off in the middle.
async fn broken() -> HttpResponse {
    let chunks = [Ok(Bytes::from_static(b"first")), Err(io::Error::other("the disk is full"))];
    HttpResponse::Ok().body(BodyStream::new(stream::iter(chunks)))
}

/// Sends less than it has announced.
async fn short() -> HttpResponse {
    let chunks = [Ok::<_, io::Error>(Bytes::from_static(b"first"))];
    HttpResponse::Ok().body(SizedStream::new(100, stream::iter(chunks)))
}

/// Panics without reading the request's body.
async fn panic_at_once() -> &'static str {
    panic!("the handler has no idea");
}

/// Panics before it has a future.
fn panic_in_call() -> std::future::Ready<&'static str> {
    panic!("the call has no idea");
}

/// Panics after the head of its response has been sent.
async fn panic_late() -> HttpResponse {
    streamed(
        stream::iter([&b"first"[..]]).chain(stream::once(async { panic!("the body has no idea") })),
    )
}

/// Panics on the blocking pool, and passes the error on.
async fn panic_in_block() -> Result<&'static str, Error> {
    web::block(|| panic!("the block has no idea")).await?;
    Ok("no panic")
}

/// Uses the handles that actix puts into thread-locals.
async fn handles() -> String {
    let Some(system) = actix_web::rt::System::try_current() else { return "no system".to_owned() };
    let is_spawned = system.arbiter().spawn(async { say("spawned on the arbiter") });
    format!("spawned {is_spawned}")
}

fn routes(app: &mut ServiceConfig) {
    app.route("/", web::get().to(index))
        .route("/run/{name}", web::to(run))
        .route("/record/{name}", web::get().to(record))
        .route("/held/{name}", web::to(held))
        .route("/held/{name}/{length}", web::get().to(held_big))
        .route("/upload", web::post().to(upload))
        .route("/chunks", web::get().to(chunks))
        .route("/events", web::get().to(events))
        .route("/endless", web::get().to(endless))
        .route("/large", web::get().to(large))
        .route("/asleep", web::get().to(asleep))
        .route("/block", web::get().to(block))
        .route("/blocking/{name}", web::get().to(blocking))
        .route("/broken", web::get().to(broken))
        .route("/short", web::get().to(short))
        .route("/handles", web::get().to(handles))
        .route("/panic", web::to(panic_at_once))
        .route("/panic-in-call", web::get().to(panic_in_call))
        .route("/panic-late", web::get().to(panic_late))
        .route("/panic-in-block", web::get().to(panic_in_block))
        .route("/echo", web::get().to(websocket::echo))
        .route("/loud", web::get().to(websocket::loud))
        .route("/chatty", web::get().to(websocket::chatty))
        .route("/flood", web::get().to(websocket::flood))
        .route("/polite", web::get().to(websocket::polite))
        .route("/busy", web::get().to(websocket::busy))
        .route("/tale", web::get().to(websocket::tale))
        .route("/burst", web::get().to(websocket::burst))
        .route("/farewell", web::get().to(websocket::farewell))
        .route("/once", web::get().to(websocket::once))
        .route("/panics", web::get().to(websocket::panics))
        .route("/big/{length}", web::get().to(measured::big))
        .route("/slow/{milliseconds}", web::get().to(measured::slow))
        .route("/poll", web::get().to(measured::poll))
        .route("/stream/{milliseconds}", web::get().to(measured::stream))
        .route("/early/{name}", web::post().to(measured::early));
}

/// Observer that says whether the server can accept connections.
struct TellsOfAccepting;

impl Observer for TellsOfAccepting {
    fn on_event(&self, _at: Duration, event: &Event) {
        match event {
            Event::AcceptFailed { .. } => say("accept failed"),
            Event::AcceptRecovered { .. } => say("accept recovered"),
            _ => {}
        }
    }
}

fn millis(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

fn server() -> Http {
    let http = Http::new(|| App::new().configure(routes)).workers(2);
    match millis(&told_to("disconnect")) {
        Some(disconnect) => http.client_disconnect_timeout(disconnect),
        None => http,
    }
}

fn main() -> ExitCode {
    end_with_stdin();
    let mut http = server().bind(match &*told_to("address") {
        "" => "127.0.0.1:0".to_owned(),
        address => address.to_owned(),
    });
    if std::env::args().any(|argument| argument == "h2c") {
        http = http.auto_h2c();
    }
    if std::env::args().any(|argument| argument == "clears") {
        http = http.on_connect(|_, extensions| extensions.clear());
    }
    if std::env::args().any(|argument| argument == "catches") {
        http = http.catch_panics(true);
    }
    if let Ok(workers) = told_to("workers").parse::<usize>() {
        http = http.workers(workers);
    }
    if let Some(spread) = millis(&told_to("spread")) {
        http = http.websocket_close_spread(spread);
    }
    if let Ok(max) = told_to("max-connections").parse::<usize>() {
        http = http.workers(1).max_connections(max);
    }
    let (certificate, secure) = (told_to("certificate"), told_to("secure"));
    let mut beside = None;
    if !secure.is_empty() {
        beside = Some(server().bind(secure).rustls_0_23(certificate::config(certificate)));
    } else if !certificate.is_empty() {
        http = http.rustls_0_23(certificate::config(certificate));
    }
    let unix = told_to("unix");
    if !unix.is_empty() {
        beside = Some(server().bind(format!("unix:{unix}")));
    }
    let mut lifecycle = Lifecycle::of([db::META, flush::META, close_db::META]).http(http);
    if std::env::args().any(|argument| argument == "observes") {
        lifecycle = lifecycle.observer(TellsOfAccepting);
    }
    match beside {
        Some(other) => lifecycle.http(other).run(),
        None => lifecycle.run(),
    }
}
