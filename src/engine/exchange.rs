//! One request and its answer.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use hyper::client::conn::http1::SendRequest;

use super::connect::{Trouble, of_io};
use super::connection::{Awake, Connection};
use super::payload::Payload;
use super::wire::Meter;
use crate::metrics::Timings;
use crate::words::ErrorKind;

/// The most of a body that is kept for checks and captures.
pub(super) const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// An answer; its body is empty where nobody wanted it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The connection had been closed before anything was sent: the request may be sent on another one.
    NotSent,
    /// Something went wrong on the way.
    Broken {
        trouble: Trouble,
        /// Of the answer whose head came, but whose body did not come whole.
        status: Option<u16>,
    },
}

/// Sends the request and reads the whole answer, and keeps its body if it is wanted. A request that could not be sent
/// is put back.
pub(super) async fn exchange(
    connection: &mut Connection,
    request: &mut Option<http::Request<Payload>>,
    wants_body: bool,
) -> Result<Answer, Failed> {
    connection.requests += 1;
    let Awake { sender, driver } =
        connection.awake().await.map_err(|trouble| Failed::Broken { trouble, status: None })?;
    let mut talk = pin!(talk(sender, request, wants_body));
    poll_fn(|cx| driver.poll(cx, talk.as_mut())).await
}

async fn talk(
    sender: &mut SendRequest<Payload>,
    request: &mut Option<http::Request<Payload>>,
    wants_body: bool,
) -> Result<Answer, Failed> {
    let sent = sender.try_send_request(request.take().expect("invariant: there is one to send"));
    let response = match sent.await {
        Ok(response) => response,
        Err(mut error) => {
            *request = error.take_message();
            return Err(match request {
                Some(_) => Failed::NotSent,
                None => Failed::Broken { trouble: of_hyper(error.error()), status: None },
            });
        }
    };
    let (head, mut incoming) = response.into_parts();
    let status = head.status.as_u16();
    // What a server says of its error is worth showing, also where no check asks for the body.
    let wants_body = wants_body || status >= 400;
    let mut body = Body::default();
    // Where the length is known, the last byte of the body is its end: nothing more need be waited for.
    while !incoming.is_end_stream()
        && let Some(frame) = incoming.frame().await
    {
        match frame {
            Ok(frame) => {
                if wants_body && let Ok(data) = frame.into_data() {
                    if body.len() + data.len() > LARGEST_BODY {
                        let message =
                            format!("the body is larger than the {LARGEST_BODY} bytes that checks read");
                        let trouble = Trouble::new(ErrorKind::TooLarge, message);
                        return Err(Failed::Broken { trouble, status: Some(status) });
                    }
                    body.push(data);
                }
            }
            Err(error) => return Err(Failed::Broken { trouble: of_hyper(&error), status: Some(status) }),
        }
    }
    Ok(Answer { status, headers: head.headers, body: body.whole() })
}

/// A body as it comes in. Most come in one piece, which is taken as it is; only of several one is made.
#[derive(Debug, Default)]
struct Body {
    first: Bytes,
    /// The first piece, too, once there is a second.
    all: Vec<u8>,
}

impl Body {
    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() {
            self.first = piece;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&piece);
    }

    fn whole(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.into() }
    }
}

/// What an error of the HTTP layer is called in reports.
fn of_hyper(error: &hyper::Error) -> Trouble {
    let mut cause = error.source();
    while let Some(source) = cause {
        if let Some(io) = source.downcast_ref::<io::Error>() {
            return of_io(io, "connection");
        }
        cause = source.source();
    }
    if error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
        || error.is_body_write_aborted()
    {
        return Trouble::new(
            ErrorKind::ClosedEarly,
            "the connection was closed before the answer was complete",
        );
    }
    if error.is_parse_too_large() {
        return Trouble::new(ErrorKind::TooLarge, "the head of the answer is too large");
    }
    let detail = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Trouble::new(ErrorKind::Protocol, format!("the answer is not HTTP/1.1 ({error}{detail})"))
}

/// When the parts of a request began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch {
    /// A connection was wanted.
    pub(super) wanted: Instant,
    /// It was there.
    pub(super) ready: Instant,
    pub(super) connecting: Duration,
    pub(super) tls_handshaking: Duration,
}

impl Stopwatch {
    /// For a request on a kept connection, where nothing had to be waited for.
    pub(super) fn start(now: Instant) -> Self {
        Self { wanted: now, ready: now, connecting: Duration::ZERO, tls_handshaking: Duration::ZERO }
    }

    /// The times of an answered request, as the socket saw them.
    pub(super) fn answered(&self, meter: &Meter) -> Timings {
        self.until(meter, meter.last_read.get())
    }

    /// The age of a request that is given up now: a lower bound of what it would have taken.
    pub(super) fn given_up(&self, meter: &Meter, now: Instant) -> Timings {
        Timings { lower_bound: true, ..self.until(meter, now) }
    }

    fn until(&self, meter: &Meter, end: Instant) -> Timings {
        // Each part begins where the one before it ended, so that they add up, also where a server answers
        // before it has read the whole request.
        let written = meter.written.get().max(self.ready);
        let first_read = meter.first_read.get().unwrap_or(end).max(written);
        let end = end.max(first_read);
        Timings {
            blocked: self.ready - self.wanted,
            connecting: self.connecting,
            tls_handshaking: self.tls_handshaking,
            sending: written - self.ready,
            waiting: first_read - written,
            receiving: end - first_read,
            corrected: None,
            lower_bound: false,
        }
    }
}
