//! Putting a profile's tree together: what it extends, what the command line sets, its scenarios, its variables.

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::files::{self, Files, Origin};
use super::merge;
use super::overrides::Assignment;
use super::place::{Place, Placed, Precedence, SourceId, Sources};
use super::reader::{Fields, Findings};
use super::scenario;
use super::tree::{self, Node, Shape, Table, Value};
use super::variables;
use super::{Override, Request};

/// A profile's tree, with everything that was met on the way to it.
#[derive(Debug)]
pub(super) struct Composed {
    pub(super) root: Node,
    /// The scenario files that were read, as written: the profile's own, and where each of the others is named.
    pub(super) scenarios: ScenarioNames,
    pub(super) sources: Sources,
    pub(super) precedence: Precedence,
    pub(super) findings: Findings,
    /// Whether a file could not be made out as a whole, so that the tree says too little to be read.
    pub(super) torn: bool,
}

/// Puts the tree together, from the text of the profile's own file on.
pub(super) fn compose(origin: Origin, text: String, request: &Request<'_>, files: &dyn Files) -> Composed {
    let mut composer = Composer {
        request,
        files,
        sources: Sources::default(),
        origins: Vec::new(),
        findings: Findings::default(),
        torn: false,
    };
    let place = Place { source: SourceId(0), start: 0, end: 0 };
    let own = composer.parse(origin.clone(), text);
    let mut root = Node { value: Value::Table(composer.extended(own, &mut vec![origin])), place };
    let precedence = Precedence { files: composer.origins.len() };
    let assignments = composer.assignments();
    let (first, rest): (Vec<_>, Vec<_>) = assignments.iter().partition(|assignment| assignment.goes_first());
    for assignment in first {
        assignment.apply(&mut root, &mut composer.findings);
    }
    let scenarios = composer.scenarios(&mut root);
    for assignment in rest {
        assignment.apply(&mut root, &mut composer.findings);
    }
    variables::fill(&mut root, request.variables, &mut composer.findings);
    let Composer { sources, findings, torn, .. } = composer;
    Composed { root, scenarios, sources, precedence, findings, torn }
}

/// What the scenarios are called.
#[derive(Debug, Default)]
pub(super) struct ScenarioNames {
    pub(super) own: Option<String>,
    pub(super) of_loads: BTreeMap<Place, String>,
}

struct Composer<'a> {
    request: &'a Request<'a>,
    files: &'a dyn Files,
    sources: Sources,
    /// Where each source comes from.
    origins: Vec<Origin>,
    findings: Findings,
    torn: bool,
}

impl Composer<'_> {
    fn add(&mut self, origin: Origin, name: String, text: String) -> SourceId {
        self.origins.push(origin);
        self.sources.add(name, text)
    }

    /// The values of a file.
    fn parse(&mut self, origin: Origin, text: String) -> Table {
        let name = origin.shown();
        let source = self.add(origin, name, text);
        let (root, shape, diagnostics) = tree::parse(&self.sources.get(source).text, source);
        self.findings.list.extend(diagnostics);
        self.findings.holed |= shape > Shape::Whole;
        self.torn |= shape == Shape::Torn;
        if let Value::Table(table) = root.value { table } else { Table::default() }
    }

    /// The text of a node that names a file, with its variables filled in.
    fn file_name(&mut self, node: &Node, key: &str) -> Option<Placed<String>> {
        let mut node = node.clone();
        variables::fill(&mut node, self.request.variables, &mut self.findings);
        if let Some(text) = node.text() {
            return Some(Placed::new(text.content.clone(), node.place));
        }
        self.findings.wrong_type(&node, key, "the path of a file");
        None
    }

    /// Reads the file that a value names.
    fn open(&mut self, origin: Origin, named_at: Place) -> Option<Table> {
        match origin.read(self.files) {
            Ok(text) => Some(self.parse(origin, text)),
            Err(reason) => {
                // What stands in that file is missing everywhere; that it is missing is said here.
                self.torn = true;
                let message = format!("cannot read `{}`: {reason}", origin.shown());
                self.findings.add(Diagnostic::new(named_at, message));
                None
            }
        }
    }

    /// The table over all that it extends. `trail` holds the files that led here.
    fn extended(&mut self, mut own: Table, trail: &mut Vec<Origin>) -> Table {
        let Some(named) = own.remove("extends").and_then(|node| self.file_name(&node, "extends")) else {
            return own;
        };
        let from = &self.origins[named.place.source.0];
        let origin = if files::is_path(&named) {
            from.resolve(&named, self.request.folder)
        } else {
            match files::find(&named, self.request.folder, self.files) {
                Ok((_, origin)) => origin,
                Err(looked) => {
                    let message = format!("there is no profile `{}`", named.value);
                    self.findings.add(
                        Diagnostic::new(named.place, message)
                            .help(format!("looked for {}", looked.join(", "))),
                    );
                    self.torn = true;
                    return own;
                }
            }
        };
        if trail.contains(&origin) {
            let message = format!("`{}` extends itself", origin.shown());
            self.findings.add(Diagnostic::new(named.place, message));
            self.torn = true;
            return own;
        }
        let Some(base) = self.open(origin.clone(), named.place) else {
            return own;
        };
        trail.push(origin);
        merge::extend(self.extended(base, trail), own)
    }

    /// What the command line sets.
    fn assignments(&mut self) -> Vec<Assignment> {
        let mut assignments = Vec::new();
        for set in self.request.overrides {
            match set {
                Override::Set(text) => {
                    let source = self.add(Origin::CommandLine, "--set".into(), text.clone());
                    match Assignment::read(text, source) {
                        Ok(assignment) => assignments.push(assignment),
                        Err(diagnostic) => self.findings.add(*diagnostic),
                    }
                }
                Override::Flag { flag, path, value } => {
                    let source = self.add(Origin::CommandLine, (*flag).to_owned(), value.clone());
                    assignments.push(Assignment::flag(path, value, source));
                }
            }
        }
        assignments
    }

    /// Reads the scenario files that the profile and its loads name, and puts their values where they are named.
    fn scenarios(&mut self, root: &mut Node) -> ScenarioNames {
        let mut names = ScenarioNames::default();
        let Value::Table(table) = &mut root.value else {
            return names;
        };
        if let Some(Node { value: Value::Array(loads), .. }) = table.get_mut("loads") {
            for load in loads {
                if let Value::Table(load) = &mut load.value
                    && let Some(node) = load.get("scenario").cloned()
                {
                    let read = self.scenario(&node).map(|(name, scenario)| {
                        names.of_loads.insert(node.place, name);
                        scenario
                    });
                    let value = read.map_or(Value::Broken, Value::Table);
                    if let Some(inside) = load.get_mut("scenario") {
                        inside.value = value;
                    }
                }
            }
        }
        let Some(node) = table.remove("scenario") else {
            return names;
        };
        if let Some(steps) = table.get("step") {
            self.findings.add(
                Diagnostic::new(node.place, "the profile names a scenario and has steps of its own")
                    .related(steps.place, "the steps")
                    .help("a `[[step]]` belongs into the scenario, or the profile goes without `scenario`"),
            );
        }
        let Some((name, scenario)) = self.scenario(&node) else {
            return names;
        };
        names.own = Some(name);
        for (key, value) in scenario.entries {
            // What the profile itself says goes before its scenario.
            if table.get(&key.value).is_none() {
                table.set(key, value);
            }
        }
        names
    }

    /// The keys of the scenario that a value names.
    fn scenario(&mut self, node: &Node) -> Option<(String, Table)> {
        let Some(named) = self.file_name(node, "scenario") else {
            self.torn = true;
            return None;
        };
        let origin = self.origins[named.place.source.0].resolve(&named, self.request.folder);
        let root = Node { value: Value::Table(self.open(origin, named.place)?), place: named.place };
        if let Some(mut fields) = Fields::of(&root, "scenario", "a scenario", &mut self.findings) {
            for key in scenario::KEYS.into_iter().chain(["description"]) {
                fields.get(key);
            }
            fields.finish(&scenario::LATER, &mut self.findings);
        }
        let Value::Table(mut table) = root.value else {
            return None;
        };
        table.entries.retain(|(key, _)| scenario::KEYS.contains(&key.value.as_str()));
        Some((named.value, table))
    }
}

/// The texts of an array, whatever else is wrong with it.
pub(super) fn texts<'t>(root: &'t Node, key: &str) -> Vec<&'t str> {
    let items = root.table().and_then(|table| table.get(key)).and_then(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| Some(item.text()?.content.as_str())).collect()
}
