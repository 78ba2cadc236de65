//! The figures of one step in one span of the run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Trend;
use crate::words::{ErrorKind, Metric};

/// Everything that is counted of the requests of one step in one span.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Requests made, cut ones included (those cut by a signal or an abort excluded).
    pub requests: u64,
    /// Requests with no answer, or with a status of 400 or above that no check of the step expects.
    pub failed: u64,
    /// Requests that failed, or of which at least one check did not hold.
    pub errors: u64,
    /// Requests still open at a hard end of the load.
    pub cut: u64,
    /// Requests still open when a signal or an abort ended the run: in no other count.
    pub interrupted: u64,
    /// Steps left out because a value that they need was missing.
    pub skipped: u64,
    /// Latencies in `trends` that are only lower bounds: timed out or cut.
    pub lower_bounds: u64,
    /// The same of `http_req_corrected`, iterations that never started included.
    pub corrected_lower_bounds: u64,
    /// Captures that found nothing in an answer that had not failed, and templates left unfilled.
    pub scenario_errors: u64,
    /// The first of them.
    pub first_scenario_error: Option<FirstError>,
    /// Bytes written to the wire.
    pub sent: u64,
    /// Bytes read from the wire.
    pub received: u64,
    /// By the index of the check in its step.
    pub checks: Vec<CheckCount>,
    /// The times of answered requests, and the age of timed-out and cut ones.
    pub trends: Trends,
    /// Requests on a kept connection that are not in `trends.blocked` and its parts yet, where each is 0: most are,
    /// and a counter is cheaper than three histograms. See [`Cell::count_unblocked`].
    pub(super) unblocked: u64,
    /// By kind and status, in their order.
    pub error_kinds: Vec<ErrorCount>,
    /// Answers by status, in ascending order.
    pub statuses: Vec<(u16, u64)>,
    /// The same figures once more for the statuses that a threshold selects.
    pub by_status: Vec<(u16, Box<Self>)>,
}

/// How often a check held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckCount {
    /// It held.
    pub passes: u64,
    /// It did not hold.
    pub fails: u64,
    /// The first time that it did not.
    pub first: Option<FirstError>,
}

/// How often an error of a kind occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// The kind.
    pub kind: ErrorKind,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How often.
    pub count: u64,
    /// The first one.
    pub first: FirstError,
}

/// The first error of its sort, as an example for the reader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FirstError {
    /// When the request started, counted from the start of the load.
    pub at: Duration,
    /// The virtual user; 0 outside the load.
    pub vu: u32,
    /// What was wrong; may hold anything that the target sent.
    pub message: String,
}

/// The times of requests. The parts of one request add up: `duration` = `sending` + `waiting` + `receiving`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trends {
    /// `http_req_duration`.
    pub duration: Trend,
    /// `http_req_blocked`.
    pub blocked: Trend,
    /// `http_req_connecting`.
    pub connecting: Trend,
    /// `http_req_tls_handshaking`.
    pub tls_handshaking: Trend,
    /// `http_req_sending`.
    pub sending: Trend,
    /// `http_req_waiting`.
    pub waiting: Trend,
    /// `http_req_receiving`.
    pub receiving: Trend,
    /// `http_req_corrected`; empty in the closed model.
    pub corrected: Trend,
}

impl Trends {
    /// The metrics that are kept here, in the order of k6's summary.
    pub const METRICS: [Metric; 8] = [
        Metric::HttpReqBlocked,
        Metric::HttpReqConnecting,
        Metric::HttpReqCorrected,
        Metric::HttpReqDuration,
        Metric::HttpReqReceiving,
        Metric::HttpReqSending,
        Metric::HttpReqTlsHandshaking,
        Metric::HttpReqWaiting,
    ];

    /// The trend of a metric, if it is kept here.
    #[expect(clippy::wildcard_enum_match_arm, reason = "of all metrics, these are the ones kept per request")]
    pub fn of(&self, metric: Metric) -> Option<&Trend> {
        match metric {
            Metric::HttpReqDuration => Some(&self.duration),
            Metric::HttpReqBlocked => Some(&self.blocked),
            Metric::HttpReqConnecting => Some(&self.connecting),
            Metric::HttpReqTlsHandshaking => Some(&self.tls_handshaking),
            Metric::HttpReqSending => Some(&self.sending),
            Metric::HttpReqWaiting => Some(&self.waiting),
            Metric::HttpReqReceiving => Some(&self.receiving),
            Metric::HttpReqCorrected => Some(&self.corrected),
            _ => None,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.duration.merge(&other.duration);
        self.blocked.merge(&other.blocked);
        self.connecting.merge(&other.connecting);
        self.tls_handshaking.merge(&other.tls_handshaking);
        self.sending.merge(&other.sending);
        self.waiting.merge(&other.waiting);
        self.receiving.merge(&other.receiving);
        self.corrected.merge(&other.corrected);
    }
}

impl Cell {
    /// Adds all of `other`'s figures to this one's. Checks are matched by their index, so only cells of the
    /// same step keep them apart; see [`Cell::merge_across_steps`].
    pub fn merge(&mut self, other: &Self) {
        self.merge_across_steps(other);
        if self.checks.len() < other.checks.len() {
            self.checks.resize(other.checks.len(), CheckCount::default());
        }
        for (own, add) in self.checks.iter_mut().zip(&other.checks) {
            own.passes += add.passes;
            own.fails += add.fails;
            keep_first(&mut own.first, add.first.as_ref());
        }
    }

    /// Changes every text that came from outside.
    pub(super) fn edit_texts(&mut self, edit: &mut dyn FnMut(&mut String)) {
        let of_checks = self.checks.iter_mut().filter_map(|check| check.first.as_mut());
        let of_errors = self.error_kinds.iter_mut().map(|error| &mut error.first);
        for first in of_checks.chain(of_errors).chain(&mut self.first_scenario_error) {
            edit(&mut first.message);
        }
        for (_, cell) in &mut self.by_status {
            cell.edit_texts(edit);
        }
    }

    /// Adds the figures of another step's cell: all but the checks, which belong to their step.
    pub fn merge_across_steps(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.errors += other.errors;
        self.cut += other.cut;
        self.interrupted += other.interrupted;
        self.skipped += other.skipped;
        self.lower_bounds += other.lower_bounds;
        self.corrected_lower_bounds += other.corrected_lower_bounds;
        self.scenario_errors += other.scenario_errors;
        keep_first(&mut self.first_scenario_error, other.first_scenario_error.as_ref());
        self.sent += other.sent;
        self.received += other.received;
        debug_assert_eq!(other.unblocked, 0, "entered into the trends before a cell is handed over");
        self.trends.merge(&other.trends);
        for add in &other.error_kinds {
            self.merge_error(add);
        }
        for (status, count) in &other.statuses {
            self.add_status(*status, *count);
        }
        for (status, cell) in &other.by_status {
            self.of_status(*status).merge(cell);
        }
    }

    /// Enters the requests on kept connections into the trends of what they did not have to wait for.
    pub(super) fn count_unblocked(&mut self) {
        let n = std::mem::take(&mut self.unblocked);
        if n > 0 {
            let Trends { blocked, connecting, tls_handshaking, .. } = &mut self.trends;
            for trend in [blocked, connecting, tls_handshaking] {
                trend.record_many(Duration::ZERO, n);
            }
        }
        for (_, cell) in &mut self.by_status {
            cell.count_unblocked();
        }
    }

    pub(super) fn merge_error(&mut self, add: &ErrorCount) {
        match self.error_kinds.binary_search_by_key(&(add.kind, add.status), |own| (own.kind, own.status)) {
            Ok(found) => {
                let own = &mut self.error_kinds[found];
                own.count += add.count;
                if add.first < own.first {
                    own.first = add.first.clone();
                }
            }
            Err(gap) => self.error_kinds.insert(gap, add.clone()),
        }
    }

    #[inline]
    pub(super) fn add_status(&mut self, status: u16, count: u64) {
        match self.statuses.binary_search_by_key(&status, |(own, _)| *own) {
            Ok(found) => self.statuses[found].1 += count,
            Err(gap) => self.statuses.insert(gap, (status, count)),
        }
    }

    pub(super) fn of_status(&mut self, status: u16) -> &mut Self {
        let at = match self.by_status.binary_search_by_key(&status, |(own, _)| *own) {
            Ok(found) => found,
            Err(gap) => {
                self.by_status.insert(gap, (status, Box::default()));
                gap
            }
        };
        &mut self.by_status[at].1
    }

    /// The checks that held and those that did not, over all checks of the step.
    pub fn check_totals(&self) -> (u64, u64) {
        self.checks.iter().fold((0, 0), |(passes, fails), check| (passes + check.passes, fails + check.fails))
    }
}

/// Keeps the earlier of two examples.
pub(super) fn keep_first(own: &mut Option<FirstError>, other: Option<&FirstError>) {
    if let Some(other) = other
        && own.as_ref().is_none_or(|own| other < own)
    {
        *own = Some(other.clone());
    }
}
