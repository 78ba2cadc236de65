//! The values of a profile as written, each with its place: what files, `extends` and `--set` are merged in.

use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::place::{Place, Placed, SourceId};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A TOML value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    String(Text),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// As written.
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
    /// A syntax error stands here and has been said: nobody complains about it again.
    Broken,
}

/// A string.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    pub(super) content: String,
    /// Where its first byte stands, if the source holds the text as it is: without escapes, nothing filled in.
    pub(super) verbatim: Option<usize>,
    /// Whether a variable was filled in. Such a text may stand for a number or a truth value.
    pub(super) filled: bool,
}

/// A table, in the order written; no two keys are equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    pub(super) entries: Vec<(Placed<String>, Node)>,
}

/// How much of a file could be made out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// All of it.
    Whole,
    /// Single values are broken: what is there can be checked, what is missing may be among the broken.
    Holed,
    /// A bracket or quote is not closed: what follows it says nothing.
    Torn,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(name, _)| name.value == key)?;
        Some(self.entries.remove(at).1)
    }

    /// Puts a value in place of the key's present one, or at the end.
    pub(super) fn set(&mut self, key: Placed<String>, node: Node) {
        match self.entries.iter_mut().find(|(name, _)| name.value == key.value) {
            Some(entry) => *entry = (key, node),
            None => self.entries.push((key, node)),
        }
    }
}

impl Node {
    pub(super) fn table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }

    pub(super) fn text(&self) -> Option<&Text> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    pub(super) fn items(&self) -> Option<&[Node]> {
        if let Value::Array(items) = &self.value { Some(items) } else { None }
    }

    /// The items of an array, else the value as the only one.
    pub(super) fn one_or_many(&self) -> &[Node] {
        self.items().unwrap_or(std::slice::from_ref(self))
    }

    /// What a variable was filled into, read as a number or a truth value.
    pub(super) fn filled<T: FromStr>(&self) -> Option<T> {
        self.text().filter(|text| text.filled).and_then(|text| text.content.trim().parse().ok())
    }

    /// What kind of value this is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::String(_) => "a text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a decimal number",
            Value::Bool(_) => "a truth value",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
            Value::Broken => "broken",
        }
    }

    /// The place of a part of a text, as exactly as is known.
    pub(super) fn part(&self, range: Range<usize>) -> Place {
        self.text().and_then(|text| text.verbatim).map_or(self.place, |start| Place {
            start: start + range.start,
            end: start + range.end,
            ..self.place
        })
    }
}

/// Reads a file. Every syntax error is said, at most one a line.
pub(super) fn parse(text: &str, source: SourceId) -> (Node, Shape, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let place = |span: Range<usize>| Place { source, start: span.start, end: span.end };
    let mut shape = Shape::Whole;
    let mut holes = Vec::new();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut errors: Vec<_> =
        errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    let unclosed =
        errors.iter().find(|(_, message)| message.contains("unclosed")).map(|(span, _)| span.clone());
    if let Some(span) = unclosed {
        shape = Shape::Torn;
        // What stands between the open bracket and the place where its absence was noticed is an echo of it.
        let open = opening(table.get_ref(), span.start);
        errors.retain(|(other, _)| open.is_none_or(|open| other.start < open));
        let at = open.map_or(span.clone(), |open| open..open + 1);
        diagnostics.push(Diagnostic::new(place(at), "this bracket or quote is never closed"));
    }
    for (span, message) in errors {
        if !message.contains("unclosed") {
            diagnostics.push(Diagnostic::new(place(span.clone()), message));
        }
        holes.push(span);
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.place);
    diagnostics.dedup_by(|later, first| !text[first.place.start..later.place.start].contains('\n'));
    if !diagnostics.is_empty() {
        shape = shape.max(Shape::Holed);
    }
    let reading = Reading { text, base: 0, source, holes };
    let root = Node { value: Value::Table(reading.table(table.get_ref())), place: place(0..0) };
    (root, shape, diagnostics)
}

/// Reads a single value that stands at `start` of a source: what comes after `--set path=`.
pub(super) fn parse_value(whole: &str, start: usize, source: SourceId) -> Option<Node> {
    let text = whole.get(start..)?;
    let value = DeValue::parse(text).ok()?;
    let reading = Reading { text, base: start, source, holes: Vec::new() };
    Some(reading.node(&value))
}

/// Where the outermost bracket was opened that was still open at `end`.
fn opening(table: &DeTable<'_>, end: usize) -> Option<usize> {
    table
        .iter()
        .filter_map(|(_, value)| match value.get_ref() {
            DeValue::Table(inner) => {
                let span = value.span();
                if span.end == end && span.start < end { Some(span.start) } else { opening(inner, end) }
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                let span = value.span();
                (span.end == end && span.start < end).then_some(span.start)
            }
        })
        .min()
}

struct Reading<'a> {
    text: &'a str,
    /// Where the text begins in its source.
    base: usize,
    source: SourceId,
    holes: Vec<Range<usize>>,
}

impl Reading<'_> {
    fn table(&self, table: &DeTable<'_>) -> Table {
        let mut entries: Vec<_> = table
            .iter()
            .filter(|(key, _)| !self.is_hole(&key.span()))
            .map(|(key, value)| {
                (Placed::new(key.get_ref().to_string(), self.place(key.span())), self.node(value))
            })
            .collect();
        // toml sorts by name; people read in the order written.
        entries.sort_by_key(|(key, _)| key.place.start);
        Table { entries }
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span());
        let value = match value.get_ref() {
            DeValue::Table(table) => Value::Table(self.table(table)),
            DeValue::Array(array) => Value::Array(array.iter().map(|item| self.node(item)).collect()),
            _ if self.is_hole(&value.span()) => Value::Broken,
            DeValue::String(text) => Value::String(self.text(text, &value.span())),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).map_or_else(
                |_| Value::Float(integer.as_str().parse().unwrap_or(f64::INFINITY)),
                Value::Integer,
            ),
            DeValue::Float(float) => float.as_str().parse().map_or(Value::Broken, Value::Float),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
        };
        Node { value, place }
    }

    fn text(&self, text: &str, span: &Range<usize>) -> Text {
        let written = self.text.get(span.clone()).unwrap_or_default();
        let quotes = if written.starts_with("\"\"\"") || written.starts_with("'''") { 3 } else { 1 };
        // A line break right after three quotes is not part of the text.
        let verbatim = (quotes..=quotes + 2)
            .find(|&skip| {
                let inner = written.get(skip..written.len().saturating_sub(quotes));
                inner == Some(text) && written[quotes..skip].trim().is_empty()
            })
            .map(|skip| self.base + span.start + skip);
        Text { content: text.to_owned(), verbatim, filled: false }
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { source: self.source, start: self.base + span.start, end: self.base + span.end }
    }

    fn is_hole(&self, span: &Range<usize>) -> bool {
        self.holes.iter().any(|hole| {
            span.contains(&hole.start) || span == hole || (hole.start <= span.start && span.end <= hole.end)
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::super::diagnostic::render;
    use super::super::place::Sources;
    use super::*;

    fn errors(text: &str) -> String {
        let mut sources = Sources::default();
        let source = sources.add("p.toml".into(), text.into());
        render(&parse(text, source).2, &sources, false)
    }

    #[test]
    fn values_keep_their_places_and_their_order() {
        let text = "b = \"x\"\na = '''\nlong'''\n[t]\nk = \"\\u0041\"\n";
        let mut sources = Sources::default();
        let source = sources.add("p.toml".into(), text.into());
        let (root, shape, diagnostics) = parse(text, source);
        assert_eq!((shape, diagnostics), (Shape::Whole, vec![]));
        let table = root.table().unwrap();
        let keys: Vec<_> = table.entries.iter().map(|(key, _)| key.value.as_str()).collect();
        assert_eq!(keys, ["b", "a", "t"]);
        let verbatim = |node: &Node| node.text().unwrap().verbatim;
        assert_eq!(verbatim(table.get("b").unwrap()), Some(5));
        assert_eq!(verbatim(table.get("a").unwrap()), Some(16));
        let escaped = table.get("t").unwrap().table().unwrap().get("k").unwrap();
        assert_eq!(verbatim(escaped), None, "offsets of a text with escapes are not those of the source");
        assert_eq!(&text[escaped.place.span()], "\"\\u0041\"");
    }

    #[test]
    fn every_syntax_error_is_said() {
        assert_snapshot!(errors("a = \nb = 1\nc = quick\nb = 2\n"));
    }

    #[test]
    fn an_open_bracket_is_said_once_and_where_it_opens() {
        assert_snapshot!(errors(
            "a = 1\n[load]\nstages = [\n  { duration = \"1s\" },\n[thresholds]\nx = 1\n"
        ));
    }

    #[test]
    fn an_open_text_is_said_once() {
        assert_snapshot!(errors("a = \"open\nb = 1\nc = \"\"\"open\nd = 2\n"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", toml in "([a-z]{0,2}|=|\\[|\\]|\\{|\\}|\"|'|[0-9]|\\.|,|\n| |é){0,60}") {
            for text in [text, toml] {
                let mut sources = Sources::default();
                let source = sources.add("p.toml".into(), text.clone());
                let (_, shape, diagnostics) = parse(&text, source);
                prop_assert_eq!(shape == Shape::Whole, diagnostics.is_empty());
                let _ = render(&diagnostics, &sources, false);
                let _ = parse_value(&text, 0, source);
            }
        }
    }
}
