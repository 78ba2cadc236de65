//! What `palier doctor` says of a cluster: whether everything that is watched can be seen.

use super::autoscaler::State;
use super::client::{Cluster, NoUsage};
use crate::observe::checkup::Finding;
use crate::plan::Kubernetes;

const AUTOSCALER: &str = "autoscaling";
const PODS: &str = "pods";

/// Asks the cluster once for all that an observer asks for.
pub async fn check(settings: &Kubernetes) -> Vec<Finding> {
    let cluster = match Cluster::connect(settings).await {
        Ok(cluster) => cluster,
        Err(why) => return vec![Finding::wrong(AUTOSCALER, why, None)],
    };
    let (autoscaler, pods, usage) = tokio::join!(
        cluster.autoscaler(settings.hpa.as_deref()),
        cluster.pods(&settings.selector),
        cluster.usage(&settings.selector),
    );
    let namespace = &cluster.namespace;
    let of_autoscaler = match autoscaler {
        Ok(None) => {
            Finding::note(AUTOSCALER, "no autoscaler is watched: `[observe.kubernetes]` names no `hpa`", None)
        }
        Ok(Some(found)) => {
            let state = State::of(&found);
            let name = &state.autoscaler.name;
            match state.trouble {
                Some(trouble) => Finding::wrong(
                    AUTOSCALER,
                    format!("hpa {name} cannot act: {}", trouble.text),
                    Some(format!("kubectl describe hpa {name} -n {namespace}")),
                ),
                None => Finding::right(
                    AUTOSCALER,
                    format!(
                        "hpa {name} scales {} from {} to {} replicas; there are {}",
                        state.autoscaler.workload, state.autoscaler.min, state.autoscaler.max, state.current
                    ),
                ),
            }
        }
        Err(why) => Finding::wrong(AUTOSCALER, why, None),
    };
    let selector = &settings.selector;
    let of_pods = match pods {
        Ok(found) if found.is_empty() => Finding::wrong(
            PODS,
            format!("no pod in namespace {namespace} has the labels {selector}"),
            Some(format!("kubectl get pods -n {namespace} --show-labels")),
        ),
        Ok(found) => {
            Finding::right(PODS, format!("{selector} selects {} in namespace {namespace}", found.len()))
        }
        Err(why) => Finding::wrong(PODS, why, None),
    };
    let of_usage = match usage {
        Ok(found) if found.is_empty() => {
            Finding::wrong(PODS, "the metrics API (metrics.k8s.io) has no figures of these pods", None)
        }
        Ok(_) => Finding::right(PODS, "the metrics API (metrics.k8s.io) has their CPU and memory"),
        Err(NoUsage::Missing(why)) => {
            Finding::wrong(PODS, why, Some("kubectl get apiservice v1beta1.metrics.k8s.io".to_owned()))
        }
        Err(NoUsage::Unknown(why)) => Finding::wrong(PODS, why, None),
    };
    vec![of_autoscaler, of_pods, of_usage]
}
