//! TLS for connections, if the crate is built with it.

#[cfg(feature = "rustls")]
pub(super) use with_rustls::Secure;
#[cfg(not(feature = "rustls"))]
pub(super) use without::Secure;

#[cfg(feature = "rustls")]
mod with_rustls {
    use std::future::poll_fn;
    use std::io;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use actix_http::Protocol;
    use tokio::net::TcpStream;
    use tokio::sync::Semaphore;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::server::TlsStream;

    use crate::server::socket::{SharedSocket, Socket};

    /// Acceptor of TLS handshakes, with their time limit.
    pub(in crate::server) struct Secure {
        acceptor: TlsAcceptor,
        timeout: Duration,
    }

    impl Secure {
        pub(in crate::server) fn new(mut config: rustls::ServerConfig, timeout: Duration) -> Self {
            // A list that the user wrote is the whole list: it may be there to leave HTTP/2 out.
            if config.alpn_protocols.is_empty() {
                config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            }
            Self { acceptor: TlsAcceptor::from(Arc::new(config)), timeout }
        }

        /// Makes the handshake, when `room` has a permit for one more. Returns `None` if `ends`,
        /// which is polled beside it, gives the connection up.
        pub(in crate::server) async fn accept(
            &self,
            stream: TcpStream,
            room: &Semaphore,
            mut ends: impl FnMut(&mut Context<'_>, Option<&TcpStream>) -> bool,
        ) -> io::Result<Option<(SharedSocket, Protocol)>> {
            // A client that waits for its turn is not quiet, whatever it sends.
            let _permit = room.acquire().await.map_err(io::Error::other)?;
            let mut accept = self.acceptor.accept(stream);
            let accepted = poll_fn(|context| {
                // Polled first: a client whose bytes have come meanwhile is not quiet.
                match Pin::new(&mut accept).poll(context) {
                    Poll::Pending if ends(context, accept.get_ref()) => Poll::Ready(None),
                    accepted => accepted.map(Some),
                }
            });
            let accepted = if self.timeout.is_zero() {
                accepted.await
            } else {
                tokio::time::timeout(self.timeout, accepted).await?
            };
            let Some(stream) = accepted.transpose()? else { return Ok(None) };
            let protocol = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            Ok(Some((SharedSocket::new(stream), protocol)))
        }
    }

    impl Socket for TlsStream<TcpStream> {
        fn tcp(&self) -> Option<&TcpStream> {
            Some(self.get_ref().0)
        }
    }
}

#[cfg(not(feature = "rustls"))]
mod without {
    use std::io;
    use std::task::Context;

    use actix_http::Protocol;
    use tokio::net::TcpStream;
    use tokio::sync::Semaphore;

    use crate::server::socket::SharedSocket;

    /// Placeholder without a value: this crate is built without TLS.
    pub(in crate::server) enum Secure {}

    impl Secure {
        #[expect(clippy::unused_async, reason = "it stands for one that waits")]
        pub(in crate::server) async fn accept(
            &self,
            _stream: TcpStream,
            _room: &Semaphore,
            _ends: impl FnMut(&mut Context<'_>, Option<&TcpStream>) -> bool,
        ) -> io::Result<Option<(SharedSocket, Protocol)>> {
            match *self {}
        }
    }
}
