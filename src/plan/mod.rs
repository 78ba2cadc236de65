//! What a run will do: a profile resolved and compiled.
//!
//! Inheritance is applied, units are parsed, templates are cut into pieces, thresholds know which cells of the
//! results they judge. After planning nothing can fail for a reason that lies in the profile, and the engine
//! parses no text. Names have become small ids: a [`StepId`] is an index into [`Plan::steps`], a [`SpanId`]
//! one into [`Plan::spans`].

mod build;
mod compile;
mod executor;
mod observer;
mod query;
mod request;
mod resolve;
mod shard;
mod threshold;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

pub use build::{Settings, build};
pub use executor::{Executor, Stage};
pub use observer::{DatabaseCleanup, Kubernetes, LogFile, Logs, Mysql, Observer, Pattern, PodLogs, Watched};
pub use query::{JsonQuery, Turn};
pub use request::{
    Body, Capture, CaptureFrom, Check, CheckTest, Escape, JsonTest, JsonType, Path, Pause, Piece, Request,
    Slot, StatusMatch, StatusSet, Step, Template, TextTest, Value,
};
pub use shard::{NoShard, Shard};
pub use threshold::{Aggregation, Bound, Cause, Operator, Selection, Threshold};

pub use crate::profile::{Access, Address, Connections, Reuse, Secrets, Service, ServicePort, Tls};
use crate::words::Phase;

/// A step, as an index into [`Plan::steps`]. The same scenario under two loads has two sets of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u16);

/// A span of the run, as an index into [`Plan::spans`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub u16);

/// A load, as an index into [`Plan::loads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoadId(pub u16);

/// Where something was asked for: file as the user would name it, and line from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file; for built-in profiles the name it has in palier's repository.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The profile's name, as reports and JUnit class names show it.
    pub profile: String,
    /// The file that the profile was read from; none of one that is built in.
    pub origin: Option<String>,
    /// The profile's own description.
    pub description: Option<String>,
    /// Where the whole profile begins, for reports that must name a file and a line.
    pub place: Place,
    /// The id of this run: `{{run}}` in created names.
    pub run: String,
    /// By how much stages and other spans of the load were scaled; 1 by default.
    pub time_scale: f64,
    /// The kubeconfigs that lead to a cluster, those before others hold.
    pub kubeconfig: Vec<PathBuf>,
    /// What the requests go to.
    pub target: Target,
    /// The loads, in the order of the profile.
    pub loads: Vec<Load>,
    /// All steps of all loads, then those of setup and teardown.
    pub steps: Vec<Step>,
    /// All stages of all loads, a grace span for each load, then setup, teardown and clean-up.
    pub spans: Vec<Span>,
    /// Steps run once before the load.
    pub setup: Vec<StepId>,
    /// Steps run once after the load, whatever happened.
    pub teardown: Vec<StepId>,
    /// Variables that `setup` captures and every virtual user sees; they take the first slots.
    pub shared_slots: usize,
    /// Names of the slots, for messages.
    pub slots: Vec<String>,
    /// Thresholds and warnings, in the order of the profile, the defaults last.
    pub thresholds: Vec<Threshold>,
    /// What the profile can have watched beside the load, active or not; at most one of a kind.
    pub observers: Vec<Observer>,
    /// What is deleted from the database after the run.
    pub cleanup: Option<DatabaseCleanup>,
    /// Values that must not appear in any output.
    pub secrets: Secrets,
    /// The part of it that is this process's; all the rest is of the whole plan.
    pub shard: Shard,
    /// When the load starts, where that is agreed on; as soon as the target is ready, where it is not.
    pub start_at: Option<SystemTime>,
}

/// What the requests go to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The URL as it is shown; of a Service `service://NAMESPACE/NAME:PORT`.
    pub url: String,
    /// The Service whose pods are reached through the API server; else host and port are connected to.
    pub service: Option<Service>,
    /// Whether connections are made with TLS.
    pub tls: bool,
    /// The host to resolve and connect to; without the brackets of an IPv6 address.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// The `Host` header: host, and port where it is not the scheme's own.
    pub authority: String,
    /// Waited for before the start.
    pub ready: Option<Ready>,
    /// How long to go on trying to reach it before the start, where nothing says when it is ready.
    pub wait: Duration,
    /// How long one TCP connection may take, TLS apart.
    pub connect_timeout: Duration,
    /// When connections are closed and made anew.
    pub connections: Connections,
    /// Where redirects may lead beside the target itself; nothing of these is waited for.
    pub allow: Vec<Target>,
    /// Whether virtual users keep and send cookies.
    pub cookies: bool,
    /// Why `connections` have a `max_age` that nobody asked for, in words.
    pub limited_by: Option<&'static str>,
}

/// A request that must be answered as asked before the load starts.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The path asked for.
    pub path: String,
    /// The status that means ready.
    pub status: u16,
    /// How long to go on asking.
    pub within: Duration,
    /// Where it was asked for.
    pub place: Place,
}

/// One load: a scenario and the rule that starts its iterations.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its name; `load` where the profile has only one.
    pub name: String,
    /// The rule that starts iterations.
    pub executor: Executor,
    /// When it starts, counted from the start of the run's load.
    pub start_after: Duration,
    /// How long running iterations may go on after the last stage.
    pub graceful_stop: Duration,
    /// The steps of one iteration, in order.
    pub steps: Vec<StepId>,
    /// The pause at the end of each iteration, part of it.
    pub pause: Option<Pause>,
    /// The least time from the start of one iteration of a virtual user to the start of its next.
    pub pace: Option<Duration>,
    /// The spans of its stages, in order; one for an executor without stages.
    pub stages: Vec<SpanId>,
    /// The span of what starts after the last stage.
    pub grace: SpanId,
    /// Slots that a virtual user's variables take, those of setup included.
    pub slots: usize,
}

impl Load {
    /// How long its stages last, `start_after` not counted.
    pub fn duration(&self) -> Duration {
        self.executor.duration()
    }

    /// When its stages are over, counted from the start of the run's load.
    pub fn end(&self) -> Duration {
        self.start_after + self.duration()
    }
}

/// A part of the run that results are kept apart by.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The part of the run it belongs to; a stage is `load`.
    pub phase: Phase,
    /// The load it belongs to, where it belongs to one.
    pub load: Option<LoadId>,
    /// The stage's name; `stage 1` and so on where the profile gives none; the phase's name elsewhere.
    pub name: String,
    /// When it starts, counted from the start of the run's load; zero for phases outside the load.
    pub start: Duration,
    /// How long it is planned to last; zero for phases outside the load.
    pub duration: Duration,
    /// The number of virtual users, or the rate a second, that the stage goes to.
    pub target: Option<f64>,
}

impl Plan {
    /// How long the load is planned to last: until the last stage of the last load is over.
    pub fn duration(&self) -> Duration {
        self.loads.iter().map(Load::end).max().unwrap_or_default()
    }

    /// Makes it the plan of one shard. Thresholds are judged over all shards, so none ends this one; the first shard
    /// alone observes what is beside the load, because all of them would see the same. Each deletes from the database
    /// what is its own, and counts nothing there: the rows of the others come and go meanwhile.
    pub fn take_part(&mut self, shard: Shard) {
        self.shard = shard;
        for threshold in &mut self.thresholds {
            threshold.abort = None;
        }
        if let Some(cleanup) = self.cleanup.as_mut().filter(|_| shard.count() > 1) {
            cleanup.verify = None;
        }
        if shard.number() > 1 {
            for observer in &mut self.observers {
                observer.active = false;
            }
        }
    }

    /// The most virtual users that this process has at once.
    pub fn vus(&self) -> u64 {
        self.loads.iter().map(|load| u64::from(self.shard.vus(load.executor.max_vus()))).sum()
    }

    /// The step of that id.
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[usize::from(id.0)]
    }

    /// The span of that id.
    pub fn span(&self, id: SpanId) -> &Span {
        &self.spans[usize::from(id.0)]
    }

    /// The load of that id.
    pub fn load(&self, id: LoadId) -> &Load {
        &self.loads[usize::from(id.0)]
    }

    /// The spans of a phase.
    pub fn spans_of(&self, phase: Phase) -> impl Iterator<Item = SpanId> + '_ {
        (0_u16..).zip(&self.spans).filter(move |(_, span)| span.phase == phase).map(|(id, _)| SpanId(id))
    }
}
