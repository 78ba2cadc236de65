//! All that is known at the end of a run: results, verdict and circumstances, ready to be serialised.
//!
//! `summary.json` is this type, and its keys are stable: a key is never renamed or given another meaning under
//! `palier.summary/1`; new ones may appear, so readers ignore what they do not know. The published schema,
//! `summary.schema.json`, is generated from the comments below.
//!
//! Conventions, the same throughout:
//! - a duration is [`Ms`]: milliseconds, as a float, so whole nanoseconds survive
//! - a share is a fraction between 0 and 1, never a percentage
//! - a rate is per second of the load's time (the sum of its stages), but for metrics of kind `rate`,
//!   which are shares, as in k6
//! - what could not be observed is null, never 0 and never left out
//! - lists stand in the order of the profile, maps in the order of their keys, so that equal runs give equal
//!   files
//!
//! The types hold plain values and judge nothing: whoever builds a `Summary` decides what stands in it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::words::{ErrorKind, Level, Outcome, Section, Unit, Verdict};

/// The value of `schema` in every summary that this version writes.
pub const SCHEMA: &str = "palier.summary/1";

/// The most points that [`Series`] holds; longer runs are given a coarser `resolution`.
pub const MAX_POINTS: usize = 3600;

/// Declares plain data of the summary: what every one of them derives stands here once.
macro_rules! data {
    ($($(#[$meta:meta])* pub $kind:ident $name:ident $body:tt)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub $kind $name $body
    )+};
}

mod machine;
mod observed;
mod regression;
mod windows;

pub use machine::{Generator, Host, Limited};
pub use observed::{Evidence, Fact, Hint, ObservedSeries, Observer, ObserverState, Pod};
pub use regression::{ComparedRun, Difference, Expected, History, Regression};
pub use windows::{StepWindows, Windows};

impl Summary {
    /// Whether any load was made.
    pub fn is_started(&self) -> bool {
        self.run.ended_early.as_ref().is_none_or(|it| it.cause != EndCause::NotStarted)
    }
}

/// Milliseconds, as a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Ms(pub f64);

impl Ms {
    /// The same in seconds.
    pub fn seconds(self) -> f64 {
        self.0 / 1e3
    }
}

impl From<Duration> for Ms {
    #[expect(clippy::cast_precision_loss, reason = "104 days of nanoseconds are exact")]
    fn from(duration: Duration) -> Self {
        Self(duration.as_nanos() as f64 / 1e6)
    }
}

data! {
/// A load test with palier: what was run, what was measured, and the verdict.
pub struct Summary {
    /// Name and version of this format: `palier.summary/1`.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub schema: String,
    /// The version of palier that ran the load.
    pub palier: String,
    /// What was run, where, when and under which circumstances.
    pub run: Run,
    /// What the run ends in: the worst of its reasons, or `pass`.
    pub verdict: Verdict,
    /// The code that `palier run` exited with.
    pub exit_code: u8,
    /// Why the verdict is not `pass`, one sentence each, the worst first; empty on a pass.
    pub reasons: Vec<Reason>,
    /// Every threshold and warning of the profile and what became of it, in the order of the profile.
    pub thresholds: Vec<Threshold>,
    /// Every check of every step, in the order of the scenario.
    pub checks: Vec<Check>,
    /// The whole run by metric, under k6's names. Metrics narrowed by a selector stand under keys such as
    /// `http_req_duration{step:health}`. Kinds of request apart from the load stand under `{phase:setup}`,
    /// `{phase:teardown}` and `{phase:cleanup}` only.
    pub metrics: BTreeMap<String, MetricValues>,
    /// Every step of the scenario, in its order.
    pub steps: Vec<Step>,
    /// Every stage that the plan has, in order of start.
    pub stages: Vec<Stage>,
    /// Every load of the profile; most profiles have one.
    pub loads: Vec<Load>,
    /// What went wrong, grouped by kind, step and status, the most frequent first.
    pub errors: Vec<ErrorGroup>,
    /// The run over time.
    pub series: Series,
    /// Whole distributions, so that runs can be merged and compared: metric, then step, then an
    /// `HdrHistogram` in its V2 encoding, base64, whose values are nanoseconds.
    pub histograms: BTreeMap<String, BTreeMap<String, String>>,
    /// The run in windows of time, so that it can be compared with others by how much it varies within itself;
    /// null in a summary of a version that did not keep them, or where no load was made.
    #[serde(default)]
    pub windows: Option<Windows>,
    /// How the run differs from what it was compared with (`--baseline`); null where that is nothing.
    #[serde(default)]
    pub regression: Option<Regression>,
    /// Where the run was expected among the earlier ones of its history (`--history`); null where it has none.
    #[serde(default)]
    pub history: Option<History>,
    /// What the run created in the target, and what became of it.
    pub cleanup: Cleanup,
    /// How well palier itself was, on which the trust in all figures rests.
    pub generator: Generator,
    /// The machine that palier ran on.
    pub host: Host,
    /// What happened, in words, in order of time, each with its evidence.
    pub facts: Vec<Fact>,
    /// What explains that something did not hold, drawn from the data of this run, each with its evidence.
    pub diagnosis: Vec<Hint>,
    /// What watched the cluster, the database and logs beside the load; one that the profile has and this run did
    /// not ask for stands here, too, as `inactive`.
    pub observers: Vec<Observer>,
    /// The pods of the service under load, in order of birth; empty where no cluster was observed, and requests were not
    /// forwarded to them.
    pub pods: Vec<Pod>,
}

/// What was run, where, when and under which circumstances.
pub struct Run {
    /// The id of the run; names that the run created in the target carry it.
    pub id: String,
    /// The profile that was run.
    pub profile: Profile,
    /// The address that was put under load, as the profile or `--target` names it, without credentials.
    pub target: String,
    /// The way the requests took to the target, in words: `direct`, or through which forward to how many pods.
    pub route: String,
    /// What the way through a cluster's API server cost; null where connections were made straight to the target.
    pub forward: Option<Forward>,
    /// When the run began, RFC 3339.
    pub start: String,
    /// When the run ended, observers' following and clean-up included, RFC 3339.
    pub end: String,
    /// From `start` to `end`, on the monotonic clock.
    pub duration: Ms,
    /// The time that rates are per second of: the sum of the stages as far as they were run, or, for executors
    /// of iterations, until the last of them ended.
    pub load_duration: Ms,
    /// What the times of the profile were multiplied with; 1 unless `--time-scale` asked for another.
    pub time_scale: f64,
    /// Why the load ended before its plan did; null where it did not.
    pub ended_early: Option<EndedEarly>,
    /// The pipeline and the commit that the run belongs to.
    pub environment: Environment,
    /// The command that runs the same again, secrets masked; null where it is not known.
    pub command: Option<String>,
    /// What a reader must know of how the run differed from its profile, one sentence each: overrides, the
    /// thresholds that hold by default, limits that palier set by itself.
    pub notes: Vec<String>,
}

/// Port-forwards through the API server of a Kubernetes cluster, one for each connection: a path for tests, which no
/// request takes in production.
pub struct Forward {
    /// The Service: `mysql-app/flask-backend:5000`. What went to each of its pods stands in `pods`.
    pub service: String,
    /// The API server.
    pub server: String,
    /// How many port-forwards were opened.
    pub connections: u64,
    /// How many could not be opened, or broke in the middle of a request.
    pub broken: u64,
    /// How long it took to open them.
    pub connecting: Trend,
    /// One round trip on each, from palier through the API server to the node of the pod and back, measured by a ping
    /// beside its first request: about what the path adds to every answer's time.
    pub round_trip: Trend,
}

/// The profile that was run.
pub struct Profile {
    /// Its name, as given on the command line without folder and `.toml`: `quick`.
    pub name: String,
    /// The file it was read from, relative to the working directory where it lies below it; null for one built
    /// into palier.
    pub path: Option<String>,
    /// The words that the profile says about itself.
    pub description: Option<String>,
}

/// Why the load ended before its plan did.
pub struct EndedEarly {
    /// Who ended it.
    pub cause: EndCause,
    /// When, since the start of the load.
    pub at: Ms,
    /// One sentence: which signal, or which threshold, and what was cut.
    pub text: String,
}
}

/// Who ended a load before its plan did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EndCause {
    /// A signal: a cancelled job, or Ctrl-C.
    Interrupt,
    /// A threshold with `abort = true`.
    Abort,
    /// palier itself, because the load could not be started: the target or `setup` was not ready.
    NotStarted,
}

data! {
/// The pipeline and the commit that a run belongs to; null is what could not be found out.
pub struct Environment {
    /// The provider of the pipeline: `github`, `gitlab`, `jenkins` …; null outside of one.
    pub ci: Option<String>,
    /// The full id of the commit.
    pub commit: Option<String>,
    /// The branch or tag.
    pub branch: Option<String>,
    /// The page of the pipeline's job.
    pub job_url: Option<String>,
    /// Where `report.html` can be opened among the job's artifacts, once they are kept.
    pub report_url: Option<String>,
}

/// One reason for a verdict that is not `pass`.
pub struct Reason {
    /// A stable word for the sort of reason, kebab-case: `threshold`, `warning`, `no-data` … One that says the
    /// same as `run.ended_early` is of the kind `interrupted`, `aborted` or `not-started`.
    pub kind: String,
    /// What this reason alone makes of the run.
    pub verdict: Verdict,
    /// The section it is reported in; null where it is about the run as a whole.
    pub section: Option<Section>,
    /// One sentence, with the figure, the bound and the margin where there are any.
    pub text: String,
    /// The `id` of the threshold that it is about; null where it is about none.
    pub threshold: Option<String>,
}

/// One threshold or warning and what became of it.
pub struct Threshold {
    /// Its own name, or else metric, selector and expression, as in `http_req_duration{step:health} p(95)<500ms`.
    /// Unique in a run and the same from run to run: history is kept under it.
    pub id: String,
    /// The metric it is about.
    pub metric: String,
    /// What narrows the metric: `{"step": "health"}`; empty for the whole of it.
    pub selector: BTreeMap<String, String>,
    /// The condition as the profile writes it: `p(95)<500ms`.
    pub expression: String,
    /// The part of the expression that is compared: `p(95)`, `rate`, `count` …
    pub aggregation: String,
    /// The part of the expression that compares: one of `<`, `<=`, `>`, `>=`, `==`, `!=`.
    pub operator: String,
    /// Where it is reported.
    pub section: Section,
    /// What it leads to where it does not hold.
    pub level: Level,
    /// What became of it.
    pub outcome: Outcome,
    /// The measured value, in `unit`; for a window, of the worst one; null where there is none.
    pub observed: Option<f64>,
    /// The value it is compared with, in `unit`; null where it is relative to a baseline that is not there.
    pub bound: Option<f64>,
    /// The unit of `observed` and `bound`: `ms`, `/s`, `fraction`, `count`, `bytes` or `cores`.
    pub unit: Unit,
    /// How far inside the bound the observed value is, as a fraction of the bound: 0.1 is 10 % of room left,
    /// -0.22 is 22 % beyond it. Null where there is no value, no bound, a bound of 0, or one of `==` and `!=`.
    pub margin: Option<f64>,
    /// How many samples the observed value rests on; null where the metric does not consist of samples.
    pub samples: Option<u64>,
    /// The length of the window of which the worst is judged; null where the whole run is.
    pub window: Option<Ms>,
    /// The file it is written in; null for one that holds by default.
    pub file: Option<String>,
    /// Its line in that file, counted from 1.
    pub line: Option<u32>,
    /// One sentence on the outcome, with the figure and the bound.
    pub reason: String,
}

/// One check of a step, over the whole run.
pub struct Check {
    /// The load it belongs to; null where the profile has a single, unnamed one.
    pub load: Option<String>,
    /// The step it belongs to.
    pub step: String,
    /// Its name.
    pub name: String,
    /// How often it held.
    pub passes: u64,
    /// How often it did not.
    pub fails: u64,
    /// `passes` as a fraction of both; null where it was never tried.
    pub rate: Option<f64>,
    /// The file it is written in.
    pub file: Option<String>,
    /// Its line in that file, counted from 1.
    pub line: Option<u32>,
    /// The first time it did not hold; null where it always did.
    pub first: Option<Example>,
}

/// The first case of something that went wrong.
pub struct Example {
    /// What was seen instead, from the target: never to be trusted as markup.
    pub message: String,
    /// The virtual user it happened to, counted from 1.
    pub vu: Option<u64>,
    /// When, since the start of the load.
    pub at: Option<Ms>,
}
}

/// The values of one metric over the whole run, by its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MetricValues {
    /// A sum.
    Counter {
        /// The unit of `count`; that of `rate` is the same per second.
        unit: Unit,
        /// The sum over the whole run.
        count: f64,
        /// The sum over the load's time alone, per second of it; null where no load was made.
        rate: Option<f64>,
    },
    /// A value that goes up and down.
    Gauge {
        /// The unit of all three.
        unit: Unit,
        /// The last value.
        value: Option<f64>,
        /// The lowest.
        min: Option<f64>,
        /// The highest.
        max: Option<f64>,
    },
    /// A share of yes among yes and no.
    Rate {
        /// How often it was yes: for `checks` those that held, for `http_req_failed` and `errors` the requests
        /// that went wrong, as k6 has it.
        passes: u64,
        /// How often it was no.
        fails: u64,
        /// `passes` as a fraction of both; null where there is neither.
        rate: Option<f64>,
    },
    /// A distribution of times, in milliseconds.
    Trend(Trend),
}

data! {
/// A distribution of times, in milliseconds. A `p(N)` is the value at rank ceil(N/100 × count), at most 0.1 %
/// above the exact one; all but `count` are null where there is no sample.
#[derive(Default)]
pub struct Trend {
    /// The mean.
    pub avg: Option<Ms>,
    /// The shortest.
    pub min: Option<Ms>,
    /// The median.
    pub med: Option<Ms>,
    /// The longest.
    pub max: Option<Ms>,
    /// Not exceeded by 90 %.
    #[serde(rename = "p(90)")]
    pub p90: Option<Ms>,
    /// Not exceeded by 95 %.
    #[serde(rename = "p(95)")]
    pub p95: Option<Ms>,
    /// Not exceeded by 99 %.
    #[serde(rename = "p(99)")]
    pub p99: Option<Ms>,
    /// How many samples there are.
    pub count: u64,
}

/// One step of a scenario over the whole run: the requests of the load and of its grace, those of setup,
/// teardown and clean-up left out.
pub struct Step {
    /// The load it belongs to; null where the profile has a single, unnamed one.
    pub load: Option<String>,
    /// Its name.
    pub name: String,
    /// The HTTP method.
    pub method: String,
    /// The path as the scenario writes it, templates unfilled.
    pub path: String,
    /// The file it is written in.
    pub file: Option<String>,
    /// Its line in that file, counted from 1.
    pub line: Option<u32>,
    /// Requests made.
    pub requests: u64,
    /// Requests started within the load's time, per second of it; null where no load was made.
    pub rate: Option<f64>,
    /// Requests without an answer, or with a status that nobody expects (`http_req_failed`).
    pub failed: u64,
    /// Requests that failed, or of which a check did not hold (`errors`).
    pub errors: u64,
    /// How often the step was left out for want of a captured value.
    pub skipped: u64,
    /// How often its checks held.
    pub check_passes: u64,
    /// How often they did not.
    pub check_fails: u64,
    /// Bytes written to the wire.
    pub sent: u64,
    /// Bytes read from the wire.
    pub received: u64,
    /// The times of its requests, by k6's names: `http_req_duration`, `http_req_waiting` …
    pub trends: BTreeMap<String, Trend>,
}

/// One stage: a span of time over which the target number of virtual users, or the rate, goes linearly to a
/// new value. A request belongs to the stage it was started in.
pub struct Stage {
    /// The load it belongs to; null where the profile has a single, unnamed one.
    pub load: Option<String>,
    /// Its name; null where the profile gives none.
    pub name: Option<String>,
    /// When it begins, since the start of the load.
    pub start: Ms,
    /// How long the plan has it last.
    pub duration: Ms,
    /// How much of that was run: less than `duration` where the load ended early.
    pub elapsed: Ms,
    /// The virtual users, or the iterations a second, that it leads to.
    pub target: f64,
    /// The most virtual users seen in it.
    pub vus_max: u64,
    /// Requests started in it.
    pub requests: u64,
    /// The same per second of `elapsed`; null where it was not reached.
    pub rate: Option<f64>,
    /// Of them without an answer, or with a status that nobody expects (`http_req_failed`).
    pub failed: u64,
    /// Of them failed, or with a check that did not hold (`errors`).
    pub errors: u64,
    /// Their times from sending to the last byte of the answer.
    pub http_req_duration: Trend,
}

/// One load: an executor that starts iterations of one scenario.
pub struct Load {
    /// Its name; null where the profile has a single, unnamed one.
    pub name: Option<String>,
    /// The rule that starts iterations: `ramping-vus`, `constant-vus` …
    pub executor: String,
    /// What it was planned to do, in words: `3 stages over 30 s, up to 30 VUs`.
    pub plan: String,
    /// When it begins, since the start of the first one.
    pub start: Ms,
    /// How long it was run, without its grace.
    pub duration: Ms,
    /// The most virtual users seen in it.
    pub vus_max: u64,
    /// Iterations completed.
    pub iterations: u64,
    /// Iterations that were cut before they were complete.
    pub cut: u64,
    /// Iterations of the plan that were never started.
    pub dropped: u64,
}

/// What went wrong in the same way.
pub struct ErrorGroup {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The load it belongs to; null where the profile has a single, unnamed one.
    pub load: Option<String>,
    /// The step it belongs to; null where it belongs to none.
    pub step: Option<String>,
    /// The status of the answer; null where there was none.
    pub status: Option<u16>,
    /// How often.
    pub count: u64,
    /// The first of them.
    pub first: Option<Example>,
}

/// The run over time.
pub struct Series {
    /// How many seconds each point stands for: 1, or more for a run of over 600 seconds.
    pub resolution: u32,
    /// The points, in order of time, without gaps; at most 3600.
    pub points: Vec<Point>,
}

/// One second of the run, or as many as `resolution` says. A request belongs to the second it was
/// started in.
pub struct Point {
    /// When it begins, since the start of the load.
    pub time: Ms,
    /// Virtual users, the most seen in it.
    pub vus: u64,
    /// Requests started.
    pub requests: u64,
    /// Of them without an answer, or with a status that nobody expects (`http_req_failed`).
    pub failed: u64,
    /// Of them failed, or with a check that did not hold (`errors`).
    pub errors: u64,
    /// The same by what went wrong; kinds that did not occur are left out.
    #[serde(default)]
    pub error_kinds: BTreeMap<ErrorKind, u64>,
    /// Iterations completed.
    pub iterations: u64,
    /// Bytes written to the wire.
    pub sent: u64,
    /// Bytes read from the wire.
    pub received: u64,
    /// The median of `http_req_duration`; null, as all below, where there is no sample.
    pub p50: Option<Ms>,
    /// Not exceeded by 90 %.
    pub p90: Option<Ms>,
    /// Not exceeded by 95 %.
    pub p95: Option<Ms>,
    /// Not exceeded by 99 %.
    pub p99: Option<Ms>,
    /// The longest.
    pub max: Option<Ms>,
    /// CPU time of palier itself, as a fraction of what it may use; null where it was not read.
    pub generator_cpu: Option<f64>,
}

/// What the run created in the target, and what became of it.
#[derive(Default)]
pub struct Cleanup {
    /// How many things steps with an `undo` created.
    pub created: u64,
    /// How many of them were undone, by the iteration itself or afterwards.
    pub undone: u64,
    /// How many were not.
    pub left: u64,
    /// How many requests that create something were sent and never answered: whether they did cannot be known.
    pub unanswered: u64,
    /// Those that were not, by name; the first 100 of them.
    pub left_behind: Vec<Leftover>,
    /// What `[cleanup.mysql]` did; null where the run deletes nothing from the database.
    pub database: Option<DatabaseCleanup>,
}

/// What was deleted from the database after the run.
pub struct DatabaseCleanup {
    /// What `verify` said before the load; null where it was not asked, or did not answer.
    pub before: Option<i64>,
    /// How many rows `delete` took: what was left after all else was undone; null where it was not run.
    pub deleted: Option<u64>,
    /// What `verify` said after that.
    pub after: Option<i64>,
    /// Why it could not be done to its end; null where it could.
    pub trouble: Option<String>,
}

/// Something that the run created and could not undo.
pub struct Leftover {
    /// The step that created it.
    pub step: String,
    /// What identifies it: the request that would undo it, `DELETE /employees/4711`.
    pub name: String,
    /// Why it could not be undone.
    pub reason: Option<String>,
}
}
