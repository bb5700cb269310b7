//! Clients that speak HTTP/2 properly, over TCP or TLS.

use std::io;
use std::sync::Arc;

use actix_web::web::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Method, Request};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Transport over which a client speaks HTTP/2.
#[derive(Clone)]
pub(crate) enum Over {
    /// TCP, without negotiation.
    Tcp,
    /// TLS, with the protocol agreed on in the handshake.
    Tls(Arc<ClientConfig>),
}

/// Connection: a handle that opens streams, and the end of the connection.
pub(crate) struct Client {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) end: JoinHandle<Result<(), h2::Error>>,
}

/// Reason why there is no connection.
#[derive(Debug)]
pub(crate) enum NoClient {
    /// Refusal: nobody listens.
    Refused,
    /// Loss of a connection that had been established.
    Broken(String),
}

pub(crate) async fn connect(address: &str, over: &Over) -> Result<Client, NoClient> {
    let tcp = TcpStream::connect(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => NoClient::Refused,
        _ => NoClient::Broken(format!("connecting: {error}")),
    })?;
    match over {
        Over::Tcp => begin(tcp).await,
        Over::Tls(config) => {
            let name = "localhost".try_into().expect("a name");
            let tls = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await;
            begin(tls.map_err(|error| NoClient::Broken(format!("TLS handshake: {error}")))?).await
        }
    }
}

async fn begin(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Client, NoClient> {
    let (send, connection) = h2::client::handshake(stream)
        .await
        .map_err(|error| NoClient::Broken(format!("handshake: {error}")))?;
    Ok(Client { send, end: tokio::spawn(connection) })
}

impl Client {
    /// Opens a stream.
    pub(crate) async fn get(&self, path: &str) -> Result<ResponseFuture, h2::Error> {
        Ok(self.open(Method::GET, path, true).await?.0)
    }

    /// Opens a stream and keeps this side of it open, for a body.
    pub(crate) async fn post(
        &self,
        path: &str,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.open(Method::POST, path, false).await
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        is_end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let uri = format!("http://localhost{path}");
        let request = Request::builder().method(method).uri(uri).body(()).expect("a request");
        self.send.clone().ready().await?.send_request(request, is_end)
    }
}

/// Reads a response to its end, and returns the status and the body.
pub(crate) async fn answer(response: ResponseFuture) -> Result<(u16, String), h2::Error> {
    let (head, mut rest) = response.await?.into_parts();
    Ok((head.status.as_u16(), body(&mut rest).await?))
}

/// Reads the rest of a body.
pub(crate) async fn body(body: &mut RecvStream) -> Result<String, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunk(body).await? {
        bytes.extend(chunk);
    }
    Ok(String::from_utf8(bytes).expect("a text"))
}

/// Reads the next part of a body.
pub(crate) async fn chunk(body: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let Some(chunk) = body.data().await.transpose()? else { return Ok(None) };
    body.flow_control().release_capacity(chunk.len())?;
    Ok(Some(chunk))
}
