//! The whole distributions that a summary carries, unpacked.

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::Summary;
use crate::words::Metric;

/// The distribution of one step's times, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Distribution<'a> {
    /// The step, with the name of its load before it where the profile has several.
    pub step: &'a str,
    /// Its times.
    pub times: Histogram<u64>,
}

/// The distributions of a metric, by step, in the order of their names. One that cannot be read, because a summary
/// was edited or is of another version, is left out.
pub fn of_steps(summary: &Summary, metric: Metric) -> Vec<Distribution<'_>> {
    let Some(steps) = summary.histograms.get(metric.name()) else { return Vec::new() };
    let mut deserializer = Deserializer::new();
    let mut decode = |text: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        deserializer.deserialize::<u64, _>(&mut bytes.as_slice()).ok()
    };
    steps.iter().filter_map(|(step, text)| Some(Distribution { step, times: decode(text)? })).collect()
}

/// All of them in one; `None` where there is none.
pub fn total(distributions: &[Distribution<'_>]) -> Option<Histogram<u64>> {
    let mut total: Option<Histogram<u64>> = None;
    for distribution in distributions {
        match &mut total {
            None => total = Some(distribution.times.clone()),
            // palier writes all of them with the same bounds; others are left out rather than cut.
            Some(total) => drop(total.add(&distribution.times)),
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_a_summary_packs_is_unpacked() {
        let summary = sample::fail();
        let steps = of_steps(&summary, Metric::HttpReqDuration);
        assert_eq!(steps.len(), summary.steps.len());
        let total = total(&steps).expect("there are steps");
        assert_eq!(total.len(), summary.steps.iter().map(|it| it.requests).sum::<u64>());
    }

    #[test]
    fn what_is_no_histogram_is_left_out() {
        let mut summary = sample::pass();
        let steps = summary.histograms.get_mut("http_req_duration").expect("there are some");
        let n = steps.len();
        for (name, text) in [("a", "HISTFAAAA"), ("b", "not base64"), ("c", "")] {
            steps.insert(name.to_owned(), text.to_owned());
        }
        assert_eq!(of_steps(&summary, Metric::HttpReqDuration).len(), n);
        summary.histograms.clear();
        assert!(total(&of_steps(&summary, Metric::HttpReqDuration)).is_none());
    }
}
