//! What happened to one pod between one look and the next.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::desk::PodSeen;
use crate::metrics::SymptomKind;

/// A pod whose containers run, and that is not ready so long after it was made, will not be by itself.
const SLOW_START: Duration = Duration::from_secs(60);

/// A pod as it was at the last look.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) seen: PodSeen,
    /// Whether it was ready at the last look; `None` where it never was.
    was_ready: Option<bool>,
    /// That it finds no node, and that it is long in becoming ready, is told once.
    told_pending: bool,
    told_slow: bool,
    /// Containers that were told of as barred. One may go to and fro between two reasons.
    told_barred: HashSet<String>,
    /// By container: how often it was started anew in all, and whether it waits in `CrashLoopBackOff`.
    containers: HashMap<String, (i32, bool)>,
}

/// What a pod says of itself at one look.
pub(super) struct Look<'a> {
    pub(super) uid: &'a str,
    pub(super) name: &'a str,
    status: Option<&'a PodStatus>,
    born: Option<&'a Time>,
    /// It was told to go, or its work is done: it need not be ready.
    is_leaving: bool,
    at: Instant,
    /// Whether pods had been looked at before: what a new one counts is of this run.
    was_there: bool,
}

/// Something that happened to a pod. It is told when the cluster has been asked for what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happening {
    pub(super) pod: String,
    pub(super) uid: String,
    /// The container that it is about.
    pub(super) container: Option<String>,
    /// One sentence; `None` where another one says it.
    pub(super) text: Option<String>,
    /// What goes wrong.
    pub(super) symptom: SymptomKind,
    /// What the pod says of it.
    pub(super) evidence: Vec<String>,
}

impl Happening {
    /// Whether the last lines of what the container wrote say more.
    pub(super) fn has_last_words(&self) -> bool {
        matches!(self.symptom, SymptomKind::Restart | SymptomKind::OutOfMemory | SymptomKind::CrashLoop)
    }
}

/// How often containers of a pod were started anew since the last look, or began to wait in `CrashLoopBackOff`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) container: String,
    pub(super) restarts: u32,
    pub(super) crash_loops: u32,
    /// It waited so at the last look, too.
    was_looping: bool,
}

impl<'a> Look<'a> {
    /// `None` of one without a name, which no API server returns.
    pub(super) fn of(pod: &'a Pod, at: Instant, was_there: bool) -> Option<Self> {
        let status = pod.status.as_ref();
        let is_over = status.is_some_and(|status| status.phase.as_deref() == Some("Succeeded"));
        Some(Self {
            uid: pod.metadata.uid.as_deref()?,
            name: pod.metadata.name.as_deref()?,
            status,
            born: pod.metadata.creation_timestamp.as_ref(),
            is_leaving: pod.metadata.deletion_timestamp.is_some() || is_over,
            at,
            was_there,
        })
    }

    /// Whether it counts among the replicas.
    pub(super) fn is_alive(&self) -> bool {
        !self.is_leaving
    }

    /// Whether requests are sent to it.
    pub(super) fn is_ready(&self) -> bool {
        self.ready().is_some()
    }

    fn condition(&self, name: &str) -> Option<&'a PodCondition> {
        let conditions = self.status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        conditions.iter().find(|condition| condition.type_ == name)
    }

    fn ready(&self) -> Option<&'a PodCondition> {
        self.condition("Ready").filter(|condition| condition.status == "True")
    }

    fn containers(&self) -> &'a [ContainerStatus] {
        self.status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default()
    }

    fn happening(
        &self,
        symptom: SymptomKind,
        container: Option<&str>,
        text: Option<String>,
        evidence: Vec<String>,
    ) -> Happening {
        let (pod, uid, container) = (self.name.to_owned(), self.uid.to_owned(), container.map(str::to_owned));
        Happening { pod, uid, container, text, symptom, evidence }
    }
}

impl Known {
    /// A pod that was not seen before.
    pub(super) fn new(look: &Look<'_>) -> Self {
        let born = if look.was_there { Some(look.at) } else { look.born.and_then(moment) };
        let (uid, name) = (look.uid.to_owned(), look.name.to_owned());
        Self { seen: PodSeen { uid, name, born, ..PodSeen::default() }, ..Self::default() }
    }

    /// Takes in a look: what happened since the last one, and what is to be counted.
    pub(super) fn take(&mut self, look: &Look<'_>) -> (Vec<Happening>, Vec<Counted>) {
        let mut happened = Vec::new();
        happened.extend(self.pending(look));
        let mut counted = Vec::new();
        for container in look.containers() {
            let count = self.count(look, container);
            happened.extend(self.ended(look, container, &count));
            happened.extend(self.looped(look, container, &count));
            happened.extend(self.barred(look, container));
            counted.push(count);
        }
        let has_ended = counted.iter().any(|count| count.restarts > 0);
        happened.extend(self.readiness(look, has_ended));
        (happened, counted)
    }

    fn pending(&mut self, look: &Look<'_>) -> Option<Happening> {
        let condition = look.condition("PodScheduled").filter(|condition| condition.status == "False")?;
        if std::mem::replace(&mut self.told_pending, true) {
            return None;
        }
        let (reason, message) = (text_of(condition.reason.as_ref()), text_of(condition.message.as_ref()));
        self.seen.last_reason = Some(reason.clone());
        let text = format!("pod {} finds no node: {reason}", look.name);
        let evidence = vec![format!("{reason}: {message}")];
        Some(look.happening(SymptomKind::Unschedulable, None, Some(text), evidence))
    }

    fn count(&mut self, look: &Look<'_>, container: &ContainerStatus) -> Counted {
        let looping = is_looping(container);
        // What a container counted before anybody looked is not of this run.
        let base = if look.was_there { (0, false) } else { (container.restart_count, looping) };
        let now = (container.restart_count, looping);
        let (count, was_looping) = self.containers.insert(container.name.clone(), now).unwrap_or(base);
        let restarts = u32::try_from(container.restart_count.saturating_sub(count)).unwrap_or(0);
        self.seen.restarts += u64::from(restarts);
        // One that waits again was started anew in between.
        let crash_loops = u32::from(looping && (!was_looping || restarts > 0));
        Counted { container: container.name.clone(), restarts, crash_loops, was_looping }
    }

    fn ended(&mut self, look: &Look<'_>, container: &ContainerStatus, count: &Counted) -> Option<Happening> {
        if count.restarts == 0 {
            return None;
        }
        let end = Ending::of(container);
        self.seen.last_reason.clone_from(&end.reason);
        let kind = if end.reason.as_deref() == Some("OOMKilled") {
            SymptomKind::OutOfMemory
        } else {
            SymptomKind::Restart
        };
        let text = format!("container {} of pod {} was started anew: {end}", container.name, look.name);
        let evidence = vec![format!("{end}; its restart count is {}", container.restart_count)];
        Some(look.happening(kind, Some(&container.name), Some(text), evidence))
    }

    fn looped(&mut self, look: &Look<'_>, container: &ContainerStatus, count: &Counted) -> Option<Happening> {
        if count.crash_loops == 0 {
            return None;
        }
        let end = Ending::of(container);
        // Told once, however often it waits again.
        let text = (!count.was_looping)
            .then(|| format!("container {} of pod {} is in CrashLoopBackOff", container.name, look.name));
        let evidence = vec![format!("{end}; its restart count is {}", container.restart_count)];
        let reason = end.reason.filter(|reason| reason != "Error");
        self.seen.last_reason = Some(reason.unwrap_or_else(|| "CrashLoopBackOff".to_owned()));
        Some(look.happening(SymptomKind::CrashLoop, Some(&container.name), text, evidence))
    }

    /// A container that cannot start with its image or its configuration.
    fn barred(&mut self, look: &Look<'_>, container: &ContainerStatus) -> Option<Happening> {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        let is_barred = reason.contains("Image") || reason.starts_with("CreateContainer");
        if !is_barred || !self.told_barred.insert(container.name.clone()) {
            return None;
        }
        let text = format!("container {} of pod {} cannot start: {reason}", container.name, look.name);
        let message = text_of(waiting.message.as_ref());
        let evidence = vec![format!("image {}", container.image), format!("{reason}: {message}")];
        self.seen.last_reason = Some(reason.to_owned());
        Some(look.happening(SymptomKind::Image, Some(&container.name), Some(text), evidence))
    }

    fn readiness(&mut self, look: &Look<'_>, has_ended: bool) -> Option<Happening> {
        if let Some(condition) = look.ready()
            && self.seen.ready.is_none()
        {
            let since = condition.last_transition_time.as_ref().and_then(moment);
            self.seen.ready = if look.was_there { Some(look.at) } else { since };
        }
        let was_ready = self.was_ready;
        if look.is_ready() || was_ready.is_some() {
            self.was_ready = Some(look.is_ready());
        }
        if look.is_ready() || look.is_leaving || has_ended {
            return None;
        }
        let why = || {
            let message = look.condition("Ready").and_then(|condition| condition.message.clone());
            vec![message.unwrap_or_else(|| "its condition Ready is not True".to_owned())]
        };
        if was_ready == Some(true) {
            let text = format!("pod {} is not ready any more", look.name);
            return Some(look.happening(SymptomKind::Unready, None, Some(text), why()));
        }
        let age = self.seen.born.map(|born| look.at.saturating_duration_since(born)).unwrap_or_default();
        let runs = |container: &ContainerStatus| {
            container.state.as_ref().is_some_and(|state| state.running.is_some())
        };
        let is_slow = was_ready.is_none()
            && age >= SLOW_START
            && !look.containers().is_empty()
            && look.containers().iter().all(runs);
        if !is_slow || std::mem::replace(&mut self.told_slow, true) {
            return None;
        }
        let age = crate::units::human_duration(Duration::from_secs(age.as_secs()));
        let text = format!("pod {} runs, and is not ready {age} after it was made", look.name);
        Some(look.happening(SymptomKind::NeverReady, None, Some(text), why()))
    }
}

/// How a container ended last.
struct Ending {
    reason: Option<String>,
    exit_code: Option<i32>,
    message: Option<String>,
}

impl Ending {
    fn of(container: &ContainerStatus) -> Self {
        let ended = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
        let last = ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()));
        Self {
            exit_code: last.as_ref().map(|last| last.exit_code),
            message: last
                .as_ref()
                .and_then(|last| last.message.clone())
                .filter(|text| !text.trim().is_empty()),
            reason: last.and_then(|last| last.reason),
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = self.reason.as_deref().unwrap_or("no reason known");
        match self.exit_code {
            Some(code) => write!(f, "{reason}, exit code {code}")?,
            None => f.write_str(reason)?,
        }
        match self.message.as_deref() {
            Some(message) => write!(f, ": {}", message.trim()),
            None => Ok(()),
        }
    }
}

fn is_looping(container: &ContainerStatus) -> bool {
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    waiting.is_some_and(|waiting| waiting.reason.as_deref() == Some("CrashLoopBackOff"))
}

fn text_of(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

/// A time of the cluster on our own clock, as far as both clocks agree.
fn moment(time: &Time) -> Option<Instant> {
    let seconds = u64::try_from(time.0.as_second()).ok()?;
    let ago = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap_or_default();
    Instant::now().checked_sub(ago)
}
