//! CPU and memory of pods, from metrics.k8s.io.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::client::NoUsage;

/// A reading that has not changed for so long is stale, where the API does not take longer itself.
const STALE: Duration = Duration::from_secs(30);

/// What the metrics API answers.
#[derive(Debug, Deserialize)]
pub(super) struct PodMetricsList {
    pub(super) items: Vec<PodMetrics>,
}

/// What it says of one pod.
#[derive(Debug, Deserialize)]
pub(super) struct PodMetrics {
    metadata: Metadata,
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    window: String,
    containers: Vec<ContainerMetrics>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, Deserialize)]
struct ContainerMetrics {
    usage: BTreeMap<String, String>,
}

/// Which readings are known already.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// By pod: the time stamp of its last reading, and when that was seen first.
    known: BTreeMap<String, (String, Instant)>,
}

impl Usage {
    /// The pods with a new reading, their cores and bytes; why nothing can be known, where the newest is old.
    pub(super) fn take(
        &mut self,
        found: &[PodMetrics],
        now: Instant,
    ) -> Result<Vec<(String, f64, f64)>, NoUsage> {
        if found.is_empty() {
            return Err(NoUsage::Missing(
                "the metrics API (metrics.k8s.io) has no figures of these pods".to_owned(),
            ));
        }
        let mut fresh = Vec::new();
        let mut youngest = Duration::MAX;
        let mut longest = STALE;
        for pod in found {
            let name = &pod.metadata.name;
            let is_new = self.known.get(name).is_none_or(|(stamp, _)| *stamp != pod.timestamp);
            if is_new {
                self.known.insert(name.clone(), (pod.timestamp.clone(), now));
                let sum = |resource: &str| {
                    let values = pod.containers.iter().filter_map(|container| container.usage.get(resource));
                    values.filter_map(|value| quantity(value)).sum::<f64>()
                };
                fresh.push((name.clone(), sum("cpu"), sum("memory")));
            }
            if let Some((_, since)) = self.known.get(name) {
                youngest = youngest.min(now.saturating_duration_since(*since));
            }
            // A metrics server may collect less often; a reading of each window is due after it.
            let window = humantime::parse_duration(&pod.window).unwrap_or_default();
            longest = longest.max(window * 4);
        }
        self.known.retain(|name, _| found.iter().any(|pod| pod.metadata.name == *name));
        if youngest > longest {
            let age = crate::units::human_duration(Duration::from_secs(youngest.as_secs()));
            let text = format!("the metrics API (metrics.k8s.io) has had no new figures for {age}");
            return Err(NoUsage::Missing(text));
        }
        Ok(fresh)
    }
}

/// A quantity of Kubernetes: `250m`, `1.5`, `128Mi`, `12e3`.
fn quantity(text: &str) -> Option<f64> {
    let suffixes: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let found = suffixes.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, factor) = found.unwrap_or((text, 1.0));
    number.parse::<f64>().ok().map(|number| number * factor).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_all_their_units() {
        let close = |text: &str, value: f64| {
            let read = quantity(text).unwrap_or_else(|| panic!("{text}"));
            assert!((read - value).abs() <= value * 1e-12, "{text}: {read}");
        };
        close("250m", 0.25);
        close("1", 1.0);
        close("1.5", 1.5);
        close("123456789n", 0.123_456_789);
        close("15u", 0.000_015);
        close("128Mi", 134_217_728.0);
        close("64M", 64e6);
        close("12e3", 12_000.0);
        assert_eq!(quantity("lots"), None);
        assert_eq!(quantity(""), None);
    }

    fn metrics(stamp: &str) -> Vec<PodMetrics> {
        let text = format!(
            r#"{{"items": [{{"metadata": {{"name": "a"}}, "timestamp": "{stamp}", "window": "15s", "containers":
                [{{"name": "app", "usage": {{"cpu": "250m", "memory": "1Mi"}}}},
                 {{"name": "proxy", "usage": {{"cpu": "50m", "memory": "1Mi"}}}}]}}]}}"#
        );
        serde_json::from_str::<PodMetricsList>(&text).expect("metrics").items
    }

    #[test]
    fn a_reading_counts_once_and_grows_old() {
        let mut usage = Usage::default();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(usage.take(&metrics("1"), at(0)), Ok(vec![("a".to_owned(), 0.3, 2_097_152.0)]));
        assert_eq!(usage.take(&metrics("1"), at(59)), Ok(Vec::new()));
        let stale = usage.take(&metrics("1"), at(61)).expect_err("stale");
        assert!(matches!(stale, NoUsage::Missing(why) if why.ends_with("no new figures for 1m1s")));
        assert_eq!(usage.take(&metrics("2"), at(62)).map(|fresh| fresh.len()), Ok(1));
        assert!(usage.take(&[], at(63)).is_err());
    }
}
