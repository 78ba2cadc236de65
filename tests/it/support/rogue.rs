//! A server that writes what a test tells it to, byte for byte, and so may do anything that servers do.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A request as it came.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
    /// The number of the request on its connection, from 0.
    pub(crate) nth: u64,
}

impl Asked {
    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let named = |line: &&str| line.split(':').next().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let line = self.head.lines().skip(1).find(named);
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }
}

/// What is written, and what is done after it.
pub(crate) struct Reply(pub(crate) Vec<u8>, pub(crate) Then);

/// What is done after a reply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// The next request is waited for.
    Keep,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more is written or read, and nothing closed, until the client goes.
    Hang,
    /// One more byte, again and again after that time.
    Drip(Duration),
    /// These bytes, again and again.
    Endless(&'static [u8]),
    /// Nothing is sent, and the connection is closed after that time.
    CloseAfter(Duration),
}

impl Reply {
    /// An answer with that status and body, and headers each ending in a line break.
    pub(crate) fn with(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
        Self([head.as_bytes(), body].concat(), Then::Keep)
    }

    /// 200 with that body.
    pub(crate) fn ok(body: &str) -> Self {
        Self::with("200 OK", "", body.as_bytes())
    }

    /// These bytes.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>, then: Then) -> Self {
        Self(bytes.into(), then)
    }
}

/// How connections are made safe, or not: turns what was accepted into what is talked over.
pub(crate) trait Wrap: Fn(TcpStream) -> Option<Box<dyn Talk>> + Send + Sync + 'static {}

impl<F: Fn(TcpStream) -> Option<Box<dyn Talk>> + Send + Sync + 'static> Wrap for F {}

/// What is talked over.
pub(crate) trait Talk: Read + Write {}

impl<T: Read + Write> Talk for T {}

/// A running server; it takes no more connections once it is dropped.
pub(crate) struct Rogue {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    stopped: AtomicBool,
    requests: AtomicU64,
    connections: AtomicU64,
}

impl Rogue {
    /// Starts one that does as told with each request.
    pub(crate) fn start(manner: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(manner, |stream: TcpStream| Some(Box::new(stream) as Box<dyn Talk>))
    }

    /// The same over what `wrap` makes of a connection.
    pub(crate) fn with(manner: impl Fn(&Asked) -> Reply + Send + Sync + 'static, wrap: impl Wrap) -> Self {
        Self::listen(move |stream, shared| {
            let Ok(plain) = stream.try_clone() else { return Ok(()) };
            let Some(mut talk) = wrap(stream) else { return Ok(()) };
            converse(&mut *talk, &plain, &manner, shared)
        })
    }

    /// Starts one that does so with each connection, whatever comes.
    pub(crate) fn greeting(bytes: Vec<u8>, then: Then) -> Self {
        Self::listen(move |mut stream, shared| {
            stream.write_all(&bytes)?;
            let plain = stream.try_clone()?;
            finish(&mut stream, &plain, then, shared).map(drop)
        })
    }

    fn listen(serve: impl Fn(TcpStream, &Shared) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            stopped: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let (own, serve) = (shared.clone(), Arc::new(serve));
        spawn(move || {
            for stream in listener.incoming() {
                if own.is_stopped() {
                    return;
                }
                let Ok(stream) = stream else { continue };
                own.connections.fetch_add(1, Ordering::Relaxed);
                let (shared, serve) = (own.clone(), serve.clone());
                spawn(move || {
                    // To see now and then whether the server was stopped; clients come and go as they like.
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
                    let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
                    let _ = stream.set_nodelay(true);
                    let _ = serve(stream, &shared);
                });
            }
        });
        Self { addr, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Connections so far, that of a look before the load included.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes whoever waits for a connection; if nobody does, there is nobody to wake.
        let _ = TcpStream::connect(self.addr);
    }
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 * 1024).spawn(work).expect("a thread");
}

fn converse(
    talk: &mut dyn Talk,
    plain: &TcpStream,
    manner: &impl Fn(&Asked) -> Reply,
    shared: &Shared,
) -> io::Result<()> {
    let mut read = Vec::new();
    for nth in 0.. {
        let Some(asked) = read_request(talk, &mut read, nth, shared)? else { return Ok(()) };
        shared.requests.fetch_add(1, Ordering::Relaxed);
        let Reply(bytes, then) = manner(&asked);
        talk.write_all(&bytes)?;
        talk.flush()?;
        if !finish(talk, plain, then, shared)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Does what follows a reply; whether the connection goes on.
fn finish(talk: &mut dyn Talk, plain: &TcpStream, then: Then, shared: &Shared) -> io::Result<bool> {
    match then {
        Then::Keep => return Ok(true),
        Then::Close => {}
        Then::Reset => {
            rustix::net::sockopt::set_socket_linger(plain, Some(Duration::ZERO))?;
        }
        Then::Hang => while !shared.is_stopped() && !has_gone(talk)? {},
        Then::Drip(pause) => {
            while !shared.is_stopped() {
                std::thread::sleep(pause);
                talk.write_all(b"x")?;
            }
        }
        Then::Endless(bytes) => {
            while !shared.is_stopped() {
                talk.write_all(bytes)?;
            }
        }
        Then::CloseAfter(time) => std::thread::sleep(time),
    }
    Ok(false)
}

/// Whether the client has gone; waits for as long as the read timeout.
fn has_gone(talk: &mut dyn Talk) -> io::Result<bool> {
    match talk.read(&mut [0; 1024]) {
        Ok(0) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The next request; `None` when there is none any more.
fn read_request(
    talk: &mut dyn Talk,
    read: &mut Vec<u8>,
    nth: u64,
    shared: &Shared,
) -> io::Result<Option<Asked>> {
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let mut asked = Asked {
                method: method.to_owned(),
                path: path.to_owned(),
                head: head.clone(),
                body: String::new(),
                nth,
            };
            let length: usize = asked.header("content-length").parse().unwrap_or(0);
            if read.len() >= end + 4 + length {
                asked.body = String::from_utf8_lossy(&read[end + 4..end + 4 + length]).into_owned();
                read.drain(..end + 4 + length);
                return Ok(Some(asked));
            }
        }
        match talk.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(n) => read.extend_from_slice(&buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if shared.is_stopped() {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
}
