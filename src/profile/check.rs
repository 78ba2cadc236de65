//! A check: an assertion on an answer.

use std::time::Duration;

use http::HeaderName;
use serde_json_path::JsonPath;

use super::place::{Place, Placed};
use super::step::Json;
use super::template::Template;

/// An assertion on an answer. One that does not hold is counted and stops nothing.
#[derive(Clone, Debug)]
pub struct Check {
    /// Unique within its step.
    pub name: Placed<String>,
    /// What must hold.
    pub condition: Condition,
    /// The check's table.
    pub place: Place,
}

/// What must hold of an answer.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The status is one of these.
    Status(Vec<StatusMatch>),
    /// The nodes that a JSONPath finds in the body.
    Json {
        /// The path.
        path: JsonPath,
        /// At least one; all must hold. But for `Exists`, they hold where the path finds at least one node and each of them meets the matcher.
        matchers: Vec<JsonMatcher>,
    },
    /// The first header of that name.
    Header {
        /// The header.
        name: HeaderName,
        /// At least one; all must hold.
        matchers: Vec<TextMatcher>,
    },
    /// The body as text.
    Body {
        /// At least one; all must hold.
        matchers: Vec<TextMatcher>,
    },
    /// `http_req_duration` of the answer is at most this.
    Duration(Duration),
}

/// Statuses that a check accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusMatch {
    /// This one.
    Code(u16),
    /// `"2xx"`: the class of that first digit.
    Class(u8),
}

/// What must hold of each node that a JSONPath finds.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonMatcher {
    /// The same value; whole and decimal numbers compare by value.
    Equals(Json),
    /// `true`: the path finds at least one node, `false`: it finds none.
    Exists(bool),
    /// A value of that type.
    Type(JsonType),
    /// A text that holds this text, or an array that holds a text equal to it.
    Contains(Template),
    /// A number of at least this.
    Min(f64),
    /// A number of at most this.
    Max(f64),
}

/// The type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    /// A text.
    String,
    /// A number.
    Number,
    /// A number without a fraction.
    Integer,
    /// True or false.
    Boolean,
    /// An array.
    Array,
    /// An object.
    Object,
    /// Null.
    Null,
}

/// What must hold of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextMatcher {
    /// It is this.
    Equals(Template),
    /// It holds this.
    Contains(Template),
    /// It is there, or it is not. Headers only.
    Exists(bool),
}

impl StatusMatch {
    /// Whether a status is accepted.
    pub fn accepts(self, status: u16) -> bool {
        match self {
            Self::Code(code) => status == code,
            Self::Class(class) => status / 100 == u16::from(class),
        }
    }
}
