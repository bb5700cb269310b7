//! A server with a route for each kind of client:
//! `routes [h2c] [certificate=PATH] [unix=PATH] [max-connections=N] [workers=N] [spread=MILLISECONDS] [disconnect=MILLISECONDS] [clears] [catches] [observes] [log=PATH] [address=ADDRESS secure=ADDRESS]`
//!
//! It has one worker if `max-connections` says how many it takes, otherwise two or as many as
//! `workers` says. With `spread` its web sockets are closed over that time, `disconnect` is its
//! `client_disconnect_timeout`, and with `clears` it removes what it is given about a connection.
//! With `observes` it says when it can't accept connections, and when it can again. With `catches`
//! handlers that panic are answered for.
//!
//! It speaks TLS if it is told where to leave its certificate. `unix` adds a second server; so does
//! `secure`, which makes that the one that speaks TLS. Handlers that wait, wait for a line on
//! stdin. What a file at `log` gets is in the order in which it happened.

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

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(600);

/// Where it is written what happened. A line is one write to a file that is open for appending:
/// whole, and in order.
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

/// Does nothing but tell that it ran.
async fn run(name: web::Path<String>) -> String {
    say(&format!("run {name}"));
    name.into_inner()
}

/// The same for many.
async fn record(name: web::Path<String>) -> String {
    log(&name);
    name.into_inner()
}

async fn held(name: web::Path<String>) -> String {
    say(&format!("held {name}"));
    heard(&name).await;
    name.into_inner()
}

/// Answers with a body of so many bytes once stdin has this line.
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

/// Two chunks, and a wait between them.
async fn chunks() -> HttpResponse {
    say("chunks");
    let second = stream::once(async {
        heard("chunks").await;
        &b"second"[..]
    });
    streamed(stream::iter([&b"first"[..]]).chain(second))
}

/// Events until the stop.
async fn events(stop: Stop) -> HttpResponse {
    say("events");
    let last = stream::once(async move {
        stop.requested().await;
        &b"data: last\n\n"[..]
    });
    streamed(stream::iter([&b"data: first\n\n"[..]]).chain(last))
}

/// Events, whatever happens.
async fn endless() -> HttpResponse {
    streamed(stream::repeat(&b"data: again\n\n"[..]).then(|event| async move {
        sleep(Duration::from_millis(5)).await;
        event
    }))
}

/// More than fits between a server and a client that does not read: 64 MB.
async fn large() -> HttpResponse {
    say("large");
    streamed(stream::repeat(&[b'x'; 16 * 1024][..]).take(4096))
}

async fn asleep() -> &'static str {
    say("asleep");
    sleep(Duration::from_secs(60)).await;
    "awake"
}

/// Holds the worker thread up, and whatever else it serves.
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

/// A stream that breaks off in the middle.
async fn broken() -> HttpResponse {
    let chunks = [Ok(Bytes::from_static(b"first")), Err(io::Error::other("the disk is full"))];
    HttpResponse::Ok().body(BodyStream::new(stream::iter(chunks)))
}

/// Has less to say than it has announced.
async fn short() -> HttpResponse {
    let chunks = [Ok::<_, io::Error>(Bytes::from_static(b"first"))];
    HttpResponse::Ok().body(SizedStream::new(100, stream::iter(chunks)))
}

/// Panics, without a look at the request's body.
async fn panic_at_once() -> &'static str {
    panic!("the handler has no idea");
}

/// Panics before it has a future.
fn panic_in_call() -> std::future::Ready<&'static str> {
    panic!("the call has no idea");
}

/// Panics when its head is out.
async fn panic_late() -> HttpResponse {
    streamed(
        stream::iter([&b"first"[..]]).chain(stream::once(async { panic!("the body has no idea") })),
    )
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
        .route("/echo", web::get().to(websocket::echo))
        .route("/loud", web::get().to(websocket::loud))
        .route("/chatty", web::get().to(websocket::chatty))
        .route("/flood", web::get().to(websocket::flood))
        .route("/polite", web::get().to(websocket::polite))
        .route("/busy", web::get().to(websocket::busy))
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

/// Says whether the server can accept connections.
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
        beside = Some(server().bind(secure).rustls(certificate::config(certificate)));
    } else if !certificate.is_empty() {
        http = http.rustls(certificate::config(certificate));
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
