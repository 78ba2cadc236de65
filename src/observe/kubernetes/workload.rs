//! The Deployment that an autoscaler scales: a rollout beside the load changes what is measured.

use k8s_openapi::api::apps::v1::Deployment;

/// How far a rollout is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rollout {
    /// The number of the template; the cluster counts it up with each rollout.
    pub(super) revision: Option<String>,
    /// The pods that are wanted, that there are, those of the newest template, and those of it that are available.
    wanted: i32,
    there: i32,
    updated: i32,
    available: i32,
    /// The controller has not looked at the newest template yet.
    is_unseen: bool,
}

impl Rollout {
    /// Reads it.
    pub(super) fn of(deployment: &Deployment) -> Self {
        let status = deployment.status.as_ref();
        let annotations = deployment.metadata.annotations.as_ref();
        let seen = status.and_then(|status| status.observed_generation);
        Self {
            revision: annotations.and_then(|all| all.get("deployment.kubernetes.io/revision").cloned()),
            wanted: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            there: status.and_then(|status| status.replicas).unwrap_or(0),
            updated: status.and_then(|status| status.updated_replicas).unwrap_or(0),
            available: status.and_then(|status| status.available_replicas).unwrap_or(0),
            is_unseen: seen < deployment.metadata.generation,
        }
    }

    /// Whether pods of an older template are still there. That there are fewer than wanted is what scaling looks like.
    pub(super) fn is_in_progress(&self) -> bool {
        self.there > self.updated
    }

    /// In words.
    pub(super) fn human(&self) -> String {
        let unseen = if self.is_unseen { ", and a newer template is still to come" } else { "" };
        format!(
            "{} of {} pods have its newest template, {} are available of {} wanted{unseen}",
            self.updated, self.there, self.available, self.wanted
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(replicas: i32, status: &str) -> Rollout {
        let text = format!(
            r#"{{"metadata": {{"name": "backend", "generation": 3,
                "annotations": {{"deployment.kubernetes.io/revision": "2"}}}},
                "spec": {{"replicas": {replicas}, "selector": {{}}, "template": {{}}}}, "status": {status}}}"#
        );
        Rollout::of(&serde_json::from_str(&text).expect("a deployment"))
    }

    #[test]
    fn scaling_is_no_rollout() {
        let scaling = rollout(
            6,
            r#"{"replicas": 6, "updatedReplicas": 6, "availableReplicas": 2, "observedGeneration": 3}"#,
        );
        assert!(!scaling.is_in_progress());
        let rolling = rollout(
            2,
            r#"{"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2, "observedGeneration": 3}"#,
        );
        assert!(rolling.is_in_progress());
        assert_eq!(rolling.revision.as_deref(), Some("2"));
        assert_eq!(rolling.human(), "1 of 3 pods have its newest template, 2 are available of 2 wanted");
    }
}
