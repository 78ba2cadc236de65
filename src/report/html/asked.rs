//! What was asked, what became of it, and what explains that: the rows of the first part of the page.

use serde::Serialize;

use super::strips;
use super::svg::{BAD, GOOD, Ink, SERIES, TEXT, WARN};
use super::tables::{Rows, line};
use super::view::Ink2;
use crate::report::console::spaced;
use crate::report::show;
use crate::report::summary::{self, Summary};
use crate::words::{Level, Outcome, Unit, Verdict};

#[derive(Serialize)]
pub(super) struct Reason {
    tone: Ink2,
    word: String,
    text: String,
    place: String,
}

/// The reasons of the verdict, the worst first.
pub(super) fn reasons(summary: &Summary) -> Rows<Reason> {
    // That no load was made is said once, not once more for everything that was asked.
    let told = summary.reasons.iter().filter(|it| summary.is_started() || it.threshold.is_none());
    let told: Vec<&summary::Reason> = told.collect();
    Rows::of(told.into_iter(), |reason| {
        let threshold = summary.thresholds.iter().find(|it| reason.threshold.as_ref() == Some(&it.id));
        Reason {
            tone: ink_of(reason.verdict).into(),
            word: reason.section.map_or_else(|| "run".to_owned(), |it| it.to_string()),
            text: sentence(&line(&reason.text)),
            place: threshold.map_or_else(String::new, place),
        }
    })
}

/// Metrics' names keep their small letters.
pub(super) fn sentence(text: &str) -> String {
    let ends = text.ends_with(['.', '!', '?']);
    if ends { text.to_owned() } else { format!("{text}.") }
}

fn ink_of(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Warn => WARN,
        Verdict::Invalid => SERIES[3],
        Verdict::Fail => BAD,
    }
}

fn place(threshold: &summary::Threshold) -> String {
    match (&threshold.file, threshold.line) {
        (Some(file), Some(at)) => format!("{}:{at}", show::one_line(file, 100)),
        (Some(file), None) => show::one_line(file, 100),
        (None, _) => "by default".to_owned(),
    }
}

#[derive(Serialize)]
pub(super) struct Hint {
    section: String,
    text: String,
    evidence: Vec<String>,
    mend: Option<String>,
}

pub(super) fn hints(summary: &Summary) -> Vec<Hint> {
    let hints = summary.diagnosis.iter().map(|hint| Hint {
        section: hint.section.to_string(),
        text: sentence(&line(&hint.text)),
        evidence: hint.evidence.iter().map(|it| line(it)).collect(),
        mend: hint.mend.as_deref().map(line),
    });
    hints.collect()
}

#[derive(Serialize)]
pub(super) struct Threshold {
    tone: Ink2,
    mark: &'static str,
    word: &'static str,
    section: String,
    asked: String,
    observed: String,
    bound: String,
    distance: String,
    strip: Option<String>,
    samples: String,
    place: String,
    reason: Option<String>,
}

/// What was asked, the worst outcome first, else in the order of the profile.
pub(super) fn thresholds(summary: &Summary) -> Rows<Threshold> {
    let mut sorted: Vec<&summary::Threshold> = summary.thresholds.iter().collect();
    // What this run was not asked stands last.
    sorted.sort_by_key(|it| (it.outcome == Outcome::Skipped, show::rank(it.outcome)));
    Rows::of(sorted.into_iter(), |threshold| {
        let (mark, word, ink) = outcome(threshold);
        let judged = !matches!(threshold.outcome, Outcome::Invalid | Outcome::Skipped);
        // `612 ms, 22 % over` in two cells.
        let shown = show::observed(threshold);
        let (observed, distance) = shown.split_once(", ").unwrap_or((&shown, ""));
        let window =
            threshold.window.map(|it| format!(" in the worst {}", show::value(it.0, Unit::Milliseconds)));
        Threshold {
            tone: ink.into(),
            mark,
            word,
            section: threshold.section.to_string(),
            asked: spaced(threshold) + &window.unwrap_or_default(),
            observed: if threshold.observed.is_some() { observed.to_owned() } else { show::NONE.to_owned() },
            bound: show::value_or_none(threshold.bound, threshold.unit),
            distance: distance.to_owned(),
            strip: if judged { strips::margin(threshold) } else { None },
            samples: threshold.samples.map_or_else(String::new, |it| it.to_string()),
            place: place(threshold),
            reason: (!judged).then(|| line(&threshold.reason)),
        }
    })
}

fn outcome(threshold: &summary::Threshold) -> (&'static str, &'static str, Ink) {
    match (threshold.outcome, threshold.level) {
        (Outcome::Pass, _) => ("✓", "holds", GOOD),
        (Outcome::Fail, _) => ("✗", "fails", BAD),
        (Outcome::Warn, _) => ("!", "warning", WARN),
        (Outcome::Invalid, Level::Fail) => ("?", "not judged", SERIES[3]),
        (Outcome::Invalid, Level::Warn) => ("?", "warning, not judged", SERIES[3]),
        (Outcome::Skipped, _) => ("–", "skipped", TEXT),
    }
}
