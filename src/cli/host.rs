//! The machine that palier runs on, and how much of it palier took.

use crate::report::summary::Host;

const GIB: u64 = 1 << 30;

/// What is known of this machine. What cannot be found out is left out.
pub(super) fn host() -> Host {
    let cpu = read("/proc/cpuinfo").and_then(|text| cpu_model(&text));
    let memory = read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemTotal"));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = u32::try_from(cores).unwrap_or(u32::MAX);
    let os = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    Host {
        fingerprint: fingerprint(cpu.as_deref(), cores, memory, &os),
        cpu,
        cores,
        memory,
        os,
        kernel: Some(rustix::system::uname().release().to_string_lossy().into_owned()),
    }
}

/// The most memory that this process has held so far, in bytes.
pub(super) fn peak_memory() -> Option<u64> {
    read("/proc/self/status").and_then(|text| kibibytes(&text, "VmHWM"))
}

/// Only Linux has these files; a machine without them has fewer facts, and a run all the same.
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The model of the first processor, in the words of its architecture.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(key, value)| key.trim() == name && !value.trim().is_empty())?;
        Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    // ARM has no name in there, but numbers that tell one from another.
    let arm = || Some(format!("ARM implementer {} part {}", field("CPU implementer")?, field("CPU part")?));
    field("model name").or_else(|| field("cpu model")).or_else(arm).or_else(|| field("uarch"))
}

/// A field of `/proc/meminfo` or `/proc/PID/status`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The same for machines whose figures may be compared. Memory is rounded, because kernels of the same machine
/// differ in how much of it they keep for themselves; the kernel is left out, because it is updated every week.
fn fingerprint(cpu: Option<&str>, cores: u32, memory: Option<u64>, os: &str) -> String {
    let memory = memory.map_or(0, |bytes| (bytes + GIB / 2) / GIB);
    let text = format!("{}\n{cores}\n{memory}\n{os}", cpu.unwrap_or_default());
    format!("{:016x}", fnv_1a(text.as_bytes()))
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): stable over versions of palier and of Rust, unlike `std`'s hashers.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // From the draft's test vectors.
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_same_machine_with_another_kernel_has_the_same_fingerprint() {
        let of = |memory| fingerprint(Some("EPYC"), 2, Some(memory), "linux x86_64");
        assert_eq!(of(8_200_000_000), of(8_300_000_000));
        assert_ne!(of(8_200_000_000), of(16_400_000_000));
        assert_ne!(of(8_200_000_000), fingerprint(Some("EPYC"), 4, Some(8_200_000_000), "linux x86_64"));
        assert_ne!(of(8_200_000_000), fingerprint(None, 2, Some(8_200_000_000), "linux x86_64"));
    }

    #[test]
    fn the_model_is_found_on_every_architecture() {
        let model = |text| cpu_model(text);
        assert_eq!(
            model("processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD  EPYC 7763\n"),
            Some("AMD EPYC 7763".into())
        );
        assert_eq!(
            model("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"),
            Some("ARM implementer 0x41 part 0xd40".into())
        );
        assert_eq!(model(""), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(kibibytes("MemFree: 1 kB\nMemTotal:       16384 kB\n", "MemTotal"), Some(16_777_216));
        assert_eq!(kibibytes("MemTotal: none", "MemTotal"), None);
        assert_eq!(kibibytes("", "VmHWM"), None);
    }

    #[test]
    fn this_machine_is_known() {
        let host = host();
        assert_eq!(host.fingerprint.len(), 16);
        assert!(host.cores >= 1);
        #[cfg(target_os = "linux")]
        assert!(peak_memory().is_some_and(|bytes| bytes > 100_000) && host.memory.is_some());
    }
}
