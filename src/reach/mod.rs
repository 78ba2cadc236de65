//! Ways to a target that no connection of the engine's own leads to: through the API server of a Kubernetes cluster.
//!
//! - [`Way`]: what the engine is handed, and all that it knows of it: a way hands out streams
//! - [`Seat`]: the place of one connection at one of the servers behind a way
//! - [`Forward`]: a way to the pods of a Service (feature `kubernetes`)
//! - `roster`: which pods there are, and who gets a seat at which: a function of its arguments
//! - `cluster`, `service`, `socket`: the API server, the pods of a Service, a port-forward as a stream
//! - `local`: a port of this machine, for a client that takes no stream
//!
//! A [`Forward`] has a thread of its own, which asks the cluster for its pods and keeps the roster. Whoever wants a
//! connection is told a pod, and then makes its own port-forward to it on its own thread: what is sent and received
//! goes through no thread but that one, and through no local port. A forward through an API server is a path for
//! tests, and none that production takes: what it costs is measured, and told.

#[cfg(feature = "kubernetes")]
pub mod cluster;
#[cfg(feature = "kubernetes")]
mod forward;
#[cfg(not(feature = "kubernetes"))]
mod lean;
#[cfg(feature = "kubernetes")]
pub mod local;
#[cfg(feature = "kubernetes")]
mod roster;
#[cfg(feature = "kubernetes")]
mod service;
#[cfg(feature = "kubernetes")]
mod socket;

use std::fmt;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::words::ErrorKind;

#[cfg(feature = "kubernetes")]
pub use self::forward::Forward;
#[cfg(not(feature = "kubernetes"))]
pub use self::lean::Forward;

/// A way to a target.
pub trait Way: Send + Sync {
    /// Opens a stream to one of the servers of the target.
    fn open(&self) -> Opening<'_>;
}

/// A stream that is being opened.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Opened, Refusal>> + 'a>>;

/// A stream to one of the servers of a target.
pub struct Opened {
    /// What bytes go through.
    pub stream: Box<dyn Duplex>,
    /// Its place there, to be kept as long as the stream.
    pub seat: Box<dyn Seat>,
}

/// What bytes go through in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// The place of one connection at one of the servers behind a way; dropped, it is free.
pub trait Seat {
    /// Whether the next request had better go over another connection: because the server is on its way out, or because
    /// others have fewer connections. Of those of the latter kind only so many are told so as have to go.
    fn is_wanted_elsewhere(&self) -> bool;

    /// Says that the connection was broken off in the middle of something.
    fn broke(&self);

    /// Says how many requests were sent over the connection, which is over.
    fn sent(&mut self, requests: u64);
}

/// Why a way leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is counted as.
    pub kind: ErrorKind,
    /// One sentence.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What an error of the operating system is counted as. Our own limits are never blamed on the target.
pub fn kind_of(error: &io::Error) -> ErrorKind {
    use rustix::io::Errno;
    let own_limit = error.raw_os_error().map(Errno::from_raw_os_error).is_some_and(|errno| {
        matches!(
            errno,
            Errno::MFILE
                | Errno::NFILE
                | Errno::ADDRNOTAVAIL
                | Errno::ADDRINUSE
                | Errno::NOBUFS
                | Errno::NOMEM
        )
    });
    #[expect(clippy::wildcard_enum_match_arm, reason = "what has no word of its own breaks the connection")]
    match error.kind() {
        _ if own_limit => ErrorKind::Generator,
        io::ErrorKind::ConnectionRefused => ErrorKind::ConnectRefused,
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            ErrorKind::ConnectTimeout
        }
        io::ErrorKind::UnexpectedEof => ErrorKind::ClosedEarly,
        _ => ErrorKind::Reset,
    }
}
