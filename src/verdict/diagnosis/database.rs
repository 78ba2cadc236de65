//! What happened in the database, and what of it explains a verdict.

use std::time::Duration;

use super::{Case, Diagnosis, Fact, Hint};
use crate::metrics::{Line, Offset, Reading, Stretch, Watch, stretches_of};
use crate::plan::Selection;
use crate::units::{Fraction, human_duration, human_number};
use crate::words::{Metric, ObserverKind, Outcome, Phase, Section};

/// From this share of `max_connections` on, a database is at its limit: whoever comes next may be refused.
const LIMIT: f64 = 0.995;

/// Waiting for rows explains latency where it takes this share of the time of all requests.
const ROW_LOCK_SHARE: f64 = 0.2;

/// At most so many lines are evidence of one thing.
const LINES: usize = 3;

/// Looks at what observers of the database and of its logs saw.
pub(super) fn diagnose(case: Case<'_>, diagnosis: &mut Diagnosis) {
    for (observer, watch) in case.plan.observers.iter().zip(&case.results.observed.watches) {
        if observer.kind() == ObserverKind::Kubernetes {
            continue;
        }
        diagnosis.facts.extend(watch.incidents.iter().map(|incident| Fact {
            at: Some(incident.at),
            topic: "database",
            text: incident.text.clone(),
            evidence: incident.evidence.clone(),
        }));
    }
    let database = Database { case, during: during(case) };
    diagnosis.facts.extend(database.limit_reached());
    diagnosis.facts.extend(database.first_of(Metric::MysqlConnectionsRefused, "connections refused"));
    diagnosis.facts.extend(database.first_of(Metric::MysqlDeadlocks, "deadlocks found"));
    diagnosis
        .facts
        .extend(database.first_of(Metric::MysqlLockWaitTimeouts, "waits for a locked row given up"));
    diagnosis.hints.extend(database.unseen());
    diagnosis.hints.extend(database.refused());
    diagnosis.hints.extend(database.restarted());
    diagnosis.hints.extend(database.deadlocks());
    diagnosis.hints.extend(database.lock_waits());
    diagnosis.hints.extend(database.row_locks());
}

/// The load, from its start until its last iteration was over.
fn during(case: Case<'_>) -> Vec<Stretch> {
    let plan = case.plan;
    let spans = plan.spans_of(Phase::Load).chain(plan.spans_of(Phase::Grace)).collect();
    stretches_of(plan, case.results, &Selection { spans, ..Selection::default() })
}

struct Database<'a> {
    case: Case<'a>,
    during: Vec<Stretch>,
}

impl<'a> Database<'a> {
    fn watch_of(&self, metric: Metric) -> Option<&'a Watch> {
        let Case { plan, results, .. } = self.case;
        let mut watches = plan.observers.iter().zip(&results.observed.watches);
        watches.find(|(observer, _)| Some(observer.kind()) == metric.observer()).map(|(_, watch)| watch)
    }

    /// By how much a counter grew during the load.
    fn count(&self, metric: Metric) -> f64 {
        let tracks = self.watch_of(metric).into_iter().flat_map(|watch| watch.tracks_of(metric, &[]));
        tracks.flat_map(|track| self.during.iter().map(|stretch| track.growth(*stretch).0)).sum()
    }

    /// The readings of a gauge during the load.
    fn readings(&self, metric: Metric) -> Vec<Reading> {
        let tracks = self.watch_of(metric).into_iter().flat_map(|watch| watch.tracks_of(metric, &[]));
        tracks
            .flat_map(|track| self.during.iter().flat_map(|stretch| track.within(*stretch)))
            .copied()
            .collect()
    }

    /// Whether a threshold or warning that may be due to the database does not hold: one of its own, or one on errors
    /// and failed requests, or on times.
    fn is_wrong(&self, sections: &[Section]) -> bool {
        let Case { plan, judgement, .. } = self.case;
        (plan.thresholds.iter().zip(&judgement.thresholds))
            .filter(|(threshold, _)| sections.contains(&threshold.section))
            .any(|(_, judged)| matches!(judged.outcome, Outcome::Fail | Outcome::Warn | Outcome::Invalid))
    }

    /// Lines of logs, and examples of failed requests, that hold a text.
    fn lines(&self, text: &str) -> Vec<String> {
        let holds = |line: &str| line.to_ascii_lowercase().contains(&text.to_ascii_lowercase());
        let lines = self.watch_of(Metric::LogMatches).into_iter().flat_map(|watch| &watch.lines);
        let of_logs = lines
            .filter(|line| line.at >= Offset::ZERO && holds(&line.text))
            .map(|Line { source, text, .. }| format!("{source}: {text}"));
        of_logs.take(LINES).collect()
    }

    /// When the connections were all in use, with how many.
    fn limit_reached(&self) -> Option<Fact> {
        let used = self.readings(Metric::MysqlConnectionsUsed);
        let full: Vec<&Reading> = used.iter().filter(|reading| reading.value >= self.limit()).collect();
        let (first, last) = (full.first()?, full.last()?);
        Some(Fact {
            at: Some(first.at),
            topic: "database",
            text: format!(
                "all connections of the database were in use, at {} of {} looks, the last at {}",
                full.len(),
                used.len(),
                clock(last.at)
            ),
            evidence: self.peak().into_iter().collect(),
        })
    }

    /// The share from which on palier's own connection is the last one.
    fn limit(&self) -> f64 {
        let most = self.most_connections();
        most.map_or(LIMIT, |most| ((most - 1.0) / most - 1e-9).min(LIMIT))
    }

    /// `max_connections`, out of the share and the number of those in use.
    fn most_connections(&self) -> Option<f64> {
        let used = self.readings(Metric::MysqlConnectionsUsed);
        let threads = self.readings(Metric::MysqlThreadsConnected);
        let pair = used.iter().zip(&threads).rfind(|(used, _)| used.value > 0.0)?;
        Some((pair.1.value / pair.0.value).round())
    }

    /// The most connections that were in use at once.
    fn peak(&self) -> Option<String> {
        let threads = self.readings(Metric::MysqlThreadsConnected);
        // The first of several.
        let peak = threads.iter().rev().max_by(|a, b| a.value.total_cmp(&b.value))?;
        let most = self.most_connections()?;
        Some(format!(
            "{} of {} connections were in use at {}, palier's own not counted",
            human_number(peak.value),
            human_number(most),
            clock(peak.at)
        ))
    }

    fn first_of(&self, metric: Metric, text: &str) -> Option<Fact> {
        let count = self.count(metric);
        if count <= 0.0 {
            return None;
        }
        let track = self.watch_of(metric)?.tracks_of(metric, &[]).next()?;
        let start = self.during.first()?.from;
        let before = track.at(start).unwrap_or_default().value;
        let first = track.points.iter().find(|point| point.at >= start && point.value > before)?;
        Some(Fact {
            at: Some(first.at),
            topic: "database",
            text: format!("{text}: {}, the first at {}", human_number(count), clock(first.at)),
            evidence: Vec::new(),
        })
    }

    /// Observers that saw nothing, and what mends that.
    fn unseen(&self) -> Vec<Hint> {
        let Case { plan, results, .. } = self.case;
        if !self.is_wrong(&[Section::Database]) {
            return Vec::new();
        }
        let mut hints = Vec::new();
        for (observer, watch) in plan.observers.iter().zip(&results.observed.watches) {
            let kind = observer.kind();
            if observer.active
                && watch.is_blind()
                && let Some(trouble) = &watch.trouble
            {
                hints.push(Hint {
                    section: Section::Database,
                    text: format!("the observer `{kind}` saw nothing, so its thresholds could not be judged"),
                    evidence: vec![trouble.clone()],
                    mend: Some(format!("palier doctor --observe {kind}")),
                });
            }
            for (metric, why) in &watch.missing {
                let asked = plan.thresholds.iter().any(|threshold| threshold.metric == *metric);
                if asked {
                    hints.push(Hint {
                        section: Section::Database,
                        text: format!("`{metric}` could not be read"),
                        mend: ["GRANT ", "SET GLOBAL "]
                            .iter()
                            .find_map(|verb| why.find(verb))
                            .map(|at| why[at..].to_owned()),
                        evidence: vec![why.clone()],
                    });
                }
            }
        }
        hints
    }

    fn refused(&self) -> Option<Hint> {
        let refused = self.count(Metric::MysqlConnectionsRefused);
        if refused <= 0.0 || !self.is_wrong(&[Section::Database, Section::Checks, Section::Performance]) {
            return None;
        }
        let mut evidence =
            vec![format!("the server refused {} connections during the load", human_number(refused))];
        evidence.extend(self.peak());
        evidence.extend(self.lines("Too many connections"));
        evidence.extend(self.failures("Too many connections"));
        Some(Hint {
            section: Section::Database,
            text: "the database was at its limit of connections, and refused others".to_owned(),
            evidence,
            mend: Some(match self.most_connections() {
                Some(most) => format!(
                    "let the pools of all replicas together open fewer than {}, or raise it: SET GLOBAL max_connections = {}",
                    human_number(most),
                    human_number(most * 2.0)
                ),
                None => {
                    "raise max_connections, or let the pools of all replicas together open fewer".to_owned()
                }
            }),
        })
    }

    fn restarted(&self) -> Option<Hint> {
        let restarts = self.count(Metric::MysqlRestarts);
        if restarts <= 0.0 || !self.is_wrong(&[Section::Database, Section::Checks, Section::Performance]) {
            return None;
        }
        let incidents = self.watch_of(Metric::MysqlRestarts).into_iter().flat_map(|watch| &watch.incidents);
        let of_server = incidents.filter(|incident| incident.text.contains("server"));
        let mut evidence: Vec<String> =
            of_server.map(|incident| format!("{} at {}", incident.text, clock(incident.at))).collect();
        evidence.extend(self.failures("lost"));
        Some(Hint {
            section: Section::Database,
            text: "the database server was restarted while the load was applied".to_owned(),
            evidence,
            mend: Some("look into its error log, and at the memory that it may use, for why".to_owned()),
        })
    }

    fn deadlocks(&self) -> Option<Hint> {
        let deadlocks = self.count(Metric::MysqlDeadlocks);
        if deadlocks <= 0.0 || !self.is_wrong(&[Section::Database, Section::Checks]) {
            return None;
        }
        let mut evidence =
            vec![format!("the server found {} deadlocks during the load", human_number(deadlocks))];
        evidence.extend(self.lines("Deadlock"));
        evidence.extend(self.failures("Deadlock"));
        Some(Hint {
            section: Section::Database,
            text: "transactions took the same rows in different orders, and MySQL rolled some of them back".to_owned(),
            evidence,
            mend: Some(
                "SHOW ENGINE INNODB STATUS shows the latest; take rows in one order, and try a rolled back transaction again"
                    .to_owned(),
            ),
        })
    }

    fn lock_waits(&self) -> Option<Hint> {
        let timeouts = self.count(Metric::MysqlLockWaitTimeouts);
        if timeouts <= 0.0 || !self.is_wrong(&[Section::Database, Section::Checks, Section::Performance]) {
            return None;
        }
        let mut evidence =
            vec![format!("{} statements gave up waiting for a locked row", human_number(timeouts))];
        evidence.extend(self.lines("Lock wait timeout"));
        evidence.extend(self.failures("Lock wait timeout"));
        Some(Hint {
            section: Section::Database,
            text: "a transaction held rows for longer than innodb_lock_wait_timeout".to_owned(),
            evidence,
            mend: Some(
                "SELECT * FROM information_schema.INNODB_TRX ORDER BY trx_started shows who holds them while it happens"
                    .to_owned(),
            ),
        })
    }

    /// Row locks as a share of what all requests took.
    fn row_locks(&self) -> Option<Hint> {
        let waited = self.count(Metric::MysqlRowLockTime);
        if !self.is_wrong(&[Section::Performance]) {
            return None;
        }
        let Case { plan, results, .. } = self.case;
        let selection = Selection {
            spans: plan.spans_of(Phase::Load).chain(plan.spans_of(Phase::Grace)).collect(),
            steps: plan.loads.iter().flat_map(|load| load.steps.iter().copied()).collect(),
            ..Selection::default()
        };
        let durations = results.select(&selection).trends.duration;
        let all = durations.avg()?.as_secs_f64() * durations.count() as f64 * 1e3;
        let share = waited / all;
        if all <= 0.0 || share < ROW_LOCK_SHARE {
            return None;
        }
        let waits = self.count(Metric::MysqlRowLockWaits);
        let percent = Fraction::new(share.min(1.0)).map(Fraction::human).unwrap_or_default();
        let time = Duration::try_from_secs_f64(waited / 1e3).map(human_duration).unwrap_or_default();
        Some(Hint {
            section: Section::Performance,
            text: format!("requests spent {percent} of their time waiting for locked rows"),
            evidence: vec![format!(
                "{} waits for locked rows took {time} in all, where all requests together took {}",
                human_number(waits),
                Duration::try_from_secs_f64(all / 1e3).map(human_duration).unwrap_or_default()
            )],
            mend: Some("make transactions shorter, or touch the rows that all of them want last".to_owned()),
        })
    }

    /// How many requests failed with a text, and the first of them.
    fn failures(&self, text: &str) -> Option<String> {
        let Case { plan, results, .. } = self.case;
        let selection = Selection {
            spans: plan.spans_of(Phase::Load).chain(plan.spans_of(Phase::Grace)).collect(),
            steps: plan.loads.iter().flat_map(|load| load.steps.iter().copied()).collect(),
            ..Selection::default()
        };
        let cell = results.select(&selection);
        let of_text = |message: &str| message.to_ascii_lowercase().contains(&text.to_ascii_lowercase());
        let first = cell
            .error_kinds
            .iter()
            .filter(|error| of_text(&error.first.message))
            .min_by_key(|error| error.first.at)?;
        Some(format!(
            "the first request that failed so, at {}: {}",
            clock(Offset::after(first.first.at)),
            first.first.message
        ))
    }
}

/// A moment of the run: `1m38s`.
fn clock(at: Offset) -> String {
    human_duration(at.since(Offset::ZERO))
}
