//! Server, service and health check that block their threads until stdin says so.
//!
//! `GET /block/NAME` blocks a worker, and `GET /pool/NAME` a thread of its blocking pool, until the
//! line `NAME`. The line `hooks` makes the service block all threads of the hooks' runtime, until
//! the line `hooks go on`.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use actix_web::{App, web};
use lifecycle_runtime::{Http, Lifecycle, Service, health_check, service};
use lifecycle_tests::act::{end_with_stdin, has_heard, heard, say};
use tokio::runtime::Handle;

fn block_until(line: &str) {
    while !has_heard(line) {
        thread::sleep(Duration::from_millis(1));
    }
}

#[service]
async fn pump(service: Service) {
    service.ready();
    let stop = service.stop();
    tokio::select! {
        () = heard("hooks") => {}
        () = stop.requested() => return,
    }
    // More tasks than threads, as no other thread takes over the last task that a thread spawns.
    for _ in 0..2 * Handle::current().metrics().num_workers() {
        service.spawn(async { block_until("hooks go on") });
    }
    stop.requested().await;
}

#[health_check(interval = "200ms", timeout = "200ms")]
async fn ping() {}

async fn block(name: web::Path<String>) -> String {
    say(&format!("{name} blocks"));
    block_until(&name);
    name.into_inner()
}

async fn pool(name: web::Path<String>) -> actix_web::Result<String> {
    let blocks = move || {
        say(&format!("{name} blocks"));
        block_until(&name);
        name.into_inner()
    };
    Ok(web::block(blocks).await?)
}

fn main() -> ExitCode {
    end_with_stdin();
    let app = || {
        App::new()
            .route("/", web::get().to(|| async { "ok" }))
            .route("/block/{name}", web::get().to(block))
            .route("/pool/{name}", web::get().to(pool))
    };
    let http = Http::new(app).bind("127.0.0.1:0").workers(2).worker_max_blocking_threads(1);
    Lifecycle::new().admin("127.0.0.1:0").http(http).run()
}
