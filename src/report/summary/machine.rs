//! The generator of the load, and the machine under it.

use serde::{Deserialize, Serialize};

use super::Trend;

data! {
/// How well palier itself was, on which the trust in all figures rests.
pub struct Generator {
    /// Worker threads.
    pub threads: u32,
    /// The CPU that palier may use, in cores: less than the machine has under a cgroup's limit.
    pub cores: f64,
    /// CPU time used during the load, as a fraction of `cores`; null where it could not be read.
    pub cpu: Option<f64>,
    /// The same in the second in which it was most.
    pub cpu_max: Option<f64>,
    /// The share of the load's time in which the cgroup's CPU limit held palier back; null where there is none.
    pub throttled: Option<f64>,
    /// How late a timer of a few milliseconds, running on every worker, was served: what a ready answer had to
    /// wait for us.
    pub lag: Trend,
    /// What a request would have taken if the target had answered at once, tried out on every worker.
    pub delay: Trend,
    /// The most memory that palier held, in bytes; null where it could not be read.
    pub memory: Option<u64>,
    /// The most sockets that were open at once; null where that could not be read.
    pub sockets: Option<u64>,
    /// The most file descriptors that were open at once, and how many may be.
    pub descriptors: Option<Limited>,
    /// The most local ports that were in use at once, those of closed connections that the system still holds
    /// included, and how many there are: an upper bound.
    pub ports: Option<Limited>,
    /// What was short, one sentence each; empty where nothing was.
    pub short: Vec<String>,
    /// Whether the figures can be trusted as far as palier itself is concerned.
    pub sound: bool,
}

/// Something that there is only so much of.
pub struct Limited {
    /// The most that was in use at once.
    pub most: u64,
    /// How much there is.
    pub limit: u64,
}

/// The machine that palier ran on.
pub struct Host {
    /// The same for machines whose figures may be compared: made from all below but the kernel.
    pub fingerprint: String,
    /// The model of its processor.
    pub cpu: Option<String>,
    /// Its logical processors.
    pub cores: u32,
    /// Its memory, in bytes.
    pub memory: Option<u64>,
    /// The operating system and architecture: `linux x86_64`.
    pub os: String,
    /// The release of its kernel.
    pub kernel: Option<String>,
}
}
