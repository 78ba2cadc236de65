//! A step: one request with what is captured from the answer and checked on it.

use std::time::Duration;

use http::{HeaderName, Method};
use regex::Regex;
use serde_json_path::JsonPath;

use super::check::Check;
use super::place::{Place, Placed};
use super::scenario::Pause;
use super::template::Template;

/// One request with its checks and captures.
#[derive(Clone, Debug)]
pub struct Step {
    /// Unique among the scenario's steps, setup and teardown included.
    pub name: Placed<String>,
    /// GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.
    pub method: Method,
    /// The path below the target's URL, with its query if written there; starts with `/`.
    pub path: Template,
    /// Query parameters, added to those in `path`; to be percent-encoded.
    pub query: Vec<(String, Template)>,
    /// The step's own headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// What is sent.
    pub body: Option<Body>,
    /// From the start of the request to the end of the answer, redirects included; 60 s by default, above 0.
    pub timeout: Duration,
    /// Redirects followed at most; 10 by default, 0 for none.
    pub redirects: u32,
    /// Pause after the step.
    pub pause: Option<Pause>,
    /// Captures without which the step is skipped.
    pub needs: Vec<Placed<String>>,
    /// The step that undoes what this one creates: an index into the scenario's `steps`.
    pub undo: Option<usize>,
    /// Tags of its requests.
    pub tags: Vec<(Placed<String>, String)>,
    /// What is taken from the answer.
    pub captures: Vec<Capture>,
    /// What is asserted on the answer.
    pub checks: Vec<Check>,
    /// The step's table.
    pub place: Place,
}

/// What a request sends.
#[derive(Clone, Debug)]
pub enum Body {
    /// `json`: any value; sent as `application/json` unless a header says otherwise.
    Json(Json),
    /// `form`: sent as `application/x-www-form-urlencoded`; to be percent-encoded.
    Form(Vec<(String, Template)>),
    /// `body`: the text itself.
    Text(Template),
}

/// A JSON value whose texts are templates. TOML has no null, so there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number; finite.
    Float(f64),
    /// A text.
    String(Template),
    /// Values in order.
    Array(Vec<Json>),
    /// Values by name, in the order written.
    Object(Vec<(String, Json)>),
}

/// A value taken from an answer, for later steps.
#[derive(Clone, Debug)]
pub struct Capture {
    /// What later steps call it; unique among the scenario's captures of one step, no built-in value's name.
    pub name: Placed<String>,
    /// Where it is found.
    pub from: CaptureFrom,
}

/// Where a captured value is found.
#[derive(Clone, Debug)]
pub enum CaptureFrom {
    /// The first node that a JSONPath finds in the body; text without its quotes, all else as JSON.
    Json(JsonPath),
    /// The first header of that name.
    Header(HeaderName),
    /// The cookie of that name that this answer sets.
    Cookie(String),
    /// The first match in the body: its first group, or all of it where it has none.
    Regex(Regex),
}
