//! What an observer is told of the run, and where it writes down what it sees.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::metrics::{Autoscaler, SymptomKind};
use crate::words::{Metric, ObservedPhase};

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// The load has not begun.
    Before,
    /// The load begins, or has begun, at that moment.
    Load { origin: Instant },
    /// Its last iteration was over at that moment.
    After { origin: Instant, end: Instant },
    /// Nobody waits for observers any more.
    Leave,
}

/// A moment to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// What a reading of this look is stamped with; that of the last look is the very end of the load.
    pub at: Instant,
    /// Whether it is the look at the end of the load: what is counted from here on comes after it.
    pub is_last: bool,
    /// The part of the run that it falls into.
    pub phase: ObservedPhase,
}

/// The number of a feed of one observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedId(usize);

/// One thing that an observer wrote down.
#[derive(Debug)]
pub(super) struct Report {
    /// The place of the observer in the plan.
    pub(super) observer: usize,
    pub(super) tale: Tale,
}

/// What an observer can write down. Moments are still those of the clock.
#[derive(Debug)]
pub(super) enum Tale {
    Source(String),
    Feed {
        name: String,
        interval: Duration,
        keeps_counts: bool,
        metrics: Vec<Metric>,
    },
    Look {
        feed: usize,
        at: Instant,
    },
    Reading {
        metric: Metric,
        labels: Vec<(String, String)>,
        at: Instant,
        value: f64,
        of: f64,
    },
    Trouble {
        at: Instant,
        why: String,
    },
    Missing {
        metric: Metric,
        why: String,
    },
    Note(String),
    Incident {
        at: Instant,
        text: String,
        evidence: Vec<String>,
    },
    Line {
        at: Instant,
        source: String,
        metric: Metric,
        labels: Vec<(String, String)>,
        text: String,
    },
    /// A feed could not look.
    Failed {
        feed: usize,
        why: String,
    },
    Autoscaler(Autoscaler),
    Pod(PodSeen),
    Symptom(SymptomSeen),
    /// What is waited for, for those who look on.
    Waiting(String),
    Settled,
    Patience(Duration),
    Gone,
}

/// What is known of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSeen {
    /// What tells it from another of the same name.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub born: Option<Instant>,
    /// When it was ready for the first time.
    pub ready: Option<Instant>,
    /// When it was gone.
    pub gone: Option<Instant>,
    /// How often its containers were started anew since the first look.
    pub restarts: u64,
    /// Why one of its containers ended last, or waits.
    pub last_reason: Option<String>,
}

/// Something that is seen going wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymptomSeen {
    /// When.
    pub at: Instant,
    /// What kind of thing.
    pub kind: SymptomKind,
    /// The pod, or the autoscaler.
    pub object: String,
    /// The container, where it concerns one.
    pub container: Option<String>,
    /// What the cluster says.
    pub evidence: Vec<String>,
}

/// The desk of one observer. When it is dropped, the observer is done.
#[derive(Debug)]
pub struct Desk {
    observer: usize,
    course: watch::Receiver<Course>,
    reports: UnboundedSender<Report>,
    n_feeds: usize,
    is_settled: bool,
    /// Whether the look at the beginning of the load was made, and that at its end.
    has_begun: bool,
    has_ended: bool,
    next: Option<Instant>,
}

impl Desk {
    pub(super) fn new(
        observer: usize,
        course: watch::Receiver<Course>,
        reports: UnboundedSender<Report>,
    ) -> Self {
        Self {
            observer,
            course,
            reports,
            n_feeds: 0,
            is_settled: false,
            has_begun: false,
            has_ended: false,
            next: None,
        }
    }

    /// The next moment to look: at once the first time, at once when the load begins and when it ends, and else every
    /// interval, in step with the seconds of the load. `None` when nobody waits for the observer any more.
    pub async fn beat(&mut self, interval: Duration) -> Option<Beat> {
        loop {
            let course = *self.course.borrow_and_update();
            let now = Instant::now();
            match course {
                Course::Leave => return None,
                Course::Load { origin } if !self.has_begun => {
                    self.has_begun = true;
                    self.next = Some(origin);
                    return Some(Beat { at: now, is_last: false, phase: ObservedPhase::During });
                }
                Course::After { end, .. } if !self.has_ended => {
                    self.has_ended = true;
                    return Some(Beat { at: end, is_last: true, phase: ObservedPhase::During });
                }
                Course::Before | Course::Load { .. } | Course::After { .. } => {}
            }
            let next = *self.next.get_or_insert(now);
            if next <= now {
                // Moments that went by during a long look are gone.
                let missed = now.duration_since(next).as_nanos() / interval.as_nanos().max(1);
                let steps = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
                self.next = Some(next + interval.saturating_mul(steps));
                let phase = match course {
                    Course::Before | Course::Leave => ObservedPhase::Before,
                    Course::Load { .. } => ObservedPhase::During,
                    Course::After { .. } => ObservedPhase::After,
                };
                return Some(Beat { at: now, is_last: false, phase });
            }
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                changed = self.course.changed() => changed.ok()?,
            }
        }
    }

    /// Completes when the load is over, or nobody waits any more: for observers that are told of changes instead of
    /// looking. [`Desk::beat`] then returns at once.
    pub async fn turned(&mut self) {
        // An error means that nobody waits.
        let _ = self.course.changed().await;
    }

    /// Says what is watched, in words: `MariaDB 10.11.14 at 127.0.0.1:3306`.
    pub fn source(&self, source: impl Into<String>) {
        self.write(Tale::Source(source.into()));
    }

    /// Declares a way of looking, and which metrics come from it. `keeps_counts` says that the source counts by itself,
    /// so that counters read after a gap have missed nothing.
    pub fn feed(
        &mut self,
        name: impl Into<String>,
        interval: Duration,
        keeps_counts: bool,
        metrics: &[Metric],
    ) -> FeedId {
        self.write(Tale::Feed { name: name.into(), interval, keeps_counts, metrics: metrics.to_vec() });
        self.n_feeds += 1;
        FeedId(self.n_feeds - 1)
    }

    /// Notes that a feed was looked at with success.
    pub fn look(&self, feed: FeedId, at: Instant) {
        self.write(Tale::Look { feed: feed.0, at });
    }

    /// Notes the value of a gauge, or the events of a counter since the first look.
    pub fn read(&self, metric: Metric, labels: &[(String, String)], at: Instant, value: f64) {
        self.read_share(metric, labels, at, value, 0.0);
    }

    /// Notes how many were yes, of how many, since the first look.
    pub fn read_share(&self, metric: Metric, labels: &[(String, String)], at: Instant, yes: f64, of: f64) {
        self.write(Tale::Reading { metric, labels: labels.to_vec(), at, value: yes, of });
    }

    /// Notes that a look failed, and why. It is said once until a look succeeds again.
    pub fn trouble(&self, at: Instant, why: impl Into<String>) {
        self.write(Tale::Trouble { at, why: why.into() });
    }

    /// Notes that a feed could not be looked at, and why, while others could.
    pub fn failed(&self, feed: FeedId, why: impl Into<String>) {
        self.write(Tale::Failed { feed: feed.0, why: why.into() });
    }

    /// Notes how an autoscaler is set up; the last time counts.
    pub fn autoscaler(&self, autoscaler: Autoscaler) {
        self.write(Tale::Autoscaler(autoscaler));
    }

    /// Notes what is known of a pod; the last time counts.
    pub fn pod(&self, pod: PodSeen) {
        self.write(Tale::Pod(pod));
    }

    /// Notes something that goes wrong; twice the same thing at the same object is once.
    pub fn symptom(&self, symptom: SymptomSeen) {
        self.write(Tale::Symptom(symptom));
    }

    /// Says what is waited for, to those who look on.
    pub fn waiting(&self, what: impl Into<String>) {
        self.write(Tale::Waiting(what.into()));
    }

    /// Notes that the source does not have a metric, so that thresholds on it cannot be judged.
    pub fn missing(&self, metric: Metric, why: impl Into<String>) {
        self.write(Tale::Missing { metric, why: why.into() });
    }

    /// Notes what a reader must know, one sentence; twice the same is once.
    pub fn note(&self, note: impl Into<String>) {
        self.write(Tale::Note(note.into()));
    }

    /// Notes that something happened.
    pub fn incident(&self, at: Instant, text: impl Into<String>, evidence: Vec<String>) {
        self.write(Tale::Incident { at, text: text.into(), evidence });
    }

    /// Notes a line as evidence.
    pub fn line(
        &self,
        at: Instant,
        source: impl Into<String>,
        metric: Metric,
        labels: &[(String, String)],
        text: impl Into<String>,
    ) {
        self.write(Tale::Line {
            at,
            source: source.into(),
            metric,
            labels: labels.to_vec(),
            text: text.into(),
        });
    }

    /// Says that the load may begin as far as this observer is concerned. Only the first time counts.
    pub fn settled(&mut self) {
        if !std::mem::replace(&mut self.is_settled, true) {
            self.write(Tale::Settled);
        }
    }

    /// Asks that the run wait for so long from now on: before the load for a steady state, after it for what is still
    /// to be seen.
    pub fn patience(&self, time: Duration) {
        self.write(Tale::Patience(time));
    }

    fn write(&self, tale: Tale) {
        // Whoever has stopped listening needs no reports.
        let _ = self.reports.send(Report { observer: self.observer, tale });
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.settled();
        self.write(Tale::Gone);
    }
}
