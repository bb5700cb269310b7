//! A background service that works through a queue.
//!
//! `cargo run -p tour --example 02_service`
//!
//! ```console
//! $ curl -d 'Dear Ana' http://127.0.0.1:8080/letters
//! $ curl -d '' http://127.0.0.1:8080/letters
//! ```
//!
//! The program prints the first letter. The second has no text, so the service fails and is
//! restarted. Post a few letters in a row and press Ctrl-C: all are delivered before the end.

use std::process::ExitCode;
use std::time::Duration;

use actix_web::{App, HttpResponse, post};
use lifecycle_runtime::{BoxError, Dep, Lifecycle, Stop, on_startup, probes, service};
use tokio::sync::{Mutex, mpsc};

/// Most letters that can wait. Their delivery takes 2 s, so a stop has time for all of them.
const QUEUE: usize = 20;

/// Queue from the handlers to the service.
struct Letters {
    sender: mpsc::Sender<String>,
    /// Receiving end, which the current run of the service locks. The next run locks it again, and
    /// no letter that waits is lost.
    receiver: Mutex<mpsc::Receiver<String>>,
}

#[on_startup]
async fn letters() -> Letters {
    let (sender, receiver) = mpsc::channel(QUEUE);
    Letters { sender, receiver: Mutex::new(receiver) }
}

/// Delivers letters, one after the other.
///
/// It learns from `Stop` that it should end, once the server has closed and no more letters can
/// arrive. An error ends this run, and another begins after the backoff; meanwhile `/readyz`
/// answers 503. A sixth error within a minute is one too many: the process stops.
#[service(restart = "on_failure", backoff = "100ms..10s", stop_timeout = "3s")]
async fn postman(letters: Dep<letters>, stop: Stop) -> Result<(), BoxError> {
    let mut receiver = letters.receiver.lock().await;
    loop {
        tokio::select! {
            // Letters come first: the service ends when none is left.
            biased;
            Some(letter) = receiver.recv() => deliver(&letter).await?,
            () = stop.requested() => return Ok(()),
        }
    }
}

/// Stands for work that takes its time and may fail.
async fn deliver(letter: &str) -> Result<(), BoxError> {
    if letter.is_empty() {
        return Err("there is nothing in the letter".into());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    println!("delivered: {letter}");
    Ok(())
}

#[post("/letters")]
async fn post_letter(letter: String, letters: Dep<letters>) -> HttpResponse {
    match letters.sender.try_send(letter) {
        Ok(()) => HttpResponse::Accepted().finish(),
        // A queue without a limit would only fill the memory.
        Err(_) => HttpResponse::ServiceUnavailable().body("too many letters wait\n"),
    }
}

fn main() -> ExitCode {
    Lifecycle::new().http(|| App::new().service(post_letter).configure(probes)).run()
}
