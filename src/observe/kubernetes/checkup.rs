//! What `palier doctor` says of a cluster: whether everything that is watched can be seen, and would act.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, Service};
use tokio::join;

use super::autoscaler::State;
use super::client::{Cluster, NoUsage};
use super::review::{self, Right};
use super::way;
use super::workload::Rollout;
use crate::metrics::SymptomKind;
use crate::observe::checkup::Finding;
use crate::plan::{Kubernetes, Plan, Watched};

const CLUSTER: &str = "cluster";
const RIGHTS: &str = "rights";
const SERVICE: &str = "service";
const AUTOSCALER: &str = "autoscaling";
const PODS: &str = "pods";

/// Asks the cluster once for all that an observer asks for.
pub async fn check(settings: &Kubernetes, plan: &Plan) -> Vec<Finding> {
    let cluster = match Cluster::connect(way(settings, &plan.kubeconfig)).await {
        Ok(cluster) => cluster,
        Err(why) => {
            return vec![Finding::wrong(CLUSTER, why, Some("kubectl config get-contexts".to_owned()))];
        }
    };
    let version = match cluster.version().await {
        Ok(version) => version,
        Err(why) => return vec![Finding::wrong(CLUSTER, why, Some("kubectl cluster-info".to_owned()))],
    };
    let mut findings = vec![about(&cluster, &version)];
    if cluster.lacks_namespace().await {
        let text = format!("there is no namespace {}", cluster.namespace);
        let mend = "kubectl get namespaces; `--set observe.kubernetes.namespace=…` names another".to_owned();
        findings.push(Finding::wrong(CLUSTER, text, Some(mend)));
        return findings;
    }
    let doctor = Doctor { cluster: &cluster, settings };
    findings.extend(doctor.rights(plan).await);
    let (autoscaler, pods, usage, services) = join!(
        cluster.autoscaler(settings.hpa.as_deref()),
        cluster.pods(&settings.selector),
        cluster.usage(&settings.selector),
        cluster.services(),
    );
    let state = autoscaler.as_ref().ok().and_then(Option::as_ref).map(State::of);
    match autoscaler {
        Ok(_) => findings.extend(doctor.autoscaler(state.as_ref())),
        Err(why) => {
            let mend = format!("kubectl get hpa -n {}", cluster.namespace);
            findings.push(Finding::wrong(AUTOSCALER, why, Some(mend)));
        }
    }
    let workload = state.as_ref().map(|state| state.autoscaler.workload.as_str());
    if let Some(workload) = workload {
        findings.extend(doctor.rollout(workload).await);
    }
    match &pods {
        Ok(found) => {
            findings.extend(doctor.pods(found, workload));
            findings.extend(doctor.service(found, services.as_deref().unwrap_or_default(), workload));
        }
        Err(why) => findings.push(Finding::wrong(PODS, why.clone(), None)),
    }
    findings.push(doctor.usage(usage.map(|found| found.len())));
    findings
}

fn about(cluster: &Cluster, version: &str) -> Finding {
    let context = match &cluster.context {
        Some(context) => format!("context {context}, "),
        None => "in the cluster, ".to_owned(),
    };
    let (namespace, server) = (&cluster.namespace, &cluster.server);
    Finding::right(CLUSTER, format!("{context}namespace {namespace}: Kubernetes {version} at {server}"))
}

struct Doctor<'a> {
    cluster: &'a Cluster,
    settings: &'a Kubernetes,
}

impl Doctor<'_> {
    /// Each right by itself, and who would be given one that is missing.
    async fn rights(&self, plan: &Plan) -> Vec<Finding> {
        let reads_logs = plan.observers.iter().any(|observer| {
            observer.active && matches!(&observer.watched, Watched::Logs(logs) if logs.pods.is_some())
        });
        let mut rights = vec![review::PODS, review::USAGE];
        if self.settings.hpa.is_some() {
            rights.insert(0, review::AUTOSCALER);
        }
        rights.push(if reads_logs { review::LOGS } else { review::LAST_WORDS });
        rights.extend([review::EVENTS, review::DEPLOYMENTS, review::SERVICES]);
        let mut who = None;
        let mut findings = Vec::new();
        for right in rights {
            let outcome = review::may(self.cluster, right).await;
            if outcome == Ok(false) && who.is_none() {
                who = Some(review::whoami(self.cluster).await);
            }
            findings.push(self.right(right, outcome, who.as_ref().and_then(Option::as_deref)));
        }
        findings
    }

    fn right(&self, right: Right, outcome: Result<bool, String>, who: Option<&str>) -> Finding {
        let (verb, what, purpose) = (right.verb, right.what(), right.purpose);
        let namespace = &self.cluster.namespace;
        let mend = review::grant(namespace, who);
        match outcome {
            Ok(true) => Finding::right(RIGHTS, format!("may {verb} {what}")),
            Ok(false) if right.optional => {
                let text = format!("may not {verb} {what}: a run does without {purpose}");
                Finding::note(RIGHTS, text, Some(&mend))
            }
            Ok(false) => {
                let text =
                    format!("may not {verb} {what} in namespace {namespace}: {purpose} would not be seen");
                Finding::wrong(RIGHTS, text, Some(mend))
            }
            Err(why) => {
                let mend = format!("kubectl auth can-i {verb} {what} -n {namespace}");
                Finding::note(
                    RIGHTS,
                    format!("whether palier may {verb} {what} is unknown: {why}"),
                    Some(&mend),
                )
            }
        }
    }

    fn autoscaler(&self, state: Option<&State>) -> Vec<Finding> {
        let Some(state) = state else {
            let text = "no autoscaler is watched: `[observe.kubernetes]` names no `hpa`";
            return vec![Finding::note(AUTOSCALER, text, None)];
        };
        let namespace = &self.cluster.namespace;
        let autoscaler = &state.autoscaler;
        let (name, workload) = (&autoscaler.name, &autoscaler.workload);
        let mut findings = Vec::new();
        if let Some(trouble) = &state.trouble {
            let mend = match trouble.kind {
                Some(SymptomKind::NoRequests) => requests(workload, namespace),
                Some(SymptomKind::NoMetrics) => NO_METRICS.to_owned(),
                Some(_) | None => format!("kubectl describe hpa {name} -n {namespace}"),
            };
            let text = format!("hpa {name} cannot act: {}", trouble.text);
            findings.push(Finding::wrong(AUTOSCALER, text, Some(mend)));
        } else {
            let aim = autoscaler.target.map(|percent| format!(" at {percent} % CPU")).unwrap_or_default();
            let cpu = state.cpu.map(|cpu| format!(", which use {:.0} %", cpu * 100.0)).unwrap_or_default();
            findings.push(Finding::right(
                AUTOSCALER,
                format!(
                    "hpa {name} scales {workload} from {} to {} replicas{aim}; there are {}{cpu}",
                    autoscaler.min, autoscaler.max, state.current
                ),
            ));
        }
        if state.current >= autoscaler.max && autoscaler.max > 0 {
            let mend = format!(
                "kubectl patch hpa {name} -n {namespace} --patch '{{\"spec\":{{\"maxReplicas\":{}}}}}'",
                autoscaler.max * 2
            );
            let text = format!("hpa {name} is at its most, {} replicas: it cannot scale up", autoscaler.max);
            findings.push(Finding::note(AUTOSCALER, text, Some(&mend)));
        } else if state.has_too_many() {
            let text = format!(
                "there are {} replicas, which their CPU is no reason for: a run waits until the autoscaler takes them down",
                state.current
            );
            findings.push(Finding::note(AUTOSCALER, text, None));
        }
        findings
    }

    async fn rollout(&self, workload: &str) -> Option<Finding> {
        let name = workload.strip_prefix("deployment/")?;
        let rollout = Rollout::of(&self.cluster.deployment(name).await.ok()??);
        let namespace = &self.cluster.namespace;
        rollout.is_in_progress().then(|| {
            let text = format!("a rollout of {workload} is in progress: {}", rollout.human());
            let mend = format!("kubectl rollout status {workload} -n {namespace}");
            Finding::note(PODS, text, Some(&mend))
        })
    }

    fn pods(&self, found: &[Pod], workload: Option<&str>) -> Vec<Finding> {
        let (namespace, selector) = (&self.cluster.namespace, &self.settings.selector);
        if found.is_empty() {
            let text = format!("no pod in namespace {namespace} has the labels {selector}");
            let mend = format!("kubectl get pods -n {namespace} --show-labels");
            return vec![Finding::wrong(PODS, text, Some(mend))];
        }
        let ready = found.iter().filter(|pod| is_ready(pod)).count();
        let text =
            format!("{selector} selects {} in namespace {namespace}, {ready} of them ready", found.len());
        let of_pods = if ready == found.len() {
            Finding::right(PODS, text)
        } else {
            let mend = format!("kubectl describe pods -n {namespace} -l {selector}");
            Finding::wrong(PODS, text, Some(mend))
        };
        let mut findings = vec![of_pods];
        let without: Vec<String> = (found.iter())
            .flat_map(|pod| pod.spec.iter().flat_map(|spec| &spec.containers))
            .filter(|container| {
                let requests = container.resources.as_ref().and_then(|of| of.requests.as_ref());
                requests.is_none_or(|requests| !requests.contains_key("cpu"))
            })
            .map(|container| container.name.clone())
            .collect();
        if let Some(container) = without.first() {
            let text = format!(
                "container {container} requests no CPU: an autoscaler cannot say what share of it is used"
            );
            let mend = workload.map(|workload| requests(workload, namespace));
            findings.push(match self.settings.hpa {
                Some(_) => Finding::wrong(PODS, text, mend),
                None => Finding::note(PODS, text, mend.as_deref()),
            });
        } else {
            findings.push(Finding::right(PODS, "all their containers request CPU"));
        }
        findings
    }

    /// The Services that lead to these pods.
    fn service(&self, pods: &[Pod], services: &[Service], workload: Option<&str>) -> Vec<Finding> {
        let namespace = &self.cluster.namespace;
        let selects = |service: &Service, pod: &Pod| {
            let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            let labels = pod.metadata.labels.as_ref();
            selector.zip(labels).is_some_and(|(selector, labels)| is_part(selector, labels))
        };
        let mut findings = Vec::new();
        for service in services {
            let n = pods.iter().filter(|pod| selects(service, pod)).count();
            if n == 0 {
                continue;
            }
            let ready = pods.iter().filter(|pod| selects(service, pod) && is_ready(pod)).count();
            let name = service.metadata.name.as_deref().unwrap_or_default();
            let ports: Vec<String> = (service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()))
                .map(|port| port.port.to_string())
                .collect();
            let text = format!("service {name}, port {}, leads to {ready} ready pods", ports.join(", "));
            findings.push(if ready > 0 {
                Finding::right(SERVICE, text)
            } else {
                let mend =
                    format!("kubectl get endpointslices -n {namespace} -l kubernetes.io/service-name={name}");
                Finding::wrong(SERVICE, text, Some(mend))
            });
        }
        // An empty list may as well be one that palier may not read, which its right says.
        if findings.is_empty() && !services.is_empty() && !pods.is_empty() {
            let text = format!("no service in namespace {namespace} leads to these pods");
            let mend = workload.map(|workload| format!("kubectl expose {workload} -n {namespace} --port=…"));
            findings.push(Finding::note(SERVICE, text, mend.as_deref()));
        }
        findings
    }

    fn usage(&self, usage: Result<usize, NoUsage>) -> Finding {
        match usage {
            Ok(0) => {
                let text = "the metrics API (metrics.k8s.io) has no figures of these pods";
                let mend = format!("kubectl top pods -n {}", self.cluster.namespace);
                Finding::wrong(PODS, text, Some(mend))
            }
            Ok(_) => Finding::right(PODS, "the metrics API (metrics.k8s.io) has their CPU and memory"),
            Err(NoUsage::Missing(why)) => Finding::wrong(PODS, why, Some(NO_METRICS.to_owned())),
            Err(NoUsage::Unknown(why)) => Finding::wrong(PODS, why, None),
        }
    }
}

const NO_METRICS: &str =
    "kubectl get apiservice v1beta1.metrics.k8s.io (on minikube: minikube addons enable metrics-server)";

fn requests(workload: &str, namespace: &str) -> String {
    format!("kubectl set resources {workload} -n {namespace} --requests=cpu=100m")
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a selector selects what has these labels; an empty one selects nothing, as in a Service.
fn is_part(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
