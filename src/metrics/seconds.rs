//! The series: what happened in each second of the load.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Packed, Vitals};
use crate::plan::Plan;
use crate::words::ErrorKind;

/// A series keeps at most this many points, ten minutes of seconds; then neighbours are merged, so that memory does
/// not grow with the length of a run. As each value of a second may have a bucket of its own, which merging does not make
/// fewer, points of more than a second hold their times to two digits.
const MOST_POINTS: u32 = 600;

/// What happened in each second of the load, by the start of requests and the end of iterations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seconds {
    /// How many seconds a point holds: 1, and twice as many each time that neighbours are merged.
    resolution: u32,
    points: Vec<Point>,
}

/// One point of the series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// By step.
    pub steps: Vec<StepPoint>,
    /// Iterations that ended, by load.
    pub iterations: Vec<u64>,
    /// Virtual users that the schedule kept running, by load, at the beginning of the point. (Where seconds are
    /// merged, the first one's value stands: sums over workers and shards then stay exact in any order.)
    pub vus: Vec<u32>,
    /// Virtual users that existed, by load.
    pub vus_max: Vec<u32>,
    /// What the generator used of the machine.
    pub vitals: Vitals,
    /// Errors of requests that were started, by their kind.
    pub error_kinds: BTreeMap<ErrorKind, u64>,
}

/// One step in one point of the series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPoint {
    /// Requests started.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Those of them that failed, or of which a check did not hold.
    pub errors: u64,
    /// Checks that held.
    pub passes: u64,
    /// Checks that did not.
    pub fails: u64,
    /// Bytes written to the wire.
    pub sent: u64,
    /// Bytes read from the wire.
    pub received: u64,
    /// Their `http_req_duration`.
    pub durations: Packed,
}

impl Default for Seconds {
    fn default() -> Self {
        Self { resolution: 1, points: Vec::new() }
    }
}

impl Seconds {
    /// How much time a point holds.
    pub fn resolution(&self) -> Duration {
        Duration::from_secs(u64::from(self.resolution))
    }

    /// The points, the first at the start of the load.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Whether it can be the series of a plan; one from a file may not.
    pub(super) fn fit(&self, plan: &Plan) -> bool {
        let fits = |point: &Point| {
            let loads = [point.iterations.len(), point.vus.len(), point.vus_max.len()];
            point.steps.len() <= plan.steps.len() && loads.iter().all(|n| *n <= plan.loads.len())
        };
        self.resolution.is_power_of_two()
            && self.points.len() <= MOST_POINTS as usize
            && self.points.iter().all(fits)
    }

    /// The point that holds a second of the load.
    pub(super) fn at(&mut self, second: u32) -> &mut Point {
        while second / self.resolution >= MOST_POINTS {
            self.halve();
        }
        let index = (second / self.resolution) as usize;
        if self.points.len() <= index {
            self.points.resize_with(index + 1, Point::default);
        }
        &mut self.points[index]
    }

    /// Adds the series of another worker, shard or machine.
    pub(super) fn merge(&mut self, other: &Self) {
        while self.resolution < other.resolution {
            self.halve();
        }
        for (index, point) in (0_u32..).zip(&other.points) {
            self.at(index * other.resolution).merge(point, Gauges::Add);
        }
        if self.is_coarse() {
            self.points.iter_mut().for_each(Point::coarsen);
        }
    }

    /// Whether times are held to two digits.
    pub(super) fn is_coarse(&self) -> bool {
        self.resolution > 1
    }

    fn halve(&mut self) {
        self.resolution *= 2;
        let points = std::mem::take(&mut self.points);
        for pair in points.chunks(2) {
            let mut first = pair[0].clone();
            if let Some(second) = pair.get(1) {
                first.merge(second, Gauges::Keep);
            }
            first.coarsen();
            self.points.push(first);
        }
    }
}

/// What becomes of gauges when two points are merged.
#[derive(Clone, Copy)]
enum Gauges {
    /// The same second of two workers: their virtual users add up.
    Add,
    /// Two seconds of the same worker: the first one stands.
    Keep,
}

impl Point {
    fn merge(&mut self, other: &Self, gauges: Gauges) {
        for (index, add) in other.steps.iter().enumerate() {
            self.step(index).merge(add);
        }
        for (index, add) in other.iterations.iter().enumerate() {
            *entry(&mut self.iterations, index) += add;
        }
        self.vitals.merge(&other.vitals);
        for (kind, add) in &other.error_kinds {
            *self.error_kinds.entry(*kind).or_default() += add;
        }
        if let Gauges::Add = gauges {
            for (own, others) in [(&mut self.vus, &other.vus), (&mut self.vus_max, &other.vus_max)] {
                for (index, add) in others.iter().enumerate() {
                    *entry(own, index) += add;
                }
            }
        }
    }

    /// Holds the times of each step to two digits.
    pub(super) fn coarsen(&mut self) {
        self.steps.iter_mut().for_each(|step| step.durations.coarsen());
    }

    pub(super) fn step(&mut self, index: usize) -> &mut StepPoint {
        entry(&mut self.steps, index)
    }

    /// All steps together.
    pub fn total(&self) -> StepPoint {
        let mut total = StepPoint::default();
        for step in &self.steps {
            total.merge(step);
        }
        total
    }
}

impl StepPoint {
    /// Adds the figures of another point or step.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.errors += other.errors;
        self.passes += other.passes;
        self.fails += other.fails;
        self.sent += other.sent;
        self.received += other.received;
        self.durations.merge(&other.durations);
    }
}

/// The entry at an index of a vector that grows as needed.
pub(super) fn entry<T: Default>(entries: &mut Vec<T>, index: usize) -> &mut T {
    if entries.len() <= index {
        entries.resize_with(index + 1, T::default);
    }
    &mut entries[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_its_counts_in_fewer_points() {
        let mut seconds = Seconds::default();
        for second in 0..9_600 {
            seconds.at(second).step(0).requests += 1;
            *entry(&mut seconds.at(second).vus, 0) = second;
        }
        assert_eq!(seconds.resolution(), Duration::from_secs(16));
        assert_eq!(seconds.points().len(), 600);
        assert!(seconds.points().iter().all(|point| point.steps[0].requests == 16));
        assert_eq!(seconds.points()[0].vus, [0], "that of the first of its sixteen seconds");
    }

    #[test]
    fn series_of_different_resolution_merge_either_way() {
        let mut long = Seconds::default();
        for second in 0..5_000 {
            long.at(second).step(0).requests += 1;
        }
        let mut short = Seconds::default();
        for second in 0..20 {
            short.at(second).step(1).requests += 1;
        }
        let (mut left, mut right) = (long.clone(), short.clone());
        left.merge(&short);
        right.merge(&long);
        assert_eq!(left, right);
        assert_eq!(left.points()[0].steps[1].requests, 16);
    }

    #[test]
    fn what_is_kept_of_an_hour_grows_more_slowly_than_the_hour() {
        let mut chance = fastrand::Rng::with_seed(7);
        let mut seconds = Seconds::default();
        let mut held = Vec::new();
        for second in 0..3_600 {
            for step in 0..7 {
                let mut histogram = crate::metrics::Histogram::default();
                for _ in 0..50 {
                    let normal = (0..12).map(|_| chance.f64()).sum::<f64>() - 6.0;
                    let nanos = 270_000.0 * (normal * 0.8).exp();
                    histogram.record(Duration::from_secs_f64(nanos / 1e9));
                }
                seconds.at(second).step(step).durations.merge_histogram(&histogram);
            }
            if seconds.is_coarse() {
                seconds.at(second).coarsen();
            }
            if second % 300 == 299 {
                let sizes = seconds.points().iter().flat_map(|it| &it.steps).map(|it| it.durations.room());
                held.push(sizes.sum::<usize>());
            }
        }
        // Each five minutes: without two digits it would be as much again each time.
        assert!(held[11] < 4 * held[1] && held[11] < 2 * held[5], "{held:?}");
    }
}
