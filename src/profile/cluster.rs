//! `[observe.kubernetes]`: an autoscaler, and its pods.

use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::observe;
use super::reader::{self, Fields, Findings};

/// `[observe.kubernetes]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes {
    /// The context of the kubeconfig; `None` for the current one, or the cluster that palier itself runs in.
    pub context: Option<String>,
    /// The namespace; `None` for that of the context.
    pub namespace: Option<String>,
    /// The name of the `HorizontalPodAutoscaler`; without it only pods are watched.
    pub hpa: Option<String>,
    /// The labels of the pods: `app=flask-backend`.
    pub selector: String,
    /// The time between two looks; a second by default.
    pub interval: Duration,
    /// How long the run may wait for a steady state before it starts; two minutes by default.
    pub settle: Duration,
    /// How long after the load thresholds on what comes after it are waited for; ten minutes by default.
    pub follow: Duration,
}

const SETTLE: Duration = Duration::from_secs(120);

const FOLLOW: Duration = Duration::from_secs(600);

/// Reads `[observe.kubernetes]`, but for its thresholds.
pub(super) fn read(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Kubernetes> {
    let mut name = |key, findings: &mut Findings| {
        let node = fields.get(key)?;
        reader::name(node, key, findings).map(str::to_owned)
    };
    let (context, namespace, hpa) =
        (name("context", findings), name("namespace", findings), name("hpa", findings));
    let interval = observe::interval(fields, findings);
    let mut time = |key, default, findings: &mut Findings| {
        let node = fields.get(key);
        node.and_then(|node| reader::duration(node, key, findings)).unwrap_or(default)
    };
    let (settle, follow) = (time("settle", SETTLE, findings), time("follow", FOLLOW, findings));
    let node = fields.require("selector", findings)?;
    let selector = reader::name(node, "selector", findings)?.to_owned();
    if selector.split(',').any(|part| part.trim().is_empty()) {
        findings.add(
            Diagnostic::new(node.place, "`selector` has an empty part")
                .help("write labels with commas between them: `app=flask-backend,tier=web`"),
        );
    }
    Some(Kubernetes { context, namespace, hpa, selector, interval, settle, follow })
}
