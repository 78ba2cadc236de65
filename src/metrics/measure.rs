//! What a metric was, over the run or over a window of it, in the cells and seconds that a selection picks.
//!
//! Verdict and reports both ask here, so that a threshold never judges another figure than the one that is shown.

use std::time::Duration;

use super::{Histogram, Offset, Point, Results, Share, StepPoint, Stretch, Trend, Used, Vitals, Watch};
use crate::plan::{Aggregation, LoadId, Plan, Selection, SpanId};
use crate::words::{Metric, MetricKind, ObservedPhase, Phase};

/// What a metric was, by its kind.
#[derive(Clone, Debug)]
pub enum Measured {
    /// A sum: over all that was selected, and over the part of it that counts in rates.
    Counter {
        /// All of it.
        count: f64,
        /// What lies within the load's time.
        rated: f64,
        /// That time.
        time: Duration,
    },
    /// Yes among yes and no.
    Rate {
        /// Yes.
        yes: u64,
        /// Yes and no.
        total: u64,
    },
    /// The values of a gauge, in order of time.
    Gauge(Vec<f64>),
    /// A distribution of times; some of them may be lower bounds of what is not known.
    Trend {
        /// The distribution.
        trend: Box<Trend>,
        /// How many of its values are lower bounds.
        lower_bounds: u64,
    },
}

impl Measured {
    /// The figure that the aggregation makes of it, in milliseconds, fractions, counts or per second; `None`
    /// where there is nothing that it could be made of.
    pub fn figure(&self, aggregation: Aggregation) -> Option<f64> {
        match self {
            Self::Counter { count, rated, time } => match aggregation {
                Aggregation::Rate => (!time.is_zero()).then(|| rated / time.as_secs_f64()),
                Aggregation::Count
                | Aggregation::Value
                | Aggregation::Avg
                | Aggregation::Min
                | Aggregation::Med
                | Aggregation::Max
                | Aggregation::Percentile(_) => Some(*count),
            },
            Self::Rate { yes, total } => (*total > 0).then(|| *yes as f64 / *total as f64),
            Self::Gauge(values) => match aggregation {
                Aggregation::Min => values.iter().copied().reduce(f64::min),
                Aggregation::Max => values.iter().copied().reduce(f64::max),
                Aggregation::Value
                | Aggregation::Count
                | Aggregation::Rate
                | Aggregation::Avg
                | Aggregation::Med
                | Aggregation::Percentile(_) => values.last().copied(),
            },
            Self::Trend { trend, .. } => {
                let time = match aggregation {
                    Aggregation::Count => return Some(trend.count() as f64),
                    Aggregation::Min => trend.min(),
                    Aggregation::Max => trend.max(),
                    Aggregation::Avg | Aggregation::Rate | Aggregation::Value => trend.avg(),
                    Aggregation::Med | Aggregation::Percentile(_) => trend.quantile(aggregation.quantile()?),
                };
                time.map(millis)
            }
        }
    }

    /// How many samples there are, of what consists of samples.
    pub fn samples(&self) -> Option<u64> {
        match self {
            Self::Counter { .. } => None,
            Self::Rate { total, .. } => Some(*total),
            Self::Gauge(values) => Some(values.len() as u64),
            Self::Trend { trend, .. } => Some(trend.count()),
        }
    }
}

/// A duration in milliseconds, the unit of every threshold on times.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What a metric was over the whole run.
pub fn over_run(plan: &Plan, results: &Results, metric: Metric, selection: &Selection) -> Measured {
    let rated_spans: Vec<SpanId> =
        (selection.spans.iter().copied()).filter(|span| plan.span(*span).phase == Phase::Load).collect();
    let time = results.rated_time(plan, &rated_spans);
    let requests = || results.select(selection);
    let in_stages = || {
        let mut selection = selection.clone();
        selection.spans.clone_from(&rated_spans);
        results.select(&selection)
    };
    let counter =
        |count: u64, rated: u64| Measured::Counter { count: count as f64, rated: rated as f64, time };
    match metric {
        Metric::HttpReqs => counter(requests().requests, in_stages().requests),
        Metric::DataSent => counter(requests().sent, in_stages().sent),
        Metric::DataReceived => counter(requests().received, in_stages().received),
        Metric::HttpReqCut => {
            let cause = selection.cause;
            counter(results.cut(&requests(), cause), results.cut(&in_stages(), cause))
        }
        Metric::Iterations => counter(
            results.iterations_of(&selection.spans).completed,
            results.iterations_of(&rated_spans).completed,
        ),
        Metric::DroppedIterations => {
            let dropped = results.iterations_of(&selection.spans).dropped;
            counter(dropped, dropped)
        }
        Metric::HttpReqFailed => {
            let cell = requests();
            Measured::Rate { yes: cell.failed, total: cell.requests }
        }
        Metric::Errors => {
            let cell = requests();
            Measured::Rate { yes: cell.errors, total: cell.requests }
        }
        Metric::Checks => {
            let (passes, fails) = results.checks(selection);
            Measured::Rate { yes: passes, total: passes + fails }
        }
        Metric::Vus => Measured::Gauge(vus(plan, results, selection, |point| &point.vus)),
        Metric::VusMax => Measured::Gauge(vus(plan, results, selection, |point| &point.vus_max)),
        Metric::GeneratorCpu => vitals(results, |vitals| vitals.cpu.map(Share::get)),
        Metric::GeneratorThrottled => vitals(results, |vitals| vitals.throttled.map(Share::get)),
        Metric::GeneratorSockets => vitals(results, |vitals| vitals.sockets.map(|sockets| sockets as f64)),
        Metric::GeneratorDescriptors => vitals(results, |vitals| vitals.descriptors.map(Used::share)),
        Metric::GeneratorPorts => vitals(results, |vitals| vitals.ports.map(Used::share)),
        Metric::GeneratorLag => whole(results.generator.lag.clone()),
        Metric::GeneratorDelay => whole(results.generator.delay.clone()),
        Metric::IterationDuration => whole(results.iterations_of(&selection.spans).durations),
        Metric::IterationLag => whole(results.iterations_of(&selection.spans).lag),
        Metric::HttpReqDuration
        | Metric::HttpReqBlocked
        | Metric::HttpReqConnecting
        | Metric::HttpReqTlsHandshaking
        | Metric::HttpReqSending
        | Metric::HttpReqWaiting
        | Metric::HttpReqReceiving
        | Metric::HttpReqCorrected => {
            let cell = requests();
            let trend = cell.trends.of(metric).cloned().unwrap_or_default();
            let corrected = metric == Metric::HttpReqCorrected;
            let lower_bounds = if corrected { cell.corrected_lower_bounds } else { cell.lower_bounds };
            Measured::Trend { trend: Box::new(trend), lower_bounds }
        }
        Metric::HpaReplicas
        | Metric::HpaDesiredReplicas
        | Metric::HpaCpu
        | Metric::HpaScaleUpTime
        | Metric::HpaScaleDownTime
        | Metric::PodsReady
        | Metric::PodRestarts
        | Metric::PodCrashLoops
        | Metric::PodCpu
        | Metric::PodMemory
        | Metric::MysqlThreadsConnected
        | Metric::MysqlConnectionsUsed
        | Metric::MysqlConnectionsRefused
        | Metric::MysqlAbortedConnects
        | Metric::MysqlDeadlocks
        | Metric::MysqlLockWaitTimeouts
        | Metric::MysqlRowLockWaits
        | Metric::MysqlRowLockTime
        | Metric::MysqlSlowQueries
        | Metric::MysqlQueries
        | Metric::MysqlBufferPoolHits
        | Metric::MysqlTmpDiskTables
        | Metric::MysqlRestarts
        | Metric::LogMatches => {
            let mut selection = selection.clone();
            if metric == Metric::HpaScaleDownTime {
                // There is none before the load is over.
                selection.observed = ObservedPhase::After;
            }
            observed(plan, results, metric, &selection, &stretches_of(plan, results, &selection))
        }
    }
}

fn whole(trend: Trend) -> Measured {
    Measured::Trend { trend: Box::new(trend), lower_bounds: 0 }
}

/// What the generator used of the machine, second by second; a second of which nobody says it is left out.
fn vitals(results: &Results, of: impl Fn(&Vitals) -> Option<f64>) -> Measured {
    Measured::Gauge(results.seconds.points().iter().filter_map(|point| of(&point.vitals)).collect())
}

/// The virtual users of the selected loads, in the seconds of the selected stages.
fn vus(plan: &Plan, results: &Results, selection: &Selection, of: impl Fn(&Point) -> &Vec<u32>) -> Vec<f64> {
    let spans = || selection.spans.iter().map(|span| plan.span(*span));
    let mut loads: Vec<LoadId> = spans().filter_map(|span| span.load).collect();
    loads.sort_unstable();
    loads.dedup();
    let resolution = results.seconds.resolution();
    let mut values = Vec::new();
    let mut at = Duration::ZERO;
    for point in results.seconds.points() {
        let selected = spans().any(|span| {
            span.phase == Phase::Load
                && span.start <= at
                && at < (span.start + span.duration).min(results.elapsed)
        });
        if selected {
            let of_load = |load: &LoadId| of(point).get(usize::from(load.0)).copied().unwrap_or_default();
            values.push(f64::from(loads.iter().map(of_load).sum::<u32>()));
        }
        at += resolution;
    }
    values
}

/// The stretches of the run that a selection of an observed metric picks: before the load, the load until its last
/// iteration is over, single stages of it, or what comes after.
pub fn stretches_of(plan: &Plan, results: &Results, selection: &Selection) -> Vec<Stretch> {
    let over = results.observed.over.unwrap_or(Offset::after(results.elapsed));
    let first = results.observed.watches.iter().filter_map(Watch::first_look).min();
    let last = results.observed.watches.iter().filter_map(Watch::last_look).max();
    match selection.observed {
        ObservedPhase::Before => {
            let from = first.unwrap_or(Offset::ZERO).min(Offset::ZERO);
            vec![Stretch { from, to: Offset::ZERO }]
        }
        ObservedPhase::After => vec![Stretch { from: over, to: last.unwrap_or(over).max(over) }],
        ObservedPhase::During
            if selection.spans.iter().any(|span| plan.span(*span).phase == Phase::Grace) =>
        {
            vec![Stretch { from: Offset::ZERO, to: over }]
        }
        ObservedPhase::During => (stretches(plan, results, selection).into_iter())
            .map(|(from, to)| Stretch { from: Offset::after(from), to: Offset::after(to) })
            .collect(),
    }
}

/// What an observed metric was within some stretches.
fn observed(
    plan: &Plan,
    results: &Results,
    metric: Metric,
    selection: &Selection,
    stretches: &[Stretch],
) -> Measured {
    let index = plan.observers.iter().position(|observer| Some(observer.kind()) == metric.observer());
    let watch = index.and_then(|index| results.observed.watches.get(index));
    let tracks: Vec<_> =
        watch.into_iter().flat_map(|watch| watch.tracks_of(metric, &selection.labels)).collect();
    let growth = |stretches: &[Stretch]| {
        let each = stretches.iter().flat_map(|stretch| tracks.iter().map(|track| track.growth(*stretch)));
        each.fold((0.0, 0.0), |(value, of), (more, of_more)| (value + more, of + of_more))
    };
    match metric.kind() {
        MetricKind::Counter | MetricKind::Trend => {
            // Rates are per second of the load's own time, as those of requests are.
            let end = if selection.observed == ObservedPhase::During {
                Offset::after(results.elapsed)
            } else {
                Offset::LAST
            };
            let rated: Vec<Stretch> = (stretches.iter())
                .map(|stretch| Stretch { to: stretch.to.min(end).max(stretch.from), ..*stretch })
                .collect();
            let time = rated.iter().map(|stretch| stretch.length()).sum();
            Measured::Counter { count: growth(stretches).0, rated: growth(&rated).0, time }
        }
        MetricKind::Rate => {
            let (yes, total) = growth(stretches);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counts of a source, which never shrink"
            )]
            Measured::Rate { yes: yes.max(0.0) as u64, total: total.max(0.0) as u64 }
        }
        MetricKind::Gauge => {
            let mut readings: Vec<_> = (stretches.iter())
                .flat_map(|stretch| tracks.iter().flat_map(|track| track.within(*stretch)))
                .collect();
            readings.sort_by_key(|reading| reading.at);
            Measured::Gauge(readings.into_iter().map(|reading| reading.value).collect())
        }
    }
}

/// What a metric was in each window of that length that lies wholly in the selected stages, as
/// far as they were run. Windows slide in steps of a second, or of a point of a longer series.
pub fn over_windows(
    plan: &Plan,
    results: &Results,
    metric: Metric,
    selection: &Selection,
    length: Duration,
) -> Vec<Measured> {
    let resolution = results.seconds.resolution();
    let n_points = length.as_nanos().div_ceil(resolution.as_nanos());
    let n_points = usize::try_from(n_points).unwrap_or(usize::MAX).max(1);
    let window = resolution * u32::try_from(n_points).unwrap_or(u32::MAX);
    let stretches = stretches(plan, results, selection);
    let mut windows = Vec::new();
    if metric.observer().is_some() {
        return observed_windows(plan, results, metric, selection, length);
    }
    for first in 0..(results.seconds.points().len() + 1).saturating_sub(n_points) {
        let begin = resolution * u32::try_from(first).unwrap_or(u32::MAX);
        let end = begin + window;
        if stretches.iter().any(|(from, to)| *from <= begin && end <= *to) {
            let mut all = StepPoint::default();
            for index in first..first + n_points {
                all.merge(&results.point(index, &selection.steps));
            }
            windows.extend(of_point(metric, &all, window));
        }
    }
    windows
}

/// The same of an observed metric: windows slide by a second over each stretch.
fn observed_windows(
    plan: &Plan,
    results: &Results,
    metric: Metric,
    selection: &Selection,
    length: Duration,
) -> Vec<Measured> {
    let mut windows = Vec::new();
    for stretch in stretches_of(plan, results, selection) {
        let mut from = stretch.from;
        while from.plus(length) <= stretch.to {
            let window = [Stretch { from, to: from.plus(length) }];
            windows.push(observed(plan, results, metric, selection, &window));
            from = from.plus(Duration::from_secs(1));
        }
    }
    windows
}

/// The stretches of time that the selected stages cover without a gap, as far as the load went.
fn stretches(plan: &Plan, results: &Results, selection: &Selection) -> Vec<(Duration, Duration)> {
    let mut stages: Vec<(Duration, Duration)> = (selection.spans.iter())
        .map(|span| plan.span(*span))
        .filter(|span| span.phase == Phase::Load)
        .map(|span| (span.start, (span.start + span.duration).min(results.elapsed)))
        .collect();
    stages.sort_unstable();
    let mut stretches: Vec<(Duration, Duration)> = Vec::new();
    for (from, to) in stages {
        match stretches.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => stretches.push((from, to)),
        }
    }
    stretches
}

fn of_point(metric: Metric, point: &StepPoint, time: Duration) -> Option<Measured> {
    let counter = |count: u64| Measured::Counter { count: count as f64, rated: count as f64, time };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "planning refuses windows of what is not in the series"
    )]
    Some(match metric {
        Metric::HttpReqs => counter(point.requests),
        Metric::DataSent => counter(point.sent),
        Metric::DataReceived => counter(point.received),
        Metric::HttpReqFailed => Measured::Rate { yes: point.failed, total: point.requests },
        Metric::Errors => Measured::Rate { yes: point.errors, total: point.requests },
        Metric::Checks => Measured::Rate { yes: point.passes, total: point.passes + point.fails },
        Metric::HttpReqDuration => {
            let mut histogram = Histogram::default();
            point.durations.add_to(&mut histogram);
            whole(Trend::of_histogram(histogram))
        }
        other => {
            debug_assert_ne!(other.kind(), MetricKind::Gauge);
            return None;
        }
    })
}
