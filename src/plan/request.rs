//! Steps, compiled: requests with their static parts built, checks and captures ready to be tried.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Uri};
use serde_json_path::JsonPath;

use super::{LoadId, Place, StepId};

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
    /// How long the answer may take, from the moment the connection is asked for.
    pub timeout: Duration,
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
    /// The first match of a JSONPath (RFC 9535).
    Json(JsonPath),
    /// A header of the answer.
    Header(HeaderName),
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
    /// The first match of a JSONPath passes the test.
    Json {
        /// The path (RFC 9535).
        path: JsonPath,
        /// The test.
        test: JsonTest,
    },
    /// A header is there and, where a text is given, is exactly that.
    Header {
        /// The header.
        name: HeaderName,
        /// Its value.
        equals: Option<String>,
    },
    /// The body contains the text.
    BodyContains(String),
    /// The request took less than that.
    Duration(Duration),
}

/// What is asserted of a JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTest {
    /// There is one, or none.
    Exists(bool),
    /// It equals this value; numbers by value.
    Equals(serde_json::Value),
    /// It is of this type: `string`, `number`, `boolean`, `array`, `object`, `null`.
    Type(String),
}

/// A status, or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// One code.
    Code(u16),
    /// A class by its first digit: `"2xx"`.
    Class(u8),
}

/// A set of statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet(pub Vec<Status>);

impl StatusSet {
    /// Whether the status is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|member| match member {
            Status::Code(code) => *code == status,
            Status::Class(class) => status / 100 == u16::from(*class),
        })
    }
}

/// A pause of a virtual user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pause {
    /// Always the same.
    Fixed(Duration),
    /// Uniform between two values.
    Uniform {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// Exponential, as the gaps of independent arrivals are.
    Exponential {
        /// The mean.
        mean: Duration,
    },
}
