//! Values that may appear in no output.

use std::borrow::Cow;
use std::fmt;

/// What stands in outputs where a secret would.
pub const MASK: &str = "***";

/// The variables that the profile names in `secrets`. One with an empty value hides nothing and is not kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<Secret>);

#[derive(Clone, PartialEq, Eq)]
struct Secret {
    name: String,
    value: String,
}

impl Secrets {
    /// The secrets of these names and values; the name is empty of one that comes from no variable.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut secrets: Vec<Secret> = (variables.into_iter())
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| Secret { name, value })
            .collect();
        // The longest first: one secret may be a part of another.
        secrets.sort_by(|a, b| {
            b.value
                .len()
                .cmp(&a.value.len())
                .then_with(|| a.value.cmp(&b.value))
                .then_with(|| b.name.cmp(&a.name))
        });
        // The one with a name stays.
        secrets.dedup_by(|a, b| a.value == b.value);
        Self(secrets)
    }

    /// The text with every secret in it replaced by [`MASK`].
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, secret| {
            if text.contains(&secret.value) { Cow::Owned(text.replace(&secret.value, MASK)) } else { text }
        })
    }

    /// Names and values of those that come from variables, the longest value first. Whoever asks for them answers
    /// for where they go.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.0.iter().filter(|secret| !secret.name.is_empty());
        named.map(|secret| (secret.name.as_str(), secret.value.as_str()))
    }

    /// The length of the longest of them, in bytes.
    pub fn longest(&self) -> usize {
        self.0.first().map_or(0, |secret| secret.value.len())
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} of them)", self.0.len())
    }
}
