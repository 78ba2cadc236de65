//! Why requests failed: the way to the service, the database, or the pods; or that the data do not say.

use super::{Case, Diagnosis, Hint};
use crate::metrics::{Offset, Watch};
use crate::plan::Selection;
use crate::units::{Fraction, human_duration, human_number};
use crate::words::{ErrorKind, Metric, ObserverKind, Outcome, Phase, Section};

/// What was seen within so many seconds of a failed request may have to do with it.
const REACH: u64 = 2;

/// A cause has to have been there with so many of the failed requests.
const MOST: f64 = 0.5;

/// So much more often with them than at any time: what is there all the time explains nothing.
const LIFT: f64 = 1.2;

/// Two causes that differ by less are told apart by nobody.
const APART: f64 = 0.25;

/// From this share of `max_connections` on, a database is at its limit.
const LIMIT: f64 = 0.995;

/// What the data point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Database,
    Pods,
    Undecided,
}

/// In how many of the seconds with failed requests something else was seen, too, and in how many of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Coincidence {
    /// The share of the failed requests.
    of_errors: f64,
    /// The share of the time.
    of_time: f64,
}

/// Explains failed requests, where a threshold on them does not hold and something was observed beside them.
pub(super) fn diagnose(case: Case<'_>, diagnosis: &mut Diagnosis) {
    let Some(errors) = Errors::of(case) else { return };
    diagnosis.hints.extend(errors.way());
    diagnosis.hints.extend(errors.cause());
}

struct Errors<'a> {
    case: Case<'a>,
    /// Failed requests by second of the load.
    by_second: Vec<u64>,
    total: u64,
    end: Offset,
}

impl<'a> Errors<'a> {
    fn of(case: Case<'a>) -> Option<Self> {
        let Case { plan, results, judgement } = case;
        let is_wrong = (plan.thresholds.iter().zip(&judgement.thresholds)).any(|(threshold, judged)| {
            let is_of_errors =
                matches!(threshold.metric, Metric::Errors | Metric::HttpReqFailed | Metric::Checks);
            is_of_errors && matches!(judged.outcome, Outcome::Fail | Outcome::Warn)
        });
        let steps: Vec<_> = plan.loads.iter().flat_map(|load| load.steps.iter().copied()).collect();
        let resolution = usize::try_from(results.seconds.resolution().as_secs()).unwrap_or(1).max(1);
        let mut by_second = Vec::new();
        for index in 0..results.seconds.points().len() {
            by_second.resize(by_second.len() + resolution, 0);
            by_second[index * resolution] = results.point(index, &steps).errors;
        }
        let total = by_second.iter().sum();
        let end = results.observed.over.unwrap_or(Offset::after(results.elapsed));
        (is_wrong && total > 0).then_some(Self { case, by_second, total, end })
    }

    /// What an observer of that kind saw, where it saw anything.
    fn watch(&self, kind: ObserverKind) -> Option<&'a Watch> {
        let Case { plan, results, .. } = self.case;
        let mut watches = plan.observers.iter().zip(&results.observed.watches);
        let found = watches.find(|(observer, _)| observer.kind() == kind && observer.active)?;
        Some(found.1).filter(|watch| !watch.is_blind())
    }

    /// How often requests ended in these ways, and the first that did.
    fn of_kinds(&self, kinds: &[ErrorKind]) -> Vec<String> {
        let Case { plan, results, .. } = self.case;
        let cell = results.select(&Selection {
            spans: plan.spans_of(Phase::Load).chain(plan.spans_of(Phase::Grace)).collect(),
            steps: plan.loads.iter().flat_map(|load| load.steps.iter().copied()).collect(),
            ..Selection::default()
        });
        let mut lines = Vec::new();
        for kind in kinds {
            let of_kind = || cell.error_kinds.iter().filter(|error| error.kind == *kind);
            let count: u64 = of_kind().map(|error| error.count).sum();
            if let Some(first) = of_kind().map(|error| &error.first).min_by_key(|first| first.at) {
                let at = human_duration(first.at);
                lines.push(format!(
                    "{count} requests ended with {kind}, the first at {at}: {}",
                    first.message
                ));
            }
        }
        lines
    }

    /// Connections that failed although pods were ready: it is what lies between that broke.
    fn way(&self) -> Option<Hint> {
        let target = &self.case.plan.target;
        let is_loopback =
            matches!(target.host.as_str(), "localhost" | "::1") || target.host.starts_with("127.");
        let cluster = self.watch(ObserverKind::Kubernetes).filter(|_| is_loopback)?;
        let broken =
            [ErrorKind::ConnectRefused, ErrorKind::ConnectTimeout, ErrorKind::Reset, ErrorKind::ClosedEarly];
        let mut evidence = self.of_kinds(&broken);
        let ready = cluster.tracks_of(Metric::PodsReady, &[]).flat_map(|track| &track.points);
        let in_load = ready.filter(|point| Offset::ZERO <= point.at && point.at <= self.end);
        let least = in_load.map(|point| point.value).min_by(f64::total_cmp).filter(|least| *least >= 1.0)?;
        if evidence.is_empty() {
            return None;
        }
        evidence.push(format!("at least {} pods were ready all the time", human_number(least)));
        let (url, port) = (&target.url, target.port);
        let of_hpa = cluster.autoscaler.as_ref();
        let mend = match of_hpa {
            Some(hpa) => format!(
                "where a `kubectl port-forward` leads to {url}, start it again (kubectl port-forward -n {} {} {port}:PORT), or take an address that does not hang on one pod",
                hpa.namespace, hpa.workload
            ),
            None => format!("where a `kubectl port-forward` leads to {url}, start it again"),
        };
        Some(Hint {
            section: Section::Checks,
            text: format!(
                "connections to {url} were refused or broke while pods were ready: a port-forward reaches one pod, and ends with it"
            ),
            evidence,
            mend: Some(mend),
        })
    }

    /// The database, the pods, or undecided.
    fn cause(&self) -> Option<Hint> {
        let database = [ObserverKind::Mysql, ObserverKind::Logs].map(|kind| self.watch(kind));
        let cluster = self.watch(ObserverKind::Kubernetes);
        if database.iter().all(Option::is_none) && cluster.is_none() {
            return None;
        }
        let (in_database, blamed) = self.in_database(&database);
        let in_pods = cluster.map(|cluster| self.in_pods(cluster)).unwrap_or_default();
        let (of_database, of_pods) = (self.coincidence(&in_database), self.coincidence(&in_pods));
        // What the database itself counted is no coincidence.
        let is_counted = blamed >= MOST * self.total as f64;
        let seen = |what: &str, is_watched: bool, of: Coincidence| {
            if is_watched {
                format!(
                    "{what}: something went wrong there within {REACH} s of {} of the {} failed requests, and in {} of all seconds",
                    percent(of.of_errors),
                    self.total,
                    percent(of.of_time)
                )
            } else {
                format!("{what}: not observed")
            }
        };
        let evidence = [
            seen("database", database.iter().any(Option::is_some), of_database),
            seen("pods", cluster.is_some(), of_pods),
        ];
        let kinds: Vec<ErrorKind> = ErrorKind::ALL.to_vec();
        let evidence = [evidence.to_vec(), self.of_kinds(&kinds)].concat();
        let (section, text) = match attribute(of_database, of_pods, is_counted) {
            Cause::Database => {
                (Section::Database, "the failed requests go with what went wrong in the database")
            }
            Cause::Pods => (
                Section::Stability,
                "the failed requests go with pods that were not ready, ended, or had no CPU left",
            ),
            Cause::Undecided => (
                Section::Checks,
                "whether database or pods made requests fail is undecided: what was seen of both does not tell",
            ),
        };
        Some(Hint { section, text: text.to_owned(), evidence, mend: None })
    }

    /// The seconds in which the database or its logs showed something that fails requests, and how many it counted.
    fn in_database(&self, watches: &[Option<&Watch>]) -> (Vec<u64>, f64) {
        let counters = [
            Metric::MysqlConnectionsRefused,
            Metric::MysqlDeadlocks,
            Metric::MysqlLockWaitTimeouts,
            Metric::MysqlRestarts,
            Metric::LogMatches,
        ];
        let (mut seconds, mut blamed) = (Vec::new(), 0.0);
        for watch in watches.iter().flatten() {
            for track in watch.tracks.iter().filter(|track| counters.contains(&track.metric)) {
                let before = track.at(Offset::ZERO).unwrap_or_default().value;
                let mut last = before;
                for point in
                    track.points.iter().filter(|point| Offset::ZERO <= point.at && point.at <= self.end)
                {
                    if point.value > last {
                        seconds.push(second(point.at));
                        last = point.value;
                    }
                }
                if track.metric != Metric::LogMatches {
                    blamed += last - before;
                }
            }
            let used = watch.tracks_of(Metric::MysqlConnectionsUsed, &[]).flat_map(|track| &track.points);
            let full =
                used.filter(|point| point.value >= LIMIT && Offset::ZERO <= point.at && point.at <= self.end);
            seconds.extend(full.map(|point| second(point.at)));
        }
        (seconds, blamed)
    }

    /// The seconds in which pods ended, were not ready, or had no CPU left and no more of them to come.
    fn in_pods(&self, cluster: &Watch) -> Vec<u64> {
        let in_load = |at: Offset| Offset::ZERO <= at && at <= self.end;
        let mut seconds: Vec<u64> = (cluster.incidents.iter())
            .filter(|incident| in_load(incident.at))
            .map(|incident| second(incident.at))
            .collect();
        let first = |metric| cluster.tracks_of(metric, &[]).next();
        let (ready, replicas) = (first(Metric::PodsReady), first(Metric::HpaReplicas));
        if let (Some(ready), Some(replicas)) = (ready, replicas) {
            let short = ready.points.iter().filter(|point| {
                in_load(point.at)
                    && replicas.at(point.at).is_some_and(|replicas| point.value < replicas.value)
            });
            seconds.extend(short.map(|point| second(point.at)));
        }
        if let Some(hpa) = &cluster.autoscaler
            && let (Some(target), Some(cpu)) = (hpa.target, first(Metric::HpaCpu))
        {
            let busy = cpu
                .points
                .iter()
                .filter(|point| in_load(point.at) && point.value > f64::from(target) / 100.0 * 1.1);
            seconds.extend(busy.map(|point| second(point.at)));
        }
        seconds
    }

    fn coincidence(&self, seconds: &[u64]) -> Coincidence {
        coincidence(&self.by_second, seconds)
    }
}

fn coincidence(errors: &[u64], seconds: &[u64]) -> Coincidence {
    let mut is_near = vec![false; errors.len()];
    for second in seconds {
        let (from, to) = (second.saturating_sub(REACH), second + REACH);
        for near in is_near
            .iter_mut()
            .take(usize::try_from(to + 1).unwrap_or(usize::MAX))
            .skip(usize::try_from(from).unwrap_or(usize::MAX))
        {
            *near = true;
        }
    }
    let total: u64 = errors.iter().sum();
    let near: u64 =
        errors.iter().zip(&is_near).filter(|(_, is_near)| **is_near).map(|(errors, _)| errors).sum();
    if total == 0 || errors.is_empty() {
        return Coincidence::default();
    }
    let n_near = is_near.iter().filter(|is_near| **is_near).count();
    Coincidence { of_errors: near as f64 / total as f64, of_time: n_near as f64 / errors.len() as f64 }
}

fn attribute(database: Coincidence, pods: Coincidence, is_counted: bool) -> Cause {
    let is_cause = |it: Coincidence| it.of_errors >= MOST && it.of_errors >= LIFT * it.of_time;
    match (is_counted || is_cause(database), is_cause(pods)) {
        (true, false) => Cause::Database,
        (false, true) => Cause::Pods,
        (true, true) if database.of_errors >= pods.of_errors + APART => Cause::Database,
        (true, true) if pods.of_errors >= database.of_errors + APART => Cause::Pods,
        (true, true) | (false, false) => Cause::Undecided,
    }
}

fn second(at: Offset) -> u64 {
    at.since(Offset::ZERO).as_secs()
}

fn percent(share: f64) -> String {
    Fraction::new(share.min(1.0)).map(Fraction::human).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten failed requests in each of these seconds of a minute.
    fn errors(at: std::ops::Range<usize>) -> Vec<u64> {
        (0..60).map(|second| if at.contains(&second) { 10 } else { 0 }).collect()
    }

    #[test]
    fn what_was_seen_beside_failed_requests_is_their_cause() {
        let errors = errors(20..30);
        let database = coincidence(&errors, &(20..30).collect::<Vec<_>>());
        assert_eq!(database, Coincidence { of_errors: 1.0, of_time: 14.0 / 60.0 });
        let nothing = coincidence(&errors, &[50]);
        assert!(nothing.of_errors < 0.1, "{nothing:?}");
        assert_eq!(attribute(database, nothing, false), Cause::Database);
        assert_eq!(attribute(nothing, database, false), Cause::Pods);
    }

    #[test]
    fn what_is_there_all_the_time_or_never_decides_nothing() {
        let errors = errors(20..30);
        let always = coincidence(&errors, &(0..60).collect::<Vec<_>>());
        let never = Coincidence::default();
        assert_eq!(attribute(always, never, false), Cause::Undecided);
        assert_eq!(attribute(never, never, false), Cause::Undecided);
        // Unless the database counted them itself.
        assert_eq!(attribute(always, never, true), Cause::Database);
    }

    #[test]
    fn two_causes_at_once_are_not_told_apart() {
        let errors = errors(20..30);
        let both = coincidence(&errors, &(20..30).collect::<Vec<_>>());
        assert_eq!(attribute(both, both, false), Cause::Undecided);
        let part = coincidence(&errors, &[21, 22]);
        assert!(part.of_errors < both.of_errors - APART);
        assert_eq!(attribute(both, part, false), Cause::Database);
    }
}
