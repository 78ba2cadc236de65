//! `tags = { team = "payments" }`: properties of a profile's own, for selectors.

use super::diagnostic::Diagnostic;
use super::place::Placed;
use super::reader::{self, Findings};
use super::selector::RESERVED;
use super::tree::Node;

/// Reads a table of tags.
pub(super) fn read(node: &Node, findings: &mut Findings) -> Vec<(Placed<String>, String)> {
    let Some(table) = node.table() else {
        findings.wrong_type(node, "tags", "a table of texts");
        return Vec::new();
    };
    let mut tags = Vec::new();
    for (key, value) in &table.entries {
        let plain = key.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if RESERVED.contains(&key.value.as_str()) {
            let message = format!("`{}` is what palier itself calls a property of requests", key.value);
            findings.add(Diagnostic::new(key.place, message).help("take another name for the tag"));
        } else if !plain || key.value.is_empty() {
            let message = format!("`{}`: the name of a tag has letters, digits, `_` and `-` only", key.value);
            findings.add(Diagnostic::new(key.place, message));
        } else if let Some(value) = reader::name(value, &key.value, findings) {
            tags.push((key.clone(), value.to_owned()));
        }
    }
    tags
}
