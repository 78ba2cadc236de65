//! What one look at a server asks for.

use std::fmt;

use super::connection::Connection;
use super::refusal::Refusal;
use crate::words::Metric;

/// What is known of a server once it was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `MariaDB` or `MySQL`.
    pub product: &'static str,
    /// Its version: `10.11.14`.
    pub version: String,
    /// Whom it takes palier for, as a statement names them: `'app'@'127.0.0.1'`.
    pub account: String,
    /// Why `INNODB_METRICS` cannot be read; `None` where it can.
    pub innodb_denied: Option<String>,
}

/// What a server says of itself at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Seconds since it was started.
    pub uptime: u64,
    /// Open connections, this one included.
    pub threads_connected: u64,
    /// The most that it would have open.
    pub max_connections: Option<u64>,
    /// Counters since its start, as far as it has them.
    pub counts: Vec<(Metric, f64)>,
    /// The part of this connection in them.
    pub own: Vec<(Metric, f64)>,
    /// Of MariaDB: connections that went away before they logged in, and those whose login failed.
    pub failures: Option<(f64, f64)>,
    /// Reads of `InnoDB` pages, and those that the disk had to serve.
    pub buffer_pool: Option<(f64, f64)>,
}

/// Status variables that are counters of ours.
const COUNTERS: [(&str, Metric); 8] = [
    ("Connection_errors_max_connections", Metric::MysqlConnectionsRefused),
    ("Aborted_connects", Metric::MysqlAbortedConnects),
    ("Innodb_row_lock_waits", Metric::MysqlRowLockWaits),
    ("Innodb_row_lock_time", Metric::MysqlRowLockTime),
    ("Slow_queries", Metric::MysqlSlowQueries),
    ("Questions", Metric::MysqlQueries),
    ("Created_tmp_disk_tables", Metric::MysqlTmpDiskTables),
    // MariaDB; MySQL has it among its metrics only.
    ("Innodb_deadlocks", Metric::MysqlDeadlocks),
];

/// Those of them that a session has, too.
const OWN: &str =
    "SHOW SESSION STATUS WHERE Variable_name IN ('Slow_queries', 'Questions', 'Created_tmp_disk_tables')";

const GLOBAL: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Threads_connected', \
    'Connection_errors_max_connections', 'Aborted_connects', 'Innodb_row_lock_waits', 'Innodb_row_lock_time', \
    'Slow_queries', 'Questions', 'Created_tmp_disk_tables', 'Innodb_deadlocks', \
    'Innodb_buffer_pool_read_requests', 'Innodb_buffer_pool_reads', \
    'Aborted_connects_preauth', 'Access_denied_errors')";

/// A counter that is switched off stands still and says nothing.
const INNODB: &str = "SELECT NAME, COUNT FROM information_schema.INNODB_METRICS \
    WHERE NAME IN ('lock_deadlocks', 'lock_timeouts') AND TIME_ENABLED IS NOT NULL AND TIME_DISABLED IS NULL";

/// The name that `INNODB_METRICS` has for a metric.
pub fn innodb_name(metric: Metric) -> &'static str {
    if metric == Metric::MysqlDeadlocks { "lock_deadlocks" } else { "lock_timeouts" }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.product, self.version)
    }
}

impl Server {
    /// Asks a server what it is, and whether this user may read all that a look asks for.
    pub async fn ask(connection: &mut Connection) -> Result<Self, Refusal> {
        let text = connection.value("SELECT VERSION()").await?.unwrap_or_default();
        let product = if text.to_ascii_lowercase().contains("mariadb") { "MariaDB" } else { "MySQL" };
        let version = text.split('-').next().unwrap_or_default().to_owned();
        let account = connection.value("SELECT CURRENT_USER()").await?.unwrap_or_default();
        let account = match account.rsplit_once('@') {
            Some((user, host)) => format!("'{user}'@'{host}'"),
            None => account,
        };
        let innodb_denied = match connection.rows::<(String, i64)>(INNODB).await {
            Ok(_) => None,
            Err(refusal) if refusal.code.is_some() => Some(refusal.to_string()),
            Err(refusal) => return Err(refusal),
        };
        Ok(Self { product, version, account, innodb_denied })
    }
}

impl Status {
    /// Reads it. What this connection did is read first, so that each look is counted in the next.
    pub async fn read(connection: &mut Connection, server: &Server) -> Result<Self, Refusal> {
        let own: Vec<(String, String)> = connection.rows(OWN).await?;
        let global: Vec<(String, String)> = connection.rows(GLOBAL).await?;
        let mut status = Self::of(&own, &global);
        let most = connection.rows::<u64>("SELECT @@GLOBAL.max_connections").await?;
        status.max_connections = most.first().copied();
        if server.innodb_denied.is_none() {
            for (name, count) in connection.rows::<(String, i64)>(INNODB).await? {
                let metric = if name == "lock_deadlocks" {
                    Metric::MysqlDeadlocks
                } else {
                    Metric::MysqlLockWaitTimeouts
                };
                if status.counts.iter().all(|(known, _)| *known != metric) {
                    status.counts.push((metric, count as f64));
                }
            }
        }
        Ok(status)
    }

    fn of(own: &[(String, String)], global: &[(String, String)]) -> Self {
        let find = |rows: &[(String, String)], name: &str| {
            let row = rows.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            row.and_then(|(_, value)| value.parse::<f64>().ok())
        };
        let counters = |rows: &[(String, String)]| {
            let each = COUNTERS.iter().filter_map(|(name, metric)| Some((*metric, find(rows, name)?)));
            each.collect::<Vec<_>>()
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and not negative")]
        let whole = |name: &str| find(global, name).unwrap_or_default().max(0.0) as u64;
        Self {
            uptime: whole("Uptime"),
            threads_connected: whole("Threads_connected"),
            max_connections: None,
            counts: counters(global),
            own: counters(own),
            failures: find(global, "Aborted_connects_preauth").zip(find(global, "Access_denied_errors")),
            buffer_pool: find(global, "Innodb_buffer_pool_read_requests")
                .zip(find(global, "Innodb_buffer_pool_reads")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_a_server_does_not_have_is_not_there() {
        let global = rows(&[
            ("Uptime", "77"),
            ("Threads_connected", "5"),
            ("Questions", "1000"),
            ("Innodb_row_lock_time", "12"),
            ("Innodb_buffer_pool_read_requests", "100"),
        ]);
        let status = Status::of(&rows(&[("questions", "9")]), &global);
        assert_eq!((status.uptime, status.threads_connected), (77, 5));
        assert_eq!(status.counts, [(Metric::MysqlRowLockTime, 12.0), (Metric::MysqlQueries, 1000.0)]);
        assert_eq!(status.own, [(Metric::MysqlQueries, 9.0)]);
        assert_eq!(status.buffer_pool, None, "one half of it says nothing");
    }
}
