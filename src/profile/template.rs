//! `{{ name }}` in a text, cut into pieces at load.
//!
//! ```text
//! template  := { text | "{{" reference "}}" }
//! reference := capture | "run" | "vu" | "iteration" | "shard" | "uuid" | "now"
//!            | "random(" integer "," integer ")" | "pick(" item { "," item } ")"
//! item      := text without "," and ")" | '"' text without '"' '"' | "'" text without "'" "'"
//! ```
//!
//! Whether a capture of that name exists is looked at where the whole scenario is known.

use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::nearest::nearest;
use super::place::{Place, Placed};
use super::reader::{self, Findings};
use super::tree::{Node, Value};

/// The names that are no captures: values that palier itself has.
pub(super) const BUILT_IN: [&str; 8] =
    ["run", "vu", "iteration", "shard", "uuid", "now", "random(1, 10)", "pick(a, b)"];

/// A text with values to be filled in, cut into pieces. Two text pieces never follow each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The pieces, in order; none for the empty text.
    pub pieces: Vec<Piece>,
    /// Where the whole text stands.
    pub place: Place,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// A value, filled in when the request is made.
    Value(Placed<Reference>),
}

/// What a `{{ … }}` stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference {
    /// `{{id}}`: what an earlier step, or `setup`, captured under that name.
    Capture(String),
    /// `{{run}}`: the run's id.
    Run,
    /// `{{vu}}`: the VU's number, from 1; 0 in `setup` and `teardown`.
    Vu,
    /// `{{iteration}}`: the VU's iteration, from 0.
    Iteration,
    /// `{{shard}}`: the shard's number, from 1.
    Shard,
    /// `{{uuid}}`: a new random UUID each time it stands somewhere.
    Uuid,
    /// `{{now}}`: the time in RFC 3339, UTC.
    Now,
    /// `{{random(1,10)}}`: a whole number between these two, both included.
    Random {
        /// The smallest.
        min: i64,
        /// The largest, not below `min`.
        max: i64,
    },
    /// `{{pick(QA, Sales)}}`: one of these texts, each as likely as the others; at least one.
    Pick(Vec<String>),
}

impl Template {
    /// The text, if nothing is to be filled in.
    pub fn fixed(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The values to be filled in, in order.
    pub fn references(&self) -> impl Iterator<Item = &Placed<Reference>> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(reference) => Some(reference),
        })
    }
}

/// Reads a text as a template.
pub(super) fn read(node: &Node, key: &str, findings: &mut Findings) -> Option<Template> {
    let text = reader::text(node, key, findings)?;
    let (pieces, wrong) = cut(text);
    let whole = wrong.is_empty();
    for (range, message, help) in wrong {
        let mut diagnostic = Diagnostic::new(node.part(range), message);
        diagnostic.help = help;
        findings.add(diagnostic);
    }
    let pieces = pieces
        .into_iter()
        .map(|(piece, range)| match piece {
            Cut::Text(text) => Piece::Text(text),
            Cut::Reference(reference) => Piece::Value(Placed::new(reference, node.part(range))),
        })
        .collect();
    whole.then_some(Template { pieces, place: node.place })
}

/// Reads a text as a template; a number or a truth value stands for itself: `page = 1`.
pub(super) fn read_scalar(node: &Node, key: &str, findings: &mut Findings) -> Option<Template> {
    let text = match &node.value {
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::String(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) | Value::Broken => {
            return read(node, key, findings);
        }
    };
    Some(Template { pieces: vec![Piece::Text(text)], place: node.place })
}

/// Whether a capture can have that name.
pub(super) fn is_capture_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Whether a name is that of a value that palier itself has.
pub(super) fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|built_in| built_in.split('(').next() == Some(name))
}

#[derive(Debug, PartialEq)]
enum Cut {
    Text(String),
    Reference(Reference),
}

type Wrong = (Range<usize>, String, Option<String>);

/// Cuts a text into pieces, each with its range; what is wrong is said and left out.
fn cut(text: &str) -> (Vec<(Cut, Range<usize>)>, Vec<Wrong>) {
    let mut pieces = Vec::new();
    let mut wrong = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("{{") {
        let start = at + found;
        if start > at {
            pieces.push((Cut::Text(text[at..start].to_owned()), at..start));
        }
        let Some(length) = text[start..].find("}}") else {
            wrong.push((start..text.len(), "`{{` is never closed".into(), Some("write `{{name}}`".into())));
            return (pieces, wrong);
        };
        let range = start..start + length + 2;
        match reference(text[start + 2..start + length].trim()) {
            Ok(reference) => pieces.push((Cut::Reference(reference), range.clone())),
            Err((message, help)) => wrong.push((range.clone(), message, help)),
        }
        at = range.end;
    }
    if at < text.len() {
        pieces.push((Cut::Text(text[at..].to_owned()), at..text.len()));
    }
    (pieces, wrong)
}

fn reference(inside: &str) -> Result<Reference, (String, Option<String>)> {
    let unknown = |name: &str| {
        let help = nearest(name, ["random", "pick"]).map(|near| format!("did you mean `{near}(…)`?"));
        (format!("there is no function `{name}`"), help)
    };
    if let Some((function, arguments)) = inside.split_once('(') {
        let items = arguments.strip_suffix(')').map(items).unwrap_or_default();
        let function = function.trim();
        return match (function, items.as_slice()) {
            ("random", [min, max]) => match (min.parse(), max.parse()) {
                (Ok(min), Ok(max)) if min <= max => Ok(Reference::Random { min, max }),
                _ => {
                    Err(("`random` takes two whole numbers, the smaller first: `random(1, 10)`".into(), None))
                }
            },
            ("random", _) => Err(("`random` takes two whole numbers: `random(1, 10)`".into(), None)),
            ("pick", [_, ..]) => Ok(Reference::Pick(items)),
            ("pick", []) => Err(("`pick` takes the texts to choose from: `pick(QA, Sales)`".into(), None)),
            _ => Err(unknown(function)),
        };
    }
    Ok(match inside {
        "run" => Reference::Run,
        "vu" => Reference::Vu,
        "iteration" => Reference::Iteration,
        "shard" => Reference::Shard,
        "uuid" => Reference::Uuid,
        "now" => Reference::Now,
        "random" => return Err(("`random` takes two whole numbers: `random(1, 10)`".into(), None)),
        "pick" => return Err(("`pick` takes the texts to choose from: `pick(QA, Sales)`".into(), None)),
        "" => return Err(("a name is missing between `{{` and `}}`".into(), None)),
        name if is_capture_name(name) => Reference::Capture(name.to_owned()),
        name if name.split('.').all(is_capture_name) => {
            let message = format!("`{name}`: data sets are not supported by this version yet");
            return Err((message, None));
        }
        name => return Err((format!("`{name}` is no name of a value"), None)),
    })
}

/// The arguments of a function: separated by commas, quoted where they hold one.
fn items(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quoted = quote.and_then(|quote| rest[1..].split_once(quote));
        let (item, after) = match quoted {
            Some((item, after)) => (item, after.split_once(',').map_or("", |(_, after)| after)),
            None => rest.split_once(',').map_or((rest.trim(), ""), |(item, after)| (item.trim(), after)),
        };
        items.push(item.to_owned());
        rest = after.trim_start();
    }
    items
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn capture(name: &str) -> Cut {
        Cut::Reference(Reference::Capture(name.into()))
    }

    #[track_caller]
    fn pieces(text: &str) -> Vec<Cut> {
        let (pieces, wrong) = cut(text);
        assert_eq!(wrong, [], "{text}");
        pieces.into_iter().map(|(piece, _)| piece).collect()
    }

    #[test]
    fn a_text_is_cut_at_its_references() {
        assert_eq!(pieces(""), []);
        assert_eq!(pieces("plain {text}"), [Cut::Text("plain {text}".into())]);
        assert_eq!(pieces("/employees/{{ id }}"), [Cut::Text("/employees/".into()), capture("id")]);
        assert_eq!(
            pieces("{{run}}-{{vu}}{{uuid}}"),
            [
                Cut::Reference(Reference::Run),
                Cut::Text("-".into()),
                Cut::Reference(Reference::Vu),
                Cut::Reference(Reference::Uuid),
            ]
        );
    }

    #[test]
    fn functions_take_arguments() {
        assert_eq!(
            pieces("{{random(1,10)}}{{ pick(QA, 'R, D', \"x\") }}"),
            [
                Cut::Reference(Reference::Random { min: 1, max: 10 }),
                Cut::Reference(Reference::Pick(vec!["QA".into(), "R, D".into(), "x".into()])),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        for (text, wrong) in [
            ("a {{id", "2..6 `{{` is never closed"),
            ("{{}}", "0..4 a name is missing between `{{` and `}}`"),
            ("{{a b}}", "0..7 `a b` is no name of a value"),
            ("{{users.name}}", "0..14 `users.name`: data sets are not supported by this version yet"),
            ("{{randon(1,2)}}", "0..15 there is no function `randon`"),
            ("{{random(2,1)}}", "0..15 `random` takes two whole numbers, the smaller first: `random(1, 10)`"),
            ("{{random(1}}", "0..12 `random` takes two whole numbers: `random(1, 10)`"),
            ("{{pick()}}", "0..10 `pick` takes the texts to choose from: `pick(QA, Sales)`"),
        ] {
            let (_, found) = cut(text);
            let found: Vec<_> =
                found.iter().map(|(range, message, _)| format!("{range:?} {message}")).collect();
            assert_eq!(found, [wrong], "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_text_is_kept(
            text in "\\PC*",
            near in "([{]|[}]|[{]{2}|[}]{2}|random|pick|[(]|[)]|,|'|\"|é|id| ){0,20}",
        ) {
            for text in [text, near] {
                let (pieces, wrong) = cut(&text);
                if wrong.is_empty() {
                    let joined: String = pieces.iter().map(|(_, range)| &text[range.clone()]).collect();
                    prop_assert_eq!(joined, text);
                }
            }
        }
    }
}
