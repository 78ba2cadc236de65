//! A server that follows a script and keeps its own record, to be compared with what palier reports.
//!
//! It binds port 0, so that tests run side by side. A thread a connection, because threads sleep to within some
//! 10 µs where an async runtime's timer rounds to whole milliseconds, and answers must come when the script says.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How requests are answered.
#[must_use]
#[derive(Clone, Debug)]
pub(crate) struct Script {
    act: Act,
    /// By path, without its query.
    paths: BTreeMap<String, Act>,
    /// From the request of that number on, counted from 0, whatever the path.
    after: Option<(u64, Act)>,
    /// Answers wait that long, in turn.
    delays: Vec<Duration>,
    /// Counted from the first request: nothing is answered in this stretch.
    stall: Option<(Duration, Duration)>,
    /// The connection is closed after every answer, without a word.
    closes: bool,
}

/// What is done with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// It is answered; `{head}` in the body stands for the head of the request.
    Answer { status: u16, body: String },
    /// The same, that much later than the script has it.
    Late(Duration, String),
    /// It is read and never answered.
    Hang,
    /// The connection is closed in its place.
    Close,
    /// The connection is closed in the middle of the body.
    CloseInBody,
    /// The connection is reset.
    Reset,
    /// The listener is closed, and with it this connection: nothing is accepted any more.
    Refuse,
}

impl Script {
    /// Every request is answered at once with 200 and `{"ok":true}`.
    pub(crate) fn ok() -> Self {
        Self::all(Act::Answer { status: 200, body: r#"{"ok":true}"#.to_owned() })
    }

    /// That is done with every request.
    pub(crate) fn all(act: Act) -> Self {
        Self {
            act,
            paths: BTreeMap::new(),
            after: None,
            delays: vec![Duration::ZERO],
            stall: None,
            closes: false,
        }
    }

    /// Every request is answered with that status.
    pub(crate) fn status(status: u16) -> Self {
        Self::all(Act::Answer { status, body: r#"{"error":"on purpose"}"#.to_owned() })
    }

    pub(crate) fn path(mut self, path: &str, act: Act) -> Self {
        self.paths.insert(path.to_owned(), act);
        self
    }

    /// 200 with that body for that path.
    pub(crate) fn answers(self, path: &str, body: &str) -> Self {
        self.path(path, Act::Answer { status: 200, body: body.to_owned() })
    }

    pub(crate) fn after(mut self, requests: u64, act: Act) -> Self {
        self.after = Some((requests, act));
        self
    }

    pub(crate) fn delay(mut self, delay: Duration) -> Self {
        self.delays = vec![delay];
        self
    }

    /// Of every so many requests, exactly `share.0` wait for `share.1`, in an order drawn from the seed.
    pub(crate) fn delays(mut self, shares: &[(usize, Duration)], seed: u64) -> Self {
        self.delays = shares.iter().flat_map(|&(count, delay)| std::iter::repeat_n(delay, count)).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut self.delays);
        self
    }

    /// The connection is closed after every answer, without a word before.
    pub(crate) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// From `at` after the first request on, nothing is answered for `length`.
    pub(crate) fn stall(mut self, at: Duration, length: Duration) -> Self {
        self.stall = Some((at, at + length));
        self
    }
}

/// A running server. It stops when it is dropped.
pub(crate) struct Origin {
    addr: SocketAddr,
    shared: Arc<Shared>,
    events: Receiver<Event>,
}

struct Shared {
    script: Script,
    addr: SocketAddr,
    start: Instant,
    stopped: AtomicBool,
    connections: AtomicU64,
    requests: AtomicU64,
    /// Bytes of requests, and of answers.
    read: AtomicU64,
    written: AtomicU64,
    /// Nanoseconds from the start to the first request.
    first: AtomicU64,
}

enum Event {
    Opened { at: Duration },
    Closed { at: Duration },
    Request(Seen),
}

/// A request as the server saw it. Times count from the server's start.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// The request line and the headers.
    pub(crate) head: String,
    /// When all of it had been read.
    pub(crate) at: Duration,
    /// From then until its answer was about to be written; of one that was never answered, until the client left.
    pub(crate) hold: Duration,
    pub(crate) is_answered: bool,
}

/// All that the server saw.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) requests: Vec<Seen>,
    /// When connections were opened and closed.
    opened: Vec<Duration>,
    closed: Vec<Duration>,
}

impl Record {
    /// Requests of that method and path: `GET /`.
    pub(crate) fn count(&self, request: &str) -> u64 {
        let is = |seen: &&Seen| format!("{} {}", seen.method, seen.path) == request;
        self.requests.iter().filter(is).count() as u64
    }

    /// When the first request of that path came.
    pub(crate) fn first(&self, path: &str) -> Duration {
        let times = self.requests.iter().filter(|seen| seen.path == path).map(|seen| seen.at);
        times.min().expect("a request of that path")
    }

    /// Connections that were open at a moment, counted from the server's start.
    pub(crate) fn open_at(&self, at: Duration) -> u64 {
        let until = |times: &[Duration]| times.iter().filter(|&&time| time <= at).count() as u64;
        until(&self.opened) - until(&self.closed)
    }

    /// How long answered requests were held, at rank ceil(q·n), in milliseconds.
    pub(crate) fn hold(&self, q: f64) -> f64 {
        let answered = self.requests.iter().filter(|seen| seen.is_answered);
        let mut holds: Vec<Duration> = answered.map(|seen| seen.hold).collect();
        holds.sort();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among some thousand"
        )]
        let rank = (q * holds.len() as f64).ceil() as usize;
        holds[rank.max(1) - 1].as_secs_f64() * 1e3
    }
}

impl Origin {
    /// Starts a server; it listens when this returns.
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (sender, events) = channel();
        let shared = Arc::new(Shared {
            script,
            addr,
            start: Instant::now(),
            stopped: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            first: AtomicU64::new(u64::MAX),
        });
        let own = Arc::clone(&shared);
        spawn("origin", move || accept(&listener, &own, &sender));
        Self { addr, shared, events }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Bytes read so far, and bytes of answers written.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.shared.read.load(Ordering::Relaxed), self.shared.written.load(Ordering::Relaxed))
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Stops, and hands the record over once every connection is closed.
    pub(crate) fn record(self) -> Record {
        self.shared.stop();
        let mut record = Record::default();
        // The threads hold the senders: the channel ends with the last of them.
        while let Ok(event) = self.events.recv_timeout(Duration::from_secs(10)) {
            match event {
                Event::Opened { at } => record.opened.push(at),
                Event::Closed { at } => record.closed.push(at),
                Event::Request(seen) => record.requests.push(seen),
            }
        }
        record
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Shared {
    fn stop(&self) {
        if !self.stopped.swap(true, Ordering::Relaxed) {
            // Wakes whoever waits for a connection; if nobody does, there is nobody to wake.
            let _ = TcpStream::connect(self.addr);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// When a request that came at `at` may be answered.
    fn answer_at(&self, number: u64, at: Duration, act: &Act) -> Duration {
        let first = self.first.fetch_min(nanos(at), Ordering::Relaxed).min(nanos(at));
        let delays = &self.script.delays;
        let index = usize::try_from(number).expect("fewer requests than that") % delays.len();
        let mut due = at + delays[index];
        if let Act::Late(more, _) = act {
            due += *more;
        }
        if let Some((from, to)) = self.script.stall {
            let first = Duration::from_nanos(first);
            if due >= first + from && due < first + to {
                due = first + to;
            }
        }
        due
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("less than 584 years")
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    let builder = std::thread::Builder::new().name(name.to_owned()).stack_size(128 * 1024);
    builder.spawn(work).expect("a thread");
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, events: &Sender<Event>) {
    for stream in listener.incoming() {
        if shared.is_stopped() {
            return;
        }
        let Ok(stream) = stream else { continue };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let (shared, events) = (Arc::clone(shared), events.clone());
        spawn("connection", move || {
            // The record may be gone, and with it the wish to fill it.
            let _ = events.send(Event::Opened { at: shared.start.elapsed() });
            let _ = converse(stream, &shared, &events);
            let _ = events.send(Event::Closed { at: shared.start.elapsed() });
        });
    }
}

/// Serves one connection until either side ends it.
fn converse(mut stream: TcpStream, shared: &Shared, events: &Sender<Event>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // To see now and then whether the server was stopped.
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut read = Vec::new();
    loop {
        if matches!(shared.script.act, Act::Reset) {
            // Closed with a request in it that nobody read, a socket is reset.
            while !shared.is_stopped() && !is_ready(&stream)? {}
            shared.requests.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let Some(head) = read_request(&mut stream, &mut read, shared)? else { return Ok(()) };
        let at = shared.start.elapsed();
        let number = shared.requests.fetch_add(1, Ordering::Relaxed);
        let mut words = head.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        let script = &shared.script;
        let act = match &script.after {
            Some((requests, act)) if number >= *requests => act,
            Some(_) | None => script.paths.get(&path).unwrap_or(&script.act),
        };
        sleep_until(shared.start + shared.answer_at(number, at, act));
        let mut seen = Seen {
            method,
            path,
            head: head.clone(),
            at,
            hold: shared.start.elapsed().saturating_sub(at),
            is_answered: true,
        };
        let goes_on = match act {
            Act::Answer { status, body } => {
                answer(&mut stream, shared, *status, &body.replace("{head}", &quoted(&head)))
            }
            Act::Late(_, body) => answer(&mut stream, shared, 200, body),
            Act::CloseInBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":")?;
                false
            }
            Act::Hang => {
                while !shared.is_stopped() && !is_ready(&stream)? {}
                false
            }
            Act::Refuse => {
                shared.stop();
                false
            }
            Act::Close | Act::Reset => false,
        };
        seen.is_answered = matches!(act, Act::Answer { .. } | Act::Late(..));
        if !seen.is_answered {
            seen.hold = shared.start.elapsed().saturating_sub(at);
        }
        // The record may be gone, and with it the wish to fill it.
        let _ = events.send(Event::Request(seen));
        if !goes_on || script.closes {
            return Ok(());
        }
    }
}

/// Whether there is something to read, or the client has gone; looks for as long as the read timeout.
fn is_ready(stream: &TcpStream) -> io::Result<bool> {
    match stream.peek(&mut [0]) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The head of the next request, its body read and thrown away; `None` when there is none any more.
fn read_request(stream: &mut TcpStream, read: &mut Vec<u8>, shared: &Shared) -> io::Result<Option<String>> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let length = head.to_ascii_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length:").and_then(|value| value.trim().parse().ok())
            });
            let whole = end + 4 + length.unwrap_or(0_usize);
            if read.len() >= whole {
                read.drain(..whole);
                return Ok(Some(head));
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(n) => {
                shared.read.fetch_add(n as u64, Ordering::Relaxed);
                read.extend_from_slice(&buffer[..n]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if shared.is_stopped() {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the connection can be kept.
fn answer(stream: &mut TcpStream, shared: &Shared, status: u16, body: &str) -> bool {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    shared.written.fetch_add(text.len() as u64, Ordering::Relaxed);
    stream.write_all(text.as_bytes()).is_ok()
}

/// As the content of a JSON string.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace("\r\n", "\\n")
}

/// Sleeps for most of the time and spins for the rest, because a sleep ends late by the kernel's timer slack.
fn sleep_until(due: Instant) {
    const SPIN: Duration = Duration::from_micros(120);
    std::thread::sleep(due.saturating_duration_since(Instant::now()).saturating_sub(SPIN));
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}
