//! File descriptors and local ports: how many there are, how many are in use, and what a plan needs of them.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Kept;
use crate::metrics::Used;
use crate::plan::{Executor, Load, Plan, Reuse};
use crate::units::human_number;

/// Descriptors that palier needs beside one for each virtual user: reports, runtimes, timers, observers.
const OTHER_DESCRIPTORS: u64 = 64;

/// For how long Linux holds the port of a connection that was closed (`TIME_WAIT`), in seconds.
const HELD: f64 = 60.0;

/// Up to so many descriptors are told apart one by one, which takes about a microsecond each.
const FEW: u64 = 2_000;

/// How many there may be; `None` where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// File descriptors (`ulimit -n`).
    pub descriptors: Option<u64>,
    /// Local ports that connections to one address may have (`net.ipv4.ip_local_port_range`).
    pub ports: Option<u64>,
}

impl Limits {
    /// Those that hold now.
    pub fn now() -> Self {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        Self {
            descriptors: getrlimit(Resource::Nofile).current,
            ports: range.ok().and_then(|range| ports_in(&range)),
        }
    }

    /// So many in use of those that there may be.
    pub(super) fn descriptors(self, count: Option<u64>) -> Option<Used> {
        self.descriptors.zip(count).map(|(limit, count)| Used { count, limit })
    }

    /// So many in use of those that there may be.
    pub(super) fn ports(self, count: Option<u64>) -> Option<Used> {
        self.ports.zip(count).map(|(limit, count)| Used { count, limit })
    }

    /// What a plan needs and these limits do not grant, a sentence each.
    pub fn shortages(self, plan: &Plan) -> Vec<String> {
        let vus = plan.vus();
        let mut shortages = Vec::new();
        let needed = vus + OTHER_DESCRIPTORS;
        if let Some(limit) = self.descriptors.filter(|limit| *limit < needed) {
            shortages.push(format!(
                "This process may have {limit} files open (`ulimit -Hn`), and {vus} VUs take up to {needed}: what needs more fails as `generator`, which is not blamed on the target."
            ));
        }
        let held = held_ports(plan);
        if let Some(limit) = self.ports.filter(|limit| (*limit as f64) < vus as f64 + held) {
            let why = if held > 0.0 {
                format!("closed connections hold about {} more for a minute", human_number(held.round()))
            } else {
                "each has a connection of its own".to_owned()
            };
            shortages.push(format!(
                "There are {limit} local ports (`net.ipv4.ip_local_port_range`) for {vus} VUs, and {why}: what needs more fails as `generator`, which is not blamed on the target."
            ));
        }
        shortages
    }
}

/// Raises the soft limit on open files to the hard one: every virtual user has a socket, and the usual 1,024 are used
/// up by fewer users than one machine can serve. Where that is refused, the run says what it ran into.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// From 32768 to 60999, both included, are 28,232 ports.
fn ports_in(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some((last + 1).saturating_sub(first))
}

/// About how many ports of closed connections the system holds at once, where a plan tells how many are closed. Towards
/// this machine itself Linux gives them out again after a second.
fn held_ports(plan: &Plan) -> f64 {
    let is_here = |host: &str| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    if is_here(&plan.target.host) {
        return 0.0;
    }
    plan.loads.iter().map(|load| held_by(plan, load)).sum()
}

fn held_by(plan: &Plan, load: &Load) -> f64 {
    let each = match plan.target.connections.reuse {
        Reuse::Vu => return 0.0,
        Reuse::Iteration => 1.0,
        Reuse::Request => load.steps.len() as f64,
    };
    // Virtual users that do not arrive by the clock make as many connections as the target lets them.
    let rate = match &load.executor {
        Executor::ConstantArrivalRate { rate, .. } => *rate,
        Executor::RampingArrivalRate { start_rate, stages, .. } => {
            stages.iter().map(|stage| stage.target).fold(*start_rate, f64::max)
        }
        Executor::RampingVus { .. }
        | Executor::ConstantVus { .. }
        | Executor::PerVuIterations { .. }
        | Executor::SharedIterations { .. } => return 0.0,
    };
    rate * each * load.duration().as_secs_f64().min(HELD)
}

/// What is open; `None` where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) descriptors: Option<u64>,
    pub(super) sockets: Option<u64>,
    pub(super) ports: Option<u64>,
}

/// Counts what is open.
#[derive(Debug)]
pub(super) struct Sockets {
    /// Sockets that were open before the load.
    before: u64,
    /// Descriptors that are no sockets, when they were counted last.
    others: u64,
    /// The system's own statistics of sockets.
    statistics: Option<Kept>,
}

impl Sockets {
    /// To be called before the first connection of the load is made.
    pub(super) fn before_the_load() -> Self {
        let statistics = Kept::open(Path::new("/proc/net/sockstat"));
        let (sockets, others) = tell_apart().unwrap_or_default();
        Self { before: sockets, others, statistics }
    }

    /// What is open now.
    pub(super) fn look(&mut self) -> Open {
        let Some(descriptors) = count_descriptors() else { return Open::default() };
        let sockets = match tell_apart().filter(|_| descriptors <= FEW) {
            Some((sockets, others)) => {
                self.others = others;
                sockets
            }
            // What grows with the load is sockets; the rest is as it was.
            None => descriptors.saturating_sub(self.others),
        };
        let held = self.statistics.as_ref().and_then(|file| held(&file.read()?)).unwrap_or(0);
        let ports = sockets.saturating_sub(self.before) + held;
        Open { descriptors: Some(descriptors), sockets: Some(sockets), ports: Some(ports) }
    }
}

const OWN_DESCRIPTORS: &str = "/proc/self/fd";

/// Linux gives the number of open descriptors as the size of their folder, since 6.2; before, they have to be counted.
fn count_descriptors() -> Option<u64> {
    let size = fs::metadata(OWN_DESCRIPTORS).ok()?.len();
    if size > 0 {
        return Some(size);
    }
    // The folder itself is open while it is read.
    Some((fs::read_dir(OWN_DESCRIPTORS).ok()?.count() as u64).saturating_sub(1))
}

/// How many open descriptors are sockets, and how many are not. Only for so many that it costs little.
fn tell_apart() -> Option<(u64, u64)> {
    if count_descriptors()? > FEW {
        return None;
    }
    let (mut sockets, mut others) = (0, 0);
    for entry in fs::read_dir(OWN_DESCRIPTORS).ok()? {
        // One that was closed meanwhile is neither.
        let Ok(link) = entry.and_then(|entry| fs::read_link(entry.path())) else { continue };
        let is_socket = Path::new(&link).to_string_lossy().starts_with("socket:");
        *if is_socket { &mut sockets } else { &mut others } += 1;
    }
    Some((sockets, others))
}

/// Ports of closed connections that the system holds, in `/proc/net/sockstat`: `TCP: inuse 5 orphan 0 tw 2 …`.
fn held(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;

    use super::*;
    use crate::{plan, profile};

    #[test]
    fn the_kernel_is_understood() {
        assert_eq!(ports_in("32768\t60999\n"), Some(28_232));
        assert_eq!(ports_in(""), None);
        let sockstat = "sockets: used 27\nTCP: inuse 5 orphan 0 tw 2 alloc 5 mem 78\nUDP: inuse 0 mem 0\n";
        assert_eq!(held(sockstat), Some(2));
        assert_eq!(held("sockets: used 27\n"), None);
    }

    struct Text(String);

    impl profile::Files for Text {
        fn read(&self, path: &Path) -> io::Result<String> {
            if self.exists(path) { Ok(self.0.clone()) } else { Err(io::ErrorKind::NotFound.into()) }
        }

        fn exists(&self, path: &Path) -> bool {
            path.ends_with("test.toml")
        }
    }

    fn planned(target: &str, load: &str) -> Plan {
        let text = format!("[target]\n{target}\n[load]\n{load}\n[[step]]\nname = \"get\"\nget = \"/\"\n");
        let request = profile::Request {
            name: "test.toml",
            folder: Path::new(""),
            overrides: &[],
            variables: &BTreeMap::new(),
        };
        let profile = profile::load(&request, &Text(text)).unwrap();
        let settings =
            plan::Settings { run: "r".into(), time_scale: 1.0, wait: None, kubeconfig: Vec::new() };
        plan::build(&profile, &settings).unwrap()
    }

    #[test]
    fn a_plan_that_needs_more_than_there_is_is_told_so_before_it_runs() {
        let limits = Limits { descriptors: Some(1_024), ports: Some(28_232) };
        let here = "url = \"http://127.0.0.1:1\"";
        let of =
            |vus: u32| planned(here, &format!("executor = \"constant-vus\"\nvus = {vus}\nduration = \"1s\""));
        assert!(limits.shortages(&of(960)).is_empty());
        let short = limits.shortages(&of(961));
        assert_eq!(short.len(), 1, "{short:?}");
        assert!(short[0].contains("1024 files") && short[0].contains("961 VUs"), "{short:?}");
        let short = Limits { descriptors: None, ports: Some(28_232) }.shortages(&of(30_000));
        assert!(short[0].contains("28232 local ports"), "{short:?}");
        assert!(Limits::default().shortages(&of(30_000)).is_empty(), "what nobody says is not short");
    }

    #[test]
    fn closed_connections_hold_their_ports() {
        let limits = Limits { descriptors: None, ports: Some(28_232) };
        let load = "executor = \"constant-arrival-rate\"\nrate = \"1000/s\"\npreallocated_vus = 10\nduration = \"5m\"";
        let reuse = "[target.connections]\nreuse = \"request\"";
        let far = planned(&format!("url = \"http://198.51.100.1\"\n{reuse}"), load);
        let short = limits.shortages(&far);
        assert!(short[0].contains("60000 more"), "{short:?}");
        let kept = planned("url = \"http://198.51.100.1\"", load);
        assert!(limits.shortages(&kept).is_empty());
        let here = planned(&format!("url = \"http://localhost:1\"\n{reuse}"), load);
        assert!(limits.shortages(&here).is_empty(), "loopback gives them out again at once");
    }
}
