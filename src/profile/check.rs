//! A check: an assertion on an answer.

use std::time::Duration;

use http::HeaderName;
use serde_json_path::JsonPath;

use super::diagnostic::Diagnostic;
use super::headers;
use super::json::{self, Json};
use super::place::{Place, Placed};
use super::reader::{self, Fields, Findings};
use super::template::{self, Template};
use super::tree::Node;

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

/// Reads the checks of a step.
pub(super) fn read(node: &Node, findings: &mut Findings) -> Vec<Check> {
    let items = reader::array(node, "checks", findings).unwrap_or_default();
    let mut checks: Vec<Check> = Vec::new();
    for item in items {
        let Some(check) = one(item, findings) else { continue };
        if let Some(twin) = checks.iter().find(|other| other.name.value == check.name.value) {
            findings.add(
                Diagnostic::new(check.name.place, format!("the step has two checks `{}`", check.name.value))
                    .related(twin.name.place, "the first"),
            );
        }
        checks.push(check);
    }
    checks
}

const SUBJECTS: [&str; 5] = ["status", "json", "header", "body", "duration"];

fn one(node: &Node, findings: &mut Findings) -> Option<Check> {
    let mut fields = Fields::of(node, "checks", "a check", findings)?;
    let name = fields
        .require("name", findings)
        .and_then(|node| Some(Placed::new(reader::name(node, "name", findings)?.to_owned(), node.place)));
    let subjects: Vec<(&str, &Node)> =
        SUBJECTS.iter().filter_map(|&subject| Some((subject, fields.get(subject)?))).collect();
    let condition = match subjects.as_slice() {
        [("status", subject)] => statuses(subject, findings).map(Condition::Status),
        [("json", subject)] => {
            let path = json::path(subject, "json", findings);
            let matchers = json_matchers(&mut fields, findings);
            some(matchers, subject, &fields, "equals = …` or `exists = true", findings)
                .and_then(|matchers| Some(Condition::Json { path: path?, matchers }))
        }
        [("header", subject)] => {
            let header = reader::text(subject, "header", findings)
                .and_then(|text| headers::name(text, subject.place, findings));
            let matchers = text_matchers(&mut fields, true, findings);
            some(matchers, subject, &fields, "contains = …` or `exists = true", findings)
                .and_then(|matchers| Some(Condition::Header { name: header?, matchers }))
        }
        [("body", subject)] => {
            let mut inner = Fields::of(subject, "body", "`body`", findings)?;
            let matchers = text_matchers(&mut inner, false, findings);
            let matchers = some(matchers, subject, &inner, "contains = …", findings);
            inner.finish(&["matches", "size"], findings);
            matchers.map(|matchers| Condition::Body { matchers })
        }
        [(_, subject)] => reader::some_time(subject, "duration", findings).map(Condition::Duration),
        [] => {
            // Whoever asks for something unknown asks for something: that is complained about below.
            if !fields.has_others() {
                findings.missing(
                    Diagnostic::new(node.place, "a check needs something to look at")
                        .help("add `status`, `json`, `header`, `body` or `duration`"),
                );
            }
            None
        }
        [_, (second, node), ..] => {
            findings.add(
                Diagnostic::new(node.place, format!("a check looks at one thing: `{second}` is the second"))
                    .help("make it a check of its own"),
            );
            return None;
        }
    };
    fields.finish(&["regex", "matches", "size"], findings);
    Some(Check { name: name?, condition: condition?, place: node.place })
}

/// Matchers of which there has to be one.
fn some<T>(
    matchers: Option<Vec<T>>,
    subject: &Node,
    fields: &Fields<'_>,
    example: &str,
    findings: &mut Findings,
) -> Option<Vec<T>> {
    let matchers = matchers?;
    if matchers.is_empty() && fields.has_others() {
        return None;
    }
    if matchers.is_empty() {
        findings.missing(
            Diagnostic::new(subject.place, "nothing is asked of it")
                .help(format!("add for example `{example}`")),
        );
        return None;
    }
    Some(matchers)
}

/// `201`, `[200, 201]`, `"2xx"`.
fn statuses(node: &Node, findings: &mut Findings) -> Option<Vec<StatusMatch>> {
    let items = node.one_or_many();
    if items.is_empty() {
        findings.add(Diagnostic::new(node.place, "`status` is empty"));
        return None;
    }
    let statuses: Vec<_> = items.iter().filter_map(|item| status(item, findings)).collect();
    (statuses.len() == items.len()).then_some(statuses)
}

fn status(node: &Node, findings: &mut Findings) -> Option<StatusMatch> {
    if let Some(text) = node.text()
        && node.filled::<u16>().is_none()
    {
        if let [digit @ b'1'..=b'5', b'x', b'x'] = text.content.as_bytes() {
            return Some(StatusMatch::Class(digit - b'0'));
        }
        findings.add(
            Diagnostic::new(node.place, format!("`{}` is no class of statuses", text.content))
                .help("write `201`, `[200, 201]` or `\"2xx\"`"),
        );
        return None;
    }
    reader::integer(node, "status", 100..=599_u16, findings).map(StatusMatch::Code)
}

const TYPES: [(&str, JsonType); 7] = [
    ("string", JsonType::String),
    ("number", JsonType::Number),
    ("integer", JsonType::Integer),
    ("boolean", JsonType::Boolean),
    ("array", JsonType::Array),
    ("object", JsonType::Object),
    ("null", JsonType::Null),
];

/// `None` if one of them is wrong, so that nobody complains that there is none.
fn json_matchers(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Vec<JsonMatcher>> {
    let matchers = [
        fields.get("equals").map(|node| json::read(node, findings).map(JsonMatcher::Equals)),
        fields.get("exists").map(|node| reader::truth(node, "exists", findings).map(JsonMatcher::Exists)),
        fields.get("type").map(|node| reader::choice(node, "type", &TYPES, findings).map(JsonMatcher::Type)),
        fields
            .get("contains")
            .map(|node| template::read_scalar(node, "contains", findings).map(JsonMatcher::Contains)),
        fields.get("min").map(|node| reader::number(node, "min", findings).map(JsonMatcher::Min)),
        fields.get("max").map(|node| reader::number(node, "max", findings).map(JsonMatcher::Max)),
    ];
    matchers.into_iter().flatten().collect()
}

fn text_matchers(fields: &mut Fields<'_>, header: bool, findings: &mut Findings) -> Option<Vec<TextMatcher>> {
    let exists = if header { fields.get("exists") } else { None };
    let matchers = [
        fields
            .get("equals")
            .map(|node| template::read_scalar(node, "equals", findings).map(TextMatcher::Equals)),
        fields
            .get("contains")
            .map(|node| template::read_scalar(node, "contains", findings).map(TextMatcher::Contains)),
        exists.map(|node| reader::truth(node, "exists", findings).map(TextMatcher::Exists)),
    ];
    matchers.into_iter().flatten().collect()
}
