//! The lines of a journal. Those that are written under load are put together by hand; all are read by serde.

use std::borrow::Cow;

use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde::{Deserialize, Serialize};

use super::seal::{Seal, is_sealed};
use crate::plan::{Body, Plan, Step, StepId};
use crate::words::carries_credentials;

/// The format of this version.
pub(super) const FORMAT: &str = "palier.journal/1";

/// The most of a request's body that is written down before it is sent. It is there to be recognised.
const MOST_OF_A_BODY: usize = 1024;

/// How to find the statement that deletes from the database what a run left: `[cleanup.mysql]` of its profile. The
/// statement itself and the way into the database are in no journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseCleanup {
    /// The profile as whoever started the run named it, sealed.
    pub profile: String,
    /// What `--set` changed of it, sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// The first line: which run, and against what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: String,
    pub(super) run: String,
    pub(super) profile: String,
    pub(super) target: String,
    /// The context of the kubeconfig that leads to a Service, sealed; `None` for the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) database: Option<DatabaseCleanup>,
}

/// A step that creates something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StepLine {
    pub(super) step: u16,
    pub(super) name: String,
    pub(super) method: String,
    pub(super) undo: Undoing,
}

/// The part of an undoing that is the same for all that a step creates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoing {
    /// The step that undoes it.
    pub step: String,
    /// Its method.
    pub method: String,
    /// Its headers, sealed; a value that was left out is `None`. `Host` is the target's, unless it is here.
    #[serde(default)]
    pub headers: Vec<(String, Option<String>)>,
    /// Its body, sealed, where it is always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// Any line after the first: the member that is there says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Line {
    pub(super) step: Option<u16>,
    pub(super) name: Option<String>,
    pub(super) method: Option<String>,
    pub(super) undo: Option<Undoing>,
    pub(super) sent: Option<u64>,
    pub(super) made: Option<u64>,
    pub(super) undone: Option<u64>,
    pub(super) refused: Option<u64>,
    pub(super) end: Option<String>,
    pub(super) path: Option<String>,
    pub(super) headers: Option<Vec<(String, Option<String>)>>,
    pub(super) body: Option<String>,
}

/// The lines that every journal of this plan begins with.
pub(super) fn beginning(plan: &Plan, database: Option<&DatabaseCleanup>, seal: &Seal) -> Vec<u8> {
    let sealed = |text: &String| seal.seal(text).into_owned();
    let head = Head {
        format: FORMAT.to_owned(),
        run: plan.run.clone(),
        profile: sealed(&plan.profile),
        target: sealed(&plan.target.url),
        context: plan.target.service.as_ref().and_then(|service| service.context.as_ref()).map(sealed),
        database: database.map(|database| DatabaseCleanup {
            profile: sealed(&database.profile),
            set: database.set.iter().map(sealed).collect(),
        }),
    };
    let mut text = Vec::new();
    put_json(&mut text, &head);
    text.push(b'\n');
    for (index, step) in (0_u16..).zip(&plan.steps) {
        let Some(undo) = step.undo else { continue };
        let undo = plan.step(undo);
        let line = StepLine {
            step: index,
            // Names are only shown, and so only masked.
            name: plan.secrets.mask(&step.name).into_owned(),
            method: step.request.method.to_string(),
            undo: undoing(undo, plan, seal),
        };
        put_json(&mut text, &line);
        text.push(b'\n');
    }
    text
}

fn undoing(undo: &Step, plan: &Plan, seal: &Seal) -> Undoing {
    let headers = undo.request.headers.iter();
    // The target's own authority follows the target, should that have moved when the journal is swept.
    let headers = headers.filter(|(name, value)| **name != HOST || *value != plan.target.authority.as_str());
    Undoing {
        step: plan.secrets.mask(&undo.name).into_owned(),
        method: undo.request.method.to_string(),
        headers: headers.map(|(name, value)| header(name, value, seal)).collect(),
        body: match &undo.request.body {
            Body::Static(body) => Some(seal.seal(&String::from_utf8_lossy(body)).into_owned()),
            Body::None | Body::Filled(_) => None,
        },
    }
}

fn header(name: &HeaderName, value: &HeaderValue, seal: &Seal) -> (String, Option<String>) {
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let sealed = seal.seal(&value).into_owned();
    // A credential is written only where it comes from a secret, whose name then stands there.
    let is_secret = carries_credentials(name.as_str()) && !is_sealed(&sealed);
    (name.as_str().to_owned(), (!is_secret).then_some(sealed))
}

/// The request that undoes one thing, as it goes out.
#[derive(Clone, Copy, Debug)]
pub struct Undo<'a> {
    /// The step that it is built from.
    pub step: &'a Step,
    /// Its path.
    pub uri: &'a Uri,
    /// Those of its headers that are not the same for all that the step undoes.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
}

impl Undo<'_> {
    fn own_headers(&self, seal: &Seal) -> Vec<(String, Option<String>)> {
        self.headers.iter().map(|(name, value)| header(name, value, seal)).collect()
    }

    fn own_body(&self) -> Option<&[u8]> {
        matches!(self.step.request.body, Body::Filled(_)).then_some(self.body)
    }
}

pub(super) fn put_sent(text: &mut Vec<u8>, number: u64, step: StepId, uri: &Uri, body: &[u8], seal: &Seal) {
    put_member(text, b"{\"sent\":", number);
    put_member(text, b",\"step\":", step.0.into());
    put_path(text, uri, seal);
    if !body.is_empty() {
        text.extend_from_slice(b",\"body\":");
        put_text(text, &seal.seal_beginning(&text_of(body), MOST_OF_A_BODY));
    }
    text.extend_from_slice(b"}\n");
}

pub(super) fn put_made(text: &mut Vec<u8>, number: u64, step: StepId, undo: Option<Undo<'_>>, seal: &Seal) {
    put_member(text, b"{\"made\":", number);
    put_member(text, b",\"step\":", step.0.into());
    if let Some(undo) = undo {
        put_path(text, undo.uri, seal);
        let headers = undo.own_headers(seal);
        if !headers.is_empty() {
            text.extend_from_slice(b",\"headers\":");
            put_json(text, &headers);
        }
        if let Some(body) = undo.own_body() {
            text.extend_from_slice(b",\"body\":");
            put_text(text, &seal.seal(&text_of(body)));
        }
    }
    text.extend_from_slice(b"}\n");
}

pub(super) fn put_undone(text: &mut Vec<u8>, number: u64) {
    put_member(text, b"{\"undone\":", number);
    text.extend_from_slice(b"}\n");
}

pub(super) fn put_refused(text: &mut Vec<u8>, number: u64) {
    put_member(text, b"{\"refused\":", number);
    text.extend_from_slice(b"}\n");
}

pub(super) fn put_end(text: &mut Vec<u8>, how: &str, left: u64, unanswered: u64) {
    text.extend_from_slice(b"{\"end\":");
    put_text(text, how);
    put_member(text, b",\"left\":", left);
    put_member(text, b",\"unanswered\":", unanswered);
    text.extend_from_slice(b"}\n");
}

/// A body as text. Nearly every one is, so that is looked at first.
fn text_of(body: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed)
}

fn put_path(text: &mut Vec<u8>, uri: &Uri, seal: &Seal) {
    text.extend_from_slice(b",\"path\":");
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    put_text(text, &seal.seal(path));
}

/// A member with its number. By hand: this is on the way of a request, and needs none of what the standard library's
/// formatting can do.
fn put_member(text: &mut Vec<u8>, name: &[u8], mut number: u64) {
    text.extend_from_slice(name);
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[first..]);
}

/// A JSON string. By hand, for the same reason: in pieces of which most need no second look.
fn put_text(text: &mut Vec<u8>, value: &str) {
    text.reserve(value.len() + value.len() / 4 + 2);
    text.push(b'"');
    let (pieces, rest) = value.as_bytes().as_chunks::<16>();
    for piece in pieces {
        if piece.iter().fold(false, |special, byte| special | is_special(*byte)) {
            put_escaped(text, piece);
        } else {
            text.extend_from_slice(piece);
        }
    }
    put_escaped(text, rest);
    text.push(b'"');
}

fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn put_escaped(text: &mut Vec<u8>, bytes: &[u8]) {
    // Else each byte would ask anew whether there is room.
    const MOST: usize = 16 * 6;
    let mut escaped = [0_u8; MOST];
    let mut length = 0;
    for &byte in bytes {
        let mut put = |byte: u8| {
            escaped[length] = byte;
            length += 1;
        };
        if !is_special(byte) {
            put(byte);
        } else if byte < b' ' {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            [b'\\', b'u', b'0', b'0', HEX[high], HEX[low]].into_iter().for_each(put);
        } else {
            put(b'\\');
            put(byte);
        }
    }
    text.extend_from_slice(&escaped[..length]);
}

fn put_json<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    // Writing plain data to a vector does not fail.
    let _ = serde_json::to_writer(text, value);
}

impl Undoing {
    /// Its method, where it is one.
    pub fn method(&self) -> Option<Method> {
        self.method.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_by_hand_is_json(value in any::<String>(), number in any::<u64>()) {
            let mut text = Vec::new();
            put_member(&mut text, b"{\"number\":", number);
            text.extend_from_slice(b",\"text\":");
            put_text(&mut text, &value);
            text.push(b'}');
            let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(read["number"].as_u64(), Some(number));
            prop_assert_eq!(read["text"].as_str(), Some(value.as_str()));
            prop_assert!(!text.contains(&b'\n'));
        }
    }
}
