//! A client of a few lines, for asking the demo what it counted.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use palier::demo::Demo;
use serde_json::Value;

/// The JSON that the server answers to a GET.
pub(crate) fn get(addr: SocketAddr, path: &str) -> Value {
    let mut stream = TcpStream::connect(addr).expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).expect("JSON")
}

/// What the demo counted.
pub(crate) struct Count(Value);

impl Count {
    pub(crate) fn of(demo: &Demo) -> Self {
        Self(get(demo.addr(), "/__count"))
    }

    /// Requests of that route: `GET /health`.
    pub(crate) fn route(&self, route: &str) -> u64 {
        self.0["routes"][route].as_u64().expect("a route of the demo")
    }

    pub(crate) fn total(&self) -> u64 {
        self.0["total"].as_u64().expect("a number")
    }

    pub(crate) fn rows(&self) -> u64 {
        self.0["rows"].as_u64().expect("a number")
    }

    pub(crate) fn failed_on_purpose(&self) -> u64 {
        self.0["failed_on_purpose"].as_u64().expect("a number")
    }
}
