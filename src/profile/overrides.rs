//! `--set load.stages[2].target=50`: one value of the tree from the command line.

use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::merge;
use super::nearest::suggestion;
use super::place::{Place, Placed, SourceId};
use super::reader::Findings;
use super::tree::{self, Node, Table, Text, Value};

/// A value for a path, ready to be put into a tree.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    path: Vec<(Segment, Place)>,
    node: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

impl Assignment {
    /// Reads `path=value`; the value is TOML, else a text.
    pub(super) fn read(text: &str, source: SourceId) -> Result<Self, Box<Diagnostic>> {
        let whole = Place { source, start: 0, end: text.len() };
        let equals = outside_quotes(text, '=').ok_or_else(|| {
            Diagnostic::new(whole, "there is no `=`")
                .help("write `--set path=value`: `load.stages[2].target=50`")
        })?;
        let path = path(&text[..equals]).map_err(|(range, message)| {
            Diagnostic::new(Place { source, start: range.start, end: range.end }, message)
                .help("a path is keys and indices from 0: `load.stages[2].target`")
        })?;
        let start = equals + 1;
        let node = tree::parse_value(text, start, source)
            .unwrap_or_else(|| plain(&text[start..], Place { source, start, end: text.len() }));
        let path = path
            .into_iter()
            .map(|(segment, range)| (segment, Place { source, start: range.start, end: range.end }))
            .collect();
        Ok(Self { path, node })
    }

    /// A text for a path of keys, all standing where the text does.
    pub(super) fn flag(path: &str, text: &str, source: SourceId) -> Self {
        let place = Place { source, start: 0, end: text.len() };
        let path = path.split('.').map(|key| (Segment::Key(key.into()), place)).collect();
        Self { path, node: plain(text, place) }
    }

    /// Whether it decides which other keys there are, and so goes before the rest.
    pub(super) fn goes_first(&self) -> bool {
        matches!(self.path.last(), Some((Segment::Key(key), _)) if key == "scenario" || key == "executor")
    }

    /// Puts the value into the tree.
    pub(super) fn apply(&self, root: &mut Node, findings: &mut Findings) {
        put(root, &self.path, &self.node, "", findings);
    }
}

fn plain(text: &str, place: Place) -> Node {
    let text = Text { content: text.to_owned(), verbatim: Some(place.start), filled: false };
    Node { value: Value::String(text), place }
}

fn put(node: &mut Node, path: &[(Segment, Place)], value: &Node, so_far: &str, findings: &mut Findings) {
    let Some(((segment, place), rest)) = path.split_first() else {
        *node = value.clone();
        return;
    };
    let here = if so_far.is_empty() { "the profile" } else { so_far };
    match (segment, &mut node.value) {
        (_, Value::Broken) => {}
        (Segment::Key(key), Value::Table(table)) => {
            let name = if so_far.is_empty() { key.clone() } else { format!("{so_far}.{key}") };
            if table.get(key).is_none() {
                if matches!(rest.first(), Some((Segment::Index(_), _))) {
                    let known: Vec<&str> = table.entries.iter().map(|(key, _)| key.value.as_str()).collect();
                    let mut diagnostic = Diagnostic::new(*place, format!("there is no array `{name}`"));
                    diagnostic.help = suggestion(key, &known);
                    findings.add(diagnostic);
                    return;
                }
                let empty = Node { value: Value::Table(Table::default()), place: *place };
                table.set(Placed::new(key.clone(), *place), empty);
            }
            if rest.is_empty() && key == "executor" {
                merge::strip_for_executor(table, value);
            }
            if rest.is_empty() && so_far == "target" {
                merge::strip_for_target(table, key);
            }
            // The key's own place is the command line's: that is where an unknown one was written.
            if let Some((known, node)) = table.entries.iter_mut().find(|(known, _)| known.value == *key) {
                if rest.is_empty() {
                    known.place = *place;
                }
                put(node, rest, value, &name, findings);
            }
        }
        (Segment::Index(index), Value::Array(items)) => {
            let count = items.len();
            match items.get_mut(*index) {
                Some(item) => put(item, rest, value, &format!("{so_far}[{index}]"), findings),
                None if count == 0 => findings.add(Diagnostic::new(*place, format!("`{here}` is empty"))),
                None => findings.add(
                    Diagnostic::new(*place, format!("`{here}` ends at index {}", count - 1))
                        .help("indices start at 0"),
                ),
            }
        }
        (Segment::Key(_), _) => {
            findings.add(Diagnostic::new(*place, format!("`{here}` is {}, it has no keys", node.kind())));
        }
        (Segment::Index(_), _) => {
            findings.add(Diagnostic::new(*place, format!("`{here}` is {}, it has no indices", node.kind())));
        }
    }
}

fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == wanted && !quoted).then_some(at)
    })
}

type Path = Vec<(Segment, Range<usize>)>;

/// Cuts `load.stages[2]."odd.key"` into its segments.
fn path(text: &str) -> Result<Path, (Range<usize>, String)> {
    let mut segments = Path::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let (key, end) = if let Some(quoted) = rest.strip_prefix('"') {
            let length =
                quoted.find('"').ok_or_else(|| (at..text.len(), "this quote is never closed".to_owned()))?;
            (&quoted[..length], at + length + 2)
        } else {
            let length = rest.find(['.', '[', '"']).unwrap_or(rest.len());
            (rest[..length].trim(), at + length)
        };
        if key.is_empty() {
            return Err((at..end, "a key is missing here".into()));
        }
        segments.push((Segment::Key(key.into()), at..end));
        at = end;
        while let Some(inside) = text[at..].strip_prefix('[') {
            let length = inside
                .find(']')
                .ok_or_else(|| (at..text.len(), "this bracket is never closed".to_owned()))?;
            let end = at + length + 2;
            let index = inside[..length]
                .trim()
                .parse()
                .map_err(|_| (at..end, format!("`{}` is no index", &inside[..length])))?;
            segments.push((Segment::Index(index), at..end));
            at = end;
        }
        if at == text.len() {
            return Ok(segments);
        }
        if !text[at..].starts_with('.') {
            return Err((at..text.len(), "a `.` is missing here".into()));
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::place::Sources;
    use super::*;

    const TREE: &str =
        "description = \"d\"\n[load]\nstages = [{ target = 1 }, { target = 2 }]\n[empty]\na = []\n";

    /// The value at the path afterwards, or what was wrong.
    fn set(text: &str) -> String {
        let mut sources = Sources::default();
        let file = sources.add("p.toml".into(), TREE.into());
        let (mut root, _, _) = tree::parse(TREE, file);
        let source = sources.add("--set".into(), text.into());
        let assignment = match Assignment::read(text, source) {
            Ok(assignment) => assignment,
            Err(diagnostic) => return format!("{:?} {}", diagnostic.place.span(), diagnostic.message),
        };
        let mut findings = Findings::default();
        assignment.apply(&mut root, &mut findings);
        if let Some(diagnostic) = findings.list.first() {
            return format!("{:?} {}", diagnostic.place.span(), diagnostic.message);
        }
        let mut node = &root;
        for (segment, _) in &assignment.path {
            node = match (segment, &node.value) {
                (Segment::Key(key), Value::Table(table)) => table.get(key).unwrap(),
                (Segment::Index(index), Value::Array(items)) => &items[*index],
                other => panic!("{other:?}"),
            };
        }
        format!("{:?} {}", node.place.span(), node.kind())
    }

    #[test]
    fn values_are_toml_else_text() {
        for (text, value) in [
            ("load.stages[1].target=50", "22..24 a whole number"),
            ("description=\"5\"", "12..15 a text"),
            ("description=http://localhost:5000", "12..33 a text"),
            ("load.stages=[{duration=\"1s\",target=3}]", "12..38 an array"),
            ("load.graceful_stop=10s", "19..22 a text"),
            ("new.\"odd.key\".deep=true", "19..23 a truth value"),
            ("description=", "12..12 a text"),
        ] {
            assert_eq!(set(text), value, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        for (text, wrong) in [
            ("load.stages", "0..11 there is no `=`"),
            ("load.stages[2].target=5", "11..14 `load.stages` ends at index 1"),
            ("load.stages[x]=5", "11..14 `x` is no index"),
            ("load.stage[0]=5", "5..10 there is no array `load.stage`"),
            ("load.stages.target=5", "12..18 `load.stages` is an array, it has no keys"),
            ("description[0]=5", "11..14 `description` is a text, it has no indices"),
            ("empty.a[0]=5", "7..10 `empty.a` is empty"),
            ("load..x=5", "5..5 a key is missing here"),
            ("=5", "0..0 a key is missing here"),
            ("load[0=5", "4..6 this bracket is never closed"),
            ("load[0]x=5", "7..8 a `.` is missing here"),
        ] {
            assert_eq!(set(text), wrong, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", near in "(load|stages|[.]|[\\[]|[\\]]|[0-9]|=|\"|é){0,12}=[\\[0-9\"]{0,4}") {
            set(&text);
            set(&near);
        }
    }
}
