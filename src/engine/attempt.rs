//! An attempt to get an answer: connects where that is needed, sends, waits, and gives up in time.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::connect::Trouble;
use super::connection::Connection;
use super::deadline::{Deadline, Stopper};
use super::exchange::{Answer, Failed, Stopwatch, exchange};
use super::payload::Payload;
use super::vu::Vu;
use crate::metrics::Timings;
use crate::plan::Step;
use crate::words::ErrorKind;

/// How long the answer to a request that creates something is waited for once it no longer counts.
const LATE_ANSWER: Duration = Duration::from_secs(5);

/// Why waiting for the target was given up.
pub(super) enum GaveUp {
    /// The step's time was over.
    Timeout,
    /// The iteration's time was over.
    Cut,
    /// A signal or an abort.
    Stopped,
}

/// How an attempt to get an answer ended.
pub(super) enum Attempt {
    Answered {
        answer: Answer,
        timings: Timings,
    },
    Broken {
        trouble: Trouble,
        status: Option<u16>,
    },
    GaveUp {
        why: GaveUp,
        timings: Option<Timings>,
        /// The answer that came all the same, too late to count, to a request that creates something.
        late: Option<Answer>,
    },
}

/// What ends the waiting for an answer, beside the deadline.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    /// The order to stop; none for clean-up, which goes on after it.
    pub(super) stopper: Option<&'a Stopper>,
    /// The end of the iteration's grace: a deadline that falls together with it is a cut.
    pub(super) hard: Instant,
}

impl Limits<'_> {
    async fn wait<T>(
        self,
        deadline: &mut Deadline,
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, GaveUp> {
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if self.stopper.is_some_and(|stopper| stopper.order().is_some()) {
                return Poll::Ready(Err(GaveUp::Stopped));
            }
            if deadline.poll(cx).is_ready() {
                return Poll::Ready(Err(if deadline.at() >= self.hard {
                    GaveUp::Cut
                } else {
                    GaveUp::Timeout
                }));
            }
            Poll::Pending
        })
        .await
    }
}

/// Waits a little longer for the answer to a request that was given up.
async fn late_answer(
    stopper: &Stopper,
    exchange: Pin<&mut impl Future<Output = Result<Answer, Failed>>>,
) -> Option<Answer> {
    let until = stopper.order().map_or_else(|| Instant::now() + LATE_ANSWER, |order| order.undo_until);
    tokio::time::timeout_at(until.into(), exchange).await.ok()?.ok()
}

impl Vu {
    /// Connects where that is needed, sends, and reads the answer, within the deadline that is set.
    ///
    /// The request is taken from where it stands, because it is large, and every hand that it goes through costs.
    pub(super) async fn attempt(
        &mut self,
        step: &Step,
        request: &mut Option<http::Request<Payload>>,
        limits: Limits<'_>,
        now: Instant,
    ) -> Attempt {
        let crew = Rc::clone(&self.crew);
        let mut watch = Stopwatch::start(now);
        let mut stale = false;
        loop {
            let rules = &crew.plan.target.connections;
            let worn_out = |requests| rules.max_requests.is_some_and(|most| requests >= most);
            let open = |connection: &Connection| {
                !stale
                    && connection.is_open()
                    && !worn_out(connection.requests)
                    && !connection.is_wanted_elsewhere()
            };
            let kept = self.connection.as_ref().is_some_and(open);
            if !kept {
                if stale && let Some(connection) = &mut self.connection {
                    // The last was never sent.
                    connection.requests -= 1;
                }
                self.connection = None;
                // Boxed, because a handshake needs much room, once a connection.
                let dialed = match limits
                    .wait(&mut self.deadline, Box::pin(crew.dialer.to(self.site).dial()).as_mut())
                    .await
                {
                    Ok(Ok(dialed)) => dialed,
                    Ok(Err(trouble)) => return Attempt::Broken { trouble, status: None },
                    Err(why) => return Attempt::GaveUp { why, timings: None, late: None },
                };
                watch.connecting = dialed.connecting;
                watch.tls_handshaking = dialed.tls_handshaking;
                watch.ready = dialed.connection.opened;
                let mut connection = dialed.connection;
                // Not all at once: those that were opened together would be opened together again.
                connection.expires = (rules.max_age)
                    .map(|age| connection.opened + age.mul_f64(0.8 + 0.4 * self.values.rng.f64()));
                self.connection = Some(connection);
            }
            let connection = self.connection.as_mut().expect("invariant: just made, if it was not there");
            let meter = Rc::clone(&connection.meter);
            meter.begin(watch.ready);
            let (trouble, status) = {
                let mut exchange = pin!(exchange(connection, &mut *request, step.reads_body));
                match limits.wait(&mut self.deadline, exchange.as_mut()).await {
                    Ok(Ok(answer)) => return Attempt::Answered { answer, timings: watch.answered(&meter) },
                    // The target had closed the kept connection before anything was sent on it: that is its right
                    // (RFC 9112, 9.6), and no failure of this request, which goes on a new one.
                    Ok(Err(Failed::NotSent)) if kept => {
                        stale = true;
                        continue;
                    }
                    Ok(Err(Failed::NotSent)) => {
                        let message = "the new connection was closed before the request could be sent";
                        (Trouble::new(ErrorKind::ClosedEarly, message), None)
                    }
                    Ok(Err(Failed::Broken { trouble, status })) => (trouble, status),
                    Err(why) => {
                        let timings = Some(watch.given_up(&meter, Instant::now()));
                        // Only the answer says what has to be undone, so it is waited for, though it no longer
                        // counts.
                        let late = match step.undo {
                            // Boxed, because every virtual user would carry the room for it all the time.
                            Some(_) => Box::pin(late_answer(&crew.stopper, exchange)).await,
                            None => None,
                        };
                        return Attempt::GaveUp { why, timings, late };
                    }
                }
            };
            connection.broke();
            return Attempt::Broken { trouble, status };
        }
    }
}
