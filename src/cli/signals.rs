//! Signals, as messages to the engine.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::engine::Signal;

/// Listens for the signals that end a run. Within a runtime; from here on none of them kills the process. Whoever took
/// a signal that is for others, too, can send it once more.
pub(super) fn listen() -> io::Result<(UnboundedSender<Signal>, UnboundedReceiver<Signal>)> {
    let kinds = [
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::hangup(), "SIGHUP"),
    ];
    let (sender, receiver) = unbounded_channel();
    for (kind, name) in kinds {
        // `nohup palier …` has asked that it go on when the terminal is closed.
        if kind == SignalKind::hangup() && is_ignored(kind) {
            continue;
        }
        let mut signals = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(
            async move { while signals.recv().await.is_some() && sender.send(Signal(name)).is_ok() {} },
        );
    }
    Ok((sender, receiver))
}

/// Whether this process was started with a signal ignored, where that can be told.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, kind.as_raw_value())
}

/// The mask of ignored signals in `/proc/PID/status` is a hexadecimal number whose lowest bit is signal 1.
fn ignores(status: &str, number: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (number - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_seen() {
        assert!(ignores("Name:\tpalier\nSigIgn:\t0000000000001001\n", 1));
        assert!(!ignores("SigIgn:\t0000000000001000\n", 1));
        assert!(!ignores("", 1));
    }
}
