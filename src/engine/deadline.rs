//! Giving up: deadlines that cost nothing while nothing is late, and the order to stop.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::time::Sleep;

/// A deadline that moves with every request.
///
/// A timer of its own for each request is entered into and taken out of the runtime's wheel each time, about
/// 700 instructions. Here one timer stays in the wheel at or before the deadline; when it fires too early, it
/// is set again. A deadline of a minute moves the timer once a minute, however many requests are made.
#[derive(Debug)]
pub(super) struct Deadline {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
    /// The timer knows whom to wake. A deadline belongs to one task, whose waker stays the same.
    registered: bool,
}

impl Deadline {
    pub(super) fn new(at: Instant) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(at.into())), at, registered: false }
    }

    /// Moves the deadline.
    pub(super) fn set(&mut self, at: Instant) {
        self.at = at;
        if at < self.sleep.deadline().into_std() {
            self.sleep.as_mut().reset(at.into());
            self.registered = false;
        }
    }

    /// When it is.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Ready once the deadline has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.registered && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            if self.at <= self.sleep.deadline().into_std() || self.at <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.at.into());
        }
        self.registered = true;
        Poll::Pending
    }
}

/// The order to stop, for all virtual users of a worker.
#[derive(Debug, Default)]
pub(super) struct Stopper {
    stop: Cell<Option<StopOrder>>,
    waiting: RefCell<Vec<Waker>>,
}

/// To stop at once, and until when what was created may be undone.
#[derive(Clone, Copy, Debug)]
pub(super) struct StopOrder {
    pub(super) undo_until: Instant,
}

impl Stopper {
    pub(super) fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Gives the order and wakes everyone.
    pub(super) fn stop(&self, order: StopOrder) {
        self.stop.set(Some(order));
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// The order, if it was given.
    pub(super) fn order(&self) -> Option<StopOrder> {
        self.stop.get()
    }

    /// Has the task woken by the order. Once a task is enough: its waker stays the same.
    pub(super) fn register(&self, waker: &Waker) {
        self.waiting.borrow_mut().push(waker.clone());
    }

    /// Waits until a moment; `false` if the order came first.
    pub(super) async fn sleep_until(&self, at: Instant) -> bool {
        let mut sleep = std::pin::pin!(tokio::time::sleep_until(at.into()));
        std::future::poll_fn(|cx| {
            if self.order().is_some() {
                return Poll::Ready(false);
            }
            sleep.as_mut().poll(cx).map(|()| true)
        })
        .await
    }
}
