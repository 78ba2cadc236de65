//! Palier's own use of the machine: what it takes, against what it may take.
//!
//! A load generator at its limit measures itself. [`Watch`] looks once a second at the few things that a generator can
//! run out of: CPU (the processors it may run on, or the quota of its cgroup), the time for which that quota held it
//! back, file descriptors, local ports. A look is a few small reads, made on the collector's thread, never on a
//! worker's.
//!
//! - [`cgroup`]: the CPU quota of this process's cgroup, of either version
//! - [`limits`]: file descriptors and local ports, and what a plan needs of them

pub mod cgroup;
pub mod limits;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use self::cgroup::Quota;
use self::limits::{Limits, Sockets};
use crate::metrics::{Share, Vitals};

/// What was used over a whole load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of all threads.
    pub cpu: Duration,
    /// CPU time that there was to be had.
    pub cpu_available: Duration,
    /// Time for which the CPU quota of a cgroup held this process back; `None` where there is no quota that could.
    pub throttled: Option<Duration>,
}

/// Watches this process while it makes load.
#[derive(Debug)]
pub struct Watch {
    cores: f64,
    quota: Quota,
    limits: Limits,
    sockets: Sockets,
    first: Reading,
    last: Reading,
}

/// A file of the kernel's that is kept open to be read again: who has run out of descriptors can open no other.
#[derive(Debug)]
struct Kept(File);

impl Kept {
    fn open(path: &Path) -> Option<Self> {
        File::open(path).ok().map(Self)
    }

    /// What stands in it now; these files are far shorter than that.
    fn read(&self) -> Option<String> {
        let mut buffer = [0; 2048];
        let length = self.0.read_at(&mut buffer, 0).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    cpu: Duration,
    throttled: Option<Duration>,
}

impl Watch {
    /// Begins to watch, before the first connection of the load is made.
    pub fn start() -> Self {
        let quota = Quota::of_this_process();
        let first = Reading::now(&quota);
        Self {
            cores: cores(&quota),
            quota,
            limits: Limits::now(),
            sockets: Sockets::before_the_load(),
            first,
            last: first,
        }
    }

    /// The CPU that this process may use, in cores: the processors it may run on, or less under a quota.
    pub fn cores(&self) -> f64 {
        self.cores
    }

    /// What was used since the last look, and what is open now.
    pub fn look(&mut self) -> Vitals {
        let now = Reading::now(&self.quota);
        let time = now.at - self.last.at;
        let cpu = now.cpu.saturating_sub(self.last.cpu);
        let throttled = now.throttled.zip(self.last.throttled).map(|(now, then)| now.saturating_sub(then));
        self.last = now;
        let open = self.sockets.look();
        Vitals {
            cpu: Share::of(cpu.as_secs_f64(), time.as_secs_f64() * self.cores),
            // Where there is no quota, none holds it back.
            throttled: Share::of(throttled.unwrap_or_default().as_secs_f64(), time.as_secs_f64()),
            sockets: open.sockets,
            descriptors: self.limits.descriptors(open.descriptors),
            ports: self.limits.ports(open.ports),
        }
    }

    /// What was used from the start until now.
    pub fn total(&self) -> Usage {
        let (first, last) = (&self.first, Reading::now(&self.quota));
        Usage {
            cpu: last.cpu.saturating_sub(first.cpu),
            cpu_available: (last.at - first.at).mul_f64(self.cores),
            throttled: last.throttled.zip(first.throttled).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

impl Reading {
    fn now(quota: &Quota) -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Self {
            at: Instant::now(),
            // The clock of a process starts at zero.
            cpu: Duration::new(
                u64::try_from(cpu.tv_sec).unwrap_or(0),
                u32::try_from(cpu.tv_nsec).unwrap_or(0),
            ),
            throttled: quota.throttled(),
        }
    }
}

/// The processors that this process may run on (`taskset`, cpusets), or its quota where that is less.
fn cores(quota: &Quota) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // That number has a quota in it already, rounded down to whole cores, so what is allowed is asked for, too.
    #[cfg(target_os = "linux")]
    let processors = rustix::thread::sched_getaffinity(None)
        .map_or(processors, |set| usize::try_from(set.count()).unwrap_or(processors));
    let processors = processors.max(1) as f64;
    quota.cores().map_or(processors, |quota| quota.min(processors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_that_of_this_process() {
        let mut watch = Watch::start();
        let mut sum = 0_u64;
        let begin = Instant::now();
        while Reading::now(&watch.quota).cpu < watch.first.cpu + Duration::from_millis(20) {
            sum = std::hint::black_box(sum + 1);
            assert!(begin.elapsed() < Duration::from_secs(60), "{sum}");
        }
        let vitals = watch.look();
        assert!(vitals.cpu.is_some_and(|share| share.get() > 0.0), "{vitals:?}");
        let total = watch.total();
        assert!(total.cpu >= Duration::from_millis(20), "{total:?}");
        assert!(total.cpu_available > Duration::ZERO, "{total:?}");
        assert!(watch.cores() > 0.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_open_is_counted_against_its_limit() {
        let mut watch = Watch::start();
        let before = watch.look();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let streams: Vec<_> = (0..40).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
        let after = watch.look();
        // Other tests run in this process and open and close files of their own.
        let more = |of: fn(&Vitals) -> Option<u64>| of(&after).unwrap().saturating_sub(of(&before).unwrap());
        assert!(more(|vitals| vitals.sockets) >= 30, "{before:?} {after:?}");
        assert!(more(|vitals| vitals.descriptors.map(|used| used.count)) >= 30, "{before:?} {after:?}");
        assert!(after.ports.unwrap().count >= 30, "{after:?}");
        drop(streams);
    }
}
