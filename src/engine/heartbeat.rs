//! The generator listens to its own heart: how long does something that is ready wait for us?
//!
//! A kernel timer on every worker expires every few milliseconds, on a schedule that does not wait for us. It is
//! read by the same event loop, on the same thread, as the sockets, so its lateness is what an answer that
//! arrived at that moment waited before its time was taken. Every expiry counts, also those that were slept
//! through (a stall of a second is two hundred late beats, not one).
//!
//! That is what a moment chosen by the clock would wait. A virtual user that asks again as soon as it is answered
//! chooses no such moment: on a worker with more to do than it can, it waits a whole round of everybody's work to have
//! its answer read. So there is a probe as well, which does the same, without a target.
//!
//! With each beat the journal is written, as far as its lines had to wait.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::timer::Timer;
use super::vu::Crew;
use crate::journal;

/// Often enough to see what a percentile of requests would see, seldom enough to cost nothing.
const PERIOD: Duration = Duration::from_millis(5);

// The journal may rely on it.
const _: () = assert!(PERIOD.as_nanos() <= journal::PERIOD.as_nanos());

/// Beats until it is dropped.
pub(super) async fn beat(crew: Rc<Crew>) {
    #[cfg(target_os = "linux")]
    if let Some(timer) = super::timer::exact::Exact::new() {
        let begin = Instant::now();
        let mut beats = 0;
        if timer.set(PERIOD, PERIOD) {
            while let Some(expired) = timer.expired().await {
                beats = record(&crew, begin, beats, expired);
            }
        }
    }
    by_sleeping(crew).await;
}

/// Elsewhere a timer of the runtime does it, whose own rounding of a millisecond is taken off.
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
    // Of this worker's lines: it is awake now anyway.
    crew.pen.borrow_mut().beat();
    beats + expired
}

/// How often the probe goes its way while nothing is late.
const PROBE_PERIOD: Duration = Duration::from_millis(10);

/// An answer "at once": the least that a timer can be set to and still be waited for.
const AT_ONCE: Duration = Duration::from_micros(50);

/// From this delay on, the probe asks again as soon as it is answered, as virtual users do.
const DELAYED: Duration = Duration::from_millis(5);

/// Records what a request would take if the target answered at once, again and again until it is dropped.
pub(super) async fn probe(crew: Rc<Crew>) {
    let mut timer = Timer::new();
    loop {
        let answered = Instant::now() + AT_ONCE;
        timer.until(answered).await;
        let read = Instant::now();
        let delay = read.saturating_duration_since(answered);
        record_delay(&crew, delay);
        if delay < DELAYED {
            timer.until(read + PROBE_PERIOD).await;
        }
    }
}

/// Records it once for each period that it took, so that a long round weighs as much as it has of those who fell into
/// it.
fn record_delay(crew: &Crew, delay: Duration) {
    let mut recorder = crew.recorder.borrow_mut();
    for _ in 0..=delay.as_nanos() / PROBE_PERIOD.as_nanos() {
        recorder.delay(delay);
    }
}
