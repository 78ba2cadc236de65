//! A distribution of times: the histogram, with the exact figures beside it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::histogram::{Histogram, nanos};

/// Times of one kind: count, sum, least and greatest are exact, quantiles are within +0.1 %.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trend {
    count: u64,
    /// In nanoseconds, as the two below; 128 bits, because a billion requests of a minute each overflow 64.
    sum: u128,
    min: u64,
    max: u64,
    histogram: Histogram,
}

impl Default for Trend {
    fn default() -> Self {
        Self { count: 0, sum: 0, min: u64::MAX, max: 0, histogram: Histogram::default() }
    }
}

impl Trend {
    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: Duration) {
        self.record_many(value, 1);
    }

    /// Counts one value so many times.
    #[inline]
    pub fn record_many(&mut self, value: Duration, times: u64) {
        let value = nanos(value);
        self.count += times;
        self.sum += u128::from(value) * u128::from(times);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.histogram.record_nanos(value, times);
    }

    /// Adds all of `other`'s values to this one's: exact, associative and commutative.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.histogram.merge(&other.histogram);
    }

    /// The trend of values of which only the distribution is known: mean, least and greatest are within 0.1 %.
    pub fn of_histogram(histogram: Histogram) -> Self {
        let mut trend = Self::default();
        for (bucket, count) in histogram.buckets() {
            let (lowest, highest) = bucket.range();
            trend.count += count;
            trend.sum += u128::from(nanos((lowest + highest) / 2)) * u128::from(count);
            trend.min = trend.min.min(nanos(lowest));
            trend.max = trend.max.max(nanos(highest));
        }
        Self { histogram, ..trend }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The exact mean; `None` without values.
    pub fn avg(&self) -> Option<Duration> {
        let mean = self.sum.checked_div(u128::from(self.count))?;
        Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    /// The exact least value; `None` without values.
    pub fn min(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(self.min))
    }

    /// The exact greatest value; `None` without values.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(self.max))
    }

    /// The value at rank ⌈q·n⌉, at most 0.1 % above the true one and never above [`Trend::max`].
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let (min, max) = (self.min()?, self.max()?);
        self.histogram.quantile(q).map(|value| value.min(max).max(min))
    }

    /// The distribution itself.
    pub fn histogram(&self) -> &Histogram {
        &self.histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_greatest_and_mean_are_exact() {
        let mut trend = Trend::default();
        for value in [1_000_003, 2_000_001, 6_000_002] {
            trend.record(Duration::from_nanos(value));
        }
        assert_eq!(trend.min(), Some(Duration::from_nanos(1_000_003)));
        assert_eq!(trend.max(), Some(Duration::from_nanos(6_000_002)));
        assert_eq!(trend.avg(), Some(Duration::from_nanos(3_000_002)));
        assert_eq!(trend.quantile(1.0), Some(Duration::from_nanos(6_000_002)));
    }

    #[test]
    fn without_values_there_are_no_figures() {
        let trend = Trend::default();
        assert_eq!((trend.avg(), trend.min(), trend.max(), trend.quantile(0.5)), (None, None, None, None));
    }
}
