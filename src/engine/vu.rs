//! A virtual user: runs iterations one after another, with its own connection and variables.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;

use super::connect::{Connection, Dialer, Trouble};
use super::deadline::{Deadline, Stopper};
use super::exchange::{Answer, Failed, Stopwatch, exchange};
use super::inspect::Inspected;
use super::render::{Unfilled, Values};
use super::turns::Turns;
use super::undo::{Backoff, Undos, is_gone};
use crate::metrics::{Cleanup, Failure, FirstError, IterationEnd, Recorder, Sample, Timings};
use crate::plan::{LoadId, Pause, Plan, Reuse, SpanId, Step, StepId};
use crate::words::{ErrorKind, Phase};

/// How long the answer to a request that creates something is waited for once it no longer counts.
const LATE_ANSWER: Duration = Duration::from_secs(5);

/// How long one attempt to undo something may take, and all attempts after one iteration.
const UNDO_ATTEMPT: Duration = Duration::from_secs(5);
const UNDO_ALL: Duration = Duration::from_secs(30);

/// What the virtual users of one thread share.
pub(super) struct Crew {
    pub(super) plan: Arc<Plan>,
    pub(super) dialer: Dialer,
    /// The start of the load.
    pub(super) origin: Instant,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) cleanup: RefCell<Cleanup>,
    /// When the last iteration of each load ended, counted from the start of the load.
    pub(super) ends: RefCell<Vec<Duration>>,
    pub(super) stopper: Rc<Stopper>,
}

impl Crew {
    /// Time since the start of the load; zero before it.
    pub(super) fn offset(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.origin)
    }
}

/// One virtual user.
pub(super) struct Vu {
    pub(super) crew: Rc<Crew>,
    pub(super) values: Values,
    pub(super) undos: Rc<RefCell<Undos>>,
    connection: Option<Connection>,
    deadline: Deadline,
    body: Vec<u8>,
    stages: StageCursor,
    /// When the iteration was due, in the open model, until its first request has been made.
    due: Option<Instant>,
}

/// How a step ended, for whoever runs steps in a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StepEnd {
    /// It went as the scenario has it, or was left out for want of a value.
    Went,
    /// Request, checks or captures failed; the sentence says how.
    Failed(String),
    /// There is no time left: the iteration is over.
    Over,
}

/// Why waiting for the target was given up.
enum GaveUp {
    /// The step's time was over.
    Timeout,
    /// The iteration's time was over.
    Cut,
    /// A signal or an abort.
    Stopped,
}

/// How an attempt to get an answer ended.
enum Attempt {
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

impl Vu {
    pub(super) fn new(crew: Rc<Crew>, number: u32, slots: Vec<Option<Rc<str>>>) -> Self {
        let undos = Rc::new(RefCell::new(Undos::default()));
        let rng = fastrand::Rng::new();
        let now = Instant::now();
        Self {
            crew,
            values: Values { vu: number, iteration: 0, slots, rng },
            undos,
            connection: None,
            deadline: Deadline::new(now + Duration::from_secs(60)),
            body: Vec::new(),
            stages: StageCursor::default(),
            due: None,
        }
    }

    /// Runs iterations of a load for as long as there are turns.
    pub(super) async fn run(mut self, load: LoadId, mut turns: Turns) {
        let crew = Rc::clone(&self.crew);
        let plan = &crew.plan;
        let n_shared = plan.shared_slots;
        loop {
            let connection = &mut self.connection;
            let Some(turn) = turns.next(|| *connection = None).await else { break };
            let begin = Instant::now();
            let span = self.stages.span(plan, load, crew.offset(begin));
            if let Some(due) = turn.due {
                crew.recorder.borrow_mut().iteration_lag(span, begin - due);
            }
            self.due = turn.due;
            let completed = self.iteration(load, turn.hard, begin).await;
            let end = Instant::now();
            if completed {
                let iteration = IterationEnd { load, span, end: crew.offset(end), duration: end - begin };
                crew.recorder.borrow_mut().iteration(&iteration);
            } else {
                crew.recorder.borrow_mut().iteration_cut(span);
            }
            {
                let mut ends = crew.ends.borrow_mut();
                let own = &mut ends[usize::from(load.0)];
                *own = (*own).max(crew.offset(end));
            }
            self.undo_all().await;
            self.values.iteration += 1;
            self.values.slots[n_shared..].fill(None);
            self.retire_connection();
            if !completed {
                continue;
            }
            if let Some(pace) = plan.load(load).pace {
                let next = (begin + pace).min(turn.hard);
                if !crew.stopper.sleep_until(next).await {
                    break;
                }
            }
        }
    }

    /// One pass of the scenario; `false` if it was cut.
    async fn iteration(&mut self, load: LoadId, hard: Instant, begin: Instant) -> bool {
        let crew = Rc::clone(&self.crew);
        let load_plan = crew.plan.load(load);
        let mut now = begin;
        for id in &load_plan.steps {
            let span = self.stages.span(&crew.plan, load, crew.offset(now));
            if self.step(*id, span, hard, now).await == StepEnd::Over {
                return false;
            }
            if let Some(pause) = &crew.plan.step(*id).pause
                && !self.pause(pause, hard).await
            {
                return false;
            }
            now = Instant::now();
        }
        match &load_plan.pause {
            Some(pause) => self.pause(pause, hard).await,
            None => true,
        }
    }

    /// Waits; `false` if there was not the time for it.
    pub(super) async fn pause(&mut self, pause: &Pause, hard: Instant) -> bool {
        let length = match *pause {
            Pause::Fixed(length) => length,
            Pause::Uniform { min, max } => min + (max.saturating_sub(min)).mul_f64(self.values.rng.f64()),
            // The inverse of the exponential distribution; 1 - f64() is never 0.
            Pause::Exponential { mean } => mean.mul_f64(-(1.0 - self.values.rng.f64()).ln()),
        };
        let end = Instant::now() + length;
        self.crew.stopper.sleep_until(end.min(hard)).await && end <= hard
    }

    /// One request with its checks and captures. `now` is the moment at which it starts.
    pub(super) async fn step(&mut self, id: StepId, span: SpanId, hard: Instant, now: Instant) -> StepEnd {
        let crew = Rc::clone(&self.crew);
        let step = crew.plan.step(id);
        if hard <= now || crew.stopper.order().is_some() {
            return StepEnd::Over;
        }
        if step.needs.iter().any(|slot| self.values.slots[usize::from(slot.0)].is_none()) {
            crew.recorder.borrow_mut().skipped(span, id);
            return StepEnd::Went;
        }
        let request = match self.values.request(&step.request) {
            Ok(request) => request,
            Err(unfilled) => {
                return self.scenario_error(id, span, now, unfilled_message(&crew.plan, &unfilled));
            }
        };
        let path = (!self.undos.borrow().is_empty()).then(|| request.uri().clone());
        self.deadline.set((now + step.timeout).min(hard));
        let attempt = self.attempt(step, request, Limits { stopper: Some(&crew.stopper), hard }, now).await;
        let (sent, received) =
            self.connection.as_ref().map(|connection| connection.meter.take_bytes()).unwrap_or_default();
        if crew.plan.target.connections.reuse == Reuse::Request {
            self.connection = None;
        }
        let attempt = self.corrected(attempt, step, now);
        let mut sample = Sample {
            step: id,
            span,
            start: crew.offset(now),
            timings: None,
            status: None,
            failure: Failure::None,
            passes: 0,
            fails: 0,
            sent,
            received,
        };
        match attempt {
            Attempt::Answered { answer, timings } => {
                sample.timings = Some(timings);
                sample.status = Some(answer.status);
                if let Some(path) = path {
                    self.undos.borrow_mut().done(id, &path, answer.status, &crew.cleanup);
                }
                self.answered(step, &mut sample, &answer, timings.duration())
            }
            Attempt::Broken { trouble, status } => {
                self.connection = None;
                sample.status = status;
                self.failed(step, &mut sample, trouble)
            }
            Attempt::GaveUp { why, timings, late } => {
                self.connection = None;
                sample.timings = timings;
                if let Some(answer) = late {
                    self.answered_too_late(step, &answer);
                }
                let (kind, message) = match why {
                    GaveUp::Stopped => {
                        sample.failure = Failure::Interrupted;
                        crew.recorder.borrow_mut().request(&sample);
                        return StepEnd::Over;
                    }
                    GaveUp::Timeout if timings.is_none() => {
                        (ErrorKind::ConnectTimeout, format!("no connection within {:?}", step.timeout))
                    }
                    GaveUp::Timeout => {
                        (ErrorKind::Timeout, format!("no complete answer within {:?}", step.timeout))
                    }
                    GaveUp::Cut => (
                        ErrorKind::Cut,
                        format!("still open after {:?}, at the end of the load's grace", now.elapsed()),
                    ),
                };
                let end = self.failed(step, &mut sample, Trouble::new(kind, message));
                if kind == ErrorKind::Cut { StepEnd::Over } else { end }
            }
        }
    }

    /// Adds the time since the scheduled start, in the open model: of an iteration's first request since the
    /// iteration was due, of a later one since its connection was wanted.
    fn corrected(&mut self, mut attempt: Attempt, step: &Step, now: Instant) -> Attempt {
        let is_open = step.load.is_some_and(|load| self.crew.plan.load(load).executor.is_open());
        let waited = self.due.take().map_or(Duration::ZERO, |due| now - due);
        if let Attempt::Answered { timings, .. } | Attempt::GaveUp { timings: Some(timings), .. } =
            &mut attempt
            && is_open
        {
            timings.corrected = Some(waited + timings.blocked + timings.duration());
        }
        attempt
    }

    /// Counts a request that got no answer.
    fn failed(&self, step: &Step, sample: &mut Sample, trouble: Trouble) -> StepEnd {
        sample.failure = Failure::Kind(trouble.kind);
        let mut recorder = self.crew.recorder.borrow_mut();
        recorder.request(sample);
        let text = format!("step `{}`: {}: {}", step.name, trouble.kind, trouble.message);
        recorder.error(sample, trouble.kind, || self.example(sample.start, trouble.message));
        StepEnd::Failed(text)
    }

    /// Counts an answered request, tries its checks and captures, and notes what it created.
    fn answered(&mut self, step: &Step, sample: &mut Sample, answer: &Answer, duration: Duration) -> StepEnd {
        let crew = Rc::clone(&self.crew);
        let mut recorder = crew.recorder.borrow_mut();
        let (span, id, start) = (sample.span, sample.step, sample.start);
        let inspected = Inspected::new(answer, &self.body, duration);
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
                end = StepEnd::Failed(format!(
                    "step `{}`: check `{}`: {}",
                    step.name,
                    check.name,
                    inspected.instead(check)
                ));
            }
        }
        let unexpected = answer.status >= 400 && !step.expected.contains(answer.status);
        if unexpected {
            sample.failure = Failure::Kind(ErrorKind::Status);
            end = StepEnd::Failed(format!("step `{}`: {}", step.name, inspected.describe()));
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
                        format!("nothing to capture as `{}` in {}", capture.name, inspected.describe());
                    end = StepEnd::Failed(format!("step `{}`: {message}", step.name));
                    recorder.scenario_error(span, id, || self.example(start, message));
                }
                self.values.slots[usize::from(capture.slot.0)] = found.map(Rc::from);
            }
        }
        drop(recorder);
        self.note_created(step, answer.status);
        end
    }

    /// Takes from an answer that no longer counts what is needed to undo what the request created.
    fn answered_too_late(&mut self, step: &Step, answer: &Answer) {
        let inspected = Inspected::new(answer, &self.body, Duration::ZERO);
        for capture in &step.captures {
            self.values.slots[usize::from(capture.slot.0)] = inspected.capture(&capture.from).map(Rc::from);
        }
        self.note_created(step, answer.status);
    }

    fn note_created(&mut self, step: &Step, status: u16) {
        if (200..300).contains(&status)
            && let Some(undo) = step.undo
        {
            self.undos.borrow_mut().created(&self.crew, &mut self.values, step, undo);
        }
    }

    fn scenario_error(&self, id: StepId, span: SpanId, now: Instant, message: String) -> StepEnd {
        let crew = &self.crew;
        let text = format!("step `{}`: {message}", crew.plan.step(id).name);
        let at = crew.offset(now);
        crew.recorder.borrow_mut().scenario_error(span, id, || self.example(at, message));
        StepEnd::Failed(text)
    }

    fn example(&self, at: Duration, message: String) -> FirstError {
        FirstError { at, vu: self.values.vu, message }
    }

    /// Connects where that is needed, sends, and reads the answer, within the deadline that is set.
    async fn attempt(
        &mut self,
        step: &Step,
        request: http::Request<Full<Bytes>>,
        limits: Limits<'_>,
        now: Instant,
    ) -> Attempt {
        let crew = Rc::clone(&self.crew);
        let mut watch = Stopwatch::start(now);
        let mut request = request;
        let mut stale = false;
        loop {
            let rules = &crew.plan.target.connections;
            let worn_out = |requests| rules.max_requests.is_some_and(|most| requests >= most);
            let open = |connection: &Connection| {
                !stale && !connection.sender.is_closed() && !worn_out(connection.requests)
            };
            let kept = self.connection.as_ref().is_some_and(open);
            if !kept {
                self.connection = None;
                let dialed = match limits.wait(&mut self.deadline, pin!(crew.dialer.dial())).await {
                    Ok(Ok(dialed)) => dialed,
                    Ok(Err(trouble)) => return Attempt::Broken { trouble, status: None },
                    Err(why) => return Attempt::GaveUp { why, timings: None, late: None },
                };
                watch.connecting = dialed.connecting;
                watch.tls_handshaking = dialed.tls_handshaking;
                watch.ready = dialed.connection.opened;
                self.connection = Some(dialed.connection);
            }
            let connection = self.connection.as_mut().expect("invariant: just made, if it was not there");
            let meter = Rc::clone(&connection.meter);
            meter.begin(watch.ready);
            let mut exchange = pin!(exchange(connection, request, step.reads_body, &mut self.body));
            let (why, timings) = match limits.wait(&mut self.deadline, exchange.as_mut()).await {
                Ok(Ok(answer)) => return Attempt::Answered { answer, timings: watch.answered(&meter) },
                // The target had closed the kept connection before anything was sent on it: that is its right
                // (RFC 9112, 9.6), and no failure of this request, which goes on a new one.
                Ok(Err(Failed::NotSent(unsent))) if kept => {
                    (request, stale) = (*unsent, true);
                    continue;
                }
                Ok(Err(Failed::NotSent(_))) => {
                    let message = "the new connection was closed before the request could be sent";
                    return Attempt::Broken {
                        trouble: Trouble::new(ErrorKind::ClosedEarly, message),
                        status: None,
                    };
                }
                Ok(Err(Failed::Broken { trouble, status })) => return Attempt::Broken { trouble, status },
                Err(why) => (why, Some(watch.given_up(&meter, Instant::now()))),
            };
            // Only the answer says what has to be undone, so it is waited for, though it no longer counts.
            let late = match step.undo {
                Some(_) => late_answer(&crew.stopper, exchange).await,
                None => None,
            };
            return Attempt::GaveUp { why, timings, late };
        }
    }

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
            let attempt = self.attempt(step, undo.request.clone(), limits, now).await;
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

    /// Gives the connection up between iterations where the profile wants it.
    fn retire_connection(&mut self) {
        let rules = &self.crew.plan.target.connections;
        let Some(connection) = &self.connection else { return };
        let too_old = rules.max_age.is_some_and(|age| connection.opened.elapsed() >= age);
        if rules.reuse != Reuse::Vu || too_old {
            self.connection = None;
        }
    }
}

/// Which stage of a load a moment lies in; moments come in order, so a cursor finds it at once.
#[derive(Debug, Default)]
struct StageCursor(usize);

impl StageCursor {
    fn span(&mut self, plan: &Plan, load: LoadId, at: Duration) -> SpanId {
        let load = plan.load(load);
        while let Some(id) = load.stages.get(self.0) {
            let span = plan.span(*id);
            if at < span.start + span.duration {
                return *id;
            }
            self.0 += 1;
        }
        load.grace
    }
}

/// What ends the waiting for an answer, beside the deadline.
#[derive(Clone, Copy)]
struct Limits<'a> {
    /// The order to stop; none for clean-up, which goes on after it.
    stopper: Option<&'a Stopper>,
    /// The end of the iteration's grace: a deadline that falls together with it is a cut.
    hard: Instant,
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
