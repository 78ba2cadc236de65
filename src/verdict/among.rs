//! A run among the earlier ones of its history.

use super::Reason;
use crate::compare::history::{Predicted, is_share};
use crate::units::{Fraction, human_number};
use crate::words::{Change, Section, Verdict};

/// A run among the earlier ones of its history.
#[derive(Clone, Debug, PartialEq)]
pub struct Among {
    /// How many earlier runs there are to judge it by.
    pub earlier: usize,
    /// Its figures, and where they were expected; `None` where there are too few earlier runs.
    pub predicted: Option<Vec<Predicted>>,
}

/// Says what is worse than the earlier runs would have it, if anything is.
pub(super) fn reason(among: &Among) -> Option<Reason> {
    let worse: Vec<String> =
        among.predicted.iter().flatten().filter(|it| it.change == Change::Worse).map(told).collect();
    (!worse.is_empty()).then(|| Reason {
        kind: "history",
        verdict: Verdict::Fail,
        section: Some(Section::Regression),
        text: format!("worse than {} earlier runs would have it: {}", among.earlier, worse.join("; ")),
        threshold: None,
    })
}

fn told(figure: &Predicted) -> String {
    let shown = |value: f64| {
        if is_share(&figure.name) {
            Fraction::new(value).map_or_else(|| human_number(value), Fraction::human)
        } else {
            human_number(value)
        }
    };
    let (low, high) = figure.expected;
    let unit = if figure.name.starts_with("http_req_duration") { " ms" } else { "" };
    format!(
        "{} is {}{unit}, expected {} to {}{unit}",
        figure.name,
        shown(figure.value),
        shown(low),
        shown(high)
    )
}
