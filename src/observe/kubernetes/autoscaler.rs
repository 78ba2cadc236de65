//! What a `HorizontalPodAutoscaler` says of itself.

use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, MetricSpec, MetricStatus};

use crate::metrics::{Autoscaler, SymptomKind};

/// An autoscaler leaves deviations from its target alone that are no larger (Kubernetes'
/// `--horizontal-pod-autoscaler-tolerance`).
const TOLERANCE: f64 = 0.1;

/// The state of an autoscaler at one look.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// How it is set up.
    pub(super) autoscaler: Autoscaler,
    /// The replicas that it counts.
    pub(super) current: u32,
    /// The replicas that it wants.
    pub(super) desired: u32,
    /// The CPU of the pods, as a share of what they request.
    pub(super) cpu: Option<f64>,
    /// Why it does not know what to do.
    pub(super) trouble: Option<Trouble>,
}

/// Why an autoscaler does not know what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What kind of thing, where it is one that can be mended.
    pub(super) kind: Option<SymptomKind>,
    pub(super) text: String,
}

impl State {
    /// Reads it.
    pub(super) fn of(hpa: &HorizontalPodAutoscaler) -> Self {
        let spec = hpa.spec.as_ref();
        let status = hpa.status.as_ref();
        let target = spec.and_then(|spec| spec.metrics.iter().flatten().find_map(target));
        let workload = spec.map(|spec| &spec.scale_target_ref);
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let trouble = conditions.iter().find_map(|condition| {
            let reason = condition.reason.as_deref().unwrap_or_default();
            // With nothing to scale it is switched off, and no worse for it.
            let is_bad = condition.status == "False" && reason != "ScalingDisabled";
            let matters = condition.type_ == "ScalingActive" || condition.type_ == "AbleToScale";
            let message = condition.message.as_deref().unwrap_or_default();
            (is_bad && matters).then(|| Trouble {
                kind: if message.contains("missing request for cpu") {
                    Some(SymptomKind::NoRequests)
                } else {
                    (reason == "FailedGetResourceMetric").then_some(SymptomKind::NoMetrics)
                },
                text: format!("{reason}: {message}"),
            })
        });
        Self {
            autoscaler: Autoscaler {
                namespace: hpa.metadata.namespace.clone().unwrap_or_default(),
                name: hpa.metadata.name.clone().unwrap_or_default(),
                workload: workload
                    .map(|of| format!("{}/{}", of.kind.to_lowercase(), of.name))
                    .unwrap_or_default(),
                min: spec.and_then(|spec| spec.min_replicas).map_or(1, whole),
                max: spec.map_or(0, |spec| whole(spec.max_replicas)),
                target,
            },
            current: status.and_then(|status| status.current_replicas).map_or(0, whole),
            desired: status.map_or(0, |status| whole(status.desired_replicas)),
            cpu: (status.and_then(|status| status.current_metrics.as_ref()))
                .and_then(|metrics| metrics.iter().find_map(current))
                .map(|percent| f64::from(percent) / 100.0),
            trouble,
        }
    }

    /// The CPU that it aims at, as a share.
    fn target(&self) -> Option<f64> {
        self.autoscaler.target.map(|percent| f64::from(percent) / 100.0)
    }

    /// Whether the CPU is over its target.
    pub(super) fn is_over_target(&self) -> bool {
        self.cpu.zip(self.target()).is_some_and(|(cpu, target)| cpu > target)
    }

    /// Whether it will take replicas down when it has waited long enough: it wants ⌈replicas × CPU ÷ target⌉
    /// (kubernetes.io, Horizontal Pod Autoscaling, "Algorithm details").
    pub(super) fn has_too_many(&self) -> bool {
        let Some((cpu, target)) = self.cpu.zip(self.target()) else { return false };
        let ratio = cpu / target;
        let wanted = (f64::from(self.current) * ratio).ceil();
        ratio < 1.0 - TOLERANCE
            && self.current > self.autoscaler.min
            && wanted.max(f64::from(self.autoscaler.min)) < f64::from(self.current)
    }
}

fn whole(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn target(metric: &MetricSpec) -> Option<u32> {
    let of_pods = metric.resource.as_ref().filter(|of| of.name == "cpu").map(|of| &of.target);
    let of_container = metric.container_resource.as_ref().filter(|of| of.name == "cpu").map(|of| &of.target);
    of_pods.or(of_container)?.average_utilization.map(whole)
}

fn current(metric: &MetricStatus) -> Option<u32> {
    let of_pods = metric.resource.as_ref().filter(|of| of.name == "cpu").map(|of| &of.current);
    let of_container = metric.container_resource.as_ref().filter(|of| of.name == "cpu").map(|of| &of.current);
    of_pods.or(of_container)?.average_utilization.map(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hpa(status: &str) -> State {
        let text = format!(
            r#"{{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                "metadata": {{"name": "backend", "namespace": "shop"}},
                "spec": {{"minReplicas": 2, "maxReplicas": 10,
                    "scaleTargetRef": {{"apiVersion": "apps/v1", "kind": "Deployment", "name": "backend"}},
                    "metrics": [{{"type": "Resource", "resource": {{"name": "cpu",
                        "target": {{"type": "Utilization", "averageUtilization": 70}}}}}}]}},
                "status": {status}}}"#
        );
        State::of(&serde_json::from_str(&text).expect("an autoscaler"))
    }

    fn at(current: u32, cpu: u32) -> State {
        hpa(&format!(
            r#"{{"currentReplicas": {current}, "desiredReplicas": {current}, "currentMetrics": [{{"type": "Resource",
                "resource": {{"name": "cpu", "current": {{"averageUtilization": {cpu}, "averageValue": "1"}}}}}}]}}"#
        ))
    }

    #[test]
    fn it_says_what_it_scales_and_by_what() {
        let state = at(4, 140);
        let autoscaler = &state.autoscaler;
        assert_eq!(autoscaler.workload, "deployment/backend");
        assert_eq!((autoscaler.min, autoscaler.max, autoscaler.target), (2, 10, Some(70)));
        assert_eq!((state.current, state.desired, state.cpu), (4, 4, Some(1.4)));
        assert!(state.is_over_target() && !state.has_too_many());
    }

    #[test]
    fn replicas_that_their_cpu_is_no_reason_for_are_too_many() {
        assert!(at(7, 3).has_too_many());
        assert!(!at(2, 3).has_too_many(), "there are never fewer than two");
        assert!(!at(4, 65).has_too_many(), "within the tolerance");
        assert!(!at(3, 60).has_too_many(), "2.6 replicas are three");
    }

    #[test]
    fn an_autoscaler_without_figures_says_why() {
        let blind = |reason: &str, message: &str| {
            hpa(&format!(
                r#"{{"currentReplicas": 2, "desiredReplicas": 2, "conditions": [{{"type": "ScalingActive",
                    "status": "False", "reason": "{reason}", "message": "{message}"}}]}}"#
            ))
            .trouble
        };
        let trouble = blind("FailedGetResourceMetric", "missing request for cpu in container app of Pod a")
            .expect("trouble");
        assert_eq!(trouble.kind, Some(SymptomKind::NoRequests));
        let trouble = blind("FailedGetResourceMetric", "unable to fetch metrics").expect("trouble");
        assert_eq!(trouble.kind, Some(SymptomKind::NoMetrics));
        assert_eq!(trouble.text, "FailedGetResourceMetric: unable to fetch metrics");
        assert_eq!(blind("ScalingDisabled", "scaling is disabled since the replica count is zero"), None);
    }
}
