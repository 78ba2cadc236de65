//! What was asked, what became of it, and what explains that: the rows of the first part of the page.

use serde::Serialize;

use super::strips;
use super::svg::{BAD, GOOD, Ink, SERIES, TEXT, WARN};
use super::tables::{Rows, line};
use crate::report::console::spaced;
use crate::report::show;
use crate::report::summary::{self, Summary};
use crate::words::{Level, Outcome, Unit, Verdict};

#[derive(Serialize)]
pub(super) struct Reason {
    tone: Ink,
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
            tone: ink_of(reason.verdict),
            word: reason.section.map_or_else(|| "run".to_owned(), |it| it.to_string()),
            text: sentence(&line(&reason.text)),
            place: threshold.map_or_else(String::new, show::place),
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

#[derive(Serialize)]
pub(super) struct Hint {
    text: String,
    evidence: Vec<String>,
    mend: Option<String>,
}

pub(super) fn hints(summary: &Summary) -> Vec<Hint> {
    let hints = summary.diagnosis.iter().map(|hint| Hint {
        text: sentence(&line(&hint.text)),
        evidence: hint.evidence.iter().map(|it| line(it)).collect(),
        mend: hint.mend.as_deref().map(line),
    });
    hints.collect()
}

#[derive(Serialize)]
pub(super) struct Threshold {
    tone: Ink,
    mark: &'static str,
    word: &'static str,
    section: String,
    asked: String,
    observed: String,
    distance: String,
    strip: Option<String>,
    samples: String,
    place: String,
    reason: Option<String>,
}

/// What was asked, the worst outcome first, else in the order of the profile; what waits for an observer apart.
pub(super) fn thresholds(summary: &Summary) -> [Rows<Threshold>; 2] {
    let (unobserved, mut asked): (Vec<_>, Vec<_>) =
        summary.thresholds.iter().partition(|it| show::is_unobserved(summary, it));
    // What this run was not asked stands last.
    asked.sort_by_key(|it| (it.outcome == Outcome::Skipped, show::rank(it.outcome)));
    [asked, unobserved].map(rows)
}

/// The words above what waits for an observer; none where nothing does.
pub(super) fn unobserved(summary: &Summary) -> Option<[String; 3]> {
    let unobserved = summary.thresholds.iter().filter(|it| show::is_unobserved(summary, it)).count();
    (unobserved > 0).then(|| show::want_of_observer(summary, unobserved))
}

fn rows(thresholds: Vec<&summary::Threshold>) -> Rows<Threshold> {
    Rows::of(thresholds.into_iter(), |threshold| {
        let (mark, word, ink) = outcome(threshold);
        let judged = !matches!(threshold.outcome, Outcome::Invalid | Outcome::Skipped);
        // `612 ms, 22 % over` in two cells.
        let shown = show::observed(threshold);
        let (observed, distance) = shown.split_once(", ").unwrap_or((&shown, ""));
        let window =
            threshold.window.map(|it| format!(" in the worst {}", show::value(it.0, Unit::Milliseconds)));
        Threshold {
            tone: ink,
            mark,
            word,
            section: threshold.section.to_string(),
            asked: spaced(threshold) + &window.unwrap_or_default(),
            observed: if threshold.observed.is_some() { observed.to_owned() } else { show::NONE.to_owned() },
            distance: distance.to_owned(),
            strip: if judged { strips::margin(threshold) } else { None },
            samples: threshold.samples.map_or_else(String::new, |it| it.to_string()),
            place: show::place(threshold),
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
