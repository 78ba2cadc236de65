//! What palier may do in a cluster, asked of the API server itself (`SelfSubjectAccessReview`).

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};

use super::client::Cluster;

/// Something that palier does in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) verb: &'static str,
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) subresource: &'static str,
    /// What is not seen without it, as the end of a sentence.
    pub(super) purpose: &'static str,
    /// Whether a run does without it.
    pub(super) optional: bool,
}

impl Right {
    const fn new(
        verb: &'static str,
        group: &'static str,
        resource: &'static str,
        purpose: &'static str,
    ) -> Self {
        Self { verb, group, resource, subresource: "", purpose, optional: false }
    }

    const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The resource as `kubectl auth can-i` takes it: `pods.metrics.k8s.io`, `pods/log`.
    pub(super) fn what(&self) -> String {
        let of =
            |text: &str, sign: &str| if text.is_empty() { String::new() } else { format!("{sign}{text}") };
        format!("{}{}{}", self.resource, of(self.group, "."), of(self.subresource, "/"))
    }
}

pub(super) const AUTOSCALER: Right =
    Right::new("get", "autoscaling", "horizontalpodautoscalers", "the autoscaler");

pub(super) const PODS: Right = Right::new("list", "", "pods", "pods and their restarts");

pub(super) const USAGE: Right = Right::new("list", "metrics.k8s.io", "pods", "CPU and memory of pods");

pub(super) const LOGS: Right =
    Right { subresource: "log", ..Right::new("get", "", "pods", "the logs of pods") };

pub(super) const LAST_WORDS: Right =
    Right { purpose: "the last lines of a container that ended", ..LOGS }.optional();

pub(super) const EVENTS: Right = Right::new("list", "", "events", "what the cluster warns of").optional();

pub(super) const DEPLOYMENTS: Right =
    Right::new("get", "apps", "deployments", "rollouts beside the load").optional();

pub(super) const SERVICES: Right =
    Right::new("list", "", "services", "the Service in front of the pods").optional();

/// Whether palier may.
pub(super) async fn may(cluster: &Cluster, right: Right) -> Result<bool, String> {
    let text = |text: &str| Some(text.to_owned());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: text(right.verb),
                group: text(right.group),
                resource: text(right.resource),
                subresource: text(right.subresource),
                namespace: Some(cluster.namespace.clone()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    match api.create(&PostParams::default(), &review).await {
        Ok(answer) => Ok(answer.status.is_some_and(|status| status.allowed)),
        Err(error) => Err(cluster.refusal(&error)),
    }
}

/// Who palier is to the API server; `None` where it does not say (before Kubernetes 1.28).
pub(super) async fn whoami(cluster: &Cluster) -> Option<String> {
    let api: Api<SelfSubjectReview> = Api::all(cluster.client.clone());
    let answer = api.create(&PostParams::default(), &SelfSubjectReview::default()).await.ok()?;
    answer.status?.user_info?.username
}

/// The command that lets somebody observe a namespace.
pub(super) fn grant(namespace: &str, who: Option<&str>) -> String {
    let apply = format!("kubectl apply -n {namespace} -f ci/kubernetes/observe.yaml");
    let subject = match who {
        Some(who) => match who.strip_prefix("system:serviceaccount:") {
            Some(account) => format!("--serviceaccount={account}"),
            None => format!("--user={who}"),
        },
        None => return apply,
    };
    format!(
        "{apply} && kubectl create rolebinding palier-observes -n {namespace} --role=palier-observe {subject}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_named_as_kubectl_takes_them() {
        assert_eq!(PODS.what(), "pods");
        assert_eq!(LOGS.what(), "pods/log");
        assert_eq!(USAGE.what(), "pods.metrics.k8s.io");
        assert_eq!(AUTOSCALER.what(), "horizontalpodautoscalers.autoscaling");
    }

    #[test]
    fn who_lacks_a_right_is_named_in_the_command_that_gives_it() {
        let apply = "kubectl apply -n shop -f ci/kubernetes/observe.yaml";
        let bind = "kubectl create rolebinding palier-observes -n shop --role=palier-observe";
        assert_eq!(grant("shop", None), apply);
        assert_eq!(grant("shop", Some("ann")), format!("{apply} && {bind} --user=ann"));
        let account = Some("system:serviceaccount:ci:runner");
        assert_eq!(grant("shop", account), format!("{apply} && {bind} --serviceaccount=ci:runner"));
    }
}
