//! Sockets of connections. The code that speaks HTTP on a socket shares it with the code that looks
//! after its end.

use std::any::Any;
use std::cell::{Ref, RefCell, RefMut};
use std::future::poll_fn;
use std::io::{self, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::packets;
use super::tcp_info::{Peer, TcpInfo, has_unread};

/// Socket of any kind, with TLS or without.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Any {
    /// Returns the TCP connection below, if there is one.
    fn tcp(&self) -> Option<&TcpStream>;

    /// Returns whether bytes have come that nobody has read.
    fn has_unread(&self) -> bool {
        self.tcp().has_unread()
    }
}

impl Socket for TcpStream {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

#[cfg(unix)]
impl Socket for UnixStream {
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn has_unread(&self) -> bool {
        has_unread(&SockRef::from(self))
    }
}

/// Handle of a socket, shared by clones. All handles are on one thread, and none borrows the socket
/// across an `await`.
#[derive(Clone)]
pub(super) struct SharedSocket(Rc<RefCell<dyn Socket>>);

impl SharedSocket {
    pub(super) fn new(socket: impl Socket) -> Self {
        Self(Rc::new(RefCell::new(socket)))
    }

    pub(super) fn get(&self) -> Ref<'_, dyn Socket> {
        self.0.borrow()
    }

    pub(super) fn get_mut(&self) -> RefMut<'_, dyn Socket> {
        self.0.borrow_mut()
    }

    /// Writes all of the bytes.
    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written =
                poll_fn(|context| Pin::new(&mut *self.get_mut()).poll_write(context, bytes))
                    .await?;
            bytes = &bytes[written..];
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        poll_fn(|context| Pin::new(&mut *self.get_mut()).poll_flush(context)).await
    }

    /// Leaves the connection to the system, which sends the bytes that are written even after the
    /// process has ended. Closes our half, and has the system drop the client's further data, as it
    /// would answer that by a reset.
    pub(super) fn leave_to_system(&self) {
        let socket = self.0.borrow();
        let Some(stream) = socket.tcp() else { return };
        if packets::refuse_data(stream).is_err() {
            return;
        }
        let stream = SockRef::from(stream);
        let _ = stream.shutdown(Shutdown::Write);
        // A socket that is closed with bytes unread is reset, too.
        let mut unread = [0; 4096];
        while (&*stream).read(&mut unread).is_ok_and(|read| read > 0) {}
    }
}

impl Peer for SharedSocket {
    fn info(&self) -> Option<TcpInfo> {
        self.0.borrow().tcp().info()
    }

    fn has_unread(&self) -> bool {
        self.0.borrow().has_unread()
    }
}
