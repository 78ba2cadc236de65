//! The HTTP/1.1 server: a thread of its own with a runtime of its own, so that it neither waits for its caller's
//! runtime nor shares the caller's fate.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::api::{self, Answer, Call};
use super::count::Counts;
use super::store::Store;

/// How the demo is served, and how badly.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// Added to each answer, after the work is done; the timer rounds it up to the next millisecond.
    pub latency: Duration,
    /// The share of requests, from 0 to 1, that are answered with 500 instead of being carried out.
    pub error_rate: f64,
    /// Which requests those are: the same seed gives the same sequence of failures.
    pub seed: u64,
    /// How many employees there are at the start.
    pub employees: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: None, latency: Duration::ZERO, error_rate: 0.0, seed: 0, employees: 200 }
    }
}

/// A running demo. Dropping it stops it.
#[derive(Debug)]
pub struct Demo {
    addr: SocketAddr,
    // The thread stops when this is dropped.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    /// Starts the server; it listens when this returns.
    pub fn start(options: Options) -> io::Result<Self> {
        if !(0.0..=1.0).contains(&options.error_rate) {
            let message = format!("an error rate of {} is not a share between 0 and 1", options.error_rate);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = listen(&runtime, options.port.unwrap_or(0))?;
        let addr = listener.local_addr()?;
        let store = Store::open(options.employees);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("palier-demo".to_owned())
            .spawn(move || serve(&runtime, listener, store, options, stopped))?;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops it at once: the port is closed, open requests are cut and the database is removed when this returns.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed and has closed the port: nothing is left to be done about it.
            let _ = thread.join();
        }
    }
}

/// Connections that may wait to be accepted. The usual 128 overflows when a thousand VUs connect at once, and what
/// does not fit waits a whole second for its SYN to be repeated.
const BACKLOG: u32 = 4096;

fn listen(runtime: &Runtime, port: u16) -> io::Result<TcpListener> {
    let _entered = runtime.enter();
    let socket = TcpSocket::new_v4()?;
    // A port given by name can be served again right after the last demo on it has ended.
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

fn serve(
    runtime: &Runtime,
    listener: TcpListener,
    store: Store,
    options: Options,
    stopped: oneshot::Receiver<Infallible>,
) {
    let rng = RefCell::new(fastrand::Rng::with_seed(options.seed));
    let server = Rc::new(Server { store, counts: Counts::default(), rng, options });
    let tasks = LocalSet::new();
    tasks.block_on(runtime, async {
        tokio::select! {
            () = accept(listener, &server) => {}
            _ = stopped => {}
        }
    });
    // Here the connections' tasks are dropped, and with the last of them the store.
}

async fn accept(listener: TcpListener, server: &Rc<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                server.counts.connection();
                tokio::task::spawn_local(converse(stream, Rc::clone(server)));
            }
            // Out of file descriptors, mostly: some are free again soon, and a loop without a pause would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves one connection until either side closes it.
async fn converse(stream: TcpStream, server: Rc<Server>) {
    // Without it, an answer in two segments would wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let server = Rc::clone(&server);
        async move { Ok::<_, Infallible>(server.respond(request).await) }
    });
    // A client that hangs up is no news: the client's own report tells of it.
    let _ = http1::Builder::new()
        .keep_alive(true)
        .pipeline_flush(false)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What all connections share; they are tasks of one thread.
struct Server {
    store: Store,
    counts: Counts,
    rng: RefCell<fastrand::Rng>,
    options: Options,
}

/// An employee needs some hundred bytes.
const MAX_BODY: usize = 64 * 1024;

impl Server {
    async fn respond(&self, request: http::Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let call = Call::of(&head.method, head.uri.path());
        let Some(route) = call.route() else { return self.count() };
        self.counts.request(route);
        let fails = self.fails();
        // Read in any case: a connection with half a body left in it could not be kept alive.
        let answer = match Limited::new(body, MAX_BODY).collect().await {
            Ok(_) if fails => {
                self.counts.failed_on_purpose();
                Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "failed on purpose")
            }
            Ok(body) => {
                let query = head.uri.query().unwrap_or_default();
                api::answer(&self.store, call, query, &body.to_bytes())
            }
            Err(_) => Answer::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or incomplete"),
        };
        if !self.options.latency.is_zero() {
            tokio::time::sleep(self.options.latency).await;
        }
        response(answer)
    }

    fn fails(&self) -> bool {
        self.options.error_rate > 0.0 && self.rng.borrow_mut().f64() < self.options.error_rate
    }

    fn count(&self) -> Response<Full<Bytes>> {
        response(Answer::ok(&self.counts.to_json(self.store.rows())))
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    if let Some(allow) = answer.allow {
        headers.insert(header::ALLOW, http::HeaderValue::from_static(allow));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

    use serde_json::{Value, json};

    use super::*;

    /// A keep-alive connection that shares no code with the server.
    struct Client(BufReader<TcpStream>);

    impl Client {
        fn new(demo: &Demo) -> Self {
            Self(BufReader::new(TcpStream::connect(demo.addr()).unwrap()))
        }

        fn send(&mut self, request: &str, body: &str) -> (u16, Value) {
            let head = format!("{request} HTTP/1.1\r\nhost: demo\r\ncontent-length: {}\r\n\r\n", body.len());
            self.0.get_mut().write_all((head + body).as_bytes()).unwrap();
            let status = self.line().split(' ').nth(1).unwrap().parse().unwrap();
            let mut length = 0;
            loop {
                let line = self.line().to_ascii_lowercase();
                match line.split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    Some(_) => {}
                    None => break,
                }
            }
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).unwrap();
            (status, serde_json::from_slice(&body).unwrap())
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        }
    }

    #[test]
    fn requests_are_served_and_counted_over_one_connection() {
        let demo = Demo::start(Options::default()).unwrap();
        let mut client = Client::new(&demo);
        let (status, created) = client.send("POST /employees", r#"{"name":"Ada","email":"ada@example.com"}"#);
        assert_eq!((status, &created["id"]), (201, &json!(201)));
        assert_eq!(client.send("GET /__count", "").1["rows"], 201);
        assert_eq!(client.send("DELETE /employees/201", "").0, 200);
        assert_eq!(client.send("GET /employees/201", "").0, 404);
        assert_eq!(client.send("GET /employees?page=2&per_page=3", "").1["employees"][0]["id"], 4);
        assert_eq!(client.send("POST /health", "").0, 405);
        assert_eq!(client.send("GET /nowhere", "").0, 404);
        assert_eq!(
            client.send("GET /__count", ""),
            (
                200,
                json!({
                    "total": 6, "failed_on_purpose": 0, "connections": 1, "rows": 200,
                    "routes": {
                        "GET /health": 0, "GET /employees": 1, "GET /stats": 0, "POST /employees": 1,
                        "PUT /employees/:id": 0, "GET /employees/:id": 1, "DELETE /employees/:id": 1, "other": 2,
                    },
                })
            )
        );
    }

    #[test]
    fn a_share_of_the_requests_fails_the_same_way_for_the_same_seed() {
        let failures = || {
            let demo = Demo::start(Options { error_rate: 0.3, seed: 7, ..Options::default() }).unwrap();
            let mut client = Client::new(&demo);
            let statuses: Vec<_> = (0..500).map(|_| client.send("GET /health", "").0).collect();
            let n_failed = statuses.iter().filter(|&&status| status == 500).count();
            let counts = client.send("GET /__count", "").1;
            assert_eq!((&counts["total"], &counts["failed_on_purpose"]), (&json!(500), &json!(n_failed)));
            assert!((100..=200).contains(&n_failed), "{n_failed}");
            statuses
        };
        assert_eq!(failures(), failures());
    }

    #[test]
    fn a_failed_post_leaves_no_row_and_the_connection_usable() {
        let demo = Demo::start(Options { error_rate: 1.0, ..Options::default() }).unwrap();
        let mut client = Client::new(&demo);
        for _ in 0..3 {
            let (status, error) =
                client.send("POST /employees", r#"{"name":"Ada","email":"ada@example.com"}"#);
            assert_eq!((status, error), (500, json!({"error": "failed on purpose"})));
        }
        assert_eq!(client.send("GET /__count", "").1["rows"], 200);
    }

    #[test]
    fn latency_is_added_to_every_answer_but_the_count() {
        let latency = Duration::from_millis(50);
        let demo = Demo::start(Options { latency, ..Options::default() }).unwrap();
        let mut client = Client::new(&demo);
        let mut least = |request| {
            let times = (0..3).map(|_| {
                let start = Instant::now();
                client.send(request, "");
                start.elapsed()
            });
            times.min().unwrap()
        };
        assert!(least("GET /health") >= latency);
        assert!(least("GET /nowhere") >= latency);
        assert!(least("GET /__count") < latency);
    }

    #[test]
    fn a_body_beyond_the_limit_is_refused() {
        let demo = Demo::start(Options::default()).unwrap();
        let (status, _) = Client::new(&demo).send("POST /employees", &"x".repeat(MAX_BODY + 1));
        assert_eq!(status, 413);
    }

    #[test]
    fn stopping_closes_the_port_and_cuts_open_requests_and_frees_it_for_the_next() {
        let slow = Options { latency: Duration::from_secs(60), ..Options::default() };
        let demo = Demo::start(slow).unwrap();
        let mut open = TcpStream::connect(demo.addr()).unwrap();
        open.write_all(b"GET /health HTTP/1.1\r\nhost: demo\r\n\r\n").unwrap();
        // Once the count says so, the request is open.
        while Client::new(&demo).send("GET /__count", "").1["total"] != 1 {}

        let addr = demo.addr();
        demo.stop();
        assert!(matches!(open.read(&mut [0; 1]), Ok(0) | Err(_)));
        assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let again = Demo::start(Options { port: Some(addr.port()), ..Options::default() }).unwrap();
        assert_eq!(again.url(), format!("http://{addr}"));
    }

    #[test]
    fn what_cannot_be_served_is_an_error() {
        for error_rate in [-0.1, 1.1, f64::NAN] {
            let error = Demo::start(Options { error_rate, ..Options::default() }).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        let demo = Demo::start(Options::default()).unwrap();
        let same_port = Options { port: Some(demo.addr().port()), ..Options::default() };
        assert_eq!(Demo::start(same_port).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
