//! Whether observers will be able to see: what `palier doctor` asks before a run.
//!
//! An observer adds a function that returns its [`Finding`]s, and [`observers`] calls it.

use std::fs::File;
use std::time::Duration;

use crate::plan::{Logs, Observer, Plan, Watched};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: `target`, `database`, `logs`, `generator`.
    pub topic: &'static str,
    /// How it is.
    pub health: Health,
    /// One sentence.
    pub text: String,
    /// What mends it: a command, a statement, or words.
    pub mend: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// As it has to be.
    Right,
    /// Worth knowing; a run will be judged all the same.
    Note,
    /// A run would not see, or not do, what the profile asks for.
    Wrong,
}

impl Finding {
    /// Something that is as it has to be.
    pub fn right(topic: &'static str, text: impl Into<String>) -> Self {
        Self { topic, health: Health::Right, text: text.into(), mend: None }
    }

    /// Something worth knowing.
    pub fn note(topic: &'static str, text: impl Into<String>, mend: Option<&str>) -> Self {
        Self { topic, health: Health::Note, text: text.into(), mend: mend.map(str::to_owned) }
    }

    /// Something that keeps a run from what the profile asks for.
    pub fn wrong(topic: &'static str, text: impl Into<String>, mend: Option<String>) -> Self {
        Self { topic, health: Health::Wrong, text: text.into(), mend }
    }
}

/// How long one observer's check may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Looks at what the observers of a plan need; of those that are not active it says only that.
pub async fn observers(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for observer in &plan.observers {
        let (kind, topic) = (observer.kind(), topic(observer));
        if !observer.active {
            let mend = format!("palier doctor PROFILE --observe {kind}");
            findings.push(Finding::note(topic, format!("`{kind}` is not observed"), Some(&mend)));
            continue;
        }
        match tokio::time::timeout(PATIENCE, check(plan, observer)).await {
            Ok(found) => findings.extend(found),
            Err(_) => findings.push(Finding::wrong(topic, format!("`{kind}` does not answer"), None)),
        }
    }
    findings
}

fn topic(observer: &Observer) -> &'static str {
    match observer.watched {
        Watched::Kubernetes(_) => "autoscaling",
        Watched::Mysql(_) => "database",
        Watched::Logs(_) => "logs",
    }
}

#[cfg_attr(
    not(any(feature = "mysql", feature = "kubernetes")),
    expect(clippy::unused_async, reason = "files are looked at without waiting")
)]
async fn check(plan: &Plan, observer: &Observer) -> Vec<Finding> {
    match &observer.watched {
        #[cfg(feature = "kubernetes")]
        Watched::Logs(logs) => {
            let of_pods = match &logs.pods {
                Some(pods) => super::kubernetes::logs::check(pods, &plan.kubeconfig).await,
                None => Vec::new(),
            };
            [files(logs), of_pods].concat()
        }
        #[cfg(not(feature = "kubernetes"))]
        Watched::Logs(logs) => files(logs),
        #[cfg(feature = "kubernetes")]
        Watched::Kubernetes(cluster) => super::kubernetes::checkup::check(cluster, plan).await,
        #[cfg(not(feature = "kubernetes"))]
        Watched::Kubernetes(_) => {
            let text =
                format!("this build of palier cannot observe `kubernetes`, which {} asks for", plan.profile);
            vec![Finding::wrong("autoscaling", text, None)]
        }
        #[cfg(feature = "mysql")]
        Watched::Mysql(mysql) => {
            super::mysql::checkup::check(mysql, &plan.kubeconfig, plan.cleanup.as_ref()).await
        }
        #[cfg(not(feature = "mysql"))]
        Watched::Mysql(_) => {
            let text =
                format!("this build of palier cannot observe `mysql`, which {} asks for", plan.profile);
            vec![Finding::wrong("database", text, None)]
        }
    }
}

fn files(logs: &Logs) -> Vec<Finding> {
    let of_file = |file: &crate::plan::LogFile| match File::open(&file.path).and_then(|file| file.metadata())
    {
        Ok(metadata) if metadata.is_dir() => {
            Finding::wrong("logs", format!("{} is a folder", file.name), Some("name a file in it".to_owned()))
        }
        Ok(_) => Finding::right("logs", format!("{} can be read", file.name)),
        Err(error) => {
            let mend = "paths start from the folder that palier is run in; `--set observe.logs.files=[\"…\"]` names others";
            Finding::wrong("logs", format!("{} cannot be read: {error}", file.name), Some(mend.to_owned()))
        }
    };
    logs.files.iter().map(of_file).collect()
}
