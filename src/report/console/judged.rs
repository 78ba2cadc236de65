//! A line for each threshold, and for each other reason of the verdict.

use anstyle::Style;

use super::{BAD, FAINT, GOOD, WARN, spaced};
use crate::report::show;
use crate::report::summary::{Reason, Threshold};
use crate::words::{Outcome, Verdict};

/// One line of the verdict.
pub(super) struct Row {
    pub(super) mark: &'static str,
    pub(super) style: Style,
    pub(super) section: String,
    pub(super) asked: String,
    pub(super) figure: String,
    pub(super) place: String,
    /// A sentence that would push the columns apart, for a line of its own.
    pub(super) note: Option<String>,
}

impl Row {
    pub(super) fn of_threshold(threshold: &Threshold) -> Self {
        let (mark, style) = mark(threshold.outcome);
        let judged = !matches!(threshold.outcome, Outcome::Invalid | Outcome::Skipped);
        let word = if threshold.outcome == Outcome::Skipped { "skipped" } else { "not judged" };
        let figure = if judged { show::figure(threshold) } else { word.to_owned() };
        let note = (!judged).then(|| show::one_line(&threshold.reason, 300));
        let place = show::place(threshold);
        let section = threshold.section.to_string();
        Self { mark, style, section, asked: spaced(threshold), figure, place, note }
    }

    pub(super) fn of_reason(reason: &Reason) -> Self {
        let (mark, style) = match reason.verdict {
            Verdict::Pass => ("✓", GOOD),
            Verdict::Warn => ("!", WARN),
            Verdict::Invalid => ("?", WARN),
            Verdict::Fail => ("✗", BAD),
        };
        let section = reason.section.map_or_else(|| "run".to_owned(), |it| it.to_string());
        let (asked, figure, place) = (show::one_line(&reason.text, 500), String::new(), String::new());
        Self { mark, style, section, asked, figure, place, note: None }
    }
}

pub(super) fn mark(outcome: Outcome) -> (&'static str, Style) {
    match outcome {
        Outcome::Pass => ("✓", GOOD),
        Outcome::Warn => ("!", WARN),
        Outcome::Fail => ("✗", BAD),
        Outcome::Invalid => ("?", WARN),
        Outcome::Skipped => ("-", FAINT),
    }
}
