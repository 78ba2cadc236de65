//! The generator listens to its own heart: how long does something that is ready wait for us?
//!
//! A kernel timer on every worker expires every few milliseconds, on a schedule that does not wait for us. It is
//! read by the same event loop, on the same thread, as the sockets, so its lateness is what an answer that
//! arrived at that moment waited before its time was taken. Every expiry counts, also those that were slept
//! through (a stall of a second is two hundred late beats, not one).

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::vu::Crew;

/// Often enough to see what a percentile of requests would see, seldom enough to cost nothing.
const PERIOD: Duration = Duration::from_millis(5);

/// Beats until it is dropped.
#[cfg(target_os = "linux")]
pub(super) async fn beat(crew: Rc<Crew>) {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let Ok(timer) = timerfd_create(TimerfdClockId::Monotonic, flags) else { return by_sleeping(crew).await };
    #[expect(deprecated, reason = "unsound only for a type that lies about its descriptor; OwnedFd does not")]
    let Ok(timer) = AsyncFd::with_interest(timer, Interest::READABLE) else { return };
    // 5 ms are no whole second, and fewer nanoseconds than a second has.
    let period = Timespec { tv_sec: 0, tv_nsec: i64::from(PERIOD.subsec_nanos()) };
    let begin = Instant::now();
    let setting = Itimerspec { it_interval: period, it_value: period };
    if timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &setting).is_err() {
        return by_sleeping(crew).await;
    }
    let mut beats = 0;
    loop {
        let Ok(mut ready) = timer.readable().await else { return };
        let mut expired = [0; 8];
        match rustix::io::read(timer.get_ref(), &mut expired) {
            Ok(8) => beats = record(&crew, begin, beats, u64::from_ne_bytes(expired)),
            Ok(_) | Err(_) => ready.clear_ready(),
        }
    }
}

/// Elsewhere a timer of the runtime does it, whose own rounding of a millisecond is taken off.
#[cfg(not(target_os = "linux"))]
pub(super) async fn beat(crew: Rc<Crew>) {
    by_sleeping(crew).await;
}

async fn by_sleeping(crew: Rc<Crew>) {
    const ROUNDING: Duration = Duration::from_millis(1);
    let begin = Instant::now();
    let mut beats = 0;
    loop {
        let due = begin + PERIOD * (u32::try_from(beats).unwrap_or(u32::MAX) + 1);
        tokio::time::sleep_until(due.into()).await;
        let late = Instant::now().saturating_duration_since(due + ROUNDING);
        let missed = u64::try_from(late.as_nanos() / PERIOD.as_nanos()).unwrap_or(0);
        beats = record(&crew, begin + ROUNDING, beats, 1 + missed);
    }
}

/// Records the lateness of each beat that has expired, and returns how many there have been.
fn record(crew: &Crew, begin: Instant, beats: u64, expired: u64) -> u64 {
    let now = Instant::now();
    let mut recorder = crew.recorder.borrow_mut();
    // A period of 5 ms has no whole seconds.
    let period = u64::from(PERIOD.subsec_nanos());
    for beat in beats + 1..=beats + expired {
        recorder.lag(now.saturating_duration_since(begin + Duration::from_nanos(beat * period)));
    }
    beats + expired
}
