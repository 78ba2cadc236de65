//! Undoing what an earlier run left, without a plan: a list of requests, a few at a time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use super::connect::Dialer;
use super::connection::Connection;
use super::exchange::{Failed, exchange};
use super::payload::Payload;
use super::undo::{Failures, Tried, UNDO_ATTEMPT};
use crate::plan::Target;
use crate::reach::Way;

/// How many requests are under way at once.
const HELPERS: usize = 8;

/// A request that undoes something.
#[derive(Clone, Debug)]
pub struct Errand {
    /// What whoever asks knows it by.
    pub number: u64,
    /// The request, `Host` included.
    pub request: http::Request<Bytes>,
}

/// What became of an errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was undone now.
    Undone,
    /// It had been gone before: 404 or 410.
    Gone,
    /// It could not be undone, and why.
    Left(String),
}

/// Does the errands, the latest number first, as later things may depend on earlier ones; tells of each as soon as
/// something has become of it. Goes on while the target fails, until the time is over. An error says why there is no
/// way to the target at all: then nothing was done, or told.
pub async fn sweep(
    target: &Target,
    way: Option<&Arc<dyn Way>>,
    mut errands: Vec<Errand>,
    within: Duration,
    mut tell: impl FnMut(u64, Outcome),
) -> Result<(), String> {
    let dialer = Dialer::resolve(target, way).await.map_err(|trouble| trouble.message)?;
    errands.sort_by_key(|errand| std::cmp::Reverse(errand.number));
    let until = Instant::now() + within;
    let work = Rc::new(Work {
        errands: RefCell::new(errands.into()),
        paused_until: Cell::new(None),
        streak: Cell::new(0),
    });
    let tasks = LocalSet::new();
    let (sender, mut outcomes) = unbounded_channel();
    for _ in 0..HELPERS {
        tasks.spawn_local(help(work.clone(), dialer.clone(), until, sender.clone()));
    }
    drop(sender);
    let listen = async {
        while let Some((number, outcome)) = outcomes.recv().await {
            tell(number, outcome);
        }
    };
    tasks.run_until(listen).await;
    Ok(())
}

struct Work {
    errands: RefCell<VecDeque<Errand>>,
    /// While the target says nothing, all helpers wait together.
    paused_until: Cell<Option<Instant>>,
    streak: Cell<u32>,
}

impl Work {
    /// Whether it is the target that fails, and not a single request.
    fn note(&self, tried: Tried) {
        let streak = if tried == Tried::Unanswered { self.streak.get() + 1 } else { 0 };
        self.streak.set(streak);
        let pause = Duration::from_millis(20 << streak.min(6)).min(Duration::from_secs(1));
        self.paused_until.set((streak > 3).then(|| Instant::now() + pause));
    }
}

async fn help(work: Rc<Work>, dialer: Dialer, until: Instant, tell: UnboundedSender<(u64, Outcome)>) {
    let mut connection = None;
    loop {
        let Some(errand) = work.errands.borrow_mut().pop_front() else { return };
        let outcome = run(&errand, &work, &dialer, until, &mut connection).await;
        // Whoever listens does so until the last helper is done.
        let _ = tell.send((errand.number, outcome));
    }
}

/// Tries until something has become of it.
async fn run(
    errand: &Errand,
    work: &Work,
    dialer: &Dialer,
    until: Instant,
    connection: &mut Option<Connection>,
) -> Outcome {
    let mut failures = Failures::default();
    let mut trouble = "there was no time left for it".to_owned();
    loop {
        if let Some(paused) = work.paused_until.get() {
            tokio::time::sleep_until(paused.min(until).into()).await;
        }
        let now = Instant::now();
        if now >= until || failures.is_hopeless() {
            return Outcome::Left(trouble);
        }
        let attempt = attempt(errand, dialer, connection);
        let tried = match tokio::time::timeout_at((now + UNDO_ATTEMPT).min(until).into(), attempt).await {
            Ok(Ok(status)) => {
                let tried = Tried::of(status);
                if tried == Tried::Gone {
                    work.note(tried);
                    return if (200..300).contains(&status) { Outcome::Undone } else { Outcome::Gone };
                }
                trouble = format!("status {status}");
                tried
            }
            Ok(Err(message)) => {
                (*connection, trouble) = (None, message);
                Tried::Unanswered
            }
            Err(_) => {
                (*connection, trouble) = (None, "no answer in time".to_owned());
                Tried::Unanswered
            }
        };
        work.note(tried);
        let pause = Instant::now() + failures.add(tried);
        tokio::time::sleep_until(pause.min(until).into()).await;
    }
}

/// One attempt; the status of the answer.
async fn attempt(
    errand: &Errand,
    dialer: &Dialer,
    connection: &mut Option<Connection>,
) -> Result<u16, String> {
    let (head, body) = errand.request.clone().into_parts();
    let mut request = Some(http::Request::from_parts(head, Payload::from(body)));
    loop {
        let is_kept = connection.as_ref().is_some_and(Connection::is_open);
        if !is_kept {
            *connection = Some(dialer.dial().await.map_err(|trouble| trouble.message)?.connection);
        }
        let open = connection.as_mut().expect("invariant: just made, if it was not there");
        let answer = pin!(exchange(open, &mut request, false)).await;
        match answer {
            Ok(answer) => return Ok(answer.status),
            // The kept connection had been closed before anything was sent on it.
            Err(Failed::NotSent) if is_kept => *connection = None,
            Err(Failed::NotSent) => return Err("the connection was closed at once".to_owned()),
            Err(Failed::Broken { trouble, .. }) => return Err(trouble.message),
        }
    }
}
