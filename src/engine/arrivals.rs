//! The open model: iterations arrive by the clock, whether earlier ones are answered or not.
//!
//! Each worker deals out its share of a load's arrivals. One that finds no idle virtual user waits, first come
//! first served, and its wait is part of what is measured: a stall of the target cannot hide behind virtual
//! users that are too few. Those still waiting at the end of the load were never started: they are dropped, and
//! the time that they waited is a lower bound of what their users would have seen.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::schedule::DueTimes;
use super::timer::Timer;
use super::turns::Turn;
use super::vu::Crew;
use crate::plan::{LoadId, SpanId};

/// An arrival dealt out later than this, though somebody was idle, is late by our fault. Less is what a busy machine
/// does to anybody; it is measured all the same, and in `http_req_corrected` from the first microsecond on.
const LATE: Duration = Duration::from_millis(50);

/// The arrivals of one load on one worker, and who waits for them.
#[derive(Debug)]
pub(super) struct Arrivals {
    origin: Instant,
    /// When iterations still running are cut.
    hard: Instant,
    /// Due and not yet taken, in order.
    waiting: RefCell<VecDeque<Duration>>,
    /// Virtual users without work, by number: the lowest goes first, so that those beyond what is needed make
    /// no connection.
    idle: RefCell<BTreeMap<u32, Waker>>,
    /// No more will come.
    over: Cell<bool>,
}

impl Arrivals {
    pub(super) fn new(origin: Instant, hard: Duration) -> Rc<Self> {
        Rc::new(Self {
            origin,
            hard: origin + hard,
            waiting: RefCell::default(),
            idle: RefCell::default(),
            over: Cell::new(false),
        })
    }

    /// Waits for an arrival; `None` when no more will come.
    pub(super) async fn next(&self, number: u32) -> Option<Turn> {
        std::future::poll_fn(|cx| {
            if let Some(due) = self.waiting.borrow_mut().pop_front() {
                let (hard, due) = (self.hard, Some(self.origin + due));
                return Poll::Ready(Some(Turn { begin: Instant::now(), hard, due }));
            }
            if self.over.get() {
                return Poll::Ready(None);
            }
            self.idle.borrow_mut().insert(number, cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Takes an arrival in, and wakes somebody for it; whether there was anybody.
    fn arrive(&self, due: Duration) -> bool {
        self.waiting.borrow_mut().push_back(due);
        let somebody = self.idle.borrow_mut().pop_first();
        somebody.map(|(_, waker)| waker.wake()).is_some()
    }

    /// Sends everybody home; what was still waiting.
    fn close(&self) -> VecDeque<Duration> {
        self.over.set(true);
        let left = self.waiting.take();
        self.idle.take().into_values().for_each(Waker::wake);
        left
    }
}

/// Deals out a load's arrivals as they fall due, until the last stage is over or the order to stop is given.
pub(super) async fn deal(crew: Rc<Crew>, load: LoadId, mut due: DueTimes, arrivals: Rc<Arrivals>) {
    let plan = crew.plan.load(load);
    let end = plan.end();
    let mut timer = Timer::new();
    let mut next = due.next();
    while let Some(first) = next {
        let stopped = stopped_before(&crew, &mut timer, crew.origin + first).await;
        if stopped {
            break;
        }
        let now = crew.offset(Instant::now());
        let mut late = 0_u64;
        let mut count = 0_u64;
        while let Some(arrival) = next.filter(|arrival| *arrival <= now) {
            let somebody_was_idle = arrivals.arrive(arrival);
            late += u64::from(somebody_was_idle && now - arrival > LATE);
            count += 1;
            next = due.next();
        }
        crew.recorder.borrow_mut().arrivals(count, late);
    }
    stopped_before(&crew, &mut timer, crew.origin + end).await;
    let now = crew.offset(Instant::now()).min(end);
    // The stop order ends what would have come; what came and was not served was dropped.
    let left = arrivals.close();
    let span_of = |at: Duration| -> SpanId {
        let stage = plan.stages.iter().find(|id| {
            let span = crew.plan.span(**id);
            at < span.start + span.duration
        });
        stage.copied().unwrap_or(plan.grace)
    };
    let mut recorder = crew.recorder.borrow_mut();
    for arrival in left {
        recorder.dropped(span_of(arrival), plan.steps.first().copied(), now.saturating_sub(arrival));
    }
}

/// Waits until a moment; whether the order to stop came first.
async fn stopped_before(crew: &Crew, timer: &mut Timer, at: Instant) -> bool {
    let mut wait = std::pin::pin!(timer.until(at));
    std::future::poll_fn(|cx| {
        if crew.stopper.order().is_some() {
            return Poll::Ready(true);
        }
        wait.as_mut().poll(cx).map(|()| false)
    })
    .await
}
