//! Differences in words.

use super::super::show;
use super::super::summary::{Difference, Regression};
use super::compared;
use crate::units::human_duration;
use crate::words::{Against, Change};

/// A difference with its sign: `+12.3 %`, or `+0.4 points` of a share.
pub fn change(difference: &Difference, value: Option<f64>) -> String {
    let Some(value) = value else { return show::NONE.to_owned() };
    let percent = value * 100.0;
    let unit = if difference.is_share() { " points" } else { " %" };
    if percent.abs() >= 999.5 && !difference.is_share() {
        return format!("× {:.1}", 1.0 + value);
    }
    let text =
        if difference.is_share() { format!("{percent:+.2}{unit}") } else { format!("{percent:+.1}{unit}") };
    // What is rounded to nothing has no sign.
    let is_nothing = !text.contains(|it: char| ('1'..='9').contains(&it));
    if is_nothing { text.replace(['+', '-'], "") } else { text }
}

/// The interval of a difference: `+8.1 % to +16.9 %`.
pub fn interval(difference: &Difference) -> String {
    match (difference.low, difference.high) {
        (Some(low), Some(high)) => {
            format!("{} to {}", change(difference, Some(low)), change(difference, Some(high)))
        }
        _ => show::NONE.to_owned(),
    }
}

/// What stands behind a difference that says nothing: how much longer the runs would have to be, or why that is no
/// matter of length.
pub fn remark(regression: &Regression, difference: &Difference) -> Option<String> {
    if difference.change != Change::Inconclusive {
        return None;
    }
    if difference.difference.is_none() {
        return Some("too few requests to say".to_owned());
    }
    let least = if difference.is_share() { regression.points } else { regression.effect };
    let edge = format!("too near to what matters ({}) to say", change(difference, Some(least)));
    Some(match difference.longer {
        Some(longer) if longer < 100.0 => {
            let whole = compared(regression).mul_f64(longer);
            let whole = human_duration(std::time::Duration::from_secs(whole.as_secs().max(1)));
            match regression.against {
                Against::Baseline => format!("it takes runs of about {whole} to say"),
                Against::Build => format!("it takes about {whole} to say"),
            }
        }
        Some(_) | None => edge,
    })
}

/// A sentence with its first letter large.
pub fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
