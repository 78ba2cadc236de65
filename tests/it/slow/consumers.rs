//! The programs that read palier's outputs in a pipeline, as `tests/consumers/` runs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::backend::text;

/// Says that a test tests nothing; a failure where that was ruled out.
#[expect(clippy::print_stderr, reason = "nobody is to think that it was tested")]
pub(crate) fn missing(what: &str) {
    #[expect(clippy::disallowed_methods, reason = "the tests have no other environment")]
    let strict = std::env::var("PALIER_TESTS_STRICT").is_ok_and(|value| value == "1");
    assert!(!strict, "NOT TESTED, for want of {what}");
    eprintln!("\n*** NOT TESTED, for want of {what}\n");
}

/// The folder of a checked-out repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the readers are installed.
pub(super) fn are_there() -> bool {
    let python = cache().join("venv/bin/python");
    let are_there = python.exists() && root().join("tests/consumers/check_junit.py").exists();
    if !are_there {
        missing(&format!("the readers of reports: {}", python.display()));
    }
    are_there
}

/// Where `setup.sh` installs them, as its `lib/paths.sh` has it.
fn cache() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the tests have no other environment")]
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    variable("PALIER_CONSUMERS").map_or_else(
        || {
            let cache = variable("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
            cache.unwrap_or_default().join("palier-consumers")
        },
        PathBuf::from,
    )
}

/// Runs one of the scripts; it has to find nothing wrong.
#[track_caller]
pub(super) fn accept(script: &str, args: &[&str]) {
    let path = root().join("tests/consumers").join(script);
    let output = Command::new(path).args(args).output().expect("a script of ours");
    assert!(output.status.success(), "{script} {args:?}\n{}", text(&output));
}

/// Validates a document against a JSON schema.
#[track_caller]
pub(super) fn validate(schema: &Path, document: &Path) {
    let validator = cache().join("venv/bin/check-jsonschema");
    let output = Command::new(&validator).arg("--schemafile").arg(schema).arg(document).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", validator.display()));
    assert!(output.status.success(), "{}", text(&output));
}
