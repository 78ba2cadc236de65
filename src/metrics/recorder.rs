//! A worker's own recorder: no lock, no atomic, no allocation for a request that goes well.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cell::{Cell, CheckCount, ErrorCount, FirstError, keep_first};
use super::results::Iterations;
use super::seconds::entry;
use super::{Histogram, Trend};
use crate::plan::{LoadId, Plan, SpanId, StepId};
use crate::words::{ErrorKind, Phase};

/// One exchange, finished or failed. The engine makes it, the recorder folds it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The step.
    pub step: StepId,
    /// The span in which it was started.
    pub span: SpanId,
    /// When it was started, counted from the start of the load; zero outside it.
    pub start: Duration,
    /// The times of an answered request, or the age of one that timed out or was cut. `None` where there was
    /// no connection, or it broke: that is no latency, least of all one of 0 ms.
    pub timings: Option<Timings>,
    /// The status of the answer, if its head came.
    pub status: Option<u16>,
    /// What went wrong with the exchange itself, or with its status; not checks.
    pub failure: Failure,
    /// Checks that held.
    pub passes: u32,
    /// Checks that did not.
    pub fails: u32,
    /// Bytes written to the wire.
    pub sent: u64,
    /// Bytes read from the wire.
    pub received: u64,
}

/// How an exchange failed, or that it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It did not.
    None,
    /// It did, in the way of this kind.
    Kind(ErrorKind),
    /// It was cut by a signal or an abort: it counts nowhere else.
    Interrupted,
}

/// Where the time of a request went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From wanting a connection to having one.
    pub blocked: Duration,
    /// The TCP handshake, part of `blocked`.
    pub connecting: Duration,
    /// The TLS handshake, part of `blocked`.
    pub tls_handshaking: Duration,
    /// From a ready connection to the last byte of the request written.
    pub sending: Duration,
    /// From there to the first byte of the answer.
    pub waiting: Duration,
    /// From there to its last byte.
    pub receiving: Duration,
    /// Answer time since the scheduled start, in the open model.
    pub corrected: Option<Duration>,
    /// The times are lower bounds: the request timed out or was cut.
    pub lower_bound: bool,
}

impl Timings {
    /// `http_req_duration`.
    pub fn duration(&self) -> Duration {
        self.sending + self.waiting + self.receiving
    }
}

/// The end of an iteration.
#[derive(Clone, Copy, Debug)]
pub struct IterationEnd {
    /// The load.
    pub load: LoadId,
    /// The span in which it was started.
    pub span: SpanId,
    /// When it ended, counted from the start of the load.
    pub end: Duration,
    /// How long it took, pauses included.
    pub duration: Duration,
}

/// What a worker recorded since it last handed over.
#[derive(Clone, Debug, Default)]
pub struct Interval {
    /// By span, then step.
    pub(super) cells: Vec<Option<Box<Cell>>>,
    /// By span.
    pub(super) iterations: Vec<Iterations>,
    /// The seconds in which something happened; few, and the latest last.
    pub(super) seconds: Vec<(u32, Box<Second>)>,
    /// Lateness of the worker's heartbeat.
    pub(super) lag: Trend,
    /// What a request would have taken if the target had answered at once.
    pub(super) delay: Trend,
    /// Virtual-user time of the plan that was not offered, by our fault.
    pub(super) lost: Duration,
    /// Iterations of the open model that fell due.
    pub(super) arrivals: u64,
    /// Those of them that were late though a virtual user was idle.
    pub(super) late_arrivals: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    pub(super) steps: Vec<StepSecond>,
    pub(super) iterations: Vec<u64>,
    pub(super) vus: Vec<(u32, u32)>,
    /// Errors by their kind.
    pub(super) error_kinds: BTreeMap<ErrorKind, u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct StepSecond {
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) errors: u64,
    pub(super) passes: u64,
    pub(super) fails: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) durations: Histogram,
}

/// What one worker records.
#[derive(Debug)]
pub struct Recorder {
    interval: Interval,
    n_steps: usize,
    n_spans: usize,
    /// How many checks each step has.
    n_checks: Vec<usize>,
    /// Whether requests of a span belong to the series: not those of setup, teardown and clean-up.
    in_series: Vec<bool>,
    /// Statuses that a threshold selects.
    statuses: Vec<u16>,
    /// Errors whose first example was made already: messages are text, and text is slow.
    exemplified: Vec<(SpanId, StepId, ErrorKind, Option<u16>)>,
}

impl Recorder {
    /// A recorder for the steps and spans of a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut recorder = Self {
            interval: Interval::default(),
            n_steps: plan.steps.len(),
            n_spans: plan.spans.len(),
            n_checks: plan.steps.iter().map(|step| step.checks.len()).collect(),
            in_series: (plan.spans.iter())
                .map(|span| matches!(span.phase, Phase::Load | Phase::Grace))
                .collect(),
            statuses: (plan.thresholds.iter()).filter_map(|threshold| threshold.selection.status).collect(),
            exemplified: Vec::new(),
        };
        recorder.interval = recorder.empty();
        recorder
    }

    fn empty(&self) -> Interval {
        Interval {
            cells: vec![None; self.n_steps * self.n_spans],
            iterations: vec![Iterations::default(); self.n_spans],
            ..Interval::default()
        }
    }

    /// Hands over what was recorded since the last time.
    pub fn take(&mut self) -> Interval {
        let empty = self.empty();
        let mut interval = std::mem::replace(&mut self.interval, empty);
        interval.cells.iter_mut().flatten().for_each(|cell| cell.count_unblocked());
        interval
    }

    fn cell(&mut self, span: SpanId, step: StepId) -> &mut Cell {
        let index = usize::from(span.0) * self.n_steps + usize::from(step.0);
        let n_checks = self.n_checks[usize::from(step.0)];
        self.interval.cells[index].get_or_insert_with(|| {
            Box::new(Cell { checks: vec![CheckCount::default(); n_checks], ..Cell::default() })
        })
    }

    fn second(&mut self, at: Duration) -> &mut Second {
        // A run of 136 years would saturate.
        let second = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
        let seconds = &mut self.interval.seconds;
        // The latest second is asked for nearly always; answers that took long find theirs a little further up.
        let found = seconds.iter().rposition(|(own, _)| *own == second).unwrap_or_else(|| {
            seconds.push((second, Box::default()));
            seconds.len() - 1
        });
        &mut seconds[found].1
    }

    /// Folds one exchange.
    pub fn request(&mut self, sample: &Sample) {
        let failed = match sample.failure {
            Failure::None => false,
            Failure::Kind(_) => true,
            Failure::Interrupted => {
                self.cell(sample.span, sample.step).interrupted += 1;
                return;
            }
        };
        let selected = sample.status.filter(|status| self.statuses.contains(status));
        let cell = self.cell(sample.span, sample.step);
        count(cell, sample, failed);
        if let Some(status) = selected {
            count(cell.of_status(status), sample, failed);
        }
        if self.in_series[usize::from(sample.span.0)] {
            let step = entry(&mut self.second(sample.start).steps, usize::from(sample.step.0));
            step.requests += 1;
            step.failed += u64::from(failed);
            step.errors += u64::from(failed || sample.fails > 0);
            step.passes += u64::from(sample.passes);
            step.fails += u64::from(sample.fails);
            step.sent += sample.sent;
            step.received += sample.received;
            if let Some(timings) = &sample.timings {
                step.durations.record(timings.duration());
            }
        }
    }

    /// Counts one check of an answer.
    #[inline]
    pub fn check(&mut self, span: SpanId, step: StepId, check: usize, held: bool) {
        let count = &mut self.cell(span, step).checks[check];
        if held {
            count.passes += 1;
        } else {
            count.fails += 1;
        }
    }

    /// Gives an example of a check that did not hold, unless there is an earlier one.
    pub fn check_example(
        &mut self,
        span: SpanId,
        step: StepId,
        check: usize,
        example: impl FnOnce() -> FirstError,
    ) {
        let count = &mut self.cell(span, step).checks[check];
        if count.first.is_none() {
            keep_first(&mut count.first, Some(&example()));
        }
    }

    /// Counts an error of the request that was recorded last, with an example of it where none was given yet.
    pub fn error(&mut self, sample: &Sample, kind: ErrorKind, example: impl FnOnce() -> FirstError) {
        let status = sample.status;
        let key = (sample.span, sample.step, kind, status);
        let seen = self.exemplified.contains(&key);
        let cell = self.cell(sample.span, sample.step);
        if let Some(own) = cell.error_kinds.iter_mut().find(|own| (own.kind, own.status) == (kind, status)) {
            own.count += 1;
        } else {
            // Later than every example that was handed over before, so the earlier one is kept.
            let later = || FirstError { at: Duration::MAX, vu: u32::MAX, message: String::new() };
            let first = if seen { later() } else { example() };
            cell.merge_error(&ErrorCount { kind, status, count: 1, first });
        }
        if !seen {
            self.exemplified.push(key);
        }
        if self.in_series[usize::from(sample.span.0)] {
            *self.second(sample.start).error_kinds.entry(kind).or_default() += 1;
        }
    }

    /// Counts a step that was left out for want of a value.
    pub fn skipped(&mut self, span: SpanId, step: StepId) {
        self.cell(span, step).skipped += 1;
    }

    /// Counts a capture that found nothing, or a template left unfilled.
    pub fn scenario_error(&mut self, span: SpanId, step: StepId, example: impl FnOnce() -> FirstError) {
        let cell = self.cell(span, step);
        cell.scenario_errors += 1;
        if cell.first_scenario_error.is_none() {
            cell.first_scenario_error = Some(example());
        }
    }

    /// Counts an iteration that came to its end.
    pub fn iteration(&mut self, iteration: &IterationEnd) {
        let own = &mut self.interval.iterations[usize::from(iteration.span.0)];
        own.completed += 1;
        own.durations.record(iteration.duration);
        *entry(&mut self.second(iteration.end).iterations, usize::from(iteration.load.0)) += 1;
    }

    /// Counts an iteration that was cut.
    pub fn iteration_cut(&mut self, span: SpanId) {
        self.interval.iterations[usize::from(span.0)].cut += 1;
    }

    /// Notes how many virtual users of a load run, and how many exist, at the beginning of a second.
    pub fn vus(&mut self, second: u32, load: LoadId, running: u32, existing: u32) {
        let second = self.second(Duration::from_secs(u64::from(second)));
        *entry(&mut second.vus, usize::from(load.0)) = (running, existing);
    }

    /// Notes how late a heartbeat of the worker was.
    pub fn lag(&mut self, lateness: Duration) {
        self.interval.lag.record(lateness);
    }

    /// Notes what a request would have taken at that moment if the target had answered at once.
    pub fn delay(&mut self, delay: Duration) {
        self.interval.delay.record(delay);
    }

    /// Counts iterations of the open model that fell due, and those that were late though somebody was idle.
    pub fn arrivals(&mut self, due: u64, late: u64) {
        self.interval.arrivals += due;
        self.interval.late_arrivals += late;
    }

    /// Counts an iteration that was due in a span and never started. The time that it waited is a lower bound of
    /// what its first request would have taken.
    pub fn dropped(&mut self, span: SpanId, first_step: Option<StepId>, waited: Duration) {
        self.interval.iterations[usize::from(span.0)].dropped += 1;
        if let Some(step) = first_step {
            let cell = self.cell(span, step);
            cell.trends.corrected.record(waited);
            cell.corrected_lower_bounds += 1;
        }
    }

    /// Notes by how much the start of an iteration was behind its schedule.
    pub fn iteration_lag(&mut self, span: SpanId, lag: Duration) {
        self.interval.iterations[usize::from(span.0)].lag.record(lag);
    }

    /// Notes virtual-user time of the plan that was not offered, by our fault.
    pub fn lost(&mut self, time: Duration) {
        self.interval.lost += time;
    }
}

#[inline]
fn count(cell: &mut Cell, sample: &Sample, failed: bool) {
    cell.requests += 1;
    cell.failed += u64::from(failed);
    cell.errors += u64::from(failed || sample.fails > 0);
    cell.cut += u64::from(sample.failure == Failure::Kind(ErrorKind::Cut));
    cell.sent += sample.sent;
    cell.received += sample.received;
    if let Some(status) = sample.status {
        cell.add_status(status, 1);
    }
    if let Some(timings) = &sample.timings {
        let trends = &mut cell.trends;
        trends.duration.record(timings.duration());
        if timings.blocked.is_zero() {
            cell.unblocked += 1;
        } else {
            trends.blocked.record(timings.blocked);
            trends.connecting.record(timings.connecting);
            trends.tls_handshaking.record(timings.tls_handshaking);
        }
        trends.sending.record(timings.sending);
        trends.waiting.record(timings.waiting);
        trends.receiving.record(timings.receiving);
        if let Some(corrected) = timings.corrected {
            trends.corrected.record(corrected);
            cell.corrected_lower_bounds += u64::from(timings.lower_bound);
        }
        cell.lower_bounds += u64::from(timings.lower_bound);
    }
}
