//! A port-forward as a stream of bytes: the channels of Kubernetes' WebSocket protocol `v4.channel.k8s.io`.
//!
//! Each message begins with the number of its channel: 0 for data, 1 for what went wrong at the pod's end. The first
//! message of either holds the port, two bytes, and says nothing more. Whoever reads and writes here drives the
//! WebSocket itself: no task stands between it and the socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};

const DATA: u8 = 0;
const ERROR: u8 = 1;

/// The most that one message carries.
const LARGEST: usize = 64 * 1024;

/// The data channel of a port-forward.
pub(super) struct Socket<S> {
    channel: WebSocketStream<S>,
    /// What was received and not read yet.
    unread: Bytes,
    /// Whether the first message of a channel has come, by channel.
    is_begun: [bool; 2],
    is_over: bool,
    /// Whether a ping goes out with the next bytes.
    is_pinging: bool,
    /// When it did, until it is answered.
    pinged: Option<Instant>,
    /// Told of the time that a ping took.
    on_pong: Box<dyn Fn(Duration) + Send>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Begins to talk over a WebSocket, and sends a ping with the first bytes. The answer comes from the other end of
    /// the WebSocket, which is the kubelet of the pod's node: that is the round trip that palier's own path adds.
    pub(super) fn new(channel: WebSocketStream<S>, on_pong: impl Fn(Duration) + Send + 'static) -> Self {
        let mut own = Self {
            channel,
            unread: Bytes::new(),
            is_begun: [false; 2],
            is_over: false,
            is_pinging: false,
            pinged: None,
            on_pong: Box::new(on_pong),
        };
        // Without an answer there is no figure, and no harm.
        let ping = Message::Ping(Bytes::from_static(b"palier"));
        own.is_pinging = Pin::new(&mut own.channel).start_send(ping).is_ok();
        own
    }

    /// Takes in a message; an error is what the node says of the pod.
    fn take(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Binary(mut bytes) if !bytes.is_empty() => {
                let channel = bytes.split_to(1)[0];
                let Some(is_begun) = self.is_begun.get_mut(usize::from(channel)) else { return Ok(()) };
                if !std::mem::replace(is_begun, true) {
                    return Ok(());
                }
                match channel {
                    ERROR if !bytes.is_empty() => return Err(of_pod(&String::from_utf8_lossy(&bytes))),
                    DATA => self.unread = bytes,
                    _ => {}
                }
            }
            Message::Pong(_) => {
                if let Some(pinged) = self.pinged.take() {
                    (self.on_pong)(pinged.elapsed());
                }
            }
            Message::Close(_) => self.is_over = true,
            Message::Binary(_) | Message::Text(_) | Message::Ping(_) | Message::Frame(_) => {}
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let own = &mut *self;
        while own.unread.is_empty() && !own.is_over {
            match ready!(Pin::new(&mut own.channel).poll_next(cx)) {
                Some(Ok(message)) => own.take(message)?,
                Some(Err(error)) => return Poll::Ready(Err(of_way(error))),
                None => own.is_over = true,
            }
        }
        let n = own.unread.len().min(buf.remaining());
        buf.put_slice(&own.unread.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(Pin::new(&mut self.channel).poll_ready(cx)).map_err(of_way)?;
        let bytes = &buf[..buf.len().min(LARGEST)];
        let mut message = Vec::with_capacity(bytes.len() + 1);
        message.push(DATA);
        message.extend_from_slice(bytes);
        Pin::new(&mut self.channel).start_send(Message::binary(message)).map_err(of_way)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.is_pinging) {
            self.pinged = Some(Instant::now());
        }
        Pin::new(&mut self.channel).poll_flush(cx).map_err(of_way)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The whole WebSocket ends: the protocol has no way to end one direction.
        Pin::new(&mut self.channel).poll_close(cx).map_err(of_way)
    }
}

/// What the node of a pod says went wrong between it and the pod.
fn of_pod(text: &str) -> io::Error {
    let kind = if text.contains("connection refused") {
        io::ErrorKind::ConnectionRefused
    } else if text.contains("timed out") || text.contains("i/o timeout") {
        io::ErrorKind::TimedOut
    } else if text.contains("EOF") {
        io::ErrorKind::UnexpectedEof
    } else {
        io::ErrorKind::ConnectionReset
    };
    io::Error::new(kind, format!("at the pod: {}", text.trim()))
}

/// What went wrong on the way to the node of a pod.
fn of_way(error: tungstenite::Error) -> io::Error {
    let text = format!("the port-forward through the API server broke: {error}");
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else there is breaks the forward")]
    match error {
        tungstenite::Error::Io(error) => io::Error::new(error.kind(), text),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            io::Error::new(io::ErrorKind::BrokenPipe, text)
        }
        _ => io::Error::new(io::ErrorKind::ConnectionReset, text),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// Both ends of a forward, and where round trips are told.
    async fn ends() -> (Socket<DuplexStream>, WebSocketStream<DuplexStream>, mpsc::Receiver<Duration>) {
        let (near, far) = tokio::io::duplex(1 << 20);
        let near = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let mut far = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
        for channel in [DATA, ERROR] {
            send(&mut far, &[channel, 0x88, 0x13]).await;
        }
        let (pongs, told) = mpsc::channel();
        (Socket::new(near, move |took| pongs.send(took).unwrap()), far, told)
    }

    async fn send(far: &mut WebSocketStream<DuplexStream>, bytes: &[u8]) {
        use futures_util::SinkExt as _;
        far.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// The next message that is no ping; that one is answered.
    async fn received(far: &mut WebSocketStream<DuplexStream>) -> Vec<u8> {
        loop {
            let next = std::future::poll_fn(|cx| Pin::new(&mut *far).poll_next(cx)).await;
            if let Message::Binary(bytes) = next.unwrap().unwrap() {
                return bytes.to_vec();
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn bytes_go_both_ways_and_the_round_trip_is_told() {
        let (mut near, mut far, told) = ends().await;
        near.write_all(b"GET /").await.unwrap();
        near.flush().await.unwrap();
        assert_eq!(received(&mut far).await, b"\0GET /");
        send(&mut far, b"\0HTTP/1.1 ").await;
        send(&mut far, b"\x00200").await;
        let mut bytes = [0; 12];
        near.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"HTTP/1.1 200");
        assert_eq!(told.try_iter().count(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_goes_wrong_at_the_pod_has_its_kind() {
        for (said, kind) in [
            ("error forwarding port 5000: connect: connection refused", io::ErrorKind::ConnectionRefused),
            ("error forwarding port 5000: lost connection to pod", io::ErrorKind::ConnectionReset),
        ] {
            let (mut near, mut far, _) = ends().await;
            send(&mut far, [&[ERROR], said.as_bytes()].concat().as_slice()).await;
            let error = near.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_end_is_an_end_and_a_break_is_a_break() {
        let (mut near, mut far, _) = ends().await;
        far.close(None).await.unwrap();
        assert_eq!(near.read(&mut [0; 9]).await.unwrap(), 0);
        let (mut near, far, _) = ends().await;
        drop(far);
        let error = near.read(&mut [0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    }
}
