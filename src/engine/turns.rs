//! What lets a virtual user start its next iteration: the seam between executors and everything else.
//!
//! A virtual user asks for a [`Turn`] and runs one iteration for each; it does not know by which rule it got it.
//! In the closed model the rule is its own: it starts an iteration when the one before has ended, on its
//! shifts, as long as its quota lasts. In the open model arrivals come by the clock and are dealt out to
//! whoever is idle (see `arrivals`).

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::arrivals::Arrivals;
use super::deadline::Stopper;
use super::schedule::Shift;

/// Leave to run one iteration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// When the iteration begins: now.
    pub(super) begin: Instant,
    /// When the iteration is cut.
    pub(super) hard: Instant,
    /// When it was due, in the open model.
    pub(super) due: Option<Instant>,
}

/// The turns of one virtual user.
#[derive(Debug)]
pub(super) enum Turns {
    /// One iteration after another.
    Closed(Closed),
    /// Whatever arrives.
    Open { arrivals: Rc<Arrivals>, number: u32, wanted: Rc<Wanted> },
}

impl Turns {
    /// Waits until the next iteration may start; `None` when there will be none.
    ///
    /// `between` is called when the virtual user is not wanted for a while.
    pub(super) async fn next(&mut self, between: impl FnMut()) -> Option<Turn> {
        match self {
            Self::Closed(closed) => closed.next(between).await,
            Self::Open { arrivals, number, wanted } => {
                let turn = arrivals.next(*number).await;
                // From its first iteration on it is there, busy or not, as those are that were there from the start.
                wanted.until.set(turn.map(|turn| turn.hard));
                turn
            }
        }
    }
}

/// Whether a virtual user is on a shift, for whoever counts them.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    until: Cell<Option<Instant>>,
    late: Cell<Duration>,
}

impl Wanted {
    /// That of a virtual user of the open model that is there from the start.
    pub(super) fn preallocated(until: Instant) -> Self {
        Self { until: Cell::new(Some(until)), late: Cell::default() }
    }

    /// Whether it was ever wanted.
    pub(super) fn was_made(&self) -> bool {
        self.until.get().is_some()
    }

    /// Whether it runs and the schedule wants it to.
    pub(super) fn at(&self, now: Instant) -> bool {
        self.until.get().is_some_and(|until| now < until)
    }

    /// Takes the time by which it was late for shifts that began since the last call.
    pub(super) fn take_late(&self) -> Duration {
        self.late.take()
    }
}

/// How many iterations a virtual user may still start.
#[derive(Clone, Debug)]
pub(super) enum Quota {
    /// As many as there is time for.
    Unlimited,
    /// So many of its own.
    Own(u64),
    /// Its part of what all virtual users of the load share. The one thing that workers share; touched once an
    /// iteration.
    Shared(Arc<AtomicU64>),
}

impl Quota {
    fn take(&mut self) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Own(left) => match left.checked_sub(1) {
                Some(rest) => {
                    *left = rest;
                    true
                }
                None => false,
            },
            Self::Shared(left) => {
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            }
        }
    }
}

/// The closed model: a virtual user's next iteration starts when its last one has ended.
#[derive(Debug)]
pub(super) struct Closed {
    origin: Instant,
    shifts: std::vec::IntoIter<Shift>,
    current: Option<Shift>,
    quota: Quota,
    stopper: Rc<Stopper>,
    wanted: Rc<Wanted>,
}

impl Closed {
    pub(super) fn new(
        origin: Instant,
        shifts: Vec<Shift>,
        quota: Quota,
        stopper: Rc<Stopper>,
        wanted: Rc<Wanted>,
    ) -> Self {
        Self { origin, shifts: shifts.into_iter(), current: None, quota, stopper, wanted }
    }

    async fn next(&mut self, mut between: impl FnMut()) -> Option<Turn> {
        if self.stopper.order().is_some() {
            return None;
        }
        let now = Instant::now();
        let (begin, shift) = match self.current {
            Some(shift) if now < self.origin + shift.stop => (now, shift),
            _ => self.begin_shift(&mut between).await?,
        };
        if !self.quota.take() {
            self.wanted.until.set(None);
            return None;
        }
        Some(Turn { begin, hard: self.origin + shift.hard, due: None })
    }

    async fn begin_shift(&mut self, between: &mut impl FnMut()) -> Option<(Instant, Shift)> {
        loop {
            let shift = self.shifts.next()?;
            let start = self.origin + shift.start;
            if Instant::now() < start {
                between();
                if !self.stopper.sleep_until(start).await {
                    return None;
                }
            }
            let stop = self.origin + shift.stop;
            let begun = Instant::now();
            // A shift that is over before the machine got to it was lost whole.
            self.wanted.late.set(self.wanted.late.get() + (begun.min(stop) - start));
            if begun < stop {
                self.wanted.until.set(Some(stop));
                self.current = Some(shift);
                return Some((begun, shift));
            }
        }
    }
}
