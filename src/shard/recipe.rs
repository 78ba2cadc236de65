//! What a plan is a function of: the texts of a profile, the options and the variables.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::profile::{Files, MASK, Secrets};

/// Enough to lay the same plan out again, on another machine and without the files. Values of secrets are not in it:
/// where they stood, there is [`MASK`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The profile, as it was asked for.
    pub profile: String,
    /// The folder that it was asked for in.
    pub folder: PathBuf,
    /// Files that were looked for and found; with their texts, where those were read.
    pub files: BTreeMap<PathBuf, Option<String>>,
    /// `--target`.
    pub target: Option<String>,
    /// Each `--set`.
    pub set: Vec<String>,
    /// `--observe`.
    pub observe: Option<String>,
    /// `--time-scale`.
    pub time_scale: f64,
    /// `--wait`.
    pub wait: Option<Duration>,
    /// The variables that these texts name.
    pub variables: BTreeMap<String, String>,
}

// The scale is a number that was read from a text, and no NaN.
impl Eq for Recipe {}

impl Recipe {
    /// Takes the values of secrets out, and all variables that no text names.
    #[must_use]
    pub fn without_secrets(mut self, secrets: &Secrets) -> Self {
        let mask = |text: &mut String| *text = secrets.mask(text).into_owned();
        let texts: Vec<&String> =
            self.files.values().flatten().chain(&self.set).chain(&self.target).collect();
        let named: Vec<String> = (self.variables.keys())
            .filter(|name| {
                let (plain, with_default) = (format!("${{{name}}}"), format!("${{{name}:-"));
                texts.iter().any(|text| text.contains(&plain) || text.contains(&with_default))
            })
            .cloned()
            .collect();
        self.variables.retain(|name, _| named.contains(name));
        for (name, _) in secrets.variables() {
            if let Some(value) = self.variables.get_mut(name) {
                MASK.clone_into(value);
            }
        }
        self.variables.values_mut().for_each(mask);
        self.files.values_mut().flatten().for_each(mask);
        self.set.iter_mut().chain(&mut self.target).chain(&mut self.observe).for_each(mask);
        self
    }
}

impl Files for Recipe {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().flatten().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }
}

/// Files that are noted down as they are read.
pub struct Noted<'a> {
    files: &'a dyn Files,
    seen: RefCell<BTreeMap<PathBuf, Option<String>>>,
}

impl<'a> Noted<'a> {
    /// Reads those.
    pub fn new(files: &'a dyn Files) -> Self {
        Self { files, seen: RefCell::default() }
    }

    /// What was found so far, for [`Recipe::files`].
    pub fn seen(&self) -> BTreeMap<PathBuf, Option<String>> {
        self.seen.borrow().clone()
    }
}

impl Files for Noted<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.read(path)?;
        self.seen.borrow_mut().insert(path.to_owned(), Some(text.clone()));
        Ok(text)
    }

    fn exists(&self, path: &Path) -> bool {
        let exists = self.files.exists(path);
        if exists {
            self.seen.borrow_mut().entry(path.to_owned()).or_default();
        }
        exists
    }
}
