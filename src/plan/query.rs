//! JSONPath queries, and those among them that need no tree.

use std::fmt;

use serde_json_path::JsonPath;

/// A query into a JSON body (RFC 9535).
#[derive(Clone, Debug)]
pub struct JsonQuery {
    /// The query.
    pub path: JsonPath,
    /// The same as a way from the root, where it can lead to one value only: `$.items[0].id`. Such a value is found by
    /// reading the body once, without a tree of it in memory, at a fraction of the cost.
    pub way: Option<Vec<Turn>>,
}

/// A step of a way from the root of a JSON value to one within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// To the member of an object.
    Name(String),
    /// To the element of an array, counted from 0.
    Index(usize),
}

impl From<JsonPath> for JsonQuery {
    fn from(path: JsonPath) -> Self {
        Self { way: way(&path.to_string()), path }
    }
}

impl fmt::Display for JsonQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// The way that a path is, if it is one. What this does not know is no way: it is looked up in a tree.
fn way(path: &str) -> Option<Vec<Turn>> {
    let mut rest = path.strip_prefix('$')?;
    let mut turns = Vec::new();
    while !rest.is_empty() {
        let turn;
        (turn, rest) = if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
            let (name, rest) = name.split_at(end);
            let is_name = name.starts_with(|c: char| !c.is_ascii_digit());
            (is_name.then(|| Turn::Name(name.to_owned()))?, rest)
        } else {
            let (inside, rest) = rest.strip_prefix('[')?.split_once(']')?;
            (bracketed(inside)?, rest)
        };
        turns.push(turn);
    }
    Some(turns)
}

/// What stands between brackets: an index, or a name in quotes.
fn bracketed(inside: &str) -> Option<Turn> {
    if inside.bytes().all(|byte| byte.is_ascii_digit()) {
        return inside.parse().ok().map(Turn::Index);
    }
    let quote = inside.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let name = inside.strip_prefix(quote)?.strip_suffix(quote)?;
    let is_plain = !name.contains(['\\', '\'', '"', '[', ']']);
    is_plain.then(|| Turn::Name(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way_of(path: &str) -> Option<Vec<Turn>> {
        JsonQuery::from(JsonPath::parse(path).unwrap()).way
    }

    #[test]
    fn a_path_to_one_value_is_a_way() {
        let name = |name: &str| Turn::Name(name.to_owned());
        assert_eq!(way_of("$"), Some(vec![]));
        assert_eq!(way_of("$.id"), Some(vec![name("id")]));
        assert_eq!(
            way_of("$.items[0]['first name']"),
            Some(vec![name("items"), Turn::Index(0), name("first name")])
        );
        assert_eq!(way_of("$.größe._x1"), Some(vec![name("größe"), name("_x1")]));
    }

    #[test]
    fn whatever_may_lead_to_several_values_or_is_quoted_oddly_is_none() {
        for path in ["$[*]", "$..id", "$[-1]", "$[1:2]", "$['a','b']", "$[?@.a > 1]", r"$['a\'b']", "$['a]']"]
        {
            assert_eq!(way_of(path), None, "{path}");
        }
    }
}
