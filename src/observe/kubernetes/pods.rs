//! What happened to pods between one look and the next.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::desk::{Beat, Desk, PodSeen, SymptomSeen};
use crate::metrics::SymptomKind;
use crate::words::{Metric, ObservedPhase};

/// All pods that were seen.
#[derive(Debug, Default)]
pub(super) struct Pods {
    has_looked: bool,
    known: BTreeMap<String, Known>,
    /// By pod and container: what has happened since the first look.
    restarts: HashMap<(String, String), f64>,
    crash_loops: HashMap<(String, String), f64>,
    /// The pods that were there when the load began.
    at_first: Option<HashSet<String>>,
    alive: u32,
}

/// A pod as it was at the last look.
#[derive(Debug, Default)]
struct Known {
    seen: PodSeen,
    is_ready: bool,
    is_pending: bool,
    /// By container: how often it was started anew in all, and whether it waits in `CrashLoopBackOff`.
    containers: HashMap<String, (i32, bool)>,
}

/// What a look at pods found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// How many are ready.
    pub(super) ready: u32,
    /// When the first was ready that had not been there when the load began.
    pub(super) first_ready: Option<Instant>,
    /// Pods to ask the cluster about, by name and uid.
    pub(super) unwell: Vec<(String, String)>,
}

impl Pods {
    /// How many pods there are that are not on their way out.
    pub(super) fn alive(&self) -> u32 {
        self.alive
    }

    /// Takes in a look, and writes down what has happened since the last.
    pub(super) fn take(&mut self, found: &[Pod], beat: Beat, desk: &Desk) -> Seen {
        let mut seen = Seen::default();
        self.alive = 0;
        for pod in found {
            self.take_one(pod, beat, desk, &mut seen);
        }
        let is_there = |uid: &str| found.iter().any(|pod| pod.metadata.uid.as_deref() == Some(uid));
        for (uid, known) in &mut self.known {
            if known.seen.gone.is_none() && !is_there(uid) {
                known.seen.gone = Some(beat.at);
                desk.pod(known.seen.clone());
            }
        }
        self.has_looked = true;
        if beat.phase == ObservedPhase::During && self.at_first.is_none() {
            self.at_first = Some(self.known.keys().cloned().collect());
        }
        let at_first = self.at_first.as_ref();
        seen.first_ready = (self.known.iter())
            .filter(|(uid, _)| at_first.is_some_and(|at_first| !at_first.contains(*uid)))
            .filter_map(|(_, known)| known.seen.ready)
            .min();
        seen
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one look at one pod, in the order of its parts, which share what is known"
    )]
    fn take_one(&mut self, pod: &Pod, beat: Beat, desk: &Desk, all: &mut Seen) {
        let at = beat.at;
        let (Some(uid), Some(name)) = (pod.metadata.uid.clone(), pod.metadata.name.clone()) else { return };
        let status = pod.status.as_ref();
        let is_leaving = pod.metadata.deletion_timestamp.is_some();
        let is_over =
            status.and_then(|status| status.phase.as_deref()).is_some_and(|phase| phase == "Succeeded");
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let condition = |name: &str| conditions.iter().find(|condition| condition.type_ == name);
        let ready = condition("Ready").filter(|condition| condition.status == "True");
        if !is_leaving && !is_over {
            self.alive += 1;
            all.ready += u32::from(ready.is_some());
        }
        let was_there = self.has_looked;
        let known = self.known.entry(uid.clone()).or_insert_with(|| Known {
            seen: PodSeen {
                uid: uid.clone(),
                name: name.clone(),
                born: if was_there {
                    Some(at)
                } else {
                    pod.metadata.creation_timestamp.as_ref().and_then(moment)
                },
                ..PodSeen::default()
            },
            ..Known::default()
        });
        let before = known.seen.clone();
        let symptom = |kind, container: Option<&str>, evidence: Vec<String>| {
            let (object, container) = (name.clone(), container.map(str::to_owned));
            desk.symptom(SymptomSeen { at, kind, object, container, evidence });
        };
        if let Some(condition) = ready
            && known.seen.ready.is_none()
        {
            let since = condition.last_transition_time.as_ref().and_then(moment);
            known.seen.ready = if was_there { Some(at) } else { since };
        }
        let mut ask = false;
        if let Some(condition) = condition("PodScheduled")
            && condition.status == "False"
            && !std::mem::replace(&mut known.is_pending, true)
        {
            let message = condition.message.clone().unwrap_or_default();
            let reason = condition.reason.clone().unwrap_or_default();
            desk.incident(at, format!("pod {name} finds no node: {reason}"), vec![message.clone()]);
            symptom(SymptomKind::Unschedulable, None, vec![format!("{reason}: {message}")]);
            known.seen.last_reason = Some(reason);
        }
        let mut ended = false;
        let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        for container in containers {
            let key = (name.clone(), container.name.clone());
            let labels = [("pod".to_owned(), key.0.clone()), ("container".to_owned(), key.1.clone())];
            let new = known.containers.get(&container.name).copied();
            // What a container counted before anybody looked is not of this run.
            let base = if was_there { (0, false) } else { (container.restart_count, is_looping(container)) };
            let (count, was_looping) = new.unwrap_or(base);
            let more = container.restart_count.saturating_sub(count).max(0);
            let looping = is_looping(container);
            known.containers.insert(container.name.clone(), (container.restart_count, looping));
            if more > 0 {
                ended = true;
                ask = true;
                known.seen.restarts += u64::from(more.unsigned_abs());
                let total = self.restarts.entry(key.clone()).or_default();
                *total += f64::from(more);
                desk.read(Metric::PodRestarts, &labels, at, *total);
                let end = Ending::of(container);
                known.seen.last_reason.clone_from(&end.reason);
                let text = format!("container {} of pod {name} was started anew: {end}", container.name);
                desk.incident(
                    at,
                    text,
                    vec![format!("its restart count went from {count} to {}", container.restart_count)],
                );
                let kind = if end.reason.as_deref() == Some("OOMKilled") {
                    SymptomKind::OutOfMemory
                } else {
                    SymptomKind::Restart
                };
                symptom(kind, Some(&container.name), vec![end.to_string()]);
            }
            if looping && (!was_looping || more > 0) {
                let total = self.crash_loops.entry(key.clone()).or_default();
                *total += 1.0;
                desk.read(Metric::PodCrashLoops, &labels, at, *total);
                let end = Ending::of(container);
                if !was_looping {
                    let text = format!("container {} of pod {name} is in CrashLoopBackOff", container.name);
                    desk.incident(
                        at,
                        text,
                        vec![format!("its restart count is {}; {end}", container.restart_count)],
                    );
                }
                symptom(SymptomKind::CrashLoop, Some(&container.name), vec![end.to_string()]);
                let reason = end.reason.filter(|reason| reason != "Error");
                known.seen.last_reason = Some(reason.unwrap_or_else(|| "CrashLoopBackOff".to_owned()));
            }
            let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
            let reason = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
            if (reason.contains("Image") || reason.starts_with("CreateContainer"))
                && known.seen.last_reason.as_deref() != Some(reason)
            {
                let message = waiting.and_then(|waiting| waiting.message.clone()).unwrap_or_default();
                let text = format!("container {} of pod {name} cannot start: {reason}", container.name);
                desk.incident(at, text, vec![format!("image {}", container.image), message.clone()]);
                symptom(SymptomKind::Image, Some(&container.name), vec![format!("{reason}: {message}")]);
                known.seen.last_reason = Some(reason.to_owned());
            }
        }
        let was_ready = std::mem::replace(&mut known.is_ready, ready.is_some());
        if was_ready && ready.is_none() && !is_leaving && !is_over {
            ask = true;
            let why = condition("Ready").and_then(|condition| condition.message.clone()).unwrap_or_default();
            if !ended {
                desk.incident(at, format!("pod {name} is not ready any more"), vec![why.clone()]);
                symptom(SymptomKind::Unready, None, vec![why]);
            }
        }
        if ask {
            all.unwell.push((name, uid));
        }
        if known.seen != before || before.born.is_none() {
            desk.pod(known.seen.clone());
        }
    }
}

/// How a container ended last.
struct Ending {
    reason: Option<String>,
    exit_code: Option<i32>,
    message: Option<String>,
}

impl Ending {
    fn of(container: &ContainerStatus) -> Self {
        let ended = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
        let last = ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()));
        Self {
            exit_code: last.as_ref().map(|last| last.exit_code),
            message: last
                .as_ref()
                .and_then(|last| last.message.clone())
                .filter(|text| !text.trim().is_empty()),
            reason: last.and_then(|last| last.reason),
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = self.reason.as_deref().unwrap_or("no reason known");
        match self.exit_code {
            Some(code) => write!(f, "{reason}, exit code {code}")?,
            None => f.write_str(reason)?,
        }
        match self.message.as_deref() {
            Some(message) => write!(f, ": {}", message.trim()),
            None => Ok(()),
        }
    }
}

fn is_looping(container: &ContainerStatus) -> bool {
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    waiting.is_some_and(|waiting| waiting.reason.as_deref() == Some("CrashLoopBackOff"))
}

/// A time of the cluster on our own clock, as far as both clocks agree.
fn moment(time: &Time) -> Option<Instant> {
    let seconds = u64::try_from(time.0.as_second()).ok()?;
    let ago = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap_or_default();
    Instant::now().checked_sub(ago)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::sync::watch;

    use super::super::super::desk::{Course, Report, Tale};
    use super::*;

    struct Looks {
        pods: Pods,
        desk: Desk,
        told: UnboundedReceiver<Report>,
        start: Instant,
    }

    impl Looks {
        fn new() -> Self {
            let (reports, told) = unbounded_channel();
            let (_, course) = watch::channel(Course::Before);
            Self { pods: Pods::default(), desk: Desk::new(0, course, reports), told, start: Instant::now() }
        }

        fn look(&mut self, second: u64, phase: ObservedPhase, found: &[Pod]) -> Seen {
            let beat = Beat { at: self.start + Duration::from_secs(second), is_last: false, phase };
            self.pods.take(found, beat, &self.desk)
        }

        /// The incidents so far, and the last reading of each counter.
        fn told(&mut self) -> (Vec<String>, Vec<(Metric, String, f64)>) {
            let (mut incidents, mut counts) = (Vec::new(), Vec::new());
            while let Ok(report) = self.told.try_recv() {
                #[expect(clippy::wildcard_enum_match_arm, reason = "only these are asked for")]
                match report.tale {
                    Tale::Incident { text, .. } => incidents.push(text),
                    Tale::Reading { metric, labels, value, .. } => {
                        counts.retain(|(known, pod, _)| (*known, pod) != (metric, &labels[0].1));
                        counts.push((metric, labels[0].1.clone(), value));
                    }
                    _ => {}
                }
            }
            (incidents, counts)
        }
    }

    /// A pod; `state` and `last` are the states of its only container.
    fn pod(name: &str, ready: bool, restarts: u32, state: &str, last: &str) -> Pod {
        let text = format!(
            r#"{{"metadata": {{"name": "{name}", "uid": "uid-{name}", "creationTimestamp": "2026-01-01T00:00:00Z"}},
                "status": {{"phase": "Running",
                    "conditions": [{{"type": "Ready", "status": "{}", "message": "containers with unready status: [app]"}}],
                    "containerStatuses": [{{"name": "app", "image": "app:1", "imageID": "", "ready": {ready},
                        "restartCount": {restarts}, "state": {{{state}}}, "lastState": {{{last}}}}}]}}}}"#,
            if ready { "True" } else { "False" }
        );
        serde_json::from_str(&text).expect("a pod")
    }

    const RUNS: &str = r#""running": {"startedAt": "2026-01-01T00:00:00Z"}"#;
    const KILLED: &str = r#""terminated": {"exitCode": 137, "reason": "OOMKilled"}"#;
    const LOOPS: &str = r#""waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}"#;

    #[test]
    fn only_restarts_since_the_first_look_count() {
        let mut looks = Looks::new();
        looks.look(0, ObservedPhase::Before, &[pod("a", true, 7, RUNS, KILLED)]);
        assert_eq!(looks.told(), (Vec::new(), Vec::new()));
        let seen = looks.look(1, ObservedPhase::During, &[pod("a", true, 9, RUNS, KILLED)]);
        assert_eq!(seen.unwell, [("a".to_owned(), "uid-a".to_owned())]);
        let (incidents, counts) = looks.told();
        assert_eq!(incidents, ["container app of pod a was started anew: OOMKilled, exit code 137"]);
        assert_eq!(counts, [(Metric::PodRestarts, "a".to_owned(), 2.0)]);
    }

    #[test]
    fn a_pod_that_came_later_brings_all_its_restarts() {
        let mut looks = Looks::new();
        looks.look(0, ObservedPhase::During, &[pod("a", true, 0, RUNS, "")]);
        looks.look(
            1,
            ObservedPhase::During,
            &[pod("a", true, 0, RUNS, ""), pod("b", false, 1, LOOPS, KILLED)],
        );
        let (incidents, counts) = looks.told();
        assert_eq!(incidents[1], "container app of pod b is in CrashLoopBackOff");
        let b = || "b".to_owned();
        assert_eq!(counts, [(Metric::PodRestarts, b(), 1.0), (Metric::PodCrashLoops, b(), 1.0)]);
        // Still waiting is nothing new; ended and waiting again is.
        looks.look(
            2,
            ObservedPhase::During,
            &[pod("a", true, 0, RUNS, ""), pod("b", false, 1, LOOPS, KILLED)],
        );
        assert_eq!(looks.told().1, []);
        looks.look(
            9,
            ObservedPhase::During,
            &[pod("a", true, 0, RUNS, ""), pod("b", false, 2, LOOPS, KILLED)],
        );
        assert_eq!(looks.told().1, [(Metric::PodRestarts, b(), 2.0), (Metric::PodCrashLoops, b(), 2.0)]);
    }

    #[test]
    fn the_first_new_pod_that_is_ready_is_none_that_was_there_before() {
        let mut looks = Looks::new();
        let a = || pod("a", true, 0, RUNS, "");
        assert_eq!(looks.look(0, ObservedPhase::Before, &[a()]).ready, 1);
        assert_eq!(looks.look(1, ObservedPhase::During, &[a()]).first_ready, None);
        let seen = looks.look(2, ObservedPhase::During, &[a(), pod("b", false, 0, RUNS, "")]);
        assert_eq!((seen.ready, seen.first_ready), (1, None));
        let seen = looks.look(5, ObservedPhase::During, &[a(), pod("b", true, 0, RUNS, "")]);
        assert_eq!((seen.ready, seen.first_ready), (2, Some(looks.start + Duration::from_secs(5))));
        assert_eq!(looks.pods.alive(), 2);
        // Scaled down again: gone, and no incident.
        assert_eq!(looks.look(6, ObservedPhase::After, &[a()]).ready, 1);
        assert_eq!(looks.told(), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_pod_that_stops_being_ready_is_told_of_once() {
        let mut looks = Looks::new();
        looks.look(0, ObservedPhase::During, &[pod("a", true, 0, RUNS, "")]);
        looks.look(1, ObservedPhase::During, &[pod("a", false, 0, RUNS, "")]);
        looks.look(2, ObservedPhase::During, &[pod("a", false, 0, RUNS, "")]);
        assert_eq!(looks.told().0, ["pod a is not ready any more"]);
    }
}
