//! What happened to pods between one look and the next.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;

use super::super::desk::{Beat, Desk};
use super::pod::{Counted, Happening, Known, Look};
use crate::words::{Metric, ObservedPhase};

/// All pods that were seen.
#[derive(Debug, Default)]
pub(super) struct Pods {
    has_looked: bool,
    /// By uid.
    known: BTreeMap<String, Known>,
    /// By pod and container: what has happened since the first look.
    restarts: HashMap<(String, String), f64>,
    crash_loops: HashMap<(String, String), f64>,
    /// The pods that were there when the load began.
    at_first: Option<HashSet<String>>,
    alive: u32,
}

/// What a look at pods found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// How many are ready.
    pub(super) ready: u32,
    /// When the first was ready that had not been there when the load began.
    pub(super) first_ready: Option<Instant>,
    /// What happened to pods, still to be told.
    pub(super) happened: Vec<Happening>,
}

impl Pods {
    /// How many pods there are that are not on their way out.
    pub(super) fn alive(&self) -> u32 {
        self.alive
    }

    /// Takes in a look, and writes down what is counted.
    pub(super) fn take(&mut self, found: &[Pod], beat: Beat, desk: &Desk) -> Seen {
        let mut seen = Seen::default();
        self.alive = 0;
        let looks: Vec<Look<'_>> =
            found.iter().filter_map(|pod| Look::of(pod, beat.at, self.has_looked)).collect();
        for look in &looks {
            if look.is_alive() {
                self.alive += 1;
                seen.ready += u32::from(look.is_ready());
            }
            let is_new = !self.known.contains_key(look.uid);
            let known = self.known.entry(look.uid.to_owned()).or_insert_with(|| Known::new(look));
            let before = known.seen.clone();
            let (happened, counted) = known.take(look);
            if is_new || known.seen != before {
                desk.pod(known.seen.clone());
            }
            seen.happened.extend(happened);
            for count in counted {
                self.count(look.name, &count, beat, desk);
            }
        }
        for (uid, known) in &mut self.known {
            if known.seen.gone.is_none() && !looks.iter().any(|look| look.uid == uid) {
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

    fn count(&mut self, pod: &str, count: &Counted, beat: Beat, desk: &Desk) {
        let key = (pod.to_owned(), count.container.clone());
        let labels = [("pod".to_owned(), key.0.clone()), ("container".to_owned(), key.1.clone())];
        let add = |metric, totals: &mut HashMap<(String, String), f64>, more: u32| {
            if more > 0 {
                let total = totals.entry(key.clone()).or_default();
                *total += f64::from(more);
                desk.read(metric, &labels, beat.at, *total);
            }
        };
        add(Metric::PodRestarts, &mut self.restarts, count.restarts);
        add(Metric::PodCrashLoops, &mut self.crash_loops, count.crash_loops);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::sync::watch;

    use super::super::super::desk::{Course, Report, Tale};
    use super::*;
    use crate::metrics::SymptomKind;

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

        /// The last reading of each counter.
        fn counts(&mut self) -> Vec<(Metric, String, f64)> {
            let mut counts = Vec::new();
            while let Ok(report) = self.told.try_recv() {
                if let Tale::Reading { metric, labels, value, .. } = report.tale {
                    counts.retain(|(known, pod, _)| (*known, pod) != (metric, &labels[0].1));
                    counts.push((metric, labels[0].1.clone(), value));
                }
            }
            counts
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

    /// What happened, in words.
    fn texts(seen: &Seen) -> Vec<&str> {
        seen.happened.iter().filter_map(|happening| happening.text.as_deref()).collect()
    }

    #[test]
    fn only_restarts_since_the_first_look_count() {
        let mut looks = Looks::new();
        let seen = looks.look(0, ObservedPhase::Before, &[pod("a", true, 7, RUNS, KILLED)]);
        assert_eq!((texts(&seen), looks.counts()), (Vec::new(), Vec::new()));
        let seen = looks.look(1, ObservedPhase::During, &[pod("a", true, 9, RUNS, KILLED)]);
        assert_eq!(texts(&seen), ["container app of pod a was started anew: OOMKilled, exit code 137"]);
        let happening = &seen.happened[0];
        assert_eq!((happening.symptom, happening.uid.as_str()), (SymptomKind::OutOfMemory, "uid-a"));
        assert_eq!(happening.evidence, ["OOMKilled, exit code 137; its restart count is 9"]);
        assert!(happening.has_last_words());
        assert_eq!(looks.counts(), [(Metric::PodRestarts, "a".to_owned(), 2.0)]);
    }

    #[test]
    fn a_pod_that_came_later_brings_all_its_restarts() {
        let mut looks = Looks::new();
        let a = || pod("a", true, 0, RUNS, "");
        looks.look(0, ObservedPhase::During, &[a()]);
        let seen = looks.look(1, ObservedPhase::During, &[a(), pod("b", false, 1, LOOPS, KILLED)]);
        assert_eq!(texts(&seen)[1], "container app of pod b is in CrashLoopBackOff");
        let b = || "b".to_owned();
        assert_eq!(looks.counts(), [(Metric::PodRestarts, b(), 1.0), (Metric::PodCrashLoops, b(), 1.0)]);
        // Still waiting is nothing new; ended and waiting again is.
        looks.look(2, ObservedPhase::During, &[a(), pod("b", false, 1, LOOPS, KILLED)]);
        assert_eq!(looks.counts(), []);
        looks.look(9, ObservedPhase::During, &[a(), pod("b", false, 2, LOOPS, KILLED)]);
        assert_eq!(looks.counts(), [(Metric::PodRestarts, b(), 2.0), (Metric::PodCrashLoops, b(), 2.0)]);
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
        // Scaled down again: gone, and nothing to tell.
        let seen = looks.look(6, ObservedPhase::After, &[a()]);
        assert_eq!((seen.ready, seen.happened, looks.counts()), (1, Vec::new(), Vec::new()));
    }

    #[test]
    fn containers_that_cannot_start_are_told_of_once_each() {
        let waiting = |name: &str, reason: &str| {
            format!(
                r#"{{"name": "{name}", "image": "{name}:1", "imageID": "", "ready": false, "restartCount": 0,
                    "state": {{"waiting": {{"reason": "{reason}", "message": "no such image"}}}}, "lastState": {{}}}}"#
            )
        };
        let barred = |app: &str, sidecar: &str| -> Pod {
            let text = format!(
                r#"{{"metadata": {{"name": "a", "uid": "uid-a"}},
                    "status": {{"phase": "Pending", "containerStatuses": [{}, {}]}}}}"#,
                waiting("app", app),
                waiting("sidecar", sidecar)
            );
            serde_json::from_str(&text).expect("a pod")
        };
        let mut looks = Looks::new();
        let seen = looks.look(0, ObservedPhase::During, &[barred("ErrImagePull", "ImagePullBackOff")]);
        assert_eq!(
            texts(&seen),
            [
                "container app of pod a cannot start: ErrImagePull",
                "container sidecar of pod a cannot start: ImagePullBackOff",
            ]
        );
        let seen = looks.look(1, ObservedPhase::During, &[barred("ImagePullBackOff", "ErrImagePull")]);
        assert_eq!(texts(&seen), [""; 0]);
    }

    #[test]
    fn a_pod_that_stops_being_ready_is_told_of_once() {
        let mut looks = Looks::new();
        looks.look(0, ObservedPhase::During, &[pod("a", true, 0, RUNS, "")]);
        let seen = looks.look(1, ObservedPhase::During, &[pod("a", false, 0, RUNS, "")]);
        assert_eq!(texts(&seen), ["pod a is not ready any more"]);
        let seen = looks.look(2, ObservedPhase::During, &[pod("a", false, 0, RUNS, "")]);
        assert_eq!(seen.happened, []);
    }

    #[test]
    fn a_pod_that_is_never_ready_is_told_of_once_after_a_minute() {
        let mut looks = Looks::new();
        let (a, b) = (|| pod("a", true, 0, RUNS, ""), || pod("b", false, 0, RUNS, ""));
        looks.look(0, ObservedPhase::During, &[a()]);
        assert_eq!(looks.look(1, ObservedPhase::During, &[a(), b()]).happened, []);
        assert_eq!(looks.look(59, ObservedPhase::During, &[a(), b()]).happened, []);
        let seen = looks.look(61, ObservedPhase::During, &[a(), b()]);
        assert_eq!(texts(&seen), ["pod b runs, and is not ready 1m after it was made"]);
        assert_eq!(looks.look(62, ObservedPhase::During, &[a(), b()]).happened, []);
    }
}
