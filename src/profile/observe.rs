//! `observers` and `[observe]`: what is watched beside the load.
//!
//! A profile may describe observers that a run does not use: those named in `observers`, by `--observe` or by
//! `PALIER_OBSERVE` are active, the others are shown as not judged.

use std::time::Duration;

use super::cluster::{self, Kubernetes};
use super::database::{self, Mysql};
use super::diagnostic::Diagnostic;
use super::nearest::suggestion;
use super::place::{Place, Placed};
use super::reader::{self, Fields, Findings};
use super::tree::Node;
use crate::words::ObserverKind;

/// Observers that are still to come.
const LATER: [&str; 1] = ["prometheus"];

/// What `[observe]` and `observers` say.
#[derive(Clone, Debug, Default)]
pub struct Observe {
    /// `[observe.kubernetes]`.
    pub kubernetes: Option<Placed<Kubernetes>>,
    /// `[observe.mysql]`.
    pub mysql: Option<Mysql>,
    /// `[observe.logs]`.
    pub logs: Option<Logs>,
    /// Those that are active, with the place that asks for them.
    pub active: Vec<Placed<ObserverKind>>,
}

/// `[observe.logs]`: lines that are counted.
#[derive(Clone, Debug)]
pub struct Logs {
    /// The files to follow; relative ones start from the working directory. Where there are `pods`, too: in runs that
    /// do not observe the cluster.
    pub files: Vec<Placed<String>>,
    /// The pods whose logs are followed: names, or labels.
    pub pods: Vec<Placed<String>>,
    /// What to look for.
    pub patterns: Vec<Pattern>,
    /// Where the table stands.
    pub place: Place,
}

/// What a line is searched for.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Its name in `log_matches{pattern:…}`; of a plain text, the text.
    pub name: String,
    /// The expression; of a plain text, one that finds it in any case of letters.
    pub regex: regex::bytes::Regex,
}

/// Told by MySQL to a client that it refuses, that it rolls back, that waited too long for a row.
pub const DEFAULT_PATTERNS: [&str; 3] = ["Too many connections", "Deadlock", "Lock wait timeout"];

impl Observe {
    /// Whether an observer is described.
    pub fn describes(&self, kind: ObserverKind) -> bool {
        match kind {
            ObserverKind::Kubernetes => self.kubernetes.is_some(),
            ObserverKind::Mysql => self.mysql.is_some(),
            ObserverKind::Logs => self.logs.is_some(),
        }
    }
}

/// The tables of thresholds and warnings that observers have of their own.
pub(super) struct Judging<'t> {
    pub(super) kind: ObserverKind,
    pub(super) thresholds: Option<&'t Node>,
    pub(super) warnings: Option<&'t Node>,
}

/// Reads `[observe]` and `observers`.
pub(super) fn read<'t>(
    observe: Option<&'t Node>,
    observers: Option<&Node>,
    findings: &mut Findings,
) -> (Observe, Vec<Judging<'t>>) {
    let mut found = Observe::default();
    let mut judging = Vec::new();
    if let Some(node) = observe.filter(|node| node.items().is_some()) {
        findings.add(
            Diagnostic::new(node.place, "`observe` is a table that describes observers")
                .help("the list of those that are active is `observers = [\"mysql\"]`"),
        );
    } else if let Some(node) = observe
        && let Some(mut fields) = Fields::of(node, "observe", "`[observe]`", findings)
    {
        if let Some(node) = fields.get("kubernetes")
            && let Some(mut fields) = Fields::of(node, "kubernetes", "`[observe.kubernetes]`", findings)
        {
            let read = cluster::read(&mut fields, findings);
            found.kubernetes = read.map(|cluster| Placed::new(cluster, fields.place));
            judging.push(Judging::of(ObserverKind::Kubernetes, &mut fields));
            fields.finish(&["logs"], findings);
        }
        if let Some(node) = fields.get("mysql")
            && let Some(mut fields) = Fields::of(node, "mysql", "`[observe.mysql]`", findings)
        {
            let context = found.kubernetes.as_ref().and_then(|cluster| cluster.context.as_deref());
            found.mysql = database::read(&mut fields, context, findings);
            judging.push(Judging::of(ObserverKind::Mysql, &mut fields));
            fields.finish(&[], findings);
        }
        if let Some(node) = fields.get("logs")
            && let Some(mut fields) = Fields::of(node, "logs", "`[observe.logs]`", findings)
        {
            found.logs = logs(&mut fields, found.kubernetes.as_ref(), findings);
            judging.push(Judging::of(ObserverKind::Logs, &mut fields));
            fields.finish(&[], findings);
        }
        fields.finish(&LATER, findings);
    }
    if let Some(node) = observers {
        found.active = active(node, &found, findings);
    }
    (found, judging)
}

impl<'t> Judging<'t> {
    fn of(kind: ObserverKind, fields: &mut Fields<'t>) -> Self {
        Self { kind, thresholds: fields.get("thresholds"), warnings: fields.get("warnings") }
    }
}

/// A list of names; in one text, as the command line gives it, names with commas between them, or `none`.
fn active(node: &Node, described: &Observe, findings: &mut Findings) -> Vec<Placed<ObserverKind>> {
    let names: Vec<(String, Place)> = match node.text() {
        Some(text) => {
            let names = text.content.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.filter(|name| *name != "none").map(|name| (name.to_owned(), node.place)).collect()
        }
        None => (reader::names(node, "observers", findings).into_iter())
            .map(|(name, node)| (name.to_owned(), node.place))
            .collect(),
    };
    let mut active: Vec<Placed<ObserverKind>> = Vec::new();
    for (name, place) in names {
        let Some(kind) = ObserverKind::from_name(&name) else {
            findings.add(unknown(&name, place));
            continue;
        };
        if !described.describes(kind) {
            findings.missing(
                Diagnostic::new(
                    place,
                    format!("`{kind}` is to be observed, and the profile has no `[observe.{kind}]`"),
                )
                .help(format!("say what to watch in a table `[observe.{kind}]`")),
            );
        } else if !is_built_in(kind) {
            findings.add(
                Diagnostic::new(place, format!("this build of palier cannot observe `{kind}`"))
                    .help(format!("take one that was built with the feature `{kind}`, as by default")),
            );
        } else if kind == ObserverKind::Logs && is_of_pods_only(described) && !cfg!(feature = "kubernetes") {
            findings.add(
                Diagnostic::new(place, "this build of palier cannot read the logs of pods")
                    .help("take one that was built with the feature `kubernetes`, as by default"),
            );
        } else if !active.iter().any(|other| other.value == kind) {
            active.push(Placed::new(kind, place));
        }
    }
    active
}

/// Whether logs are those of pods, and of no files.
fn is_of_pods_only(described: &Observe) -> bool {
    described.logs.as_ref().is_some_and(|logs| logs.files.is_empty())
}

/// Whether this build has what it takes.
const fn is_built_in(kind: ObserverKind) -> bool {
    match kind {
        ObserverKind::Kubernetes => cfg!(feature = "kubernetes"),
        ObserverKind::Mysql => cfg!(feature = "mysql"),
        ObserverKind::Logs => true,
    }
}

fn unknown(name: &str, place: Place) -> Diagnostic {
    if LATER.contains(&name) {
        return Diagnostic::new(place, format!("the observer `{name}` is not supported by this version yet"))
            .help("take it out: palier never ignores what a profile asks for");
    }
    let known: Vec<&str> = ObserverKind::ALL.iter().map(|kind| kind.name()).collect();
    let mut diagnostic = Diagnostic::new(place, format!("there is no observer `{name}`"));
    diagnostic.help = suggestion(name, &known).or_else(|| Some(format!("there are {}", known.join(" and "))));
    diagnostic
}

fn logs(
    fields: &mut Fields<'_>,
    cluster: Option<&Placed<Kubernetes>>,
    findings: &mut Findings,
) -> Option<Logs> {
    let place = fields.place;
    let mut list = |key, findings: &mut Findings| {
        let node = fields.get(key)?;
        let names = reader::names(node, key, findings).into_iter();
        let names: Vec<_> = names.map(|(name, node)| Placed::new(name.to_owned(), node.place)).collect();
        if names.is_empty() {
            let one = key.trim_end_matches('s');
            findings.missing(Diagnostic::new(node.place, format!("`{key}` names no {one}")));
        }
        Some((names, node.place))
    };
    let (files, pods) = (list("files", findings), list("pods", findings));
    match (&files, &pods, cluster) {
        (None, None, None) => {
            findings.missing(Diagnostic::new(place, "`files` is missing in `[observe.logs]`").help(
                "name the files to follow, or `pods` of a cluster that `[observe.kubernetes]` describes",
            ));
        }
        (_, Some((_, place)), None) => {
            findings.missing(
                Diagnostic::new(
                    *place,
                    "`pods` are those of a cluster, and the profile has no `[observe.kubernetes]`",
                )
                .help("say in `[observe.kubernetes]` which namespace and selector they have"),
            );
        }
        (Some(_), _, _) | (_, _, Some(_)) => {}
    }
    let by_default = || {
        let cluster = cluster.filter(|_| files.is_none())?;
        Some(vec![Placed::new(cluster.value.selector.clone(), place)])
    };
    let pods = pods.map(|(pods, _)| pods).or_else(by_default).unwrap_or_default();
    let files = files.map(|(files, _)| files).unwrap_or_default();
    let patterns = match fields.get("patterns") {
        Some(node) => {
            let items = reader::array(node, "patterns", findings)?;
            let mut patterns: Vec<Pattern> = Vec::new();
            for item in items {
                let Some(pattern) = pattern(item, findings) else { continue };
                if patterns.iter().any(|other| other.name == pattern.name) {
                    findings.add(Diagnostic::new(
                        item.place,
                        format!("there are two patterns `{}`", pattern.name),
                    ));
                }
                patterns.push(pattern);
            }
            patterns
        }
        None => DEFAULT_PATTERNS.iter().filter_map(|text| literal(text)).collect(),
    };
    Some(Logs { files, pods, patterns, place })
}

/// A text that is looked for in any case of letters, or a regular expression with a name.
fn pattern(node: &Node, findings: &mut Findings) -> Option<Pattern> {
    if node.table().is_none() {
        let text = reader::name(node, "patterns", findings)?;
        return literal(text);
    }
    let mut fields = Fields::of(node, "patterns", "a pattern", findings)?;
    let name = fields.require("name", findings).and_then(|node| reader::name(node, "name", findings));
    let regex = fields.require("regex", findings).and_then(|node| {
        let text = reader::text(node, "regex", findings)?;
        match regex::bytes::Regex::new(text) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let why = error.to_string().lines().last().unwrap_or_default().to_owned();
                findings.add(Diagnostic::new(node.place, format!("`regex` is no regular expression: {why}")));
                None
            }
        }
    });
    fields.finish(&[], findings);
    Some(Pattern { name: name?.to_owned(), regex: regex? })
}

fn literal(text: &str) -> Option<Pattern> {
    let regex = regex::bytes::RegexBuilder::new(&regex::escape(text)).case_insensitive(true).build().ok()?;
    Some(Pattern { name: text.to_owned(), regex })
}

/// An interval between two looks; a second by default.
pub(super) fn interval(fields: &mut Fields<'_>, findings: &mut Findings) -> Duration {
    let interval = fields.get("interval").and_then(|node| {
        let interval = reader::some_time(node, "interval", findings)?;
        if interval < Duration::from_millis(100) {
            findings.add(Diagnostic::new(node.place, "`interval` has to be at least 100ms"));
        }
        Some(interval)
    });
    interval.unwrap_or(Duration::from_secs(1))
}
