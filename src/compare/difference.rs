//! One figure of two runs: what it was, by how much it differs, and how sure that is.

use super::student;
use crate::words::Change;

/// What is compared of a run or of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// A quantile of `http_req_duration`, from 0 to 1.
    Quantile(f64),
    /// The mean of `http_req_duration`.
    Mean,
    /// Requests started, per second.
    Rate,
    /// Share of requests that failed, or of which a check did not hold.
    Errors,
    /// Share of requests that failed.
    Failed,
}

impl Figure {
    /// Whether more of it is worse.
    pub const fn is_better_when_small(self) -> bool {
        !matches!(self, Self::Rate)
    }

    /// Whether it is compared by its difference, in points, and not by its ratio: a share can be 0.
    pub const fn is_share(self) -> bool {
        matches!(self, Self::Errors | Self::Failed)
    }

    /// Fewer answers than this say nothing of a time, fewer requests nothing of all else: ten are to lie beyond a
    /// quantile, as for thresholds.
    pub fn least_samples(self) -> f64 {
        match self {
            Self::Quantile(q) if q < 1.0 => (10.0 / (1.0 - q) - 1e-6).ceil(),
            Self::Quantile(_) | Self::Mean | Self::Rate => 2.0,
            Self::Errors | Self::Failed => 1.0,
        }
    }
}

/// One figure of a run, or of one of its steps, beside that of the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The step; none for all of them together.
    pub step: Option<String>,
    /// What is compared.
    pub figure: Figure,
    /// What it was in the baseline: milliseconds, per second, or a share. Of several runs their mean.
    pub base: Option<f64>,
    /// What it is in the run.
    pub new: Option<f64>,
    /// The difference with what is known of its error; `None` where the figures rest on too few requests or windows.
    pub estimate: Option<Estimate>,
    /// What became of it.
    pub change: Change,
    /// The interval that the difference lies in, on the scale of [`Estimate::value`].
    pub interval: Option<(f64, f64)>,
    /// How many times as long both runs would have to be to say more; `None` where that is no matter of length.
    pub longer: Option<f64>,
}

/// A difference with what is known of its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The logarithm of new over base; of a share, new minus base.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
    /// The degrees of freedom of that.
    pub freedom: f64,
    /// The least difference that matters, on the same scale; positive.
    pub effect: f64,
}

impl Estimate {
    /// The interval in which the true value lies but for a share `alpha` of all cases.
    pub fn interval(&self, alpha: f64) -> (f64, f64) {
        let reach = self.reach(alpha);
        (self.value - reach, self.value + reach)
    }

    fn reach(&self, alpha: f64) -> f64 {
        student::quantile(1.0 - alpha / 2.0, self.freedom) * self.error
    }

    /// How probable so great a difference would be if the true one were just what does not matter yet, in both
    /// directions.
    pub fn chance(&self) -> f64 {
        let beyond = (self.value.abs() - self.effect) / self.error;
        (2.0 * student::cdf(-beyond, self.freedom)).min(1.0)
    }

    /// How many times as long the runs would have to be for an interval of that level to lie on one side of what
    /// matters. Errors shrink with the square root of time.
    fn longer(&self, alpha: f64) -> Option<f64> {
        let distance = (self.value.abs() - self.effect).abs();
        let times = (self.reach(alpha) / distance).powi(2);
        times.is_finite().then_some(times.max(1.1))
    }

    /// The least true change for the worse that is found in four of five such comparisons, on the same scale.
    pub fn detectable(&self, alpha: f64) -> f64 {
        let found = student::quantile(0.8, self.freedom) * self.error;
        self.effect + self.reach(alpha) + found
    }
}

/// Says what became of each, with a false discovery rate of `alpha` among all that is called changed (Benjamini &
/// Hochberg 1995): where nothing changed at all, that is the probability of any false alarm.
///
/// The intervals go with it. Of what is called changed they are those of Benjamini & Yekutieli ("False discovery
/// rate-adjusted multiple confidence intervals", 2005), which lie beyond what matters exactly where the test says so.
/// `Same` needs no correction: it is said where a plain interval lies within what does not matter.
pub fn settle(differences: &mut [Difference], alpha: f64) {
    let mut chances: Vec<f64> = differences.iter().filter_map(|it| Some(it.estimate?.chance())).collect();
    chances.sort_by(f64::total_cmp);
    let n = chances.len() as f64;
    let level = |rank: usize| alpha * rank as f64 / n;
    let changed = (1..=chances.len()).rev().find(|rank| chances[rank - 1] <= level(*rank)).unwrap_or(0);
    for difference in differences {
        let Some(estimate) = difference.estimate else { continue };
        if changed > 0 && estimate.chance() <= level(changed) {
            let worse = (estimate.value > 0.0) == difference.figure.is_better_when_small();
            difference.change = if worse { Change::Worse } else { Change::Better };
            difference.interval = Some(estimate.interval(level(changed)));
            continue;
        }
        let plain = estimate.interval(alpha);
        if plain.0 >= -estimate.effect && plain.1 <= estimate.effect {
            difference.change = Change::Same;
            difference.interval = Some(plain);
        } else {
            let level = level(changed + 1).min(alpha);
            difference.change = Change::Inconclusive;
            difference.interval = Some(estimate.interval(level));
            // Within what does not matter a plain interval is enough, beyond it it has to stand among many.
            let inside = estimate.value.abs() < estimate.effect;
            difference.longer = estimate.longer(if inside { alpha } else { level });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(value: f64, error: f64, figure: Figure) -> Difference {
        Difference {
            step: None,
            figure,
            base: Some(100.0),
            new: Some(100.0 * value.exp()),
            estimate: Some(Estimate { value, error, freedom: 30.0, effect: 0.05 }),
            change: Change::Inconclusive,
            interval: None,
            longer: None,
        }
    }

    fn settled<const N: usize>(cases: [(f64, f64, Figure); N]) -> Vec<Difference> {
        let mut all: Vec<Difference> =
            cases.map(|(value, error, figure)| difference(value, error, figure)).into();
        settle(&mut all, 0.05);
        all
    }

    #[test]
    fn what_differs_by_more_than_matters_is_better_or_worse() {
        let p95 = Figure::Quantile(0.95);
        let changes: Vec<Change> = settled([
            (0.2, 0.02, p95),
            (-0.2, 0.02, p95),
            (0.2, 0.02, Figure::Rate),
            (0.01, 0.01, p95),
            (0.04, 0.01, p95),
            (0.2, 0.2, p95),
        ])
        .iter()
        .map(|it| it.change)
        .collect();
        let wanted = [
            Change::Worse,
            Change::Better,
            Change::Better,
            Change::Same,
            Change::Inconclusive,
            Change::Inconclusive,
        ];
        assert_eq!(changes, wanted);
    }

    #[test]
    fn one_among_many_has_to_be_surer() {
        let p95 = Figure::Quantile(0.95);
        let near = (0.1, 0.02, p95);
        assert_eq!(settled([near])[0].change, Change::Worse);
        let many = settled([near, (0.0, 0.01, p95), (0.0, 0.01, p95), (0.0, 0.01, p95), (0.0, 0.01, p95)]);
        assert_eq!(many[0].change, Change::Inconclusive);
        assert!(many[0].longer.is_some_and(|it| (1.0..2.0).contains(&it)), "{:?}", many[0].longer);
        // Where others changed as well, it is believed more easily.
        let few = settled([near, (0.3, 0.01, p95), (0.3, 0.01, p95), (0.3, 0.01, p95), (0.0, 0.01, p95)]);
        assert_eq!(few[0].change, Change::Worse);
    }

    proptest::proptest! {
        /// What is said and the interval that is shown never contradict each other.
        #[test]
        fn intervals_lie_where_the_verdict_says(
            cases in proptest::collection::vec((-0.3..0.3_f64, 0.001..0.1_f64), 1..30),
        ) {
            let mut all: Vec<Difference> =
                cases.iter().map(|(value, error)| difference(*value, *error, Figure::Mean)).collect();
            settle(&mut all, 0.05);
            for it in all {
                let (low, high) = it.interval.expect("there is an estimate");
                let (inside, above, below) = (low >= -0.05 && high <= 0.05, low >= 0.05 - 1e-9, high <= -0.05 + 1e-9);
                match it.change {
                    Change::Same => proptest::prop_assert!(inside),
                    Change::Worse => proptest::prop_assert!(above),
                    Change::Better => proptest::prop_assert!(below),
                    Change::Inconclusive => proptest::prop_assert!(!inside && low < 0.05 + 1e-9 && high > -0.05 - 1e-9),
                }
            }
        }
    }
}
