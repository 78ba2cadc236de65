//! Steps, from the profile's form to the compiled one.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::request::{
    Body, Capture, CaptureFrom, Check, CheckTest, Escape, JsonTest, Path, Piece, Request, Slot, StatusSet,
    Step, Template, TextTest, Value,
};
use super::{LoadId, Place, StepId};
use crate::profile::{self, Diagnostic, Profile};

/// What RFC 3986 leaves unreserved stays as it is in a query or a form.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Compiles steps; what is wrong with them is collected, and compiling goes on.
pub(super) struct Compiler<'a> {
    pub(super) profile: &'a Profile,
    /// The id of the run, which is text in a template from here on.
    pub(super) run: &'a str,
    /// The `Host` header.
    pub(super) authority: &'a str,
    /// The target's base path, without a slash at its end.
    pub(super) base: &'a str,
    /// Names of the slots.
    pub(super) slots: &'a [String],
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
}

impl Compiler<'_> {
    pub(super) fn place(&self, place: profile::Place) -> Place {
        locate(self.profile, place)
    }

    fn slot(&self, name: &str) -> Slot {
        let index = self.slots.iter().position(|slot| slot == name);
        // Every capture has a slot, and the profile knows no other names.
        Slot(u16::try_from(index.expect("invariant: names were checked")).unwrap_or(u16::MAX))
    }

    /// Compiles a step of a load, or of setup or teardown. `undo_base` is the id of its scenario's first step.
    pub(super) fn step(&mut self, step: &profile::Step, load: Option<LoadId>, undo_base: u16) -> Step {
        let request = self.request(step);
        let checks: Vec<Check> = step.checks.iter().map(|check| self.check(check)).collect();
        let captures: Vec<Capture> = (step.captures.iter())
            .map(|capture| Capture {
                name: capture.name.value.clone(),
                slot: self.slot(&capture.name),
                from: capture_from(&capture.from),
                place: self.place(capture.name.place),
            })
            .collect();
        let body_check =
            |check: &Check| matches!(check.test, CheckTest::Json { .. } | CheckTest::Body { .. });
        let body_capture =
            |capture: &Capture| matches!(capture.from, CaptureFrom::Json(_) | CaptureFrom::Regex(_));
        let expected = (checks.iter())
            .filter_map(|check| if let CheckTest::Status(set) = &check.test { Some(&set.0) } else { None })
            .flatten();
        Step {
            name: step.name.value.clone(),
            load,
            place: self.place(step.name.place),
            request,
            timeout: step.timeout,
            redirects: step.redirects,
            needs: step.needs.iter().map(|name| self.slot(name)).collect(),
            expected: StatusSet(expected.copied().collect()),
            undo: step
                .undo
                .as_ref()
                .map(|index| StepId(undo_base + u16::try_from(index.value).unwrap_or(u16::MAX))),
            pause: step.pause,
            tags: step.tags.iter().map(|(key, value)| (key.value.clone(), value.clone())).collect(),
            reads_body: checks.iter().any(body_check) || captures.iter().any(body_capture),
            captures,
            checks,
        }
    }

    fn request(&mut self, step: &profile::Step) -> Request {
        let mut path = vec![Piece::Text(self.base.into())];
        path.extend(self.pieces(&step.path, str::to_owned));
        let mut mark = if shown(&step.path).contains('?') { '&' } else { '?' };
        for (key, value) in &step.query {
            path.push(Piece::Text(format!("{mark}{}=", percent(key)).into()));
            path.extend(self.pieces(value, percent));
            mark = '&';
        }
        let path = template(path, Escape::Percent);
        let path = match path.as_static() {
            None => Path::Filled(path),
            Some(text) => Path::Static(text.parse().unwrap_or_else(|error| {
                let message = format!("`{text}` is no valid path: {error}");
                self.diagnostics.push(Diagnostic::new(step.path.place, message));
                Uri::default()
            })),
        };
        let (body, content_type) = self.body(step.body.as_ref());
        let (headers, filled_headers) = self.headers(step, content_type);
        Request { method: step.method.clone(), shown: shown(&step.path), path, headers, filled_headers, body }
    }

    fn headers(
        &mut self,
        step: &profile::Step,
        content_type: Option<&'static str>,
    ) -> (HeaderMap, Vec<(HeaderName, Template)>) {
        let mut headers = HeaderMap::new();
        let mut filled = Vec::new();
        let own = |name: &HeaderName| step.headers.iter().any(|(other, _)| other == name);
        let common = self.profile.target.headers.iter().filter(|(name, _)| !own(name));
        for (name, value) in common.chain(&step.headers) {
            let compiled = template(self.pieces(value, str::to_owned), Escape::None);
            match compiled.as_static().map(HeaderValue::from_str) {
                None => filled.push((name.clone(), compiled)),
                Some(Ok(value)) => drop(headers.append(name, value)),
                Some(Err(_)) => {
                    let message =
                        format!("the value of the header `{name}` holds a character that no header may");
                    self.diagnostics.push(Diagnostic::new(value.place, message));
                }
            }
        }
        let missing = |name: &HeaderName, headers: &HeaderMap, filled: &[(HeaderName, Template)]| {
            !headers.contains_key(name) && !filled.iter().any(|(other, _)| other == name)
        };
        let authority = HeaderValue::from_str(self.authority);
        if let (true, Ok(authority)) = (missing(&HOST, &headers, &filled), authority) {
            headers.insert(HOST, authority);
        }
        if missing(&USER_AGENT, &headers, &filled) {
            headers
                .insert(USER_AGENT, HeaderValue::from_static(concat!("palier/", env!("CARGO_PKG_VERSION"))));
        }
        if let (true, Some(content_type)) = (missing(&CONTENT_TYPE, &headers, &filled), content_type) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        (headers, filled)
    }

    fn body(&self, body: Option<&profile::Body>) -> (Body, Option<&'static str>) {
        let (pieces, escape, content_type) = match body {
            None => return (Body::None, None),
            Some(profile::Body::Json(json)) => (self.json(json), Escape::Json, Some("application/json")),
            Some(profile::Body::Form(fields)) => {
                let mut pieces = Vec::new();
                let mut mark = "";
                for (key, value) in fields {
                    pieces.push(Piece::Text(format!("{mark}{}=", percent(key)).into()));
                    pieces.extend(self.pieces(value, percent));
                    mark = "&";
                }
                (pieces, Escape::Percent, Some("application/x-www-form-urlencoded"))
            }
            Some(profile::Body::Text(text)) => (self.pieces(text, str::to_owned), Escape::None, None),
        };
        let compiled = template(pieces, escape);
        let body = match compiled.as_static() {
            Some(text) => Body::Static(Bytes::copy_from_slice(text.as_bytes())),
            None => Body::Filled(compiled),
        };
        (body, content_type)
    }

    /// A JSON value as text, with places to fill in inside its strings.
    fn json(&self, json: &profile::Json) -> Vec<Piece> {
        let text = |text: String| vec![Piece::Text(text.into())];
        match json {
            profile::Json::Bool(value) => text(value.to_string()),
            profile::Json::Integer(value) => text(value.to_string()),
            profile::Json::Float(value) => text(serde_json::Value::from(*value).to_string()),
            profile::Json::String(value) => {
                let mut pieces = vec![Piece::Text("\"".into())];
                pieces.extend(self.pieces(value, json_inside));
                pieces.push(Piece::Text("\"".into()));
                pieces
            }
            profile::Json::Array(items) => {
                let mut pieces = text("[".to_owned());
                for (index, item) in items.iter().enumerate() {
                    pieces.extend(text(if index > 0 { ",".to_owned() } else { String::new() }));
                    pieces.extend(self.json(item));
                }
                pieces.extend(text("]".to_owned()));
                pieces
            }
            profile::Json::Object(members) => {
                let mut pieces = text("{".to_owned());
                for (index, (key, value)) in members.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    pieces.extend(text(format!("{comma}\"{}\":", json_inside(key))));
                    pieces.extend(self.json(value));
                }
                pieces.extend(text("}".to_owned()));
                pieces
            }
        }
    }

    fn check(&self, check: &profile::Check) -> Check {
        let text = |tests: &[profile::TextMatcher]| -> Vec<TextTest> {
            let plain = |value| template(self.pieces(value, str::to_owned), Escape::None);
            (tests.iter())
                .map(|test| match test {
                    profile::TextMatcher::Equals(value) => TextTest::Equals(plain(value)),
                    profile::TextMatcher::Contains(value) => TextTest::Contains(plain(value)),
                    profile::TextMatcher::Exists(wanted) => TextTest::Exists(*wanted),
                })
                .collect()
        };
        let test = match &check.condition {
            profile::Condition::Status(set) => CheckTest::Status(StatusSet(set.clone())),
            profile::Condition::Json { path, matchers } => CheckTest::Json {
                path: path.clone().into(),
                tests: matchers.iter().map(|matcher| self.json_test(matcher)).collect(),
            },
            profile::Condition::Header { name, matchers } => {
                CheckTest::Header { name: name.clone(), tests: text(matchers) }
            }
            profile::Condition::Body { matchers } => CheckTest::Body { tests: text(matchers) },
            profile::Condition::Duration(most) => CheckTest::Duration(*most),
        };
        Check { name: check.name.value.clone(), test, place: self.place(check.name.place) }
    }

    fn json_test(&self, matcher: &profile::JsonMatcher) -> JsonTest {
        match matcher {
            profile::JsonMatcher::Equals(json) => {
                let wanted = template(self.json(json), Escape::Json);
                // What we have written ourselves is JSON.
                let fixed = wanted.as_static().and_then(|text| serde_json::from_str(text).ok());
                fixed.map_or(JsonTest::EqualsFilled(wanted), JsonTest::Equals)
            }
            profile::JsonMatcher::Exists(wanted) => JsonTest::Exists(*wanted),
            profile::JsonMatcher::Type(wanted) => JsonTest::Type(*wanted),
            profile::JsonMatcher::Contains(value) => {
                JsonTest::Contains(template(self.pieces(value, str::to_owned), Escape::None))
            }
            profile::JsonMatcher::Min(least) => JsonTest::Min(*least),
            profile::JsonMatcher::Max(most) => JsonTest::Max(*most),
        }
    }

    /// The pieces of a template, its fixed text written as `write` does.
    fn pieces(&self, template: &profile::Template, write: impl Fn(&str) -> String) -> Vec<Piece> {
        (template.pieces.iter())
            .map(|piece| match piece {
                profile::Piece::Text(text) => Piece::Text(write(text).into()),
                profile::Piece::Value(reference) => match &reference.value {
                    profile::Reference::Capture(name) => Piece::Value(Value::Captured(self.slot(name))),
                    profile::Reference::Run => Piece::Text(write(self.run).into()),
                    profile::Reference::Shard => Piece::Text("1".into()),
                    profile::Reference::Vu => Piece::Value(Value::Vu),
                    profile::Reference::Iteration => Piece::Value(Value::Iteration),
                    profile::Reference::Uuid => Piece::Value(Value::Uuid),
                    profile::Reference::Now => Piece::Value(Value::Now),
                    profile::Reference::Random { min, max } => Piece::Value(Value::Random(*min..=*max)),
                    profile::Reference::Pick(choices) => Piece::Value(Value::Pick(choices.clone())),
                },
            })
            .collect()
    }
}

/// Where something stands, as reports name it.
pub(super) fn locate(profile: &Profile, place: profile::Place) -> Place {
    let location = profile.sources.locate(place);
    // Of a built-in file the path that it has in palier's repository: a name that stays the same.
    let file = location.file.strip_prefix("built-in ").unwrap_or(location.file);
    Place { file: file.to_owned(), line: u32::try_from(location.line).unwrap_or(u32::MAX) }
}

fn capture_from(from: &profile::CaptureFrom) -> CaptureFrom {
    match from {
        profile::CaptureFrom::Json(path) => CaptureFrom::Json(path.clone().into()),
        profile::CaptureFrom::Header(name) => CaptureFrom::Header(name.clone()),
        profile::CaptureFrom::Cookie(name) => CaptureFrom::Cookie(name.clone()),
        profile::CaptureFrom::Regex(regex) => CaptureFrom::Regex(regex.clone()),
    }
}

/// A template of these pieces, neighbouring texts joined.
fn template(pieces: Vec<Piece>, escape: Escape) -> Template {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Text(last)), Piece::Text(text)) => *last = format!("{last}{text}").into(),
            (_, Piece::Text(text)) if text.is_empty() => {}
            (_, piece) => joined.push(piece),
        }
    }
    Template { pieces: joined, escape }
}

/// A template as the profile writes it.
fn shown(template: &profile::Template) -> String {
    let mut text = String::new();
    for piece in &template.pieces {
        let part = match piece {
            profile::Piece::Text(part) => part.as_str(),
            profile::Piece::Value(reference) => match &reference.value {
                profile::Reference::Capture(name) => {
                    // Writing to a string does not fail.
                    let _ = write!(text, "{{{{{name}}}}}");
                    ""
                }
                profile::Reference::Run => "{{run}}",
                profile::Reference::Vu => "{{vu}}",
                profile::Reference::Iteration => "{{iteration}}",
                profile::Reference::Shard => "{{shard}}",
                profile::Reference::Uuid => "{{uuid}}",
                profile::Reference::Now => "{{now}}",
                profile::Reference::Random { .. } => "{{random}}",
                profile::Reference::Pick(_) => "{{pick}}",
            },
        };
        text.push_str(part);
    }
    text
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, NOT_UNRESERVED).to_string()
}

/// A text as the inside of a JSON string.
fn json_inside(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
