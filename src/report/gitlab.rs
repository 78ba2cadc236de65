//! `annotations.json`: links on the page of a GitLab job (`artifacts:reports:annotations`).
//!
//! One to `report.html` among the job's artifacts, with the verdict in its label. Outside of GitLab, or where the
//! reports lie beyond the project's folder, it has none.

use serde_json::json;

use super::show;
use super::summary::{MetricValues, Summary};
use crate::words::{Metric, Unit};

/// The document: a section, and its links.
pub fn render(summary: &Summary) -> String {
    let link = summary
        .run
        .environment
        .report_url
        .as_ref()
        .filter(|url| url.starts_with("http"))
        .map(|url| json!({ "external_link": { "label": label(summary), "url": url } }));
    let links: Vec<_> = link.into_iter().collect();
    format!("{:#}\n", json!({ "palier": links }))
}

/// `Load test quick: fail, p95 612 ms`
fn label(summary: &Summary) -> String {
    let p95 = match summary.metrics.get(Metric::HttpReqDuration.name()) {
        Some(MetricValues::Trend(trend)) => trend.p95,
        Some(MetricValues::Counter { .. } | MetricValues::Gauge { .. } | MetricValues::Rate { .. })
        | None => None,
    };
    let p95 = p95.map_or_else(String::new, |it| format!(", p95 {}", show::value(it.0, Unit::Milliseconds)));
    format!("Load test {}: {}{p95}", show::one_line(&summary.run.profile.name, 60), summary.verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_report_is_linked() {
        let mut summary = sample::fail();
        summary.run.environment.report_url =
            Some("https://gitlab.example.com/shop/-/jobs/42/artifacts/file/palier-report/report.html".into());
        insta::assert_snapshot!(render(&summary), @r#"
        {
          "palier": [
            {
              "external_link": {
                "label": "Load test quick: fail, p95 182 ms",
                "url": "https://gitlab.example.com/shop/-/jobs/42/artifacts/file/palier-report/report.html"
              }
            }
          ]
        }
        "#);
    }

    #[test]
    fn without_an_address_there_is_no_link() {
        assert_eq!(render(&sample::pass()), "{\n  \"palier\": []\n}\n");
    }
}
