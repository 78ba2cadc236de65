//! Processors: who runs on which, and how to be left too little of one.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::palier::Palier;

/// Puts this thread on the second processor, where there is one, and before everybody else there if that is allowed:
/// a server that is late itself proves nothing about who measures it.
pub(crate) fn take_the_second_core() {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    if cores() > 1 {
        quietly("taskset", &["-cp", "1", &thread]);
    }
    quietly("chrt", &["-f", "-p", "20", &thread]);
}

/// Puts palier on the first processor, and before everybody else there if that is allowed: what is judged is how it
/// measures, not what else this machine does.
pub(crate) fn on_the_first_core(palier: Palier) -> Palier {
    let palier =
        if quietly("chrt", &["-f", "10", "true"]) { palier.through(["chrt", "-f", "10"]) } else { palier };
    if cores() > 1 { palier.through(["taskset", "-c", "0"]) } else { palier }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Whether it worked.
fn quietly(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A fifth of a core for whoever joins; given back when it is dropped.
pub(crate) enum Fifth {
    /// By the quota of a cgroup of our own.
    Quota(PathBuf),
    /// Where no cgroup can be made: four others who never rest, on the same processor.
    Neighbours(Vec<Child>),
}

impl Fifth {
    pub(crate) fn of_a_core() -> Self {
        quota().map_or_else(Self::among_neighbours, Self::Quota)
    }

    pub(crate) fn among_neighbours() -> Self {
        let busy = || Command::new("taskset").args(["-c", "0", "sh", "-c", "while :; do :; done"]).spawn();
        Self::Neighbours((0..4).map(|_| busy().expect("taskset and a shell")).collect())
    }

    /// Whether it is a real quota.
    pub(crate) fn is_quota(&self) -> bool {
        matches!(self, Self::Quota(_))
    }

    /// Palier runs on no more than that.
    pub(crate) fn holds(&self, palier: Palier) -> Palier {
        let palier = palier.through(["taskset", "-c", "0"]);
        match self {
            Self::Quota(group) => {
                palier.before(&format!("echo $$ > {}", group.join("cgroup.procs").display()))
            }
            Self::Neighbours(_) => palier,
        }
    }
}

impl Drop for Fifth {
    fn drop(&mut self) {
        match self {
            Self::Quota(group) => {
                // The kernel takes a moment to see that whoever was in it has gone.
                for _ in 0..100 {
                    if fs::remove_dir(&*group).is_ok() {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Self::Neighbours(neighbours) => {
                for neighbour in neighbours {
                    // Nothing else ends it.
                    let _ = neighbour.kill();
                    let _ = neighbour.wait();
                }
            }
        }
    }
}

/// A new group with a fifth of a core, of whichever version this system has and lets us make.
fn quota() -> Option<PathBuf> {
    let name = format!("palier-it-{}-{}", std::process::id(), fastrand::u32(..));
    let set = |file: PathBuf, value: &str| {
        File::options().write(true).open(file).and_then(|mut file| file.write_all(value.as_bytes())).is_ok()
    };
    let version_1 = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"];
    let made = |root: &str, settings: &[(&str, &str)]| {
        let group = Path::new(root).join(&name);
        fs::create_dir(&group).ok()?;
        if settings.iter().all(|(file, value)| set(group.join(file), value)) {
            return Some(group);
        }
        let _ = fs::remove_dir(&group);
        None
    };
    let quota = [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "20000")];
    version_1
        .into_iter()
        .filter(|root| Path::new(root).join("cpu.cfs_quota_us").exists())
        .find_map(|root| made(root, &quota))
        .or_else(|| made("/sys/fs/cgroup", &[("cpu.max", "20000 100000")]))
}
