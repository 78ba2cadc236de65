//! Steps, compiled: requests with their static parts built, checks and captures ready to be tried.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, Method, Uri};
use regex::Regex;

use super::{JsonQuery, LoadId, Place, StepId};
pub use crate::profile::{JsonType, Pause, StatusMatch};

/// One request with its checks and captures.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, unique within its load.
    pub name: String,
    /// The load it belongs to; none for setup and teardown.
    pub load: Option<LoadId>,
    /// Where it is written.
    pub place: Place,
    /// What is sent.
    pub request: Request,
    /// How long the answer may take, from the moment the connection is asked for; redirects included.
    pub timeout: Duration,
    /// How many redirects are followed; each is a request of its own.
    pub redirects: u32,
    /// Values without which the step is skipped.
    pub needs: Vec<Slot>,
    /// What is taken from the answer.
    pub captures: Vec<Capture>,
    /// What is asserted of the answer.
    pub checks: Vec<Check>,
    /// The statuses that its checks name: one of 400 or above among them is no failed request.
    pub expected: StatusSet,
    /// The step that undoes what this one creates.
    pub undo: Option<StepId>,
    /// The pause after it.
    pub pause: Option<Pause>,
    /// Own tags, for selectors.
    pub tags: Vec<(String, String)>,
    /// Whether a check or capture reads the answer's body.
    pub reads_body: bool,
}

/// The method, target, headers and body of a request, with the parts that never change already built.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, as the profile writes them, for reports.
    pub shown: String,
    /// Path and query.
    pub path: Path,
    /// Headers without values to fill in, `Host` included.
    pub headers: HeaderMap,
    /// Headers with values to fill in.
    pub filled_headers: Vec<(HeaderName, Template)>,
    /// The body.
    pub body: Body,
}

impl Request {
    /// Whether it sets cookies by itself: then it is sent no others.
    pub fn sets_cookie(&self) -> bool {
        self.headers.contains_key(COOKIE) || self.filled_headers.iter().any(|(name, _)| *name == COOKIE)
    }
}

/// Path and query of a request.
#[derive(Clone, Debug)]
pub enum Path {
    /// The same for every request.
    Static(Uri),
    /// Filled in for every request; values are percent-encoded.
    Filled(Template),
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// None: no `Content-Length` but for methods that want one.
    None,
    /// The same for every request.
    Static(Bytes),
    /// Filled in for every request.
    Filled(Template),
}

/// Text with places to fill in, cut into pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The pieces, in order; neighbouring texts are joined.
    pub pieces: Vec<Piece>,
    /// How values are written into it.
    pub escape: Escape,
}

impl Template {
    /// The whole text, where nothing is to be filled in.
    pub fn as_static(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            [Piece::Value(_)] | [_, _, ..] => None,
        }
    }
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// As it is written.
    Text(Box<str>),
    /// Filled in for every request.
    Value(Value),
}

/// What fills a place in a template. The run's id and the shard are text by the time a plan exists.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The number of the virtual user, from 1.
    Vu,
    /// The number of its iteration, from 0.
    Iteration,
    /// A random UUID, version 4.
    Uuid,
    /// The time, RFC 3339 in UTC with milliseconds.
    Now,
    /// A whole number within the range, uniform.
    Random(RangeInclusive<i64>),
    /// One of the texts, uniform.
    Pick(Vec<String>),
    /// A captured value; unfilled until captured.
    Captured(Slot),
}

/// How values are written into a template, so that none can break out of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Percent-encoded: paths, queries, forms.
    Percent,
    /// As the inside of a JSON string.
    Json,
    /// As it is; a header refuses line breaks by its type.
    None,
}

/// The place of a variable among those of a virtual user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

/// A value taken from an answer.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The variable's name.
    pub name: String,
    /// Where it is kept.
    pub slot: Slot,
    /// Where it is found.
    pub from: CaptureFrom,
    /// Where it is written.
    pub place: Place,
}

/// Where a captured value is found.
#[derive(Clone, Debug)]
pub enum CaptureFrom {
    /// The first node that a JSONPath (RFC 9535) finds in the body.
    Json(JsonQuery),
    /// The first header of that name.
    Header(HeaderName),
    /// The cookie of that name that this answer sets.
    Cookie(String),
    /// The first match in the body: its first group, or all of it where it has none.
    Regex(Regex),
}

/// An assertion on an answer.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name, as reports show it.
    pub name: String,
    /// What is asserted.
    pub test: CheckTest,
    /// Where it is written.
    pub place: Place,
}

/// What a check asserts.
#[derive(Clone, Debug)]
pub enum CheckTest {
    /// The status is one of these.
    Status(StatusSet),
    /// The nodes that a JSONPath (RFC 9535) finds in the body.
    Json {
        /// The path.
        path: JsonQuery,
        /// All must hold. But for `Exists`, they hold where the path finds at least one node and each of them
        /// meets the test.
        tests: Vec<JsonTest>,
    },
    /// The first header of that name.
    Header {
        /// The header.
        name: HeaderName,
        /// All must hold.
        tests: Vec<TextTest>,
    },
    /// The body as text.
    Body {
        /// All must hold.
        tests: Vec<TextTest>,
    },
    /// The request took at most that.
    Duration(Duration),
}

/// What is asserted of each JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTest {
    /// The same value; numbers by value.
    Equals(serde_json::Value),
    /// The same value, as JSON text with places to fill in.
    EqualsFilled(Template),
    /// There is at least one, or there is none.
    Exists(bool),
    /// It is of this type.
    Type(JsonType),
    /// A text that holds this text, or an array that holds a text equal to it.
    Contains(Template),
    /// A number of at least this.
    Min(f64),
    /// A number of at most this.
    Max(f64),
}

/// What is asserted of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextTest {
    /// It is this.
    Equals(Template),
    /// It holds this.
    Contains(Template),
    /// It is there, or it is not.
    Exists(bool),
}

/// A set of statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet(pub Vec<StatusMatch>);

impl StatusSet {
    /// Whether the status is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|member| member.accepts(status))
    }
}
