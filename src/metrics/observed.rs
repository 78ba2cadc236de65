//! What observers saw beside the load: samples with signed offsets, and when they looked.
//!
//! An observer looks at its source through one or more [`Feed`]s, each at its own interval; what it finds goes into
//! [`Track`]s, one for each metric and set of labels. A gauge's reading is the value at that moment; a counter's is
//! the number of events since the observer's first look, restarts of the source bridged by whoever sampled it; of a
//! share it is two such counters. Where a feed did not look, nothing is known: [`Watch::unsampled`] says how much
//! of a stretch that is.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::words::{Metric, MetricKind};

/// A moment of the run, counted from the start of the load; negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offset(i64);

/// A stretch of the run: from here to there, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stretch {
    /// Its beginning.
    pub from: Offset,
    /// Its end.
    pub to: Offset,
}

/// All that observers saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// By the place of the observer in [`crate::plan::Plan::observers`]; one that is inactive saw nothing.
    pub watches: Vec<Watch>,
    /// When the last iteration of the load was over; `None` as long as it is not.
    pub over: Option<Offset>,
}

/// What one observer saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Watch {
    /// What it watched, in words: `MariaDB 10.11.14 at 127.0.0.1:3306`.
    pub source: Option<String>,
    /// Why it cannot see at the moment; `None` where it can.
    pub trouble: Option<String>,
    /// How it looks at its source.
    pub feeds: Vec<Feed>,
    /// What it sampled.
    pub tracks: Vec<Track>,
    /// Metrics that its source does not have, and why.
    pub missing: Vec<(Metric, String)>,
    /// What a reader must know of it, one sentence each.
    pub notes: Vec<String>,
    /// What happened, in order of time.
    pub incidents: Vec<Incident>,
    /// What it found word for word: the first few for each pattern and source.
    pub lines: Vec<Line>,
    /// The autoscaler that it watched.
    pub autoscaler: Option<Autoscaler>,
    /// The pods that it saw, in the order in which they came.
    pub pods: Vec<Pod>,
    /// What it saw go wrong, in order of time.
    pub symptoms: Vec<Symptom>,
}

/// An autoscaler, as it is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it scales: `deployment/flask-backend`.
    pub workload: String,
    /// The fewest replicas.
    pub min: u32,
    /// The most replicas.
    pub max: u32,
    /// The CPU that it aims at, in percent of what pods request; `None` where it looks at something else.
    pub target: Option<u32>,
}

/// A pod that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pod {
    /// What tells it from another of the same name.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub born: Option<Offset>,
    /// When it was ready for the first time.
    pub ready: Option<Offset>,
    /// When it was gone.
    pub gone: Option<Offset>,
    /// How often its containers were started anew while it was watched.
    pub restarts: u64,
    /// Why one of its containers ended last, or waits.
    pub last_reason: Option<String>,
}

/// Something that was seen going wrong, of a kind that can be mended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Symptom {
    /// When it was seen first.
    pub at: Offset,
    /// What kind of thing.
    pub kind: SymptomKind,
    /// The pod; of what concerns the autoscaler, its name.
    pub object: String,
    /// The container of the pod, where it concerns one.
    pub container: Option<String>,
    /// What the cluster said.
    pub evidence: Vec<String>,
}

/// What can go wrong in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SymptomKind {
    /// There are no CPU figures of pods: the metrics API is not there, does not answer, or has nothing new to say.
    NoMetrics,
    /// Pods request no CPU, so the autoscaler cannot say what share of it they use.
    NoRequests,
    /// A pod finds no node.
    Unschedulable,
    /// An image cannot be pulled.
    Image,
    /// A container was ended for want of memory.
    OutOfMemory,
    /// A container ended, and was started anew.
    Restart,
    /// A container ends again and again.
    CrashLoop,
    /// A pod that was ready is not any more.
    Unready,
    /// A pod whose containers run does not become ready.
    NeverReady,
}

/// One way of looking at a source, at an interval of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Feed {
    /// What is looked at, for messages: `SHOW GLOBAL STATUS`, or a file.
    pub name: String,
    /// The time between two looks.
    pub interval: Duration,
    /// Whether the source counts by itself, so that a counter read later has missed nothing.
    pub keeps_counts: bool,
    /// The metrics that come from it.
    pub metrics: Vec<Metric>,
    /// When it looked with success, in order of time.
    pub looks: Vec<Offset>,
    /// Why it could not look the last time that it could not.
    pub trouble: Option<String>,
    /// How often in a row it could not look, up to the last time; 0 where it could.
    pub failures: u32,
}

/// One value over time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Track {
    /// The metric.
    pub metric: Metric,
    /// What tells it from other tracks of the metric.
    pub labels: Vec<(String, String)>,
    /// In order of time.
    pub points: Vec<Reading>,
}

/// One value at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The moment.
    pub at: Offset,
    /// The value of a gauge; of a counter, the events so far; of a share, those so far that were yes. In the unit of
    /// the metric, and finite.
    pub value: f64,
    /// Of a share: all of which `value` were yes. 0 of other metrics.
    pub of: f64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Incident {
    /// When.
    pub at: Offset,
    /// One sentence.
    pub text: String,
    /// The figures or lines that show it.
    pub evidence: Vec<String>,
}

/// A line that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    /// When it was read.
    pub at: Offset,
    /// Where it stood: a file, or a pod and its container.
    pub source: String,
    /// The metric that it counts under.
    pub metric: Metric,
    /// The labels that it counts under.
    pub labels: Vec<(String, String)>,
    /// The line, from outside: never to be trusted.
    pub text: String,
}

// Readings are finite, so equality is reflexive.
impl Eq for Reading {}

impl PartialOrd for Reading {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Reading {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at.cmp(&other.at))
            .then_with(|| self.value.total_cmp(&other.value))
            .then_with(|| self.of.total_cmp(&other.of))
    }
}

impl Offset {
    /// The start of the load.
    pub const ZERO: Self = Self(0);
    /// Before everything.
    pub const FIRST: Self = Self(i64::MIN);
    /// After everything.
    pub const LAST: Self = Self(i64::MAX);

    /// A moment, as an offset from the start of the load.
    pub fn of(at: Instant, origin: Instant) -> Self {
        match at.checked_duration_since(origin) {
            Some(after) => Self::after(after),
            None => Self::before(origin.saturating_duration_since(at)),
        }
    }

    /// So long after the start of the load.
    pub fn after(time: Duration) -> Self {
        Self(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
    }

    /// So long before it.
    pub fn before(time: Duration) -> Self {
        Self(-Self::after(time).0)
    }

    /// So much earlier.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(Self::after(time).0))
    }

    /// So much later.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(Self::after(time).0))
    }

    /// The time since an earlier moment; zero since a later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// In milliseconds.
    pub fn millis(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Stretch {
    /// How long it is.
    pub fn length(self) -> Duration {
        self.to.since(self.from)
    }
}

impl Track {
    /// Whether it has these labels.
    pub fn has(&self, labels: &[(String, String)]) -> bool {
        labels.iter().all(|label| self.labels.contains(label))
    }

    /// The last reading at or before a moment.
    pub fn at(&self, moment: Offset) -> Option<Reading> {
        let after = self.points.partition_point(|point| point.at <= moment);
        after.checked_sub(1).map(|last| self.points[last])
    }

    /// By how much a counter, or both counters of a share, grew within a stretch. What was there before the first
    /// reading is 0, as counters are counted from an observer's first look.
    pub fn growth(&self, stretch: Stretch) -> (f64, f64) {
        let (from, to) = (self.at(stretch.from).unwrap_or_default(), self.at(stretch.to).unwrap_or_default());
        (to.value - from.value, to.of - from.of)
    }

    /// The readings of a gauge within a stretch.
    pub fn within(&self, stretch: Stretch) -> &[Reading] {
        let first = self.points.partition_point(|point| point.at < stretch.from);
        let end = self.points.partition_point(|point| point.at <= stretch.to);
        &self.points[first..end.max(first)]
    }
}

impl Feed {
    /// Why it cannot see; `None` where it can. A single look that fails is no reason: an API server that was just
    /// started forbids everything for a moment.
    pub fn is_barred(&self) -> Option<&str> {
        self.trouble.as_deref().filter(|_| self.failures > 1)
    }

    /// How much of a stretch it did not see, and whether it did not see its end. A look stands for one and a half
    /// intervals before and after it; what a source counts by itself is known for all the time between two looks.
    fn unsampled(&self, metric: Metric, stretch: Stretch) -> (Duration, bool) {
        let reach = self.interval.mul_f64(1.5);
        let (Some(first), Some(last)) = (self.looks.first(), self.looks.last()) else {
            return (stretch.length(), true);
        };
        let is_bridged = self.keeps_counts && metric.kind() != MetricKind::Gauge;
        let seen = |from: Offset, to: Offset| to.min(stretch.to).since(from.max(stretch.from));
        let mut known = Duration::ZERO;
        if is_bridged {
            known = seen(first.minus(reach), last.plus(reach));
        } else {
            let mut until = stretch.from;
            for look in &self.looks {
                known += seen(look.minus(reach).max(until), look.plus(reach));
                until = until.max(look.plus(reach));
            }
        }
        let end_is_seen = if is_bridged {
            last.plus(reach) >= stretch.to
        } else {
            self.looks.iter().any(|look| look.minus(reach) <= stretch.to && stretch.to <= look.plus(reach))
        };
        (stretch.length().saturating_sub(known), !end_is_seen)
    }
}

impl Watch {
    /// Whether it ever saw anything.
    pub fn is_blind(&self) -> bool {
        self.feeds.iter().all(|feed| feed.looks.is_empty())
    }

    /// When it looked for the first time.
    pub fn first_look(&self) -> Option<Offset> {
        self.feeds.iter().filter_map(|feed| feed.looks.first()).min().copied()
    }

    /// When it looked for the last time.
    pub fn last_look(&self) -> Option<Offset> {
        self.feeds.iter().filter_map(|feed| feed.looks.last()).max().copied()
    }

    /// The tracks of a metric that have these labels.
    pub fn tracks_of<'a>(
        &'a self,
        metric: Metric,
        labels: &'a [(String, String)],
    ) -> impl Iterator<Item = &'a Track> + 'a {
        self.tracks.iter().filter(move |track| track.metric == metric && track.has(labels))
    }

    /// The share of these stretches in which a metric was not sampled, and whether the end of the last was not;
    /// where several feeds carry the metric, of the worst one.
    pub fn unsampled(&self, metric: Metric, stretches: &[Stretch]) -> (f64, bool) {
        let all: Duration = stretches.iter().map(|stretch| stretch.length()).sum();
        let feeds = self.feeds.iter().filter(|feed| feed.metrics.contains(&metric));
        let of_feed = |feed: &Feed| {
            let each = stretches.iter().map(|stretch| feed.unsampled(metric, *stretch));
            each.fold((Duration::ZERO, false), |(sum, _), (time, end)| (sum + time, end))
        };
        let worst = feeds.map(of_feed).max();
        let (time, end) = worst.unwrap_or((all, true));
        (if all.is_zero() { 0.0 } else { time.as_secs_f64() / all.as_secs_f64() }, end)
    }

    /// The share of a stretch in which not one feed looked.
    pub fn gaps(&self, stretch: Stretch) -> f64 {
        let of_feed = |feed: &Feed| feed.unsampled(Metric::Vus, stretch).0;
        let least = self.feeds.iter().map(of_feed).min().unwrap_or(stretch.length());
        if stretch.length().is_zero() { 0.0 } else { least.as_secs_f64() / stretch.length().as_secs_f64() }
    }

    /// Adds a reading, which is later than those before it; what is no number is left out.
    pub fn read(&mut self, metric: Metric, labels: &[(String, String)], reading: Reading) {
        if !reading.value.is_finite() || !reading.of.is_finite() {
            return;
        }
        match self.tracks.iter_mut().find(|track| track.metric == metric && track.labels == labels) {
            Some(track) => track.points.push(reading),
            None => {
                self.tracks.push(Track { metric, labels: labels.to_vec(), points: vec![reading] });
            }
        }
    }

    /// Changes every text that came from outside.
    pub(super) fn edit_texts(&mut self, edit: &mut dyn FnMut(&mut String)) {
        self.source.iter_mut().chain(&mut self.trouble).chain(&mut self.notes).for_each(&mut *edit);
        for feed in &mut self.feeds {
            edit(&mut feed.name);
            feed.trouble.iter_mut().for_each(&mut *edit);
        }
        let labels = self.tracks.iter_mut().flat_map(|track| &mut track.labels);
        for (_, value) in labels.chain(self.lines.iter_mut().flat_map(|line| &mut line.labels)) {
            edit(value);
        }
        for (_, why) in &mut self.missing {
            edit(why);
        }
        for Incident { text, evidence, .. } in &mut self.incidents {
            edit(text);
            evidence.iter_mut().for_each(&mut *edit);
        }
        for Line { source, text, .. } in &mut self.lines {
            edit(source);
            edit(text);
        }
        for pod in &mut self.pods {
            pod.last_reason.iter_mut().for_each(&mut *edit);
        }
        for symptom in &mut self.symptoms {
            symptom.evidence.iter_mut().for_each(&mut *edit);
        }
    }

    fn n_looks(&self) -> usize {
        self.feeds.iter().map(|feed| feed.looks.len()).sum()
    }
}

impl Observed {
    /// Adds what another shard or machine saw. Two that watched the same thing are not added up: the one that looked
    /// more often stands for both.
    pub fn merge(&mut self, other: &Self) {
        self.watches.resize_with(self.watches.len().max(other.watches.len()), Watch::default);
        for (own, add) in self.watches.iter_mut().zip(&other.watches) {
            if (own.n_looks(), &*own) < (add.n_looks(), add) {
                *own = add.clone();
            }
        }
        self.over = self.over.max(other.over);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Offset {
        Offset(seconds * 1_000_000_000)
    }

    fn stretch(from: i64, to: i64) -> Stretch {
        Stretch { from: at(from), to: at(to) }
    }

    fn watch(looks: impl IntoIterator<Item = i64>, keeps_counts: bool) -> Watch {
        let metrics = vec![Metric::MysqlThreadsConnected, Metric::MysqlDeadlocks];
        let looks = looks.into_iter().map(at).collect();
        let interval = Duration::from_secs(1);
        Watch {
            feeds: vec![Feed {
                name: "status".into(),
                interval,
                keeps_counts,
                metrics,
                looks,
                trouble: None,
                failures: 0,
            }],
            ..Watch::default()
        }
    }

    #[test]
    fn a_look_each_second_leaves_nothing_unsampled() {
        let watch = watch(-3..=10, true);
        assert_eq!(watch.unsampled(Metric::MysqlThreadsConnected, &[stretch(0, 10)]), (0.0, false));
    }

    #[test]
    fn what_was_not_looked_at_is_unsampled() {
        // Seen until 2 + 1.5 s, and again from 8 - 1.5 s on: 3 s of 10 are missing.
        let watch = watch([0, 1, 2, 8, 9, 10], true);
        let (share, end) = watch.unsampled(Metric::MysqlThreadsConnected, &[stretch(0, 10)]);
        assert!((share - 0.3).abs() < 1e-9 && !end, "{share} {end}");
        let counter = watch.unsampled(Metric::MysqlDeadlocks, &[stretch(0, 10)]);
        assert_eq!(counter, (0.0, false), "the server counts by itself");
    }

    #[test]
    fn an_end_that_nobody_saw_is_said() {
        let watch = watch([0, 1, 2, 3, 4], true);
        for metric in [Metric::MysqlThreadsConnected, Metric::MysqlDeadlocks] {
            let (share, end) = watch.unsampled(metric, &[stretch(0, 10)]);
            assert!((share - 0.45).abs() < 1e-9 && end, "{metric}: {share} {end}");
        }
        assert_eq!(Watch::default().unsampled(Metric::MysqlDeadlocks, &[stretch(0, 10)]), (1.0, true));
    }

    #[test]
    fn a_counter_grows_by_what_came_in_a_stretch() {
        let points = [(-1, 0.0), (0, 2.0), (5, 7.0), (10, 9.0)].map(|(second, value)| Reading {
            at: at(second),
            value,
            of: 0.0,
        });
        let track = Track { metric: Metric::MysqlDeadlocks, labels: Vec::new(), points: points.to_vec() };
        assert!((track.growth(stretch(0, 10)).0 - 7.0).abs() < 1e-9);
        assert!((track.growth(stretch(0, 9)).0 - 5.0).abs() < 1e-9);
        assert!((track.growth(Stretch { from: Offset::FIRST, to: at(0) }).0 - 2.0).abs() < 1e-9);
        assert_eq!(track.within(stretch(0, 5)).len(), 2);
        assert_eq!(track.within(stretch(11, 12)).len(), 0);
    }

    proptest! {
        /// A stretch cut in two is unsampled for as long as the whole.
        #[test]
        fn unsampled_time_adds_up(looks in prop::collection::btree_set(-10_i64..30, 0..20), cut in 1_i64..19) {
            let watch = watch(looks, false);
            let share = |from, to| watch.unsampled(Metric::MysqlThreadsConnected, &[stretch(from, to)]).0;
            let parts = share(0, cut) * cut as f64 + share(cut, 20) * (20 - cut) as f64;
            prop_assert!((share(0, 20) * 20.0 - parts).abs() < 1e-6);
        }

        #[test]
        fn merging_does_not_depend_on_the_order(
            looks in prop::collection::vec(prop::collection::btree_set(-10_i64..30, 0..6), 3)
        ) {
            let observed: Vec<Observed> = ((0_i64..).zip(looks))
                .map(|(index, looks)| Observed {
                    watches: vec![watch(looks, true)],
                    over: Some(at(index)),
                })
                .collect();
            let merged = |order: [usize; 3]| order.into_iter().fold(Observed::default(), |mut all, index| {
                all.merge(&observed[index]);
                all
            });
            prop_assert_eq!(merged([0, 1, 2]), merged([2, 0, 1]));
            let mut right = observed[1].clone();
            right.merge(&observed[2]);
            let mut left = observed[0].clone();
            left.merge(&right);
            prop_assert_eq!(left, merged([0, 1, 2]));
        }
    }
}
