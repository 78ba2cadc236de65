//! What steps say about each other: names are unique, `undo` and `needs` lead somewhere, captures come first.

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::nearest::{nearest, suggestion};
use super::place::{Place, Placed};
use super::reader::Findings;
use super::step::{Step, Unlinked};
use super::template::{BUILT_IN, Reference, Template};

/// The captures known at some point, each with the place of its name.
type Known = BTreeMap<String, Place>;

/// Checks and links the steps of a scenario.
pub(super) fn link(
    setup: Vec<Unlinked>,
    steps: Vec<Unlinked>,
    teardown: Vec<Unlinked>,
    findings: &mut Findings,
) -> (Vec<Step>, Vec<Step>, Vec<Step>) {
    let every = || setup.iter().chain(&steps).chain(&teardown);
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for Unlinked { step, .. } in every() {
        if let Some(first) = seen.insert(&step.name.value, step.name.place) {
            findings.add(
                Diagnostic::new(step.name.place, format!("there are two steps `{}`", step.name.value))
                    .related(first, "the first"),
            );
        }
    }
    let all: Known = every().flat_map(|unlinked| captured(&unlinked.step)).collect();

    let mut known = Known::new();
    names_known(&setup, &mut known, &all, findings);
    let mut known_after = known.clone();
    names_known(&steps, &mut known, &all, findings);
    names_known(&teardown, &mut known_after, &all, findings);

    let names: Vec<String> = steps.iter().map(|unlinked| unlinked.step.name.value.clone()).collect();
    let linked = steps
        .into_iter()
        .map(|Unlinked { step, undo }| {
            let undo = undo.and_then(|undo| undo_of(&step, &undo, &names, findings));
            Step { undo, ..step }
        })
        .collect();
    let mut once = |list: Vec<Unlinked>| -> Vec<Step> {
        list.into_iter()
            .map(|Unlinked { step, undo }| {
                if let Some(undo) = undo {
                    findings.add(
                        Diagnostic::new(undo.place, "`undo` belongs to the steps of an iteration")
                            .help("what `[[setup]]` creates is undone by a `[[teardown]]` step"),
                    );
                }
                step
            })
            .collect()
    };
    (once(setup), linked, once(teardown))
}

fn captured(step: &Step) -> impl Iterator<Item = (String, Place)> {
    step.captures.iter().map(|capture| (capture.name.value.clone(), capture.name.place))
}

/// Goes through a list of steps: what each names must have been captured before it.
fn names_known(steps: &[Unlinked], known: &mut Known, all: &Known, findings: &mut Findings) {
    for Unlinked { step, .. } in steps {
        for reference in step.templates().into_iter().flat_map(Template::references) {
            if let Reference::Capture(name) = &reference.value {
                name_known(name, reference.place, known, all, true, findings);
            }
        }
        for name in &step.needs {
            name_known(name, name.place, known, all, false, findings);
        }
        known.extend(captured(step));
    }
}

fn name_known(name: &str, place: Place, known: &Known, all: &Known, built_in: bool, findings: &mut Findings) {
    if known.contains_key(name) {
        return;
    }
    if let Some(&later) = all.get(name) {
        findings.add(
            Diagnostic::new(place, format!("`{name}` is not captured before this step"))
                .related(later, "captured here"),
        );
        return;
    }
    let mut diagnostic = Diagnostic::new(place, format!("nothing captures `{name}`"));
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let near = nearest(name, names.iter().copied().chain(BUILT_IN.into_iter().filter(|_| built_in)));
    diagnostic.help = match near {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if built_in => suggestion(name, &[&names[..], &BUILT_IN].concat()),
        None => suggestion(name, &names),
    };
    findings.missing(diagnostic);
}

fn undo_of(
    step: &Step,
    undo: &Placed<String>,
    names: &[String],
    findings: &mut Findings,
) -> Option<Placed<usize>> {
    if undo.value == step.name.value {
        findings.add(Diagnostic::new(undo.place, "a step cannot undo itself"));
        return None;
    }
    let index = names.iter().position(|name| *name == undo.value);
    if index.is_none() {
        let mut diagnostic = Diagnostic::new(undo.place, format!("there is no step `{}`", undo.value));
        diagnostic.help = suggestion(&undo.value, &names.iter().map(String::as_str).collect::<Vec<_>>());
        findings.missing(diagnostic);
    }
    Some(Placed::new(index?, undo.place))
}
