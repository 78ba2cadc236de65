//! A comparison on a terminal: figures first, then what they come to.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::super::show;
use super::super::summary::{ComparedRun, Difference, Regression};
use super::{change, interval, remark};
use crate::words::{Against, Change};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

/// The table, its notes and a sentence; it ends in a line break.
pub fn render(regression: &Regression, new: &ComparedRun, colour: bool) -> String {
    let mut text = String::new();
    for base in &regression.base {
        let _ = writeln!(text, "  {:8} {}", regression.against.name(), named(base));
    }
    let _ = writeln!(text, "  {:8} {}\n", "new", named(new));
    let _ = writeln!(
        text,
        "  {:26} {:>10} {:>10} {:>12}   {:27} change",
        "", "before", "now", "difference", "interval"
    );
    let mut step = None;
    for difference in &regression.differences {
        if step.as_ref() != Some(&difference.step) {
            let name = difference.step.as_deref().unwrap_or("all steps");
            let _ = writeln!(text, "  {}", show::one_line(name, 60));
            step = Some(difference.step.clone());
        }
        row(&mut text, regression, difference, colour);
    }
    for doubt in &regression.doubts {
        let _ = writeln!(text, "\n  doubt: {}", show::one_line(doubt, 300));
    }
    for note in &regression.notes {
        let _ = writeln!(text, "\n  note: {}", show::one_line(note, 300));
    }
    let style = style(regression.change);
    let _ = writeln!(
        text,
        "\n{} {}",
        painted(&regression.change.name().to_uppercase(), style, colour),
        sentence(regression)
    );
    text
}

/// What belongs into the text at the end of a run: all steps together, and what differs.
pub fn glance(regression: &Regression, colour: bool) -> String {
    let mut text = format!("  {}\n", sentence(regression));
    let differs = |it: &&Difference| it.step.is_none() || matches!(it.change, Change::Worse | Change::Better);
    let mut shown: Vec<&Difference> = regression.differences.iter().filter(differs).collect();
    shown.sort_by_key(|it| (it.step.is_some(), std::cmp::Reverse(it.change)));
    for difference in shown.iter().take(MOST_ROWS) {
        if let Some(step) = &difference.step {
            let _ = write!(text, "    {}\n  ", show::one_line(step, 60));
        }
        row(&mut text, regression, difference, colour);
    }
    if shown.len() > MOST_ROWS {
        let _ = writeln!(text, "    and {} more", shown.len() - MOST_ROWS);
    }
    text.push('\n');
    text
}

/// Rows at the end of a run.
const MOST_ROWS: usize = 12;

fn row(text: &mut String, regression: &Regression, difference: &Difference, colour: bool) {
    let shown = |value: Option<f64>| show::value_or_none(value, difference.unit);
    let mut line = format!(
        "    {:24} {:>10} {:>10} {:>12}   {:27} {}",
        difference.label(),
        shown(difference.base),
        shown(difference.new),
        change(difference, difference.difference),
        interval(difference),
        painted(difference.change.name(), style(difference.change), colour),
    );
    if let Some(remark) = remark(regression, difference) {
        let _ = write!(line, "{}", painted(&format!(": {remark}"), FAINT, colour));
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

fn named(run: &ComparedRun) -> String {
    let commit =
        run.commit.as_deref().map(|commit| format!(", commit {}", commit.get(..12).unwrap_or(commit)));
    show::one_line(
        &format!("{} of {}, {}{}", run.id, run.profile, run.start, commit.unwrap_or_default()),
        200,
    )
}

/// What it all comes to, and what such a comparison can see.
pub fn sentence(regression: &Regression) -> String {
    let n = regression.differences.len();
    let count = |change: Change| regression.differences.iter().filter(|it| it.change == change).count();
    let counted: Vec<String> = [Change::Worse, Change::Better, Change::Inconclusive, Change::Same]
        .into_iter()
        .filter(|change| count(*change) > 0)
        .map(|change| format!("{} {change}", count(change)))
        .collect();
    let against = match regression.against {
        Against::Baseline if regression.base.len() > 1 => "the baseline runs",
        Against::Baseline => "the baseline",
        Against::Build => "the other build",
    };
    let whole = regression.differences.iter().find(|it| it.step.is_none() && it.aggregation == "p(95)");
    let seen = whole.and_then(|it| Some((it, it.detectable?))).map(|(it, detectable)| {
        let detectable = change(it, Some(detectable));
        let detectable = detectable.trim_start_matches('+');
        format!("; a p(95) {detectable} worse would be found in four of five such comparisons")
    });
    format!("of {n} figures beside {against}: {}{}", counted.join(", "), seen.unwrap_or_default())
}

fn style(change: Change) -> Style {
    match change {
        Change::Same => Style::new(),
        Change::Better => GOOD,
        Change::Inconclusive => WARN,
        Change::Worse => BAD,
    }
}

fn painted(text: &str, style: Style, colour: bool) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
