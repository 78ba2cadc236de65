//! Texts and names as TOML, for profiles that palier writes itself.

/// A text as a basic string of TOML: JSON's, but for one character.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A text in which `${` does not begin a variable.
pub(super) fn literal(text: &str) -> String {
    quoted(&text.replace("${", "$${"))
}

/// A name as a key: bare where it can be.
pub(super) fn key(name: &str) -> String {
    let is_bare = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in any::<String>(), name in any::<String>()) {
            let table: toml::Table = toml::from_str(&format!("{} = {}", key(&name), quoted(&text))).expect("TOML");
            prop_assert_eq!(table[&name].as_str(), Some(text.as_str()));
        }
    }
}
