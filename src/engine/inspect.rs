//! Looking at an answer: checks and captures. Nothing is parsed that none of them asks for.

use std::cell::OnceCell;
use std::time::Duration;

use serde_json::Value as Json;

use super::exchange::Answer;
use crate::plan::{CaptureFrom, Check, CheckTest, JsonTest};

/// How much of a body an example shows.
const EXCERPT: usize = 160;

/// An answer with its body, which is parsed at most once.
pub(super) struct Inspected<'a> {
    answer: &'a Answer,
    body: &'a [u8],
    duration: Duration,
    json: OnceCell<Option<Json>>,
}

impl<'a> Inspected<'a> {
    pub(super) fn new(answer: &'a Answer, body: &'a [u8], duration: Duration) -> Self {
        Self { answer, body, duration, json: OnceCell::new() }
    }

    fn json(&self) -> Option<&Json> {
        self.json.get_or_init(|| serde_json::from_slice(self.body).ok()).as_ref()
    }

    /// Whether a check holds.
    pub(super) fn holds(&self, check: &Check) -> bool {
        match &check.test {
            CheckTest::Status(set) => set.contains(self.answer.status),
            CheckTest::Json { path, test } => {
                let found = self.json().and_then(|json| path.query(json).first());
                match test {
                    JsonTest::Exists(wanted) => found.is_some() == *wanted,
                    JsonTest::Equals(value) => found.is_some_and(|found| same(found, value)),
                    JsonTest::Type(name) => found.is_some_and(|found| type_of(found) == name),
                }
            }
            CheckTest::Header { name, equals } => match (self.answer.headers.get(name), equals) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(value), Some(wanted)) => value.as_bytes() == wanted.as_bytes(),
            },
            CheckTest::BodyContains(text) => {
                let text = text.as_bytes();
                text.is_empty() || self.body.windows(text.len()).any(|window| window == text)
            }
            CheckTest::Duration(most) => self.duration < *most,
        }
    }

    /// What was found instead of what a check wants, for a reader.
    pub(super) fn instead(&self, check: &Check) -> String {
        match &check.test {
            CheckTest::Status(_) => self.describe(),
            CheckTest::Json { path, .. } => match self.json() {
                None => format!("the body is not JSON: {}", self.excerpt()),
                Some(json) => match path.query(json).first() {
                    None => format!("nothing at {path} in {}", self.excerpt()),
                    Some(found) => format!("{path} is {}", shorten(found.to_string().as_bytes())),
                },
            },
            CheckTest::Header { name, .. } => match self.answer.headers.get(name) {
                None => format!("no header `{name}`"),
                Some(value) => format!("`{name}` is `{}`", shorten(value.as_bytes())),
            },
            CheckTest::BodyContains(_) => format!("the body is {}", self.excerpt()),
            CheckTest::Duration(_) => format!("took {:?}", self.duration),
        }
    }

    /// Status and beginning of the body, for a reader.
    pub(super) fn describe(&self) -> String {
        if self.body.is_empty() {
            format!("status {}", self.answer.status)
        } else {
            format!("status {}: {}", self.answer.status, self.excerpt())
        }
    }

    fn excerpt(&self) -> String {
        if self.body.is_empty() { "an empty body".to_owned() } else { shorten(self.body) }
    }

    /// The value that a capture finds.
    pub(super) fn capture(&self, from: &CaptureFrom) -> Option<String> {
        match from {
            CaptureFrom::Json(path) => {
                let found = self.json().and_then(|json| path.query(json).first())?;
                Some(match found {
                    Json::String(text) => text.clone(),
                    Json::Null => return None,
                    Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => found.to_string(),
                })
            }
            CaptureFrom::Header(name) => {
                self.answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            }
        }
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

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// The beginning of a text that may hold anything.
fn shorten(bytes: &[u8]) -> String {
    let whole = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * EXCERPT)]);
    let mut text: String = whole.trim().chars().take(EXCERPT).collect();
    if text.len() < bytes.trim_ascii().len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::plan::{Place, Status, StatusSet};

    fn holds(test: CheckTest, status: u16, body: &str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-pod", "a".parse().unwrap());
        let answer = Answer { status, headers };
        let inspected = Inspected::new(&answer, body.as_bytes(), Duration::from_millis(20));
        let check = Check { name: String::new(), test, place: Place { file: String::new(), line: 1 } };
        if inspected.holds(&check) { Ok(()) } else { Err(inspected.instead(&check)) }
    }

    fn json(path: &str, test: JsonTest) -> CheckTest {
        CheckTest::Json { path: serde_json_path::JsonPath::parse(path).unwrap(), test }
    }

    #[test]
    fn checks_hold_or_say_what_they_found_instead() {
        let ok = || CheckTest::Status(StatusSet(vec![Status::Code(200), Status::Class(3)]));
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
        assert_eq!(holds(json("$.l", JsonTest::Type("array".into())), 200, r#"{"l":[]}"#), Ok(()));

        let pod = |value: &str| CheckTest::Header {
            name: http::HeaderName::from_static("x-pod"),
            equals: Some(value.to_owned()),
        };
        assert_eq!(holds(pod("a"), 200, ""), Ok(()));
        assert_eq!(holds(pod("b"), 200, ""), Err("`x-pod` is `a`".into()));
        assert_eq!(holds(CheckTest::BodyContains("ell".into()), 200, "hello"), Ok(()));
        assert!(holds(CheckTest::Duration(Duration::from_millis(20)), 200, "").is_err());
    }

    #[test]
    fn an_excerpt_is_short_whatever_the_body_is() {
        let text = holds(CheckTest::BodyContains("x".into()), 200, &"ä".repeat(10_000)).unwrap_err();
        assert!(text.chars().count() < 200, "{text}");
        assert!(text.ends_with('…'));
    }
}
