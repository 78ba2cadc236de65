//! What a server counts since its start, as what happened since the first look.

use std::time::{Duration, Instant};

use super::status::Status;
use crate::words::Metric;

/// A server that is up for less than the time since the last look was started anew. `Uptime` is in whole seconds, and
/// clocks of two machines differ a little.
const UPTIME_TOLERANCE: Duration = Duration::from_secs(2);

/// One counter, across restarts of whoever counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bridge {
    last: Option<f64>,
    so_far: f64,
}

impl Bridge {
    /// The events since the first look. `own` are palier's own among those since the last one. A counter that stands
    /// lower than before, or whose server was started anew, has begun at 0 again: all of it is new.
    fn take(&mut self, raw: f64, own: f64, restarted: bool) -> f64 {
        if let Some(last) = self.last {
            let new = if restarted || raw < last { raw } else { raw - last };
            self.so_far += (new - own).max(0.0);
        }
        self.last = Some(raw);
        self.so_far
    }
}

/// How many connections a MariaDB refused. Its `Connection_errors_max_connections` counts only those that came when
/// one more than `max_connections` were open; who is refused a moment later, after logging in, stands in
/// `Aborted_connects` alone. There, too, are those whose login failed and those that went away before it, which have
/// counters of their own; what is left was refused.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    gone: Bridge,
    denied: Bridge,
    most: f64,
}

impl Refusals {
    fn take(&mut self, (gone, denied): (f64, f64), aborted: f64, known: f64, restarted: bool) -> f64 {
        let other = self.gone.take(gone, 0.0, restarted) + self.denied.take(denied, 0.0, restarted);
        // A user without a right to a database counts as denied, too, though the connection was not aborted.
        self.most = self.most.max(known).max(aborted - other);
        self.most
    }
}

/// All counters of a server.
#[derive(Debug, Default)]
pub(super) struct Counters {
    bridges: Vec<(Metric, Bridge)>,
    hits: Bridge,
    reads: Bridge,
    restarts: f64,
    refusals: Refusals,
    last: Option<(Instant, u64)>,
    /// What the connection itself had done at the last look; of a new one, nothing.
    own: Vec<(Metric, f64)>,
    /// How often palier itself was refused since the last look.
    refused: f64,
}

/// What one look found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// Whether the server was started anew since the last look.
    pub(super) restarted: bool,
    /// Events since the first look.
    pub(super) counts: Vec<(Metric, f64)>,
    /// Reads that the buffer pool served without the disk, and all, since the first look.
    pub(super) buffer_pool: Option<(f64, f64)>,
}

impl Counters {
    /// A new connection has done nothing yet.
    pub(super) fn entered(&mut self) {
        self.own.clear();
    }

    /// The server has refused palier itself, and counts that.
    pub(super) fn refused_ourselves(&mut self) {
        self.refused += 1.0;
    }

    /// Takes in what a look found that was asked for at that moment.
    pub(super) fn take(&mut self, status: &Status, asked: Instant) -> Seen {
        let restarted = self.last.is_some_and(|(then, uptime)| {
            let least = Duration::from_secs(uptime) + asked.saturating_duration_since(then);
            Duration::from_secs(status.uptime) + UPTIME_TOLERANCE < least || status.uptime < uptime
        });
        self.last = Some((asked, status.uptime));
        self.restarts += f64::from(u8::from(restarted));
        let refused = std::mem::take(&mut self.refused);
        let mut counts = vec![(Metric::MysqlRestarts, self.restarts)];
        for (metric, raw) in &status.counts {
            // A server that was started anew has not counted what it refused before.
            let refuses = matches!(metric, Metric::MysqlConnectionsRefused | Metric::MysqlAbortedConnects);
            let own = if refuses && !restarted {
                refused
            } else {
                count_of(&status.own, *metric) - count_of(&self.own, *metric)
            };
            let index = self.bridges.iter().position(|(known, _)| known == metric).unwrap_or_else(|| {
                self.bridges.push((*metric, Bridge::default()));
                self.bridges.len() - 1
            });
            counts.push((*metric, self.bridges[index].1.take(*raw, own, restarted)));
        }
        self.own.clone_from(&status.own);
        if let Some(failures) = status.failures {
            let aborted = count_of(&counts, Metric::MysqlAbortedConnects);
            let known = count_of(&counts, Metric::MysqlConnectionsRefused);
            let refused = self.refusals.take(failures, aborted, known, restarted);
            counts.retain(|(metric, _)| *metric != Metric::MysqlConnectionsRefused);
            counts.push((Metric::MysqlConnectionsRefused, refused));
        }
        let buffer_pool = status.buffer_pool.map(|(requests, from_disk)| {
            let hits = self.hits.take((requests - from_disk).max(0.0), 0.0, restarted);
            (hits, self.reads.take(requests, 0.0, restarted).max(hits))
        });
        Seen { restarted, counts, buffer_pool }
    }
}

fn count_of(counts: &[(Metric, f64)], metric: Metric) -> f64 {
    counts.iter().find(|(known, _)| *known == metric).map_or(0.0, |(_, count)| *count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(uptime: u64, deadlocks: f64, queries: f64, own: f64) -> Status {
        Status {
            uptime,
            counts: vec![(Metric::MysqlDeadlocks, deadlocks), (Metric::MysqlQueries, queries)],
            own: vec![(Metric::MysqlQueries, own)],
            ..Status::default()
        }
    }

    fn count(seen: &Seen, metric: Metric) -> u64 {
        let found = seen.counts.iter().find(|(known, _)| *known == metric);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
        found.map(|(_, count)| *count as u64).unwrap()
    }

    #[test]
    fn what_was_there_before_the_first_look_does_not_count() {
        let (mut counters, start) = (Counters::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        let seen = counters.take(&status(100, 7.0, 1000.0, 2.0), at(0));
        assert_eq!(count(&seen, Metric::MysqlDeadlocks), 0);
        let seen = counters.take(&status(101, 9.0, 1052.0, 4.0), at(1));
        assert_eq!(count(&seen, Metric::MysqlDeadlocks), 2);
        assert_eq!(count(&seen, Metric::MysqlQueries), 50, "two of them were palier's own");
        assert!(!seen.restarted);
    }

    #[test]
    fn a_restart_is_noticed_and_bridged() {
        let (mut counters, start) = (Counters::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        counters.take(&status(100, 7.0, 1000.0, 2.0), at(0));
        counters.take(&status(101, 9.0, 1100.0, 4.0), at(1));
        counters.entered();
        let seen = counters.take(&status(2, 1.0, 33.0, 3.0), at(5));
        assert!(seen.restarted);
        assert_eq!(count(&seen, Metric::MysqlDeadlocks), 3);
        assert_eq!(count(&seen, Metric::MysqlQueries), 98 + 30);
        assert_eq!(count(&seen, Metric::MysqlRestarts), 1);
        // A server that was up for a second only, and is again.
        let (mut counters, at) = (Counters::default(), |second| start + Duration::from_secs(second));
        counters.take(&status(1, 5.0, 0.0, 0.0), at(0));
        assert!(counters.take(&status(1, 9.0, 0.0, 0.0), at(4)).restarted);
        assert!(!counters.take(&status(3, 9.0, 0.0, 0.0), at(6)).restarted);
    }

    #[test]
    fn mariadb_refuses_more_than_it_calls_refused() {
        let (mut counters, start) = (Counters::default(), Instant::now());
        let status = |aborted, known, gone, denied| Status {
            uptime: 9,
            counts: vec![(Metric::MysqlAbortedConnects, aborted), (Metric::MysqlConnectionsRefused, known)],
            failures: Some((gone, denied)),
            ..Status::default()
        };
        counters.take(&status(10.0, 3.0, 2.0, 4.0), start);
        let seen = counters.take(&status(30.0, 5.0, 4.0, 7.0), start);
        assert_eq!(count(&seen, Metric::MysqlConnectionsRefused), 20 - 2 - 3);
        let seen = counters.take(&status(30.0, 5.0, 4.0, 27.0), start);
        assert_eq!(count(&seen, Metric::MysqlConnectionsRefused), 15, "it never shrinks");
        counters.refused_ourselves();
        let seen = counters.take(&status(56.0, 5.0, 4.0, 27.0), start);
        assert_eq!(
            count(&seen, Metric::MysqlConnectionsRefused),
            20,
            "46 aborted, 25 of them others, and palier"
        );
    }

    #[test]
    fn a_counter_that_was_reset_goes_on() {
        let (mut counters, start) = (Counters::default(), Instant::now());
        counters.take(&status(100, 7.0, 0.0, 0.0), start);
        let seen = counters.take(&status(101, 2.0, 0.0, 0.0), start + Duration::from_secs(1));
        assert!(!seen.restarted);
        assert_eq!(count(&seen, Metric::MysqlDeadlocks), 2);
    }

    proptest! {
        /// Whenever the server restarts between two looks, and however often, all that it counted is counted; what
        /// happened after the last look before its end cannot be known and is not there.
        #[test]
        fn nothing_is_counted_twice_or_lost(
            steps in prop::collection::vec((0_u32..50, prop::bool::weighted(0.2)), 1..40)
        ) {
            let mut bridge = Bridge::default();
            bridge.take(1_000.0, 0.0, false);
            let (mut raw, mut expected) = (1_000_u32, 0_u32);
            for (events, restarted) in steps {
                raw = if restarted { events } else { raw + events };
                expected += events;
                prop_assert!((bridge.take(f64::from(raw), 0.0, restarted) - f64::from(expected)).abs() < 1e-9);
            }
        }
    }
}
