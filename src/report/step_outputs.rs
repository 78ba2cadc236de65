//! What a step of a GitHub workflow hands on to those after it: lines for the file that `GITHUB_OUTPUT` names.
//!
//! `steps.ID.outputs.verdict` and so on are then there for any step that calls `palier run`.

use std::fmt::Write as _;
use std::path::Path;

use super::{Format, Summary, show};
use crate::report::summary::MetricValues;
use crate::words::Metric;

/// `name=value`, a line each: verdict, exit code, p95 of all requests in milliseconds (empty where there is none), and
/// the paths of what others read, in `folder`.
pub fn render(summary: &Summary, folder: &Path) -> String {
    let p95 = match summary.metrics.get(Metric::HttpReqDuration.name()) {
        Some(MetricValues::Trend(trend)) => trend.p95,
        Some(MetricValues::Counter { .. } | MetricValues::Gauge { .. } | MetricValues::Rate { .. })
        | None => None,
    };
    let mut lines = format!("verdict={}\nexit-code={}\n", summary.verdict, summary.exit_code);
    let p95 = p95.map(|it| format!("{:.3}", it.0)).unwrap_or_default();
    let _ = writeln!(lines, "p95-ms={p95}");
    for (name, format) in [
        ("summary", Format::Summary),
        ("junit", Format::Junit),
        ("report", Format::PAGE),
        ("badge", Format::BadgeSvg),
    ] {
        let path = folder.join(format.file_name()).display().to_string();
        // A line end would begin an output of its own.
        let _ = writeln!(lines, "{name}={}", show::one_line(&path, 4096));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_step_hands_on_verdict_figure_and_paths() {
        let lines = render(&sample::fail(), Path::new("out"));
        assert_eq!(
            lines,
            "verdict=fail\nexit-code=99\np95-ms=182.400\nsummary=out/summary.json\njunit=out/junit.xml\n\
             report=out/report.html\nbadge=out/badge.svg\n"
        );
    }

    #[test]
    fn a_path_cannot_add_an_output() {
        let lines = render(&sample::invalid(), Path::new("out\nverdict=pass"));
        assert_eq!(
            lines.matches("\nverdict=").count() + usize::from(lines.starts_with("verdict=")),
            1,
            "{lines}"
        );
        assert!(lines.contains("\np95-ms=\n"), "what was not measured is empty: {lines}");
    }
}
