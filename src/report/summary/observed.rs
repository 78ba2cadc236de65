//! What was seen beside the load, and what follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Ms;
use crate::words::{Section, Unit};

data! {
/// Something that happened, or follows from what was seen, with its evidence.
pub struct Fact {
    /// When, since the start of the load; null where it is true of the whole run.
    pub at: Option<Ms>,
    /// What it is about, in a word: `autoscaling`, `database`, `generator` …
    pub topic: String,
    /// One sentence.
    pub text: String,
    /// The figures or lines that show it.
    pub evidence: Vec<String>,
}

/// An explanation of what did not hold. Never given without evidence.
pub struct Hint {
    /// The section of what it explains.
    pub section: Section,
    /// One sentence.
    pub text: String,
    /// The figures or lines that show it, at least one.
    pub evidence: Vec<String>,
    /// What mends it, as a command or in words; null where nobody can know.
    pub mend: Option<String>,
}

/// An observer: what it watched, and what it saw.
pub struct Observer {
    /// Its name in profiles: `kubernetes`, `mysql`, `logs` or `prometheus`.
    pub name: String,
    /// What it watched, in words: `MariaDB 10.11.14 at 127.0.0.1:3306`; null where that is not known.
    pub source: Option<String>,
    /// Whether it was asked for, and could see.
    pub state: ObserverState,
    /// The part of the load's time for which it has no sample, as a fraction; null of one that was inactive.
    pub gaps: Option<f64>,
    /// What a reader must know of it, one sentence each: why it could not see, what the server does not have.
    pub notes: Vec<String>,
    /// What it sampled, over time.
    pub series: Vec<ObservedSeries>,
    /// What it found, word for word: the first lines of a log that match a pattern.
    pub evidence: Vec<Evidence>,
}

/// One value over time, as an observer sampled it.
pub struct ObservedSeries {
    /// The metric, under its name in thresholds: `mysql_threads_connected`.
    pub metric: String,
    /// What tells series of one metric apart: `{"pod": "flask-backend-7c9d"}`; empty where there is only one.
    pub labels: BTreeMap<String, String>,
    /// The unit of the values.
    pub unit: Unit,
    /// Whether a value is the number of events so far, counted from the observer's first sample.
    pub counter: bool,
    /// When, since the start of the load (negative before it), and the value then; in order of time.
    pub points: Vec<(Ms, f64)>,
}

/// A line that an observer found.
pub struct Evidence {
    /// When, since the start of the load; null where that is not known.
    pub at: Option<Ms>,
    /// Where it was found: a file, or a pod and its container.
    pub source: String,
    /// The metric, with the labels that it counted under: `log_matches{pattern:Deadlock}`.
    pub metric: String,
    /// The line as it stands there: never to be trusted as markup.
    pub line: String,
}

/// A pod of the service under load.
pub struct Pod {
    /// Its name.
    pub name: String,
    /// When it was made, since the start of the load; negative before it.
    pub born: Option<Ms>,
    /// When it was ready for the first time, since the start of the load; null if it never was.
    pub ready: Option<Ms>,
    /// When it was gone, since the start of the load; null where it still was there at the end. Where no observer
    /// watched it, `ready` and `gone` are when the Service had it as ready, and had it no more.
    pub gone: Option<Ms>,
    /// How often its containers were restarted during the run; null where no observer watched it.
    pub restarts: Option<u64>,
    /// Why one of its containers ended last, or waits: `OOMKilled`, `CrashLoopBackOff`; null where none did.
    pub last_reason: Option<String>,
    /// The most CPU that it was seen to use, in cores.
    pub cpu: Option<f64>,
    /// The most memory that it was seen to use, in bytes.
    pub memory: Option<f64>,
    /// Requests that palier sent to it; null where their way is not known.
    pub requests: Option<u64>,
}
}

/// Whether an observer was asked for, and could see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ObserverState {
    /// It watched.
    Active,
    /// It was asked for and saw nothing at all: its thresholds are `invalid`.
    Blind,
    /// The profile has it, and this run did not ask for it: its thresholds are not judged.
    Inactive,
}
