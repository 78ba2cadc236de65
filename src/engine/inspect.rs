//! Looking at an answer: checks and captures. Nothing is parsed that none of them asks for.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::time::Duration;

use http::HeaderValue;
use http::header::SET_COOKIE;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::exchange::Answer;
use super::render::Values;
use super::seek::seek;
use crate::plan::{CaptureFrom, Check, CheckTest, JsonQuery, JsonTest, JsonType, TextTest};
use crate::profile::Secrets;
use crate::units::human_duration;

/// How much of a body an example shows.
const EXCERPT: usize = 160;

/// After so many values were looked for in a body, a tree of it is cheaper than to read it again.
const MOST_READINGS: u32 = 4;

/// An answer with its body.
pub(super) struct Inspected<'a> {
    answer: &'a Answer,
    duration: Duration,
    secrets: &'a Secrets,
    /// How often the body was read for one value of it.
    readings: Cell<u32>,
    /// A tree of the body, once one was needed; none of what is not JSON.
    json: OnceCell<Option<Json>>,
}

impl<'a> Inspected<'a> {
    pub(super) fn new(answer: &'a Answer, duration: Duration, secrets: &'a Secrets) -> Self {
        Self { answer, duration, secrets, readings: Cell::new(0), json: OnceCell::new() }
    }

    fn json(&self) -> Option<&Json> {
        self.json.get_or_init(|| serde_json::from_slice(&self.answer.body).ok()).as_ref()
    }

    /// The values that a path finds in the body; none of what is not JSON.
    fn nodes(&self, query: &JsonQuery) -> Nodes<'_> {
        let readings = self.readings.get();
        if let Some(way) = &query.way
            && self.json.get().is_none()
            && readings < MOST_READINGS
        {
            self.readings.set(readings + 1);
            return Nodes::Text(seek(&self.answer.body, way).ok().flatten());
        }
        Nodes::Tree(self.json().map(|json| query.path.query(json).all()).unwrap_or_default())
    }

    /// Whether a check holds.
    pub(super) fn holds(&self, check: &Check, values: &mut Values) -> bool {
        match &check.test {
            CheckTest::Status(set) => set.contains(self.answer.status),
            CheckTest::Json { path, tests } => {
                let nodes = self.nodes(path);
                tests.iter().all(|test| json_holds(test, &nodes, values))
            }
            CheckTest::Header { name, tests } => {
                let value = self.answer.headers.get(name).map(HeaderValue::as_bytes);
                tests.iter().all(|test| text_holds(test, value, values))
            }
            CheckTest::Body { tests } => {
                tests.iter().all(|test| text_holds(test, Some(&self.answer.body), values))
            }
            CheckTest::Duration(most) => self.duration <= *most,
        }
    }

    /// What was found instead of what a check wants, for a reader.
    pub(super) fn instead(&self, check: &Check) -> String {
        match &check.test {
            CheckTest::Status(_) => self.describe(),
            CheckTest::Json { path, .. } => match self.json() {
                None => format!("the body is not JSON: {}", self.excerpt()),
                Some(json) => match path.path.query(json).first() {
                    None => format!("nothing at {path} in {}", self.excerpt()),
                    Some(found) => {
                        format!("{path} is {}", shorten(found.to_string().as_bytes(), self.secrets))
                    }
                },
            },
            CheckTest::Header { name, .. } => match self.answer.headers.get(name) {
                None => format!("no header `{name}`"),
                Some(value) => format!("`{name}` is `{}`", shorten(value.as_bytes(), self.secrets)),
            },
            CheckTest::Body { .. } => format!("the body is {}", self.excerpt()),
            CheckTest::Duration(_) => format!("took {}", human_duration(self.duration)),
        }
    }

    /// Status and beginning of the body, for a reader.
    pub(super) fn describe(&self) -> String {
        if self.answer.body.is_empty() {
            format!("status {}", self.answer.status)
        } else {
            format!("status {}: {}", self.answer.status, self.excerpt())
        }
    }

    fn excerpt(&self) -> String {
        if self.answer.body.is_empty() {
            "an empty body".to_owned()
        } else {
            shorten(&self.answer.body, self.secrets)
        }
    }

    /// The value that a capture finds.
    pub(super) fn capture(&self, from: &CaptureFrom) -> Option<String> {
        match from {
            CaptureFrom::Json(path) => {
                let nodes = self.nodes(path);
                let found = nodes.first()?.value()?;
                Some(match &*found {
                    Json::String(text) => text.clone(),
                    Json::Null => return None,
                    Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => found.to_string(),
                })
            }
            CaptureFrom::Header(name) => {
                self.answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            }
            CaptureFrom::Cookie(name) => (self.answer.headers.get_all(SET_COOKIE).iter())
                .filter_map(|cookie| cookie.to_str().ok())
                .filter_map(|cookie| cookie.split(';').next()?.split_once('='))
                .find(|(own, _)| own.trim() == name)
                .map(|(_, value)| value.trim().to_owned()),
            CaptureFrom::Regex(regex) => {
                let body = String::from_utf8_lossy(&self.answer.body);
                let groups = regex.captures(&body)?;
                let found = groups.get(1).or_else(|| groups.get(0))?;
                Some(found.as_str().to_owned())
            }
        }
    }
}

/// Whether a test holds of the nodes that a path found.
fn json_holds(test: &JsonTest, nodes: &Nodes<'_>, values: &mut Values) -> bool {
    let each = |meets: &dyn Fn(&Json) -> bool| nodes.all(&|node| node.value().is_some_and(|it| meets(&it)));
    match test {
        JsonTest::Exists(wanted) => nodes.first().is_some() == *wanted,
        JsonTest::Equals(wanted) => each(&|node| same(node, wanted)),
        JsonTest::EqualsFilled(template) => {
            let wanted = values.fill(template).ok().and_then(|text| serde_json::from_str(&text).ok());
            wanted.is_some_and(|wanted| each(&|node| same(node, &wanted)))
        }
        JsonTest::Type(wanted) => nodes.all(&|node| node.is_of_type(*wanted)),
        JsonTest::Contains(template) => values.fill(template).is_ok_and(|wanted| {
            each(&|node| match node {
                Json::String(text) => text.contains(&wanted),
                Json::Array(items) => items.iter().any(|item| item.as_str() == Some(&wanted)),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => false,
            })
        }),
        JsonTest::Min(least) => each(&|node| node.as_f64().is_some_and(|number| number >= *least)),
        JsonTest::Max(most) => each(&|node| node.as_f64().is_some_and(|number| number <= *most)),
    }
}

/// The values that a path found.
enum Nodes<'a> {
    /// The one value that it can find, as text, if it is there.
    Text(Option<&'a RawValue>),
    /// Any number of them, in a tree.
    Tree(Vec<&'a Json>),
}

/// A value that a path found.
#[derive(Clone, Copy)]
enum Node<'a> {
    Text(&'a RawValue),
    Tree(&'a Json),
}

impl<'a> Nodes<'a> {
    fn first(&self) -> Option<Node<'a>> {
        match self {
            Self::Text(found) => found.map(Node::Text),
            Self::Tree(nodes) => nodes.first().copied().map(Node::Tree),
        }
    }

    /// Whether there is at least one, and all of them meet a condition.
    fn all(&self, meets: &dyn Fn(Node<'a>) -> bool) -> bool {
        match self {
            Self::Text(found) => found.is_some_and(|text| meets(Node::Text(text))),
            Self::Tree(nodes) => !nodes.is_empty() && nodes.iter().all(|node| meets(Node::Tree(node))),
        }
    }
}

impl<'a> Node<'a> {
    /// The value itself; `None` of one that is nested too deeply.
    fn value(self) -> Option<Cow<'a, Json>> {
        match self {
            Self::Text(text) => serde_json::from_str(text.get()).ok().map(Cow::Owned),
            Self::Tree(value) => Some(Cow::Borrowed(value)),
        }
    }

    fn is_of_type(self, wanted: JsonType) -> bool {
        match self {
            Self::Tree(value) => is_of_type(value, wanted),
            // Its first character tells, but for whole numbers.
            Self::Text(text) => match (wanted, text.get().as_bytes().first()) {
                (JsonType::Integer, _) => self.value().is_some_and(|value| is_of_type(&value, wanted)),
                (JsonType::String, Some(b'"'))
                | (JsonType::Array, Some(b'['))
                | (JsonType::Object, Some(b'{'))
                | (JsonType::Boolean, Some(b't' | b'f'))
                | (JsonType::Null, Some(b'n'))
                | (JsonType::Number, Some(b'-' | b'0'..=b'9')) => true,
                (
                    JsonType::String
                    | JsonType::Array
                    | JsonType::Object
                    | JsonType::Boolean
                    | JsonType::Null
                    | JsonType::Number,
                    _,
                ) => false,
            },
        }
    }
}

/// Whether a test holds of a text that may be missing.
fn text_holds(test: &TextTest, text: Option<&[u8]>, values: &mut Values) -> bool {
    match (test, text) {
        (TextTest::Exists(wanted), text) => text.is_some() == *wanted,
        (_, None) => false,
        (TextTest::Equals(template), Some(text)) => {
            values.fill(template).is_ok_and(|wanted| text == wanted.as_bytes())
        }
        (TextTest::Contains(template), Some(text)) => values.fill(template).is_ok_and(|wanted| {
            wanted.is_empty() || text.windows(wanted.len()).any(|window| window == wanted.as_bytes())
        }),
    }
}

/// Equality as a user means it: 5 and 5.0 are the same number.
fn same(found: &Json, wanted: &Json) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        #[expect(clippy::float_cmp, reason = "the user asked for equality")]
        (Some(found), Some(wanted)) => found == wanted,
        _ => found == wanted,
    }
}

fn is_of_type(value: &Json, wanted: JsonType) -> bool {
    match wanted {
        JsonType::String => value.is_string(),
        JsonType::Number => value.is_number(),
        JsonType::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        JsonType::Boolean => value.is_boolean(),
        JsonType::Array => value.is_array(),
        JsonType::Object => value.is_object(),
        JsonType::Null => value.is_null(),
    }
}

/// The beginning of a text that may hold anything, and never a part of a secret: what is cut short is masked before.
fn shorten(bytes: &[u8], secrets: &Secrets) -> String {
    let window = 4 * (EXCERPT + secrets.longest());
    let whole = String::from_utf8_lossy(&bytes[..bytes.len().min(window)]);
    let masked = secrets.mask(whole.trim());
    // Where the window ends within a secret, its beginning is what is left of it.
    let doubtful = if bytes.len() > window { secrets.longest() } else { 0 };
    let n_chars = masked.chars().count();
    let mut text: String = masked.chars().take(EXCERPT.min(n_chars.saturating_sub(doubtful))).collect();
    if text.len() < masked.len() || bytes.len() > window {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::plan::{Escape, Piece, Place, StatusMatch, StatusSet, Template};

    fn values() -> Values {
        Values { vu: 1, iteration: 0, slots: Vec::new(), rng: fastrand::Rng::with_seed(1), jar: None }
    }

    fn holds(test: CheckTest, status: u16, body: &str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-pod", "a".parse().unwrap());
        headers.insert("set-cookie", "session=abc; Path=/; HttpOnly".parse().unwrap());
        let answer = Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) };
        let secrets = Secrets::default();
        let inspected = Inspected::new(&answer, Duration::from_millis(20), &secrets);
        let check = Check { name: String::new(), test, place: Place { file: String::new(), line: 1 } };
        if inspected.holds(&check, &mut values()) { Ok(()) } else { Err(inspected.instead(&check)) }
    }

    fn json(path: &str, test: JsonTest) -> CheckTest {
        CheckTest::Json { path: serde_json_path::JsonPath::parse(path).unwrap().into(), tests: vec![test] }
    }

    fn text(text: &str) -> Template {
        Template { pieces: vec![Piece::Text(text.into())], escape: Escape::None }
    }

    #[test]
    fn checks_hold_or_say_what_they_found_instead() {
        let ok = || CheckTest::Status(StatusSet(vec![StatusMatch::Code(200), StatusMatch::Class(3)]));
        assert_eq!(holds(ok(), 200, ""), Ok(()));
        assert_eq!(holds(ok(), 304, ""), Ok(()));
        assert_eq!(holds(ok(), 500, "no more connections"), Err("status 500: no more connections".into()));

        let healthy = || json("$.status", JsonTest::Equals("healthy".into()));
        assert_eq!(holds(healthy(), 200, r#"{"status":"healthy"}"#), Ok(()));
        assert_eq!(holds(healthy(), 200, r#"{"status":"ill"}"#), Err(r#"$.status is "ill""#.into()));
        assert_eq!(holds(healthy(), 200, "<html>"), Err("the body is not JSON: <html>".into()));
        assert_eq!(holds(healthy(), 200, "{}"), Err("nothing at $.status in {}".into()));
        assert_eq!(holds(json("$.n", JsonTest::Equals(5.into())), 200, r#"{"n":5.0}"#), Ok(()));
        assert_eq!(holds(json("$.id", JsonTest::Exists(false)), 200, "{}"), Ok(()));
        assert_eq!(holds(json("$.l", JsonTest::Type(JsonType::Array)), 200, r#"{"l":[]}"#), Ok(()));
        assert_eq!(holds(json("$[*].n", JsonTest::Min(2.0)), 200, r#"[{"n":2},{"n":3}]"#), Ok(()));
        assert!(holds(json("$[*].n", JsonTest::Max(2.0)), 200, r#"[{"n":2},{"n":3}]"#).is_err());
        assert!(holds(json("$[*].n", JsonTest::Max(2.0)), 200, "[]").is_err(), "no node is no pass");
        assert_eq!(holds(json("$.t", JsonTest::Contains(text("b"))), 200, r#"{"t":"abc"}"#), Ok(()));

        let pod = |value: &str| CheckTest::Header {
            name: http::HeaderName::from_static("x-pod"),
            tests: vec![TextTest::Equals(text(value))],
        };
        assert_eq!(holds(pod("a"), 200, ""), Ok(()));
        assert_eq!(holds(pod("b"), 200, ""), Err("`x-pod` is `a`".into()));
        let contains = |part| CheckTest::Body { tests: vec![TextTest::Contains(text(part))] };
        assert_eq!(holds(contains("ell"), 200, "hello"), Ok(()));
        assert_eq!(holds(CheckTest::Duration(Duration::from_millis(20)), 200, ""), Ok(()));
        assert_eq!(holds(CheckTest::Duration(Duration::from_millis(19)), 200, ""), Err("took 20 ms".into()));
    }

    #[test]
    fn captures_find_their_value() {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", "session=abc; Path=/".parse().unwrap());
        let body = Bytes::from_static(br#"{"id": 17, "none": null}"#);
        let answer = Answer { status: 200, headers, body };
        let secrets = Secrets::default();
        let inspected = Inspected::new(&answer, Duration::ZERO, &secrets);
        let path = |path| CaptureFrom::Json(serde_json_path::JsonPath::parse(path).unwrap().into());
        assert_eq!(inspected.capture(&path("$.id")).as_deref(), Some("17"));
        assert_eq!(inspected.capture(&path("$.none")), None, "null is no value");
        assert_eq!(inspected.capture(&CaptureFrom::Cookie("session".into())).as_deref(), Some("abc"));
        let regex = regex::Regex::new("\"id\": ([0-9]+)").unwrap();
        assert_eq!(inspected.capture(&CaptureFrom::Regex(regex)).as_deref(), Some("17"));
    }

    #[test]
    fn an_excerpt_is_short_whatever_the_body_is() {
        let text =
            holds(CheckTest::Body { tests: vec![TextTest::Contains(text("x"))] }, 200, &"ä".repeat(10_000))
                .unwrap_err();
        assert!(text.chars().count() < 200, "{text}");
        assert!(text.ends_with('…'));
    }
}
