//! Parts that the compared programs have in common: the handlers, and the end of the process. The
//! benchmarks are in `benches/`.

use std::io::{Read, Write, stdin, stdout};
use std::time::Duration;

use actix_web::{Responder, get, rt};

/// Answers at once.
#[get("/fast")]
pub async fn fast() -> impl Responder {
    "ok"
}

/// Says on stdout that it has begun, and answers after half a second.
#[get("/slow")]
pub async fn slow() -> impl Responder {
    // Nobody may read it any more.
    let _ = writeln!(stdout(), "slow");
    rt::time::sleep(Duration::from_millis(500)).await;
    "ok"
}

/// Returns the program's arguments: the address to serve on, and the number of workers.
///
/// From then on the program ends together with the process that has started it, so that a
/// comparison that is broken off leaves nothing behind.
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
