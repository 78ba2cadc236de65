//! A connection and whoever talks over it, driven by one task.
//!
//! hyper has a connection driven by a task of its own. Every request then goes through the scheduler three times, and
//! between the tasks lie answers that are read but not looked at yet, each in a buffer of its own. Here the virtual
//! user polls its connection itself. What the two wake each other for while they are being polled is only a note to
//! go round once more; for everything else, sockets above all, the task is woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

/// Drives a connection, together with whoever talks over it.
pub(super) struct Driver<C> {
    /// The connection, as hyper has it; none once it is over.
    connection: Option<Box<C>>,
    /// The waker that both are polled with.
    pulse: Arc<Pulse>,
    waker: Waker,
}

/// Wakes the task, unless that is polling right now.
///
/// All of it happens on one thread; the atomics, all relaxed, are what a waker has to be made of.
#[derive(Debug, Default)]
struct Pulse {
    task: OnceLock<Waker>,
    is_polling: AtomicBool,
    again: AtomicBool,
}

impl Wake for Pulse {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_polling.load(Ordering::Relaxed) {
            self.again.store(true, Ordering::Relaxed);
        } else if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
}

impl<C: Future + Unpin> Driver<C> {
    /// Of a connection, a future that is ready once it is over.
    pub(super) fn new(connection: C) -> Self {
        let pulse = Arc::<Pulse>::default();
        Self { connection: Some(Box::new(connection)), waker: Waker::from(Arc::clone(&pulse)), pulse }
    }

    /// The connection itself, if it is not over.
    pub(super) fn into_inner(self) -> Option<C> {
        self.connection.map(|connection| *connection)
    }

    /// Polls `talk` and the connection until neither has anything to do. To be polled by the same task always.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut talk: Pin<&mut impl Future<Output = T>>,
    ) -> Poll<T> {
        let Self { connection, pulse, waker } = self;
        pulse.task.get_or_init(|| cx.waker().clone());
        let mut inner = Context::from_waker(waker);
        pulse.is_polling.store(true, Ordering::Relaxed);
        let outcome = loop {
            pulse.again.store(false, Ordering::Relaxed);
            if let Poll::Ready(outcome) = talk.as_mut().poll(&mut inner) {
                break Poll::Ready(outcome);
            }
            let is_over =
                connection.as_mut().is_some_and(|own| Pin::new(&mut **own).poll(&mut inner).is_ready());
            if is_over {
                // Its error, if any, is the error of the request on it. Dropped, it tells whoever waits for an answer
                // that there will be none.
                *connection = None;
            } else if !pulse.again.load(Ordering::Relaxed) {
                break Poll::Pending;
            }
        };
        pulse.is_polling.store(false, Ordering::Relaxed);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::rc::Rc;
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_answer_is_seen_at_once_and_no_task_is_woken_for_it() {
        let (asked, answered) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let (asked_there, answered_there) = (asked.clone(), answered.clone());
        let connection = poll_fn(move |cx| {
            if asked_there.get() {
                answered_there.set(true);
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        let mut driver = Driver::new(connection);
        let mut talk = pin!(poll_fn(|_| {
            asked.set(true);
            if answered.get() { Poll::Ready("answer") } else { Poll::Pending }
        }));
        let task = Arc::<Count>::default();
        let waker = Waker::from(task.clone());
        let polled = driver.poll(&mut Context::from_waker(&waker), talk.as_mut());
        assert_eq!(polled, Poll::Ready("answer"));
        assert_eq!(task.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_happens_while_nobody_polls_wakes_the_task() {
        let socket = Rc::new(Cell::new(None::<Waker>));
        let seen = socket.clone();
        let mut driver = Driver::new(poll_fn(move |cx| {
            seen.set(Some(cx.waker().clone()));
            Poll::<()>::Pending
        }));
        let task = Arc::<Count>::default();
        let waker = Waker::from(task.clone());
        let mut talk = pin!(std::future::pending::<()>());
        assert!(driver.poll(&mut Context::from_waker(&waker), talk.as_mut()).is_pending());
        socket.take().expect("a waker").wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_connection_that_ends_tells_whoever_talks_over_it() {
        let alive = Rc::new(());
        let end = Rc::downgrade(&alive);
        let mut driver = Driver::new(Box::pin(async move { drop(alive) }));
        let mut talk =
            pin!(poll_fn(|_| if end.strong_count() == 0 { Poll::Ready("over") } else { Poll::Pending }));
        let waker = Waker::noop();
        assert_eq!(driver.poll(&mut Context::from_waker(waker), talk.as_mut()), Poll::Ready("over"));
    }
}
