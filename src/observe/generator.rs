//! Palier's own use of the machine: the CPU time that it took, and the time for which it was denied more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What this process used of the machine so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of all its threads.
    pub cpu: Duration,
    /// Time for which the CPU quota of its cgroup held it back; `None` where there is no quota that could.
    pub throttled: Option<Duration>,
}

impl Usage {
    /// Reads it.
    pub fn now() -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Self {
            // The clock of a process starts at zero.
            cpu: Duration::new(
                u64::try_from(cpu.tv_sec).unwrap_or(0),
                u32::try_from(cpu.tv_nsec).unwrap_or(0),
            ),
            throttled: throttled(Path::new("/")),
        }
    }

    /// What was used since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            throttled: self.throttled.zip(earlier.throttled).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// The throttled time of this process's cgroup, below that root of the file system.
fn throttled(root: &Path) -> Option<Duration> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    stat_files(&own).into_iter().find_map(|file| {
        let text = fs::read_to_string(root.join("sys/fs/cgroup").join(file)).ok()?;
        throttled_time(&text)
    })
}

/// The files that may say it, relative to the mount of the cgroups: of version 2, then of version 1, each as the host
/// sees its path, then as a container does, for which its own cgroup is the root.
fn stat_files(own: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let mounts: &[&str] = match (number, controllers) {
            ("0", "") => &[""],
            (_, controllers) if controllers.split(',').any(|controller| controller == "cpu") => {
                &["cpu,cpuacct", "cpu"]
            }
            _ => continue,
        };
        for mount in mounts {
            files.push(Path::new(mount).join(path.trim_start_matches('/')).join("cpu.stat"));
            files.push(Path::new(mount).join("cpu.stat"));
        }
    }
    files
}

/// The throttled time in a `cpu.stat`: microseconds in version 2, nanoseconds in version 1.
fn throttled_time(stat: &str) -> Option<Duration> {
    stat.lines().find_map(|line| match line.split_once(' ')? {
        ("throttled_usec", value) => value.trim().parse().ok().map(Duration::from_micros),
        ("throttled_time", value) => value.trim().parse().ok().map(Duration::from_nanos),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_cgroups_are_read() {
        let version_2 = "usage_usec 50\nnr_periods 9\nnr_throttled 3\nthrottled_usec 2500\n";
        assert_eq!(throttled_time(version_2), Some(Duration::from_micros(2500)));
        let version_1 = "nr_periods 9\nnr_throttled 3\nthrottled_time 2500000\n";
        assert_eq!(throttled_time(version_1), Some(Duration::from_micros(2500)));
        assert_eq!(throttled_time("usage_usec 50\n"), None, "the root cgroup has no quota");
    }

    #[test]
    fn the_cgroup_is_found_on_hosts_and_in_containers() {
        let files = |own| stat_files(own).iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        assert_eq!(files("0::/user.slice/a\n"), ["user.slice/a/cpu.stat", "cpu.stat"]);
        assert_eq!(
            files("4:cpu,cpuacct:/docker/a\n3:memory:/docker/a\n"),
            [
                "cpu,cpuacct/docker/a/cpu.stat",
                "cpu,cpuacct/cpu.stat",
                "cpu/docker/a/cpu.stat",
                "cpu/cpu.stat"
            ]
        );
    }

    #[test]
    fn cpu_time_is_that_of_this_process() {
        let before = Usage::now();
        let mut sum = 0_u64;
        while Usage::now().since(before).cpu < Duration::from_millis(2) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }
}
