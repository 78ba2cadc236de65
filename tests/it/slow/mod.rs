//! The real thing, in real time: minutes, not seconds. `cargo test --test it -- --ignored` runs them.
//!
//! They need MariaDB, Python packages, the programs that read reports in a pipeline and a Kubernetes to test on
//! (`tests/kubebed/`); `ci/test` installs them.
//! One that lacks a tool says so and tests nothing, unless `PALIER_TESTS_STRICT=1` makes that a failure.

mod autoscaler;
pub(crate) mod backend;
mod bed;
mod cluster;
pub(crate) mod consumers;
mod database;
mod employees;
mod endurance;
pub(crate) mod latency;
mod reports;
mod saturation;
mod undo;

use std::fs::File;
use std::path::Path;

/// One after another: what is judged here is time, and they would take it from each other.
#[must_use]
pub(crate) fn take_turn() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("slow-tests.lock");
    let lock = File::create(path).expect("a file in the target folder");
    lock.lock().expect("the others end");
    lock
}

/// Figures, for who runs the tests with `--nocapture`.
#[expect(clippy::print_stderr, reason = "figures to be read beside the result")]
pub(crate) fn told(line: &str) {
    eprintln!("{line}");
}
