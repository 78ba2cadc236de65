//! `[target]`: what is put under load.

use std::time::Duration;

use http::{HeaderName, Uri};

use super::place::Placed;
use super::template::Template;

/// What is put under load, and how its connections live.
#[derive(Clone, Debug)]
pub struct Target {
    /// Scheme, host, port and base path: `http` or `https`, no query, no user.
    pub url: Placed<Uri>,
    /// What to wait for before the load starts.
    pub ready: Option<Ready>,
    /// Other origins that redirects may lead to.
    pub allow: Vec<Placed<Uri>>,
    /// Headers of every request; a step's own of the same name goes before them.
    pub headers: Vec<(HeaderName, Template)>,
    /// How long connections are kept.
    pub connections: Connections,
}

/// The request that says whether the service is up.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Its path, below the URL's base path.
    pub get: Placed<String>,
    /// The status it has when it is up; 200 by default.
    pub status: u16,
    /// How long to wait for it; 30 s by default. Too late is `invalid`.
    pub within: Duration,
}

/// How long connections are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// For how long a connection serves.
    pub reuse: Reuse,
    /// After so many requests it is closed; at least 1.
    pub max_requests: Option<u64>,
    /// After that time it is closed, between two iterations.
    pub max_age: Option<Duration>,
}

/// For how long a connection serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// As long as its VU lives.
    #[default]
    Vu,
    /// For one iteration.
    Iteration,
    /// For one request.
    Request,
}
