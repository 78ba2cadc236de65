//! A step: one request with what is captured from the answer and checked on it.

use std::time::Duration;

use http::{HeaderName, Method};
use regex::Regex;
use serde_json_path::JsonPath;

use super::check::{self, Check, Condition, JsonMatcher, TextMatcher};
use super::diagnostic::Diagnostic;
use super::json::{self, Json};
use super::place::{Place, Placed};
use super::reader::{self, Fields, Findings};
use super::scenario::{self, Pause};
use super::template::{self, Piece, Template};
use super::tree::Node;
use super::{headers, tags};

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
    /// From the start of the request to the end of the answer; 60 s by default, above 0.
    pub timeout: Duration,
    /// Redirects followed at most; 10 by default, 0 takes the answer as it is.
    pub redirects: u32,
    /// Pause after the step.
    pub pause: Option<Pause>,
    /// Captures without which the step is skipped.
    pub needs: Vec<Placed<String>>,
    /// The step that undoes what this one creates: an index into the scenario's `steps`.
    pub undo: Option<Placed<usize>>,
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

impl Step {
    /// Every template of the step, in the order of its fields.
    pub fn templates(&self) -> Vec<&Template> {
        let mut templates = vec![&self.path];
        templates.extend(self.query.iter().map(|(_, value)| value));
        templates.extend(self.headers.iter().map(|(_, value)| value));
        match &self.body {
            Some(Body::Json(json)) => templates.extend(json.templates()),
            Some(Body::Form(form)) => templates.extend(form.iter().map(|(_, value)| value)),
            Some(Body::Text(text)) => templates.push(text),
            None => {}
        }
        for check in &self.checks {
            match &check.condition {
                Condition::Status(_) | Condition::Duration(_) => {}
                Condition::Json { matchers, .. } => {
                    templates.extend(matchers.iter().flat_map(|matcher| match matcher {
                        JsonMatcher::Equals(json) => json.templates(),
                        JsonMatcher::Contains(text) => vec![text],
                        JsonMatcher::Exists(_)
                        | JsonMatcher::Type(_)
                        | JsonMatcher::Min(_)
                        | JsonMatcher::Max(_) => Vec::new(),
                    }));
                }
                Condition::Header { matchers, .. } | Condition::Body { matchers } => {
                    templates.extend(matchers.iter().filter_map(|matcher| match matcher {
                        TextMatcher::Equals(text) | TextMatcher::Contains(text) => Some(text),
                        TextMatcher::Exists(_) => None,
                    }));
                }
            }
        }
        templates
    }
}

/// A step whose `undo` is still a name.
#[derive(Debug)]
pub(super) struct Unlinked {
    pub(super) step: Step,
    pub(super) undo: Option<Placed<String>>,
}

/// The keys that name the method, and hold the path.
const METHODS: [(&str, Method); 7] = [
    ("get", Method::GET),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("patch", Method::PATCH),
    ("delete", Method::DELETE),
    ("head", Method::HEAD),
    ("options", Method::OPTIONS),
];

/// Keys of steps that are still to come.
const LATER: [&str; 6] = ["multipart", "body_file", "when", "repeat", "weight", "cookies"];

/// Reads one step; `list` is the key it stands under: `step`, `setup` or `teardown`.
pub(super) fn read(node: &Node, list: &'static str, findings: &mut Findings) -> Option<Unlinked> {
    let mut fields = Fields::of(node, list, "a step", findings)?;
    let name = fields.require("name", findings).and_then(|node| placed_name(node, "name", findings));
    let request = request(&mut fields, node, findings);
    let query = fields.get("query").map(|node| pairs(node, "query", findings)).unwrap_or_default();
    let headers = fields.get("headers").map(|node| headers::read(node, findings)).unwrap_or_default();
    let body = body(&mut fields, findings);
    let timeout = fields.get("timeout").and_then(|node| reader::some_time(node, "timeout", findings));
    let redirects =
        fields.get("redirects").and_then(|node| reader::integer(node, "redirects", 0..=100_u32, findings));
    let pause = fields.get("pause").and_then(|node| scenario::pause(node, findings));
    let needs = fields.get("needs").map(|node| reader::names(node, "needs", findings)).unwrap_or_default();
    let undo = fields.get("undo").and_then(|node| placed_name(node, "undo", findings));
    let tags = fields.get("tags").map(|node| tags::read(node, findings)).unwrap_or_default();
    let captures = fields.get("capture").map_or(Some(Vec::new()), |node| captures(node, findings));
    let checks = fields.get("checks").map(|node| check::read(node, findings)).unwrap_or_default();
    fields.finish(&LATER, findings);
    let (method, path) = request?;
    let step = Step {
        name: name?,
        method,
        path,
        query,
        headers,
        body,
        timeout: timeout.unwrap_or(Duration::from_secs(60)),
        redirects: redirects.unwrap_or(10),
        pause,
        needs: needs.into_iter().map(|(name, node)| Placed::new(name.to_owned(), node.place)).collect(),
        undo: None,
        tags,
        captures: captures?,
        checks,
        place: node.place,
    };
    Some(Unlinked { step, undo })
}

fn placed_name(node: &Node, key: &str, findings: &mut Findings) -> Option<Placed<String>> {
    Some(Placed::new(reader::name(node, key, findings)?.to_owned(), node.place))
}

/// The method and the path: one of `get`, `post` and so on.
fn request(fields: &mut Fields<'_>, node: &Node, findings: &mut Findings) -> Option<(Method, Template)> {
    let written: Vec<_> =
        METHODS.iter().filter_map(|(key, method)| Some((*key, method, fields.get(key)?))).collect();
    if let Some((key, _, node)) = written.get(1) {
        findings.add(Diagnostic::new(node.place, format!("a step makes one request: `{key}` is the second")));
    }
    let Some(&(key, method, path)) = written.first() else {
        findings.missing(
            Diagnostic::new(node.place, "the step makes no request")
                .help("add for example `get = \"/health\"`"),
        );
        return None;
    };
    let template = template::read(path, key, findings)?;
    let begins = matches!(template.pieces.first(), Some(Piece::Text(text)) if text.starts_with('/'));
    let wrong = template.pieces.iter().find_map(|piece| match piece {
        Piece::Text(text) => text.chars().find(|c| !c.is_ascii_graphic() || *c == '#'),
        Piece::Value(_) => None,
    });
    if !begins {
        findings.add(
            Diagnostic::new(path.place, format!("`{key}` is a path and begins with `/`"))
                .help("the host stands in `[target]`"),
        );
        return None;
    }
    if let Some(wrong) = wrong {
        findings.add(
            Diagnostic::new(path.place, format!("a path cannot hold `{}`", wrong.escape_debug()))
                .help("write it percent-encoded: a blank is `%20`"),
        );
        return None;
    }
    Some((method.clone(), template))
}

/// A table of texts, in the order written.
fn pairs(node: &Node, key: &str, findings: &mut Findings) -> Vec<(String, Template)> {
    let Some(table) = node.table() else {
        findings.wrong_type(node, key, "a table of texts");
        return Vec::new();
    };
    let entries = table.entries.iter();
    entries
        .filter_map(|(name, value)| {
            Some((name.value.clone(), template::read_scalar(value, &name.value, findings)?))
        })
        .collect()
}

/// `json`, `form` or `body`.
fn body(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Body> {
    let (json, form, body) = (fields.get("json"), fields.get("form"), fields.get("body"));
    let written: Vec<&Node> = [json, form, body].into_iter().flatten().collect();
    if let [first, second, ..] = written.as_slice() {
        findings.add(
            Diagnostic::new(second.place, "a step sends one body: `json`, `form` or `body`")
                .related(first.place, "the first"),
        );
    }
    if let Some(node) = json {
        json::read(node, findings).map(Body::Json)
    } else if let Some(node) = form {
        Some(Body::Form(pairs(node, "form", findings)))
    } else {
        template::read(body?, "body", findings).map(Body::Text)
    }
}

/// All of them or none: with one missing, every step that names it would be complained about.
fn captures(node: &Node, findings: &mut Findings) -> Option<Vec<Capture>> {
    let Some(table) = node.table() else {
        findings.wrong_type(node, "capture", "a table of captures");
        return None;
    };
    let mut captures = Vec::new();
    for (name, node) in &table.entries {
        let from = capture(node, &name.value, findings);
        let reserved = template::is_built_in(&name.value);
        if reserved || !template::is_capture_name(&name.value) {
            let message = if reserved {
                format!("`{}` is a value that palier itself has", name.value)
            } else {
                format!("`{}`: the name of a capture has letters, digits, `_` and `-` only", name.value)
            };
            findings.add(Diagnostic::new(name.place, message));
        } else if let Some(from) = from {
            captures.push(Capture { name: name.clone(), from });
        }
    }
    (captures.len() == table.entries.len()).then_some(captures)
}

fn capture(node: &Node, name: &str, findings: &mut Findings) -> Option<CaptureFrom> {
    let mut fields = Fields::of(node, name, "a capture", findings)?;
    let keys = ["json", "header", "cookie", "regex"];
    let written: Vec<(&str, &Node)> =
        keys.into_iter().filter_map(|key| Some((key, fields.get(key)?))).collect();
    fields.finish(&[], findings);
    match written.as_slice() {
        [("json", node)] => json::path(node, "json", findings).map(CaptureFrom::Json),
        [("header", node)] => {
            let name = reader::text(node, "header", findings)?;
            headers::name(name, node.place, findings).map(CaptureFrom::Header)
        }
        [("cookie", node)] => {
            reader::name(node, "cookie", findings).map(|name| CaptureFrom::Cookie(name.into()))
        }
        [(_, node)] => regex(node, findings).map(CaptureFrom::Regex),
        [] => {
            findings.missing(
                Diagnostic::new(node.place, "the capture looks nowhere")
                    .help("add `json`, `header`, `cookie` or `regex`"),
            );
            None
        }
        [_, (second, node), ..] => {
            let message = format!("a capture looks at one place: `{second}` is the second");
            findings.add(Diagnostic::new(node.place, message));
            None
        }
    }
}

fn regex(node: &Node, findings: &mut Findings) -> Option<Regex> {
    let text = reader::name(node, "regex", findings)?;
    match Regex::new(text) {
        Ok(regex) => Some(regex),
        Err(error) => {
            // The text of the error draws the expression over several lines and ends in the reason.
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            findings
                .add(Diagnostic::new(node.place, format!("`{text}` is no regular expression")).label(reason));
            None
        }
    }
}
