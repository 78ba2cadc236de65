//! What is sampled beside the load. An observer knows nothing of the engine, and never disturbs it.
//!
//! - [`generator`]: palier's own use of the machine, on which the trust in all figures rests
//! - [`Observation`]: all observers of a run, on a thread and a runtime of their own
//! - [`desk`]: what an observer is told, and where it writes down what it sees
//! - [`checkup`]: whether observers will be able to see, for `palier doctor`
//! - [`cleanup`]: deleting what a run has left in the database, with the settings of its observer
//! - `kubernetes` (feature): an autoscaler, and its pods
//! - `logs`: lines of files, and of the logs of pods, that match patterns
//! - `mysql` (feature): a MySQL or MariaDB server
//!
//! # How to add an observer
//!
//! 1. A name in [`ObserverKind`](crate::words::ObserverKind) and its metrics in [`Metric`](crate::words::Metric):
//!    kind, unit, section, observer and labels; the compiler names every place that has to know them.
//! 2. Its table in `profile::observe`, its settings in `plan::observer` ([`Watched`]).
//! 3. A task `watch(settings, desk)` here, started by `task`. It declares its feeds, tries to look once, calls
//!    [`Desk::settled`] whatever came of it, and then looks whenever [`Desk::beat`] returns:
//!
//! ```text
//! let feed = desk.feed("status", interval, true, &METRICS);
//! while let Some(beat) = desk.beat(interval).await {
//!     match look().await {
//!         Ok(found) => { desk.look(feed, beat.at); desk.read(metric, &labels, beat.at, value); }
//!         Err(why) => desk.trouble(beat.at, why),
//!     }
//!     if beat.is_last { break; }      // or go on until what comes after the load is decided
//! }
//! ```
//!
//! Nothing is judged here. Readings become [`crate::metrics::Observed`], thresholds find their figures there by
//! `metrics::measure`, `verdict::sight` says what could not be seen, `verdict::diagnosis` explains, `summarize` shows.
//! A source of log lines other than a file feeds the same counting: see [`logs`].

pub mod checkup;
pub mod cleanup;
pub mod desk;
pub mod generator;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod logs;
#[cfg(feature = "mysql")]
pub mod mysql;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::LocalSet;

use self::desk::{Course, Desk, Report, Tale};
use crate::metrics::{Feed, Incident, Line, Observed, Offset, Pod, Reading, Symptom, Watch};
use crate::plan::{Plan, Watched};

/// How long the first look of all observers may take before the load starts without it.
const PATIENCE_BEFORE: Duration = Duration::from_secs(15);

/// How long observers may take for their last look after the load.
const PATIENCE_AFTER: Duration = Duration::from_secs(5);

/// The active observers of a run. Dropped, it sends them home.
#[derive(Debug)]
pub struct Observation {
    course: watch::Sender<Course>,
    inbox: UnboundedReceiver<Report>,
    /// Reports from before the load's start was known: they have no offset yet.
    early: Vec<Report>,
    origin: Option<Instant>,
    observed: Observed,
    /// Observers that have not looked for the first time.
    unsettled: usize,
    /// Observers that still watch.
    watching: usize,
}

/// Runs all observers to their end. One that panics is a bug of ours, and takes nobody with it.
fn run(plan: &Plan, desks: Vec<(usize, Desk)>, reports: &UnboundedSender<Report>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            for (_, desk) in desks {
                desk.trouble(Instant::now(), format!("no runtime could be started for it: {error}"));
            }
            return;
        }
    };
    LocalSet::new().block_on(&runtime, async {
        let tasks: Vec<_> = (desks.into_iter())
            .map(|(observer, desk)| {
                let task = task(plan, plan.observers[observer].watched.clone(), desk);
                (observer, tokio::task::spawn_local(task))
            })
            .collect();
        for (observer, task) in tasks {
            if task.await.is_err_and(|error| error.is_panic()) {
                let why = "palier itself failed at it, which is a bug".to_owned();
                let tale = Tale::Trouble { at: Instant::now(), why };
                // Whoever has stopped listening needs no reports.
                let _ = reports.send(Report { observer, tale });
            }
        }
    });
}

/// The task of one observer.
#[cfg_attr(
    not(feature = "kubernetes"),
    expect(unused_variables, reason = "only a cluster is watched for thresholds")
)]
fn task(plan: &Plan, watched: Watched, desk: Desk) -> Pin<Box<dyn Future<Output = ()>>> {
    match watched {
        #[cfg(feature = "kubernetes")]
        Watched::Kubernetes(settings) => {
            let awaited = kubernetes::Awaited::of(plan);
            Box::pin(kubernetes::watch(settings, plan.kubeconfig.clone(), awaited, desk))
        }
        #[cfg(not(feature = "kubernetes"))]
        Watched::Kubernetes(_) => Box::pin(async move { drop(desk) }),
        #[cfg(feature = "kubernetes")]
        Watched::Logs(settings) => Box::pin(logs::watch(settings, plan.kubeconfig.clone(), desk)),
        #[cfg(not(feature = "kubernetes"))]
        Watched::Logs(settings) => Box::pin(logs::watch(settings, desk)),
        #[cfg(feature = "mysql")]
        Watched::Mysql(settings) => Box::pin(mysql::watch(settings, plan.kubeconfig.clone(), desk)),
        #[cfg(not(feature = "mysql"))]
        Watched::Mysql(_) => Box::pin(async move { drop(desk) }),
    }
}

impl Observation {
    /// Starts the active observers of a plan.
    pub fn start(plan: &Arc<Plan>) -> Self {
        let (course, told) = watch::channel(Course::Before);
        let (reports, inbox) = unbounded_channel();
        let active: Vec<usize> =
            (0..plan.observers.len()).filter(|index| plan.observers[*index].active).collect();
        let mut observed = Observed::default();
        observed.watches.resize_with(plan.observers.len(), Watch::default);
        let n = active.len();
        if n > 0 {
            let desks: Vec<Desk> =
                active.iter().map(|index| Desk::new(*index, told.clone(), reports.clone())).collect();
            let plan = Arc::clone(plan);
            let thread = std::thread::Builder::new().name("observers".to_owned());
            // Desks that get no thread are dropped, which says that these observers are done.
            if let Err(error) =
                thread.spawn(move || run(&plan, active.into_iter().zip(desks).collect(), &reports))
            {
                for watch in &mut observed.watches {
                    watch.trouble = Some(format!("no thread could be started for it: {error}"));
                }
            }
        }
        Self { course, inbox, early: Vec::new(), origin: None, observed, unsettled: n, watching: n }
    }

    /// Waits until every observer has looked once, or found out that it cannot; not for long.
    ///
    /// What may take longer before a load can start, such as a cluster that is still settling, is waited for by the
    /// observer itself before it calls [`Desk::settled`], and [`Desk::patience`] says for how long. What is waited for
    /// is told in between.
    pub async fn settle(&mut self, mut tell: impl FnMut(&str)) {
        let mut until = Instant::now() + PATIENCE_BEFORE;
        while self.unsettled > 0 {
            match tokio::time::timeout_at(until.into(), self.inbox.recv()).await {
                Ok(Some(report)) => {
                    if let Tale::Patience(more) = report.tale {
                        until = until.max(Instant::now() + more);
                    }
                    if let Tale::Waiting(what) = &report.tale {
                        tell(what);
                    }
                    self.take_in(report);
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// What is known before the load, a sentence each: what is watched, what cannot be seen, what is missing.
    pub fn introduce(&self, plan: &Plan) -> Vec<String> {
        let of = |report: &Report| plan.observers[report.observer].kind();
        // What a feed could not see at its last look.
        let mut barred: BTreeMap<(usize, usize), &str> = BTreeMap::new();
        for report in &self.early {
            #[expect(clippy::wildcard_enum_match_arm, reason = "only these are about a look")]
            match &report.tale {
                Tale::Failed { feed, why } => {
                    barred.insert((report.observer, *feed), why);
                }
                Tale::Look { feed, .. } => {
                    barred.remove(&(report.observer, *feed));
                }
                // It is said of the observer as a whole.
                Tale::Trouble { .. } => barred.retain(|(observer, _), _| *observer != report.observer),
                _ => {}
            }
        }
        let mut barred: Vec<String> = (barred.iter())
            .map(|((observer, _), why)| {
                format!("{}: not all of it can be seen: {why}", plan.observers[*observer].kind())
            })
            .collect();
        barred.dedup();
        (self.early.iter())
            .filter_map(|report| match &report.tale {
                Tale::Source(source) => Some(format!("{} watches {source}", of(report))),
                Tale::Trouble { why, .. } => Some(format!("{} sees nothing: {why}", of(report))),
                Tale::Missing { metric, why } => {
                    Some(format!("{}: `{metric}` is missing: {why}", of(report)))
                }
                Tale::Note(note) => Some(format!("{}: {note}", of(report))),
                Tale::Feed { .. }
                | Tale::Look { .. }
                | Tale::Reading { .. }
                | Tale::Incident { .. }
                | Tale::Line { .. }
                | Tale::Failed { .. }
                | Tale::Autoscaler(_)
                | Tale::Pod(_)
                | Tale::Symptom(_)
                | Tale::Waiting(_)
                | Tale::Settled
                | Tale::Patience(_)
                | Tale::Gone => None,
            })
            .chain(barred)
            .collect()
    }

    /// Says when the load begins; observers look once more at once.
    pub fn load_begins(&mut self, origin: Instant) {
        self.origin = Some(origin);
        for report in std::mem::take(&mut self.early) {
            self.write_down(report, origin);
        }
        self.course.send_replace(Course::Load { origin });
    }

    /// Says when the last iteration of the load was over; observers look for the last time, unless they have a reason
    /// to go on.
    pub fn load_ends(&mut self, end: Instant) {
        if let Some(origin) = self.origin {
            self.observed.over = Some(Offset::of(end, origin));
            self.course.send_replace(Course::After { origin, end });
        }
    }

    /// What was seen so far.
    pub fn so_far(&mut self) -> &Observed {
        while let Ok(report) = self.inbox.try_recv() {
            self.take_in(report);
        }
        &self.observed
    }

    /// Waits for observers that have not ended, each as long as it asks for with [`Desk::patience`], and returns what
    /// all of them saw. A caller in a hurry stops waiting, and takes [`Observation::so_far`].
    pub async fn finish(&mut self, mut tell: impl FnMut(&str)) -> Observed {
        let mut until = Instant::now() + PATIENCE_AFTER;
        // Where no load was made there is nothing to wait for.
        let waits = self.origin.is_some();
        if !waits {
            self.load_begins(Instant::now());
        }
        while self.watching > 0 && waits {
            match tokio::time::timeout_at(until.into(), self.inbox.recv()).await {
                Ok(Some(report)) => {
                    if let Tale::Patience(more) = report.tale {
                        until = until.max(Instant::now() + more);
                    }
                    if let Tale::Waiting(what) = &report.tale {
                        tell(what);
                    }
                    self.take_in(report);
                }
                Ok(None) | Err(_) => break,
            }
        }
        self.so_far().clone()
    }

    fn take_in(&mut self, report: Report) {
        match &report.tale {
            Tale::Settled => self.unsettled = self.unsettled.saturating_sub(1),
            Tale::Gone => {
                self.watching = self.watching.saturating_sub(1);
            }
            Tale::Source(_)
            | Tale::Feed { .. }
            | Tale::Look { .. }
            | Tale::Reading { .. }
            | Tale::Trouble { .. }
            | Tale::Missing { .. }
            | Tale::Note(_)
            | Tale::Incident { .. }
            | Tale::Line { .. }
            | Tale::Failed { .. }
            | Tale::Autoscaler(_)
            | Tale::Pod(_)
            | Tale::Symptom(_)
            | Tale::Waiting(_)
            | Tale::Patience(_) => match self.origin {
                Some(origin) => self.write_down(report, origin),
                None => self.early.push(report),
            },
        }
    }

    fn write_down(&mut self, report: Report, origin: Instant) {
        let watch = &mut self.observed.watches[report.observer];
        match report.tale {
            Tale::Source(source) => watch.source = Some(source),
            Tale::Feed { name, interval, keeps_counts, metrics } => {
                watch.feeds.push(Feed {
                    name,
                    interval,
                    keeps_counts,
                    metrics,
                    looks: Vec::new(),
                    trouble: None,
                    failures: 0,
                });
            }
            Tale::Look { feed, at } => {
                watch.trouble = None;
                if let Some(feed) = watch.feeds.get_mut(feed) {
                    feed.looks.push(Offset::of(at, origin));
                    feed.failures = 0;
                }
            }
            Tale::Reading { metric, labels, at, value, of } => {
                watch.read(metric, &labels, Reading { at: Offset::of(at, origin), value, of });
            }
            Tale::Trouble { at, why } => {
                // Once, however often it is tried again.
                if watch.trouble.replace(why.clone()).is_none() && !watch.is_blind() {
                    let text = format!("it could not be observed from here on: {why}");
                    watch.incidents.push(Incident { at: Offset::of(at, origin), text, evidence: Vec::new() });
                }
            }
            Tale::Missing { metric, why } => {
                if !watch.missing.iter().any(|(known, _)| *known == metric) {
                    watch.missing.push((metric, why));
                }
            }
            Tale::Note(note) => {
                if !watch.notes.contains(&note) {
                    watch.notes.push(note);
                }
            }
            Tale::Incident { at, text, evidence } => {
                watch.incidents.push(Incident { at: Offset::of(at, origin), text, evidence });
            }
            Tale::Line { at, source, metric, labels, text } => {
                watch.lines.push(Line { at: Offset::of(at, origin), source, metric, labels, text });
            }
            Tale::Failed { feed, why } => {
                if let Some(feed) = watch.feeds.get_mut(feed) {
                    feed.trouble = Some(why);
                    feed.failures += 1;
                }
            }
            Tale::Autoscaler(autoscaler) => watch.autoscaler = Some(autoscaler),
            Tale::Pod(seen) => {
                let known = watch.pods.iter().position(|pod| pod.uid == seen.uid);
                let index = known.unwrap_or_else(|| {
                    watch.pods.push(Pod::default());
                    watch.pods.len() - 1
                });
                let at = |moment: Option<Instant>| moment.map(|moment| Offset::of(moment, origin));
                watch.pods[index] = Pod {
                    born: at(seen.born),
                    ready: at(seen.ready),
                    gone: at(seen.gone),
                    uid: seen.uid,
                    name: seen.name,
                    restarts: seen.restarts,
                    last_reason: seen.last_reason,
                };
            }
            Tale::Symptom(seen) => {
                let is_known = |symptom: &Symptom| {
                    (symptom.kind, &symptom.object, &symptom.container)
                        == (seen.kind, &seen.object, &seen.container)
                };
                if !watch.symptoms.iter().any(is_known) {
                    watch.symptoms.push(Symptom {
                        at: Offset::of(seen.at, origin),
                        kind: seen.kind,
                        object: seen.object,
                        container: seen.container,
                        evidence: seen.evidence,
                    });
                }
            }
            Tale::Waiting(_) | Tale::Settled | Tale::Patience(_) | Tale::Gone => {}
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.course.send_replace(Course::Leave);
    }
}
