//! Transport that actix-http reads from and writes to instead of the socket. Through it, a
//! connection learns of its end.
//!
//! To actix-http, the end of a connection looks as if the client had closed its half: actix-http
//! writes the responses that it still owes, and closes. Our frames go out between those of
//! actix-http.

use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use super::socket::SharedSocket;
use super::tcp_info::Peer;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod wire;

/// Wrapper of a connection's socket.
pub(super) struct Transport {
    socket: SharedSocket,
    connection: Rc<Connection>,
    /// Bytes that have been read from the socket and that actix-http has not taken.
    incoming: BytesMut,
}

impl Transport {
    pub(super) fn new(socket: SharedSocket, connection: Rc<Connection>) -> Self {
        Self { socket, connection, incoming: BytesMut::new() }
    }

    pub(super) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Calls a function with the socket, for facts that a user wants to know of it.
    pub(super) fn with_socket(&self, call: impl FnOnce(&dyn Any)) {
        call(&*self.socket.get());
    }

    /// Reads the client's first bytes, keeps them to be read again, and returns whether they are
    /// the expected ones. Returns `false` even at the connection's end.
    pub(super) async fn begins_with(&mut self, expected: &[u8]) -> io::Result<bool> {
        use tokio::io::AsyncReadExt;

        let mut begun = BytesMut::new();
        while begun.len() < expected.len() && expected.starts_with(&begun) {
            if self.read_buf(&mut begun).await? == 0 {
                break;
            }
        }
        let begins = begun.starts_with(expected);
        self.incoming = begun;
        Ok(begins)
    }

    /// Notes that the client speaks HTTP/2, and looks at the beginning, which has been read.
    pub(super) fn speaks_http2(&mut self) {
        self.connection.speaks_http2();
        if let Some(mut http2) = self.connection.http2() {
            http2.received(&mut self.incoming);
        }
        self.connection.wake_if_closing();
    }

    /// Writes our frames that are due, if they may stand at this point.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        {
            let Some(mut http2) = self.connection.http2() else { return Poll::Ready(Ok(())) };
            let Some(due) = http2.due() else { return Poll::Ready(Ok(())) };
            while !due.is_empty() {
                let written =
                    ready!(Pin::new(&mut *self.socket.get_mut()).poll_write(context, due))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                drop(due.split_to(written));
            }
        }
        self.mark_idle_if_done();
        Pin::new(&mut *self.socket.get_mut()).poll_flush(context)
    }

    /// Looks at bytes that have been written.
    fn sent(&self, bytes: &[u8]) {
        if let Some(mut http2) = self.connection.http2() {
            http2.sent(bytes);
        }
        self.mark_idle_if_done();
    }

    fn mark_idle_if_done(&self) {
        if self.connection.http2().is_some_and(|mut http2| http2.is_newly_done()) {
            self.connection.mark_idle();
        }
    }

    /// Reads bytes without looking at them.
    fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.incoming.is_empty() {
            return Pin::new(&mut *self.socket.get_mut()).poll_read(context, buffer);
        }
        self.take_incoming(buffer);
        Poll::Ready(Ok(()))
    }

    /// Reads the bytes that are for actix-http, and writes our frames that are due.
    fn poll_frames(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Poll::Ready(Err(error)) = self.poll_due(context) {
                return Poll::Ready(Err(error));
            }
            if !self.incoming.is_empty() {
                return self.poll_bytes(context, buffer);
            }
            if !self.connection.http2().is_some_and(|http2| http2.expects_pong()) {
                let had = buffer.filled().len();
                ready!(self.poll_bytes(context, buffer))?;
                if let Some(mut http2) = self.connection.http2() {
                    http2.received(&mut buffer.filled_mut()[had..]);
                }
                self.mark_idle_if_done();
                return Poll::Ready(Ok(()));
            }
            // An answer may be followed by another frame of ours, and may leave nothing for
            // actix-http. So the loop goes on.
            if !ready!(self.poll_pong(context))? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Reads from the socket bytes that may hold an answer for us, and keeps the rest. Returns
    /// `false` at the socket's end.
    fn poll_pong(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut read = [0; 4096];
        let mut read = ReadBuf::new(&mut read);
        ready!(Pin::new(&mut *self.socket.get_mut()).poll_read(context, &mut read))?;
        if let Some(mut http2) = self.connection.http2() {
            self.incoming = http2.without_pong(read.filled());
        }
        self.mark_idle_if_done();
        Poll::Ready(Ok(!read.filled().is_empty()))
    }

    fn take_incoming(&mut self, buffer: &mut ReadBuf<'_>) {
        let taken = self.incoming.len().min(buffer.remaining());
        buffer.put_slice(&self.incoming.split_to(taken));
    }

    fn has_frames(&self) -> bool {
        self.connection.is_http2()
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.connection.is_over() {
            return Poll::Ready(Ok(()));
        }
        let had = buffer.filled().len();
        let read = if this.has_frames() {
            this.poll_frames(context, buffer)
        } else {
            this.poll_bytes(context, buffer)
        };
        let read_bytes = buffer.filled().len() - had;
        if read_bytes > 0 {
            this.connection.received(read_bytes);
        }
        if this.connection.is_quiet() {
            match read {
                Poll::Ready(Ok(())) if read_bytes > 0 => this.connection.reopen(),
                Poll::Pending => return Poll::Ready(Ok(())),
                Poll::Ready(_) => {}
            }
        }
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.has_frames() {
            let written = Pin::new(&mut *this.socket.get_mut()).poll_write(context, bytes);
            match &written {
                Poll::Ready(Ok(count)) => this.connection.wrote(Poll::Ready(*count)),
                Poll::Ready(Err(_)) => this.connection.broke(),
                Poll::Pending => this.connection.wrote(Poll::Pending),
            }
            return written;
        }
        let mut bytes = bytes;
        let before = this.connection.http2().and_then(|http2| http2.before_due(bytes));
        match before {
            Some(0) => ready!(this.poll_due(context))?,
            Some(before) => bytes = &bytes[..before],
            None => {}
        }
        let written = ready!(Pin::new(&mut *this.socket.get_mut()).poll_write(context, bytes))?;
        this.sent(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.http2().is_some_and(|http2| http2.has_due()) {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(context, first.map_or(&[], |slice| slice));
        }
        let this = self.get_mut();
        let written =
            ready!(Pin::new(&mut *this.socket.get_mut()).poll_write_vectored(context, slices))?;
        if this.has_frames() {
            let mut left = written;
            for slice in slices {
                let taken = left.min(slice.len());
                this.sent(&slice[..taken]);
                left -= taken;
            }
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.get().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut *this.socket.get_mut()).poll_flush(context))?;
        this.connection.flushed(|| this.socket.info());
        // Written behind the responses: a client need not stay to read more.
        if this.has_frames() { this.poll_due(context) } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        Pin::new(&mut *this.socket.get_mut()).poll_shutdown(context)
    }
}
