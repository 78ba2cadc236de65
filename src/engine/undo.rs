//! What an iteration created and has not undone yet.
//!
//! The request that undoes something is built the moment that it is created, from the values captured then, so
//! that it can still be sent when the virtual user has gone on, was cut, or is no more.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::Uri;

use super::attempt::{Attempt, Limits};
use super::payload::Payload;
use super::render::Values;
use super::vu::{Crew, Vu};
use crate::metrics::{Cleanup, Failure, Leftover, Sample};
use crate::plan::{Step, StepId};
use crate::words::{ErrorKind, Phase};

/// How long one attempt to undo something may take, and all attempts after one iteration.
const UNDO_ATTEMPT: Duration = Duration::from_secs(5);
const UNDO_ALL: Duration = Duration::from_secs(30);

/// What a virtual user has created and not undone, the latest last.
#[derive(Debug, Default)]
pub(super) struct Undos(Vec<Undo>);

/// The request that undoes one thing.
#[derive(Clone, Debug)]
pub(super) struct Undo {
    pub(super) step: StepId,
    pub(super) request: http::Request<Payload>,
    /// The step that created it.
    creator: String,
    /// Why the last attempt failed.
    trouble: Option<String>,
}

impl Undo {
    /// Why it was not undone yet.
    pub(super) fn trouble(&self) -> String {
        self.trouble.clone().unwrap_or_else(|| "there was no time left for it".to_owned())
    }
}

/// Whether a status says that the thing is no more: to undo it twice is no error.
pub(super) fn is_gone(status: u16) -> bool {
    matches!(status, 404 | 410)
}

impl Undos {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one to undo next: the latest, as what was created last may depend on what was created first.
    pub(super) fn next(&self) -> Option<Undo> {
        self.0.last().cloned()
    }

    /// Notes that a step has created something.
    pub(super) fn created(&mut self, crew: &Crew, values: &mut Values, step: &Step, undo: StepId) {
        let mut cleanup = crew.cleanup.borrow_mut();
        cleanup.created += 1;
        match values.request(&crew.plan.step(undo).request, http::HeaderMap::new()) {
            Ok(request) => {
                self.0.push(Undo { step: undo, request, creator: step.name.clone(), trouble: None });
            }
            Err(_) => cleanup.leave(Leftover {
                step: step.name.clone(),
                request: "unknown".to_owned(),
                reason: "its answer did not hold the values that undoing it needs".to_owned(),
            }),
        }
    }

    /// Notes that a step was answered; if that undid something, it is off the list.
    pub(super) fn done(&mut self, step: StepId, uri: &Uri, status: u16, cleanup: &RefCell<Cleanup>) -> bool {
        if !(200..300).contains(&status) && !is_gone(status) {
            return false;
        }
        let Some(found) = self.0.iter().rposition(|undo| undo.step == step && undo.request.uri() == uri)
        else {
            return false;
        };
        self.0.remove(found);
        cleanup.borrow_mut().undone += 1;
        true
    }

    /// Notes why the next one could not be undone.
    pub(super) fn failed(&mut self, trouble: String) {
        if let Some(undo) = self.0.last_mut() {
            undo.trouble = Some(trouble);
        }
    }

    /// Gives the next one up: it is left behind.
    pub(super) fn give_up(&mut self, crew: &Crew, reason: String) {
        if let Some(undo) = self.0.pop() {
            let request = format!("{} {}", undo.request.method(), undo.request.uri());
            crew.cleanup.borrow_mut().leave(Leftover { step: undo.creator, request, reason });
        }
    }

    /// Gives all of them up.
    pub(super) fn give_up_all(&mut self, crew: &Crew) {
        while let Some(undo) = self.next() {
            self.give_up(crew, undo.trouble());
        }
    }
}

impl Vu {
    /// Undoes what the iteration created and did not undo itself. What cannot be undone stays noted.
    pub(super) async fn undo_all(&mut self) {
        if self.undos.borrow().is_empty() {
            return;
        }
        let crew = Rc::clone(&self.crew);
        let latest = Instant::now() + UNDO_ALL;
        let Some(span) = crew.plan.spans_of(Phase::Cleanup).next() else { return };
        let mut backoff = Backoff::default();
        loop {
            let Some(undo) = self.undos.borrow().next() else { return };
            let until = crew.stopper.order().map_or(latest, |order| order.undo_until.min(latest));
            let now = Instant::now();
            if now >= until || backoff.is_exhausted() {
                self.undos.borrow_mut().give_up(&crew, undo.trouble());
                backoff = Backoff::default();
                continue;
            }
            let step = crew.plan.step(undo.step);
            self.deadline.set((now + step.timeout.min(UNDO_ATTEMPT)).min(until));
            let limits = Limits { stopper: None, hard: until };
            let attempt = self.attempt(step, &mut Some(undo.request.clone()), limits, now).await;
            let (status, failure, timings, trouble) = match attempt {
                Attempt::Answered { answer, timings } => {
                    if self.undos.borrow_mut().done(
                        undo.step,
                        undo.request.uri(),
                        answer.status,
                        &crew.cleanup,
                    ) {
                        backoff = Backoff::default();
                    }
                    let failure = if answer.status >= 400 && !is_gone(answer.status) {
                        Failure::Kind(ErrorKind::Status)
                    } else {
                        Failure::None
                    };
                    (Some(answer.status), failure, Some(timings), format!("status {}", answer.status))
                }
                Attempt::Broken { trouble, status } => {
                    self.connection = None;
                    (status, Failure::Kind(trouble.kind), None, trouble.message)
                }
                Attempt::GaveUp { timings, .. } => {
                    self.connection = None;
                    (None, Failure::Kind(ErrorKind::Timeout), timings, "no answer in time".to_owned())
                }
            };
            let (sent, received) =
                self.connection.as_ref().map(|connection| connection.meter.take_bytes()).unwrap_or_default();
            crew.recorder.borrow_mut().request(&Sample {
                step: undo.step,
                span,
                start: crew.offset(now),
                timings,
                status,
                failure,
                passes: 0,
                fails: 0,
                sent,
                received,
            });
            if failure != Failure::None {
                self.undos.borrow_mut().failed(trouble);
                let pause = backoff.next().min(until.saturating_duration_since(Instant::now()));
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Pauses between attempts to undo one thing: 50 ms, and twice as long each time up to a second, ten attempts in
/// all. With three of ten answers failing, six of a million things are left behind.
#[derive(Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    const ATTEMPTS: u32 = 10;
    const LONGEST: Duration = Duration::from_secs(1);

    pub(super) fn is_exhausted(&self) -> bool {
        self.0 >= Self::ATTEMPTS
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(50 << self.0.min(Self::ATTEMPTS)).min(Self::LONGEST);
        self.0 += 1;
        pause
    }
}
