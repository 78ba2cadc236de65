//! A server that answers each request as a test tells it to, whatever a well-behaved server would say.

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
}

impl Asked {
    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let named = |line: &&str| line.split(':').next().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let line = self.head.lines().skip(1).find(named);
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }
}

/// What is written.
pub(crate) struct Reply(Vec<u8>);

impl Reply {
    /// An answer with that status and body, and headers each ending in a line break.
    pub(crate) fn with(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
        Self([head.as_bytes(), body].concat())
    }

    /// 200 with that body.
    pub(crate) fn ok(body: &str) -> Self {
        Self::with("200 OK", "", body.as_bytes())
    }
}

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
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            stopped: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let (own, manner) = (shared.clone(), Arc::new(manner));
        spawn(move || {
            for stream in listener.incoming() {
                if own.is_stopped() {
                    return;
                }
                let Ok(stream) = stream else { continue };
                own.connections.fetch_add(1, Ordering::Relaxed);
                let (shared, manner) = (own.clone(), manner.clone());
                spawn(move || {
                    // To see now and then whether the server was stopped; clients come and go as they like.
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
                    let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
                    let _ = stream.set_nodelay(true);
                    let _ = converse(stream, &*manner, &shared);
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

fn converse(mut stream: TcpStream, manner: &impl Fn(&Asked) -> Reply, shared: &Shared) -> io::Result<()> {
    let mut read = Vec::new();
    while let Some(asked) = read_request(&mut stream, &mut read, shared)? {
        shared.requests.fetch_add(1, Ordering::Relaxed);
        stream.write_all(&manner(&asked).0)?;
    }
    Ok(())
}

/// The next request; `None` when there is none any more.
fn read_request(stream: &mut TcpStream, read: &mut Vec<u8>, shared: &Shared) -> io::Result<Option<Asked>> {
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
            };
            let length: usize = asked.header("content-length").parse().unwrap_or(0);
            if read.len() >= end + 4 + length {
                asked.body = String::from_utf8_lossy(&read[end + 4..end + 4 + length]).into_owned();
                read.drain(..end + 4 + length);
                return Ok(Some(asked));
            }
        }
        match stream.read(&mut buffer) {
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
