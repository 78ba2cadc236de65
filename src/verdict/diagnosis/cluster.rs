//! What happened in the cluster, and what explains that the autoscaler or the pods did not do what they should.

use super::{Case, Diagnosis, Fact, Hint};
use crate::metrics::{Autoscaler, Histogram, Offset, Pod, Reading, Symptom, SymptomKind, Trend, Watch};
use crate::units::{Fraction, human_duration};
use crate::words::{Metric, ObserverKind, Section};

/// The autoscaler itself leaves deviations of a tenth from its target alone.
const TOLERATED: f64 = 1.1;

/// How long an autoscaler may look on before that needs a word: two of its usual looks.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Says what the observer of the cluster saw.
pub(super) fn diagnose(case: Case<'_>, diagnosis: &mut Diagnosis) {
    for (observer, watch) in case.plan.observers.iter().zip(&case.results.observed.watches) {
        if observer.kind() != ObserverKind::Kubernetes {
            continue;
        }
        diagnosis.facts.extend(watch.incidents.iter().map(|incident| Fact {
            at: Some(incident.at),
            topic: "pods",
            text: incident.text.clone(),
            evidence: incident.evidence.clone(),
        }));
        let course = Course::of(case, watch);
        diagnosis.facts.extend(course.facts(case));
        let namespace = watch.autoscaler.as_ref().map(|autoscaler| autoscaler.namespace.as_str());
        let has_ended = |pod: &str| {
            let ends = [SymptomKind::Restart, SymptomKind::OutOfMemory, SymptomKind::CrashLoop];
            watch.symptoms.iter().any(|symptom| symptom.object == pod && ends.contains(&symptom.kind))
        };
        // A container that ended is reason enough not to be ready.
        let symptoms = watch
            .symptoms
            .iter()
            .filter(|symptom| symptom.kind != SymptomKind::Unready || !has_ended(&symptom.object));
        diagnosis.hints.extend(symptoms.map(|symptom| hint(symptom, watch, namespace)));
        diagnosis.hints.extend(course.at_most());
        diagnosis.hints.extend(course.flat());
        diagnosis.hints.extend(course.flapping());
    }
}

/// How the autoscaler went through the load.
struct Course<'a> {
    watch: &'a Watch,
    /// The first reading of the CPU over its target.
    over: Option<Reading>,
    /// When more replicas were wanted than at the beginning of the load, and how many.
    wanted: Option<(Reading, Reading)>,
    /// The first new pod that was ready.
    ready: Option<(Offset, &'a Pod)>,
    end: Offset,
}

impl<'a> Course<'a> {
    fn of(case: Case<'_>, watch: &'a Watch) -> Self {
        let end = case.results.observed.over.unwrap_or(Offset::after(case.results.elapsed));
        let target = watch.autoscaler.as_ref().and_then(|autoscaler| autoscaler.target);
        let in_load = |metric| {
            let points = watch.tracks_of(metric, &[]).flat_map(|track| track.points.iter().copied());
            points.filter(move |point| Offset::ZERO <= point.at && point.at <= end)
        };
        let over = target
            .and_then(|target| in_load(Metric::HpaCpu).find(|point| point.value > f64::from(target) / 100.0));
        let first = in_load(Metric::HpaDesiredReplicas).next();
        let wanted = first.and_then(|first| {
            in_load(Metric::HpaDesiredReplicas)
                .find(|point| point.value > first.value)
                .map(|more| (first, more))
        });
        let ready = wanted.and_then(|_| {
            (watch.pods.iter())
                .filter(|pod| pod.born.is_some_and(|born| born > Offset::ZERO))
                .filter_map(|pod| pod.ready.map(|ready| (ready, pod)))
                .min()
        });
        Self { watch, over, wanted, ready, end }
    }

    fn facts(&self, case: Case<'_>) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut fact = |at, text, evidence| {
            facts.push(Fact { at: Some(at), topic: "autoscaling", text, evidence });
        };
        let Some(autoscaler) = &self.watch.autoscaler else { return facts };
        let name = &autoscaler.name;
        if let (Some(over), Some(target)) = (self.over, autoscaler.target) {
            let text = format!("the CPU of the pods was over its target of {target} % for the first time");
            fact(over.at, text, vec![format!("hpa {name} reads {}", percent(over.value))]);
        }
        if let Some((first, more)) = self.wanted {
            let after = match self.over.map(|over| more.at.since(over.at)) {
                Some(time) if time.as_secs() == 0 => ", as soon as that was seen".to_owned(),
                Some(_) => {
                    format!(", {} after that", took(more.at, self.over.map_or(more.at, |over| over.at)))
                }
                None => String::new(),
            };
            let text =
                format!("the autoscaler wanted {} replicas instead of {}{}", more.value, first.value, after);
            fact(more.at, text, vec![format!("desiredReplicas of hpa {name}")]);
        }
        if let (Some((ready, pod)), Some((_, more))) = (self.ready, self.wanted) {
            let text = format!(
                "the first new pod was ready, {} after more were wanted{}",
                took(ready, more.at),
                meanwhile(case, self.over.map_or(more.at, |over| over.at), ready)
            );
            fact(ready, text, vec![format!("pod {}", pod.name)]);
        }
        let all = || self.watch.tracks_of(Metric::HpaReplicas, &[]).flat_map(|track| &track.points);
        if self.wanted.is_some()
            && let Some(most) = all().copied().reduce(|a, b| if b.value > a.value { b } else { a })
        {
            let text = format!("there were {} replicas, the most of this run", most.value);
            fact(most.at, text, vec![format!("currentReplicas of hpa {name}")]);
        }
        let down = self.watch.tracks_of(Metric::HpaScaleDownTime, &[]).flat_map(|track| &track.points).next();
        if let (Some(down), Some(_)) = (down, self.wanted) {
            let text = format!(
                "there were no more replicas than before, {} after the load",
                took(down.at, self.end)
            );
            fact(down.at, text, vec![format!("currentReplicas of hpa {name}")]);
        }
        facts
    }

    /// Whether the CPU was over its target for long, and no more replicas were wanted although there may be more.
    fn flat(&self) -> Option<Hint> {
        let Autoscaler { namespace, name, max, target, .. } = self.watch.autoscaler.as_ref()?;
        let target = f64::from((*target)?) / 100.0;
        let [current, desired] = [Metric::HpaReplicas, Metric::HpaDesiredReplicas]
            .map(|metric| self.watch.tracks_of(metric, &[]).next());
        let (current, desired) = (current?, desired?);
        let is_flat = |cpu: &Reading| {
            let at = |track: &crate::metrics::Track| track.at(cpu.at).map_or(0.0, |reading| reading.value);
            cpu.value > target * TOLERATED && at(desired) <= at(current) && at(current) < f64::from(*max)
        };
        let readings = self.watch.tracks_of(Metric::HpaCpu, &[]).flat_map(|track| &track.points);
        let (mut longest, mut since) = (None, None);
        for cpu in readings.filter(|cpu| Offset::ZERO <= cpu.at && cpu.at <= self.end) {
            since = if is_flat(cpu) { since.or(Some(cpu.at)) } else { None };
            if let Some(since) = since {
                let time = cpu.at.since(since);
                longest = longest.max(Some((time, cpu.at)));
            }
        }
        let (time, _) = longest.filter(|(time, _)| *time >= PATIENCE)?;
        let seconds = human_duration(std::time::Duration::from_secs(time.as_secs()));
        Some(Hint {
            section: Section::Autoscaling,
            text: format!(
                "the CPU was over its target for {seconds}, and the autoscaler wanted no more replicas"
            ),
            evidence: vec![format!(
                "hpa {name} read more than {} for {seconds}, and desiredReplicas stayed as it was",
                percent(target)
            )],
            mend: Some(format!("kubectl describe hpa {name} -n {namespace}")),
        })
    }

    /// Whether replicas were taken away and given again while the load was applied.
    fn flapping(&self) -> Option<Hint> {
        let Autoscaler { namespace, name, .. } = self.watch.autoscaler.as_ref()?;
        let track = self.watch.tracks_of(Metric::HpaReplicas, &[]).next()?;
        let mut steps: Vec<f64> = track
            .points
            .iter()
            .filter(|point| Offset::ZERO <= point.at && point.at <= self.end)
            .map(|point| point.value)
            .collect();
        steps.dedup();
        let is_again = |three: &[f64]| three[1] < three[0] && three[1] < three[2];
        let times = steps.windows(3).filter(|three| is_again(three)).count();
        if times == 0 {
            return None;
        }
        let shown: Vec<String> = steps.iter().map(f64::to_string).collect();
        Some(Hint {
            section: Section::Autoscaling,
            text:
                "the autoscaler took replicas away and gave them again while the load was applied: it flaps"
                    .to_owned(),
            evidence: vec![format!("currentReplicas of hpa {name}: {}", shown.join(", "))],
            mend: Some(format!(
                "kubectl patch hpa {name} -n {namespace} --patch '{{\"spec\":{{\"behavior\":{{\"scaleDown\":{{\"stabilizationWindowSeconds\":300}}}}}}}}'"
            )),
        })
    }

    /// Whether the autoscaler had come to its most replicas, and would have needed more.
    fn at_most(&self) -> Option<Hint> {
        let autoscaler = self.watch.autoscaler.as_ref()?;
        let Autoscaler { namespace, name, max, target, .. } = autoscaler;
        let track = self.watch.tracks_of(Metric::HpaReplicas, &[]).next()?;
        let target = f64::from((*target)?) / 100.0;
        let is_short = |cpu: &&Reading| {
            let replicas = track.at(cpu.at).map_or(0.0, |replicas| replicas.value);
            cpu.value > target * TOLERATED
                && replicas >= f64::from(*max)
                && Offset::ZERO <= cpu.at
                && cpu.at <= self.end
        };
        let cpu = self.watch.tracks_of(Metric::HpaCpu, &[]).flat_map(|track| &track.points);
        let worst = cpu.filter(is_short).copied().reduce(|a, b| if b.value > a.value { b } else { a })?;
        Some(Hint {
            section: Section::Autoscaling,
            text: format!(
                "the autoscaler was at its most, {max} replicas, and their CPU still over its target"
            ),
            evidence: vec![format!(
                "hpa {name} read {} of a target of {}",
                percent(worst.value),
                percent(target)
            )],
            mend: Some(format!(
                "kubectl patch hpa {name} -n {namespace} --patch '{{\"spec\":{{\"maxReplicas\":{}}}}}'",
                max * 2
            )),
        })
    }
}

/// What a symptom means, and what mends it.
fn hint(symptom: &Symptom, watch: &Watch, namespace: Option<&str>) -> Hint {
    let pod = &symptom.object;
    let container = symptom.container.as_deref().unwrap_or_default();
    let in_namespace = namespace.map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    let workload = watch.autoscaler.as_ref().map(|autoscaler| autoscaler.workload.as_str());
    let describe = format!("kubectl describe pod {pod}{in_namespace}");
    let previous = format!("kubectl logs {pod} -c {container}{in_namespace} --previous");
    let (section, text, mend) = match symptom.kind {
        SymptomKind::NoMetrics => (
            Section::Autoscaling,
            "there are no CPU figures of the pods, so the autoscaler cannot act".to_owned(),
            "kubectl get apiservice v1beta1.metrics.k8s.io (on minikube: minikube addons enable metrics-server)"
                .to_owned(),
        ),
        SymptomKind::NoRequests => (
            Section::Autoscaling,
            "the pods request no CPU, so the autoscaler does not know what share of it they use".to_owned(),
            match workload {
                Some(workload) => format!("kubectl set resources {workload}{in_namespace} --requests=cpu=100m"),
                None => describe,
            },
        ),
        SymptomKind::Unschedulable => (
            Section::Stability,
            format!("pod {pod} found no node with room for it"),
            match workload.zip(short_of(&symptom.evidence)) {
                Some((workload, requests)) => format!(
                    "add a node, or let pods request less: kubectl set resources {workload}{in_namespace} --requests={requests}"
                ),
                None => describe,
            },
        ),
        SymptomKind::Image => (
            Section::Stability,
            format!("container {container} of pod {pod} cannot start with its image or configuration"),
            match workload {
                Some(workload) => format!(
                    "{describe}; then kubectl set image {workload} {container}=IMAGE{in_namespace}, or kubectl rollout undo {workload}{in_namespace}"
                ),
                None => describe,
            },
        ),
        SymptomKind::OutOfMemory => (
            Section::Stability,
            format!("container {container} of pod {pod} was ended for want of memory (OOMKilled)"),
            match workload {
                Some(workload) => {
                    format!("kubectl set resources {workload}{in_namespace} -c {container} --limits=memory=512Mi")
                }
                None => describe,
            },
        ),
        SymptomKind::Restart => {
            (Section::Stability, format!("container {container} of pod {pod} ended and was started anew"), previous)
        }
        SymptomKind::CrashLoop => (
            Section::Stability,
            format!("container {container} of pod {pod} ends again and again (CrashLoopBackOff)"),
            previous,
        ),
        SymptomKind::Unready => (
            Section::Stability,
            format!("pod {pod} was ready, and was not any more: its readiness probe failed"),
            describe,
        ),
        SymptomKind::NeverReady => (
            Section::Stability,
            format!("pod {pod} runs, and did not become ready: its readiness probe fails"),
            describe,
        ),
    };
    Hint { section, text, evidence: symptom.evidence.clone(), mend: Some(mend) }
}

/// What nodes have too little of, as a request that is less.
fn short_of(evidence: &[String]) -> Option<&'static str> {
    let says = |what: &str| evidence.iter().any(|line| line.contains(what));
    if says("Insufficient cpu") {
        Some("cpu=50m")
    } else {
        says("Insufficient memory").then_some("memory=128Mi")
    }
}

/// The 95th percentile of answer times between two moments of the load, in words.
fn meanwhile(case: Case<'_>, from: Offset, to: Offset) -> String {
    let series = &case.results.seconds;
    let resolution = series.resolution();
    let steps: Vec<_> = case.plan.loads.iter().flat_map(|load| load.steps.iter().copied()).collect();
    let mut histogram = Histogram::default();
    for index in 0..series.points().len() {
        let at = Offset::after(resolution * u32::try_from(index).unwrap_or(u32::MAX));
        if from <= at && at < to {
            case.results.point(index, &steps).durations.add_to(&mut histogram);
        }
    }
    match Trend::of_histogram(histogram).quantile(0.95) {
        Some(p95) => format!("; p(95) meanwhile was {}", human_duration(p95)),
        None => String::new(),
    }
}

fn took(later: Offset, earlier: Offset) -> String {
    // Looks are a second apart: more would be a pretence.
    let half = std::time::Duration::from_millis(500);
    human_duration(std::time::Duration::from_secs((later.since(earlier) + half).as_secs()))
}

fn percent(share: f64) -> String {
    Fraction::new(share).map_or_else(|| format!("{:.0} %", share * 100.0), Fraction::human)
}
