//! The way to the API server, and what bars it, in words.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, Service};
use kube::api::{Api, ListParams, LogParams};
use kube::{Client, Config, Error};

use super::usage::{PodMetrics, PodMetricsList};
use crate::reach::cluster;

/// The file that has the Role for observing.
const ROLE: &str = "ci/kubernetes/observe.yaml";

/// How long the metrics API may take: what else is seen must not wait for it.
const OF_METRICS: Duration = Duration::from_secs(1);

/// How long each piece of evidence of what happened to a pod may take.
const OF_EVIDENCE: Duration = Duration::from_secs(1);

/// So many of its last lines are evidence.
const LAST_WORDS: i64 = 5;

/// The most that is kept of a line, in characters.
const LONGEST_LINE: usize = 500;

/// Why there are no figures of CPU and memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoUsage {
    /// The cluster has none, so that its autoscaler has none either.
    Missing(String),
    /// Palier could not ask for them, which says nothing of the autoscaler.
    Unknown(String),
}

/// How to find a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    /// The kubeconfigs, those before others hold; one that is not there is no reason to give up, as palier may run in a
    /// pod.
    pub(super) kubeconfig: &'a [PathBuf],
    /// The context; `None` for the current one.
    pub(super) context: Option<&'a str>,
    /// The namespace; `None` for that of the context.
    pub(super) namespace: Option<&'a str>,
}

/// A cluster that can be asked.
pub(super) struct Cluster {
    pub(super) client: Client,
    /// The namespace that is asked about.
    pub(super) namespace: String,
    /// The context of the kubeconfig that led here; `None` in a pod.
    pub(super) context: Option<String>,
    /// The API server, for messages.
    pub(super) server: String,
}

impl Cluster {
    /// Finds the cluster as `kubectl` does: by kubeconfigs, or by the service account of the pod that palier runs in.
    /// Nothing is asked yet.
    pub(super) async fn connect(way: Way<'_>) -> Result<Self, String> {
        let (config, context) = cluster::config(way.kubeconfig, way.context).await?;
        Self::of(way, config, context)
    }

    /// The same for answers that go on for as long as something is watched.
    pub(super) async fn connect_to_follow(way: Way<'_>) -> Result<Self, String> {
        let (mut config, context) = cluster::config(way.kubeconfig, way.context).await?;
        config.read_timeout = None;
        Self::of(way, config, context)
    }

    fn of(way: Way<'_>, config: Config, context: Option<String>) -> Result<Self, String> {
        let namespace = way.namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let (client, server) = cluster::client(config)?;
        Ok(Self { client, namespace, context, server })
    }

    /// The autoscaler of that name.
    pub(super) async fn autoscaler(
        &self,
        name: Option<&str>,
    ) -> Result<Option<HorizontalPodAutoscaler>, String> {
        let Some(name) = name else { return Ok(None) };
        let api: Api<HorizontalPodAutoscaler> = Api::namespaced(self.client.clone(), &self.namespace);
        match api.get_opt(name).await {
            Ok(Some(found)) => Ok(Some(found)),
            Ok(None) => Err(format!("there is no hpa `{name}` in the namespace `{}`", self.namespace)),
            Err(error) => Err(self.refusal(&error)),
        }
    }

    /// The version of the API server, which everybody may ask for: it says that the way to it works.
    pub(super) async fn version(&self) -> Result<String, String> {
        let version = self.client.apiserver_version().await;
        version.map(|version| version.git_version).map_err(|error| self.refusal(&error))
    }

    /// Whether there is no such namespace, as far as palier may know.
    pub(super) async fn lacks_namespace(&self) -> bool {
        let api: Api<Namespace> = Api::all(self.client.clone());
        matches!(api.get_opt(&self.namespace).await, Ok(None))
    }

    /// The Deployment of that name.
    pub(super) async fn deployment(&self, name: &str) -> Result<Option<Deployment>, String> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        api.get_opt(name).await.map_err(|error| self.refusal(&error))
    }

    /// All Services.
    pub(super) async fn services(&self) -> Result<Vec<Service>, String> {
        let api: Api<Service> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.list(&ListParams::default()).await;
        found.map(|list| list.items).map_err(|error| self.refusal(&error))
    }

    /// All pods with these labels.
    pub(super) async fn pods(&self, selector: &str) -> Result<Vec<Pod>, String> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.list(&ListParams::default().labels(selector)).await;
        found.map(|list| list.items).map_err(|error| self.refusal(&error))
    }

    /// What the metrics API says of them. It is served by another than the API server, which may keep silent while
    /// that one answers.
    pub(super) async fn usage(&self, selector: &str) -> Result<Vec<PodMetrics>, NoUsage> {
        let selector = percent_encoding::utf8_percent_encode(selector, percent_encoding::NON_ALPHANUMERIC);
        let path = format!(
            "/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods?labelSelector={selector}",
            self.namespace
        );
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| NoUsage::Unknown(error.to_string()))?;
        match tokio::time::timeout(OF_METRICS, self.client.request::<PodMetricsList>(request)).await {
            Ok(Ok(list)) => Ok(list.items),
            Ok(Err(Error::Api(status))) if status.code == 404 => {
                Err(NoUsage::Missing("the cluster has no metrics API (metrics.k8s.io)".to_owned()))
            }
            Ok(Err(Error::Api(status))) if status.code >= 500 => {
                let said = status.message.trim();
                Err(NoUsage::Missing(format!(
                    "the metrics API (metrics.k8s.io) does not work: {} {said}",
                    status.code
                )))
            }
            Ok(Err(error)) => Err(NoUsage::Unknown(self.refusal(&error))),
            Err(_) => {
                let patience = crate::units::human_duration(OF_METRICS);
                Err(NoUsage::Unknown(format!(
                    "the metrics API (metrics.k8s.io) gave no figures within {patience}"
                )))
            }
        }
    }

    /// What the cluster warned of a pod, the latest last; nothing where that cannot be read in time.
    pub(super) async fn warnings(&self, uid: &str) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let fields = format!("involvedObject.uid={uid},type=Warning");
        let asked = ListParams::default().fields(&fields).limit(20);
        let found = tokio::time::timeout(OF_EVIDENCE, api.list(&asked)).await;
        let events = found.ok().and_then(Result::ok).map(|list| list.items).unwrap_or_default();
        let mut texts: Vec<String> = (events.into_iter())
            .map(|event| {
                let (reason, message) = (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
                format!("{reason}: {}", message.trim())
            })
            .collect();
        texts.dedup();
        texts.drain(..texts.len().saturating_sub(3));
        texts
    }

    /// The last lines that a container wrote before it ended last; nothing where they cannot be read in time.
    pub(super) async fn last_words(&self, pod: &str, container: &str) -> Vec<String> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let ask = LogParams {
            container: Some(container.to_owned()),
            previous: true,
            tail_lines: Some(LAST_WORDS),
            ..LogParams::default()
        };
        match tokio::time::timeout(OF_EVIDENCE, api.logs(pod, &ask)).await {
            Ok(Ok(text)) => (text.lines())
                .filter(|line| !line.trim().is_empty())
                .map(|line| format!("its log: {}", line.chars().take(LONGEST_LINE).collect::<String>()))
                .collect(),
            Ok(Err(Error::Api(status))) if status.code == 403 => {
                vec![format!("its log cannot be read: {}", self.refusal(&Error::Api(status)))]
            }
            // There may be none, and whoever asks has other evidence.
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }

    /// What the API server, or the way to it, said no with.
    pub(super) fn refusal(&self, error: &Error) -> String {
        cluster::refusal(error, &self.server, ROLE)
    }
}
