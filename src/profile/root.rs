//! The profile's own keys, read out of the tree that was put together.

use super::cleanup::{self, DatabaseCleanup};
use super::compose::ScenarioNames;
use super::diagnostic::Diagnostic;
use super::load::{self, Executor, Load, Stage};
use super::observe::{self, Observe};
use super::place::Precedence;
use super::reader::{self, Fields, Findings};
use super::scenario::{self, Scenario};
use super::selector::Names;
use super::target::{self, Target};
use super::threshold::{self, Threshold};
use super::tree::Node;
use super::variables;
use crate::words::{Level, ObserverKind};

/// What a tree says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) description: Option<String>,
    pub(super) target: Option<Target>,
    pub(super) loads: Vec<Load>,
    pub(super) scenarios: Vec<Scenario>,
    pub(super) default_thresholds: bool,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) observe: Observe,
    pub(super) cleanup: Option<DatabaseCleanup>,
}

/// Keys of profiles that are still to come.
const LATER: [&str; 2] = ["data", "group"];

/// Reads the tree.
pub(super) fn read(
    root: &Node,
    called: &ScenarioNames,
    precedence: Precedence,
    findings: &mut Findings,
) -> Option<Read> {
    let mut fields = Fields::of(root, "profile", "the profile", findings)?;
    let description = fields.get("description").and_then(|node| reader::text(node, "description", findings));
    if let Some(node) = fields.get("secrets") {
        secrets(node, findings);
    }
    let (observe, judging) = observe::read(fields.get("observe"), fields.get("observers"), findings);
    let cleanup = fields.get("cleanup").and_then(|node| cleanup::read(node, &observe, findings));
    let context = observe.kubernetes.as_ref().and_then(|cluster| cluster.context.clone());
    let target = fields.require("target", findings);
    let target = target.and_then(|node| target::read(node, context.as_deref(), findings));

    let (load, several) = (fields.get("load"), fields.get("loads"));
    let own = load.is_some()
        || several.is_none()
        || loads_of(several)
            .iter()
            .any(|load| load.table().is_none_or(|load| load.get("scenario").is_none()));
    let mut scenarios = Vec::new();
    let mut whole = true;
    if own {
        let name = called.own.clone().unwrap_or_else(|| "this profile".into());
        let read = scenario::read(name, &mut fields, findings);
        whole &= read.is_some();
        scenarios.extend(read);
    } else {
        for key in scenario::KEYS {
            if let Some(node) = fields.get(key) {
                let message = format!("no load runs the profile's own scenario, so `{key}` has no effect");
                findings.add(Diagnostic::new(node.place, message));
            }
        }
    }
    let loads = loads(load, several, root, called, &mut scenarios, &mut whole, findings);
    let (thresholds, warnings) = (fields.get("thresholds"), fields.get("warnings"));
    fields.get("scenario");
    fields.get("extends");
    fields.finish(&LATER, findings);

    let names = names(&loads, &scenarios, &observe, precedence);
    // With a load or a step missing, every selector that names it would be complained about.
    let holed = findings.holed;
    findings.holed |= !whole;
    let mut list = Vec::new();
    let mut defaults = None;
    if let Some(node) = thresholds {
        (list, defaults) = threshold::read(node, Level::Fail, None, &names, findings);
    }
    if let Some(node) = warnings {
        list.extend(threshold::read(node, Level::Warn, None, &names, findings).0);
    }
    for of in judging {
        for (node, level) in [(of.thresholds, Level::Fail), (of.warnings, Level::Warn)] {
            if let Some(node) = node {
                list.extend(threshold::read(node, level, Some(of.kind), &names, findings).0);
            }
        }
    }
    findings.holed = holed;
    Some(Read {
        description: description.map(str::to_owned),
        target,
        loads,
        scenarios,
        default_thresholds: defaults.unwrap_or(true),
        thresholds: list,
        observe,
        cleanup,
    })
}

fn loads_of(several: Option<&Node>) -> &[Node] {
    several.and_then(Node::items).unwrap_or_default()
}

/// Reads `[load]` or `[[loads]]`, and the scenarios that the latter name.
fn loads(
    load: Option<&Node>,
    several: Option<&Node>,
    root: &Node,
    called: &ScenarioNames,
    scenarios: &mut Vec<Scenario>,
    whole: &mut bool,
    findings: &mut Findings,
) -> Vec<Load> {
    let mut loads: Vec<Load> = Vec::new();
    match (load, several) {
        (None, None) => {
            *whole = false;
            findings.missing(
                Diagnostic::new(root.place, "the profile has no `[load]`")
                    .help("say who comes and when: `executor = \"ramping-vus\"` with `stages`"),
            );
        }
        (Some(_), Some(several)) => {
            *whole = false;
            let message = "`[load]` and `[[loads]]` exclude each other";
            findings.add(Diagnostic::new(several.place, message));
        }
        (Some(node), None) => loads.extend(load::read(node, false, findings)),
        (None, Some(node)) => {
            let items = reader::array(node, "loads", findings).unwrap_or_default();
            if items.is_empty() {
                findings.add(Diagnostic::new(node.place, "`loads` is empty"));
            }
            for item in items {
                let Some(mut load) = load::read(item, true, findings) else { continue };
                if let Some(twin) = loads.iter().find(|other| other.name.value == load.name.value) {
                    findings.add(
                        Diagnostic::new(
                            load.name.place,
                            format!("there are two loads `{}`", load.name.value),
                        )
                        .related(twin.name.place, "the first"),
                    );
                }
                if let Some(node) = item.table().and_then(|table| table.get("scenario")) {
                    load.scenario = scenarios.len();
                    let name = called.of_loads.get(&node.place).unwrap_or(&load.name.value).clone();
                    scenarios.extend(scenario_of(node, name, findings));
                }
                loads.push(load);
            }
            *whole &= loads.len() == items.len();
        }
    }
    *whole &= !loads.is_empty();
    loads
}

fn scenario_of(node: &Node, name: String, findings: &mut Findings) -> Option<Scenario> {
    let mut fields = Fields::of(node, "scenario", "the scenario", findings)?;
    let scenario = scenario::read(name, &mut fields, findings);
    fields.finish(&[], findings);
    scenario
}

fn names(loads: &[Load], scenarios: &[Scenario], observe: &Observe, precedence: Precedence) -> Names {
    let mut names = Names { precedence, ..Names::default() };
    names.observers.extend(ObserverKind::ALL.iter().filter(|kind| observe.describes(**kind)));
    if let Some(logs) = &observe.logs {
        names.patterns.extend(logs.patterns.iter().map(|pattern| pattern.name.clone()));
        // Of pods nobody knows the names before a run.
        if logs.pods.is_empty() {
            names.sources.extend(logs.files.iter().map(|file| file.value.clone()));
        }
    }
    for load in loads {
        names.loads.push(load.name.value.clone());
        names.tags.extend(load.tags.iter().map(|(key, _)| key.value.clone()));
        match &load.executor {
            Executor::RampingVus { stages, .. } => names.know(stages),
            Executor::RampingArrivalRate { stages, .. } => names.know(stages),
            Executor::ConstantVus { .. }
            | Executor::PerVuIterations { .. }
            | Executor::SharedIterations { .. }
            | Executor::ConstantArrivalRate { .. } => names.stages_in.push(load.place.source),
        }
    }
    for scenario in scenarios {
        for step in scenario.setup.iter().chain(&scenario.steps).chain(&scenario.teardown) {
            names.steps.push(step.name.value.clone());
            names.tags.extend(step.tags.iter().map(|(key, _)| key.value.clone()));
        }
    }
    names
}

impl Names {
    fn know<T>(&mut self, stages: &[Stage<T>]) {
        self.stages.extend(stages.iter().filter_map(|stage| Some(stage.name.as_ref()?.value.clone())));
        self.stages_in.extend(stages.iter().map(|stage| stage.place.source));
    }
}

fn secrets(node: &Node, findings: &mut Findings) {
    for (name, node) in reader::names(node, "secrets", findings) {
        if !variables::is_name(name) {
            findings.add(
                Diagnostic::new(node.place, format!("`{name}` is no name of a variable"))
                    .help("`secrets` lists names of environment variables: `secrets = [\"TOKEN\"]`"),
            );
        }
    }
}
