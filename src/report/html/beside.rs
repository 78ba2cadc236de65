//! What happened beside the load: rows of facts, observers, pods, and of what was left behind.

use serde::Serialize;

use super::asked::sentence;
use super::tables::{Rows, line};
use crate::report::console::plural;
use crate::report::show;
use crate::report::summary::{Ms, ObserverState, Summary};
use crate::words::Unit;

#[derive(Serialize)]
pub(super) struct Fact {
    n: usize,
    at: String,
    topic: String,
    text: String,
    evidence: Vec<String>,
}

pub(super) fn facts(summary: &Summary) -> Rows<Fact> {
    Rows::of(summary.facts.iter().enumerate(), |(index, fact)| Fact {
        n: index + 1,
        at: fact.at.map_or_else(String::new, show::offset),
        topic: line(&fact.topic),
        text: sentence(&line(&fact.text)),
        evidence: fact.evidence.iter().map(|it| line(it)).collect(),
    })
}

#[derive(Serialize)]
pub(super) struct Pod {
    name: String,
    born: String,
    ready: String,
    gone: String,
    restarts: String,
    restarted: bool,
    last_reason: String,
    cpu: String,
    memory: String,
    requests: String,
}

pub(super) fn pods(summary: &Summary) -> Rows<Pod> {
    let at = |time: Option<Ms>, none: &str| match time {
        None => none.to_owned(),
        Some(time) if time.0 < 0.0 => "before the load".to_owned(),
        Some(time) => show::offset(time),
    };
    Rows::of(summary.pods.iter(), |pod| Pod {
        name: line(&pod.name),
        born: at(pod.born, show::NONE),
        ready: at(pod.ready, "never"),
        gone: at(pod.gone, show::NONE),
        restarts: pod.restarts.map_or_else(|| show::NONE.to_owned(), |it| it.to_string()),
        restarted: pod.restarts.is_some_and(|it| it > 0),
        last_reason: pod.last_reason.as_deref().map_or_else(|| show::NONE.to_owned(), line),
        cpu: show::value_or_none(pod.cpu, Unit::Cores),
        memory: show::value_or_none(pod.memory, Unit::Bytes),
        requests: pod.requests.map_or_else(|| show::NONE.to_owned(), |it| it.to_string()),
    })
}

#[derive(Serialize)]
pub(super) struct Observer {
    name: String,
    source: String,
    state: String,
    is_blind: bool,
    notes: Vec<String>,
    evidence: Rows<Evidence>,
}

#[derive(Serialize)]
struct Evidence {
    at: String,
    source: String,
    line: String,
}

/// The observers that were asked for.
pub(super) fn observers(summary: &Summary) -> Vec<Observer> {
    let asked = summary.observers.iter().filter(|it| it.state != ObserverState::Inactive);
    let rows = asked.map(|observer| Observer {
        name: line(&observer.name),
        source: observer.source.as_deref().map_or_else(String::new, line),
        state: match (observer.state, observer.gaps) {
            (ObserverState::Blind, _) => "saw nothing".to_owned(),
            (_, Some(gaps)) if gaps > 0.0 => {
                format!("watched, but for {} of the load", show::value(gaps, Unit::Fraction))
            }
            _ => "watched all the time".to_owned(),
        },
        is_blind: observer.state == ObserverState::Blind,
        notes: observer.notes.iter().map(|it| sentence(&line(it))).collect(),
        evidence: Rows::of(observer.evidence.iter(), |it| Evidence {
            at: it.at.map_or_else(String::new, show::offset),
            source: line(&it.source),
            line: line(&it.line),
        }),
    });
    rows.collect()
}

#[derive(Serialize)]
pub(super) struct Leftover {
    step: String,
    name: String,
    reason: String,
}

pub(super) fn leftovers(summary: &Summary) -> Vec<Leftover> {
    let rows = summary.cleanup.left_behind.iter().map(|left| Leftover {
        step: line(&left.step),
        name: line(&left.name),
        reason: left.reason.as_deref().map_or_else(String::new, line),
    });
    rows.collect()
}

/// What the run created; `None` where it created nothing.
pub(super) fn cleanup(summary: &Summary) -> Option<String> {
    let cleanup = &summary.cleanup;
    if cleanup.created == 0 {
        return None;
    }
    let created = plural(usize::try_from(cleanup.created).unwrap_or(usize::MAX), "thing");
    let left = match cleanup.left {
        0 => "nothing was left behind".to_owned(),
        left => format!("{left} left behind"),
    };
    Some(format!("{created} created in the target, {} undone, {left}.", cleanup.undone))
}
