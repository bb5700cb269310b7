//! Upgrades under load: no request is lost, and no client refused.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::line::Line;
use crate::harness::{own_address, program};
use crate::http::{Connection, Transport};
use crate::http2::client::Over;
use crate::http2::{asking_for_http2, load};
use crate::load::{Load, Shape};
use crate::tls::{tls, trust};

/// Number of upgrades, unless `LIFECYCLE_SOAK_UPGRADES` sets another.
const UPGRADES: usize = 20;

/// Answers that each group of clients gets between two upgrades.
const BETWEEN: usize = 40;

/// Clients that keep their connection, and think for a moment between two requests.
const KEPT: Shape = Shape { pause: (5_000, 50_000), ..Shape::CLOSED_LOOP };

/// Clients that open a connection for each request.
const FRESH: Shape = Shape { pause: (5_000, 20_000), ..Shape::FRESH };

fn upgrades() -> usize {
    let set = std::env::var("LIFECYCLE_SOAK_UPGRADES").ok();
    set.map_or(UPGRADES, |number| number.parse().expect("LIFECYCLE_SOAK_UPGRADES is a number"))
}

fn record(client: usize, number: usize) -> String {
    format!("GET /record/{client}-{number}")
}

/// Starts clients that speak HTTP/1.1 over TLS.
fn over_tls(address: &str, config: ClientConfig, shape: Shape) -> Load {
    let address = address.to_owned();
    let connect = move || {
        let stream: Box<dyn Transport> = Box::new(tls(&address, config.clone())?);
        Ok(Connection::over(stream))
    };
    Load::over(connect, shape, record)
}

/// Clients of every kind, of one server.
struct Clients {
    http1: Vec<Load>,
    http2: Vec<load::Load>,
}

impl Clients {
    fn start(plain: &str, secure: &str, certificate: &Path) -> Self {
        let few = Shape { clients: 16, ..KEPT };
        let http1 = vec![
            Load::start(plain, KEPT, record),
            Load::start(plain, FRESH, record),
            over_tls(secure, trust(certificate), few),
            over_tls(secure, trust(certificate), Shape { clients: 4, ..FRESH }),
        ];
        let config = Arc::new(asking_for_http2(certificate));
        let http2 =
            vec![load::Load::start(plain, Over::Tcp), load::Load::start(secure, Over::Tls(config))];
        Self { http1, http2 }
    }

    /// Waits until each group has got more answers, and checks that no client was refused.
    async fn go_on(&self) {
        let http1: Vec<_> = self.http1.iter().map(|load| (load, load.answered())).collect();
        let http2: Vec<_> = self.http2.iter().map(|load| (load, load.answered())).collect();
        for (load, before) in http1 {
            load.wait_for(before + BETWEEN);
            load.expect_all_at_work();
        }
        for (load, before) in http2 {
            load.wait_for(before + BETWEEN).await;
            load.expect_all_at_work();
        }
    }

    async fn expect_nothing_lost(self) {
        for load in self.http1 {
            let outcome = load.end();
            println!("{outcome}");
            outcome.expect_nothing_lost();
        }
        for load in self.http2 {
            let outcome = load.end().await;
            println!("HTTP/2: {outcome}");
            outcome.expect_nothing_lost();
        }
    }
}

#[test]
fn a_program_that_is_upgraded_again_and_again_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("certificate");
    let (plain, secure) = (own_address(), own_address());
    let (path, upgrades) = (certificate.display(), upgrades());
    let start = program!("routes")
        .args(&format!("address={plain} secure={secure} certificate={path} h2c"))
        .without_env("LIFECYCLE_BIND")
        // On a busy machine clients are slow to send.
        .env("LIFECYCLE_QUIET_WINDOW", "10s");
    let mut line = Line::start(start);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let ended = runtime.block_on(async {
        let clients = Clients::start(&plain, &secure, &certificate);
        clients.go_on().await;
        for _ in 0..upgrades {
            line.upgrade();
            clients.go_on().await;
        }
        let ended = line.stop();
        clients.expect_nothing_lost().await;
        ended
    });
    ended.expect_code(0);
    let count = |text: &str| ended.stderr().lines().filter(|line| line.contains(text)).count();
    assert_eq!(count("exit code 0"), upgrades + 1, "{ended}");
    assert_eq!(count(" 0 cut off"), upgrades + 1, "{ended}");
    assert_eq!(count("no upgrade"), 0, "{ended}");
    let did = |hook: &str| ended.did().into_iter().filter(|line| *line == hook).count();
    assert_eq!((did("flush"), did("close_db")), (upgrades + 1, upgrades + 1), "{ended}");
}

#[test]
fn clients_of_a_unix_socket_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let address = format!("unix:{}", path.display());
    let start = program!("routes").env("LIFECYCLE_BIND", &address);
    let mut line = Line::start(start.env("LIFECYCLE_QUIET_WINDOW", "10s"));
    let few = Shape { clients: 16, ..KEPT };
    let loads = [few, FRESH].map(|shape| Load::start(&address, shape, |_, _| "GET /".to_owned()));
    for _ in 0..5 {
        for load in &loads {
            load.wait_for(load.answered() + BETWEEN);
            load.expect_all_at_work();
        }
        line.upgrade();
        assert!(path.exists());
    }
    line.stop().expect_code(0);
    for load in loads {
        load.end().expect_nothing_lost();
    }
    assert!(!path.exists(), "it is the last process that removes it");
}
