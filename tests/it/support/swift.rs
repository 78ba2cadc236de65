//! A server that answers at once, on thousands of connections: some 0.1 ms from request to answer.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

/// A running server, on the second processor. It stops when it is dropped.
pub(crate) struct Swift {
    addr: SocketAddr,
    requests: Arc<AtomicU64>,
    _stop: oneshot::Sender<()>,
}

impl Swift {
    /// Starts a server; it listens when this returns.
    pub(crate) fn start() -> Self {
        // Both ends of every connection are files of this machine, one of them of this process.
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        rustix::net::listen(&listener, 16_384).expect("a longer queue");
        listener.set_nonblocking(true).expect("a socket");
        let addr = listener.local_addr().expect("it is bound");
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            super::cpu::take_the_second_core();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = accept(listener, &counted) => {}
                    // It is dropped, never sent.
                    _ = stopped => {}
                }
            });
        });
        Self { addr, requests, _stop: stop }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, requests: &Arc<AtomicU64>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    while let Ok((mut stream, _)) = listener.accept().await {
        let requests = Arc::clone(requests);
        // An option that is refused only makes it slower.
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            // Requests of the tests come in one piece, and one at a time.
            while matches!(stream.read(&mut buffer).await, Ok(1..)) {
                requests.fetch_add(1, Ordering::Relaxed);
                if stream.write_all(ANSWER).await.is_err() {
                    return;
                }
            }
        });
    }
}
