//! k6's block: a line for each metric.

use crate::report::show::{self, compact};
use crate::report::summary::{MetricValues, Summary, Threshold};
use crate::words::{Level, Metric, Outcome};

/// One metric, as k6 prints it.
pub(super) struct MetricRow<'a> {
    pub(super) order: (&'a str, &'a str),
    pub(super) name: String,
    /// The worst outcome of its thresholds.
    pub(super) outcome: Option<Outcome>,
    pub(super) is_trend: bool,
    pub(super) cells: Vec<String>,
}

impl<'a> MetricRow<'a> {
    pub(super) fn new(summary: &Summary, key: &'a str, values: &MetricValues) -> Self {
        let (metric, selector) = key.split_once('{').unwrap_or((key, ""));
        let name = match selector.strip_suffix('}') {
            Some(selector) => format!("  {{ {} }}", show::one_line(selector, 40)),
            None => show::one_line(metric, 40),
        };
        let thresholds = summary.thresholds.iter().filter(|it| key_of(it) == key && it.level == Level::Fail);
        let outcome = thresholds.map(|it| it.outcome).min_by_key(|it| show::rank(*it));
        Self {
            order: (metric, selector),
            name,
            outcome,
            is_trend: matches!(values, MetricValues::Trend(_)),
            cells: cells(values),
        }
    }
}

/// Whether a metric is about palier itself and only of interest where it is asked for.
pub(super) fn is_detail(name: &str) -> bool {
    let metric = Metric::from_name(name);
    metric
        .is_some_and(|it| it.is_of_generator() && !matches!(it, Metric::GeneratorLag | Metric::GeneratorCpu))
}

/// The key of `metrics` that a threshold is about.
fn key_of(threshold: &Threshold) -> String {
    if threshold.selector.is_empty() {
        return threshold.metric.clone();
    }
    let selector: Vec<String> =
        threshold.selector.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{}{{{}}}", threshold.metric, selector.join(","))
}

/// Its figures, ready to be shown.
pub(in crate::report) fn cells(values: &MetricValues) -> Vec<String> {
    match values {
        MetricValues::Counter { unit, count, rate } => {
            vec![compact::amount(*count, *unit), compact::rate(*rate, *unit)]
        }
        MetricValues::Gauge { unit, value, min, max } => {
            let shown =
                |it: &Option<f64>| it.map_or_else(|| show::NONE.to_owned(), |it| compact::amount(it, *unit));
            vec![shown(value), format!("min={}", shown(min)), format!("max={}", shown(max))]
        }
        MetricValues::Rate { passes, fails, rate } => {
            vec![compact::share(*rate), format!("✓ {passes}"), format!("✗ {fails}")]
        }
        MetricValues::Trend(trend) => [
            ("avg", trend.avg),
            ("min", trend.min),
            ("med", trend.med),
            ("max", trend.max),
            ("p(90)", trend.p90),
            ("p(95)", trend.p95),
            ("p(99)", trend.p99),
        ]
        .map(|(name, time)| format!("{name}={}", compact::time(time)))
        .to_vec(),
    }
}

/// The widths of the cells, of trends and of all other kinds apart.
pub(super) fn columns(rows: &[MetricRow<'_>]) -> [Vec<usize>; 2] {
    let mut columns = [Vec::new(), Vec::new()];
    for row in rows {
        let widths = &mut columns[usize::from(row.is_trend)];
        widths.resize(widths.len().max(row.cells.len()), 0);
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    columns
}
