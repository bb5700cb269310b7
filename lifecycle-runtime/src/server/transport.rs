//! What actix-http reads from and writes to, instead of the socket: here a connection hears of its end.
//!
//! The end of a connection looks to actix-http as if the client had closed its half: what it still owes it writes, then
//! it closes. Frames of ours go out between its own.

use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::connection::Connection;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire;

/// How long a closed connection's client may take to close its half: what it sends meanwhile would otherwise be
/// answered by a reset, which can destroy a response on its way.
const LINGER: Duration = Duration::from_millis(5);

/// A socket of any kind, with TLS or without.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Any {}

impl<T: AsyncRead + AsyncWrite + Unpin + Any> Socket for T {}

/// A connection's socket.
pub(super) struct Transport {
    socket: Box<dyn Socket>,
    connection: Rc<Connection>,
    /// What has been read and not been taken.
    incoming: BytesMut,
    /// Runs once our half is closed.
    linger: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    pub(super) fn new(socket: Box<dyn Socket>, connection: Rc<Connection>) -> Self {
        Self { socket, connection, incoming: BytesMut::new(), linger: None }
    }

    pub(super) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// The socket, for what a user wants to know of it.
    pub(super) fn socket(&self) -> &dyn Any {
        &*self.socket
    }

    /// Reads whether the client begins with these bytes, and keeps them to be read. `false` also at the connection's end.
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

    /// What the client speaks is HTTP/2, and so is what has been read of it.
    pub(super) fn speaks_http2(&self) {
        self.connection.speaks_http2();
        self.connection.speech().received(&self.incoming);
    }

    /// Writes the frames of ours that are due, if they fit in here.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut speech = self.connection.speech();
        let Some(due) = speech.due() else { return Poll::Ready(Ok(())) };
        while !due.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(context, due))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            drop(due.split_to(written));
        }
        drop(speech);
        self.rest_if_done();
        Pin::new(&mut self.socket).poll_flush(context)
    }

    /// Looks at bytes that have been written.
    fn sent(&self, bytes: &[u8]) {
        self.connection.speech().sent(bytes);
        self.rest_if_done();
    }

    fn rest_if_done(&self) {
        if self.connection.speech().is_done() {
            self.connection.rest();
        }
    }

    /// Reads what nobody looks at.
    fn poll_bytes(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.incoming.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        self.take_incoming(buffer);
        Poll::Ready(Ok(()))
    }

    /// Reads what is not for us, and writes the frames of ours that are due.
    fn poll_frames(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Poll::Ready(Err(error)) = self.poll_due(context) {
                return Poll::Ready(Err(error));
            }
            if !self.incoming.is_empty() {
                return self.poll_bytes(context, buffer);
            }
            if !self.connection.speech().expects_answer() {
                let had = buffer.filled().len();
                ready!(self.poll_bytes(context, buffer))?;
                self.connection.speech().received(&buffer.filled()[had..]);
                self.rest_if_done();
                return Poll::Ready(Ok(()));
            }
            // An answer is followed by another word of ours, and may leave nothing for actix-http: once more.
            if !ready!(self.poll_answer(context))? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Reads from the socket what may be for us, and keeps the rest. `false` at its end.
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut read = [0; 4096];
        let mut read = ReadBuf::new(&mut read);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
        self.incoming = self.connection.speech().without_answer(read.filled());
        self.rest_if_done();
        Poll::Ready(Ok(!read.filled().is_empty()))
    }

    fn take_incoming(&mut self, buffer: &mut ReadBuf<'_>) {
        let taken = self.incoming.len().min(buffer.remaining());
        buffer.put_slice(&self.incoming.split_to(taken));
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let had = buffer.filled().len();
        let read = match this.connection.has_frames() {
            true => this.poll_frames(context, buffer),
            false => this.poll_bytes(context, buffer),
        };
        if this.connection.has_ended() {
            match read {
                Poll::Ready(Ok(())) if buffer.filled().len() > had => this.connection.goes_on(),
                Poll::Pending => return Poll::Ready(Ok(())),
                Poll::Ready(_) => {}
            }
        }
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.connection.has_frames() {
            return Pin::new(&mut this.socket).poll_write(context, bytes);
        }
        let mut bytes = bytes;
        let before = this.connection.speech().before_due(bytes);
        match before {
            Some(0) => {
                ready!(this.poll_due(context))?;
                if this.connection.speech().is_mute() {
                    return Poll::Ready(Ok(bytes.len()));
                }
            }
            Some(before) => bytes = &bytes[..before],
            None => {}
        }
        let written = ready!(Pin::new(&mut this.socket).poll_write(context, bytes))?;
        this.sent(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.speech().before_due(&[]).is_some() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(context, first.map_or(&[], |slice| slice));
        }
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.socket).poll_write_vectored(context, slices))?;
        let mut left = written;
        for slice in slices {
            let taken = left.min(slice.len());
            this.sent(&slice[..taken]);
            left -= taken;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.connection.has_frames() {
            ready!(this.poll_due(context))?;
        }
        ready!(Pin::new(&mut this.socket).poll_flush(context))?;
        this.connection.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.socket).poll_shutdown(context))?;
            if !this.connection.is_closing() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut discarded = [0; 4096];
        loop {
            let mut discarded = ReadBuf::new(&mut discarded);
            match Pin::new(&mut this.socket).poll_read(context, &mut discarded) {
                Poll::Ready(Ok(())) if !discarded.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return linger.as_mut().poll(context).map(Ok),
            }
        }
    }
}
