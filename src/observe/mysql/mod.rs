//! A MySQL or MariaDB server, by its own counters.
//!
//! - [`checkup`]: whether a server lets palier see what it asks for
//! - [`cleanup`]: deleting what a run has left
//! - [`connection`]: getting in, and asking
//! - [`refusal`]: what keeps palier out, in words, and what mends it
//! - [`status`]: what one look asks for
//! - `counters`: what a server counts since its start, as what happened since the first look
//!
//! One connection, kept open; what it does itself is taken out of all that is reported. `SHOW GLOBAL STATUS` needs no
//! right but to log in; lock wait timeouts, and deadlocks on MySQL, stand in `INNODB_METRICS` and need `PROCESS`.

pub mod checkup;
pub mod cleanup;
pub mod connection;
mod counters;
pub mod refusal;
pub mod status;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::connection::Connection;
use self::counters::Counters;
use self::refusal::Refusal;
use self::status::{Server, Status};
use super::desk::{Beat, Desk, FeedId};
use crate::plan::Mysql;
use crate::units::human_duration;
use crate::words::Metric;

/// How long getting in, or one look, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same of the look at the end of the load: reports wait for it.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// What `SHOW GLOBAL STATUS` tells.
const OF_STATUS: [Metric; 11] = [
    Metric::MysqlThreadsConnected,
    Metric::MysqlConnectionsUsed,
    Metric::MysqlConnectionsRefused,
    Metric::MysqlAbortedConnects,
    Metric::MysqlRowLockWaits,
    Metric::MysqlRowLockTime,
    Metric::MysqlSlowQueries,
    Metric::MysqlQueries,
    Metric::MysqlBufferPoolHits,
    Metric::MysqlTmpDiskTables,
    Metric::MysqlRestarts,
];

/// What stands in `INNODB_METRICS`; MariaDB has the first also in its status.
const OF_INNODB: [Metric; 2] = [Metric::MysqlDeadlocks, Metric::MysqlLockWaitTimeouts];

/// Samples the server until the load is over.
pub async fn watch(settings: Mysql, kubeconfig: Vec<PathBuf>, mut desk: Desk) {
    let mut watcher =
        Watcher { settings, kubeconfig, entered: None, counters: Counters::default(), feeds: None };
    while let Some(beat) = desk.beat(watcher.settings.interval).await {
        let patience = if beat.is_last { LAST_PATIENCE } else { PATIENCE };
        let outcome = match tokio::time::timeout(patience, watcher.look(&mut desk, beat)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Refusal::other(format!("no answer within {}", human_duration(patience)))),
        };
        if let Err(refusal) = outcome {
            // In the middle of an answer, or broken: of no use any more.
            watcher.entered = None;
            if refusal.is_too_many() {
                watcher.counters.refused_ourselves();
            }
            desk.trouble(beat.at, refusal.with_mend());
        }
        desk.settled();
        if beat.is_last {
            break;
        }
    }
    if let Some(entered) = watcher.entered {
        // Said goodbye to, or the server would count it as aborted.
        let _ = tokio::time::timeout(Duration::from_secs(1), entered.connection.leave()).await;
    }
}

struct Watcher {
    settings: Mysql,
    kubeconfig: Vec<PathBuf>,
    entered: Option<Entered>,
    counters: Counters,
    feeds: Option<Feeds>,
}

/// A connection that is in.
struct Entered {
    connection: Connection,
    server: Server,
}

struct Feeds {
    status: FeedId,
    innodb: FeedId,
}

impl Watcher {
    async fn look(&mut self, desk: &mut Desk, beat: Beat) -> Result<(), Refusal> {
        if self.entered.is_none() {
            let mut connection = Connection::open(&self.settings.access, &self.kubeconfig).await?;
            let server = Server::ask(&mut connection).await?;
            desk.source(format!("{server} at {}", self.settings.access.address));
            self.counters.entered();
            self.entered = Some(Entered { connection, server });
        }
        let Some(Entered { connection, server }) = &mut self.entered else { return Ok(()) };
        let asked = Instant::now();
        let status = Status::read(connection, server).await?;
        self.feeds.get_or_insert_with(|| introduce(desk, &self.settings, server, &status));
        let seen = self.counters.take(&status, asked);
        let at = beat.at;
        if seen.restarted {
            let up = human_duration(Duration::from_secs(status.uptime));
            desk.incident(
                at,
                "the database server was started anew",
                vec![format!(
                    "its `Uptime` is {up}: what it counted between the last look and its end is lost"
                )],
            );
        }
        // One of the threads is palier's own.
        let others = status.threads_connected.saturating_sub(1) as f64;
        desk.read(Metric::MysqlThreadsConnected, &[], at, others);
        if let Some(most) = status.max_connections.filter(|most| *most > 0) {
            desk.read(Metric::MysqlConnectionsUsed, &[], at, others / most as f64);
        }
        for (metric, count) in &seen.counts {
            desk.read(*metric, &[], at, *count);
        }
        if let Some((hits, reads)) = seen.buffer_pool {
            desk.read_share(Metric::MysqlBufferPoolHits, &[], at, hits, reads);
        }
        if let Some(feeds) = &self.feeds {
            desk.look(feeds.status, at);
            desk.look(feeds.innodb, at);
        }
        Ok(())
    }
}

/// Says once what the server is asked for, and what it does not have.
fn introduce(desk: &mut Desk, settings: &Mysql, server: &Server, status: &Status) -> Feeds {
    let interval = settings.interval;
    let user = &settings.access.user;
    for metric in OF_INNODB {
        if status.counts.iter().any(|(known, _)| *known == metric) {
            continue;
        }
        desk.missing(
            metric,
            match &server.innodb_denied {
                Some(denied) => format!(
                    "`{user}` may not read INNODB_METRICS ({denied}); grant it: GRANT PROCESS ON *.* TO {}",
                    server.account
                ),
                None => format!(
                    "{server} does not count it; if it is switched off: SET GLOBAL innodb_monitor_enable = '{}'",
                    status::innodb_name(metric)
                ),
            },
        );
    }
    let always = [Metric::MysqlThreadsConnected, Metric::MysqlRestarts];
    let one_by_one = [
        (Metric::MysqlConnectionsUsed, status.max_connections.is_some()),
        (Metric::MysqlBufferPoolHits, status.buffer_pool.is_some()),
    ];
    for metric in OF_STATUS {
        let is_there = always.contains(&metric)
            || one_by_one.contains(&(metric, true))
            || status.counts.iter().any(|(known, _)| *known == metric);
        if !is_there {
            desk.missing(metric, format!("{server} has no such status variable"));
        }
    }
    if let Some(most) = status.max_connections {
        desk.note(format!("max_connections is {most}; palier holds one connection, which is not counted"));
    }
    Feeds {
        status: desk.feed("SHOW GLOBAL STATUS", interval, true, &OF_STATUS),
        innodb: desk.feed("INNODB_METRICS", interval, true, &OF_INNODB),
    }
}
