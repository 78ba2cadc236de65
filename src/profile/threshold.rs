//! `[thresholds]` and `[warnings]`: assertions on metrics.

use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::expression::{self, Bound, Expression};
use super::place::Place;
use super::reader::{self, Fields, Findings};
use super::selector::{self, Names, Selection};
use super::tree::Node;
use crate::words::{Level, Metric, ObserverKind, Section, Unit};

/// One assertion on one metric.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// From `[thresholds]` or from `[warnings]`.
    pub level: Level,
    /// What is judged.
    pub metric: Metric,
    /// Which of its values; empty for all.
    pub selector: Vec<Selection>,
    /// The assertion.
    pub expression: Expression,
    /// The assertion as written: `p(95)<500ms`.
    pub text: String,
    /// Judges the worst such window instead of the whole run.
    pub window: Option<Duration>,
    /// Whether a fail ends the run early.
    pub abort: bool,
    /// How long after the start of the load `abort` begins to look.
    pub delay: Duration,
    /// How many samples it takes to pass, where not the default.
    pub min_samples: Option<u64>,
    /// Whether having no samples is a pass.
    pub allow_empty: bool,
    /// Where it is reported, where not the metric's own section.
    pub section: Option<Section>,
    /// A name of its own for reports.
    pub name: Option<String>,
    /// Where the assertion stands.
    pub place: Place,
    /// Where the key `metric{selector}` stands.
    pub key_place: Place,
}

impl Threshold {
    /// The unit of the observed value and of [`Threshold::bound`].
    pub fn unit(&self) -> Unit {
        self.expression.aggregation.unit(self.metric)
    }

    /// The bound in [`Threshold::unit`]; `None` for one that is relative to a baseline.
    pub fn bound(&self) -> Option<f64> {
        match self.expression.bound {
            Bound::Absolute(quantity) => quantity.in_unit(self.unit()),
            Bound::Baseline(_) => None,
        }
    }
}

/// Reads `[thresholds]` or `[warnings]`, or those of an observer; the second value is `defaults`.
pub(super) fn read(
    node: &Node,
    level: Level,
    of: Option<ObserverKind>,
    names: &Names,
    findings: &mut Findings,
) -> (Vec<Threshold>, Option<bool>) {
    let mut thresholds = Vec::new();
    let mut defaults = None;
    let Some(table) = node.table() else {
        let key = if level == Level::Fail { "thresholds" } else { "warnings" };
        findings.wrong_type(node, key, "a table of metrics");
        return (thresholds, defaults);
    };
    for (key, node) in &table.entries {
        if key.value == "defaults" && level == Level::Fail && of.is_none() {
            defaults = reader::truth(node, "defaults", findings);
            continue;
        }
        // An empty list takes away what the extended profile asks for; what it selected may be gone, too.
        if node.items().is_some_and(<[_]>::is_empty) {
            selector::metric(key, findings);
            continue;
        }
        let Some((metric, selector)) = selector::read(key, names, findings) else {
            continue;
        };
        if of.is_some() && metric.observer() != of {
            let message = format!("`{metric}` is not sampled by this observer");
            findings.add(
                Diagnostic::new(key.place, message).help("it goes into the profile's own `[thresholds]`"),
            );
            continue;
        }
        let before = thresholds.len();
        for item in node.one_or_many() {
            let Some(mut threshold) = one(item, level, metric, findings) else {
                continue;
            };
            threshold.selector.clone_from(&selector);
            threshold.key_place = key.place;
            let twin = thresholds[before..].iter().find(|other: &&Threshold| {
                (&other.text, &other.name, other.window)
                    == (&threshold.text, &threshold.name, threshold.window)
            });
            if let Some(twin) = twin {
                findings.add(
                    Diagnostic::new(threshold.place, format!("`{}` stands here twice", threshold.text))
                        .related(twin.place, "here for the first time"),
                );
            }
            thresholds.push(threshold);
        }
    }
    (thresholds, defaults)
}

/// Reads one expression, or one table with an `expr`.
fn one(node: &Node, level: Level, metric: Metric, findings: &mut Findings) -> Option<Threshold> {
    if let Some(text) = node.text() {
        return plain(node, &text.content, level, metric, findings);
    }
    if node.table().is_none() {
        findings.wrong_type(
            node,
            metric.name(),
            "an expression such as `\"p(95)<500ms\"`, or a table with `expr`",
        );
        return None;
    }
    let mut fields = Fields::of(node, metric.name(), "a threshold", findings)?;
    let expr = fields.require("expr", findings);
    let window = fields.get("window").map(|node| reader::some_time(node, "window", findings));
    let abort = fields.get("abort");
    let delay = fields.get("delay");
    let min_samples = fields.get("min_samples");
    let min_samples = min_samples.map(|node| reader::integer(node, "min_samples", 1..=u64::MAX, findings));
    let allow_empty = fields.get("allow_empty").map(|node| reader::truth(node, "allow_empty", findings));
    let sections: Vec<_> = Section::ALL.iter().map(|&section| (section.name(), section)).collect();
    let section = fields.get("section").map(|node| reader::choice(node, "section", &sections, findings));
    let name = fields.get("name").map(|node| reader::name(node, "name", findings));
    fields.finish(&[], findings);

    let aborts = abort.and_then(|node| reader::truth(node, "abort", findings)).unwrap_or(false);
    if let (Some(node), true, Level::Warn) = (abort, aborts, level) {
        findings.add(
            Diagnostic::new(node.place, "a warning does not end a run")
                .help("put it under `[thresholds]`, or take `abort` out"),
        );
    }
    if let (Some(node), false) = (delay, aborts) {
        findings.add(Diagnostic::new(node.place, "`delay` goes with `abort = true`"));
    }
    let delay = delay.and_then(|node| reader::duration(node, "delay", findings)).unwrap_or_default();

    let expr = expr?;
    let text = reader::text(expr, "expr", findings)?;
    let threshold = plain(expr, text, level, metric, findings)?;
    Some(Threshold {
        window: window.flatten(),
        abort: aborts,
        delay,
        min_samples: min_samples.flatten(),
        allow_empty: allow_empty.flatten().unwrap_or(false),
        section: section.flatten(),
        name: name.flatten().map(str::to_owned),
        ..threshold
    })
}

fn plain(
    node: &Node,
    text: &str,
    level: Level,
    metric: Metric,
    findings: &mut Findings,
) -> Option<Threshold> {
    match expression::parse(text, metric) {
        Ok(expression) => Some(Threshold {
            level,
            metric,
            selector: Vec::new(),
            expression,
            text: text.trim().to_owned(),
            window: None,
            abort: false,
            delay: Duration::ZERO,
            min_samples: None,
            allow_empty: false,
            section: None,
            name: None,
            place: node.place,
            key_place: node.place,
        }),
        Err(wrong) => {
            let mut diagnostic = Diagnostic::new(node.part(wrong.range), wrong.message);
            diagnostic.help = wrong.help;
            findings.add(diagnostic);
            None
        }
    }
}
