//! What is watched beside the load.

use std::path::PathBuf;
use std::time::Duration;

use super::Place;
use super::compile::locate;
pub use crate::profile::Kubernetes;
use crate::profile::{self, Access, Profile};
use crate::words::ObserverKind;

/// Something that watches while the load is applied.
#[derive(Clone, Debug)]
pub struct Observer {
    /// What it watches.
    pub watched: Watched,
    /// Whether this run uses it; else its thresholds are not judged.
    pub active: bool,
    /// Where it is described.
    pub place: Place,
}

/// What an observer watches.
#[derive(Clone, Debug)]
pub enum Watched {
    /// An autoscaler of Kubernetes, and its pods.
    Kubernetes(Kubernetes),
    /// A MySQL or MariaDB server.
    Mysql(Mysql),
    /// Log files.
    Logs(Logs),
}

/// A MySQL or MariaDB server that is watched.
#[derive(Clone, Debug)]
pub struct Mysql {
    /// How to reach and enter it.
    pub access: Access,
    /// The time between two looks.
    pub interval: Duration,
}

/// Logs whose lines are counted.
#[derive(Clone, Debug)]
pub struct Logs {
    /// The files to follow.
    pub files: Vec<LogFile>,
    /// The pods whose logs are followed.
    pub pods: Option<PodLogs>,
    /// What to look for.
    pub patterns: Vec<Pattern>,
}

/// A file to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its name in reports: the path as written.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
}

/// Pods whose logs are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLogs {
    /// The context of the kubeconfig; `None` for the current one, or the cluster that palier itself runs in.
    pub context: Option<String>,
    /// The namespace; `None` for that of the context.
    pub namespace: Option<String>,
    /// Names of pods, or labels.
    pub pods: Vec<String>,
}

/// What a line is searched for.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Its name in `log_matches{pattern:…}`.
    pub name: String,
    /// A line that this finds something in counts.
    pub regex: regex::bytes::Regex,
}

/// What is deleted from the database, and how it is entered.
#[derive(Clone, Debug)]
pub struct DatabaseCleanup {
    /// How to reach and enter it.
    pub access: Access,
    /// The DELETE after the run.
    pub delete: Option<String>,
    /// The SELECT whose first value is compared before and after.
    pub verify: Option<String>,
    /// The DELETE that takes the rows of every run.
    pub sweep: Option<String>,
    /// Whether this run uses it: where the database is observed.
    pub active: bool,
    /// Where it is asked for.
    pub place: Place,
}

impl Observer {
    /// What kind of observer it is.
    pub fn kind(&self) -> ObserverKind {
        match self.watched {
            Watched::Kubernetes(_) => ObserverKind::Kubernetes,
            Watched::Mysql(_) => ObserverKind::Mysql,
            Watched::Logs(_) => ObserverKind::Logs,
        }
    }
}

/// What a profile has deleted from the database.
pub(super) fn cleanup(profile: &Profile, run: &str) -> Option<DatabaseCleanup> {
    let (cleanup, mysql) = (profile.cleanup.as_ref()?, profile.observe.mysql.as_ref()?);
    // A run's id is made of letters, digits and hyphens, which mean nothing in a text of SQL or in a LIKE.
    let filled = |statement: &Option<profile::Placed<String>>| {
        statement.as_ref().map(|statement| statement.value.replace(profile::RUN, run))
    };
    Some(DatabaseCleanup {
        access: mysql.access.clone(),
        delete: filled(&cleanup.delete),
        verify: filled(&cleanup.verify),
        sweep: filled(&cleanup.sweep),
        active: profile.observe.active.iter().any(|active| active.value == ObserverKind::Mysql),
        place: locate(profile, cleanup.place),
    })
}

/// The observers that a profile describes.
pub(super) fn observers(profile: &Profile) -> Vec<Observer> {
    let observe = &profile.observe;
    let observer = |watched: Watched, place: profile::Place| {
        let mut observer = Observer { watched, active: false, place: locate(profile, place) };
        observer.active = observe.active.iter().any(|active| active.value == observer.kind());
        observer
    };
    let kubernetes = (observe.kubernetes.as_ref())
        .map(|cluster| observer(Watched::Kubernetes(cluster.value.clone()), cluster.place));
    let mysql = observe.mysql.as_ref().map(|mysql| {
        let watched = Mysql { access: mysql.access.clone(), interval: mysql.interval };
        observer(Watched::Mysql(watched), mysql.place)
    });
    let logs = observe.logs.as_ref().map(|logs| {
        let pods = pods(observe, logs);
        // One profile serves with a cluster and without: where the pods are read, their files are somewhere else.
        let files = logs.files.iter().filter(|_| pods.is_none());
        let watched = Logs {
            files: files
                .map(|file| LogFile { name: file.value.clone(), path: file.value.as_str().into() })
                .collect(),
            pods,
            patterns: (logs.patterns.iter())
                .map(|pattern| Pattern { name: pattern.name.clone(), regex: pattern.regex.clone() })
                .collect(),
        };
        observer(Watched::Logs(watched), logs.place)
    });
    kubernetes.into_iter().chain(mysql).chain(logs).collect()
}

/// The pods whose logs are followed: where the cluster is observed, or where there are no files to follow.
fn pods(observe: &profile::Observe, logs: &profile::Logs) -> Option<PodLogs> {
    let cluster = &observe.kubernetes.as_ref()?.value;
    let is_observed = observe.active.iter().any(|active| active.value == ObserverKind::Kubernetes);
    (!logs.pods.is_empty() && (is_observed || logs.files.is_empty())).then(|| PodLogs {
        context: cluster.context.clone(),
        namespace: cluster.namespace.clone(),
        pods: logs.pods.iter().map(|pod| pod.value.clone()).collect(),
    })
}
