//! What is watched beside the load.

use std::path::PathBuf;
use std::time::Duration;

use super::Place;
use super::compile::locate;
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

/// An autoscaler and its pods that are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes {
    /// The context of the kubeconfig; `None` for the current one, or the cluster that palier itself runs in.
    pub context: Option<String>,
    /// The namespace; `None` for that of the context.
    pub namespace: Option<String>,
    /// The name of the autoscaler; without it only pods are watched.
    pub hpa: Option<String>,
    /// The labels of the pods.
    pub selector: String,
    /// The time between two looks.
    pub interval: Duration,
    /// How long the load may wait for a steady state.
    pub settle: Duration,
    /// How long after the load thresholds on what comes after it are waited for.
    pub follow: Duration,
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
    let kubernetes = observe.kubernetes.as_ref().map(|cluster| {
        let watched = Kubernetes {
            context: cluster.context.clone(),
            namespace: cluster.namespace.clone(),
            hpa: cluster.hpa.clone(),
            selector: cluster.selector.clone(),
            interval: cluster.interval,
            settle: cluster.settle,
            follow: cluster.follow,
        };
        observer(Watched::Kubernetes(watched), cluster.place)
    });
    let mysql = observe.mysql.as_ref().map(|mysql| {
        let watched = Mysql { access: mysql.access.clone(), interval: mysql.interval };
        observer(Watched::Mysql(watched), mysql.place)
    });
    let logs = observe.logs.as_ref().map(|logs| {
        let files = logs.files.iter();
        let watched = Logs {
            files: files
                .map(|file| LogFile { name: file.value.clone(), path: file.value.as_str().into() })
                .collect(),
            patterns: (logs.patterns.iter())
                .map(|pattern| Pattern { name: pattern.name.clone(), regex: pattern.regex.clone() })
                .collect(),
        };
        observer(Watched::Logs(watched), logs.place)
    });
    kubernetes.into_iter().chain(mysql).chain(logs).collect()
}
