//! What lets a virtual user start its next iteration: the seam between executors and everything else.
//!
//! A virtual user asks for a [`Turn`] and runs one iteration for each; it does not know by which rule it got it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::deadline::Stopper;
use super::schedule::Shift;

/// Leave to run one iteration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// When the iteration is cut.
    pub(super) hard: Instant,
}

/// The turns of one virtual user.
#[derive(Debug)]
pub(super) struct Turns {
    origin: Instant,
    shifts: std::vec::IntoIter<Shift>,
    current: Option<Shift>,
    stopper: Rc<Stopper>,
    wanted: Rc<Wanted>,
}

/// Whether a virtual user is on a shift, for whoever counts them.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    until: Cell<Option<Instant>>,
    late: Cell<Duration>,
}

impl Wanted {
    /// Whether it runs and the schedule wants it to.
    pub(super) fn at(&self, now: Instant) -> bool {
        self.until.get().is_some_and(|until| now < until)
    }

    /// Takes the time by which it was late for shifts that began since the last call.
    pub(super) fn take_late(&self) -> Duration {
        self.late.take()
    }
}

impl Turns {
    pub(super) fn new(origin: Instant, shifts: Vec<Shift>, stopper: Rc<Stopper>, wanted: Rc<Wanted>) -> Self {
        Self { origin, shifts: shifts.into_iter(), current: None, stopper, wanted }
    }

    /// Waits until the next iteration may start; `None` when there will be none.
    ///
    /// `between` is called when the virtual user is not wanted for a while.
    pub(super) async fn next(&mut self, mut between: impl FnMut()) -> Option<Turn> {
        if self.stopper.order().is_some() {
            return None;
        }
        let now = Instant::now();
        if let Some(shift) = self.current
            && now < self.origin + shift.stop
        {
            return Some(Turn { hard: self.origin + shift.hard });
        }
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
                return Some(Turn { hard: self.origin + shift.hard });
            }
        }
    }
}
