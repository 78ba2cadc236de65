//! A run among the earlier ones of its history.

use super::Reason;
use crate::compare::history::{Predicted, unit};
use crate::units::{Fraction, human_number};
use crate::words::{Change, Section, Unit, Verdict};

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
    let unit = unit(&figure.name);
    let shown = |value: f64| match Fraction::new(value) {
        Some(share) if unit == Unit::Fraction => share.human(),
        _ => human_number(value),
    };
    let (low, high) = figure.expected;
    let unit = match unit {
        Unit::Milliseconds => " ms",
        Unit::PerSecond => "/s",
        // A share has its sign already.
        Unit::Fraction | Unit::Count | Unit::Bytes | Unit::Cores => "",
    };
    format!(
        "{} is {}{unit}, expected {} to {}{unit}",
        figure.name,
        shown(figure.value),
        shown(low),
        shown(high)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_their_units() {
        let told = |name: &str, value: f64, low: f64, high: f64| {
            let change = Change::Worse;
            told(&Predicted { name: name.into(), value, mean: low, expected: (low, high), change })
        };
        assert_eq!(
            [
                told("http_req_duration p(95)", 612.0, 480.0, 520.0),
                told("errors rate", 0.02, 0.0, 0.004),
                told("http_reqs rate", 31.06, 40.0, 44.5),
            ],
            [
                "http_req_duration p(95) is 612 ms, expected 480 to 520 ms",
                "errors rate is 2.0 %, expected 0 % to 0.4 %",
                "http_reqs rate is 31.1/s, expected 40 to 44.5/s",
            ]
        );
    }
}
