//! Objects that the workers of a server share.

use std::net::TcpListener;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use actix_web::{App, get};
use lifecycle_runtime::testing::TestApp;
use lifecycle_runtime::{Dep, Http, Lifecycle, Stop, on_startup};
use lifecycle_tests::http::{self, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::sleep;

/// Makes a pool of one connection, to a server that sends back everything that it gets.
#[on_startup]
pub fn echo() -> std::io::Result<Echo> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        listener.accept().map(|(stream, _)| std::io::copy(&mut &stream, &mut &stream))
    });
    Ok(Echo { address, connection: Mutex::default(), in_use: Notify::new() })
}

pub struct Echo {
    address: String,
    connection: Mutex<Option<TcpStream>>,
    in_use: Notify,
}

/// Puts a connection into the pool, and answers with the name of the worker that has opened it.
#[get("/open")]
async fn open(echo: Dep<echo>) -> std::io::Result<String> {
    let stream = TcpStream::connect(&echo.address).await?;
    *echo.connection.lock().expect("no panic") = Some(stream);
    Ok(worker())
}

/// Takes the connection out of the pool, and uses it while the server drains and all others have
/// long ended.
#[get("/use")]
async fn use_late(echo: Dep<echo>, stop: Stop) -> std::io::Result<String> {
    let mut stream = echo.connection.lock().expect("no panic").take().expect("a connection");
    echo.in_use.notify_one();
    stop.requested().await;
    sleep(Duration::from_millis(300)).await;
    stream.write_all(b"!").await?;
    stream.read_u8().await?;
    Ok(worker())
}

fn worker() -> String {
    format!("{:?}", thread::current().id())
}

fn app(workers: usize) -> Http {
    Http::new(|| App::new().service(open).service(use_late)).workers(workers)
}

/// Opens a connection at the first address, uses it at the last one while the stop goes on, and
/// checks that another worker does so.
async fn expect_use_until_the_end(service: Lifecycle) {
    let service = service.quiet_window(Duration::from_millis(1));
    let app = TestApp::of(service).only::<echo>().listen().start().await;
    let address = |url: &str| url.strip_prefix("http://").expect("plain HTTP").to_owned();
    let urls = app.urls();
    let (first, last) = (address(&urls[0]), address(&urls[urls.len() - 1]));
    let (opened, mut client) = tokio::task::spawn_blocking(move || {
        let opened = http::request(&first, "GET /open").expect("an answer").body;
        // The other worker gets the next connection.
        let mut client = Connection::to(&last).expect("it listens");
        client.send("GET /use").expect("it listens");
        (opened, client)
    })
    .await
    .expect("no panic");
    app.get::<echo>().in_use.notified().await;
    let (report, response) = tokio::join!(
        app.stop(),
        tokio::task::spawn_blocking(move || client.response().expect("an answer"))
    );
    let response = response.expect("no panic");
    assert_eq!(response.status, 200, "{}", response.body);
    assert_ne!(response.body, opened, "nothing was tested: both are the same worker");
    report.assert_clean();
}

#[tokio::test]
async fn what_one_worker_has_opened_another_can_use_until_the_last_of_them_ends() {
    expect_use_until_the_end(Lifecycle::of([]).http(app(2))).await;
}

#[tokio::test]
async fn what_a_worker_of_one_server_has_opened_one_of_another_can_use() {
    expect_use_until_the_end(Lifecycle::of([]).http(app(1)).http(app(1))).await;
}
