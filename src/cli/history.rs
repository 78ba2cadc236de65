//! The file in which runs are kept, one a line.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::compare::history::{self, Entry};
use crate::compare::{Recording, Terms};
use crate::plan::Plan;
use crate::report::WriteError;
use crate::report::summary::Environment;
use crate::verdict::Among;
use crate::words::Verdict;

/// A history file with what it held.
pub(super) struct History {
    path: PathBuf,
    earlier: Vec<Entry>,
    /// Whether the last line was ended.
    is_ended: bool,
}

impl History {
    /// Reads it, and makes sure that it can be written, before any load is made. One that is not there is begun.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let doing = || format!("cannot use the history `{}`", path.display());
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.map_err(|error| Failure::other(error).while_doing(doing()))?;
        let text = fs::read_to_string(path).map_err(|error| Failure::other(error).while_doing(doing()))?;
        let earlier = parse(&text).map_err(|error| Failure::usage(error).while_doing(doing()))?;
        Ok(Self { path: path.to_owned(), earlier, is_ended: text.is_empty() || text.ends_with('\n') })
    }

    /// A run as a line of it.
    pub(super) fn entry(plan: &Plan, recording: &Recording, environment: &Environment) -> Entry {
        let run = &recording.run;
        Entry {
            time: run.start.clone(),
            commit: environment.commit.clone().unwrap_or_default(),
            branch: environment.branch.clone().unwrap_or_default(),
            run: run.id.clone(),
            profile: plan.profile.clone(),
            host: run.fingerprint.clone(),
            load: run.load.as_secs_f64(),
            verdict: Verdict::Pass,
            metrics: history::figures(recording),
        }
    }

    /// Where the run was expected, and how many earlier ones there are to say so.
    pub(super) fn judge(&self, newest: &Entry) -> Among {
        let earlier = history::earlier(&self.earlier, newest);
        Among { earlier: earlier.len(), predicted: history::judge(&earlier, newest, Terms::default()) }
    }

    /// Adds a run, in one call, so that two jobs that share the file do not mix their lines.
    pub(super) fn append(&self, entry: &Entry) -> Result<(), WriteError> {
        let mut line = if self.is_ended { String::new() } else { "\n".to_owned() };
        line += &serde_json::to_string(entry).expect("invariant: it has string keys and finite numbers");
        line.push('\n');
        let written = OpenOptions::new().append(true).create(true).open(&self.path);
        let written = written.and_then(|mut file| file.write_all(line.as_bytes()));
        written.map_err(|source: io::Error| WriteError::File { path: self.path.clone(), source })
    }
}

/// A line that is no run.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no run: {source}")]
pub(super) struct NoRun {
    line: usize,
    source: serde_json::Error,
}

/// Every run of a history file, in order of time, each once: merging two branches may leave lines out of order or twice.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, NoRun> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut entries = lines
        .map(|(index, line)| serde_json::from_str(line).map_err(|source| NoRun { line: index + 1, source }))
        .collect::<Result<Vec<Entry>, NoRun>>()?;
    entries.sort_by(|a, b| (&a.time, &a.run).cmp(&(&b.time, &b.run)));
    entries.dedup();
    Ok(entries)
}
