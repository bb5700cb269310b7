//! A configuration that SIGHUP reads again.
//!
//! ```console
//! $ echo hello > /tmp/greeting.txt
//! $ GREETING=/tmp/greeting.txt cargo run -p tour --example 06_reload
//! ```
//!
//! And in another terminal:
//!
//! ```console
//! $ curl http://127.0.0.1:8080/
//! hello, world
//! $ echo moin > /tmp/greeting.txt
//! $ kill -HUP $(pgrep 06_reload)
//! $ curl http://127.0.0.1:8080/
//! moin, world
//! ```
//!
//! If the file is empty or not there, the old greeting stays, and a line on stderr says what is
//! wrong.

use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use actix_web::{App, Responder, get};
use arc_swap::ArcSwap;
use lifecycle_runtime::{BoxError, Dep, Lifecycle, on_signal, on_startup};

struct Config {
    greeting: String,
}

impl Config {
    /// Reads and checks the whole file, so that half of a new configuration is never in use.
    fn read() -> Result<Self, BoxError> {
        let path = env::var("GREETING").map_err(|_| "set GREETING to a file with a greeting")?;
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        match text.trim() {
            "" => Err(format!("{path} is empty; write a greeting into it").into()),
            greeting => Ok(Self { greeting: greeting.to_owned() }),
        }
    }
}

/// Holds the current configuration. The value of a hook stays the same until its teardown, so the
/// changing part stands inside of it: handlers read an `ArcSwap` without waiting.
#[on_startup]
fn config() -> Result<ArcSwap<Config>, BoxError> {
    Ok(ArcSwap::from_pointee(Config::read()?))
}

/// Replaces the configuration. An error is reported and changes nothing; the next signal tries
/// again.
#[on_signal(SIGHUP, timeout = "5s")]
fn reload(config: Dep<config>) -> Result<(), BoxError> {
    config.store(Arc::new(Config::read()?));
    Ok(())
}

#[get("/")]
async fn hello(config: Dep<config>) -> impl Responder {
    format!("{}, world\n", config.load().greeting)
}

fn main() -> ExitCode {
    Lifecycle::new().http(|| App::new().service(hello)).run()
}
