//! A comparison for the page of a pipeline, or a note on a merge request.

use std::fmt::Write as _;

use super::super::summary::{ComparedRun, Difference, Regression};
use super::super::{markdown, show};
use super::{capital, change, interval, remark, sentence};
use crate::words::Change;

/// Rows of a table; what differs comes first.
const MOST_ROWS: usize = 60;

/// The page of `palier compare`.
pub fn render(regression: &Regression, new: &ComparedRun) -> String {
    let mark = mark(regression.change);
    let mut page = format!("## {mark} palier compare: {}\n\n", regression.change);
    let names: Vec<String> =
        regression.base.iter().map(|it| markdown::text(&format!("{} ({})", it.id, it.start))).collect();
    let new = markdown::text(&format!("{} ({})", new.id, new.start));
    let _ = writeln!(page, "{new} beside {}\n", names.join(", "));
    section(&mut page, regression);
    page
}

/// The table with all that goes with it, as it also stands in `summary.md`.
pub fn section(page: &mut String, regression: &Regression) {
    let _ = writeln!(page, "{}\n", markdown::text(&capital(&sentence(regression))));
    let _ = writeln!(
        page,
        "| | | before | now | difference | interval | |\n| :-- | :-- | --: | --: | --: | :-- | :-- |"
    );
    let mut rows: Vec<&Difference> = regression.differences.iter().collect();
    rows.sort_by_key(|it| (it.step.is_some(), std::cmp::Reverse(it.change)));
    for difference in rows.iter().take(MOST_ROWS) {
        let shown = |value: Option<f64>| show::value_or_none(value, difference.unit);
        let remark = remark(regression, difference).map_or_else(String::new, |it| format!(": {it}"));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} {}{remark} |",
            markdown::text(difference.step.as_deref().unwrap_or("all steps")),
            markdown::text(&difference.label()),
            shown(difference.base),
            shown(difference.new),
            change(difference, difference.difference),
            interval(difference),
            mark(difference.change),
            difference.change,
        );
    }
    if rows.len() > MOST_ROWS {
        let _ = writeln!(page, "\n{} more are in summary.json.", rows.len() - MOST_ROWS);
    }
    for text in regression.doubts.iter().chain(&regression.notes) {
        let _ = writeln!(page, "\n> {}", markdown::text(&capital(text)));
    }
    page.push('\n');
}

fn mark(change: Change) -> &'static str {
    match change {
        Change::Same => "✅",
        Change::Better => "🟢",
        Change::Inconclusive => "❔",
        Change::Worse => "❌",
    }
}
