//! What an iteration created and has not undone yet.
//!
//! The request that undoes something is built the moment that it is created, from the values captured then, and
//! written into the journal, so that it can still be sent when the virtual user has gone on, was cut, or is no more.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::Uri;

use super::attempt::{Attempt, Limits};
use super::redirect::Site;
use super::render::{Filled, Values};
use super::vu::{Crew, Vu};
use crate::journal;
use crate::metrics::{Failure, Leftover, Sample};
use crate::plan::StepId;
use crate::words::{ErrorKind, Phase};

/// How long one attempt to undo something may take.
pub(super) const UNDO_ATTEMPT: Duration = Duration::from_secs(5);

/// How long an iteration's own attempt may hold its virtual user up. What takes longer is undone beside the load.
const UNDO_IN_PASSING: Duration = Duration::from_secs(1);

/// How long to go on trying after the last iteration, where nobody is in a hurry.
pub(super) const UNDO_AT_END: Duration = Duration::from_secs(30);

/// What a virtual user has created and not undone, the latest last.
#[derive(Debug, Default)]
pub(super) struct Undos(Vec<Undo>);

/// The request that undoes one thing.
#[derive(Clone, Debug)]
pub(super) struct Undo {
    step: StepId,
    request: Filled,
    /// The step that created it.
    creator: StepId,
    /// Its number in the journal.
    number: u64,
    /// Why the last attempt failed.
    trouble: Option<String>,
}

impl Undo {
    /// Why it was not undone yet.
    fn trouble(&self) -> String {
        self.trouble.clone().unwrap_or_else(|| "there was no time left for it".to_owned())
    }
}

/// Whether a status says that the thing is no more: to undo it twice is no error.
pub(super) fn is_gone(status: u16) -> bool {
    (200..300).contains(&status) || matches!(status, 404 | 410)
}

impl Undos {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a step undoes one of them.
    pub(super) fn are_undone_by(&self, step: StepId) -> bool {
        self.0.iter().any(|undo| undo.step == step)
    }

    /// The one to undo next: the latest, as what was created last may depend on what was created first.
    fn next(&self) -> Option<Undo> {
        self.0.last().cloned()
    }

    /// Notes that a step has created something, whose request has that number in the journal.
    pub(super) fn created(
        &mut self,
        crew: &Crew,
        values: &mut Values,
        creator: StepId,
        step: StepId,
        number: u64,
    ) {
        let mut cleanup = crew.cleanup.borrow_mut();
        let mut pen = crew.pen.borrow_mut();
        cleanup.created += 1;
        let plan = crew.plan.step(step);
        if let Ok(request) = values.filled(&plan.request, &crew.plan.target) {
            let Filled { uri, headers, body } = &request;
            pen.made(number, creator, Some(journal::Undo { step: plan, uri, headers, body }));
            self.0.push(Undo { step, request, creator, number, trouble: None });
        } else {
            pen.made(number, creator, None);
            cleanup.leave(Leftover {
                step: crew.plan.step(creator).name.clone(),
                request: "unknown".to_owned(),
                reason: "its answer did not hold the values that undoing it needs".to_owned(),
            });
        }
    }

    /// Notes that a step was answered; whether that undid something, which then is off the list.
    pub(super) fn done(&mut self, crew: &Crew, step: StepId, uri: &Uri, status: u16) -> bool {
        if !is_gone(status) {
            return false;
        }
        let Some(found) = self.0.iter().rposition(|undo| undo.step == step && undo.request.uri == *uri)
        else {
            return false;
        };
        let undo = self.0.remove(found);
        crew.pen.borrow_mut().undone(undo.number);
        crew.cleanup.borrow_mut().undone += 1;
        true
    }

    /// Gives the next one up: it is left behind.
    pub(super) fn give_up(&mut self, crew: &Crew) {
        if let Some(undo) = self.0.pop() {
            let request = format!("{} {}", crew.plan.step(undo.step).request.method, undo.request.uri);
            let step = crew.plan.step(undo.creator).name.clone();
            crew.cleanup.borrow_mut().leave(Leftover { step, request, reason: undo.trouble() });
        }
    }

    /// Gives all of them up.
    pub(super) fn give_up_all(&mut self, crew: &Crew) {
        while !self.is_empty() {
            self.give_up(crew);
        }
    }
}

/// What came of an attempt to undo something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It is no more.
    Gone,
    /// The target said something else.
    Refused,
    /// The target said nothing, or that it cannot say anything now.
    Unanswered,
}

impl Tried {
    pub(super) fn of(status: u16) -> Self {
        match status {
            status if is_gone(status) => Self::Gone,
            429 | 502..=504 => Self::Unanswered,
            _ => Self::Refused,
        }
    }
}

/// How often undoing one thing has failed. After ten refusals it is given up: with three of ten answers failing,
/// six of a million things are left behind. A target that does not answer is asked for as long as there is time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    all: u32,
    refused: u32,
}

impl Failures {
    const MOST: u32 = 10;
    const LONGEST: Duration = Duration::from_secs(1);

    pub(super) fn is_hopeless(self) -> bool {
        self.refused >= Self::MOST
    }

    /// Counts one more; how long to wait before the next attempt: 50 ms, and twice as long each time up to a second.
    pub(super) fn add(&mut self, tried: Tried) -> Duration {
        let pause = Duration::from_millis(50 << self.all.min(5)).min(Self::LONGEST);
        self.all += 1;
        self.refused += u32::from(tried == Tried::Refused);
        pause
    }
}

impl Vu {
    /// After an iteration: tries once to undo what it created and did not undo itself. What cannot be undone in
    /// passing is left to the backlog, so that a target that is down does not hold the virtual user up.
    pub(super) async fn undo_in_passing(&mut self) {
        let crew = Rc::clone(&self.crew);
        while !self.undos.borrow().is_empty() {
            // Once all is to stop, nothing is held up any more.
            let until = match crew.stopper.order() {
                Some(order) => order.undo_until,
                None => Instant::now() + UNDO_IN_PASSING,
            };
            if Instant::now() >= until || self.undo_next(until).await != Tried::Gone {
                crew.backlog.defer(&crew, self.undos.take());
                return;
            }
        }
    }

    /// Undoes all that this user created, one thing after another, for as long as there is time at the end of a run.
    pub(super) async fn undo_all(&mut self) {
        let crew = Rc::clone(&self.crew);
        let until = Instant::now() + UNDO_AT_END;
        let mut failures = Failures::default();
        while !self.undos.borrow().is_empty() && Instant::now() < until {
            if failures.is_hopeless() {
                self.undos.borrow_mut().give_up(&crew);
                failures = Failures::default();
                continue;
            }
            let tried = self.undo_next(until).await;
            if tried == Tried::Gone {
                failures = Failures::default();
            } else {
                let pause = failures.add(tried).min(until.saturating_duration_since(Instant::now()));
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// One attempt to undo the latest thing, which ends before the given moment.
    pub(super) async fn undo_next(&mut self, until: Instant) -> Tried {
        let crew = Rc::clone(&self.crew);
        let next = self.undos.borrow().next();
        let (Some(undo), Some(span)) = (next, crew.plan.spans_of(Phase::Cleanup).next()) else {
            return Tried::Gone;
        };
        let now = Instant::now();
        let step = crew.plan.step(undo.step);
        self.go_to(Site::Target);
        self.deadline.set((now + step.timeout.min(UNDO_ATTEMPT)).min(until));
        let limits = Limits { stopper: None, hard: until };
        let (tried, status, failure, timings, trouble) =
            match self.attempt(step, &mut Some(undo.request.whole(&step.request)), limits, now).await {
                Attempt::Answered { answer, timings } => {
                    self.undos.borrow_mut().done(&crew, undo.step, &undo.request.uri, answer.status);
                    let tried = Tried::of(answer.status);
                    let failure = match tried {
                        Tried::Gone => Failure::None,
                        Tried::Refused | Tried::Unanswered => Failure::Kind(ErrorKind::Status),
                    };
                    (tried, Some(answer.status), failure, Some(timings), format!("status {}", answer.status))
                }
                Attempt::Broken { trouble, status } => {
                    self.connection = None;
                    (Tried::Unanswered, status, Failure::Kind(trouble.kind), None, trouble.message)
                }
                Attempt::GaveUp { timings, .. } => {
                    self.connection = None;
                    let message = "no answer in time".to_owned();
                    (Tried::Unanswered, None, Failure::Kind(ErrorKind::Timeout), timings, message)
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
        if tried != Tried::Gone
            && let Some(undo) = self.undos.borrow_mut().0.last_mut()
        {
            undo.trouble = Some(trouble);
        }
        tried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_that_is_gone_is_undone_and_a_target_that_is_down_is_asked_again() {
        for status in [200, 204, 404, 410] {
            assert_eq!(Tried::of(status), Tried::Gone, "{status}");
        }
        for status in [400, 403, 405, 409, 500] {
            assert_eq!(Tried::of(status), Tried::Refused, "{status}");
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(Tried::of(status), Tried::Unanswered, "{status}");
        }
    }

    #[test]
    fn pauses_grow_to_a_second_and_only_refusals_are_counted_out() {
        let mut failures = Failures::default();
        let pauses: Vec<_> = (0..8).map(|_| failures.add(Tried::Unanswered).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000, 1000]);
        assert!(!failures.is_hopeless());
        for _ in 0..10 {
            failures.add(Tried::Refused);
        }
        assert!(failures.is_hopeless());
    }
}
