//! Connections over TLS, with a certificate made for the test.

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
    let mut program = start
        .without_env("LIFECYCLE_BIND")
        .env("LIFECYCLE_DRAIN_DELAY", "1m")
        .env("LIFECYCLE_GRACE", "2m")
        .start();
    let line = program.wait_for("listening on https://");
    let mut client = Connection::over(
        tls(line.rsplit('/').next().expect("a URL"), trust(&certificate)).expect("it listens"),
    );
    client.send("GET /").expect("it listens");
    assert_eq!(client.response().expect("a response").body, "secret");
    program.signal(Signal::SIGTERM);
    program.wait_for("stopping");
    client.send("GET /").expect("it still listens");
    let last = client.response().expect("a response");
    assert!(last.head.contains("\r\nconnection: close\r\n"), "{last:?}");
    assert!(client.is_closed());
    // The delay would go on for long.
    program.signal(Signal::SIGTERM);
    program.end().expect_code(0);
}

/// Returns the protocol that a client gets if it offers both.
fn negotiated(arguments: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("certificate");
    let start =
        program!("servers").args(&format!("certificate={} {arguments}", certificate.display()));
    let mut program = start.without_env("LIFECYCLE_BIND").start();
    let line = program.wait_for("listening on https://");
    let mut config = trust(&certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = tls(line.rsplit('/').next().expect("a URL"), config).expect("it listens");
    let StreamOwned { mut conn, mut sock } = stream;
    while conn.is_handshaking() {
        conn.complete_io(&mut sock).expect("a handshake");
    }
    let protocol = conn.alpn_protocol().map(<[u8]>::to_vec);
    if protocol.as_deref() == Some(b"http/1.1") {
        let mut client = Connection::over(StreamOwned::new(conn, sock));
        client.send("GET /").expect("it listens");
        assert_eq!(client.response().expect("a response").body, "secret");
    }
    program.signal(Signal::SIGTERM);
    program.end().expect_code(0);
    protocol
}

#[test]
fn what_is_offered_is_what_the_program_says_or_both() {
    assert_eq!(negotiated("").as_deref(), Some(&b"h2"[..]));
    assert_eq!(negotiated("alpn=http/1.1").as_deref(), Some(&b"http/1.1"[..]));
}

/// Opens a stream over TLS.
pub(crate) fn tls(
    address: &str,
    config: ClientConfig,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = "localhost".try_into().expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a session");
    tcp(address).map(|stream| StreamOwned::new(session, stream))
}
