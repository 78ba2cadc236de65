//! The run beside what it was compared with.

use serde::Serialize;

use super::svg::{BAD, GOOD, Ink, TEXT, WARN};
use super::tables::Rows;
use crate::report::comparison::{capital, change, interval, remark, sentence};
use crate::report::show;
use crate::report::summary::Summary;
use crate::words::{Against, Change};

/// Rows of the table; those of all steps and what differs come first.
const MOST_ROWS: usize = 100;

#[derive(Serialize)]
pub(super) struct Regression {
    title: &'static str,
    sentence: String,
    rows: Rows<Row>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    tone: Ink,
    mark: &'static str,
    word: &'static str,
    step: String,
    figure: String,
    base: String,
    new: String,
    difference: String,
    interval: String,
    remark: Option<String>,
}

/// What was compared; none where nothing was.
pub(super) fn regression(summary: &Summary) -> Option<Regression> {
    let regression = summary.regression.as_ref()?;
    let mut sorted: Vec<_> = regression.differences.iter().collect();
    sorted.sort_by_key(|it| (it.step.is_some(), std::cmp::Reverse(it.change)));
    let rows = Rows::at_most(MOST_ROWS, sorted.into_iter(), |it| {
        let (mark, ink) = match it.change {
            Change::Same => ("=", TEXT),
            Change::Better => ("✓", GOOD),
            Change::Inconclusive => ("?", WARN),
            Change::Worse => ("✗", BAD),
        };
        Row {
            tone: ink,
            mark,
            word: it.change.name(),
            step: show::one_line(it.step.as_deref().unwrap_or("all steps"), 100),
            figure: show::one_line(&it.label(), 60),
            base: show::value_or_none(it.base, it.unit),
            new: show::value_or_none(it.new, it.unit),
            difference: change(it, it.difference),
            interval: interval(it),
            remark: remark(regression, it),
        }
    });
    let notes = regression.doubts.iter().chain(&regression.notes);
    Some(Regression {
        title: match regression.against {
            Against::Baseline => "Beside the baseline",
            Against::Build => "Beside the other build",
        },
        sentence: capital(&sentence(regression)),
        rows,
        notes: notes.map(|note| capital(&show::one_line(note, 300))).collect(),
    })
}
