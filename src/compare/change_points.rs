//! Where a series of runs changed its level.
//!
//! E-divisive (Matteson & James, "A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data", 2014)
//! looks for the split of a series whose halves are least alike, by the energy distance, and goes on in the halves. As
//! `MongoDB` and then `DataStax` found in practice (Fleming et al., "Hunter: Using Change Point Detection to Hunt for
//! Performance Regressions", 2023; now Apache Otava), it is applied in windows that overlap by half, so that a change far
//! away does not hide one here, and a split is believed by Student's t test, which, unlike a test by permutations, says the
//! same each time. Splits are found at ten times the level that is asked for, and the least sure one is dropped until all of
//! them are sure beside their neighbours.
//!
//! Two things differ from Otava, because there one of twenty series in which nothing changes is said to change (at its
//! level of 0.001, 60 runs). The split that is tested is the best of many, so its chance is that of any of them being so good
//! (Bonferroni). And the t test takes the deviations of samples, not those of populations, which are too small where there
//! are few runs; no split leaves less than [`LEAST`] runs on a side, so that one odd run is not a change.

use super::student;

/// How many runs a window holds.
const WINDOW: usize = 50;

/// No change is seen that has fewer runs on a side.
pub const LEAST: usize = 2;

/// How improbable a change must be to have come by chance.
pub const CHANCE: f64 = 0.01;

/// How much weaker a split may be at first.
const AT_FIRST: f64 = 10.0;

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first run on the new level.
    pub index: usize,
    /// The mean from the change before to this one.
    pub before: f64,
    /// The mean from here to the next change.
    pub after: f64,
    /// The probability of such a difference by chance.
    pub chance: f64,
}

impl ChangePoint {
    /// By how much the level changed, as a fraction; infinite from a level of 0.
    pub fn change(&self) -> f64 {
        self.after / self.before - 1.0
    }
}

/// The changes of a series, in its order.
pub fn change_points(series: &[f64]) -> Vec<ChangePoint> {
    let mut splits: Vec<usize> = Vec::new();
    let mut start = 0;
    while start < series.len() {
        let end = (start + WINDOW).min(series.len());
        let found = splits_of(&series[start..end]).into_iter().map(|split| start + split);
        let last = found.clone().max().unwrap_or(0);
        splits.extend(found);
        start = last.max(start + WINDOW / 2);
    }
    splits.sort_unstable();
    splits.dedup();
    sure(series, splits)
}

/// The splits of a window, by which its parts differ.
fn splits_of(window: &[f64]) -> Vec<usize> {
    let mut splits: Vec<usize> = Vec::new();
    loop {
        let parts = parts(window.len(), &splits);
        let best = parts
            .iter()
            .filter_map(|(from, to)| {
                let (split, end, distance) = best_split(&window[*from..*to])?;
                Some((from + split, distance, *from, from + end))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((split, _, from, to)) = best else { return splits };
        if chance(&window[from..split], &window[split..to]) >= CHANCE * AT_FIRST {
            return splits;
        }
        splits.push(split);
        splits.sort_unstable();
    }
}

/// The stretches between splits.
fn parts(length: usize, splits: &[usize]) -> Vec<(usize, usize)> {
    let from = std::iter::once(0).chain(splits.iter().copied());
    let to = splits.iter().copied().chain(std::iter::once(length));
    from.zip(to).collect()
}

/// Where a series is best split, where its right half ends, and how unlike the halves are. The right half may end before
/// the series does: what comes later may be of yet another level.
fn best_split(series: &[f64]) -> Option<(usize, usize, f64)> {
    let n = series.len();
    if n < 2 * LEAST {
        return None;
    }
    // Of each element, the sum of its distances to all of those from another one up to it.
    let mut column = vec![vec![0.0; n]; n + 1];
    for (to, value) in series.iter().enumerate() {
        for from in (0..to).rev() {
            column[from][to] = column[from + 1][to] + (series[from] - value).abs();
        }
    }
    // Of each end, the sum of the distances of all pairs from another element up to it.
    let within = |from: usize| {
        let mut sums = vec![0.0; n + 1];
        for to in from..n {
            sums[to + 1] = sums[to] + column[from][to];
        }
        sums
    };
    let from_start = within(0);
    let mut best: Option<(usize, usize, f64)> = None;
    for split in LEAST..=n - LEAST {
        let from_split = within(split);
        for end in split + LEAST..=n {
            let (left, right) = (split as f64, (end - split) as f64);
            let between = from_start[end] - from_start[split] - from_split[end];
            // The energy distance with each pair once, times what makes it comparable between splits (equations 5 to 8).
            let unlike = 2.0 / (left + right)
                * (between
                    - right / (left - 1.0) * from_start[split]
                    - left / (right - 1.0) * from_split[end]);
            if best.is_none_or(|(_, _, most)| unlike > most) {
                best = Some((split, end, unlike));
            }
        }
    }
    best
}

/// Drops the least sure split until all are sure.
fn sure(series: &[f64], mut splits: Vec<usize>) -> Vec<ChangePoint> {
    loop {
        let parts = parts(series.len(), &splits);
        let points: Vec<ChangePoint> = (splits.iter().zip(parts.windows(2)))
            .map(|(index, sides)| {
                let [left, right] = [sides[0], sides[1]].map(|(from, to)| &series[from..to]);
                ChangePoint {
                    index: *index,
                    before: mean(left),
                    after: mean(right),
                    chance: chance(left, right),
                }
            })
            .collect();
        let weakest = points.iter().enumerate().max_by(|a, b| a.1.chance.total_cmp(&b.1.chance));
        match weakest {
            Some((weakest, point)) if point.chance >= CHANCE => splits.remove(weakest),
            _ => return points,
        };
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The probability that a series of one level has any split between whose sides the means differ so much: Student's t
/// test, two-sided, with the variance of both sides together, times the number of splits.
fn chance(left: &[f64], right: &[f64]) -> f64 {
    let freedom = (left.len() + right.len()) as f64 - 2.0;
    if left.is_empty() || right.is_empty() || freedom < 1.0 {
        return 1.0;
    }
    let squares = |values: &[f64], mean: f64| values.iter().map(|it| (it - mean).powi(2)).sum::<f64>();
    let (left_mean, right_mean) = (mean(left), mean(right));
    let variance = (squares(left, left_mean) + squares(right, right_mean)) / freedom;
    let error = (variance * (1.0 / left.len() as f64 + 1.0 / right.len() as f64)).sqrt();
    let difference = (left_mean - right_mean).abs();
    if error <= f64::EPSILON * left_mean.abs().max(right_mean.abs()) {
        return if difference > error { 0.0 } else { 1.0 };
    }
    let of_one = 2.0 * student::cdf(-difference / error, freedom);
    (of_one * (freedom + 1.0)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(levels: &[(usize, f64)], noise: f64, seed: u64) -> Vec<f64> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut normal = || (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        levels
            .iter()
            .flat_map(|(n, level)| vec![*level; *n])
            .map(|level| level * (1.0 + noise * normal()))
            .collect()
    }

    fn indices(series: &[f64]) -> Vec<usize> {
        change_points(series).iter().map(|it| it.index).collect()
    }

    #[test]
    fn a_change_of_level_is_found_where_it_is() {
        let mut others = 0;
        for seed in 0..20 {
            let found = change_points(&noisy(&[(20, 100.0), (20, 120.0), (30, 90.0)], 0.02, seed));
            let first = found.iter().find(|it| it.index == 20).expect("the first is found");
            assert!((first.change() - 0.2).abs() < 0.03, "{found:?}");
            assert!(found.iter().any(|it| it.index == 40), "{found:?}");
            others += found.len() - 2;
        }
        assert!(others <= 2, "{others}");
    }

    #[test]
    fn an_odd_run_is_no_change() {
        let mut series = noisy(&[(40, 100.0)], 0.02, 3);
        series[20] = 200.0;
        assert!(indices(&series).is_empty());
    }

    #[test]
    fn what_does_not_change_is_quiet() {
        let alarms =
            (0..100).filter(|seed| !indices(&noisy(&[(60, 100.0)], 0.03, 1000 + seed)).is_empty()).count();
        assert!(alarms <= 10, "{alarms} of 100");
        assert!(indices(&[5.0; 30]).is_empty());
        assert!(
            indices(&[]).is_empty() && indices(&[1.0]).is_empty() && indices(&[1.0, 2.0, 3.0]).is_empty()
        );
    }

    #[test]
    fn a_change_without_any_noise_is_sure() {
        let found = change_points(&[vec![5.0; 10], vec![6.0; 10]].concat());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].index, found[0].chance), (10, 0.0));
    }
}
