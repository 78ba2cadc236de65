//! New lines of the logs of pods, whatever becomes of the pods: they come, are started anew, and go.
//!
//! A task looks once a second which pods there are, and has each of their containers followed by a task of its own.
//! A container that was there at the first look is followed from the end of its log on, one that came later from its
//! beginning. The place in a log is kept as the time stamp of its last line, by the cluster's clock alone: after a
//! broken connection the log is asked for from there, and what is known already is left out. A connection that is
//! silent for long is made anew, since a quiet log looks the same as one that is cut off. When the load is over, each
//! log is read once more to its present end.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::AsyncBufReadExt as _;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Error;
use kube::api::{Api, ListParams, LogParams};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};

use super::client::{Cluster, Way};
use super::place::{Mark, stamped};
use crate::observe::checkup::Finding;
use crate::observe::desk::Desk;
use crate::observe::logs::file::split;
use crate::observe::logs::tally::Tally;
use crate::plan::{Pattern, PodLogs};

/// Between two looks at which pods there are, and before a log that ended is asked for again.
const INTERVAL: Duration = Duration::from_secs(1);

/// A connection on which nothing came for so long is made anew.
const SILENT: Duration = Duration::from_secs(15);

/// How long reading all logs to their ends may take.
const LAST: Duration = Duration::from_secs(3);

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Follows the logs of pods; dropped, it sends all tasks home.
pub(in super::super) struct Followed {
    lines: UnboundedReceiver<Matched>,
    shared: Rc<Shared>,
    over: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

/// A line that matches a pattern.
struct Matched {
    source: String,
    at: Instant,
    line: Vec<u8>,
}

/// What the tasks have in common.
struct Shared {
    logs: PodLogs,
    kubeconfig: Vec<PathBuf>,
    patterns: Vec<Pattern>,
    lines: UnboundedSender<Matched>,
    over: watch::Receiver<bool>,
    /// Why it cannot be known which pods there are.
    trouble: RefCell<Option<String>>,
    /// Whether each entry of the settings was looked at with success: pods found later were born later.
    has_looked: Vec<Cell<bool>>,
    followers: RefCell<Vec<Rc<Follower>>>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
}

/// A container that is followed.
struct Follower {
    uid: String,
    pod: String,
    container: String,
    /// Its name in reports: the pod, and the container where the pod has several.
    source: String,
    /// Whether what it has written before is left out.
    from_end: bool,
    restarts: Cell<i32>,
    is_gone: Cell<bool>,
    /// Whether its place in the log is known.
    has_begun: Cell<bool>,
    trouble: RefCell<Option<String>>,
}

impl Followed {
    /// Begins to follow.
    pub(in super::super) fn start(logs: PodLogs, kubeconfig: Vec<PathBuf>, patterns: &[Pattern]) -> Self {
        let (lines_in, lines) = unbounded_channel();
        let (over, is_over) = watch::channel(false);
        let shared = Rc::new(Shared {
            has_looked: logs.pods.iter().map(|_| Cell::new(false)).collect(),
            logs,
            kubeconfig,
            patterns: patterns.to_vec(),
            lines: lines_in,
            over: is_over,
            trouble: RefCell::new(None),
            followers: RefCell::default(),
            tasks: RefCell::default(),
        });
        let keeper = spawn_local(keep(Rc::clone(&shared)));
        Self { lines, shared, over, keeper }
    }

    /// Whether it is known where each log begins for this run.
    fn has_begun(&self) -> bool {
        self.shared.has_looked.iter().all(Cell::get)
            && self.shared.followers.borrow().iter().all(|follower| follower.has_begun.get())
    }

    /// Counts what was found until now. Whether all logs have been reached; an error where one cannot be read at the
    /// moment.
    pub(in super::super) fn take(&mut self, tally: &mut Tally, desk: &Desk) -> Result<bool, String> {
        while let Ok(Matched { source, at, line }) = self.lines.try_recv() {
            tally.line(desk, &source, at, &line);
        }
        if let Some(why) = self.shared.trouble.borrow().as_ref() {
            return Err(why.clone());
        }
        for follower in self.shared.followers.borrow().iter() {
            if let Some(why) = follower.trouble.borrow().as_ref() {
                return Err(format!("the log of {}: {why}", follower.source));
            }
        }
        Ok(self.has_begun())
    }

    /// Reads all logs to their present ends, and ends.
    pub(in super::super) async fn finish(&mut self) {
        self.keeper.abort();
        self.over.send_replace(true);
        let tasks = std::mem::take(&mut *self.shared.tasks.borrow_mut());
        let all = async {
            for task in tasks {
                // One that panicked is a bug of ours, and its trouble stands.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(LAST, all).await.is_err() {
            let why = "the logs could not be read to their ends in time".to_owned();
            *self.shared.trouble.borrow_mut() = Some(why);
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.keeper.abort();
        for task in self.shared.tasks.borrow().iter() {
            task.abort();
        }
    }
}

/// Looks again and again which pods there are.
async fn keep(shared: Rc<Shared>) {
    let mut cluster = None;
    loop {
        let outcome = match tokio::time::timeout(PATIENCE, look(&shared, &mut cluster)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("the API server does not answer".to_owned()),
        };
        *shared.trouble.borrow_mut() = outcome.err();
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look(shared: &Rc<Shared>, cluster: &mut Option<Rc<Cluster>>) -> Result<(), String> {
    if cluster.is_none() {
        *cluster = Some(Rc::new(Cluster::connect_to_follow(way(&shared.logs, &shared.kubeconfig)).await?));
    }
    let Some(cluster) = cluster.clone() else { return Ok(()) };
    let mut there = Vec::new();
    for (entry, has_looked) in shared.logs.pods.iter().zip(&shared.has_looked) {
        let found = pods_of(&cluster, entry).await?;
        for pod in &found {
            there.extend(take_in(shared, &cluster, pod, !has_looked.get()));
        }
        has_looked.set(true);
    }
    shared.followers.borrow_mut().retain(|follower| {
        let is_there = there.contains(&follower.uid);
        follower.is_gone.set(!is_there);
        is_there
    });
    Ok(())
}

/// The pods that an entry means: one by its name, or those with these labels.
async fn pods_of(cluster: &Cluster, entry: &str) -> Result<Vec<Pod>, String> {
    if is_selector(entry) {
        return cluster.pods(entry).await;
    }
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    // A list, since that is the right that palier has anyway.
    let found = api.list(&ListParams::default().fields(&format!("metadata.name={entry}"))).await;
    let found = found.map_err(|error| cluster.refusal(&error))?.items;
    if found.is_empty() {
        return Err(format!("there is no pod `{entry}` in the namespace `{}`", cluster.namespace));
    }
    Ok(found)
}

/// A name of a pod holds none of the signs that each selector has.
fn is_selector(entry: &str) -> bool {
    entry.contains(['=', '!', ' ', ',', '('])
}

/// Has a pod's containers followed, if they are not yet. Its uid.
fn take_in(shared: &Rc<Shared>, cluster: &Rc<Cluster>, pod: &Pod, was_there_first: bool) -> Option<String> {
    let (uid, name) = (pod.metadata.uid.clone()?, pod.metadata.name.clone()?);
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
    for container in containers {
        let restarts = (statuses.unwrap_or_default().iter())
            .find(|status| status.name == container.name)
            .map_or(0, |status| status.restart_count);
        let known = (shared.followers.borrow().iter())
            .find(|follower| follower.uid == uid && follower.container == container.name)
            .cloned();
        if let Some(known) = known {
            known.restarts.set(restarts);
            continue;
        }
        let source = if containers.len() == 1 { name.clone() } else { format!("{name}/{}", container.name) };
        let follower = Rc::new(Follower {
            uid: uid.clone(),
            pod: name.clone(),
            container: container.name.clone(),
            source,
            from_end: was_there_first,
            restarts: Cell::new(restarts),
            is_gone: Cell::new(false),
            has_begun: Cell::new(false),
            trouble: RefCell::new(None),
        });
        shared.followers.borrow_mut().push(Rc::clone(&follower));
        let task = spawn_local(follow(Rc::clone(shared), Rc::clone(cluster), follower));
        shared.tasks.borrow_mut().push(task);
    }
    Some(uid)
}

/// Follows the log of one container until the load is over, or its pod is gone.
async fn follow(shared: Rc<Shared>, cluster: Rc<Cluster>, follower: Rc<Follower>) {
    let log = Log { api: Api::namespaced(cluster.client.clone(), &cluster.namespace), shared, follower };
    let mut over = log.shared.over.clone();
    let mut mark = Mark::default();
    let mut is_over = false;
    if log.follower.from_end {
        loop {
            match log.end().await {
                Ok(at) => {
                    mark = Mark::after(at);
                    break;
                }
                Err(why) => log.fail(why.map(|error| cluster.refusal(&error))),
            }
            if log.follower.is_gone.get() || *over.borrow() {
                return;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
    log.follower.has_begun.set(true);
    let mut restarts = log.follower.restarts.get();
    loop {
        let now = log.follower.restarts.get();
        if now != restarts {
            // What the container wrote before it ended, should a connection have broken before that was read.
            if log.read(&mut mark, false, true).await.is_ok() {
                restarts = now;
            }
        }
        let outcome = tokio::select! {
            outcome = log.read(&mut mark, !is_over, false) => outcome,
            _ = over.changed(), if !is_over => {
                is_over = true;
                continue;
            }
        };
        match outcome {
            Ok(()) => log.follower.trouble.replace(None),
            Err(why) => {
                log.fail(why.map(|error| cluster.refusal(&error)));
                None
            }
        };
        if is_over || log.follower.is_gone.get() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = over.changed() => is_over = true,
        }
    }
}

/// The log of one container.
struct Log {
    api: Api<Pod>,
    shared: Rc<Shared>,
    follower: Rc<Follower>,
}

impl Log {
    fn fail(&self, why: Option<String>) {
        // There is nothing to read before a container was started, nor when its pod is gone: that is no trouble.
        self.follower.trouble.replace(why);
    }

    /// The time stamp of the last line; `None` where there is none.
    async fn end(&self) -> Result<Option<Timestamp>, Option<Error>> {
        let ask = LogParams { tail_lines: Some(1), ..self.params() };
        match tokio::time::timeout(PATIENCE, self.api.logs(&self.follower.pod, &ask)).await {
            Ok(Ok(text)) => Ok(stamped(text.as_bytes()).map(|(at, _)| at)),
            Ok(Err(error)) if is_not_started(&error) => Ok(None),
            Ok(Err(error)) => Err(Some(error)),
            Err(_) => Err(None),
        }
    }

    /// Reads from a place on: what there is, or what comes, too, until the connection or the container ends.
    async fn read(&self, mark: &mut Mark, follow: bool, previous: bool) -> Result<(), Option<Error>> {
        mark.rewind();
        // Whole seconds are what the API takes.
        let since_time = mark.at.and_then(|at| Timestamp::from_second(at.as_second()).ok());
        let ask = LogParams { follow, previous, since_time, ..self.params() };
        let opened = tokio::time::timeout(PATIENCE, self.api.log_stream(&self.follower.pod, &ask)).await;
        let stream = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if is_not_started(&error) => return Ok(()),
            Ok(Err(error)) => return Err(Some(error)),
            Err(_) => return Err(None),
        };
        self.follower.trouble.replace(None);
        let mut stream = std::pin::pin!(stream);
        let mut partial = Vec::new();
        loop {
            let Ok(read) = tokio::time::timeout(SILENT, stream.fill_buf()).await else { return Ok(()) };
            // A connection that breaks is made anew, and what was missed is read then.
            let Ok(bytes) = read else { return Ok(()) };
            let n = bytes.len();
            if n == 0 {
                break;
            }
            split(bytes, &mut partial, &mut |line| self.line(mark, line));
            stream.consume_unpin(n);
        }
        if !partial.is_empty() {
            self.line(mark, &partial);
        }
        Ok(())
    }

    fn line(&self, mark: &mut Mark, line: &[u8]) {
        // A piece of a line that was too long has no stamp, and is as new as its beginning.
        let (is_new, line) = match stamped(line) {
            Some((at, text)) => (mark.passes(at), text),
            None => (mark.is_caught_up(), line),
        };
        if is_new && self.shared.patterns.iter().any(|pattern| pattern.regex.is_match(line)) {
            let (source, line) = (self.follower.source.clone(), line.to_vec());
            // Whoever has stopped listening needs no lines.
            let _ = self.shared.lines.send(Matched { source, at: Instant::now(), line });
        }
    }

    fn params(&self) -> LogParams {
        LogParams {
            container: Some(self.follower.container.clone()),
            timestamps: true,
            ..LogParams::default()
        }
    }
}

/// Whether there is nothing to read yet, or not any more: the container waits, or its pod is gone.
fn is_not_started(error: &Error) -> bool {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all else is trouble")]
    match error {
        Error::Api(status) => {
            status.code == 404 || (status.code == 400 && !status.message.contains("is not valid"))
        }
        _ => false,
    }
}

/// What `palier doctor` says of the logs of pods: each is read.
pub async fn check(logs: &PodLogs, kubeconfig: &[PathBuf]) -> Vec<Finding> {
    const TOPIC: &str = "logs";
    let cluster = match Cluster::connect(way(logs, kubeconfig)).await {
        Ok(cluster) => cluster,
        Err(why) => return vec![Finding::wrong(TOPIC, why, None)],
    };
    let namespace = &cluster.namespace;
    let mut findings = Vec::new();
    for entry in &logs.pods {
        let found = match pods_of(&cluster, entry).await {
            Ok(found) => found,
            Err(why) => {
                findings.push(Finding::wrong(TOPIC, why, Some(format!("kubectl get pods -n {namespace}"))));
                continue;
            }
        };
        let Some(name) = found.first().and_then(|pod| pod.metadata.name.as_deref()) else {
            let text = format!("no pod has the labels {entry}: logs are read of those to come");
            findings.push(Finding::note(
                TOPIC,
                text,
                Some(&format!("kubectl get pods -n {namespace} --show-labels")),
            ));
            continue;
        };
        let container =
            found.first().and_then(|pod| pod.spec.as_ref()).and_then(|spec| spec.containers.first());
        let ask = LogParams {
            container: container.map(|container| container.name.clone()),
            tail_lines: Some(1),
            ..LogParams::default()
        };
        let api: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
        findings.push(match tokio::time::timeout(PATIENCE, api.logs(name, &ask)).await {
            Ok(Err(error)) if !is_not_started(&error) => {
                let mend = format!("kubectl logs {name} -n {namespace}");
                Finding::wrong(
                    TOPIC,
                    format!("the log of {name} cannot be read: {}", cluster.refusal(&error)),
                    Some(mend),
                )
            }
            Ok(_) => {
                let others = match found.len() {
                    0 | 1 => String::new(),
                    n => format!(", one of {n} pods with {entry}"),
                };
                Finding::right(TOPIC, format!("the log of {name} can be read{others}"))
            }
            Err(_) => {
                let mend = format!("kubectl logs {name} -n {namespace}");
                Finding::wrong(TOPIC, format!("the log of {name} did not come in time"), Some(mend))
            }
        });
    }
    findings
}

fn way<'a>(logs: &'a PodLogs, kubeconfig: &'a [PathBuf]) -> Way<'a> {
    Way { kubeconfig, context: logs.context.as_deref(), namespace: logs.namespace.as_deref() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_selectors_are_told_apart() {
        assert!(!is_selector("mysql-0"));
        assert!(is_selector("app=backend") && is_selector("tier in (web)") && is_selector("!legacy"));
    }
}
