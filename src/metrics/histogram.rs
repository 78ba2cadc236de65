//! A latency histogram with the bucket layout of `HdrHistogram` at 3 significant digits, in nanoseconds.
//!
//! Why not the `hdrhistogram` crate on the hot path: one `record` there costs about 1,300 instructions, and a
//! request on a kept connection records five; here all of them together cost about 600, the exact figures of their
//! trends and all that is counted beside them included (callgrind, on a plain GET). The layout is the same, bucket for bucket, so that
//! [`Histogram::to_hdr`] is lossless, and a test holds both against each other.
//!
//! Counters live in small pages that exist only where values fell, so an empty histogram costs nothing, a
//! worker hands its interval over by moving pages, and a thousand histograms fit in a few megabytes.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "values are capped at LONGEST, so buckets fit in 16 bits; ranks are positive"
)]

use std::time::Duration;

use hdrhistogram::Histogram as Hdr;
use serde::{Deserialize, Serialize};

/// Values up to here are told apart; longer ones are counted at it. The longest run that palier records.
pub const LONGEST: Duration = Duration::from_nanos(LONGEST_NANOS);
const LONGEST_NANOS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// 2,048 sub-buckets hold 3 significant digits (the next power of two above 2 × 10³).
const SUB_BUCKET_BITS: u32 = 11;
const SUB_BUCKET_HALF: u64 = 1 << (SUB_BUCKET_BITS - 1);
const SUB_BUCKET_MASK: u64 = (1 << SUB_BUCKET_BITS) - 1;

/// An eighth of an octave: wide enough to be found by a short search, small enough to be cheap when lonely.
const PAGE_LEN: usize = 128;

/// The bucket in which a value is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub struct Bucket(u16);

/// A number that is no bucket's.
#[derive(Debug, thiserror::Error)]
#[error("there is no bucket {0}")]
pub struct NoBucket(u16);

impl TryFrom<u16> for Bucket {
    type Error = NoBucket;

    fn try_from(number: u16) -> Result<Self, NoBucket> {
        if number <= Self::of(LONGEST_NANOS).0 { Ok(Self(number)) } else { Err(NoBucket(number)) }
    }
}

impl Bucket {
    /// The bucket of a value; values above [`LONGEST`] are put there.
    fn of(nanos: u64) -> Self {
        let nanos = nanos.min(LONGEST_NANOS);
        let magnitude = u64::BITS - SUB_BUCKET_BITS - (nanos | SUB_BUCKET_MASK).leading_zeros();
        let index =
            ((u64::from(magnitude) + 1) << (SUB_BUCKET_BITS - 1)) + (nanos >> magnitude) - SUB_BUCKET_HALF;
        // 24 h in nanoseconds has 47 bits, so there are at most 38 × 1,024 buckets.
        Self(index as u16)
    }

    /// The middle one of the eight that this bucket is one of.
    fn coarse(self) -> Self {
        Self((self.0 & !7 | 4).min(Self::of(LONGEST_NANOS).0))
    }

    /// The lowest value that falls into this bucket, in nanoseconds.
    fn lowest(self) -> u64 {
        let index = u64::from(self.0);
        if index < 2 * SUB_BUCKET_HALF {
            return index;
        }
        let magnitude = (index >> (SUB_BUCKET_BITS - 1)) - 1;
        ((index & (SUB_BUCKET_HALF - 1)) + SUB_BUCKET_HALF) << magnitude
    }

    /// The lowest and the highest value that fall into this bucket.
    pub fn range(self) -> (Duration, Duration) {
        (Duration::from_nanos(self.lowest()), Duration::from_nanos(self.highest()))
    }

    /// The highest value that falls into this bucket, in nanoseconds: within 0.1 % of the lowest.
    fn highest(self) -> u64 {
        Self(self.0 + 1).lowest() - 1
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    /// The index of its first bucket, divided by [`PAGE_LEN`].
    number: u16,
    counts: Box<[u64; PAGE_LEN]>,
}

/// Counts of values by bucket. Merging is exact, associative and commutative. Kept in files as the buckets that hold
/// values, with their counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(Bucket, u64)>", into = "Vec<(Bucket, u64)>")]
pub struct Histogram {
    /// In ascending order of their number.
    pages: Vec<Page>,
    /// Where in `pages` the last value fell: the next one is likely to fall there, too.
    latest: usize,
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.pages == other.pages
    }
}

impl Eq for Histogram {}

impl From<Histogram> for Vec<(Bucket, u64)> {
    fn from(histogram: Histogram) -> Self {
        histogram.buckets().collect()
    }
}

impl From<Vec<(Bucket, u64)>> for Histogram {
    fn from(buckets: Vec<(Bucket, u64)>) -> Self {
        let mut histogram = Self::default();
        // A bucket without a count is as if it did not stand there.
        for (bucket, count) in buckets.into_iter().filter(|(_, count)| *count > 0) {
            histogram.add(bucket, count);
        }
        histogram
    }
}

impl Histogram {
    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: Duration) {
        self.record_nanos(nanos(value), 1);
    }

    /// Counts one value, in nanoseconds, so many times.
    #[inline]
    pub(super) fn record_nanos(&mut self, value: u64, times: u64) {
        self.add(Bucket::of(value), times);
    }

    #[inline]
    fn add(&mut self, bucket: Bucket, count: u64) {
        let number = bucket.0 / PAGE_LEN as u16;
        let page = match self.pages.get_mut(self.latest) {
            Some(page) if page.number == number => page,
            _ => {
                self.latest = self.page(number);
                &mut self.pages[self.latest]
            }
        };
        page.counts[bucket.0 as usize % PAGE_LEN] += count;
    }

    /// Where in `pages` the page of that number is; made where there is none.
    fn page(&mut self, number: u16) -> usize {
        match self.pages.binary_search_by_key(&number, |page| page.number) {
            Ok(found) => found,
            Err(gap) => {
                self.pages.insert(gap, Page { number, counts: Box::new([0; PAGE_LEN]) });
                gap
            }
        }
    }

    /// Adds all of `other`'s counts to this one's.
    pub fn merge(&mut self, other: &Self) {
        for page in &other.pages {
            match self.pages.binary_search_by_key(&page.number, |own| own.number) {
                Ok(found) => {
                    for (own, add) in self.pages[found].counts.iter_mut().zip(page.counts.iter()) {
                        *own += add;
                    }
                }
                Err(gap) => self.pages.insert(gap, page.clone()),
            }
        }
    }

    /// The buckets that hold values, in ascending order, with their counts.
    pub fn buckets(&self) -> impl Iterator<Item = (Bucket, u64)> + '_ {
        self.pages.iter().flat_map(|page| {
            let first = page.number * PAGE_LEN as u16;
            (page.counts.iter().enumerate())
                .filter(|(_, count)| **count > 0)
                .map(move |(offset, count)| (Bucket(first + offset as u16), *count))
        })
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets().map(|(_, count)| count).sum()
    }

    /// The value at rank ⌈q·n⌉, as the highest one that its bucket holds: at most 0.1 % above the true one.
    /// `None` of an empty histogram. `q` outside 0 to 1 is taken as the nearer of the two.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        quantile(self.buckets(), self.count(), q)
    }

    /// How many values are certainly above `bound`: those in buckets that lie wholly above it.
    pub fn count_above(&self, bound: Duration) -> u64 {
        let bound = nanos(bound);
        self.buckets().filter(|(bucket, _)| bucket.lowest() > bound).map(|(_, count)| count).sum()
    }

    /// The same counts as a histogram of the `hdrhistogram` crate, in nanoseconds, for its file formats.
    pub fn to_hdr(&self) -> Hdr<u64> {
        // Bounds and digits are constants that `hdrhistogram` accepts, and no bucket lies above LONGEST.
        let mut hdr = Hdr::new_with_bounds(1, LONGEST_NANOS, 3).expect("invariant: valid bounds");
        for (bucket, count) in self.buckets() {
            hdr.record_n(bucket.lowest(), count).expect("invariant: a bucket of ours lies within the bounds");
        }
        hdr
    }
}

/// A histogram that is no longer recorded to, packed: 8 bytes a bucket that holds values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed(Vec<(Bucket, u32)>);

impl Packed {
    /// Adds the counts of a histogram. A counter stops at its limit of 4 billion a bucket and cell.
    pub fn merge_histogram(&mut self, other: &Histogram) {
        self.merge_sorted(
            other.buckets().map(|(bucket, count)| (bucket, u32::try_from(count).unwrap_or(u32::MAX))),
        );
    }

    /// Adds the counts of another packed histogram.
    pub fn merge(&mut self, other: &Self) {
        self.merge_sorted(other.0.iter().copied());
    }

    fn merge_sorted(&mut self, other: impl Iterator<Item = (Bucket, u32)>) {
        let own = std::mem::take(&mut self.0);
        let mut own = own.into_iter().peekable();
        for (bucket, count) in other {
            while let Some(lower) = own.next_if(|(mine, _)| *mine < bucket) {
                self.0.push(lower);
            }
            let mine = own.next_if(|(mine, _)| *mine == bucket).map_or(0, |(_, mine)| mine);
            self.0.push((bucket, mine.saturating_add(count)));
        }
        self.0.extend(own);
    }

    /// How many buckets there is room for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.0.capacity()
    }

    /// Keeps two digits of each value: eight neighbouring buckets become the one in their middle, at most 0.4 % away from
    /// each. However many values there are, the buckets are few then.
    pub(super) fn coarsen(&mut self) {
        let mut coarse: Vec<(Bucket, u32)> = Vec::new();
        for (bucket, count) in std::mem::take(&mut self.0) {
            let bucket = bucket.coarse();
            match coarse.last_mut() {
                Some((last, own)) if *last == bucket => *own = own.saturating_add(count),
                _ => coarse.push((bucket, count)),
            }
        }
        coarse.shrink_to_fit();
        self.0 = coarse;
    }

    /// Unpacks into a histogram.
    pub fn add_to(&self, histogram: &mut Histogram) {
        for (bucket, count) in &self.0 {
            histogram.add(*bucket, u64::from(*count));
        }
    }

    /// See [`Histogram::quantile`].
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.0.iter().map(|(_, count)| u64::from(*count)).sum();
        quantile(self.0.iter().map(|(bucket, count)| (*bucket, u64::from(*count))), count, q)
    }
}

fn quantile(buckets: impl Iterator<Item = (Bucket, u64)>, count: u64, q: f64) -> Option<Duration> {
    // A hair less, because 0.07 × 100 is 7.000000000000001 in floating point, and not rank 8.
    let rank = ((q.clamp(0.0, 1.0) * count as f64 * (1.0 - 4.0 * f64::EPSILON)).ceil() as u64).max(1);
    let mut seen = 0;
    for (bucket, count) in buckets {
        seen += count;
        if seen >= rank {
            return Some(Duration::from_nanos(bucket.highest()));
        }
    }
    None
}

/// A duration in whole nanoseconds; 584 years and more are the largest `u64`.
pub(super) fn nanos(value: Duration) -> u64 {
    value.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(value.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for value in values {
            histogram.record(Duration::from_nanos(*value));
        }
        histogram
    }

    #[test]
    fn what_is_coarse_is_near_and_stays_as_it_is() {
        let last = Bucket::of(LONGEST_NANOS).0;
        for number in 0..=last {
            let (fine, coarse) = (Bucket(number), Bucket(number).coarse());
            assert_eq!(coarse.coarse(), coarse);
            assert!(coarse.0 <= last && coarse.0.abs_diff(number) <= 4);
            let (fine, coarse) = (fine.highest() as f64, coarse.highest() as f64);
            // Below a microsecond buckets are a nanosecond wide.
            assert!((fine - coarse).abs() <= (fine * 0.004).max(4.0), "{fine} and {coarse}");
        }
        let histogram = recorded(&[270_000, 270_001, 270_300, 900_000, u64::MAX]);
        let mut packed = Packed::default();
        packed.merge_histogram(&histogram);
        packed.coarsen();
        assert_eq!(packed.0.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [3, 1, 1]);
    }

    #[test]
    fn a_bucket_without_a_count_is_none() {
        let read = Histogram::from(vec![(Bucket(7), 2), (Bucket(700), 0)]);
        assert_eq!(read, Histogram::from(vec![(Bucket(7), 2)]));
    }

    /// Latencies as they occur: all magnitudes from nanoseconds to hours.
    fn latencies() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec((0_u32..46).prop_flat_map(|bits| 0..(2_u64 << bits)), 0..200)
    }

    proptest! {
        #[test]
        fn buckets_and_quantiles_are_those_of_hdrhistogram(values in latencies(), q in 0.0..=1.0_f64) {
            let ours = recorded(&values);
            let mut oracle = Hdr::<u64>::new_with_bounds(1, LONGEST_NANOS, 3).unwrap();
            for value in &values {
                oracle.saturating_record(*value);
            }
            prop_assert_eq!(&ours.to_hdr(), &oracle);
            prop_assert_eq!(ours.count(), oracle.len());
            if !values.is_empty() {
                let theirs = oracle.value_at_quantile(q);
                prop_assert_eq!(ours.quantile(q), Some(Duration::from_nanos(theirs)));
            }
        }

        #[test]
        fn a_quantile_is_at_most_a_thousandth_above_the_exact_one(mut values in latencies(), q in 0.0..=1.0_f64) {
            prop_assume!(!values.is_empty());
            let found = nanos(recorded(&values).quantile(q).unwrap());
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1];
            prop_assert!(found >= exact && found - exact <= exact / 1000, "{found} for {exact}");
        }

        #[test]
        fn merging_is_recording_it_all_in_one(left in latencies(), right in latencies()) {
            let mut merged = recorded(&left);
            merged.merge(&recorded(&right));
            let mut other_way = recorded(&right);
            other_way.merge(&recorded(&left));
            let all: Vec<u64> = left.iter().chain(&right).copied().collect();
            prop_assert_eq!(&merged, &recorded(&all));
            prop_assert_eq!(&merged, &other_way);

            let mut packed = Packed::default();
            packed.merge_histogram(&recorded(&left));
            packed.merge_histogram(&recorded(&right));
            let mut unpacked = Histogram::default();
            packed.add_to(&mut unpacked);
            prop_assert_eq!(unpacked, merged);
        }
    }

    #[test]
    fn the_rank_of_a_whole_product_is_not_rounded_up() {
        let histogram = recorded(&(1..=100).collect::<Vec<_>>());
        assert_eq!(histogram.quantile(0.07), Some(Duration::from_nanos(7)));
    }

    #[test]
    fn what_is_longer_than_a_day_is_counted_at_a_day() {
        let histogram = recorded(&[u64::MAX]);
        assert_eq!(histogram.count(), 1);
        assert!(histogram.quantile(1.0).unwrap() >= LONGEST);
    }

    #[test]
    fn only_what_lies_wholly_above_a_bound_is_counted_above_it() {
        let histogram = recorded(&[100, 200, 300]);
        assert_eq!(histogram.count_above(Duration::from_nanos(200)), 1);
    }
}
