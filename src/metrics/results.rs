//! The merged results of a run.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::recorder::{Interval, Second};
use super::seconds::{StepPoint, entry};
use super::{Cell, Observed, Route, Seconds, Trend, Vitals};
use crate::plan::{Cause, Load, Plan, Selection, Shard, Span, SpanId, StepId};
use crate::words::Phase;

/// All that was measured in a run. Merging two of the same plan is exact, associative and commutative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    n_steps: usize,
    /// By span, then step.
    cells: Vec<Option<Box<Cell>>>,
    /// By span.
    iterations: Vec<Iterations>,
    /// The one-second series.
    pub seconds: Seconds,
    /// How long the load really lasted: its stages, or until it was ended early.
    pub elapsed: Duration,
    /// When each load was over, counted from the start: the end of its stages, or of its last iteration.
    pub ends: Vec<Duration>,
    /// When that was by the clock on the wall.
    pub clock: Clock,
    /// What ended it.
    pub stop: Stop,
    /// Whether a second signal ended it: nothing more is to be waited for.
    pub at_once: bool,
    /// What the generator knows of itself.
    pub generator: Generator,
    /// What was created and undone.
    pub cleanup: Cleanup,
    /// Steps of teardown that failed, a sentence each.
    pub teardown_failures: Vec<String>,
    /// What observers saw.
    pub observed: Observed,
    /// What was deleted from the database; `None` where nothing was to be.
    pub database_cleanup: Option<DatabaseCleanup>,
    /// How requests travelled; `None` where connections were made straight to the target.
    pub route: Option<Route>,
}

/// When a load was, by the clock of its machine, and what is known of that clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// When the load began; of several shards, the first of them. `None` where there was no load.
    pub began: Option<SystemTime>,
    /// By how much the clock was put forward or back while the load went on.
    pub jumped: Duration,
    /// By how much the target's clock was ahead of this one when it said that it is ready: at least and at most so many
    /// milliseconds (its `Date` has whole seconds). Of several, the widest. `None` where it did not say.
    pub target_ahead: Option<(i64, i64)>,
}

impl Clock {
    fn merge(&mut self, other: &Self) {
        let earliest = |own: SystemTime, other: SystemTime| own.min(other);
        self.began = both(self.began, other.began, earliest);
        self.jumped = self.jumped.max(other.jumped);
        let widest = |own: (i64, i64), other: (i64, i64)| (own.0.min(other.0), own.1.max(other.1));
        self.target_ahead = both(self.target_ahead, other.target_ahead, widest);
    }
}

/// What is known of two: of both, or of the one that is known.
fn both<T>(own: Option<T>, other: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    match (own, other) {
        (Some(own), Some(other)) => Some(join(own, other)),
        (own, other) => own.or(other),
    }
}

/// What was deleted from the database after the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DatabaseCleanup {
    /// What `verify` said before the load; `None` where it was not asked, or did not answer.
    pub before: Option<i64>,
    /// How many rows `delete` took.
    pub deleted: Option<u64>,
    /// What `verify` said after that.
    pub after: Option<i64>,
    /// Why it could not be done to its end.
    pub trouble: Option<String>,
}

impl DatabaseCleanup {
    /// Each of two deleted what was its own; of what they say of the same database, the greater stands, and who found
    /// trouble is heard.
    fn and(self, other: Self) -> Self {
        Self {
            before: self.before.max(other.before),
            deleted: both(self.deleted, other.deleted, |own, other| own + other),
            after: self.after.max(other.after),
            trouble: self.trouble.max(other.trouble),
        }
    }
}

/// The iterations started in one span.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iterations {
    /// Came to their end.
    pub completed: u64,
    /// Cut at a hard end, by a signal or an abort.
    pub cut: u64,
    /// Of the plan, but never started.
    pub dropped: u64,
    /// `iteration_duration` of the completed ones.
    pub durations: Trend,
    /// `iteration_lag`; empty in the closed model.
    pub lag: Trend,
}

impl Iterations {
    fn merge(&mut self, other: &Self) {
        self.completed += other.completed;
        self.cut += other.cut;
        self.dropped += other.dropped;
        self.durations.merge(&other.durations);
        self.lag.merge(&other.lag);
    }
}

/// What ended the load. Of two, the later of this list stands for both.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stop {
    /// Its plan was done.
    #[default]
    Done,
    /// A threshold that was set to abort; its name.
    Aborted(String),
    /// A signal; its name.
    Interrupted(String),
    /// It was not even begun: why the target was not ready, or which step of setup failed.
    NotStarted(String),
}

/// What the generator knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generator {
    /// `generator_lag`: lateness of the workers' heartbeats.
    pub lag: Trend,
    /// `generator_delay`: what a request would have taken if the target had answered at once.
    pub delay: Trend,
    /// The worst second of each of the things that it can run out of.
    pub worst: Vitals,
    /// CPU time of this process during the load.
    pub cpu: Duration,
    /// CPU time that it might have used: cores or quota, times the length of the load.
    pub cpu_available: Duration,
    /// Time for which the CPU quota of a cgroup held it back; `None` where there is no quota.
    pub throttled: Option<Duration>,
    /// Worker threads.
    pub workers: u32,
    /// Thousandths of a core that this process may use.
    pub millicores: u64,
    /// Virtual-user time of the plan that was not offered, by our fault.
    pub lost: Duration,
    /// Virtual-user time of the plan, as far as the load went.
    pub planned: Duration,
    /// Iterations of the open model that fell due.
    pub arrivals: u64,
    /// Those of them that were late though a virtual user was idle.
    pub late_arrivals: u64,
    /// Panics of virtual users or workers: bugs of ours.
    pub panics: Vec<String>,
}

/// What the run created and undid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// Things created by steps that have an `undo`.
    pub created: u64,
    /// Undone, by the scenario itself or by clean-up.
    pub undone: u64,
    /// Left behind, the first thousand.
    pub left: Vec<Leftover>,
    /// Left behind, all of them.
    pub left_count: u64,
    /// Requests of such steps that were sent and never answered: whether they created anything cannot be known.
    pub unanswered: u64,
}

/// Something that could not be undone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leftover {
    /// The step that created it.
    pub step: String,
    /// The request that would: `DELETE /employees/17`.
    pub request: String,
    /// Why it failed.
    pub reason: String,
}

impl Generator {
    /// `generator_cpu`: CPU time as a share of what might have been used; `None` before there was any.
    pub fn cpu_share(&self) -> Option<f64> {
        let available = self.cpu_available.as_secs_f64();
        (available > 0.0).then(|| (self.cpu.as_secs_f64() / available).min(1.0))
    }

    /// The CPU that this process may use, in cores.
    pub fn cores(&self) -> f64 {
        self.millicores as f64 / 1e3
    }

    /// The share of the load's time for which a CPU quota held it back; `None` without a quota, or a load.
    pub fn throttled_share(&self, elapsed: Duration) -> Option<f64> {
        let throttled = self.throttled.filter(|_| !elapsed.is_zero())?;
        Some((throttled.as_secs_f64() / elapsed.as_secs_f64()).min(1.0))
    }
}

impl Cleanup {
    /// At most so many leftovers are named.
    pub const MOST_NAMED: usize = 1_000;

    /// Adds what another worker or shard created and undid.
    pub fn merge(&mut self, other: &Self) {
        self.created += other.created;
        self.undone += other.undone;
        self.left_count += other.left_count;
        self.unanswered += other.unanswered;
        self.left.extend_from_slice(&other.left);
        // Sorted before it is cut, so that the order of merging does not show.
        self.left.sort_unstable();
        self.left.truncate(Self::MOST_NAMED);
    }

    /// Notes something left behind.
    pub fn leave(&mut self, leftover: Leftover) {
        self.left_count += 1;
        if self.left.len() < Self::MOST_NAMED {
            self.left.push(leftover);
        }
    }
}

impl Results {
    /// Results without any measurement, for the steps and spans of a plan.
    pub fn new(plan: &Plan) -> Self {
        Self {
            n_steps: plan.steps.len(),
            cells: vec![None; plan.steps.len() * plan.spans.len()],
            iterations: vec![Iterations::default(); plan.spans.len()],
            ..Self::default()
        }
    }

    /// Adds what a worker recorded in an interval.
    pub fn add(&mut self, interval: Interval) {
        self.merge_cells(interval.cells.into_iter());
        for (own, add) in self.iterations.iter_mut().zip(&interval.iterations) {
            own.merge(add);
        }
        for (number, second) in interval.seconds {
            self.add_second(number, &second);
        }
        self.generator.lag.merge(&interval.lag);
        self.generator.delay.merge(&interval.delay);
        self.generator.lost += interval.lost;
        self.generator.arrivals += interval.arrivals;
        self.generator.late_arrivals += interval.late_arrivals;
    }

    /// Adds what the generator used of the machine in a second of the load, counted from 0.
    pub fn add_vitals(&mut self, second: u32, vitals: &Vitals) {
        self.seconds.at(second).vitals.merge(vitals);
        self.generator.worst.merge(vitals);
    }

    fn add_second(&mut self, number: u32, second: &Second) {
        // Of several seconds in one point, the first one's virtual users stand.
        let first = u64::from(number).is_multiple_of(self.seconds.resolution().as_secs());
        let point = self.seconds.at(number);
        for (index, add) in second.steps.iter().enumerate() {
            let own = point.step(index);
            own.requests += add.requests;
            own.failed += add.failed;
            own.errors += add.errors;
            own.passes += add.passes;
            own.fails += add.fails;
            own.sent += add.sent;
            own.received += add.received;
            own.durations.merge_histogram(&add.durations);
        }
        for (index, add) in second.iterations.iter().enumerate() {
            *entry(&mut point.iterations, index) += add;
        }
        for (kind, add) in &second.error_kinds {
            *point.error_kinds.entry(*kind).or_default() += add;
        }
        if first {
            for (index, (running, existing)) in second.vus.iter().enumerate() {
                *entry(&mut point.vus, index) += running;
                *entry(&mut point.vus_max, index) += existing;
            }
        }
        if self.seconds.is_coarse() {
            self.seconds.at(number).coarsen();
        }
    }

    fn merge_cells(&mut self, cells: impl Iterator<Item = Option<Box<Cell>>>) {
        for (own, add) in self.cells.iter_mut().zip(cells) {
            match (own.as_mut(), add) {
                (Some(own), Some(add)) => own.merge(&add),
                (None, Some(add)) => *own = Some(add),
                (_, None) => {}
            }
        }
    }

    /// Adds the results of another shard or machine that ran the same plan.
    pub fn merge(&mut self, other: &Self) {
        self.merge_cells(other.cells.iter().cloned());
        for (own, add) in self.iterations.iter_mut().zip(&other.iterations) {
            own.merge(add);
        }
        self.seconds.merge(&other.seconds);
        self.elapsed = self.elapsed.max(other.elapsed);
        for (index, end) in other.ends.iter().enumerate() {
            let own = entry(&mut self.ends, index);
            *own = (*own).max(*end);
        }
        self.clock.merge(&other.clock);
        if other.stop > self.stop {
            self.stop = other.stop.clone();
        }
        let (own, add) = (&mut self.generator, &other.generator);
        own.lag.merge(&add.lag);
        own.delay.merge(&add.delay);
        own.worst.merge(&add.worst);
        own.cpu += add.cpu;
        own.cpu_available += add.cpu_available;
        own.throttled = own.throttled.max(add.throttled);
        own.workers += add.workers;
        own.millicores += add.millicores;
        own.lost += add.lost;
        own.planned += add.planned;
        own.arrivals += add.arrivals;
        own.late_arrivals += add.late_arrivals;
        own.panics.extend_from_slice(&add.panics);
        own.panics.sort_unstable();
        self.at_once |= other.at_once;
        self.cleanup.merge(&other.cleanup);
        self.teardown_failures.extend_from_slice(&other.teardown_failures);
        self.teardown_failures.sort_unstable();
        self.observed.merge(&other.observed);
        if let Some(route) = &other.route {
            self.route.get_or_insert_default().merge(route);
        }
        let cleanup = self.database_cleanup.take();
        self.database_cleanup = both(cleanup, other.database_cleanup.clone(), DatabaseCleanup::and);
    }

    /// Counts the iterations of a load that was planned by their number, and did not get to all of them.
    pub fn count_unstarted(&mut self, load: &Load, shard: Shard) {
        if let (Some(planned), Some(span)) = (shard.iterations(&load.executor), load.stages.first()) {
            let started: u64 = (load.stages.iter().chain([&load.grace]))
                .map(|span| self.iterations(*span))
                .map(|iterations| iterations.completed + iterations.cut)
                .sum();
            self.iterations[usize::from(span.0)].dropped = planned.saturating_sub(started);
        }
    }

    /// Changes every text that came from outside: secrets are masked in it before it goes into a file.
    pub fn edit_texts(&mut self, edit: &mut dyn FnMut(&mut String)) {
        for cell in self.cells.iter_mut().flatten() {
            cell.edit_texts(edit);
        }
        for text in self.generator.panics.iter_mut().chain(&mut self.teardown_failures) {
            edit(text);
        }
        match &mut self.stop {
            Stop::Done => {}
            Stop::Aborted(text) | Stop::Interrupted(text) | Stop::NotStarted(text) => edit(text),
        }
        for Leftover { step, request, reason } in &mut self.cleanup.left {
            [step, request, reason].into_iter().for_each(&mut *edit);
        }
        if let Some(found) = &mut self.database_cleanup {
            found.trouble.iter_mut().for_each(&mut *edit);
        }
        for watch in &mut self.observed.watches {
            watch.edit_texts(edit);
        }
    }

    /// Whether they can be those of a plan: they have its steps and spans. Results from a file may not.
    pub fn fit(&self, plan: &Plan) -> bool {
        let n_cells = plan.steps.len() * plan.spans.len();
        self.n_steps == plan.steps.len()
            && self.cells.len() == n_cells
            && self.iterations.len() == plan.spans.len()
            && self.ends.len() <= plan.loads.len()
            && self.observed.watches.len() <= plan.observers.len()
            && self.seconds.fit(plan)
    }

    /// The figures of one step in one span; `None` where it made no request there.
    pub fn cell(&self, span: SpanId, step: StepId) -> Option<&Cell> {
        self.cells.get(usize::from(span.0) * self.n_steps + usize::from(step.0))?.as_deref()
    }

    /// The iterations started in one span.
    pub fn iterations(&self, span: SpanId) -> &Iterations {
        &self.iterations[usize::from(span.0)]
    }

    /// The figures that a selection picks, all together; the checks of different steps are not told apart.
    pub fn select(&self, selection: &Selection) -> Cell {
        let mut all = Cell::default();
        for cell in self.cells_of(selection) {
            all.merge_across_steps(cell);
        }
        all
    }

    /// The checks that held and those that did not, in the cells that a selection picks.
    pub fn checks(&self, selection: &Selection) -> (u64, u64) {
        let totals = self.cells_of(selection).map(Cell::check_totals);
        totals.fold((0, 0), |(passes, fails), (more, worse)| (passes + more, fails + worse))
    }

    fn cells_of(&self, selection: &Selection) -> impl Iterator<Item = &Cell> {
        let status = selection.status;
        (selection.spans.iter())
            .flat_map(|span| selection.steps.iter().filter_map(|step| self.cell(*span, *step)))
            .filter_map(move |cell| match status {
                None => Some(cell),
                Some(status) => {
                    cell.by_status.iter().find(|(own, _)| *own == status).map(|(_, cell)| cell.as_ref())
                }
            })
    }

    /// The iterations that were started in any of the spans.
    pub fn iterations_of(&self, spans: &[SpanId]) -> Iterations {
        let mut all = Iterations::default();
        for span in spans {
            all.merge(self.iterations(*span));
        }
        all
    }

    /// The steps of a selection in one point of the series.
    pub fn point(&self, index: usize, steps: &[StepId]) -> StepPoint {
        let mut all = StepPoint::default();
        for step in steps {
            if let Some(own) = self.seconds.points()[index].steps.get(usize::from(step.0)) {
                all.merge(own);
            }
        }
        all
    }

    /// The requests among these that were cut, for any cause or for one.
    pub fn cut(&self, cell: &Cell, cause: Option<Cause>) -> u64 {
        let of_stop = match &self.stop {
            Stop::Aborted(_) => Cause::Abort,
            Stop::Done | Stop::Interrupted(_) | Stop::NotStarted(_) => Cause::Interrupt,
        };
        let at_end = if cause.is_none_or(|cause| cause == Cause::End) { cell.cut } else { 0 };
        at_end + if cause.is_none_or(|cause| cause == of_stop) { cell.interrupted } else { 0 }
    }

    /// The time that per-second rates over these spans refer to: that of their stages, as far as the load went.
    /// Stages of several loads that overlap count once.
    pub fn rated_time(&self, plan: &Plan, spans: &[SpanId]) -> Duration {
        let end_of = |span: &Span| {
            let load = span.load.and_then(|load| self.ends.get(usize::from(load.0)).copied());
            (span.start + span.duration).min(load.unwrap_or(self.elapsed)).min(self.elapsed)
        };
        let mut stages: Vec<(Duration, Duration)> = (spans.iter().map(|span| plan.span(*span)))
            .filter(|span| span.phase == Phase::Load)
            .map(|span| (span.start.min(self.elapsed), end_of(span)))
            .collect();
        stages.sort_unstable();
        let mut covered = Duration::ZERO;
        let mut until = Duration::ZERO;
        for (start, end) in stages {
            covered += end.saturating_sub(start.max(until));
            until = until.max(end);
        }
        covered
    }
}
