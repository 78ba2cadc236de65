//! Where a request carries credentials, as far as names tell: their values become variables.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;

use crate::words::carries_credentials;

/// A stretch of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// What may be seen.
    Plain(&'a str),
    /// A value that may not.
    Credential {
        /// What it is called there.
        name: Cow<'a, str>,
        /// The value.
        value: &'a str,
    },
}

/// The variables that stand for credentials, with what they stand for.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Their names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What stands for a value in a profile: `${NAME:-}`. Two values never share a variable.
    pub(super) fn stand_in(&mut self, name: &str, value: &str) -> String {
        let upper = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
        let mut name: String = name.chars().map(upper).collect::<String>().trim_matches('_').to_owned();
        if !name.starts_with(|it: char| it.is_ascii_alphabetic()) {
            name.insert(0, '_');
        }
        let mut variable = name.clone();
        let mut n = 1;
        while self.0.get(&variable).is_some_and(|known| known != value) {
            n += 1;
            variable = format!("{name}_{n}");
        }
        let text = format!("${{{variable}:-}}");
        self.0.insert(variable, value.to_owned());
        text
    }

    /// A text with variables in the place of its credentials; `plain` is how the rest is written.
    pub(super) fn fill(&mut self, pieces: &[Piece<'_>], plain: impl Fn(&str) -> String) -> String {
        let write = |piece: &Piece<'_>| match piece {
            Piece::Plain(text) => plain(text),
            Piece::Credential { name, value } => self.stand_in(name, value),
        };
        pieces.iter().map(write).collect()
    }
}

/// Whether a header is a credential: by its name, or because its value says what kind of one it is.
pub(super) fn is_header(name: &str, value: &str) -> bool {
    let scheme = value.split(' ').next().unwrap_or_default();
    carries_credentials(name) || ["bearer", "basic"].iter().any(|it| scheme.eq_ignore_ascii_case(it))
}

/// `a=1&b=2`: a query, or a form. Names are percent-decoded, values stay as they are.
pub(super) fn of_pairs(text: &str) -> Vec<Piece<'_>> {
    let mut cut = Cut::new(text);
    let mut start = 0;
    for pair in text.split('&') {
        if let Some((name, value)) = pair.split_once('=') {
            let name = percent_decode_str(name).decode_utf8_lossy();
            if carries_credentials(&name) {
                let at = start + pair.len() - value.len();
                cut.out(name, at..start + pair.len());
            }
        }
        start += pair.len() + 1;
    }
    cut.pieces()
}

/// The query of an address, or of a path.
pub(super) fn of_address(text: &str) -> Vec<Piece<'_>> {
    let Some(query) = text.find('?') else { return vec![Piece::Plain(text)] };
    let (path, query) = text.split_at(query + 1);
    std::iter::once(Piece::Plain(path)).chain(of_pairs(query)).collect()
}

/// JSON: texts and numbers of members with such a name, and those in an array of that name. `None` where it is no JSON.
pub(super) fn of_json(text: &str) -> Option<Vec<Piece<'_>>> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut cut = Cut::new(text);
    // For each array or object that is open: the name that its values go by, if that is one of a credential.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut name: Option<String> = None;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let end = match byte {
            b'"' => end_of_string(text, at),
            b'-' | b'0'..=b'9' => {
                let is_number = |it: char| matches!(it, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
                text[at..].find(|it| !is_number(it)).map_or(text.len(), |length| at + length)
            }
            _ => at + 1,
        };
        match byte {
            b'"' if text[end..].trim_start().starts_with(':') => {
                let key: String = serde_json::from_str(&text[at..end]).unwrap_or_default();
                name = Some(key).filter(|key| carries_credentials(key));
            }
            b'"' => {
                if let Some(name) = &name {
                    cut.out(name.clone().into(), at + 1..end - 1);
                }
            }
            b'-' | b'0'..=b'9' => {
                if let Some(name) = &name {
                    cut.out(name.clone().into(), at..end);
                }
            }
            b'[' => open.push(name.clone()),
            b'{' => open.push(name.take().and(None)),
            b']' | b'}' => drop(open.pop()),
            b',' => name = open.last().cloned().flatten(),
            _ => {}
        }
        at = end;
    }
    Some(cut.pieces())
}

/// The byte after the quote that closes the string which begins here.
fn end_of_string(text: &str, start: usize) -> usize {
    let mut is_escaped = false;
    let rest = text.bytes().enumerate().skip(start + 1);
    for (at, byte) in rest {
        match byte {
            b'"' if !is_escaped => return at + 1,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// A text on the way to its pieces.
struct Cut<'a> {
    text: &'a str,
    done: usize,
    pieces: Vec<Piece<'a>>,
}

impl<'a> Cut<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, done: 0, pieces: Vec::new() }
    }

    /// A credential stands there. One of no length is none.
    fn out(&mut self, name: Cow<'a, str>, range: Range<usize>) {
        if !range.is_empty() {
            self.pieces.push(Piece::Plain(&self.text[self.done..range.start]));
            self.done = range.end;
            self.pieces.push(Piece::Credential { name, value: &self.text[range] });
        }
    }

    fn pieces(mut self) -> Vec<Piece<'a>> {
        self.pieces.push(Piece::Plain(&self.text[self.done..]));
        self.pieces
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text with `<name>` in the place of each credential.
    fn shown(pieces: &[Piece<'_>]) -> String {
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Plain(text) => (*text).to_owned(),
                Piece::Credential { name, .. } => format!("<{name}>"),
            })
            .collect()
    }

    #[test]
    fn credentials_are_found_by_their_names() {
        assert_eq!(
            shown(&of_address("/a=1?x=1&api_key=k&user%5Bpassword%5D=p&token=&t")),
            "/a=1?x=1&api_key=<api_key>&user%5Bpassword%5D=<user[password]>&token=&t"
        );
        for (json, expected) in [
            (
                r#"{ "user": "me", "password" : "a\"b\\", "n": 1 }"#,
                r#"{ "user": "me", "password" : "<password>", "n": 1 }"#,
            ),
            (
                r#"{"tokens": ["a", {"id": "b"}, "c"], "x": ["d"]}"#,
                r#"{"tokens": ["<tokens>", {"id": "b"}, "<tokens>"], "x": ["d"]}"#,
            ),
            (r#"{"a":{"pwd":-12.5e3}}"#, r#"{"a":{"pwd":<pwd>}}"#),
            (
                r#"{"author": "x", "auth": {"name": "y"}, "z": true}"#,
                r#"{"author": "x", "auth": {"name": "y"}, "z": true}"#,
            ),
            (r#"["password", "token"]"#, r#"["password", "token"]"#),
        ] {
            assert_eq!(shown(&of_json(json).expect("JSON")), expected);
        }
        assert_eq!(of_json("password=x"), None);
    }

    #[test]
    fn two_values_are_two_variables() {
        let mut variables = Variables::default();
        assert_eq!(variables.stand_in("Authorization", "a"), "${AUTHORIZATION:-}");
        assert_eq!(variables.stand_in("authorization", "b"), "${AUTHORIZATION_2:-}");
        assert_eq!(variables.stand_in("AUTHORIZATION", "a"), "${AUTHORIZATION:-}");
        assert_eq!(variables.stand_in("2fa-token", "a"), "${_2FA_TOKEN:-}");
        assert_eq!(variables.names().collect::<Vec<_>>(), ["AUTHORIZATION", "AUTHORIZATION_2", "_2FA_TOKEN"]);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_nothing_is_lost(text in "\\PC*", json in "[{]\"(token|é|\\\\\\\\)\":(\"[a-z\\\\]{0,4}\"|\\[\"x\",-1\\]|12)[}]") {
            for text in [&text, &json] {
                for pieces in [Some(of_address(text)), Some(of_pairs(text)), of_json(text)].into_iter().flatten() {
                    let whole: String = (pieces.iter())
                        .map(|piece| match piece { Piece::Plain(text) | Piece::Credential { value: text, .. } => *text })
                        .collect();
                    prop_assert_eq!(&whole, text);
                }
            }
        }
    }
}
