//! The CPU quota of this process's cgroup: how many cores it grants, and for how long it held the process back.
//!
//! Version 2 says it in `cpu.max` and `cpu.stat` (`throttled_usec`), version 1 in `cpu.cfs_quota_us`,
//! `cpu.cfs_period_us` and `cpu.stat` (`throttled_time`, in nanoseconds). A quota of a group holds for all groups in
//! it, so those above count as well. `/proc/self/cgroup` names the group, `/proc/self/mountinfo` says where its folder
//! is, which in a container is not where its name says.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::Kept;

/// The groups of this process that have a CPU quota.
#[derive(Clone, Debug, Default)]
pub struct Quota {
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    /// The cores that it grants.
    cores: f64,
    /// Its `cpu.stat`.
    stat: Option<Rc<Kept>>,
}

impl Quota {
    /// That of this process; none where there is none, or nobody says.
    pub fn of_this_process() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let folders = folders(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        Self::among(folders)
    }

    fn among(folders: Vec<PathBuf>) -> Self {
        let group = |folder: PathBuf| {
            let stat = Kept::open(&folder.join("cpu.stat")).map(Rc::new);
            granted(&folder).map(|cores| Group { cores, stat })
        };
        Self { groups: folders.into_iter().filter_map(group).collect() }
    }

    /// The cores that it grants; `None` without a quota.
    pub fn cores(&self) -> Option<f64> {
        self.groups.iter().map(|group| group.cores).reduce(f64::min)
    }

    /// Time for which it has held the group back so far, as the kernel counts it: summed over processors, so that
    /// two held back at once count twice. `None` without a quota.
    pub fn throttled(&self) -> Option<Duration> {
        let of = |group: &Group| throttled_time(&group.stat.as_ref()?.read()?);
        self.groups.iter().filter_map(of).max()
    }
}

/// The folders of the groups that this process is in and whose CPU quota holds for it, innermost first.
fn folders(own: &str, mounts: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for mount in mounts.lines().filter_map(Mount::parse) {
        let Some(path) = own.lines().find_map(|line| mount.path_of(line)) else { continue };
        // What is mounted may be a group further in than the root: a container sees its own group as the whole.
        let below = Path::new(path).strip_prefix(mount.root).unwrap_or(Path::new(""));
        let innermost: PathBuf = mount.point.join(below).components().collect();
        let all = innermost.ancestors().take_while(|folder| folder.starts_with(&mount.point));
        folders.extend(all.map(Path::to_owned));
    }
    folders
}

/// A line of `/proc/self/mountinfo` that is a hierarchy of cgroups.
struct Mount<'a> {
    root: &'a str,
    point: PathBuf,
    is_version_2: bool,
}

impl<'a> Mount<'a> {
    /// `36 35 98:0 /root /mount/point options - type source superoptions` (proc(5)); `None` of what can have no quota.
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        let is_version_2 = kind == "cgroup2";
        let is_cpu = kind == "cgroup" && options.split(',').any(|option| option == "cpu");
        (is_version_2 || is_cpu).then(|| Self { root, point: PathBuf::from(point), is_version_2 })
    }

    /// The path of the group in a line of `/proc/self/cgroup`, if that is of this hierarchy.
    fn path_of<'b>(&self, line: &'b str) -> Option<&'b str> {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let is_own = if self.is_version_2 {
            number == "0" && controllers.is_empty()
        } else {
            controllers.split(',').any(|controller| controller == "cpu")
        };
        is_own.then_some(path)
    }
}

/// The cores that the group in a folder grants; `None` without a quota.
fn granted(folder: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let (quota, period) = match read("cpu.max") {
        Some(max) => {
            let (quota, period) = max.trim().split_once(' ')?;
            (quota.to_owned(), period.to_owned())
        }
        None => (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?),
    };
    // Without a limit version 2 says `max` and version 1 says -1.
    let (quota, period): (f64, f64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// The throttled time in a `cpu.stat`.
fn throttled_time(stat: &str) -> Option<Duration> {
    stat.lines().find_map(|line| match line.split_once(' ')? {
        ("throttled_usec", value) => value.trim().parse().ok().map(Duration::from_micros),
        ("throttled_time", value) => value.trim().parse().ok().map(Duration::from_nanos),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn write(path: PathBuf, text: &str) -> std::io::Result<()> {
        fs::File::create(path)?.write_all(text.as_bytes())
    }

    #[test]
    fn both_versions_say_for_how_long_they_held_back() {
        let version_2 = "usage_usec 50\nnr_periods 9\nnr_throttled 3\nthrottled_usec 2500\n";
        assert_eq!(throttled_time(version_2), Some(Duration::from_micros(2500)));
        let version_1 = "nr_periods 9\nnr_throttled 3\nthrottled_time 2500000\n";
        assert_eq!(throttled_time(version_1), Some(Duration::from_micros(2500)));
        assert_eq!(throttled_time("usage_usec 50\n"), None, "the root has no quota");
    }

    #[test]
    fn groups_are_found_on_hosts_and_in_containers() {
        let of = |own, mounts| {
            folders(own, mounts).iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>()
        };
        let version_2 = "25 18 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(
            of("0::/user.slice/a\n", version_2),
            ["/sys/fs/cgroup/user.slice/a", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"]
        );
        // A container with a namespace of its own is at the root of it.
        assert_eq!(of("0::/\n", version_2), ["/sys/fs/cgroup"]);
        let version_1 = "\
            30 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            31 23 0:29 /docker/a /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n";
        assert_eq!(
            of("4:cpu,cpuacct:/docker/a\n3:memory:/docker/a\n", version_1),
            ["/sys/fs/cgroup/cpu,cpuacct"]
        );
        assert!(of("4:cpu:/a\n", "19 1 8:1 / / rw - ext4 /dev/sda rw\n").is_empty());
    }

    #[test]
    fn the_narrowest_quota_holds() {
        let root = tempfile::tempdir().unwrap();
        let (middle, inner) = (root.path().join("a"), root.path().join("a/b"));
        fs::create_dir_all(&inner).unwrap();
        write(middle.join("cpu.max"), "150000 100000\n").unwrap();
        write(middle.join("cpu.stat"), "throttled_usec 7\n").unwrap();
        write(inner.join("cpu.max"), "max 100000\n").unwrap();
        write(inner.join("cpu.stat"), "throttled_usec 9\n").unwrap();
        let quota = Quota::among(vec![inner.clone(), middle.clone()]);
        assert_eq!(quota.cores(), Some(1.5));
        assert_eq!(
            quota.throttled(),
            Some(Duration::from_micros(7)),
            "only a group with a quota can hold back"
        );
        write(inner.join("cpu.max"), "20000 100000\n").unwrap();
        assert_eq!(Quota::among(vec![inner, middle]).cores(), Some(0.2));
        assert_eq!(Quota::among(vec![root.path().to_owned()]).cores(), None);
    }

    #[test]
    fn version_1_says_it_in_two_files() {
        let root = tempfile::tempdir().unwrap();
        write(root.path().join("cpu.cfs_period_us"), "100000\n").unwrap();
        write(root.path().join("cpu.cfs_quota_us"), "-1\n").unwrap();
        assert_eq!(granted(root.path()), None);
        write(root.path().join("cpu.cfs_quota_us"), "50000\n").unwrap();
        assert_eq!(granted(root.path()), Some(0.5));
    }
}
