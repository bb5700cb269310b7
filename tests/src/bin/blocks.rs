//! Hooks of every kind that wait, and others that block the thread that they run on:
//! `blocks PLACE WAIT HOW [THREADS]`
//!
//! `PLACE` is the kind of hook that does so: `start`, `ready`, `check`, `signal`, `service`,
//! `drain` or `stop`. Of its hooks, `first` waits for a `timer` or a `socket`, as `WAIT` says. If
//! `HOW` is `behind`, the hook after `first` blocks its thread as soon as it begins. If it is
//! `beside`, a hook beside `first` does so after such a wait of its own. `last` runs after `first`.
//! If there is a number of `THREADS`, the hooks run on an async runtime of the program's own.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::{
    Lifecycle, Service, health_check, on_drain, on_ready, on_shutdown, on_signal, on_startup,
    service,
};
use lifecycle_tests::act::{end_with_stdin, say};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::sleep;

fn argument(place: usize) -> String {
    std::env::args().nth(place).unwrap_or_default()
}

fn is_about(place: &str) -> bool {
    argument(1) == place
}

/// Waits for this time, in the way that the arguments name.
async fn wait(time: Duration) {
    if argument(2) == "timer" {
        return sleep(time).await;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut client =
        TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
    thread::spawn(move || {
        thread::sleep(time);
        drop(listener.accept());
    });
    let _ = client.read(&mut [0]).await;
}

async fn first(place: &str) {
    if is_about(place) {
        wait(Duration::from_millis(200)).await;
        say("first");
    }
}

async fn block(place: &str, how: &str) {
    if is_about(place) && argument(3) == how {
        if how == "beside" {
            wait(Duration::from_millis(50)).await;
        }
        say("blocks");
        thread::sleep(Duration::from_secs(600));
    }
}

fn last(place: &str) {
    if is_about(place) {
        say("last");
    }
}

#[on_startup]
async fn db() -> String {
    "rows".to_owned()
}

#[on_shutdown(of = db)]
async fn close_db() {
    say("close_db");
}

/// Defines the four hooks of a kind.
macro_rules! hooks {
    (
        $place:literal,
        $first:ident $behind:ident $beside:ident $last:ident,
        #[$attribute:ident($($key:tt)*)]
    ) => {
        #[$attribute($($key)*)]
        async fn $first() {
            first($place).await;
        }

        #[$attribute(after = [$first], timeout = "500ms", $($key)*)]
        async fn $behind() {
            block($place, "behind").await;
        }

        #[$attribute(timeout = "500ms", $($key)*)]
        async fn $beside() {
            block($place, "beside").await;
        }

        #[$attribute(after = [$first], $($key)*)]
        async fn $last() {
            last($place);
        }
    };
}

hooks!("start", first_start behind_start beside_start last_start, #[on_startup()]);
hooks!("ready", first_ready behind_ready beside_ready last_ready, #[on_ready()]);
hooks!("drain", first_drain behind_drain beside_drain last_drain, #[on_drain()]);
hooks!("stop", first_stop behind_stop beside_stop last_stop, #[on_shutdown()]);

#[on_signal(SIGHUP)]
async fn first_signal() {
    first("signal").await;
}

#[on_signal(SIGHUP, after = [first_signal], timeout = "500ms")]
async fn behind_signal() {
    block("signal", "behind").await;
}

#[on_signal(SIGHUP, after = [behind_signal])]
async fn last_signal() {
    last("signal");
}

/// Blocks at another signal, as the hooks of one signal run one after the other.
#[on_signal(SIGUSR2, timeout = "500ms")]
async fn beside_signal() {
    block("signal", "beside").await;
}

#[health_check(interval = "500ms", timeout = "500ms")]
async fn first_check() {
    first("check").await;
}

#[health_check(interval = "500ms", timeout = "500ms", failures = 1)]
async fn beside_check() {
    block("check", "beside").await;
}

/// Goes on waiting while another blocks.
#[service]
async fn first_service(service: Service) {
    if argument(3) == "behind" {
        first("service").await;
    }
    service.ready();
    while is_about("service") && !service.stop().is_requested() {
        first("service").await;
    }
    service.stop().requested().await;
}

/// Begins once the first is ready.
#[service(after = [first_service], stop_timeout = "500ms")]
async fn behind_service() {
    block("service", "behind").await;
    std::future::pending::<()>().await;
}

#[service(stop_timeout = "500ms")]
async fn beside_service(service: Service) {
    service.ready();
    block("service", "beside").await;
    service.stop().requested().await;
}

const HOOKS: [&HookMeta; 27] = [
    db::META,
    close_db::META,
    first_start::META,
    behind_start::META,
    beside_start::META,
    last_start::META,
    first_ready::META,
    behind_ready::META,
    beside_ready::META,
    last_ready::META,
    first_drain::META,
    behind_drain::META,
    beside_drain::META,
    last_drain::META,
    first_stop::META,
    behind_stop::META,
    beside_stop::META,
    last_stop::META,
    first_signal::META,
    behind_signal::META,
    last_signal::META,
    beside_signal::META,
    first_check::META,
    beside_check::META,
    first_service::META,
    behind_service::META,
    beside_service::META,
];

fn main() -> ExitCode {
    end_with_stdin();
    // Health checks wake threads, which would help the other hooks.
    let takes_part = |hook: &&'static HookMeta| match hook.name() {
        "behind_service" => is_about("service") && argument(3) == "behind",
        name => is_about("check") || !name.ends_with("_check"),
    };
    let lifecycle = Lifecycle::of(HOOKS.into_iter().filter(takes_part));
    let Ok(threads) = argument(4).parse() else { return lifecycle.run() };
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let code = runtime.block_on(lifecycle.serve()).exit_code();
    // To wait for the blocked thread would hold up the end.
    runtime.shutdown_background();
    code.into()
}
