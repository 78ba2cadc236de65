//! What `palier bench` says at its end, laid out as those who know `ab` and `oha` expect it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hdrhistogram::Histogram;

use crate::metrics::Results;
use crate::plan::Plan;
use crate::report::distribution;
use crate::report::show::{self, compact};
use crate::report::summary::{MetricValues, Ms, Summary, Trend};
use crate::words::{Metric, Outcome, Phase, Unit, Verdict};

/// What the command line said, for the reader.
pub(super) struct Asked<'a> {
    pub(super) connections: u32,
    pub(super) url: &'a str,
}

/// The percentiles of ab's table, and of oha's.
const PERCENTILES: [f64; 9] = [50.0, 66.0, 75.0, 80.0, 90.0, 95.0, 99.0, 99.9, 99.99];

/// The bars of the histogram.
const BARS: usize = 11;

/// The longest of them, in characters.
const BAR: usize = 40;

/// How many answers had which status.
pub(super) fn statuses(plan: &Plan, results: &Results) -> BTreeMap<u16, u64> {
    let mut statuses = BTreeMap::new();
    for phase in [Phase::Load, Phase::Grace] {
        for span in plan.spans_of(phase) {
            for load in &plan.loads {
                for step in &load.steps {
                    for (status, count) in results.cell(span, *step).iter().flat_map(|cell| &cell.statuses) {
                        *statuses.entry(*status).or_default() += count;
                    }
                }
            }
        }
    }
    statuses
}

/// The text, which ends in a line break.
pub(super) fn render(summary: &Summary, statuses: &BTreeMap<u16, u64>, asked: &Asked<'_>) -> String {
    let mut text = String::new();
    let sections = [
        requests(summary, asked),
        latency(summary),
        histogram(summary),
        counts(statuses),
        errors(summary),
        generator(summary),
        verdict(summary),
    ];
    for section in sections.iter().filter(|section| !section.is_empty()) {
        text += section;
        text.push('\n');
    }
    format!("{}\n", text.trim_end())
}

fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<22} {value}");
}

fn requests(summary: &Summary, asked: &Asked<'_>) -> String {
    if !summary.is_started() {
        return String::new();
    }
    let mut text = "Requests\n".to_owned();
    row(&mut text, "URL", &show::one_line(asked.url, 200));
    row(&mut text, "Connections", &asked.connections.to_string());
    row(&mut text, "Time taken", &compact::time(Some(summary.run.load_duration)));
    if let Some(MetricValues::Counter { count, rate, .. }) = summary.metrics.get(Metric::HttpReqs.name()) {
        let complete = summary.steps.iter().map(|step| step.requests).sum::<u64>();
        let failed = summary.steps.iter().map(|step| step.failed).sum::<u64>();
        row(&mut text, "Requests", &format!("{count:.0}"));
        row(&mut text, "Failed requests", &failed.to_string());
        #[expect(clippy::cast_precision_loss, reason = "a share is shown with a few digits")]
        let success = (complete > 0).then(|| 1.0 - failed as f64 / complete as f64);
        row(&mut text, "Success rate", &compact::share(success));
        row(
            &mut text,
            "Requests per second",
            &rate.map_or_else(|| show::NONE.to_owned(), |it| format!("{it:.2}")),
        );
    }
    for (name, metric) in [("Received", Metric::DataReceived), ("Sent", Metric::DataSent)] {
        if let Some(MetricValues::Counter { count, rate, unit }) = summary.metrics.get(metric.name()) {
            let rate = compact::rate(*rate, *unit);
            row(&mut text, name, &format!("{}, {rate}", compact::amount(*count, *unit)));
        }
    }
    text
}

/// The metric that says what a user waited: in the open model from when the request was due.
fn measured(summary: &Summary) -> Metric {
    match summary.metrics.get(Metric::HttpReqCorrected.name()) {
        Some(MetricValues::Trend(trend)) if trend.count > 0 => Metric::HttpReqCorrected,
        _ => Metric::HttpReqDuration,
    }
}

fn latency(summary: &Summary) -> String {
    let metric = measured(summary);
    let Some(MetricValues::Trend(trend)) = summary.metrics.get(metric.name()) else { return String::new() };
    if trend.count == 0 {
        return String::new();
    }
    let from = if metric == Metric::HttpReqCorrected { ", from when a request was due" } else { "" };
    let mut text = format!("Latency{from}\n");
    for (name, time) in [("fastest", trend.min), ("mean", trend.avg), ("slowest", trend.max)] {
        row(&mut text, name, &compact::time(time));
    }
    if let Some(times) = times(summary) {
        for percentile in PERCENTILES {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let rest = times.len() as f64 * (100.0 - percentile) / 100.0;
            // Beyond the last sample there is nothing but the slowest again.
            if rest < 1.0 && percentile > 99.0 {
                continue;
            }
            let time = times.value_at_quantile(percentile / 100.0);
            row(&mut text, &format!("{percentile}%"), &compact::time(Some(millis(time))));
        }
    }
    for (name, metric) in [
        ("connect", Metric::HttpReqConnecting),
        ("TLS", Metric::HttpReqTlsHandshaking),
        ("first byte", Metric::HttpReqWaiting),
    ] {
        if let Some(MetricValues::Trend(trend)) = summary.metrics.get(metric.name())
            && trend.max.is_some_and(|max| max.0 > 0.0)
        {
            let line = format!("mean {}, max {}", compact::time(trend.avg), compact::time(trend.max));
            row(&mut text, name, &line);
        }
    }
    text
}

fn times(summary: &Summary) -> Option<Histogram<u64>> {
    let metric = measured(summary);
    let of = |metric| distribution::total(&distribution::of_steps(summary, metric));
    of(metric).or_else(|| of(Metric::HttpReqDuration))
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run stay far below 2^53")]
fn millis(nanoseconds: u64) -> Ms {
    Ms(nanoseconds as f64 / 1e6)
}

/// Bars of equal width in time, from the fastest to the 99.9th percentile; the last takes what is slower.
fn histogram(summary: &Summary) -> String {
    let Some(times) = times(summary).filter(|it| it.len() > 1) else { return String::new() };
    let (low, high) = (times.min(), times.value_at_quantile(0.999).max(times.min() + 1));
    let width = (high - low).div_ceil(BARS as u64).max(1);
    let mut counts = [0_u64; BARS];
    for bucket in times.iter_recorded() {
        let bar = usize::try_from(bucket.value_iterated_to().saturating_sub(low) / width).unwrap_or(BARS);
        counts[bar.min(BARS - 1)] += bucket.count_at_value();
    }
    let slowest = match summary.metrics.get(measured(summary).name()) {
        Some(MetricValues::Trend(Trend { max: Some(max), .. })) => *max,
        _ => millis(times.max()),
    };
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let digits = most.to_string().len();
    let mut text = "Response time histogram\n".to_owned();
    for (bar, count) in (1_u64..).zip(counts) {
        let end = if bar == BARS as u64 { slowest } else { millis(low + width * bar) };
        // Whoever has one request has a bar that can be seen.
        let length = (count * BAR as u64).div_ceil(most);
        let drawn = "■".repeat(usize::try_from(length).unwrap_or(BAR));
        let line = format!("{:>10} [{count:>digits$}] {drawn}", compact::time(Some(end)));
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text
}

fn counts(statuses: &BTreeMap<u16, u64>) -> String {
    if statuses.is_empty() {
        return String::new();
    }
    let mut text = "Status codes\n".to_owned();
    for (status, count) in statuses {
        row(&mut text, &status.to_string(), &count.to_string());
    }
    text
}

fn errors(summary: &Summary) -> String {
    if summary.errors.is_empty() {
        return String::new();
    }
    let mut text = "Errors\n".to_owned();
    for group in &summary.errors {
        let first = group.first.as_ref().map(|it| format!("  first: {}", show::one_line(&it.message, 80)));
        let line = format!("{}{}", group.count, first.unwrap_or_default());
        row(&mut text, group.kind.name(), &line);
    }
    text
}

/// Only what casts doubt on the figures.
fn generator(summary: &Summary) -> String {
    let mut text = String::new();
    for short in &summary.generator.short {
        let _ = writeln!(text, "note: {short}");
    }
    if !summary.generator.sound && summary.generator.short.is_empty() && summary.is_started() {
        let lag =
            summary.generator.lag.p99.map(|it| show::value(it.0, Unit::Milliseconds)).unwrap_or_default();
        let _ = writeln!(
            text,
            "note: palier itself was late (timer lag p99 {lag}): its own delay is in these times"
        );
    }
    text
}

/// What was asked for, and what became of it.
fn verdict(summary: &Summary) -> String {
    let mut text = match summary.verdict {
        Verdict::Pass => "PASS\n".to_owned(),
        Verdict::Warn => "WARN\n".to_owned(),
        Verdict::Invalid => "INVALID\n".to_owned(),
        Verdict::Fail => "FAIL\n".to_owned(),
    };
    for threshold in summary.thresholds.iter().filter(|_| summary.is_started()) {
        let mark = match threshold.outcome {
            Outcome::Pass => "✓",
            Outcome::Warn | Outcome::Fail => "✗",
            Outcome::Invalid => "?",
            Outcome::Skipped => "-",
        };
        let _ = writeln!(text, "  {mark} {}", threshold.reason);
    }
    for reason in summary.reasons.iter().filter(|it| it.threshold.is_none()) {
        let _ = writeln!(text, "  ✗ {}", reason.text);
    }
    text
}
