//! `${NAME}` and `${NAME:-default}`, anywhere in a text; `$${` stands for `${` itself.

use std::collections::BTreeMap;
use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::reader::Findings;
use super::tree::{Node, Text, Value};

/// Fills the variables into every text at and below a node. What cannot be filled in is said, once.
pub(super) fn fill(node: &mut Node, variables: &BTreeMap<String, String>, findings: &mut Findings) {
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, variables, findings)),
        Value::Table(table) => {
            table.entries.iter_mut().for_each(|(_, item)| fill(item, variables, findings));
        }
        Value::String(text) if text.content.contains("${") => {
            let mut wrong = Vec::new();
            let filled = filled(&text.content, variables, &mut wrong);
            if wrong.is_empty() {
                node.value = Value::String(Text { content: filled, verbatim: None, filled: true });
            } else {
                for (range, message, help) in wrong {
                    findings.add(Diagnostic::new(node.part(range), message).help(help));
                }
                node.value = Value::Broken;
            }
        }
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::Datetime(_)
        | Value::Broken => {}
    }
}

type Wrong = (Range<usize>, String, String);

fn filled(text: &str, variables: &BTreeMap<String, String>, wrong: &mut Vec<Wrong>) -> String {
    let mut filled = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        filled.push_str(&text[at..start]);
        if filled.ends_with('$') {
            filled.push('{');
            at = start + 2;
            continue;
        }
        let Some(length) = text[start..].find('}') else {
            wrong.push((
                start..text.len(),
                "`${` is never closed".into(),
                "write `${NAME}`, or `$${` for the characters themselves".into(),
            ));
            return filled;
        };
        let end = start + length;
        let inside = &text[start + 2..end];
        let (name, default) =
            inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
        let value = variables.get(name).filter(|value| default.is_none() || !value.is_empty());
        if !is_name(name) {
            wrong.push((
                start..end + 1,
                format!("`{name}` is no name of a variable"),
                "write `${NAME}` or `${NAME:-default}`, or `$${` for the characters themselves".into(),
            ));
        } else if let Some(value) = value.map(String::as_str).or(default) {
            filled.push_str(value);
        } else {
            wrong.push((
                start..end + 1,
                format!("the environment variable `{name}` is not set"),
                format!("set it, or give a default: `${{{name}:-…}}`"),
            ));
        }
        at = end + 1;
    }
    filled.push_str(&text[at..]);
    filled
}

/// Whether this can be the name of an environment variable.
pub(super) fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let variables =
            [("HOST".to_owned(), "db".to_owned()), ("EMPTY".to_owned(), String::new())].into_iter().collect();
        let mut wrong = Vec::new();
        let filled = filled(text, &variables, &mut wrong);
        let shown = wrong.first().map_or(filled, |(range, message, _)| format!("{range:?} {message}"));
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn variables_are_filled_in_anywhere() {
        check("http://${HOST}:${PORT:-5000}/${HOST}", "http://db:5000/db");
        check("$.price in $ or {{id}}", "$.price in $ or {{id}}");
        check("$${HOST}", "${HOST}");
        check("[${EMPTY}] [${EMPTY:-x}] [${UNSET:-}]", "[] [x] []");
    }

    #[test]
    fn what_cannot_be_filled_in_is_said_at_its_place() {
        check("a${UNSET}b", "1..9 the environment variable `UNSET` is not set");
        check("a${HOST", "1..7 `${` is never closed");
        check("${}", "0..3 `` is no name of a variable");
        check("${1 + 1}", "0..8 `1 + 1` is no name of a variable");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", near in "([$]|[{]|[}]|:-|HOST|é| ){0,20}") {
            for text in [text, near] {
                filled(&text, &BTreeMap::new(), &mut Vec::new());
            }
        }
    }
}
