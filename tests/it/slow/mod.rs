//! The real thing, in real time: minutes, not seconds. `cargo test --test it -- --ignored` runs them.
//!
//! They need MariaDB, Python packages, the programs that read reports in a pipeline and a Kubernetes to test on
//! (`tests/kubebed/`); `ci/test` installs them.
//! One that lacks a tool says so and tests nothing, unless `PALIER_TESTS_STRICT=1` makes that a failure.

mod autoscaler;
pub(crate) mod backend;
pub(crate) mod bed;
mod bench;
mod cluster;
pub(crate) mod consumers;
mod database;
mod employees;
mod endurance;
mod forward;
pub(crate) mod latency;
mod reports;
mod saturation;
mod shards;
mod undo;

use std::fs::File;
use std::path::Path;

/// Alone: what is judged here is time, and others would take it.
#[must_use]
pub(crate) fn take_turn() -> File {
    let lock = turns();
    lock.lock().expect("the others end");
    lock
}

/// Beside others of this kind, which wait more than they work, and judge counts and words; never beside one that
/// judges time. `ci/test` runs as many at once as there are cores.
#[must_use]
pub(crate) fn share_turn() -> File {
    let lock = turns();
    lock.lock_shared().expect("the others end");
    lock
}

fn turns() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("slow-tests.lock");
    File::create(path).expect("a file in the target folder")
}

/// Figures, for who runs the tests with `--nocapture`.
#[expect(clippy::print_stderr, reason = "figures to be read beside the result")]
pub(crate) fn told(line: &str) {
    eprintln!("{line}");
}
