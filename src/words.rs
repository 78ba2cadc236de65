//! The words that every room shares: metrics, error kinds, sections, outcomes.
//!
//! They are the names that users write in profiles and read in reports, so each stands here once, with its
//! meaning, kind and unit. This module knows no other.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants have a stable name in TOML, JSON and reports.
macro_rules! named {
    ($(#[$meta:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum $type { $($(#[$doc])* #[serde(rename = $name)] $variant,)+ }

        impl $type {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name in profiles and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The value of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named! {
    /// What became of a figure that is compared with that of another run; the later, the more it asks to be looked at.
    Change {
        /// It differs by no more than matters.
        Same = "same",
        /// It is better by more than matters.
        Better = "better",
        /// Whether it differs by more than matters cannot be said.
        Inconclusive = "inconclusive",
        /// It is worse by more than matters.
        Worse = "worse",
    }
}

named! {
    /// What a run is compared with.
    Against {
        /// Runs that were made before.
        Baseline = "baseline",
        /// Another build, under load in the same run.
        Build = "build",
    }
}

named! {
    /// What palier measures. k6's names and definitions where k6 has them (design.md, section 4).
    Metric {
        /// Requests made; each hop of a redirect is one.
        HttpReqs = "http_reqs",
        /// Sending + waiting + receiving of one answered request; timed-out and cut ones count with their age.
        HttpReqDuration = "http_req_duration",
        /// From wanting a connection to having one: DNS, TCP and TLS included; 0 on a kept connection.
        HttpReqBlocked = "http_req_blocked",
        /// The TCP handshake; 0 on a kept connection.
        HttpReqConnecting = "http_req_connecting",
        /// The TLS handshake; 0 on a kept connection and on plain HTTP.
        HttpReqTlsHandshaking = "http_req_tls_handshaking",
        /// From a ready connection to the last byte of the request written.
        HttpReqSending = "http_req_sending",
        /// From the last byte written to the first byte of the answer.
        HttpReqWaiting = "http_req_waiting",
        /// From the first to the last byte of the answer.
        HttpReqReceiving = "http_req_receiving",
        /// Share of requests with no answer, or with a status of 400 or above that no check of the step expects.
        HttpReqFailed = "http_req_failed",
        /// Requests still open at the hard end of a stage or of the run.
        HttpReqCut = "http_req_cut",
        /// Answer time since the scheduled start; arrival-rate executors only.
        HttpReqCorrected = "http_req_corrected",
        /// Share of checks that held.
        Checks = "checks",
        /// Share of requests that failed, or of which at least one check did not hold.
        Errors = "errors",
        /// Iterations completed.
        Iterations = "iterations",
        /// One full pass of the scenario, pauses included.
        IterationDuration = "iteration_duration",
        /// Start of an iteration minus its scheduled start; arrival-rate executors only.
        IterationLag = "iteration_lag",
        /// Iterations of the plan that were never started.
        DroppedIterations = "dropped_iterations",
        /// Virtual users that the schedule keeps running, sampled once a second.
        Vus = "vus",
        /// Virtual users that exist, running or not, sampled once a second.
        VusMax = "vus_max",
        /// Bytes written to the wire, headers and TLS included.
        DataSent = "data_sent",
        /// Bytes read from the wire, headers and TLS included.
        DataReceived = "data_received",
        /// How late a timer of a few ms, running on every worker, was served: what a ready answer waited for us.
        GeneratorLag = "generator_lag",
        /// What a request would take if the target answered at once, tried out now and then on every worker.
        GeneratorDelay = "generator_delay",
        /// CPU time of this process as a share of what it may use, sampled once a second.
        GeneratorCpu = "generator_cpu",
        /// Share of the time for which the CPU quota of a cgroup held this process back.
        GeneratorThrottled = "generator_throttled",
        /// Sockets that this process has open.
        GeneratorSockets = "generator_sockets",
        /// File descriptors that this process has open, as a share of those that it may have.
        GeneratorDescriptors = "generator_descriptors",
        /// Local ports in use, as a share of those that there are; an upper bound.
        GeneratorPorts = "generator_ports",
        /// Replicas that the autoscaler counts.
        HpaReplicas = "hpa_replicas",
        /// Replicas that it wants.
        HpaDesiredReplicas = "hpa_desired_replicas",
        /// The pods' CPU as a share of what they request, as the autoscaler sees it; its target is such a share, too.
        HpaCpu = "hpa_cpu",
        /// From the first time that the CPU was over its target to the first new pod that was ready.
        HpaScaleUpTime = "hpa_scale_up_time",
        /// From the end of the load until there were no more replicas than at its beginning.
        HpaScaleDownTime = "hpa_scale_down_time",
        /// Pods that are ready.
        PodsReady = "pods_ready",
        /// Containers of the pods that were started anew.
        PodRestarts = "pod_restarts",
        /// Times that a container fell into `CrashLoopBackOff`.
        PodCrashLoops = "pod_crash_loops",
        /// CPU that a pod uses.
        PodCpu = "pod_cpu",
        /// Memory that a pod uses.
        PodMemory = "pod_memory",
        /// Connections that clients have open, palier's own not counted.
        MysqlThreadsConnected = "mysql_threads_connected",
        /// The same as a share of `max_connections`.
        MysqlConnectionsUsed = "mysql_connections_used",
        /// Connections refused because `max_connections` was reached.
        MysqlConnectionsRefused = "mysql_connections_refused",
        /// Connections that failed before they were logged in: wrong password, broken handshake.
        MysqlAbortedConnects = "mysql_aborted_connects",
        /// Transactions rolled back because they waited for each other.
        MysqlDeadlocks = "mysql_deadlocks",
        /// Statements given up because a row stayed locked for `innodb_lock_wait_timeout`.
        MysqlLockWaitTimeouts = "mysql_lock_wait_timeouts",
        /// Times that a statement had to wait for a locked row.
        MysqlRowLockWaits = "mysql_row_lock_waits",
        /// The time that statements waited for locked rows, all of them together.
        MysqlRowLockTime = "mysql_row_lock_time",
        /// Statements that took longer than `long_query_time`.
        MysqlSlowQueries = "mysql_slow_queries",
        /// Statements that clients sent, palier's own not counted.
        MysqlQueries = "mysql_queries",
        /// Share of reads that `InnoDB`'s buffer pool served without the disk.
        MysqlBufferPoolHits = "mysql_buffer_pool_hits",
        /// Temporary tables that did not fit into memory.
        MysqlTmpDiskTables = "mysql_tmp_disk_tables",
        /// Times that the server was started anew while it was watched.
        MysqlRestarts = "mysql_restarts",
        /// Lines written to the observed logs that match a pattern.
        LogMatches = "log_matches",
    }
}

named! {
    /// What watches something beside the load, by the name that profiles and `--observe` give it.
    ObserverKind {
        /// An autoscaler of Kubernetes, and its pods.
        Kubernetes = "kubernetes",
        /// A MySQL or MariaDB server.
        Mysql = "mysql",
        /// Lines of log files that match patterns.
        Logs = "logs",
    }
}

named! {
    /// The part of a run in which an observer saw something: `{phase:…}` of metrics that observers sample.
    #[derive(Default)]
    ObservedPhase {
        /// From the observer's first look to the start of the load.
        Before = "before",
        /// The load, until the last of its iterations is over. What a metric means without a selector.
        #[default]
        During = "during",
        /// From there on, as long as an observer goes on.
        After = "after",
    }
}

named! {
    /// How the values of a metric add up; decides which aggregations a threshold may use (k6's table).
    MetricKind {
        /// A sum: `count`, `rate` (per second of the load).
        Counter = "counter",
        /// The last value: `value`, `min`, `max`.
        Gauge = "gauge",
        /// A share of yes among yes and no: `rate`.
        Rate = "rate",
        /// A distribution: `avg`, `min`, `med`, `max`, `p(N)`, `count`.
        Trend = "trend",
    }
}

named! {
    /// The unit of an observed value and of its bound in every machine-readable report.
    Unit {
        /// Milliseconds, as a float.
        Milliseconds = "ms",
        /// Per second of the load.
        PerSecond = "/s",
        /// A share between 0 and 1.
        Fraction = "fraction",
        /// A plain number.
        Count = "count",
        /// Bytes.
        Bytes = "bytes",
        /// CPU cores.
        Cores = "cores",
    }
}

named! {
    /// Where a threshold is reported; each is one suite of the JUnit report.
    Section {
        /// Latency, throughput, iterations, bytes.
        Performance = "performance",
        /// Checks, errors, failed requests, scenario errors.
        Checks = "checks",
        /// Pods: restarts, crash loops, resources.
        Stability = "stability",
        /// The autoscaler.
        Autoscaling = "autoscaling",
        /// The database and its logs.
        Database = "database",
        /// Comparisons with a baseline.
        Regression = "regression",
    }
}

named! {
    /// What a run ends in. `fail` goes before `invalid` before `warn` before `pass`.
    Verdict {
        /// Everything that was asked holds.
        Pass = "pass",
        /// A warning does not hold.
        Warn = "warn",
        /// What was measured cannot carry a verdict.
        Invalid = "invalid",
        /// A threshold does not hold.
        Fail = "fail",
    }
}

named! {
    /// What a threshold that does not hold leads to.
    Level {
        /// From `[thresholds]`: the verdict is `fail`.
        Fail = "fail",
        /// From `[warnings]`: the verdict is `warn`.
        Warn = "warn",
    }
}

named! {
    /// What became of one threshold.
    Outcome {
        /// It holds.
        Pass = "pass",
        /// It is a warning and does not hold.
        Warn = "warn",
        /// It does not hold.
        Fail = "fail",
        /// It could not be judged.
        Invalid = "invalid",
        /// It was not asked for in this run, for example for want of a baseline.
        Skipped = "skipped",
    }
}

named! {
    /// Why a request went wrong. Each error of a request has exactly one kind.
    ErrorKind {
        /// The host name could not be resolved.
        Dns = "dns",
        /// Nothing listens there.
        ConnectRefused = "connect-refused",
        /// No TCP connection in time.
        ConnectTimeout = "connect-timeout",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The connection was reset.
        Reset = "reset",
        /// The connection was closed before the answer was complete.
        ClosedEarly = "closed-early",
        /// No complete answer within the step's timeout.
        Timeout = "timeout",
        /// The answer was not HTTP.
        Protocol = "protocol",
        /// The answer was larger than palier reads.
        TooLarge = "too-large",
        /// A redirect that leads elsewhere than the profile allows, or one after another without end.
        Redirect = "redirect",
        /// A status of 400 or above that no check of the step expects.
        Status = "status",
        /// At least one check of the step did not hold.
        Check = "check",
        /// Still open at the hard end of the load, of a signal or of an abort.
        Cut = "cut",
        /// Our own limits: sockets, file descriptors, ports. Never blamed on the target.
        Generator = "generator",
    }
}

named! {
    /// The part of a run in which a request was started.
    Phase {
        /// A step of `setup`.
        Setup = "setup",
        /// Within the stages: the only phase whose requests count in rates and stages.
        Load = "load",
        /// After the stages, while running iterations are let finish.
        Grace = "grace",
        /// A step of `teardown`.
        Teardown = "teardown",
        /// Undoing what iterations left behind.
        Cleanup = "cleanup",
    }
}

impl Metric {
    /// Whether it is about palier itself, not about the target.
    pub const fn is_of_generator(self) -> bool {
        matches!(
            self,
            Self::GeneratorLag
                | Self::GeneratorDelay
                | Self::GeneratorCpu
                | Self::GeneratorThrottled
                | Self::GeneratorSockets
                | Self::GeneratorDescriptors
                | Self::GeneratorPorts
        )
    }

    /// How its values add up.
    pub const fn kind(self) -> MetricKind {
        match self {
            Self::HttpReqs
            | Self::HttpReqCut
            | Self::Iterations
            | Self::DroppedIterations
            | Self::DataSent
            | Self::DataReceived
            | Self::PodRestarts
            | Self::PodCrashLoops
            | Self::MysqlConnectionsRefused
            | Self::MysqlAbortedConnects
            | Self::MysqlDeadlocks
            | Self::MysqlLockWaitTimeouts
            | Self::MysqlRowLockWaits
            | Self::MysqlRowLockTime
            | Self::MysqlSlowQueries
            | Self::MysqlQueries
            | Self::MysqlTmpDiskTables
            | Self::MysqlRestarts
            | Self::LogMatches => MetricKind::Counter,
            Self::HttpReqFailed | Self::Checks | Self::Errors | Self::MysqlBufferPoolHits => MetricKind::Rate,
            Self::Vus
            | Self::VusMax
            | Self::GeneratorCpu
            | Self::GeneratorThrottled
            | Self::GeneratorSockets
            | Self::GeneratorDescriptors
            | Self::GeneratorPorts
            | Self::HpaReplicas
            | Self::HpaDesiredReplicas
            | Self::HpaCpu
            | Self::HpaScaleUpTime
            | Self::HpaScaleDownTime
            | Self::PodsReady
            | Self::PodCpu
            | Self::PodMemory
            | Self::MysqlThreadsConnected
            | Self::MysqlConnectionsUsed => MetricKind::Gauge,
            Self::HttpReqDuration
            | Self::HttpReqBlocked
            | Self::HttpReqConnecting
            | Self::HttpReqTlsHandshaking
            | Self::HttpReqSending
            | Self::HttpReqWaiting
            | Self::HttpReqReceiving
            | Self::HttpReqCorrected
            | Self::IterationDuration
            | Self::IterationLag
            | Self::GeneratorLag
            | Self::GeneratorDelay => MetricKind::Trend,
        }
    }

    /// The unit of its values (a counter's `rate` is per second of that).
    pub const fn unit(self) -> Unit {
        match self {
            Self::HttpReqs
            | Self::HttpReqCut
            | Self::Iterations
            | Self::DroppedIterations
            | Self::Vus
            | Self::VusMax
            | Self::GeneratorSockets
            | Self::HpaReplicas
            | Self::HpaDesiredReplicas
            | Self::PodsReady
            | Self::PodRestarts
            | Self::PodCrashLoops
            | Self::MysqlThreadsConnected
            | Self::MysqlConnectionsRefused
            | Self::MysqlAbortedConnects
            | Self::MysqlDeadlocks
            | Self::MysqlLockWaitTimeouts
            | Self::MysqlRowLockWaits
            | Self::MysqlSlowQueries
            | Self::MysqlQueries
            | Self::MysqlTmpDiskTables
            | Self::MysqlRestarts
            | Self::LogMatches => Unit::Count,
            Self::HttpReqFailed
            | Self::Checks
            | Self::Errors
            | Self::GeneratorCpu
            | Self::GeneratorThrottled
            | Self::GeneratorDescriptors
            | Self::GeneratorPorts
            | Self::HpaCpu
            | Self::MysqlConnectionsUsed
            | Self::MysqlBufferPoolHits => Unit::Fraction,
            Self::DataSent | Self::DataReceived | Self::PodMemory => Unit::Bytes,
            Self::PodCpu => Unit::Cores,
            Self::HttpReqDuration
            | Self::HttpReqBlocked
            | Self::HttpReqConnecting
            | Self::HttpReqTlsHandshaking
            | Self::HttpReqSending
            | Self::HttpReqWaiting
            | Self::HttpReqReceiving
            | Self::HttpReqCorrected
            | Self::IterationDuration
            | Self::IterationLag
            | Self::GeneratorLag
            | Self::GeneratorDelay
            | Self::HpaScaleUpTime
            | Self::HpaScaleDownTime
            | Self::MysqlRowLockTime => Unit::Milliseconds,
        }
    }

    /// Where its thresholds are reported.
    pub const fn section(self) -> Section {
        match self {
            Self::HttpReqFailed | Self::Checks | Self::Errors => Section::Checks,
            Self::HttpReqs
            | Self::HttpReqDuration
            | Self::HttpReqBlocked
            | Self::HttpReqConnecting
            | Self::HttpReqTlsHandshaking
            | Self::HttpReqSending
            | Self::HttpReqWaiting
            | Self::HttpReqReceiving
            | Self::HttpReqCut
            | Self::HttpReqCorrected
            | Self::Iterations
            | Self::IterationDuration
            | Self::IterationLag
            | Self::DroppedIterations
            | Self::Vus
            | Self::VusMax
            | Self::DataSent
            | Self::DataReceived
            | Self::GeneratorLag
            | Self::GeneratorDelay
            | Self::GeneratorCpu
            | Self::GeneratorThrottled
            | Self::GeneratorSockets
            | Self::GeneratorDescriptors
            | Self::GeneratorPorts => Section::Performance,
            Self::HpaReplicas
            | Self::HpaDesiredReplicas
            | Self::HpaCpu
            | Self::HpaScaleUpTime
            | Self::HpaScaleDownTime => Section::Autoscaling,
            Self::PodsReady | Self::PodRestarts | Self::PodCrashLoops | Self::PodCpu | Self::PodMemory => {
                Section::Stability
            }
            Self::MysqlThreadsConnected
            | Self::MysqlConnectionsUsed
            | Self::MysqlConnectionsRefused
            | Self::MysqlAbortedConnects
            | Self::MysqlDeadlocks
            | Self::MysqlLockWaitTimeouts
            | Self::MysqlRowLockWaits
            | Self::MysqlRowLockTime
            | Self::MysqlSlowQueries
            | Self::MysqlQueries
            | Self::MysqlBufferPoolHits
            | Self::MysqlTmpDiskTables
            | Self::MysqlRestarts
            | Self::LogMatches => Section::Database,
        }
    }

    /// Who samples it; `None` of what palier measures itself.
    pub const fn observer(self) -> Option<ObserverKind> {
        match self {
            Self::HpaReplicas
            | Self::HpaDesiredReplicas
            | Self::HpaCpu
            | Self::HpaScaleUpTime
            | Self::HpaScaleDownTime
            | Self::PodsReady
            | Self::PodRestarts
            | Self::PodCrashLoops
            | Self::PodCpu
            | Self::PodMemory => Some(ObserverKind::Kubernetes),
            Self::MysqlThreadsConnected
            | Self::MysqlConnectionsUsed
            | Self::MysqlConnectionsRefused
            | Self::MysqlAbortedConnects
            | Self::MysqlDeadlocks
            | Self::MysqlLockWaitTimeouts
            | Self::MysqlRowLockWaits
            | Self::MysqlRowLockTime
            | Self::MysqlSlowQueries
            | Self::MysqlQueries
            | Self::MysqlBufferPoolHits
            | Self::MysqlTmpDiskTables
            | Self::MysqlRestarts => Some(ObserverKind::Mysql),
            Self::LogMatches => Some(ObserverKind::Logs),
            Self::HttpReqs
            | Self::HttpReqDuration
            | Self::HttpReqBlocked
            | Self::HttpReqConnecting
            | Self::HttpReqTlsHandshaking
            | Self::HttpReqSending
            | Self::HttpReqWaiting
            | Self::HttpReqReceiving
            | Self::HttpReqFailed
            | Self::HttpReqCut
            | Self::HttpReqCorrected
            | Self::Checks
            | Self::Errors
            | Self::Iterations
            | Self::IterationDuration
            | Self::IterationLag
            | Self::DroppedIterations
            | Self::Vus
            | Self::VusMax
            | Self::DataSent
            | Self::DataReceived
            | Self::GeneratorLag
            | Self::GeneratorDelay
            | Self::GeneratorCpu
            | Self::GeneratorThrottled
            | Self::GeneratorSockets
            | Self::GeneratorDescriptors
            | Self::GeneratorPorts => None,
        }
    }

    /// What tells its series apart, beside the time: a selector may name each of these.
    pub const fn labels(self) -> &'static [&'static str] {
        #[expect(clippy::wildcard_enum_match_arm, reason = "what has labels is the exception")]
        match self {
            Self::LogMatches => &["pattern", "source"],
            Self::PodRestarts | Self::PodCrashLoops => &["pod", "container"],
            Self::PodCpu | Self::PodMemory => &["pod"],
            _ => &[],
        }
    }
}

/// Parts of the names of what carries credentials: headers, parameters of a query, fields of a form, members of JSON.
const OF_CREDENTIALS: [&str; 18] = [
    "auth",
    "cookie",
    "token",
    "secret",
    "session",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "credential",
    "signature",
    "jwt",
    "apikey",
    "api-key",
    "api_key",
    "access-key",
    "access_key",
    "subscription-key",
];

/// Whether what has this name carries a credential, by all that can be told from a name.
pub fn carries_credentials(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // An author is no secret.
    let is_author = |rest: &str| {
        rest.starts_with("author") && !["authoriz", "authoris"].iter().any(|it| rest.starts_with(it))
    };
    let has = |part: &&str| name.match_indices(*part).any(|(at, _)| !is_author(&name[at..]));
    OF_CREDENTIALS.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_by_their_names() {
        for name in [
            "authorization",
            "Proxy-Authorization",
            "x-author-token",
            "Cookie",
            "X-CSRF-Token",
            "Ocp-Apim-Subscription-Key",
            "X-Amz-Signature",
            "api_key",
            "apiKey",
            "PHPSESSIONID",
            "user[password]",
        ] {
            assert!(carries_credentials(name), "{name}");
        }
        for name in ["accept", "author", "authors", "Author-Id", ":authority", "key", "user", "page", ""] {
            assert!(!carries_credentials(name), "{name}");
        }
    }

    #[test]
    fn every_name_leads_back_to_its_metric() {
        for &metric in Metric::ALL {
            assert_eq!(Metric::from_name(metric.name()), Some(metric));
        }
    }

    #[test]
    fn verdicts_are_ordered_from_best_to_worst() {
        assert!(Verdict::Pass < Verdict::Warn);
        assert!(Verdict::Warn < Verdict::Invalid);
        assert!(Verdict::Invalid < Verdict::Fail);
    }
}
