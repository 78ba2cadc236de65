//! `metrics.txt`: the figures of the run as OpenMetrics text, for GitLab's metrics report and for whatever scrapes or
//! pushes files.
//!
//! GitLab compares the values as text with those of the target branch, so they are rounded: times to two significant
//! digits, all else to three. It cuts a line at `#` and takes it apart as shell words, so no label holds one.
//! What was not measured is left out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::k6::rounded;
use super::show;
use super::summary::{MetricValues, Ms, Summary, Threshold, Trend};
use crate::words::{Outcome, Unit, Verdict};

/// The text, which ends in `# EOF`.
pub fn render(summary: &Summary) -> String {
    let mut text = Text::default();
    text.family("palier_run", "info", "", "The profile that was run, and the version of palier.");
    let (profile, palier) = (summary.run.profile.name.as_str(), summary.palier.as_str());
    text.sample("palier_run_info", &[("profile", profile), ("palier", palier)], 1.0, 1);

    text.family("palier_verdict", "stateset", "", "What the run ended in.");
    for verdict in Verdict::ALL {
        let holds = f64::from(u8::from(*verdict == summary.verdict));
        text.sample("palier_verdict", &[("palier_verdict", verdict.name())], holds, 1);
    }
    thresholds(&mut text, &summary.thresholds);
    metrics(&mut text, summary);
    text.out.push_str("# EOF\n");
    text.out
}

fn thresholds(text: &mut Text, thresholds: &[Threshold]) {
    let judged: Vec<&Threshold> =
        thresholds.iter().filter(|it| !matches!(it.outcome, Outcome::Invalid | Outcome::Skipped)).collect();
    if judged.is_empty() {
        return;
    }
    text.family(
        "palier_threshold_holds",
        "gauge",
        "",
        "Whether a threshold or warning that could be judged holds.",
    );
    for threshold in judged {
        let holds = f64::from(u8::from(threshold.outcome == Outcome::Pass));
        let labels = [
            ("threshold", threshold.id.as_str()),
            ("section", threshold.section.name()),
            ("level", threshold.level.name()),
        ];
        text.sample("palier_threshold_holds", &labels, holds, 1);
    }
}

/// Each metric, narrowed ones with what narrows them as labels. All that is of one family has to stand together.
fn metrics(text: &mut Text, summary: &Summary) {
    let names: BTreeSet<&str> = summary.metrics.keys().map(|key| name_of(key)).collect();
    for name in names {
        let own = summary.metrics.iter().filter(|(key, _)| name_of(key) == name);
        let own: Vec<(Labels<'_>, &MetricValues)> =
            own.map(|(key, values)| (labels_of(&key[name.len()..]), values)).collect();
        text.metric(name, &own);
    }
}

fn name_of(key: &str) -> &str {
    key.split_once('{').map_or(key, |(name, _)| name)
}

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// What narrows a metric: `{step:create employee,status:500}`.
fn labels_of(selector: &str) -> Labels<'_> {
    let inner = selector.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or_default();
    let pairs = || inner.split(',').map(|pair| pair.split_once(':').filter(|(key, _)| is_label(key)));
    if inner.is_empty() {
        Vec::new()
    } else if pairs().all(|pair| pair.is_some()) {
        pairs().flatten().collect()
    } else {
        // A comma that belongs to a value.
        vec![("selector", inner)]
    }
}

fn is_label(key: &str) -> bool {
    !key.is_empty()
        && key.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
        && !key.starts_with(|it: char| it.is_ascii_digit())
        && !matches!(key, "quantile" | "le")
}

/// What a line is written for the second time for would make two of one.
#[derive(Default)]
struct Text {
    out: String,
    seen: BTreeSet<String>,
}

impl Text {
    fn metric(&mut self, name: &str, values: &[(Labels<'_>, &MetricValues)]) {
        let Some((_, first)) = values.first() else { return };
        let name: String =
            name.chars().map(|it| if it.is_ascii_alphanumeric() || it == '_' { it } else { '_' }).collect();
        match first {
            MetricValues::Counter { unit, .. } => self.counters(&name, *unit, values),
            MetricValues::Gauge { unit, .. } => self.gauges(&name, *unit, values),
            MetricValues::Rate { .. } => self.shares(&name, values),
            MetricValues::Trend(_) => self.trends(&name, values),
        }
    }

    fn counters(&mut self, name: &str, unit: Unit, values: &[(Labels<'_>, &MetricValues)]) {
        let (suffix, scale) = base_unit(unit);
        let family = with_suffix(&format!("palier_{name}"), suffix);
        self.family(&family, "counter", suffix, &format!("`{name}` over the whole run."));
        for (labels, values) in values {
            if let MetricValues::Counter { count, .. } = values {
                self.sample(&format!("{family}_total"), labels, count * scale, 3);
            }
        }
        let per_second = format!("{family}_per_second");
        self.family(&per_second, "gauge", "", &format!("`{name}` a second of the load."));
        for (labels, values) in values {
            if let MetricValues::Counter { rate: Some(rate), .. } = values {
                self.sample(&per_second, labels, rate * scale, 3);
            }
        }
    }

    fn gauges(&mut self, name: &str, unit: Unit, values: &[(Labels<'_>, &MetricValues)]) {
        let (suffix, scale) = base_unit(unit);
        let family = with_suffix(&format!("palier_{name}"), suffix);
        self.family(
            &family,
            "gauge",
            suffix,
            &format!("`{name}`: least, greatest and last value of the run."),
        );
        for (labels, values) in values {
            let MetricValues::Gauge { value, min, max, .. } = values else { continue };
            for (which, found) in [("min", min), ("max", max), ("last", value)] {
                if let Some(found) = found {
                    let mut labels = labels.clone();
                    labels.push(("value", which));
                    self.sample(&family, &labels, found * scale, 3);
                }
            }
        }
    }

    fn shares(&mut self, name: &str, values: &[(Labels<'_>, &MetricValues)]) {
        let family = format!("palier_{name}_ratio");
        self.family(&family, "gauge", "ratio", &format!("`{name}` as a share between 0 and 1."));
        for (labels, values) in values {
            if let MetricValues::Rate { rate: Some(rate), .. } = values {
                self.sample(&family, labels, *rate, 3);
            }
        }
    }

    fn trends(&mut self, name: &str, values: &[(Labels<'_>, &MetricValues)]) {
        let family = format!("palier_{name}_seconds");
        self.family(&family, "summary", "seconds", &format!("`{name}`, least to greatest."));
        for (labels, values) in values {
            let MetricValues::Trend(trend) = values else { continue };
            let quantiles = [
                ("0", trend.min),
                ("0.5", trend.med),
                ("0.9", trend.p90),
                ("0.95", trend.p95),
                ("0.99", trend.p99),
                ("1", trend.max),
            ];
            for (quantile, time) in quantiles {
                if let Some(time) = time {
                    let mut labels = labels.clone();
                    labels.push(("quantile", quantile));
                    self.sample(&family, &labels, time.seconds(), 2);
                }
            }
            if let Some(sum) = sum(trend) {
                self.sample(&format!("{family}_count"), labels, trend.count as f64, 3);
                self.sample(&format!("{family}_sum"), labels, sum.seconds(), 2);
            }
        }
    }

    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let _ = writeln!(self.out, "# TYPE {name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(self.out, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.out, "# HELP {name} {help}");
    }

    /// A line, unless it was written before: names from outside may become the same.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64, digits: usize) {
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", label(value))).collect();
        let series =
            if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) };
        if value.is_finite() && self.seen.insert(series.clone()) {
            let _ = writeln!(self.out, "{series} {}", rounded(value, digits));
        }
    }
}

/// Seconds, bytes and shares as they are, without a prefix: what OpenMetrics asks for.
fn base_unit(unit: Unit) -> (&'static str, f64) {
    match unit {
        Unit::Milliseconds => ("seconds", 1e-3),
        Unit::Bytes => ("bytes", 1.0),
        Unit::Fraction => ("ratio", 1.0),
        Unit::Cores => ("cores", 1.0),
        Unit::Count | Unit::PerSecond => ("", 1.0),
    }
}

fn with_suffix(name: &str, suffix: &str) -> String {
    if suffix.is_empty() { name.to_owned() } else { format!("{name}_{suffix}") }
}

fn sum(trend: &Trend) -> Option<Ms> {
    trend.avg.map(|avg| Ms(avg.0 * trend.count as f64))
}

/// The value of a label: escaped as OpenMetrics has it, and without what GitLab takes for a comment.
fn label(value: &str) -> String {
    show::one_line(value, 200).replace('#', "♯").replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_text_has_every_metric() {
        insta::assert_snapshot!("metrics-fail", render(&sample::fail()));
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let text = render(&sample::invalid());
        assert!(text.contains("palier_verdict{palier_verdict=\"invalid\"} 1\n"), "{text}");
        assert!(!text.contains("\npalier_http_req_duration_seconds"), "{text}");
    }

    #[test]
    fn a_selector_becomes_labels() {
        assert_eq!(labels_of(""), []);
        assert_eq!(labels_of("{step:a b}"), [("step", "a b")]);
        assert_eq!(labels_of("{status:500,step:x}"), [("status", "500"), ("step", "x")]);
        assert_eq!(labels_of("{pattern:a, b}"), [("selector", "pattern:a, b")]);
        assert_eq!(labels_of("{le:5}"), [("selector", "le:5")]);
    }

    #[test]
    fn text_from_outside_stays_in_its_label() {
        let text = render(&sample::hostile());
        for line in text.lines() {
            assert!(line.starts_with('#') || !line.contains('#'), "{line}");
            assert!(line.starts_with("# ") || line.starts_with("palier_"), "{line}");
        }
        assert!(text.ends_with("\n# EOF\n"));
    }
}
