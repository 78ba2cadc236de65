//! Waking up on time: the runtime's own timers know whole milliseconds only.

use std::time::Instant;

/// A timer that wakes within microseconds of the moment it is set to, where the system has one (`timerfd`).
#[derive(Debug)]
pub(super) struct Timer {
    #[cfg(target_os = "linux")]
    exact: Option<exact::Exact>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            exact: exact::Exact::new(),
        }
    }

    /// Waits until a moment; returns at once if it has passed.
    pub(super) async fn until(&mut self, at: Instant) {
        let now = Instant::now();
        if at <= now {
            // Others on this thread get their turn all the same.
            tokio::task::yield_now().await;
            return;
        }
        #[cfg(target_os = "linux")]
        if let Some(exact) = &mut self.exact
            && exact.sleep(at - now).await
        {
            return;
        }
        tokio::time::sleep_until(at.into()).await;
    }
}

/// A kernel timer that is read by the same event loop, on the same thread, as the sockets.
#[cfg(target_os = "linux")]
pub(super) mod exact {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub(in crate::engine) struct Exact(AsyncFd<OwnedFd>);

    impl Exact {
        /// `None` where the system has no more of them.
        pub(in crate::engine) fn new() -> Option<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            #[expect(
                deprecated,
                reason = "unsound only for a type that lies about its descriptor; OwnedFd does not"
            )]
            AsyncFd::with_interest(timer, Interest::READABLE).ok().map(Self)
        }

        /// Expires after `first`, then every `period`; never again if that is zero.
        pub(in crate::engine) fn set(&self, first: Duration, period: Duration) -> bool {
            let spec = |time: Duration| Timespec {
                tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(time.subsec_nanos()),
            };
            let setting = Itimerspec { it_interval: spec(period), it_value: spec(first) };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &setting).is_ok()
        }

        /// Waits for the timer; how often it has expired since the last time.
        pub(in crate::engine) async fn expired(&self) -> Option<u64> {
            loop {
                let mut ready = self.0.readable().await.ok()?;
                let mut count = [0; 8];
                if let Ok(8) = rustix::io::read(self.0.get_ref(), &mut count) {
                    return Some(u64::from_ne_bytes(count));
                }
                ready.clear_ready();
            }
        }

        pub(in crate::engine) async fn sleep(&mut self, time: Duration) -> bool {
            // A time of zero would disarm it.
            self.set(time.max(Duration::from_nanos(1)), Duration::ZERO) && self.expired().await.is_some()
        }
    }
}
