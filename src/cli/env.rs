//! The environment, as data.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variables, read once at the start. What is not UTF-8 is kept as far as it can be shown.
#[derive(Clone, Debug, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
}

impl Env {
    /// The environment that holds these variables.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        Self { variables: variables.into_iter().map(|(name, value)| (lossy(name), lossy(value))).collect() }
    }

    /// A variable that is set and not empty: pipelines pass on inputs that nobody gave as empty ones.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a variable is set, but to nothing.
    pub(super) fn is_blank(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(String::is_empty)
    }

    /// Whether a variable is set to `true`, in any case of letters.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether a variable is set to something that does not mean no.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// The kubeconfigs as `kubectl` finds them: all that `KUBECONFIG` names, else that of the home folder.
    pub(super) fn kubeconfig(&self) -> Vec<PathBuf> {
        let named = self.get("KUBECONFIG").map(|paths| {
            let paths = std::env::split_paths(paths);
            paths.filter(|path| !path.as_os_str().is_empty()).collect::<Vec<_>>()
        });
        match named.filter(|named| !named.is_empty()) {
            Some(named) => named,
            None => self.get("HOME").map(|home| Path::new(home).join(".kube/config")).into_iter().collect(),
        }
    }

    /// All variables, for `${NAME}` in profiles.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self::new(variables.map(|(name, value)| (name.into(), value.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_not_utf_8_is_no_reason_to_panic() {
        use std::os::unix::ffi::OsStringExt as _;
        let broken = OsString::from_vec(vec![b'a', 0xff]);
        let env = Env::new([(broken.clone(), broken), ("B".into(), "b".into())]);
        assert_eq!(env.get("a\u{fffd}"), Some("a\u{fffd}"));
        assert_eq!(env.get("B"), Some("b"));
    }

    #[test]
    fn kubeconfigs_are_those_that_kubectl_takes() {
        let paths = |env: Env| {
            env.kubeconfig().iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(paths(Env::of([("HOME", "/me")])), "/me/.kube/config");
        assert_eq!(paths(Env::of([("HOME", "/me"), ("KUBECONFIG", "a::/b")])), "a /b");
        assert_eq!(paths(Env::of([("HOME", "/me"), ("KUBECONFIG", ":")])), "/me/.kube/config");
        assert_eq!(paths(Env::of([])), "");
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        let env =
            Env::of([("EMPTY", ""), ("NO", "false"), ("ZERO", "0"), ("YES", "True"), ("NAME", "woodpecker")]);
        let on = |name| (env.get(name).is_some(), env.is_on(name), env.is_true(name));
        assert_eq!(on("EMPTY"), (false, false, false));
        assert_eq!(on("UNSET"), (false, false, false));
        assert_eq!(on("NO"), (true, false, false));
        assert_eq!(on("ZERO"), (true, false, false));
        assert_eq!(on("YES"), (true, true, true));
        assert_eq!(on("NAME"), (true, true, false));
        assert_eq!(env.variables()["EMPTY"], "", "a profile may ask whether it is set");
    }
}
