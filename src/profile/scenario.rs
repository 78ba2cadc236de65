//! A scenario: the ordered steps that one virtual user goes through.

use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::links;
use super::reader::{self, Fields, Findings};
use super::step::{self, Step};
use super::tree::{Node, Value};

/// The ordered steps that one virtual user goes through, and what runs once before and after.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called in plans: the file's path as written, or `this profile`.
    pub name: String,
    /// Steps that run once before the load; what they capture is visible to every VU.
    pub setup: Vec<Step>,
    /// The steps of one iteration; at least one.
    pub steps: Vec<Step>,
    /// Steps that run once after the load, whatever became of it.
    pub teardown: Vec<Step>,
    /// Pause between two iterations of a VU.
    pub pause: Option<Pause>,
    /// An iteration starts no sooner than this after the VU's last one started.
    pub pace: Option<Duration>,
}

/// How long a VU waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pause {
    /// Always as long.
    Fixed(Duration),
    /// Anything between the two, each length as likely.
    Uniform {
        /// The shortest.
        min: Duration,
        /// The longest, not below `min`.
        max: Duration,
    },
    /// Exponentially distributed, as the time between independent arrivals is.
    Exponential {
        /// The mean; above 0.
        mean: Duration,
    },
}

/// The keys of a scenario, in a file of its own as in a profile.
pub(super) const KEYS: [&str; 5] = ["step", "setup", "teardown", "pause", "pace"];

/// Keys of scenarios that are still to come.
pub(super) const LATER: [&str; 2] = ["data", "group"];

/// Reads the scenario's keys among the fields of a table, which may have others.
pub(super) fn read(name: String, fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Scenario> {
    let steps = fields.get("step");
    let setup = fields.get("setup");
    let teardown = fields.get("teardown");
    let pause = fields.get("pause").and_then(|node| pause(node, findings));
    let pace = fields.get("pace").and_then(|node| reader::some_time(node, "pace", findings));
    let Some(steps) = steps else {
        findings.missing(
            Diagnostic::new(fields.place, "there is no scenario: the profile has no steps")
                .help("name one, `scenario = \"scenarios/employees.toml\"`, or add a `[[step]]`"),
        );
        return None;
    };
    let mut list = |node: Option<&Node>, key: &'static str| -> Option<Vec<step::Unlinked>> {
        let Some(node) = node else { return Some(Vec::new()) };
        let Some(items) = node.items() else {
            findings.wrong_type(node, key, &format!("an array of tables, `[[{key}]]`"));
            return None;
        };
        let read: Vec<_> = items.iter().filter_map(|item| step::read(item, key, findings)).collect();
        (read.len() == items.len()).then_some(read)
    };
    let (setup, steps_read, teardown) =
        (list(setup, "setup"), list(Some(steps), "step"), list(teardown, "teardown"));
    // With a step missing, every name that leads to it would be complained about.
    let (setup, steps_read, teardown) = (setup?, steps_read?, teardown?);
    if steps_read.is_empty() {
        findings.missing(Diagnostic::new(steps.place, "the scenario has no steps"));
        return None;
    }
    let (setup, steps, teardown) = links::link(setup, steps_read, teardown, findings);
    Some(Scenario { name, setup, steps, teardown, pause, pace })
}

/// `"500ms"`, `{ min, max }` or `{ mean }`.
pub(super) fn pause(node: &Node, findings: &mut Findings) -> Option<Pause> {
    if !matches!(node.value, Value::Table(_)) {
        return reader::duration(node, "pause", findings).map(Pause::Fixed);
    }
    let mut fields = Fields::of(node, "pause", "`pause`", findings)?;
    let (min, max, mean) = (fields.get("min"), fields.get("max"), fields.get("mean"));
    fields.finish(&[], findings);
    match (min, max, mean) {
        (Some(min), Some(max_node), None) => {
            let min = reader::duration(min, "min", findings);
            let max = reader::duration(max_node, "max", findings);
            let (min, max) = (min?, max?);
            if max < min {
                findings.add(Diagnostic::new(max_node.place, "`max` is below `min`"));
                return None;
            }
            Some(Pause::Uniform { min, max })
        }
        (None, None, Some(mean)) => {
            reader::some_time(mean, "mean", findings).map(|mean| Pause::Exponential { mean })
        }
        _ => {
            findings.missing(
                Diagnostic::new(node.place, "`pause` takes a duration, `min` and `max`, or `mean`").help(
                    "write `\"500ms\"`, `{ min = \"200ms\", max = \"800ms\" }` or `{ mean = \"500ms\" }`",
                ),
            );
            None
        }
    }
}
