//! Receiver to try the shop with: `cargo run -p shop --bin receiver`, and
//! `SHOP_WEBHOOK_URL=http://127.0.0.1:8081/hook`.
//!
//! It does what every receiver of at-least-once deliveries has to do: it keeps the keys that it has
//! seen, and ignores a delivery that comes again. A real receiver keeps them in its database,
//! together with its own changes.

use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use actix_web::{App, HttpRequest, HttpResponse, post};
use lifecycle_runtime::{Dep, Http, Lifecycle, on_shutdown, on_startup};

#[on_startup]
fn seen() -> Mutex<HashSet<String>> {
    Mutex::default()
}

#[on_shutdown]
fn count(seen: Dep<seen>) {
    println!("{} orders received", seen.lock().unwrap_or_else(PoisonError::into_inner).len());
}

#[post("/hook")]
async fn receive(request: HttpRequest, body: String, seen: Dep<seen>) -> HttpResponse {
    let Some(key) = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok())
    else {
        return HttpResponse::BadRequest().body("a delivery has the header `idempotency-key`");
    };
    let is_new = seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
    println!("{} {body}", if is_new { "received" } else { "received again, ignored" });
    HttpResponse::NoContent().finish()
}

fn main() -> ExitCode {
    Lifecycle::new()
        .http(Http::new(|| App::new().service(receive)).bind("127.0.0.1:8081").workers(1))
        .run()
}
