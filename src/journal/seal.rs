//! Secrets, replaced by the names of their variables.
//!
//! A sealed text holds `${NAME}` where the value of a secret stood, `${NAME|percent}` where it was percent-encoded
//! and `${NAME|json}` where it was written into a JSON string. A dollar sign of its own is doubled.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::plan::Secrets;

/// What templates leave as it is, too.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Takes secrets out of texts.
#[derive(Clone, Default)]
pub struct Seal {
    /// What is replaced, and by what; the longest first, as one may be a part of another.
    replaced: Vec<(String, String)>,
}

/// A variable that a sealed text needs is not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{0}` is not set: it was a secret of the run, and its value is in no file")]
pub struct Missing(pub String);

impl Seal {
    /// Seals these secrets.
    pub fn of(secrets: &Secrets) -> Self {
        let mut replaced: Vec<(String, String)> = Vec::new();
        for (name, value) in secrets.variables() {
            let forms = [
                (value.to_owned(), format!("${{{name}}}")),
                (percent(value), format!("${{{name}|percent}}")),
                (json(value), format!("${{{name}|json}}")),
            ];
            for (form, reference) in forms {
                if !replaced.iter().any(|(known, _)| *known == form) {
                    replaced.push((form, reference));
                }
            }
        }
        replaced.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
        Self { replaced }
    }

    /// The text without secrets.
    pub fn seal<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !text.as_bytes().contains(&b'$') && !self.replaced.iter().any(|(form, _)| text.contains(form)) {
            return Cow::Borrowed(text);
        }
        let mut sealed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some((form, reference)) = self.replaced.iter().find(|(form, _)| rest.starts_with(form)) {
                sealed.push_str(reference);
                rest = &rest[form.len()..];
                continue;
            }
            sealed.push(next);
            if next == '$' {
                sealed.push('$');
            }
            rest = &rest[next.len_utf8()..];
        }
        Cow::Owned(sealed)
    }

    /// The first `most` bytes of a text, without secrets, not even half of one at the end.
    pub fn seal_beginning<'a>(&self, text: &'a str, most: usize) -> Cow<'a, str> {
        if text.len() <= most {
            return self.seal(text);
        }
        let longest = self.replaced.first().map_or(0, |(form, _)| form.len());
        let window = cut(text, most + longest);
        let sealed = self.seal(window).into_owned();
        // What stands at the very end of the window may be the beginning of a secret that goes on after it.
        let end = sealed.len().saturating_sub(longest).min(most);
        Cow::Owned(cut(&sealed, end).to_owned() + "…")
    }
}

/// Whether a sealed text holds the name of a secret.
pub fn is_sealed(text: &str) -> bool {
    text.replace("$$", "").contains("${")
}

/// The text with the secrets in it, taken from these variables.
pub fn open(text: &str, variables: &BTreeMap<String, String>) -> Result<String, Missing> {
    let mut opened = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        opened.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let reference = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        if let Some((reference, after)) = reference {
            let (name, form) = reference.split_once('|').unwrap_or((reference, ""));
            let value = variables.get(name).filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| Missing(name.to_owned()))?;
            match form {
                "percent" => opened.push_str(&percent(value)),
                "json" => opened.push_str(&json(value)),
                _ => opened.push_str(value),
            }
            rest = after;
        } else {
            opened.push('$');
            rest = rest.strip_prefix('$').unwrap_or(rest);
        }
    }
    opened.push_str(rest);
    Ok(opened)
}

/// The text without what stands after that many bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn percent(value: &str) -> String {
    utf8_percent_encode(value, NOT_UNRESERVED).to_string()
}

/// The value as the inside of a JSON string.
fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn seal(pairs: &[(&str, &str)]) -> Seal {
        Seal::of(&Secrets::new(variables(pairs)))
    }

    #[test]
    fn a_secret_becomes_the_name_of_its_variable_however_it_was_written() {
        let seal = seal(&[("TOKEN", "s3cr\"et/x")]);
        assert_eq!(seal.seal("Bearer s3cr\"et/x"), "Bearer ${TOKEN}");
        assert_eq!(seal.seal("/a?t=s3cr%22et%2Fx"), "/a?t=${TOKEN|percent}");
        assert_eq!(seal.seal(r#"{"t":"s3cr\"et/x"}"#), r#"{"t":"${TOKEN|json}"}"#);
        assert_eq!(seal.seal("price: $5"), "price: $$5");
        assert!(is_sealed("Bearer ${TOKEN}") && !is_sealed("$${TOKEN}") && !is_sealed("5"));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        assert_eq!(open("Bearer ${TOKEN}", &BTreeMap::new()), Err(Missing("TOKEN".to_owned())));
        assert_eq!(open("Bearer ${TOKEN}", &variables(&[("TOKEN", "")])), Err(Missing("TOKEN".to_owned())));
    }

    #[test]
    fn no_half_of_a_secret_is_left_where_a_text_is_cut() {
        let seal = seal(&[("TOKEN", "0123456789")]);
        let text = format!("{}0123456789 and more", "x".repeat(95));
        let beginning = seal.seal_beginning(&text, 100);
        assert!(!beginning.contains("01"), "{beginning}");
        assert!(beginning.starts_with("xxx") && beginning.ends_with('…') && beginning.len() < 110);
    }

    proptest! {
        #[test]
        fn what_is_sealed_can_be_opened_with_the_same_variables(
            text in "[a-c$\\{\\}|%\"/ ]{0,40}", a in "[a-c$\\{\"/ ]{0,4}", b in "[a-c$%\"]{0,6}"
        ) {
            let variables = variables(&[("A", &a), ("B", &b)]);
            let sealed = Seal::of(&Secrets::new(variables.clone())).seal(&text).into_owned();
            prop_assert_eq!(open(&sealed, &variables), Ok(text));
        }

        #[test]
        fn nothing_of_a_secret_is_left(before in ".{0,20}", secret in "[0-9]{6,12}", after in ".{0,20}") {
            let seal = seal(&[("TOKEN", &secret)]);
            let text = format!("{before}{secret}{after}");
            prop_assert!(!seal.seal(&text).contains(&secret));
        }

        #[test]
        fn opening_never_panics(text in "[$\\{\\}|a\u{e9}]{0,20}") {
            let _ = open(&text, &BTreeMap::new());
        }
    }
}
