//! A configuration that SIGHUP reads anew: `GREETING=path/of/greeting.txt cargo run -p reload`.
//!
//! A file that is broken keeps the old configuration, the console says what is wrong with it, and
//! `/readyz` goes on to say that the process is well: it is. `/livez`, `/readyz` and `/startupz`
//! are beside the greeting.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::{App, Responder, get};
use arc_swap::ArcSwap;
use lifecycle_runtime::{BoxError, Dep, Lifecycle, health_check, on_signal, on_startup, probes};

struct Config {
    greeting: String,
}

impl Config {
    /// Reads and checks all of it: what is in use is never half of a new one.
    fn read() -> Result<Self, BoxError> {
        let path = path();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("can't read {}: {error}", path.display()))?;
        match text.trim() {
            "" => Err(format!("{} is empty; write a greeting into it", path.display()).into()),
            greeting => Ok(Self { greeting: greeting.to_owned() }),
        }
    }
}

fn path() -> PathBuf {
    std::env::var_os("GREETING")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/greeting.txt").into(), PathBuf::from)
}

/// Without a configuration there is no start.
#[on_startup]
fn config() -> Result<ArcSwap<Config>, BoxError> {
    Ok(ArcSwap::from_pointee(Config::read()?))
}

#[on_signal(SIGHUP)]
fn reload(config: Dep<config>) -> Result<(), BoxError> {
    config.store(Arc::new(Config::read()?));
    Ok(())
}

/// For what a process can become unable to do: here, to greet with less than a page.
#[health_check(interval = "2s", failures = 1)]
async fn brief(config: Dep<config>) -> Result<(), BoxError> {
    match config.load().greeting.len() {
        length if length > 2000 => {
            Err(format!("the greeting has {length} bytes, and 2000 are enough").into())
        }
        _ => Ok(()),
    }
}

#[get("/")]
async fn hello(config: Dep<config>) -> impl Responder {
    format!("{}, world\n", config.load().greeting)
}

fn service() -> Lifecycle {
    Lifecycle::new().http(|| App::new().service(hello).configure(probes))
}

fn main() -> ExitCode {
    service().run()
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, read_body};
    use lifecycle_runtime::testing::{Moment, Signal, TestApp, TestAppBuilder};

    use super::*;

    /// With a greeting that is in no file.
    fn greets(greeting: &str) -> TestAppBuilder {
        TestApp::of(service())
            .replace::<config>(ArcSwap::from_pointee(Config { greeting: greeting.to_owned() }))
    }

    #[lifecycle_runtime::test]
    async fn a_signal_reads_the_file() {
        let app = greets("moin").start().await;
        app.signal(Signal::SIGHUP);
        app.until(Moment::ends::<reload>()).await;
        let response = app.request(TestRequest::get().uri("/")).await;
        assert_eq!(read_body(response).await, "hello, world\n");
    }

    #[lifecycle_runtime::test]
    async fn a_file_that_is_broken_keeps_the_old_greeting() {
        let app = greets("moin").fail::<reload>("greeting.txt is empty").start().await;
        app.signal(Signal::SIGHUP);
        app.until(Moment::ends::<reload>()).await;
        let response = app.request(TestRequest::get().uri("/")).await;
        assert_eq!(read_body(response).await, "moin, world\n");
        app.stop().await.assert_clean().assert_failed::<reload>("greeting.txt is empty");
    }

    #[lifecycle_runtime::test]
    async fn what_is_not_brief_is_not_ready() {
        let app = greets(&"a".repeat(3000)).start().await;
        app.until(Moment::ends::<brief>()).await;
        assert_eq!(app.request(TestRequest::get().uri("/readyz")).await.status(), 503);
    }
}
