//! Earlier runs that a run is compared with.

use std::path::PathBuf;
use std::time::SystemTime;

use super::compare;
use super::failure::Failure;
use crate::compare::{Circumstances, Recording, Terms};
use crate::metrics::{Results, Stop};
use crate::plan::Plan;
use crate::report::summary::{Environment, Host};
use crate::verdict::{Beside, is_sound};

/// Earlier runs; none where none were asked for.
#[derive(Default)]
pub(super) struct Baseline(Vec<Recording>);

impl Baseline {
    /// Reads their summaries.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let recorded = |path: &PathBuf| {
            let recorded = compare::recorded(path);
            recorded.map_err(|failure| if path.exists() { failure } else { failure.help(FIRST_RUN) })
        };
        paths.iter().map(recorded).collect::<Result<Vec<Recording>, Failure>>().map(Self)
    }

    /// The run beside them; none without any.
    pub(super) fn beside(self, new: &Recording) -> Option<Beside> {
        (!self.0.is_empty()).then(|| Beside::baseline(self.0, new.clone(), Terms::default()))
    }
}

/// A run as it is compared. `None` where no load was made.
pub(super) fn record(
    plan: &Plan,
    results: &Results,
    host: &Host,
    start: SystemTime,
    environment: &Environment,
) -> Option<Recording> {
    if matches!(results.stop, Stop::NotStarted(_)) {
        return None;
    }
    let circumstances = Circumstances {
        start: humantime::format_rfc3339_millis(start).to_string(),
        commit: environment.commit.clone(),
        fingerprint: host.fingerprint.clone(),
        sound: is_sound(plan, results),
        ..Circumstances::of(plan, results)
    };
    Some(Recording::of_results(plan, results, circumstances))
}

const FIRST_RUN: &str = "leave `--baseline` out as long as there is no earlier run";
