//! A run of the engine with all that goes on beside it: observers, who shows the run, and the clean-up of a database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::failure::Failure;
use super::progress::Progress;
use super::signals;
use crate::engine::{self, RunPhase, Signal, Watcher};
use crate::journal::Writer;
use crate::metrics::{Results, Stop};
use crate::observe::generator::limits::{self, Limits};
use crate::observe::{Observation, cleanup};
use crate::plan::Plan;
use crate::reach::Forward;

/// How long observers may take for their last look after a signal.
const AFTER_SIGNAL: Duration = Duration::from_secs(1);

/// How long deleting from the database may take.
const CLEANUP: Duration = Duration::from_secs(60);

/// With fewer open files no run could begin: its runtime would panic for want of them.
const FEWEST_FILES: u64 = 16;

/// Signals as they come, and the way to send one on that was for others.
pub(super) struct Inbox {
    pub(super) again: UnboundedSender<Signal>,
    pub(super) signals: UnboundedReceiver<Signal>,
}

impl Inbox {
    /// A runtime for the run, in which signals are listened for from here on, with as many open files as are allowed.
    pub(super) fn listen() -> Result<(Runtime, Self), Failure> {
        limits::raise_file_limit();
        if let Some(limit) = Limits::now().descriptors.filter(|limit| *limit < FEWEST_FILES) {
            let few =
                format!("this process may have {limit} files open, and a run takes {FEWEST_FILES} at least");
            return Err(Failure::other(few).help("raise the limit: `ulimit -Hn` shows it"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::other(error).while_doing("cannot start a runtime"))?;
        let entered = runtime.enter();
        let heard = signals::listen();
        let (again, signals) =
            heard.map_err(|error| Failure::other(error).while_doing("cannot listen for signals"))?;
        drop(entered);
        Ok((runtime, Self { again, signals }))
    }
}

/// Lets observers look, applies the load, and cleans the database up.
pub(super) async fn run(
    plan: &Arc<Plan>,
    forward: Option<&Forward>,
    journal: &Writer,
    inbox: Inbox,
    progress: &mut Progress,
    says: bool,
) -> Results {
    let Inbox { again, mut signals } = inbox;
    let mut observation = Observation::start(plan);
    let wait = |progress: &Progress, what: &str| {
        if says {
            progress.wait(what);
        }
    };
    tokio::select! {
        () = observation.settle(|what| wait(progress, what)) => {}
        Some(signal) = signals.recv() => {
            // It is the engine's, which then makes no load. We hold the other end.
            let _ = again.send(signal);
        }
    }
    if says {
        for line in observation.introduce(plan) {
            progress.tell(&line);
        }
    }
    let mut database_cleanup = cleanup::before(plan).await;
    let mut onlookers = Onlookers::new(plan, progress, &mut observation);
    let way = forward.map(Forward::way);
    let mut results =
        engine::run(Arc::clone(plan), way.as_ref(), journal, &mut signals, &mut onlookers).await;
    let origin = onlookers.origin;
    if let (Some(forward), Some(origin)) = (forward, origin) {
        results.route = forward.report(origin).await;
    }
    let interrupted = matches!(results.stop, Stop::Interrupted(_));
    let patience = match (results.at_once, interrupted) {
        (true, _) => Duration::ZERO,
        (false, true) => AFTER_SIGNAL,
        (false, false) => Duration::MAX,
    };
    results.observed = tokio::select! {
        observed = observation.finish(|what| wait(progress, what)) => Some(observed),
        _ = signals.recv() => None,
        () = tokio::time::sleep(patience) => None,
    }
    .unwrap_or_else(|| observation.so_far().clone());
    if let Some(found) = &mut database_cleanup
        && !matches!(results.stop, Stop::NotStarted(_))
    {
        let within = if interrupted { AFTER_SIGNAL } else { CLEANUP };
        let done = !results.at_once
            && tokio::select! {
                () = cleanup::after(plan, found, within) => true,
                _ = signals.recv() => false,
            };
        if !done {
            found.trouble = Some("a signal ended it; `palier sweep` deletes what is left".to_owned());
        }
    }
    results.database_cleanup = database_cleanup;
    results
}

/// All that watch while the engine works: who shows the run, and who observes what is beside it.
struct Onlookers<'a> {
    progress: &'a mut Progress,
    observation: &'a mut Observation,
    /// Whether a threshold may end the run for what an observer saw.
    may_abort: bool,
    /// When the load began.
    origin: Option<Instant>,
}

impl<'a> Onlookers<'a> {
    fn new(plan: &Plan, progress: &'a mut Progress, observation: &'a mut Observation) -> Self {
        let mut aborting = plan.thresholds.iter().filter(|threshold| threshold.abort.is_some());
        let may_abort = aborting.any(|threshold| threshold.metric.observer().is_some());
        Self { progress, observation, may_abort, origin: None }
    }
}

impl Watcher for Onlookers<'_> {
    fn phase(&mut self, phase: RunPhase) {
        self.progress.phase(phase);
    }

    fn begins(&mut self, origin: Instant) {
        self.observation.load_begins(origin);
        self.origin = Some(origin);
    }

    fn second(&mut self, results: &mut Results, elapsed: Duration) -> Option<String> {
        let observed = self.observation.so_far();
        self.progress.observe(observed);
        if self.may_abort {
            results.observed = observed.clone();
        }
        self.progress.second(results, elapsed)
    }

    fn ends(&mut self, results: &Results, end: Instant) {
        self.observation.load_ends(end);
        self.progress.ends(results, end);
    }
}
