//! `headers = { Accept = "application/json" }`: names checked, values as templates.

use http::{HeaderName, HeaderValue};

use super::diagnostic::Diagnostic;
use super::place::Place;
use super::reader::Findings;
use super::template::{self, Piece, Template};
use super::tree::Node;

/// Headers that say how the message is framed, which palier does itself.
const OURS: [&str; 5] = ["connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"];

/// Reads a table of headers.
pub(super) fn read(node: &Node, findings: &mut Findings) -> Vec<(HeaderName, Template)> {
    let Some(table) = node.table() else {
        findings.wrong_type(node, "headers", "a table of texts");
        return Vec::new();
    };
    let mut headers: Vec<(HeaderName, Template)> = Vec::new();
    for (key, value) in &table.entries {
        let name = name(&key.value, key.place, findings);
        let value = template::read_scalar(value, &key.value, findings);
        let (Some(name), Some(value)) = (name, value) else { continue };
        if OURS.contains(&name.as_str()) {
            findings
                .add(Diagnostic::new(key.place, format!("palier itself sets the header `{}`", key.value)));
        } else if headers.iter().any(|(other, _)| *other == name) {
            findings.add(Diagnostic::new(key.place, format!("the header `{}` stands here twice", key.value)));
        } else if !is_sendable(&value) {
            findings.add(Diagnostic::new(
                value.place,
                format!("`{}` holds characters that a header cannot", key.value),
            ));
        } else {
            headers.push((name, value));
        }
    }
    headers
}

/// Reads the name of a header.
pub(super) fn name(text: &str, place: Place, findings: &mut Findings) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    if name.is_none() {
        findings.add(Diagnostic::new(place, format!("`{text}` is no name of a header")));
    }
    name
}

fn is_sendable(template: &Template) -> bool {
    template.pieces.iter().all(|piece| match piece {
        Piece::Text(text) => HeaderValue::from_str(text).is_ok(),
        Piece::Value(_) => true,
    })
}
