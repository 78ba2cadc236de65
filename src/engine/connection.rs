//! A connection of one virtual user, awake while it is talked over and asleep in long pauses.
//!
//! hyper keeps about 30 KiB with every connection: a buffer to read into, one to write from, and room for 32 requests,
//! all of which it ends up touching. A user who pauses needs none of it. So for a long pause the connection is taken
//! apart, and only its stream is kept; for the next request hyper gets the stream anew, with buffers of
//! its own, and no byte goes over the wire for it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::connect::Trouble;
use super::driver::Driver;
use super::payload::Payload;
use super::wire::{Meter, Metered};
use crate::reach::{Duplex, Seat};
use crate::words::ErrorKind;

/// A pause from this length on is worth it.
pub(super) const LONG_PAUSE: Duration = Duration::from_millis(100);

/// What bytes go through, metered.
pub(super) enum Stream {
    Plain(Metered<TcpStream>),
    /// Boxed, because it is ten times as large.
    Tls(Box<Metered<TlsStream<Metered<TcpStream>>>>),
    /// Opened by somebody else.
    Handed(Metered<Box<dyn Duplex>>),
}

/// A connection of one virtual user. Dropping it closes it, whatever is still under way on it.
pub(super) struct Connection {
    state: State,
    pub(super) meter: Rc<Meter>,
    pub(super) opened: Instant,
    /// When it is to be closed, once nothing is under way on it.
    pub(super) expires: Option<Instant>,
    pub(super) requests: u64,
    /// Its place at one of several servers, where somebody else opened its stream.
    seat: Option<Box<dyn Seat>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.sent(self.requests);
        }
    }
}

enum State {
    Awake(Awake),
    Asleep(TokioIo<Stream>),
    /// It could not be woken, or what it was asleep with was lost: closed.
    Closed,
}

/// What a request is made with: the sender, and the driver that has to be polled together with it.
pub(super) struct Awake {
    pub(super) sender: http1::SendRequest<Payload>,
    pub(super) driver: Driver<http1::Connection<TokioIo<Stream>, Payload>>,
}

impl Awake {
    async fn over(stream: TokioIo<Stream>) -> Result<Self, Trouble> {
        let (sender, connection) = (http1::Builder::new().handshake(stream).await)
            .map_err(|error| Trouble::new(ErrorKind::Protocol, error.to_string()))?;
        Ok(Self { sender, driver: Driver::new(connection) })
    }
}

impl Connection {
    /// A new connection over a stream that is ready for it.
    pub(super) async fn over(
        stream: Stream,
        meter: Rc<Meter>,
        opened: Instant,
        seat: Option<Box<dyn Seat>>,
    ) -> Result<Self, Trouble> {
        let state = State::Awake(Awake::over(TokioIo::new(stream)).await?);
        Ok(Self { state, meter, opened, expires: None, requests: 0, seat })
    }

    /// Whether requests had better go over another one.
    pub(super) fn is_wanted_elsewhere(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.is_wanted_elsewhere())
    }

    /// Says that it broke in the middle of something.
    pub(super) fn broke(&self) {
        if let Some(seat) = &self.seat {
            seat.broke();
        }
    }

    /// Whether, as far as is known, a request may be sent on it.
    pub(super) fn is_open(&self) -> bool {
        match &self.state {
            State::Awake(awake) => !awake.sender.is_closed(),
            State::Asleep(_) => true,
            State::Closed => false,
        }
    }

    /// Wakes it where it was asleep.
    pub(super) async fn awake(&mut self) -> Result<&mut Awake, Trouble> {
        if let State::Asleep(_) = self.state
            && let State::Asleep(stream) = std::mem::replace(&mut self.state, State::Closed)
        {
            self.state = State::Awake(Awake::over(stream).await?);
        }
        match &mut self.state {
            State::Awake(awake) => Ok(awake),
            State::Asleep(_) | State::Closed => {
                Err(Trouble::new(ErrorKind::ClosedEarly, "the connection is closed"))
            }
        }
    }

    /// Lets it sleep, unless something is still under way on it, or it is about to be closed.
    pub(super) fn sleep(&mut self) {
        let is_idle = matches!(&self.state, State::Awake(awake) if awake.sender.is_ready());
        if is_idle && let State::Awake(awake) = std::mem::replace(&mut self.state, State::Closed) {
            let parts = awake.driver.into_inner().map(http1::Connection::into_parts);
            // What the target sent without being asked for would be lost: such a connection is of no use.
            if let Some(parts) = parts.filter(|parts| parts.read_buf.is_empty()) {
                self.state = State::Asleep(parts.io);
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Handed(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Handed(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Handed(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Handed(stream) => stream.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            // A socket keeps nothing back.
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Handed(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Handed(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
