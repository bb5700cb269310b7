//! Socket for tests that does as little as it may: its reads and writes are short, and `Pending`
//! whenever it likes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Other side of the test socket.
#[derive(Default)]
pub(in crate::server) struct Wire {
    pub(in crate::server) incoming: VecDeque<u8>,
    pub(in crate::server) is_over: bool,
    pub(in crate::server) written: Vec<u8>,
    pub(in crate::server) is_shut: bool,
    pub(in crate::server) is_broken: bool,
    /// Counts of bytes that the wire takes or gives at a time; at a 0 it isn't ready. Once no count
    /// is left, it takes and gives all.
    pub(in crate::server) portions: VecDeque<usize>,
    /// Task that waits for more to read.
    reader: Option<Waker>,
}

impl Wire {
    pub(in crate::server) fn feed(&mut self, bytes: &[u8]) {
        self.incoming.extend(bytes);
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    pub(in crate::server) fn has_reader(&self) -> bool {
        self.reader.is_some()
    }

    pub(in crate::server) fn forget_reader(&mut self) {
        self.reader = None;
    }

    /// Returns the number of bytes, out of so many, that pass now.
    fn pass(&mut self, context: &Context<'_>, count: usize) -> Poll<usize> {
        match self.portions.pop_front() {
            Some(0) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(portion) => Poll::Ready(portion.min(count)),
            None => Poll::Ready(count),
        }
    }
}

/// Our side of the test socket.
#[derive(Clone, Default)]
pub(in crate::server) struct WireSocket(pub(in crate::server) Rc<RefCell<Wire>>);

impl crate::server::socket::Socket for WireSocket {
    fn tcp(&self) -> Option<&tokio::net::TcpStream> {
        None
    }
}

impl AsyncRead for WireSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        if wire.incoming.is_empty() {
            wire.reader = Some(context.waker().clone());
            return if wire.is_over { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let most = wire.incoming.len().min(buffer.remaining());
        wire.pass(context, most).map(|count| {
            wire.incoming.drain(..count).for_each(|byte| buffer.put_slice(&[byte]));
            Ok(())
        })
    }
}

impl AsyncWrite for WireSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.0.borrow_mut();
        if wire.is_broken {
            return Poll::Ready(Ok(0));
        }
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        wire.pass(context, bytes.len()).map(|count| {
            wire.written.extend_from_slice(&bytes[..count]);
            Ok(count)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().pass(context, 1).map(|_| Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        wire.pass(context, 1).map(|_| {
            wire.is_shut = true;
            Ok(())
        })
    }
}
