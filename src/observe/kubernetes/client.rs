//! The way to the API server, and what bars it, in words.

use std::time::Duration;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Error};

use super::usage::{PodMetrics, PodMetricsList};
use crate::plan::Kubernetes;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(4);

/// How long the metrics API may take: what else is seen must not wait for it.
const OF_METRICS: Duration = Duration::from_secs(1);

/// Why there are no figures of CPU and memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoUsage {
    /// The cluster has none, so that its autoscaler has none either.
    Missing(String),
    /// Palier could not ask for them, which says nothing of the autoscaler.
    Unknown(String),
}

/// A cluster that can be asked.
pub(super) struct Cluster {
    client: Client,
    /// The namespace that is asked about.
    pub(super) namespace: String,
    /// The API server, for messages.
    pub(super) server: String,
}

impl Cluster {
    /// Finds the cluster as `kubectl` does: `KUBECONFIG`, `~/.kube/config`, or the service account of the pod that
    /// palier runs in. Nothing is asked yet.
    pub(super) async fn connect(settings: &Kubernetes) -> Result<Self, String> {
        let mut config = match &settings.context {
            Some(context) => {
                let options =
                    KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
                Config::from_kubeconfig(&options).await.map_err(|error| {
                    format!("the kubeconfig cannot be used with the context `{context}`: {}", chain(&error))
                })?
            }
            None => match Kubeconfig::read() {
                Ok(kubeconfig) => {
                    let config =
                        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
                    config.map_err(|error| format!("the kubeconfig cannot be used: {}", chain(&error)))?
                }
                Err(unread) => Config::incluster().map_err(|_| {
                    format!("no cluster is known: {} (`KUBECONFIG` names a kubeconfig)", chain(&unread))
                })?,
            },
        };
        (config.connect_timeout, config.read_timeout) = (Some(CONNECT), Some(CONNECT));
        // The next look is the next try.
        config.default_retry = false;
        let namespace = settings.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config);
        let client = client.map_err(|error| format!("the kubeconfig cannot be used: {}", chain(&error)))?;
        Ok(Self { client, namespace, server })
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

    /// What the cluster warned of a pod, the latest last; nothing where that cannot be read.
    pub(super) async fn warnings(&self, uid: &str) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let fields = format!("involvedObject.uid={uid},type=Warning");
        let found = api.list(&ListParams::default().fields(&fields).limit(20)).await;
        let events = found.map(|list| list.items).unwrap_or_default();
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

    /// What the API server, or the way to it, said no with.
    fn refusal(&self, error: &Error) -> String {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "whatever else there is did not reach the API server"
        )]
        match error {
            Error::Api(status) if status.code == 403 => {
                format!("{} (ci/kubernetes/observe.yaml has the Role that allows it)", status.message)
            }
            Error::Api(status) if status.code == 401 => {
                format!("the API server at {} does not know who asks: {}", self.server, status.message)
            }
            Error::Api(status) => status.message.clone(),
            other => format!("the API server at {} cannot be asked: {}", self.server, chain(other)),
        }
    }
}

/// An error with all its causes, each said once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
