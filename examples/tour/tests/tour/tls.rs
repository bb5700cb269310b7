use std::path::Path;
use std::sync::Arc;

use http::Request;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::process::example;

/// Connects with this protocol, and trusts this certificate only.
async fn connect(address: &str, certificate: &Path, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = "localhost".try_into().unwrap();
    let connection = TcpStream::connect(address).await.unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, connection).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    stream
}

async fn http2(stream: TlsStream<TcpStream>) -> String {
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/").body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    let mut body = response.await.unwrap().into_body();
    let mut text = Vec::new();
    while let Some(part) = body.data().await {
        text.extend(part.unwrap());
    }
    String::from_utf8(text).unwrap()
}

async fn http1(mut stream: TlsStream<TcpStream>) -> String {
    let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn both_protocols_are_spoken_to_who_trusts_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("tour-certificate.pem");
    let mut program = example("07_tls", &folder).spawn();
    program.wait_until_ready();
    let url = program.url();
    let address = url.strip_prefix("https://").unwrap();
    let stream = connect(address, &certificate, b"h2").await;
    assert_eq!(http2(stream).await, "hello over HTTP/2.0\n");
    let stream = connect(address, &certificate, b"http/1.1").await;
    assert_eq!(http1(stream).await, "hello over HTTP/1.1\n");
    program.stop().assert_exit_code(0);
}
