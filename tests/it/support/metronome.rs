//! A server whose answers come when they are due, to within some microseconds.
//!
//! One thread that hardly sleeps: it reads what has come, answers what is due, and looks again. A thread that sleeps
//! until something comes wakes up late by what the kernel takes to wake it, and a server that is late cannot tell who
//! else is. It keeps its own record of how long it held each request.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// By path, how long requests are held, in turn.
pub(crate) type Holds = BTreeMap<&'static str, Vec<Duration>>;

/// Of so many requests, exactly `share.0` are held for `share.1`, in an order drawn from the seed.
pub(crate) fn shares(shares: &[(usize, Duration)], seed: u64) -> Vec<Duration> {
    let mut holds: Vec<Duration> =
        shares.iter().flat_map(|&(count, hold)| std::iter::repeat_n(hold, count)).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut holds);
    holds
}

/// A running server, on the second processor. It stops when it is dropped.
pub(crate) struct Metronome {
    addr: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<Record>>,
}

/// How long requests were really held, by path.
pub(crate) type Record = BTreeMap<&'static str, Vec<Duration>>;

impl Metronome {
    /// Starts a server that has that JSON in every answer; it listens when this returns.
    pub(crate) fn start(holds: Holds, body: &str) -> Self {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let addr = listener.local_addr().expect("it is bound");
        let stopped = Arc::new(AtomicBool::new(false));
        let own = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            super::cpu::take_the_second_core();
            serve(&listener, &holds, answer.as_bytes(), &own)
        });
        Self { addr, stopped, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops, and hands the record over.
    pub(crate) fn record(mut self) -> Record {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.take().expect("it is taken once").join().expect("it does not panic")
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The hold at rank ceil(q·n), in milliseconds.
pub(crate) fn quantile(holds: &[Duration], q: f64) -> f64 {
    let mut sorted = holds.to_vec();
    sorted.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank among some thousand")]
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.max(1) - 1].as_secs_f64() * 1e3
}

/// How long nobody is looked for when nobody has come.
const REST: Duration = Duration::from_micros(10);

fn serve(listener: &TcpListener, holds: &Holds, answer: &[u8], stopped: &AtomicBool) -> Record {
    let mut server = Server {
        holds,
        answer,
        turns: BTreeMap::new(),
        connections: Vec::new(),
        waiting: BinaryHeap::new(),
        record: holds.keys().map(|path| (*path, Vec::with_capacity(1 << 16))).collect(),
    };
    let poll = epoll::create(CreateFlags::CLOEXEC).expect("an epoll");
    let mut ready: Vec<Event> = Vec::with_capacity(64);
    while !stopped.load(Ordering::Relaxed) {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nodelay(true).expect("a socket");
            stream.set_nonblocking(true).expect("a socket");
            let data = EventData::new_u64(server.connections.len() as u64);
            epoll::add(&poll, &stream, data, EventFlags::IN).expect("a socket");
            server.connections.push(Some(stream));
        }
        server.answer();
        let mut is_idle = true;
        ready.clear();
        let found = epoll::wait(&poll, spare_capacity(&mut ready), Some(&Timespec::default()));
        found.expect("an epoll of our own");
        for event in &ready {
            let connection = usize::try_from(event.data.u64()).expect("an index");
            is_idle &= !server.read(connection);
            server.answer();
        }
        // The kernel stops a thread that goes before all others for a twentieth of each second, unless it rests.
        let next = server.waiting.peek().map(|Reverse(first)| first.due);
        if is_idle && next.is_none_or(|due| due > Instant::now() + REST * 3) {
            std::thread::sleep(REST);
        }
    }
    server.record
}

struct Server<'a> {
    holds: &'a Holds,
    answer: &'a [u8],
    /// How many requests of each path there were.
    turns: BTreeMap<&'static str, usize>,
    connections: Vec<Option<TcpStream>>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    record: Record,
}

/// A request that was read and not yet answered; the one that is due first is the least.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: Instant,
    read: Instant,
    connection: usize,
    path: &'static str,
}

impl Server<'_> {
    /// Reads a request of that connection; whether there was one.
    fn read(&mut self, connection: usize) -> bool {
        let mut buffer = [0; 2048];
        let Some(stream) = &mut self.connections[connection] else { return false };
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => {
                let read = Instant::now();
                let head = std::str::from_utf8(&buffer[..n]).expect("a request");
                let path = head.split(' ').nth(1).expect("a path");
                let (path, holds) = self.holds.get_key_value(path).expect("a path of the test");
                let turn = self.turns.entry(path).or_default();
                let due = read + holds[*turn % holds.len()];
                *turn += 1;
                self.waiting.push(Reverse(Waiting { due, read, connection, path }));
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            // The client has gone.
            Ok(_) | Err(_) => {
                self.connections[connection] = None;
                false
            }
        }
    }

    /// Answers what is due.
    fn answer(&mut self) {
        while let Some(Reverse(first)) = self.waiting.peek() {
            let now = Instant::now();
            if first.due > now {
                return;
            }
            if let Some(stream) = &mut self.connections[first.connection]
                && stream.write_all(self.answer).is_ok()
            {
                self.record.get_mut(first.path).expect("made for all").push(now - first.read);
            }
            self.waiting.pop();
        }
    }
}
