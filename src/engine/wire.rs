//! The socket, with a clock on it.
//!
//! Times are taken where bytes are written and read, not where a task of ours happens to be woken for them:
//! what waits in a queue of ours is no time of the target's. Bytes are counted here too, as they are on the
//! wire. Under TLS the two come apart: bytes are counted below it, and the clock sits above it, because a
//! session ticket that arrives while the answer is awaited is no first byte of the answer.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What happened on one connection since the last request began. Shared by the connection's two owners, the
/// task that drives it and the virtual user, which are on one thread.
#[derive(Debug)]
pub(super) struct Meter {
    /// When the last byte so far was written.
    pub(super) written: Cell<Instant>,
    /// When the first byte since [`Meter::begin`] was read.
    pub(super) first_read: Cell<Option<Instant>>,
    /// When the last byte so far was read, or the end of the stream.
    pub(super) last_read: Cell<Instant>,
    sent: Cell<u64>,
    received: Cell<u64>,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Rc<Self> {
        Rc::new(Self {
            written: Cell::new(now),
            first_read: Cell::new(None),
            last_read: Cell::new(now),
            sent: Cell::new(0),
            received: Cell::new(0),
        })
    }

    /// Begins a new request.
    pub(super) fn begin(&self, now: Instant) {
        self.written.set(now);
        self.first_read.set(None);
    }

    /// Takes the bytes written and read since the last time.
    pub(super) fn take_bytes(&self) -> (u64, u64) {
        (self.sent.take(), self.received.take())
    }
}

/// What a [`Metered`] stream takes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measures {
    /// Bytes and times.
    Both,
    /// Bytes only: below TLS.
    Bytes,
    /// Times only: above TLS.
    Times,
}

/// A stream whose reads and writes are metered.
#[derive(Debug)]
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) meter: Rc<Meter>,
    pub(super) measures: Measures,
}

impl<S> Metered<S> {
    fn wrote(&self, bytes: usize) {
        let meter = &self.meter;
        if self.measures != Measures::Bytes {
            meter.written.set(Instant::now());
        }
        if self.measures != Measures::Times {
            meter.sent.set(meter.sent.get() + bytes as u64);
        }
    }

    fn read(&self, bytes: usize) {
        let meter = &self.meter;
        if self.measures != Measures::Bytes {
            let now = Instant::now();
            if bytes > 0 && meter.first_read.get().is_none() {
                meter.first_read.set(Some(now));
            }
            meter.last_read.set(now);
        }
        if self.measures != Measures::Times {
            meter.received.set(meter.received.get() + bytes as u64);
        }
    }
}

/// The size of requests up to which head and body are copied together and handed to the kernel as one piece. Larger
/// ones are not copied.
const COPIED: usize = 1024;

/// The bytes of all the slices one after the other, if they have room there.
fn gather<'a>(slices: &[io::IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut end = 0;
    for slice in slices {
        let start = end;
        end += slice.len();
        room.get_mut(start..end)?.copy_from_slice(slice);
    }
    room.get(..end)
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.read(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.wrote(bytes);
        Poll::Ready(Ok(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        // `send` is a shorter way through the kernel than `writev`.
        let written = match bufs {
            [one] => stream.poll_write(cx, one),
            several => {
                let mut room = [0; COPIED];
                match gather(several, &mut room) {
                    Some(bytes) => stream.poll_write(cx, bytes),
                    None => stream.poll_write_vectored(cx, bufs),
                }
            }
        };
        let bytes = ready!(written)?;
        self.wrote(bytes);
        Poll::Ready(Ok(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
