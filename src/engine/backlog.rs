//! What could not be undone in passing: tried again beside the load, and at its end.
//!
//! Each worker has a backlog, and a few helpers that work at it on connections of their own. While the target
//! fails, they wait longer and longer between attempts, all of them together, so that clean-up adds next to nothing
//! to the load of a target that is down already.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::undo::{Failures, Tried, UNDO_ATTEMPT, Undos};
use super::vu::{Crew, Vu};

/// How many things a worker undoes at once beside its load.
pub(super) const HELPERS: usize = 8;

/// More than so many iterations' things do not wait in a worker's memory; the journal has them.
const MOST_WAITING: usize = 10_000;

/// The longest pause between attempts while none succeeds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What waits to be undone on one worker.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// By the moment of the next attempt, and a number that tells equals apart.
    waiting: RefCell<BTreeMap<(Instant, u64), Batch>>,
    /// What a helper has in its hands, by its number, for when there is no more time to wait for it.
    held: RefCell<BTreeMap<u64, Rc<RefCell<Undos>>>>,
    numbers: Cell<u64>,
    /// Attempts that failed since the last one that did not, and until when they hold the next one up.
    streak: Cell<u32>,
    paused_until: Cell<Option<Instant>>,
    /// Once nothing more will come: until when there is time.
    closed: Cell<Option<Instant>>,
    bell: Notify,
}

/// What one iteration left, the latest last: undone in that order, as one may depend on the other.
#[derive(Debug)]
struct Batch {
    number: u64,
    undos: Rc<RefCell<Undos>>,
    failures: Failures,
}

impl Backlog {
    /// Takes in what an iteration left.
    pub(super) fn defer(&self, crew: &Crew, mut undos: Undos) {
        if self.waiting.borrow().len() >= MOST_WAITING {
            undos.give_up_all(crew);
            return;
        }
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        let mut failures = Failures::default();
        // It has just been tried.
        let due = Instant::now() + failures.add(Tried::Unanswered);
        let batch = Batch { number, undos: Rc::new(RefCell::new(undos)), failures };
        self.waiting.borrow_mut().insert((due, number), batch);
        self.bell.notify_one();
    }

    /// Nothing more will come; what is there may be tried until that moment.
    pub(super) fn close(&self, until: Instant) {
        self.closed.set(Some(until));
        self.bell.notify_waiters();
    }

    /// Gives up all that is left.
    pub(super) fn give_up_all(&self, crew: &Crew) {
        let held = self.held.take().into_values();
        let waiting = self.waiting.take().into_values().map(|batch| batch.undos);
        held.chain(waiting).for_each(|undos| undos.borrow_mut().give_up_all(crew));
    }

    fn is_over(&self) -> bool {
        self.closed.get().is_some_and(|until| {
            let is_empty = self.waiting.borrow().is_empty() && self.held.borrow().is_empty();
            is_empty || until <= Instant::now()
        })
    }

    /// Waits for something to do; `None` once all is done, or the time is over.
    async fn next(&self) -> Option<Batch> {
        loop {
            // Listening before looking, so that no ring is missed.
            let mut ring = std::pin::pin!(self.bell.notified());
            ring.as_mut().enable();
            if self.is_over() {
                self.bell.notify_waiters();
                return None;
            }
            let first = self.waiting.borrow().first_key_value().map(|(key, _)| *key);
            let due = first.map(|(due, _)| due.max(self.paused_until.get().unwrap_or(due)));
            if due.is_some_and(|due| due <= Instant::now())
                && let Some((_, batch)) = self.waiting.borrow_mut().pop_first()
            {
                self.held.borrow_mut().insert(batch.number, batch.undos.clone());
                return Some(batch);
            }
            let wake = [due, self.closed.get()].into_iter().flatten().min();
            match wake {
                Some(wake) => {
                    tokio::select! {
                        () = ring => {}
                        () = tokio::time::sleep_until(wake.into()) => {}
                    }
                }
                None => ring.await,
            }
        }
    }

    /// Takes back what a helper has tried.
    fn put_back(&self, crew: &Crew, mut batch: Batch, tried: Tried) {
        self.held.borrow_mut().remove(&batch.number);
        let now = Instant::now();
        let due = if tried == Tried::Gone {
            self.streak.set(0);
            self.paused_until.set(None);
            batch.failures = Failures::default();
            now
        } else {
            let streak = self.streak.get() + 1;
            self.streak.set(streak);
            // Single failures are the batch's own; from the fourth in a row on, it is the target.
            let pause = Duration::from_millis(20 << streak.min(6)).min(LONGEST_PAUSE);
            self.paused_until.set((streak > 3).then_some(now + pause));
            now + batch.failures.add(tried)
        };
        if batch.failures.is_hopeless() {
            batch.undos.borrow_mut().give_up(crew);
            batch.failures = Failures::default();
        }
        if !batch.undos.borrow().is_empty() {
            self.waiting.borrow_mut().insert((due, batch.number), batch);
        }
        self.bell.notify_waiters();
    }
}

/// Works at the backlog until all is done, or the time is over.
pub(super) async fn tidy(crew: Rc<Crew>) {
    let mut vu = Vu::new(crew.clone(), 0, Vec::new());
    while let Some(batch) = crew.backlog.next().await {
        vu.undos = batch.undos.clone();
        let latest = Instant::now() + UNDO_ATTEMPT;
        let ordered = crew.stopper.order().map(|order| order.undo_until);
        let until = [ordered, crew.backlog.closed.get()].into_iter().flatten().fold(latest, Instant::min);
        let tried = vu.undo_next(until).await;
        crew.backlog.put_back(&crew, batch, tried);
    }
}
