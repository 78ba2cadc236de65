//! JSON in a profile: bodies with templates in them, and the paths that look into answers.

use serde_json_path::JsonPath;

use super::diagnostic::Diagnostic;
use super::reader::{self, Findings};
use super::template::{self, Template};
use super::tree::{Node, Value};

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

impl Json {
    /// Every template in it, in order.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Bool(_) | Self::Integer(_) | Self::Float(_) => Vec::new(),
            Self::String(template) => vec![template],
            Self::Array(items) => items.iter().flat_map(Self::templates).collect(),
            Self::Object(entries) => entries.iter().flat_map(|(_, value)| value.templates()).collect(),
        }
    }
}

/// Reads any TOML value that JSON has too.
pub(super) fn read(node: &Node, findings: &mut Findings) -> Option<Json> {
    match &node.value {
        Value::Bool(truth) => Some(Json::Bool(*truth)),
        Value::Integer(number) => Some(Json::Integer(*number)),
        Value::Float(number) if number.is_finite() => Some(Json::Float(*number)),
        Value::String(_) => template::read(node, "json", findings).map(Json::String),
        Value::Array(items) => {
            let read: Vec<_> = items.iter().filter_map(|item| read(item, findings)).collect();
            (read.len() == items.len()).then_some(Json::Array(read))
        }
        Value::Table(table) => {
            let read: Vec<_> = table
                .entries
                .iter()
                .filter_map(|(key, value)| Some((key.value.clone(), read(value, findings)?)))
                .collect();
            (read.len() == table.entries.len()).then_some(Json::Object(read))
        }
        Value::Float(_) | Value::Datetime(_) => {
            findings.add(
                Diagnostic::new(node.place, "JSON has neither dates nor infinite numbers")
                    .help("write it as a text, in quotes"),
            );
            None
        }
        Value::Broken => None,
    }
}

/// Reads a JSONPath.
pub(super) fn path(node: &Node, key: &str, findings: &mut Findings) -> Option<JsonPath> {
    let text = reader::text(node, key, findings)?;
    match JsonPath::parse(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let at = error.position().saturating_sub(1).min(text.len());
            let at = (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            let mut diagnostic =
                Diagnostic::new(node.part(at..text.len()), format!("`{text}` is no JSONPath"));
            // Of most errors the crate knows no more than that.
            if error.message() != "parser error" {
                error.message().clone_into(&mut diagnostic.label);
            }
            if !text.starts_with('$') {
                diagnostic.help = Some("a JSONPath begins with `$`: `$.employees[0].id`".into());
            }
            findings.add(diagnostic);
            None
        }
    }
}
