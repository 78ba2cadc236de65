//! `[load]` and `[[loads]]`: which executor starts iterations, and when.

use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::place::{Place, Placed};
use super::reader::{self, Fields, Findings};
use super::tags;
use super::tree::Node;
use crate::units::Rate;

/// k6's default for `graceful_stop` and `graceful_ramp_down`.
const GRACE: Duration = Duration::from_secs(30);

/// k6's default for `max_duration`.
const LONGEST: Duration = Duration::from_secs(600);

/// More than any one machine can run; a slip of the keyboard should not take the machine down.
const MOST_VUS: u32 = 1_000_000;

/// The name of the load of a profile that has `[load]` instead of `[[loads]]`.
pub const UNNAMED_LOAD: &str = "default";

/// One load: an executor that runs one scenario.
#[derive(Clone, Debug)]
pub struct Load {
    /// The name in `[[loads]]`; `default` for `[load]`.
    pub name: Placed<String>,
    /// Which of the profile's scenarios it runs: an index into `Profile::scenarios`.
    pub scenario: usize,
    /// How long after the start of the run it begins.
    pub start_after: Duration,
    /// How long running iterations may go on after its end; 30 s by default.
    pub graceful_stop: Duration,
    /// Tags of all its requests.
    pub tags: Vec<(Placed<String>, String)>,
    /// The rule that starts iterations.
    pub executor: Executor,
    /// The value of `executor`.
    pub place: Place,
}

/// The rule that starts iterations. Names, fields and defaults are k6's, in `snake_case`.
#[derive(Clone, Debug)]
pub enum Executor {
    /// VUs follow stages; each VU runs one iteration after another.
    RampingVus {
        /// VUs at the start; 1 by default.
        start_vus: u32,
        /// At least one.
        stages: Vec<Stage<u32>>,
        /// How long a VU that is asked to stop may finish its iteration; 30 s by default.
        graceful_ramp_down: Duration,
    },
    /// A fixed number of VUs for a fixed time.
    ConstantVus {
        /// At least 1, the default.
        vus: u32,
        /// How long; above 0.
        duration: Duration,
    },
    /// Each VU runs so many iterations.
    PerVuIterations {
        /// At least 1, the default.
        vus: u32,
        /// A VU; at least 1, the default.
        iterations: u64,
        /// The end for those that take longer; 10 min by default.
        max_duration: Duration,
    },
    /// All VUs together run so many iterations.
    SharedIterations {
        /// At least 1, the default, and no more than `iterations`.
        vus: u32,
        /// Of all VUs together; at least 1, the default.
        iterations: u64,
        /// The end for those that take longer; 10 min by default.
        max_duration: Duration,
    },
    /// Iterations start at a fixed rate, whatever the answers.
    ConstantArrivalRate {
        /// Above 0: `"200/s"`, or a number per `time_unit`.
        rate: Rate,
        /// How long; above 0.
        duration: Duration,
        /// VUs that exist from the start; required.
        preallocated_vus: u32,
        /// VUs at most; `preallocated_vus` by default.
        max_vus: u32,
    },
    /// Iterations start at a rate that follows stages.
    RampingArrivalRate {
        /// The rate at the start; 0 by default.
        start_rate: Rate,
        /// At least one.
        stages: Vec<Stage<Rate>>,
        /// VUs that exist from the start; required.
        preallocated_vus: u32,
        /// VUs at most; `preallocated_vus` by default.
        max_vus: u32,
    },
}

/// A span of time over which the number of VUs, or the rate, goes linearly to a new value.
#[derive(Clone, Debug)]
pub struct Stage<T> {
    /// Its name, unique within the load.
    pub name: Option<Placed<String>>,
    /// How long it takes; zero is a jump.
    pub duration: Duration,
    /// The value at its end.
    pub target: T,
    /// The stage's table.
    pub place: Place,
}

impl Executor {
    /// Its name in profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RampingVus { .. } => "ramping-vus",
            Self::ConstantVus { .. } => "constant-vus",
            Self::PerVuIterations { .. } => "per-vu-iterations",
            Self::SharedIterations { .. } => "shared-iterations",
            Self::ConstantArrivalRate { .. } => "constant-arrival-rate",
            Self::RampingArrivalRate { .. } => "ramping-arrival-rate",
        }
    }
}

/// Reads one load; which scenario it runs is for the caller to say. `several` is for `[[loads]]`.
pub(super) fn read(node: &Node, several: bool, findings: &mut Findings) -> Option<Load> {
    let (key, what) = if several { ("loads", "`[[loads]]`") } else { ("load", "`[load]`") };
    let mut fields = Fields::of(node, key, what, findings)?;
    let name = if several {
        let node = fields.require("name", findings);
        fields.get("scenario");
        node.and_then(|node| load_name(node, findings))
    } else {
        Some(Placed::new(UNNAMED_LOAD.to_owned(), node.place))
    };
    let start_after =
        fields.get("start_after").and_then(|node| reader::duration(node, "start_after", findings));
    let graceful_stop =
        fields.get("graceful_stop").and_then(|node| reader::duration(node, "graceful_stop", findings));
    let tags = fields.get("tags").map(|node| tags::read(node, findings)).unwrap_or_default();
    let executor_node = fields.require("executor", findings);
    let kind = executor_node.and_then(|node| reader::choice(node, "executor", &KINDS, findings));
    let Some(kind) = kind else {
        // Without an executor there is no telling which of the other keys are right.
        return None;
    };
    let executor = executor(kind, &mut fields, findings);
    let name_of_kind = KINDS[kind as usize].0;
    fields.not_here(&OF_SOME_EXECUTOR, &format!("`{name_of_kind}` has no"), findings);
    fields.finish(&[], findings);
    Some(Load {
        name: name?,
        scenario: 0,
        start_after: start_after.unwrap_or_default(),
        graceful_stop: graceful_stop.unwrap_or(GRACE),
        tags,
        executor: executor?,
        place: executor_node?.place,
    })
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    RampingVus,
    ConstantVus,
    PerVuIterations,
    SharedIterations,
    ConstantArrivalRate,
    RampingArrivalRate,
}

const KINDS: [(&str, Kind); 6] = [
    ("ramping-vus", Kind::RampingVus),
    ("constant-vus", Kind::ConstantVus),
    ("per-vu-iterations", Kind::PerVuIterations),
    ("shared-iterations", Kind::SharedIterations),
    ("constant-arrival-rate", Kind::ConstantArrivalRate),
    ("ramping-arrival-rate", Kind::RampingArrivalRate),
];

/// Keys that some executors have and others do not.
const OF_SOME_EXECUTOR: [&str; 12] = [
    "start_vus",
    "stages",
    "graceful_ramp_down",
    "vus",
    "duration",
    "iterations",
    "max_duration",
    "rate",
    "time_unit",
    "start_rate",
    "preallocated_vus",
    "max_vus",
];

/// Names of loads stand in selectors and on command lines, as k6's names of scenarios do.
fn load_name(node: &Node, findings: &mut Findings) -> Option<Placed<String>> {
    let name = reader::name(node, "name", findings)?;
    if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        return Some(Placed::new(name.to_owned(), node.place));
    }
    let message = format!("`{name}`: the name of a load has letters, digits, `_` and `-` only");
    findings.add(Diagnostic::new(node.place, message));
    None
}

fn executor(kind: Kind, fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Executor> {
    match kind {
        Kind::RampingVus => {
            let start_vus = optional(fields, "start_vus", 1, findings, |node, key, findings| {
                reader::integer(node, key, 0..=MOST_VUS, findings)
            });
            let graceful_ramp_down =
                optional(fields, "graceful_ramp_down", GRACE, findings, reader::duration);
            let stages = stages(fields, findings, |node, findings| {
                reader::integer(node, "target", 0..=MOST_VUS, findings)
            });
            Some(Executor::RampingVus {
                start_vus: start_vus?,
                stages: stages?,
                graceful_ramp_down: graceful_ramp_down?,
            })
        }
        Kind::ConstantVus => {
            let vus = optional(fields, "vus", 1, findings, vus);
            let duration = required(fields, "duration", findings, reader::some_time);
            Some(Executor::ConstantVus { vus: vus?, duration: duration? })
        }
        Kind::PerVuIterations => {
            let (vus, iterations, max_duration) = iterations(fields, findings);
            Some(Executor::PerVuIterations {
                vus: vus?.value,
                iterations: iterations?,
                max_duration: max_duration?,
            })
        }
        Kind::SharedIterations => {
            let (vus, iterations, max_duration) = iterations(fields, findings);
            let (vus, iterations) = (vus?, iterations?);
            if u64::from(vus.value) > iterations {
                let message = format!("{} VUs cannot share {iterations} iterations", vus.value);
                findings
                    .add(Diagnostic::new(vus.place, message).help("give as many iterations as VUs, or more"));
            }
            Some(Executor::SharedIterations { vus: vus.value, iterations, max_duration: max_duration? })
        }
        Kind::ConstantArrivalRate => {
            let unit = optional(fields, "time_unit", Duration::from_secs(1), findings, reader::some_time);
            let rate_node = fields.require("rate", findings);
            let rate = rate_node.and_then(|node| rate(node, "rate", unit?, findings));
            if let (Some(node), Some(0.0)) = (rate_node, rate.map(Rate::get)) {
                findings.add(Diagnostic::new(node.place, "`rate` has to be above zero"));
            }
            let duration = required(fields, "duration", findings, reader::some_time);
            let (preallocated_vus, max_vus) = pool(fields, findings);
            Some(Executor::ConstantArrivalRate {
                rate: rate?,
                duration: duration?,
                preallocated_vus: preallocated_vus?,
                max_vus: max_vus?,
            })
        }
        Kind::RampingArrivalRate => {
            let unit = optional(fields, "time_unit", Duration::from_secs(1), findings, reader::some_time);
            let start_rate =
                optional(fields, "start_rate", Rate::default(), findings, |node, key, findings| {
                    rate(node, key, unit?, findings)
                });
            let stages = stages(fields, findings, |node, findings| rate(node, "target", unit?, findings));
            let (preallocated_vus, max_vus) = pool(fields, findings);
            Some(Executor::RampingArrivalRate {
                start_rate: start_rate?,
                stages: stages?,
                preallocated_vus: preallocated_vus?,
                max_vus: max_vus?,
            })
        }
    }
}

/// The value of a key, or its default where it is not there; `None` where it is wrong.
fn optional<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    default: T,
    findings: &mut Findings,
    read: impl FnOnce(&Node, &str, &mut Findings) -> Option<T>,
) -> Option<T> {
    match fields.get(key) {
        Some(node) => read(node, key, findings),
        None => Some(default),
    }
}

fn required<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    findings: &mut Findings,
    read: impl FnOnce(&Node, &str, &mut Findings) -> Option<T>,
) -> Option<T> {
    let node = fields.require(key, findings)?;
    read(node, key, findings)
}

fn vus(node: &Node, key: &str, findings: &mut Findings) -> Option<u32> {
    reader::integer(node, key, 1..=MOST_VUS, findings)
}

fn iterations(
    fields: &mut Fields<'_>,
    findings: &mut Findings,
) -> (Option<Placed<u32>>, Option<u64>, Option<Duration>) {
    let default = Placed::new(1, fields.place);
    let vus = optional(fields, "vus", default, findings, |node, key, findings| {
        Some(Placed::new(vus(node, key, findings)?, node.place))
    });
    let iterations = optional(fields, "iterations", 1, findings, |node, key, findings| {
        reader::integer(node, key, 1..=u64::MAX, findings)
    });
    let max_duration = optional(fields, "max_duration", LONGEST, findings, reader::some_time);
    (vus, iterations, max_duration)
}

/// `preallocated_vus` and `max_vus`.
fn pool(fields: &mut Fields<'_>, findings: &mut Findings) -> (Option<u32>, Option<u32>) {
    let preallocated = required(fields, "preallocated_vus", findings, vus);
    let max = match fields.get("max_vus") {
        None => preallocated,
        Some(node) => {
            let max = vus(node, "max_vus", findings);
            if let (Some(preallocated), Some(max)) = (preallocated, max)
                && max < preallocated
            {
                findings.add(Diagnostic::new(node.place, "`max_vus` is below `preallocated_vus`"));
            }
            max
        }
    };
    (preallocated, max)
}

/// A rate with its time, or a number per `time_unit`.
fn rate(node: &Node, key: &str, time_unit: Duration, findings: &mut Findings) -> Option<Rate> {
    if let Some(text) = node.text()
        && node.filled::<f64>().is_none()
    {
        return match text.content.parse() {
            Ok(rate) => Some(rate),
            Err(reason) => {
                findings.add(Diagnostic::new(node.place, format!("`{key}`: `{}` {reason}", text.content)));
                None
            }
        };
    }
    let rate = Rate::per(reader::number(node, key, findings)?, time_unit);
    if rate.is_none() {
        findings.add(Diagnostic::new(node.place, format!("`{key}` cannot be negative")));
    }
    rate
}

fn stages<T>(
    fields: &mut Fields<'_>,
    findings: &mut Findings,
    target: impl Fn(&Node, &mut Findings) -> Option<T>,
) -> Option<Vec<Stage<T>>> {
    let node = fields.require("stages", findings)?;
    let items = reader::array(node, "stages", findings)?;
    if items.is_empty() {
        findings.add(
            Diagnostic::new(node.place, "`stages` is empty")
                .help("a stage is `{ duration = \"30s\", target = 10 }`"),
        );
        return None;
    }
    let stages: Vec<_> = items.iter().filter_map(|item| stage(item, findings, &target)).collect();
    for (index, stage) in stages.iter().enumerate() {
        let Some(name) = &stage.name else { continue };
        let twin = stages[..index]
            .iter()
            .filter_map(|other| other.name.as_ref())
            .find(|other| other.value == name.value);
        if let Some(twin) = twin {
            findings.add(
                Diagnostic::new(name.place, format!("there are two stages `{}`", name.value))
                    .related(twin.place, "the first"),
            );
        }
    }
    if stages.len() < items.len() {
        return None;
    }
    if stages.iter().all(|stage| stage.duration.is_zero()) {
        findings.add(Diagnostic::new(node.place, "the stages take no time"));
    }
    Some(stages)
}

fn stage<T>(
    node: &Node,
    findings: &mut Findings,
    target: impl Fn(&Node, &mut Findings) -> Option<T>,
) -> Option<Stage<T>> {
    let mut fields = Fields::of(node, "stages", "a stage", findings)?;
    let name = fields
        .get("name")
        .and_then(|node| Some(Placed::new(reader::name(node, "name", findings)?.to_owned(), node.place)));
    let duration = required(&mut fields, "duration", findings, reader::duration);
    let target = fields.require("target", findings).and_then(|node| target(node, findings));
    fields.finish(&[], findings);
    Some(Stage { name, duration: duration?, target: target?, place: node.place })
}
