//! Over TLS, with a certificate made for the test.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

pub(crate) use lifecycle_tests::certificate::trust;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::harness::{Signal, program};
use crate::http::{Connection, tcp};

#[test]
fn tls_is_served_and_drained() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("certificate");
    let start = program!("servers").args(&format!("certificate={}", certificate.display()));
    let mut program = start.without_env("LIFECYCLE_BIND").env("LIFECYCLE_DRAIN_DELAY", "1s").start();
    let line = program.wait_for("listening on https://");
    let mut client =
        Connection::over(tls(line.rsplit('/').next().expect("a URL"), trust(&certificate)).expect("it listens"));
    client.send("GET /").expect("it listens");
    assert_eq!(client.response().expect("a response").body, "secret");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    client.send("GET /").expect("it still listens");
    let last = client.response().expect("a response");
    assert!(last.head.contains("\r\nconnection: close\r\n"), "{last:?}");
    assert!(client.is_closed());
    program.end().expect_code(0);
}

/// A stream over TLS.
pub(crate) fn tls(address: &str, config: ClientConfig) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = "localhost".try_into().expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a session");
    tcp(address).map(|stream| StreamOwned::new(session, stream))
}
