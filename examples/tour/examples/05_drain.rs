//! An announcement that is withdrawn before the server closes.
//!
//! `cargo run -p tour --example 05_drain`
//!
//! ```console
//! $ cat /tmp/tour-targets.json
//! [{"targets": ["127.0.0.1:8080"]}]
//! $ curl http://127.0.0.1:8080/slow
//! ```
//!
//! While the slow request waits, stop the program with `kill $(pgrep 05_drain)`: Ctrl-C would skip
//! the `drain_delay`. The file is gone at once. New clients are served for two seconds more, in
//! which those who have read the file notice that it is gone. Then the listener closes, and the
//! slow request gets its answer. (The file is `$TMPDIR/tour-targets.json` where that is set.)

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, io};

use actix_web::{App, Responder, get};
use lifecycle_runtime::{Lifecycle, StopHandle, on_drain, on_ready};

/// Returns the path of the list of targets, in the format that Prometheus reads
/// (`file_sd_configs`). With a service registry or a load balancer, the hooks would send it a
/// request.
fn targets() -> PathBuf {
    env::temp_dir().join("tour-targets.json")
}

/// Announces the service. The server listens already: its address is known, and clients that come
/// at once are answered.
#[on_ready(timeout = "1s")]
fn announce(run: StopHandle) -> io::Result<()> {
    let hosts = run.listening().iter().filter_map(|url| url.strip_prefix("http://"));
    let hosts: Vec<_> = hosts.map(|host| format!("{host:?}")).collect();
    fs::write(targets(), format!("[{{\"targets\": [{}]}}]\n", hosts.join(", ")))
}

/// Withdraws the announcement, before anything else in the stop. An error does not hold up the
/// stop: requests finish, and the exit code is 3.
#[on_drain(timeout = "1s")]
fn withdraw() -> io::Result<()> {
    fs::remove_file(targets())
}

#[get("/")]
async fn quick() -> impl Responder {
    "quick\n"
}

#[get("/slow")]
async fn slow() -> impl Responder {
    tokio::time::sleep(Duration::from_secs(5)).await;
    "slow, and complete\n"
}

fn main() -> ExitCode {
    Lifecycle::new()
        .http(|| App::new().service(quick).service(slow))
        // The time that readers of the list need to notice. `LIFECYCLE_DRAIN_DELAY` overrides it.
        .drain_delay(Duration::from_secs(2))
        .run()
}
