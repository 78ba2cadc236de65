//! A run as it is compared: its requests by step and by window of time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metrics::{Bucket, Histogram, Results, StepPoint, Stop};
use crate::plan::{LoadId, Plan, Span, StepId};
use crate::profile::UNNAMED_LOAD;
use crate::words::{Metric, Phase};

/// More windows than this tell no more, and cost their place in the summary.
pub const MOST_WINDOWS: usize = 120;

/// What is compared of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// What must be known of the run beside its figures.
    pub run: Circumstances,
    /// The length of a window: a power of two of seconds, so that windows of two runs always fit together.
    pub window: Duration,
    /// Every step, in the order of the scenario.
    pub steps: Vec<Step>,
}

/// What must be known of a run beside its figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Circumstances {
    /// What tells it from others, for messages: its id.
    pub id: String,
    /// The profile's name.
    pub profile: String,
    /// When it began, RFC 3339.
    pub start: String,
    /// The commit that was tested, where it is known.
    pub commit: Option<String>,
    /// The same for machines whose figures may be compared.
    pub fingerprint: String,
    /// The time that rates are per second of.
    pub load: Duration,
    /// Stages as they were planned: load, start, duration, target. Runs with the same are compared in pairs of windows.
    pub stages: Vec<(Option<String>, Duration, Duration, f64)>,
    /// Whether palier itself kept up.
    pub sound: bool,
    /// Whether the load went as far as its plan.
    pub complete: bool,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Its name, with its load's before it where there are several.
    pub name: String,
    /// By window, the first at the start of the load. What began after the load's time is in the last one that there
    /// is, or in none.
    pub windows: Vec<Window>,
    /// `http_req_duration` of the whole run, as finely as it was recorded.
    pub times: Times,
}

/// The requests of a step that began in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// All of them.
    pub requests: u64,
    /// Without an answer, or with a status that nobody expects.
    pub failed: u64,
    /// Failed, or with a check that did not hold.
    pub errors: u64,
    /// Their `http_req_duration`, to two digits.
    pub times: Times,
}

/// A distribution of times: disjoint ranges of nanoseconds in ascending order, with the number of values in each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times(pub Vec<Bin>);

/// So many values within a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The lowest value of the range, in nanoseconds.
    pub from: f64,
    /// The width of the range, in nanoseconds.
    pub width: f64,
    /// How many values fell into it; not always whole, because resampled series are weighted.
    pub count: f64,
}

impl Times {
    /// How many values there are.
    pub fn count(&self) -> f64 {
        self.0.iter().map(|bin| bin.count).sum()
    }

    /// The value at rank ⌈q·n⌉, as the highest of its range, in milliseconds: the figure that every report shows.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = (q * self.count() * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0);
        let mut seen = 0.0;
        self.0.iter().find_map(|bin| {
            seen += bin.count;
            (seen >= rank).then(|| (bin.from + bin.width - 1.0) / 1e6)
        })
    }

    /// The mean, each value taken as the middle of its range, in milliseconds.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        let sum: f64 = self.0.iter().map(|bin| (bin.from + bin.width / 2.0) * bin.count).sum();
        (count > 0.0).then(|| sum / count / 1e6)
    }

    /// Adds the values of another.
    pub fn merge(&mut self, other: &Self) {
        let mut all: Vec<Bin> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_by(|a, b| a.from.total_cmp(&b.from));
        all.dedup_by(|next, own| {
            #[expect(clippy::float_cmp, reason = "the same bucket has the same whole number")]
            let same = next.from == own.from;
            if same {
                own.count += next.count;
            }
            same
        });
        self.0 = all;
    }
}

impl Window {
    /// Adds the requests of another.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.errors += other.errors;
        self.times.merge(&other.times);
    }
}

impl Recording {
    /// The same run with windows twice as long.
    pub fn halve(&mut self) {
        self.window *= 2;
        for step in &mut self.steps {
            let windows = std::mem::take(&mut step.windows);
            step.windows = (windows.chunks(2))
                .map(|pair| {
                    let mut first = pair[0].clone();
                    pair.iter().skip(1).for_each(|second| first.merge(second));
                    first
                })
                .collect();
        }
    }

    /// Whether there is a step of that name.
    pub fn has(&self, step: &str) -> bool {
        self.steps.iter().any(|own| own.name == step)
    }

    /// How many windows lie wholly within the load's time.
    pub fn whole_windows(&self) -> usize {
        let windows = self.run.load.as_millis() / self.window.as_millis().max(1);
        usize::try_from(windows).unwrap_or(usize::MAX).min(self.most_windows())
    }

    fn most_windows(&self) -> usize {
        self.steps.iter().map(|step| step.windows.len()).max().unwrap_or_default()
    }

    /// What was recorded in a run: the load and its grace, by the start of requests.
    pub fn of_results(plan: &Plan, results: &Results, run: Circumstances) -> Self {
        let seconds = &results.seconds;
        let mut window = seconds.resolution();
        let mut per_window = 1;
        while seconds.points().len().div_ceil(per_window) > MOST_WINDOWS {
            per_window *= 2;
            window *= 2;
        }
        let steps = plan.loads.iter().flat_map(|load| &load.steps).map(|id| {
            let windows = seconds.points().chunks(per_window).map(|points| {
                let mut all = StepPoint::default();
                points.iter().filter_map(|it| it.steps.get(usize::from(id.0))).for_each(|it| all.merge(it));
                let mut times = Histogram::default();
                all.durations.add_to(&mut times);
                Window {
                    requests: all.requests,
                    failed: all.failed,
                    errors: all.errors,
                    times: of_histogram(&times).coarse(),
                }
            });
            Step { name: step_name(plan, *id), windows: windows.collect(), times: whole(plan, results, *id) }
        });
        Self { run, window, steps: steps.collect() }
    }
}

impl Circumstances {
    /// What plan and results know of them; the rest is left empty.
    pub fn of(plan: &Plan, results: &Results) -> Self {
        let whole =
            |time: Duration| Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let spans = plan.spans_of(Phase::Load).map(|id| plan.span(id));
        let stage = |span: &Span| {
            let load = span.load.and_then(|load| load_name(plan, load));
            (load, whole(span.start), whole(span.duration), span.target.unwrap_or_default())
        };
        let mut stages: Vec<_> = spans.map(stage).collect();
        stages.sort_by_key(|(_, start, ..)| *start);
        Self {
            id: plan.run.clone(),
            profile: plan.profile.clone(),
            load: results.elapsed,
            stages,
            complete: matches!(results.stop, Stop::Done),
            ..Self::default()
        }
    }
}

/// The name of a load, where there is more than one, or it has a name of its own.
pub fn load_name(plan: &Plan, load: LoadId) -> Option<String> {
    let name = &plan.load(load).name;
    (plan.loads.len() > 1 || name != UNNAMED_LOAD).then(|| plan.secrets.mask(name).into_owned())
}

/// The name that a step has among those of all loads.
pub fn step_name(plan: &Plan, id: StepId) -> String {
    let step = plan.step(id);
    let name = plan.secrets.mask(&step.name);
    match step.load.and_then(|load| load_name(plan, load)) {
        Some(load) => format!("{load}: {name}"),
        None => name.into_owned(),
    }
}

fn whole(plan: &Plan, results: &Results, step: StepId) -> Times {
    let mut all = Histogram::default();
    for span in plan.spans_of(Phase::Load).chain(plan.spans_of(Phase::Grace)) {
        let trend = results.cell(span, step).and_then(|cell| cell.trends.of(Metric::HttpReqDuration));
        if let Some(trend) = trend {
            all.merge(trend.histogram());
        }
    }
    of_histogram(&all)
}

fn of_histogram(histogram: &Histogram) -> Times {
    let bin = |(bucket, count): (Bucket, u64)| {
        let (from, to) = bucket.range();
        let (from, to) = (from.as_nanos() as f64, to.as_nanos() as f64);
        Bin { from, width: to - from + 1.0, count: count as f64 }
    };
    Times(histogram.buckets().map(bin).collect())
}

/// Buckets of a histogram with two significant digits: half of the 256 to each power of two.
const COARSE: u32 = 7;

impl Times {
    /// The same to two digits: ranges of at most 0.8 % of their values, as `HdrHistogram` has them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole nanoseconds below 2^53, which are exact"
    )]
    #[must_use]
    pub fn coarse(&self) -> Self {
        let mut bins: BTreeMap<u64, Bin> = BTreeMap::new();
        for bin in &self.0 {
            let value = bin.from as u64;
            let bits = u64::BITS - value.leading_zeros();
            let shift = bits.saturating_sub(COARSE + 1);
            let from = value >> shift << shift;
            let own = bins.entry(from).or_insert(Bin {
                from: from as f64,
                width: (1_u64 << shift) as f64,
                count: 0.0,
            });
            own.count += bin.count;
        }
        Self(bins.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(values: &[u64]) -> Times {
        let mut histogram = Histogram::default();
        for value in values {
            histogram.record(Duration::from_nanos(*value));
        }
        of_histogram(&histogram)
    }

    proptest::proptest! {
        #[test]
        fn coarse_ranges_are_those_of_hdrhistogram(values in proptest::collection::vec(1_u64..1 << 40, 1..50)) {
            let mut oracle = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << 41, 2).expect("valid");
            for value in &values {
                oracle.record(*value).expect("in bounds");
            }
            let theirs: Vec<(f64, f64, f64)> = (oracle.iter_recorded())
                .map(|it| {
                    let lowest = oracle.lowest_equivalent(it.value_iterated_to());
                    let width = oracle.highest_equivalent(lowest) - lowest + 1;
                    (lowest as f64, width as f64, it.count_at_value() as f64)
                })
                .collect();
            let ours: Vec<(f64, f64, f64)> =
                times(&values).coarse().0.iter().map(|bin| (bin.from, bin.width, bin.count)).collect();
            proptest::prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn figures_are_those_of_the_histogram(values in proptest::collection::vec(1_u64..1 << 40, 1..50), q in 0.0..1.0_f64) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.record(Duration::from_nanos(*value));
            }
            let theirs = histogram.quantile(q).map(|it| it.as_nanos() as f64 / 1e6);
            proptest::prop_assert_eq!(of_histogram(&histogram).quantile(q), theirs);
        }
    }

    #[test]
    fn windows_of_runs_of_any_length_can_be_made_to_fit() {
        let window = |n: u64| Window { requests: n, times: times(&[n * 1000]), ..Window::default() };
        let mut recording = Recording {
            run: Circumstances { load: Duration::from_secs(5), ..Circumstances::default() },
            window: Duration::from_secs(1),
            steps: vec![Step { windows: (1..=5).map(window).collect(), ..Step::default() }],
        };
        assert_eq!(recording.whole_windows(), 5);
        recording.halve();
        assert_eq!(recording.whole_windows(), 2, "the third window is only half within the load");
        let requests: Vec<u64> = recording.steps[0].windows.iter().map(|it| it.requests).collect();
        assert_eq!(requests, [3, 7, 5]);
        assert!((recording.steps[0].windows[0].times.count() - 2.0).abs() < 1e-12);
    }
}
