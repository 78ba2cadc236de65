//! Reading typed values out of a tree: what is wrong is noted, and reading goes on.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::nearest::{nearest, suggestion};
use super::place::Place;
use super::tree::{Node, Table, Value};
use crate::units::parse_duration;

/// What was found to be wrong so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Diagnostic>,
    /// Whether a file has values that could not be made out: what is missing may be among them.
    pub(super) holed: bool,
}

impl Findings {
    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Notes that something is not there, unless it may have been lost to a syntax error.
    pub(super) fn missing(&mut self, diagnostic: Diagnostic) {
        if !self.holed {
            self.list.push(diagnostic);
        }
    }

    /// Notes that a value is of the wrong type, with what the key takes.
    pub(super) fn wrong_type(&mut self, node: &Node, key: &str, takes: &str) {
        if node.value != Value::Broken {
            self.add(Diagnostic::new(node.place, format!("`{key}` takes {takes}, not {}", node.kind())));
        }
    }
}

/// A table whose keys are asked for one by one, so that those nobody asked for are known in the end.
#[derive(Debug)]
pub(super) struct Fields<'t> {
    table: &'t Table,
    /// What the table is called in messages: `[target]`, `step`.
    what: &'static str,
    pub(super) place: Place,
    asked: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    /// The fields of a node that has to be a table.
    pub(super) fn of(node: &'t Node, key: &str, what: &'static str, findings: &mut Findings) -> Option<Self> {
        let table = node.table();
        if table.is_none() {
            findings.wrong_type(node, key, "a table");
        }
        Some(Self { table: table?, what, place: node.place, asked: Vec::new() })
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'t Node> {
        #[cfg(test)]
        super::schema_tests::note_key(self.what, key);
        self.asked.push(key);
        self.table.get(key)
    }

    /// The value of a key that has to be there.
    pub(super) fn require(&mut self, key: &'static str, findings: &mut Findings) -> Option<&'t Node> {
        let node = self.get(key);
        if node.is_none() {
            let near = self.unknown_near(key);
            // An unknown key that is nearly this one is complained about; saying both would be too much.
            if !near {
                findings.missing(Diagnostic::new(self.place, format!("`{key}` is missing in {}", self.what)));
            }
        }
        node
    }

    /// Complains about every key that nobody asked for. `later` are those of the design that are still to come.
    pub(super) fn finish(self, later: &[&'static str], findings: &mut Findings) {
        for (key, _) in &self.table.entries {
            let name = key.value.as_str();
            if self.asked.contains(&name) {
                continue;
            }
            if later.contains(&name) {
                findings.add(
                    Diagnostic::new(key.place, format!("`{name}` is not supported by this version yet"))
                        .help("take it out: palier never ignores what a profile asks for"),
                );
                continue;
            }
            let mut diagnostic = Diagnostic::new(key.place, format!("unknown key `{name}` in {}", self.what));
            diagnostic.help = suggestion(name, &self.asked);
            findings.add(diagnostic);
        }
    }

    /// Complains about keys that belong elsewhere: `why` goes before the key.
    pub(super) fn not_here(&mut self, elsewhere: &[&'static str], why: &str, findings: &mut Findings) {
        for key in elsewhere {
            if let Some((name, _)) = self.table.entries.iter().find(|(name, _)| name.value == *key)
                && !self.asked.contains(key)
            {
                findings.add(Diagnostic::new(name.place, format!("{why} `{key}`")));
                self.asked.push(key);
            }
        }
    }

    /// Whether there are keys that nobody asked for so far.
    pub(super) fn has_others(&self) -> bool {
        self.table.entries.iter().any(|(name, _)| !self.asked.contains(&name.value.as_str()))
    }

    fn unknown_near(&self, key: &str) -> bool {
        self.table.entries.iter().any(|(name, _)| {
            !self.asked.contains(&name.value.as_str()) && nearest(&name.value, [key]).is_some()
        })
    }
}

/// A text.
pub(super) fn text<'t>(node: &'t Node, key: &str, findings: &mut Findings) -> Option<&'t str> {
    if node.text().is_none() {
        findings.wrong_type(node, key, "a text in quotes");
    }
    node.text().map(|text| text.content.as_str())
}

/// A text with at least one character.
pub(super) fn name<'t>(node: &'t Node, key: &str, findings: &mut Findings) -> Option<&'t str> {
    let text = text(node, key, findings)?;
    if text.trim().is_empty() {
        findings.add(Diagnostic::new(node.place, format!("`{key}` is empty")));
        return None;
    }
    Some(text)
}

/// A duration.
pub(super) fn duration(node: &Node, key: &str, findings: &mut Findings) -> Option<Duration> {
    let Some(text) = node.text() else {
        if let Value::Integer(number) = node.value {
            findings.add(
                Diagnostic::new(node.place, format!("`{key}` needs a unit"))
                    .help(format!("write `\"{number}s\"` for seconds, `\"{number}ms\"` for milliseconds")),
            );
        } else {
            findings.wrong_type(node, key, "a duration such as `\"90s\"`");
        }
        return None;
    };
    match parse_duration(&text.content) {
        Ok(duration) => Some(duration),
        Err(reason) => {
            findings.add(Diagnostic::new(node.place, format!("`{key}`: `{}` {reason}", text.content)));
            None
        }
    }
}

/// A duration above zero.
pub(super) fn some_time(node: &Node, key: &str, findings: &mut Findings) -> Option<Duration> {
    let duration = duration(node, key, findings)?;
    if duration.is_zero() {
        findings.add(Diagnostic::new(node.place, format!("`{key}` has to be longer than zero")));
        return None;
    }
    Some(duration)
}

/// A whole number within bounds.
pub(super) fn integer<T>(
    node: &Node,
    key: &str,
    range: RangeInclusive<T>,
    findings: &mut Findings,
) -> Option<T>
where
    T: Copy + PartialOrd + TryFrom<i64> + std::fmt::Display,
{
    let number = if let Value::Integer(number) = node.value { Some(number) } else { node.filled() };
    let Some(number) = number else {
        findings.wrong_type(node, key, "a whole number");
        return None;
    };
    let within = T::try_from(number).ok().filter(|number| range.contains(number));
    if within.is_none() {
        let below = T::try_from(number).map_or(number < 0, |number| number < *range.start());
        let limit =
            if below { format!("at least {}", range.start()) } else { format!("at most {}", range.end()) };
        findings.add(Diagnostic::new(node.place, format!("`{key}` has to be {limit}")));
    }
    within
}

/// A finite number, whole or decimal.
pub(super) fn number(node: &Node, key: &str, findings: &mut Findings) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "such numbers are compared as f64")]
    let number = match node.value {
        Value::Integer(number) => Some(number as f64),
        Value::Float(number) => Some(number),
        Value::String(_) => node.filled(),
        Value::Bool(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) | Value::Broken => None,
    };
    let number = number.filter(|number| number.is_finite());
    if number.is_none() {
        findings.wrong_type(node, key, "a finite number");
    }
    number
}

/// `true` or `false`.
pub(super) fn truth(node: &Node, key: &str, findings: &mut Findings) -> Option<bool> {
    let truth = if let Value::Bool(truth) = node.value { Some(truth) } else { node.filled() };
    if truth.is_none() {
        findings.wrong_type(node, key, "`true` or `false`");
    }
    truth
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    node: &Node,
    key: &str,
    choices: &[(&'static str, T)],
    findings: &mut Findings,
) -> Option<T> {
    #[cfg(test)]
    super::schema_tests::note_choices(key, choices.iter().map(|&(name, _)| name));
    let word = text(node, key, findings)?;
    let found = choices.iter().find(|(name, _)| *name == word).map(|&(_, value)| value);
    if found.is_none() {
        let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
        let mut diagnostic = Diagnostic::new(node.place, format!("`{key}` cannot be `{word}`"));
        diagnostic.help = suggestion(word, &names);
        findings.add(diagnostic);
    }
    found
}

/// The items of an array.
pub(super) fn array<'t>(node: &'t Node, key: &str, findings: &mut Findings) -> Option<&'t [Node]> {
    if node.items().is_none() {
        findings.wrong_type(node, key, "an array");
    }
    node.items()
}

/// The items of an array of texts.
pub(super) fn names<'t>(node: &'t Node, key: &str, findings: &mut Findings) -> Vec<(&'t str, &'t Node)> {
    let items = array(node, key, findings).unwrap_or_default();
    items.iter().filter_map(|item| Some((name(item, key, findings)?, item))).collect()
}
