//! An autoscaler of Kubernetes, and its pods.
//!
//! - `client`: the way to the API server, and what bars it, in words
//! - [`checkup`]: what `palier doctor` says of it
//! - `autoscaler`: what a `HorizontalPodAutoscaler` says of itself
//! - `pods`, `pod`: what happened to pods between one look and the next
//! - `usage`: CPU and memory, from metrics.k8s.io
//! - [`logs`], `place`: new lines of the logs of pods, and up to where one was read
//! - `workload`: the Deployment that is scaled, and whether it is rolled out meanwhile
//! - `review`: what palier may do
//!
//! It asks for the whole state once a second, four small requests, instead of watching for changes. A watch tells
//! changes sooner, but only as long as its connection holds: a quiet one looks the same as one that is broken, and
//! after each break there is a list to be taken anyway. A list is whole by itself, so that neither an old resource
//! version nor an API server that was restarted can leave palier with half a truth, and every look that failed is
//! known to have failed. What happens between two looks is not lost: containers count their restarts, and a
//! `CrashLoopBackOff` lasts ten seconds at least.

mod autoscaler;
pub mod checkup;
mod client;
pub mod logs;
mod place;
mod pod;
mod pods;
mod review;
mod usage;
mod workload;

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use self::autoscaler::State;
use self::client::{Cluster, NoUsage, Way};
use self::pod::Happening;
use self::pods::Pods;
use self::usage::Usage;
use self::workload::Rollout;
use super::desk::{Beat, Desk, FeedId, SymptomSeen};
use crate::metrics::SymptomKind;
use crate::plan::{Aggregation, Bound, Kubernetes, Operator, Plan};
use crate::units::human_duration;
use crate::words::{Metric, ObservedPhase, ObserverKind};

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same of the look at the end of the load.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// What is waited for is said this often.
const SAY_EVERY: Duration = Duration::from_secs(10);

const OF_AUTOSCALER: [Metric; 4] =
    [Metric::HpaReplicas, Metric::HpaDesiredReplicas, Metric::HpaScaleUpTime, Metric::HpaScaleDownTime];

/// Restarts are counted by the kubelet, whether anybody looks or not.
const OF_COUNTS: [Metric; 1] = [Metric::PodRestarts];

const OF_PODS: [Metric; 2] = [Metric::PodsReady, Metric::PodCrashLoops];

const OF_USAGE: [Metric; 2] = [Metric::PodCpu, Metric::PodMemory];

/// A threshold on what comes after the load, which the observer goes on for.
#[derive(Clone, Debug, PartialEq)]
pub struct Awaited {
    metric: Metric,
    operator: Operator,
    bound: f64,
    text: String,
}

impl Awaited {
    /// Those of a plan that a later look can decide: values that something comes to in the end.
    pub fn of(plan: &Plan) -> Vec<Self> {
        (plan.thresholds.iter())
            .filter(|threshold| {
                threshold.metric.observer() == Some(ObserverKind::Kubernetes)
                    && threshold.selection.observed == ObservedPhase::After
                    && threshold.aggregation == Aggregation::Value
                    && threshold.metric.labels().is_empty()
            })
            .filter_map(|threshold| match threshold.bound {
                Bound::Value(bound) => Some(Self {
                    metric: threshold.metric,
                    operator: threshold.operator,
                    bound,
                    text: threshold.name.clone(),
                }),
                Bound::Baseline(_) => None,
            })
            .collect()
    }
}

/// Samples the cluster until the load is over, and what is awaited after it is there.
pub async fn watch(settings: Kubernetes, kubeconfig: Vec<PathBuf>, awaited: Vec<Awaited>, mut desk: Desk) {
    let mut watcher = Watcher::new(settings, kubeconfig, awaited, &mut desk);
    let mut is_settled = false;
    let (came, mut over, mut said): (_, Option<Instant>, Option<Instant>) = (Instant::now(), None, None);
    while let Some(beat) = desk.beat(watcher.settings.interval).await {
        let patience = if beat.is_last { LAST_PATIENCE } else { PATIENCE };
        match tokio::time::timeout(patience, watcher.look(&desk, beat)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => desk.trouble(beat.at, why),
            Err(_) => {
                desk.trouble(
                    beat.at,
                    format!("the API server did not answer within {}", human_duration(patience)),
                );
            }
        }
        // Pods are known to have changed: whatever becomes of the look, this is told.
        if let Some(cluster) = watcher.cluster.clone() {
            tell(&cluster, &desk, beat.at, std::mem::take(&mut watcher.untold)).await;
        }
        let mut say = |desk: &Desk, waiting: &str, left: Duration| {
            desk.patience(left + PATIENCE);
            if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                said = Some(Instant::now());
                desk.waiting(format!("kubernetes: {waiting}, for {} more at most", in_seconds(left)));
            }
        };
        if beat.phase == ObservedPhase::Before && !is_settled {
            let left = watcher.settings.settle.saturating_sub(came.elapsed());
            let unsteady = watcher.unsteady();
            match unsteady {
                Some(ref why) if !left.is_zero() => {
                    say(&desk, &format!("waiting for a steady state: {why}"), left);
                }
                Some(_) | None => {
                    if let Some(why) = unsteady.filter(|_| !watcher.settings.settle.is_zero()) {
                        let settle = human_duration(watcher.settings.settle);
                        desk.note(format!("the load began without a steady state, after {settle}: {why}"));
                    }
                    is_settled = true;
                    desk.settled();
                }
            }
        }
        if beat.is_last || beat.phase == ObservedPhase::After {
            let over = *over.get_or_insert(beat.at);
            let left = watcher.settings.follow.saturating_sub(over.elapsed());
            match watcher.undecided() {
                Some(what) if !left.is_zero() => say(&desk, &what, left),
                Some(_) | None => break,
            }
        }
    }
}

/// The way to the cluster that settings mean.
fn way<'a>(settings: &'a Kubernetes, kubeconfig: &'a [PathBuf]) -> Way<'a> {
    Way { kubeconfig, context: settings.context.as_deref(), namespace: settings.namespace.as_deref() }
}

/// What the cluster knows of something that happened to a pod: the last that its container wrote, and what the cluster
/// warned of. Neither is waited for long.
async fn evidence(cluster: &Cluster, happening: &Happening) -> Vec<String> {
    let last_words = async {
        match &happening.container {
            Some(container) if happening.has_last_words() => {
                cluster.last_words(&happening.pod, container).await
            }
            Some(_) | None => Vec::new(),
        }
    };
    let (last_words, warnings) = tokio::join!(last_words, cluster.warnings(&happening.uid));
    [last_words, warnings].concat()
}

/// Tells what happened to pods, in this order. Their evidence is asked for all at once: where many fail together, the
/// last of them must not wait for the others.
async fn tell(cluster: &Cluster, desk: &Desk, at: Instant, happened: Vec<Happening>) {
    let found = join_all(happened.iter().map(|happening| evidence(cluster, happening))).await;
    for (happening, found) in happened.into_iter().zip(found) {
        let Happening { pod: object, container, text, symptom: kind, evidence, .. } = happening;
        let evidence = [evidence, found].concat();
        if let Some(text) = text {
            desk.incident(at, text, evidence.clone());
        }
        desk.symptom(SymptomSeen { at, kind, object, container, evidence });
    }
}

/// Whole seconds: what counts down has no use for more.
fn in_seconds(time: Duration) -> String {
    human_duration(Duration::from_secs(time.as_secs().max(1)))
}

struct Watcher {
    settings: Kubernetes,
    kubeconfig: Vec<PathBuf>,
    awaited: Vec<Awaited>,
    cluster: Option<Rc<Cluster>>,
    feeds: Feeds,
    pods: Pods,
    /// What happened to them, as of the last look.
    untold: Vec<Happening>,
    usage: Usage,
    /// What the autoscaler said at the last look that it was seen at.
    state: Option<State>,
    /// Why the last look did not see everything.
    blind: Option<String>,
    /// The last values of metrics without labels.
    values: HashMap<Metric, f64>,
    /// The replicas at the beginning of the load.
    at_first: Option<u32>,
    /// When the CPU was over its target for the first time.
    over_target: Option<Instant>,
    /// The end of the load.
    end: Option<Instant>,
    /// The revision of the Deployment, once that was seen in the load.
    revision: Option<String>,
}

struct Feeds {
    autoscaler: FeedId,
    autoscaler_cpu: FeedId,
    counts: FeedId,
    pods: FeedId,
    usage: FeedId,
}

impl Watcher {
    fn new(settings: Kubernetes, kubeconfig: Vec<PathBuf>, awaited: Vec<Awaited>, desk: &mut Desk) -> Self {
        let interval = settings.interval;
        let feeds = Feeds {
            autoscaler: desk.feed("HorizontalPodAutoscaler", interval, false, &OF_AUTOSCALER),
            autoscaler_cpu: desk.feed("its CPU", interval, false, &[Metric::HpaCpu]),
            counts: desk.feed("restarts of containers", interval, true, &OF_COUNTS),
            pods: desk.feed("pods", interval, false, &OF_PODS),
            usage: desk.feed("metrics.k8s.io", interval, false, &OF_USAGE),
        };
        if settings.hpa.is_none() {
            for metric in OF_AUTOSCALER.into_iter().chain([Metric::HpaCpu]) {
                desk.missing(metric, "`[observe.kubernetes]` names no `hpa`");
            }
        }
        Self {
            settings,
            kubeconfig,
            awaited,
            cluster: None,
            feeds,
            pods: Pods::default(),
            untold: Vec::new(),
            usage: Usage::default(),
            state: None,
            blind: None,
            values: HashMap::new(),
            at_first: None,
            over_target: None,
            end: None,
            revision: None,
        }
    }

    async fn look(&mut self, desk: &Desk, beat: Beat) -> Result<(), String> {
        // Until it is known better, as where it takes too long.
        self.blind = Some("the API server does not answer".to_owned());
        if beat.is_last {
            self.end = Some(beat.at);
        }
        let outcome = self.ask(desk, beat).await;
        self.blind = outcome.as_ref().err().cloned();
        outcome
    }

    async fn ask(&mut self, desk: &Desk, beat: Beat) -> Result<(), String> {
        if self.cluster.is_none() {
            let cluster = Cluster::connect(way(&self.settings, &self.kubeconfig)).await?;
            desk.source(self.source(&cluster));
            self.cluster = Some(Rc::new(cluster));
        }
        let Some(cluster) = self.cluster.clone() else { return Ok(()) };
        let (autoscaler, pods, usage, rollout) = tokio::join!(
            cluster.autoscaler(self.settings.hpa.as_deref()),
            cluster.pods(&self.settings.selector),
            cluster.usage(&self.settings.selector),
            self.rollout(&cluster),
        );
        let at = beat.at;
        if let Some(rollout) = rollout {
            self.take_rollout(desk, beat, &rollout);
        }
        let mut barred = Vec::new();
        match autoscaler {
            Ok(Some(found)) => {
                let state = State::of(&found);
                self.take_autoscaler(desk, beat, &state);
                self.state = Some(state);
            }
            Ok(None) => {}
            Err(why) => {
                self.state = None;
                desk.failed(self.feeds.autoscaler, why.clone());
                desk.failed(self.feeds.autoscaler_cpu, why.clone());
                barred.push(why);
            }
        }
        match pods {
            Ok(found) => {
                let seen = self.pods.take(&found, beat, desk);
                desk.look(self.feeds.counts, at);
                desk.look(self.feeds.pods, at);
                self.read(desk, Metric::PodsReady, at, f64::from(seen.ready));
                if let (Some(over), Some(first)) = (self.over_target, seen.first_ready)
                    && !self.values.contains_key(&Metric::HpaScaleUpTime)
                    && first >= over
                {
                    let took = first.duration_since(over).as_secs_f64() * 1e3;
                    self.read(desk, Metric::HpaScaleUpTime, at, took);
                }
                self.untold = seen.happened;
            }
            Err(why) => {
                desk.failed(self.feeds.counts, why.clone());
                desk.failed(self.feeds.pods, why.clone());
                barred.push(why);
            }
        }
        match usage.and_then(|found| self.usage.take(&found, beat.at)) {
            Ok(fresh) => {
                desk.look(self.feeds.usage, at);
                for (pod, cpu, memory) in fresh {
                    let labels = [("pod".to_owned(), pod)];
                    desk.read(Metric::PodCpu, &labels, at, cpu);
                    desk.read(Metric::PodMemory, &labels, at, memory);
                }
            }
            Err(NoUsage::Missing(why)) => {
                desk.failed(self.feeds.usage, why.clone());
                if beat.phase == ObservedPhase::During {
                    self.symptom(desk, at, SymptomKind::NoMetrics, vec![why]);
                }
            }
            Err(NoUsage::Unknown(why)) => {
                desk.failed(self.feeds.usage, why.clone());
                barred.push(why);
            }
        }
        let is_blind = barred.len() == if self.settings.hpa.is_some() { 3 } else { 2 };
        if is_blind {
            barred.dedup();
            return Err(barred.join("; "));
        }
        // Others see what they should; what a feed could not see stands with it.
        Ok(())
    }

    fn take_autoscaler(&mut self, desk: &Desk, beat: Beat, state: &State) {
        let at = beat.at;
        desk.autoscaler(state.autoscaler.clone());
        desk.look(self.feeds.autoscaler, at);
        self.read(desk, Metric::HpaReplicas, at, f64::from(state.current));
        self.read(desk, Metric::HpaDesiredReplicas, at, f64::from(state.desired));
        match (&state.trouble, state.cpu) {
            (Some(trouble), _) => {
                desk.failed(self.feeds.autoscaler_cpu, trouble.text.clone());
                if let Some(kind) = trouble.kind.filter(|_| beat.phase == ObservedPhase::During) {
                    self.symptom(desk, at, kind, vec![trouble.text.clone()]);
                }
            }
            (None, Some(cpu)) => {
                desk.look(self.feeds.autoscaler_cpu, at);
                self.read(desk, Metric::HpaCpu, at, cpu);
            }
            (None, None) => desk.failed(self.feeds.autoscaler_cpu, "the autoscaler tells no CPU of its pods"),
        }
        if beat.phase == ObservedPhase::During {
            self.at_first.get_or_insert(state.current);
            if state.is_over_target() && self.over_target.is_none() {
                self.over_target = Some(at);
            }
        }
        if let (Some(end), Some(first)) = (self.end, self.at_first)
            && state.current <= first
            && state.desired <= first
            && !self.values.contains_key(&Metric::HpaScaleDownTime)
        {
            let took = at.saturating_duration_since(end).as_secs_f64() * 1e3;
            self.read(desk, Metric::HpaScaleDownTime, at, took);
        }
    }

    /// How far a rollout of the Deployment is that is scaled; where that cannot be seen, a run does without.
    async fn rollout(&self, cluster: &Cluster) -> Option<Rollout> {
        let name = self.state.as_ref()?.autoscaler.workload.strip_prefix("deployment/")?;
        Some(Rollout::of(&cluster.deployment(name).await.ok()??))
    }

    /// Another version of the service beside the load changes what is measured.
    fn take_rollout(&mut self, desk: &Desk, beat: Beat, rollout: &Rollout) {
        let Some(state) = self.state.as_ref().filter(|_| beat.phase == ObservedPhase::During) else { return };
        let workload = &state.autoscaler.workload;
        let Some(revision) = rollout.revision.clone() else { return };
        let before = self.revision.replace(revision.clone());
        if let Some(before) = before.filter(|before| *before != revision) {
            let evidence = format!("its revision went from {before} to {revision}");
            desk.incident(beat.at, format!("{workload} was rolled out anew"), vec![evidence]);
        }
        if rollout.is_in_progress() {
            desk.note(format!("a rollout of {workload} was in progress while the load was applied"));
        }
    }

    fn symptom(&self, desk: &Desk, at: Instant, kind: SymptomKind, evidence: Vec<String>) {
        let object = self.settings.hpa.clone().unwrap_or_default();
        desk.symptom(SymptomSeen { at, kind, object, container: None, evidence });
    }

    fn read(&mut self, desk: &Desk, metric: Metric, at: Instant, value: f64) {
        self.values.insert(metric, value);
        desk.read(metric, &[], at, value);
    }

    fn source(&self, cluster: &Cluster) -> String {
        let selector = &self.settings.selector;
        let pods = format!("pods {selector} in namespace {} at {}", cluster.namespace, cluster.server);
        match &self.settings.hpa {
            Some(hpa) => format!("hpa {hpa} and {pods}"),
            None => pods,
        }
    }

    /// Why the cluster is in no steady state; `None` where it is, or where nobody can see it and waiting is idle.
    fn unsteady(&self) -> Option<String> {
        if self.blind.is_some() {
            return None;
        }
        let ready = self.values.get(&Metric::PodsReady).copied()?;
        if self.pods.alive() == 0 {
            return Some(format!("no pod has the labels {}", self.settings.selector));
        }
        if f64::from(self.pods.alive()) > ready {
            return Some(format!("{ready} of {} pods are ready", self.pods.alive()));
        }
        let state = self.state.as_ref()?;
        let (current, desired) = (state.current, state.desired);
        if current != desired {
            return Some(format!("{current} replicas, and {desired} wanted"));
        }
        if f64::from(current) > ready {
            return Some(format!("{ready} of {current} replicas are ready"));
        }
        (state.has_too_many()).then(|| format!("{current} replicas, which their CPU is no reason for"))
    }

    /// What is awaited after the load and is not there yet; `None` where it is.
    fn undecided(&self) -> Option<String> {
        let is_open = |awaited: &&Awaited| {
            match self.values.get(&awaited.metric) {
                Some(value) => !awaited.operator.holds(*value, awaited.bound),
                // What could never be seen is not waited for; this one is seen only when it is over.
                None => {
                    awaited.metric == Metric::HpaScaleDownTime
                        && self.values.contains_key(&Metric::HpaReplicas)
                }
            }
        };
        let open: Vec<&Awaited> = self.awaited.iter().filter(is_open).collect();
        if self.awaited.is_empty() || self.values.is_empty() {
            return None;
        }
        // A figure that is passed through on the way to another decides nothing.
        let moving =
            self.blind.is_some() || self.state.as_ref().is_some_and(|state| state.current != state.desired);
        if open.is_empty() && !moving {
            return None;
        }
        let awaited = if open.is_empty() { self.awaited.iter().collect() } else { open };
        let texts: Vec<&str> = awaited.iter().map(|awaited| awaited.text.as_str()).collect();
        let now = match (&self.blind, &self.state) {
            (Some(why), _) => format!(" ({why})"),
            (None, Some(state)) => format!(" ({} replicas, {} wanted)", state.current, state.desired),
            (None, None) => String::new(),
        };
        Some(format!("waiting for {}{now}", texts.join(", ")))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "kubeconfigs are no reports")]
mod tests {
    use std::net::TcpListener;

    use tokio::sync::mpsc::unbounded_channel;
    use tokio::sync::watch;

    use super::super::desk::{Course, Tale};
    use super::*;

    /// A cluster whose API server takes connections, and says nothing.
    async fn silent(folder: &tempfile::TempDir) -> (TcpListener, Cluster) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let kubeconfig = folder.path().join("kubeconfig");
        let text = format!(
            r#"{{"current-context": "it", "contexts": [{{"name": "it", "context": {{"cluster": "it", "user": "me"}}}}],
                "clusters": [{{"name": "it", "cluster": {{"server": "{server}"}}}}],
                "users": [{{"name": "me", "user": {{"token": "abc"}}}}]}}"#
        );
        std::fs::write(&kubeconfig, text).unwrap();
        let way = Way { kubeconfig: &[kubeconfig], context: None, namespace: None };
        (listener, Cluster::connect(way).await.expect("a kubeconfig"))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_happens_to_many_pods_at_once_is_told_of_each_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let (_listener, cluster) = silent(&folder).await;
        let (reports, mut told) = unbounded_channel();
        let (_course, course) = watch::channel(Course::Before);
        let desk = Desk::new(0, course, reports);
        let happening = |n: u32| Happening {
            pod: format!("pod-{n}"),
            uid: format!("uid-{n}"),
            container: Some("app".to_owned()),
            text: Some(format!("pod-{n} ended")),
            symptom: SymptomKind::Restart,
            evidence: vec!["Error, exit code 1".to_owned()],
        };
        let began = Instant::now();
        tell(&cluster, &desk, began, (0..60).map(happening).collect()).await;
        assert!(began.elapsed() < Duration::from_secs(30), "one after another takes a minute");
        let mut incidents = Vec::new();
        while let Ok(report) = told.try_recv() {
            if let Tale::Incident { text, evidence, .. } = report.tale {
                assert_eq!(evidence, ["Error, exit code 1"]);
                incidents.push(text);
            }
        }
        assert_eq!(incidents, (0..60).map(|n| format!("pod-{n} ended")).collect::<Vec<_>>());
    }
}
