//! Responses of a given size or duration. Each handler says its name and the number of requests so
//! far to any of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use futures_util::stream;
use lifecycle_runtime::Stop;
use lifecycle_tests::act::{heard, say};
use tokio::time::sleep;

/// Time from one chunk of a stream to the next, in milliseconds.
const PACE: u64 = 50;

fn begin(name: &str) {
    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    let count = REQUESTS.fetch_add(1, Ordering::SeqCst) + 1;
    say(&format!("begun {count}"));
    say(&format!("{name} {count}"));
}

/// Sends a body of this many bytes at once.
pub(crate) async fn big(length: web::Path<usize>) -> HttpResponse {
    begin("big");
    HttpResponse::Ok().body(vec![b'x'; *length])
}

/// Answers after this many milliseconds.
pub(crate) async fn slow(milliseconds: web::Path<u64>) -> &'static str {
    begin("slow");
    sleep(Duration::from_millis(*milliseconds)).await;
    "slow"
}

/// Answers when the stop begins.
pub(crate) async fn poll(stop: Stop) -> &'static str {
    begin("poll");
    stop.requested().await;
    "nothing new"
}

/// Sends chunks for this many milliseconds.
pub(crate) async fn stream(milliseconds: web::Path<u64>) -> HttpResponse {
    begin("stream");
    let chunks = *milliseconds / PACE;
    HttpResponse::Ok().streaming(stream::unfold(0, move |sent| async move {
        sleep(Duration::from_millis(PACE)).await;
        (sent < chunks).then(|| (Ok::<_, Error>(Bytes::from_static(b"chunk\n")), sent + 1))
    }))
}

/// Refuses a body once it is told to, without reading any of it.
pub(crate) async fn early(name: web::Path<String>) -> HttpResponse {
    begin("early");
    heard(&name).await;
    HttpResponse::PayloadTooLarge().body("too large")
}
