//! One step: a request, its checks and captures, and what is counted of them.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::SET_COOKIE;

use super::attempt::{Attempt, GaveUp, Limits};
use super::connect::Trouble;
use super::decode::decode;
use super::exchange::Answer;
use super::inspect::Inspected;
use super::redirect::{Hop, Site, is_redirect};
use super::render::Unfilled;
use super::vu::Vu;
use crate::metrics::{Failure, FirstError, Sample};
use crate::plan::{Plan, Reuse, SpanId, Step, StepId};
use crate::units::human_duration;
use crate::words::ErrorKind;

/// The map of an answer with more room for headers than this is not kept for the next request.
const LARGEST_SPARE: usize = 64;

/// How a step ended, for whoever runs steps in a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StepEnd {
    /// It went as the scenario has it, or was left out for want of a value.
    Went,
    /// Request, checks or captures failed; of a talkative virtual user the sentence says how.
    Failed(String),
    /// There is no time left: the iteration is over.
    Over,
}

impl Vu {
    /// One request with its checks and captures. `now` is the moment at which it starts.
    pub(super) async fn step(&mut self, id: StepId, span: SpanId, hard: Instant, now: Instant) -> StepEnd {
        let crew = Rc::clone(&self.crew);
        let step = crew.plan.step(id);
        if hard <= now || crew.stopper.order().is_some() {
            return StepEnd::Over;
        }
        if self.is_left_out(step, id, span) {
            return StepEnd::Went;
        }
        let spare = std::mem::take(&mut self.spare_headers);
        // To build the request again as it was, should the answer lead elsewhere.
        let seed = self.values.rng.clone();
        let mut request = match self.values.request(&step.request, spare, &crew.plan.target) {
            Ok(request) => Some(request),
            Err(unfilled) => {
                return self.scenario_error(id, span, now, unfilled_message(&crew.plan, &unfilled));
            }
        };
        let undoes = self.undos.borrow().are_undone_by(id);
        let path = request.as_ref().filter(|_| undoes).map(|it| it.uri().clone());
        let note = match (step.undo, &request) {
            // Written down before it is sent: should palier be killed now, its answer will never be seen.
            (Some(_), Some(it)) => Some(crew.pen.borrow_mut().sent(id, it.uri(), it.body().bytes())),
            _ => None,
        };
        self.deadline.set((now + step.timeout).min(hard));
        let limits = Limits { stopper: Some(&crew.stopper), hard };
        self.go_to(Site::Target);
        let mut attempt = self.attempt(step, &mut request, limits, now).await;
        let (mut begin, mut hop) = (now, None);
        if step.redirects > 0
            && let Attempt::Answered { answer, .. } = &attempt
            && is_redirect(answer)
        {
            // Boxed, because every virtual user would carry the room for it all the time.
            let followed = Box::pin(self.follow((id, span), &seed, limits, attempt, now)).await;
            (attempt, begin, hop) = (followed.attempt, followed.begin, Some(Box::new(followed.hop)));
        }
        // What was redirected was sent, whatever became of the hop.
        let was_sent = hop.is_some() || self.connection.is_some();
        let (sent, received) =
            self.connection.as_ref().map(|connection| connection.meter.take_bytes()).unwrap_or_default();
        if crew.plan.target.connections.reuse == Reuse::Request {
            self.connection = None;
        }
        self.correct(&mut attempt, step, begin);
        let mut sample = Sample {
            step: id,
            span,
            start: crew.offset(begin),
            timings: None,
            status: None,
            failure: Failure::None,
            passes: 0,
            fails: 0,
            sent,
            received,
        };
        match attempt {
            Attempt::Answered { mut answer, timings } => {
                sample.timings = Some(timings);
                sample.status = Some(answer.status);
                if let Some(path) = path {
                    self.undos.borrow_mut().done(&crew, id, &path, answer.status);
                }
                self.keep_last_cookies(step, &answer, hop, &seed);
                let end = match decoded(step, &mut answer) {
                    None => self.answered(step, &mut sample, &answer, timings.duration()),
                    Some(trouble) => self.failed(step, &mut sample, trouble),
                };
                if answer.headers.capacity() <= LARGEST_SPARE {
                    // Its values are slices of the buffer that the answer was read into, which they would keep.
                    answer.headers.clear();
                    self.spare_headers = answer.headers;
                }
                self.note_created(id, note, answer.status);
                end
            }
            Attempt::Broken { trouble, status } => {
                self.connection = None;
                self.note_unanswered(note, was_sent);
                sample.status = status;
                self.failed(step, &mut sample, trouble)
            }
            Attempt::GaveUp { why, timings, late } => {
                self.connection = None;
                sample.timings = timings;
                match late {
                    Some(mut answer) => self.answered_too_late(id, note, &mut answer),
                    None => self.note_unanswered(note, was_sent),
                }
                if matches!(why, GaveUp::Stopped) {
                    sample.failure = Failure::Interrupted;
                    crew.recorder.borrow_mut().request(&sample);
                    return StepEnd::Over;
                }
                let trouble = given_up(&why, step, timings.is_some(), now);
                let kind = trouble.kind;
                let end = self.failed(step, &mut sample, trouble);
                if kind == ErrorKind::Cut { StepEnd::Over } else { end }
            }
        }
    }

    /// Takes the cookies that the last answer of a step sets, if it does.
    fn keep_last_cookies(
        &mut self,
        step: &Step,
        answer: &Answer,
        hop: Option<Box<Hop>>,
        seed: &fastrand::Rng,
    ) {
        if self.crew.plan.target.cookies && answer.headers.contains_key(SET_COOKIE) {
            let hop = hop.unwrap_or_else(|| Box::new(self.first_hop(step, seed)));
            self.keep_cookies(answer, &hop);
        }
    }

    /// Whether a step is not made this time.
    fn is_left_out(&mut self, step: &Step, id: StepId, span: SpanId) -> bool {
        if step.needs.iter().any(|slot| self.values.slots[usize::from(slot.0)].is_none()) {
            self.crew.recorder.borrow_mut().skipped(span, id);
            return true;
        }
        false
    }

    /// Adds the time since the scheduled start, in the open model: of an iteration's first request since the
    /// iteration was due, of a later one since its connection was wanted.
    pub(super) fn correct(&mut self, attempt: &mut Attempt, step: &Step, now: Instant) {
        let is_open = step.load.is_some_and(|load| self.crew.plan.load(load).executor.is_open());
        let waited = self.due.take().map_or(Duration::ZERO, |due| now - due);
        if let Attempt::Answered { timings, .. } | Attempt::GaveUp { timings: Some(timings), .. } = attempt
            && is_open
        {
            timings.corrected = Some(waited + timings.blocked + timings.duration());
        }
    }

    /// Counts a request that got no answer.
    fn failed(&self, step: &Step, sample: &mut Sample, trouble: Trouble) -> StepEnd {
        sample.failure = Failure::Kind(trouble.kind);
        let mut recorder = self.crew.recorder.borrow_mut();
        recorder.request(sample);
        let end = self.failed_with(step, || format!("{}: {}", trouble.kind, trouble.message));
        recorder.error(sample, trouble.kind, || self.example(sample.start, trouble.message));
        end
    }

    /// Counts an answered request, tries its checks and captures, and notes what it created.
    fn answered(&mut self, step: &Step, sample: &mut Sample, answer: &Answer, duration: Duration) -> StepEnd {
        let crew = Rc::clone(&self.crew);
        let mut recorder = crew.recorder.borrow_mut();
        let (span, id, start) = (sample.span, sample.step, sample.start);
        let inspected = Inspected::new(answer, duration, &crew.plan.secrets);
        let mut end = StepEnd::Went;

        for (index, check) in step.checks.iter().enumerate() {
            let held = inspected.holds(check, &mut self.values);
            recorder.check(span, id, index, held);
            if held {
                sample.passes += 1;
            } else {
                sample.fails += 1;
                let example =
                    || FirstError { at: start, vu: self.values.vu, message: inspected.instead(check) };
                recorder.check_example(span, id, index, example);
                end = self
                    .failed_with(step, || format!("check `{}`: {}", check.name, inspected.instead(check)));
            }
        }
        let unexpected = answer.status >= 400 && !step.expected.contains(answer.status);
        if unexpected {
            sample.failure = Failure::Kind(ErrorKind::Status);
            end = self.failed_with(step, || inspected.describe());
        }
        recorder.request(sample);
        if unexpected || sample.fails > 0 {
            let kind = if unexpected { ErrorKind::Status } else { ErrorKind::Check };
            recorder.error(sample, kind, || self.example(start, inspected.describe()));
        }
        if !unexpected {
            for capture in &step.captures {
                let found = inspected.capture(&capture.from);
                if found.is_none() {
                    let message =
                        || format!("nothing to capture as `{}` in {}", capture.name, inspected.describe());
                    end = self.failed_with(step, message);
                    recorder.scenario_error(span, id, || self.example(start, message()));
                }
                self.values.slots[usize::from(capture.slot.0)] = found.map(Rc::from);
            }
        }
        end
    }

    /// Takes from an answer that no longer counts what is needed to undo what the request created.
    fn answered_too_late(&mut self, id: StepId, note: Option<u64>, answer: &mut Answer) {
        let crew = Rc::clone(&self.crew);
        let step = crew.plan.step(id);
        // Of a body that cannot be read there is nothing to capture, which is said then.
        let _ = decoded(step, answer);
        let inspected = Inspected::new(answer, Duration::ZERO, &crew.plan.secrets);
        for capture in &step.captures {
            self.values.slots[usize::from(capture.slot.0)] = inspected.capture(&capture.from).map(Rc::from);
        }
        self.note_created(id, note, answer.status);
    }

    /// Notes what came of a request that has a `note` in the journal, because it may have created something.
    fn note_created(&mut self, id: StepId, note: Option<u64>, status: u16) {
        let (Some(note), Some(undo)) = (note, self.crew.plan.step(id).undo) else { return };
        if (200..300).contains(&status) {
            self.undos.borrow_mut().created(&self.crew, &mut self.values, id, undo, note);
        } else {
            self.crew.pen.borrow_mut().refused(note);
        }
    }

    /// Notes that a request got no answer. One that was sent may have created something all the same.
    fn note_unanswered(&self, note: Option<u64>, was_sent: bool) {
        match note {
            Some(_) if was_sent => self.crew.cleanup.borrow_mut().unanswered += 1,
            Some(note) => self.crew.pen.borrow_mut().refused(note),
            None => {}
        }
    }

    fn scenario_error(&self, id: StepId, span: SpanId, now: Instant, message: String) -> StepEnd {
        let crew = &self.crew;
        let end = self.failed_with(crew.plan.step(id), || message.clone());
        let at = crew.offset(now);
        crew.recorder.borrow_mut().scenario_error(span, id, || self.example(at, message));
        end
    }

    /// That a step failed, in words where somebody reads them.
    fn failed_with(&self, step: &Step, why: impl FnOnce() -> String) -> StepEnd {
        StepEnd::Failed(if self.is_talkative {
            format!("step `{}`: {}", step.name, why())
        } else {
            String::new()
        })
    }

    fn example(&self, at: Duration, message: String) -> FirstError {
        FirstError { at, vu: self.values.vu, message }
    }
}

/// Takes the compression off a body that somebody reads; what keeps it from being read.
#[inline]
fn decoded(step: &Step, answer: &mut Answer) -> Option<Trouble> {
    if step.reads_body || answer.status >= 400 { unpack(step, answer) } else { None }
}

fn unpack(step: &Step, answer: &mut Answer) -> Option<Trouble> {
    match decode(&answer.headers, &answer.body) {
        Ok(Some(body)) => answer.body = body,
        Ok(None) => {}
        Err(trouble) if step.reads_body => return Some(trouble),
        // Nobody but the example of an error would have shown it.
        Err(_) => answer.body = Bytes::new(),
    }
    None
}

/// What it is called that waiting was given up.
fn given_up(why: &GaveUp, step: &Step, was_connected: bool, begin: Instant) -> Trouble {
    match why {
        GaveUp::Timeout if !was_connected => Trouble::new(
            ErrorKind::ConnectTimeout,
            format!("no connection within {}", human_duration(step.timeout)),
        ),
        GaveUp::Timeout => Trouble::new(
            ErrorKind::Timeout,
            format!("no complete answer within {}", human_duration(step.timeout)),
        ),
        GaveUp::Cut | GaveUp::Stopped => Trouble::new(
            ErrorKind::Cut,
            format!("still open after {}, at the end of the load's grace", human_duration(begin.elapsed())),
        ),
    }
}

fn unfilled_message(plan: &Plan, unfilled: &Unfilled) -> String {
    match unfilled {
        Unfilled::Missing(slot) => {
            let name = plan.slots.get(usize::from(slot.0)).map_or("?", String::as_str);
            format!(
                "`{{{{{name}}}}}` was not captured before it is used (`needs = [\"{name}\"]` would skip the step)"
            )
        }
        Unfilled::Invalid(message) => message.clone(),
    }
}
