//! TLS, if the crate is built with it.

#[cfg(feature = "rustls")]
pub(super) use with_rustls::Secure;
#[cfg(not(feature = "rustls"))]
pub(super) use without::Secure;

#[cfg(feature = "rustls")]
mod with_rustls {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use actix_http::Protocol;
    use tokio::net::TcpStream;
    use tokio::sync::Semaphore;
    use tokio_rustls::TlsAcceptor;

    use crate::server::transport::Socket;

    /// What TLS needs of the server's side.
    pub(in crate::server) struct Secure {
        acceptor: TlsAcceptor,
        timeout: Duration,
    }

    impl Secure {
        pub(in crate::server) fn new(mut config: rustls::ServerConfig, timeout: Duration) -> Self {
            // What actix-web offers, before what the user does.
            let mut protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            protocols.append(&mut config.alpn_protocols);
            config.alpn_protocols = protocols;
            Self { acceptor: TlsAcceptor::from(Arc::new(config)), timeout }
        }

        /// Makes the handshake, when there is room for one more.
        pub(in crate::server) async fn accept(
            &self,
            stream: TcpStream,
            room: &Semaphore,
        ) -> io::Result<(Box<dyn Socket>, Protocol)> {
            let _room = room.acquire().await.map_err(io::Error::other)?;
            let accepted = self.acceptor.accept(stream);
            let stream = match self.timeout.is_zero() {
                true => accepted.await?,
                false => tokio::time::timeout(self.timeout, accepted).await??,
            };
            let protocol = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            Ok((Box::new(stream), protocol))
        }
    }
}

#[cfg(not(feature = "rustls"))]
mod without {
    use std::io;

    use actix_http::Protocol;
    use tokio::net::TcpStream;
    use tokio::sync::Semaphore;

    use crate::server::transport::Socket;

    /// There is none.
    pub(in crate::server) enum Secure {}

    impl Secure {
        #[expect(clippy::unused_async, reason = "it stands for one that waits")]
        pub(in crate::server) async fn accept(
            &self,
            _stream: TcpStream,
            _room: &Semaphore,
        ) -> io::Result<(Box<dyn Socket>, Protocol)> {
            match *self {}
        }
    }
}
