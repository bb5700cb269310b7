//! Parts that the compared programs have in common: the handlers, and their end. The benchmarks
//! are in `benches/`.

use std::io::{Read, stdin};
use std::time::Duration;

use actix_web::{Responder, get, rt};

/// What there is to serve at once.
#[get("/fast")]
pub async fn fast() -> impl Responder {
    "ok"
}

/// What takes half a second.
#[get("/slow")]
pub async fn slow() -> impl Responder {
    rt::time::sleep(Duration::from_millis(500)).await;
    "ok"
}

/// The address to serve on, and with how many threads: the program's arguments.
///
/// The program ends with whoever has started it: nothing else is to be left of a comparison that is
/// broken off.
///
/// # Panics
///
/// If an argument is missing.
#[must_use]
pub fn arguments() -> (String, usize) {
    std::thread::spawn(|| {
        let _ = stdin().read(&mut [0]);
        std::process::exit(4);
    });
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().expect("an address");
    let workers =
        arguments.next().and_then(|workers| workers.parse().ok()).expect("a number of workers");
    (address, workers)
}
