//! The assertion of a threshold: `p(95)<500ms`.
//!
//! ```text
//! expression  := aggregation operator bound
//! aggregation := "count" | "rate" | "value" | "avg" | "min" | "med" | "max" | "p(" number ")"
//! operator    := "<" | "<=" | ">" | ">=" | "==" | "===" | "!="
//! bound       := quantity | "baseline" [ "+" share | "-" share | "*" number ]
//! quantity    := number [ "/" time ] | share | duration | size
//! share       := number "%"
//! duration    := "500ms" | "1.5s" | "1m30s" | …
//! size        := number ( "B" | "kB" | "KiB" | "MB" | "MiB" | … )
//! ```
//!
//! Blanks may stand between the parts. It is k6's grammar with units and baselines added; `===` is k6's `==`.
//! A number without a unit is in the metric's own: milliseconds, per second, a share, bytes, a count.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::nearest::suggestion;
use crate::units::{Bytes, Fraction, Percentile, Rate, parse_duration};
use crate::words::{Metric, MetricKind, Unit};

/// `aggregation operator bound`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expression {
    /// What is made of the metric's values.
    pub aggregation: Aggregation,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub bound: Bound,
}

/// What is made of a metric's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// `count`
    Count,
    /// `rate`: per second for a counter, a share for a rate.
    Rate,
    /// `value`: the last one.
    Value,
    /// `avg`
    Avg,
    /// `min`
    Min,
    /// `med`
    Med,
    /// `max`
    Max,
    /// `p(N)`
    Percentile(Percentile),
}

/// How a value is compared with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`, and k6's `===`
    Equal,
    /// `!=`
    NotEqual,
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A value of its own.
    Absolute(Quantity),
    /// The baseline's value times this: 1.1 for `baseline+10%` and for `baseline*1.1`.
    Baseline(f64),
}

/// A number with the unit it was written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// No unit: milliseconds for a duration (as in k6), per second for a counter's rate, a share, a count.
    Number(f64),
    /// `500ms`
    Duration(Duration),
    /// `10%`
    Fraction(Fraction),
    /// `64KiB`
    Bytes(Bytes),
    /// `100/s`
    Rate(Rate),
}

impl Aggregation {
    /// The unit of what it makes of that metric. A counter's `rate` is per second of the counter's own unit.
    pub fn unit(self, metric: Metric) -> Unit {
        match (self, metric.kind()) {
            (Self::Rate, MetricKind::Counter) => Unit::PerSecond,
            (Self::Count, MetricKind::Trend) => Unit::Count,
            _ => metric.unit(),
        }
    }
}

impl Quantity {
    /// The number in that unit, where what was written fits it. A bare number always does.
    pub fn in_unit(self, unit: Unit) -> Option<f64> {
        match (self, unit) {
            (Self::Number(number), _) => Some(number),
            (Self::Duration(duration), Unit::Milliseconds) => Some(duration.as_secs_f64() * 1e3),
            (Self::Fraction(fraction), Unit::Fraction) => Some(fraction.get()),
            #[expect(clippy::cast_precision_loss, reason = "observed bytes are compared as f64 too")]
            (Self::Bytes(bytes), Unit::Bytes | Unit::PerSecond) => Some(bytes.0 as f64),
            (Self::Rate(rate), Unit::PerSecond) => Some(rate.get()),
            _ => None,
        }
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::Rate => f.write_str("rate"),
            Self::Value => f.write_str("value"),
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Med => f.write_str("med"),
            Self::Max => f.write_str("max"),
            Self::Percentile(percentile) => write!(f, "{percentile}"),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        })
    }
}

/// What is wrong with an expression, and in which part of it.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Wrong {
    fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { range, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads an expression on a metric, and makes sure that the parts go together.
pub(super) fn parse(text: &str, metric: Metric) -> Result<Expression, Wrong> {
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len().max(start);
    let at = text[start..end].find(['<', '>', '=', '!']).map_or(end, |found| start + found);
    let written = text[start..at].trim_end();
    let aggregation_range = start..start + written.len();
    let aggregation = aggregation(written, aggregation_range.clone(), metric)?;
    let (operator, length) = operator(&text[at..end], at)?;
    let bound_start = at + length + (text[at + length..].len() - text[at + length..].trim_start().len());
    let range = bound_start.min(end)..end;
    let unit = aggregation.unit(metric);
    let bound = bound(&text[range.clone()], range.clone())?;
    if let Bound::Absolute(quantity) = bound {
        let written = &text[range.clone()];
        let Some(value) = quantity.in_unit(unit) else {
            return Err(Wrong::new(
                range,
                format!(
                    "`{written}` does not fit `{aggregation}` of `{metric}`, which {}",
                    measured_in(unit)
                ),
            ));
        };
        let share = unit == Unit::Fraction;
        if share && (metric.kind() == MetricKind::Rate && value > 1.0 || value > 2.0) {
            let meant =
                matches!(quantity, Quantity::Number(_)).then(|| format!("did you mean `{written}%`?"));
            let message = format!("`{metric}` is a share: it lies between 0% and 100%");
            return Err(Wrong { range, message, help: meant });
        }
    }
    Ok(Expression { aggregation, operator, bound })
}

fn aggregation(written: &str, range: Range<usize>, metric: Metric) -> Result<Aggregation, Wrong> {
    let kind = metric.kind();
    let valid: &[&str] = match kind {
        MetricKind::Counter => &["count", "rate"],
        MetricKind::Gauge => &["value", "min", "max"],
        MetricKind::Rate => &["rate"],
        MetricKind::Trend => &["avg", "min", "med", "max", "p(95)", "count"],
    };
    let aggregation = match written {
        "" => {
            return Err(Wrong::new(range, "an aggregation is missing")
                .help(format!("write for example `{}`", example(metric))));
        }
        "count" => Aggregation::Count,
        "rate" => Aggregation::Rate,
        "value" => Aggregation::Value,
        "avg" => Aggregation::Avg,
        "min" => Aggregation::Min,
        "med" => Aggregation::Med,
        "max" => Aggregation::Max,
        _ => {
            let inside = written.strip_prefix("p(").and_then(|rest| rest.strip_suffix(')'));
            if let Some(inside) = inside {
                let percentile = inside
                    .parse()
                    .map_err(|reason| Wrong::new(range.clone(), format!("`{inside}` {reason}")))?;
                Aggregation::Percentile(percentile)
            } else {
                let mut wrong = Wrong::new(range, format!("unknown aggregation `{written}`"));
                let figures = written.trim_start_matches(['p', 'P']).trim_matches(['(', ')']);
                wrong.help = if figures.parse::<Percentile>().is_ok() {
                    Some(format!("write `p({figures})`"))
                } else {
                    suggestion(written, valid)
                };
                return Err(wrong);
            }
        }
    };
    let name = if matches!(aggregation, Aggregation::Percentile(_)) { "p(95)" } else { written };
    if valid.contains(&name) {
        Ok(aggregation)
    } else {
        Err(Wrong::new(range, format!("`{written}` does not go with `{metric}`, a {kind}"))
            .help(format!("a {kind} has: `{}`", valid.join("`, `"))))
    }
}

fn operator(rest: &str, at: usize) -> Result<(Operator, usize), Wrong> {
    for (sign, operator) in [
        ("===", Operator::Equal),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ] {
        if rest.starts_with(sign) {
            return Ok((operator, sign.len()));
        }
    }
    let found = rest.find(|c| !matches!(c, '<' | '>' | '=' | '!')).unwrap_or(rest.len());
    let message = if rest.is_empty() {
        "an operator and a bound are missing".to_owned()
    } else {
        format!("`{}` is no operator", &rest[..found])
    };
    Err(Wrong::new(at..at + found, message).help("operators: `<`, `<=`, `>`, `>=`, `==`, `!=`"))
}

fn bound(written: &str, range: Range<usize>) -> Result<Bound, Wrong> {
    if written.is_empty() {
        return Err(Wrong::new(range, "a bound is missing"));
    }
    if let Some(change) = written.strip_prefix("baseline") {
        return factor(change.trim()).map(Bound::Baseline).ok_or_else(|| {
            Wrong::new(range, format!("`{written}` is no bound"))
                .help("write `baseline`, `baseline+10%`, `baseline-5%` or `baseline*1.1`")
        });
    }
    if written.starts_with('-') {
        return Err(Wrong::new(range, "a bound is never negative: nothing that palier measures is"));
    }
    quantity(written).map(Bound::Absolute).map_err(|message| Wrong::new(range, message))
}

fn factor(change: &str) -> Option<f64> {
    let share = |text: &str| text.trim().parse::<Fraction>().ok().map(Fraction::get);
    let factor = match change.chars().next() {
        None => Some(1.0),
        Some('+') => share(&change[1..]).map(|share| 1.0 + share),
        Some('-') => share(&change[1..]).map(|share| 1.0 - share),
        Some('*') => change[1..].trim().parse().ok(),
        Some(_) => None,
    };
    factor.filter(|factor: &f64| factor.is_finite() && *factor > 0.0)
}

fn quantity(written: &str) -> Result<Quantity, String> {
    let plain = written.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if plain {
        let number = written.parse().ok().filter(|number: &f64| number.is_finite());
        return number.map(Quantity::Number).ok_or_else(|| format!("`{written}` is no number"));
    }
    let says = |reason: &dyn fmt::Display| format!("`{written}` {reason}");
    if written.ends_with('%') {
        written.parse().map(Quantity::Fraction).map_err(|reason| says(&reason))
    } else if written.contains('/') {
        written.parse().map(Quantity::Rate).map_err(|reason| says(&reason))
    } else if written.ends_with(['B', 'b']) {
        written.parse().map(Quantity::Bytes).map_err(|reason| says(&reason))
    } else if written.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        parse_duration(written).map(Quantity::Duration).map_err(|reason| says(&reason))
    } else {
        Err(format!("`{written}` is no number"))
    }
}

fn measured_in(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds => "is a duration",
        Unit::PerSecond => "is per second",
        Unit::Fraction => "is a share",
        Unit::Count => "is a plain number",
        Unit::Bytes => "is a size",
        Unit::Cores => "is in CPU cores",
    }
}

fn example(metric: Metric) -> &'static str {
    match metric.kind() {
        MetricKind::Counter => "rate>100",
        MetricKind::Gauge => "max<=10",
        MetricKind::Rate => "rate<1%",
        MetricKind::Trend => "p(95)<500ms",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn reads(metric: Metric, text: &str, aggregation: Aggregation, operator: Operator, bound: Bound) {
        assert_eq!(parse(text, metric), Ok(Expression { aggregation, operator, bound }), "{text}");
    }

    #[test]
    fn expressions_of_k6_and_ours_are_read() {
        let p95 = Aggregation::Percentile(Percentile::new(95.0).unwrap());
        let millis = |millis| Bound::Absolute(Quantity::Duration(Duration::from_millis(millis)));
        let number = |number| Bound::Absolute(Quantity::Number(number));
        let share = |share| Bound::Absolute(Quantity::Fraction(Fraction::new(share).unwrap()));
        let duration = Metric::HttpReqDuration;
        reads(duration, "p(95)<500", p95, Operator::Less, number(500.0));
        reads(duration, " p(95) <= 500ms ", p95, Operator::LessOrEqual, millis(500));
        reads(duration, "med<1.5s", Aggregation::Med, Operator::Less, millis(1_500));
        reads(duration, "count>=100", Aggregation::Count, Operator::GreaterOrEqual, number(100.0));
        reads(duration, "max!=1e3", Aggregation::Max, Operator::NotEqual, number(1_000.0));
        reads(Metric::Errors, "rate<10%", Aggregation::Rate, Operator::Less, share(0.1));
        reads(Metric::Errors, "rate===0", Aggregation::Rate, Operator::Equal, number(0.0));
        let per_second = Bound::Absolute(Quantity::Rate(Rate::per_second(100.0).unwrap()));
        reads(Metric::HttpReqs, "rate>100/s", Aggregation::Rate, Operator::Greater, per_second);
        let size = Bound::Absolute(Quantity::Bytes(Bytes(65_536)));
        reads(Metric::DataReceived, "count<64KiB", Aggregation::Count, Operator::Less, size);
        reads(duration, "avg<baseline", Aggregation::Avg, Operator::Less, Bound::Baseline(1.0));
        reads(duration, "avg<baseline + 10%", Aggregation::Avg, Operator::Less, Bound::Baseline(1.1));
        reads(duration, "avg<baseline-5%", Aggregation::Avg, Operator::Less, Bound::Baseline(0.95));
        reads(duration, "avg<baseline*1.1", Aggregation::Avg, Operator::Less, Bound::Baseline(1.1));
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        let cases = [
            (Metric::HttpReqDuration, "", "0..0 an aggregation is missing"),
            (Metric::HttpReqDuration, "p95<500", "0..3 unknown aggregation `p95`"),
            (Metric::HttpReqDuration, "mean<500", "0..4 unknown aggregation `mean`"),
            (
                Metric::HttpReqDuration,
                "p(150)<5",
                "0..6 `150` is no percentile: it lies above 0 and is at most 100",
            ),
            (Metric::HttpReqs, "p(95)<5", "0..5 `p(95)` does not go with `http_reqs`, a counter"),
            (Metric::Checks, "count>5", "0..5 `count` does not go with `checks`, a rate"),
            (Metric::Checks, "rate", "4..4 an operator and a bound are missing"),
            (Metric::Checks, "rate=>5", "4..6 `=>` is no operator"),
            (Metric::Checks, "rate>", "5..5 a bound is missing"),
            (Metric::Checks, "rate>95", "5..7 `checks` is a share: it lies between 0% and 100%"),
            (Metric::Checks, "rate>95ms", "5..9 `95ms` does not fit `rate` of `checks`, which is a share"),
            (Metric::HttpReqDuration, "avg<NaN", "4..7 `NaN` is no number"),
            (
                Metric::HttpReqDuration,
                "avg<-5",
                "4..6 a bound is never negative: nothing that palier measures is",
            ),
            (
                Metric::HttpReqDuration,
                "avg<5 min",
                "4..9 `5 min` has the unknown unit `min`: durations have d, h, m, s, ms, us or ns",
            ),
            (Metric::HttpReqDuration, "avg<baseline+5", "4..14 `baseline+5` is no bound"),
            (Metric::HttpReqDuration, "avg<baseline-100%", "4..17 `baseline-100%` is no bound"),
        ];
        for (metric, text, wrong) in cases {
            let found = parse(text, metric).expect_err(text);
            assert_eq!(format!("{:?} {}", found.range, found.message), wrong);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(
            text in "\\PC*",
            near in "(p\\(95\\)|rate|avg|é| |p\\(|\\)){0,3}(<|=|>|!){0,4}(baseline|[0-9.]{1,4}|%|ms|[+*-]|/s|B| ){0,4}",
        ) {
            for &metric in &[Metric::HttpReqDuration, Metric::HttpReqs, Metric::Checks, Metric::Vus] {
                for text in [&text, &near] {
                    if let Err(wrong) = parse(text, metric) {
                        prop_assert!(text.get(wrong.range).is_some());
                    }
                }
            }
        }
    }
}
