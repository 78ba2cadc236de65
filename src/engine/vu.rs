//! A virtual user: runs iterations one after another, with its own connection and variables.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;

use super::backlog::Backlog;
use super::connect::Dialer;
use super::connection::{Connection, LONG_PAUSE};
use super::deadline::{Deadline, Stopper};
use super::redirect::Site;
use super::render::Values;
use super::step::StepEnd;
use super::turns::Turns;
use super::undo::Undos;
use crate::journal::Pen;
use crate::metrics::{Cleanup, IterationEnd, Recorder};
use crate::plan::{LoadId, Pause, Plan, Reuse, SpanId};

/// What the virtual users of one thread share.
pub(super) struct Crew {
    pub(super) plan: Arc<Plan>,
    pub(super) dialer: Dialer,
    /// The start of the load.
    pub(super) origin: Instant,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) cleanup: RefCell<Cleanup>,
    /// Writes down what is created, and what of it is undone.
    pub(super) pen: RefCell<Pen>,
    /// What is left to be undone beside the load.
    pub(super) backlog: Backlog,
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
    /// Whether failures of steps are wanted in words: in setup and teardown, not under load.
    pub(super) is_talkative: bool,
    pub(super) connection: Option<Connection>,
    /// Where that connection leads to.
    pub(super) site: Site,
    /// Connections to other sites; none unless a redirect led there.
    pub(super) parked: Vec<(Site, Connection)>,
    pub(super) deadline: Deadline,
    /// The headers of the last answer, whose room the next request takes.
    pub(super) spare_headers: HeaderMap,
    /// When the iteration was due, in the open model, until its first request has been made.
    pub(super) due: Option<Instant>,
    stages: StageCursor,
}

impl Vu {
    pub(super) fn new(crew: Rc<Crew>, number: u32, slots: Vec<Option<Rc<str>>>) -> Self {
        let undos = Rc::new(RefCell::new(Undos::default()));
        let rng = fastrand::Rng::new();
        let now = Instant::now();
        Self {
            crew,
            values: Values { vu: number, iteration: 0, slots, rng, jar: None },
            undos,
            is_talkative: false,
            connection: None,
            site: Site::Target,
            parked: Vec::new(),
            deadline: Deadline::new(now + Duration::from_secs(60)),
            spare_headers: HeaderMap::new(),
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
            let parked = &mut self.parked;
            let away = || {
                *connection = None;
                parked.clear();
            };
            let Some(turn) = turns.next(away).await else { break };
            let begin = turn.begin;
            let span = self.stages.span(plan, load, crew.offset(begin));
            if let Some(due) = turn.due {
                crew.recorder.borrow_mut().iteration_lag(span, begin - due);
            }
            self.due = turn.due;
            let completed = self.iteration(load, turn.hard, begin).await;
            let end = completed.unwrap_or_else(Instant::now);
            let completed = completed.is_some();
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
            if !self.undos.borrow().is_empty() {
                // Boxed, because every virtual user would carry the room for it all the time.
                Box::pin(self.undo_in_passing()).await;
            }
            self.values.iteration += 1;
            self.values.slots[n_shared..].fill(None);
            if let Some(jar) = &mut self.values.jar {
                jar.end_iteration();
            }
            self.retire_connection();
            if !completed {
                continue;
            }
            if let Some(pace) = plan.load(load).pace {
                let next = (begin + pace).min(turn.hard);
                self.let_connection_sleep(next.saturating_duration_since(end));
                if !crew.stopper.sleep_until(next).await {
                    break;
                }
            }
        }
    }

    /// One pass of the scenario; when it came to its end, or `None` if it was cut.
    async fn iteration(&mut self, load: LoadId, hard: Instant, begin: Instant) -> Option<Instant> {
        let crew = Rc::clone(&self.crew);
        let load_plan = crew.plan.load(load);
        let mut now = begin;
        for id in &load_plan.steps {
            let span = self.stages.span(&crew.plan, load, crew.offset(now));
            if self.step(*id, span, hard, now).await == StepEnd::Over {
                return None;
            }
            if let Some(pause) = &crew.plan.step(*id).pause
                && !self.pause(pause, hard).await
            {
                return None;
            }
            now = Instant::now();
        }
        let Some(pause) = &load_plan.pause else { return Some(now) };
        self.pause(pause, hard).await.then(Instant::now)
    }

    /// Waits; `false` if there was not the time for it.
    pub(super) async fn pause(&mut self, pause: &Pause, hard: Instant) -> bool {
        let length = match *pause {
            Pause::Fixed(length) => length,
            Pause::Uniform { min, max } => min + (max.saturating_sub(min)).mul_f64(self.values.rng.f64()),
            // The inverse of the exponential distribution; 1 - f64() is never 0.
            Pause::Exponential { mean } => mean.mul_f64(-(1.0 - self.values.rng.f64()).ln()),
        };
        self.let_connection_sleep(length);
        let end = Instant::now() + length;
        self.crew.stopper.sleep_until(end.min(hard)).await && end <= hard
    }

    /// Gives up what the connection needs to be talked over, where it will not be for a while.
    fn let_connection_sleep(&mut self, length: Duration) {
        if length >= LONG_PAUSE
            && let Some(connection) = &mut self.connection
        {
            connection.sleep();
        }
    }

    /// Gives the connection up between iterations where the profile wants it.
    fn retire_connection(&mut self) {
        let rules = &self.crew.plan.target.connections;
        if rules.reuse != Reuse::Vu {
            self.connection = None;
            self.parked.clear();
        } else if rules.max_age.is_some() {
            let now = Instant::now();
            let is_too_old = |it: &Connection| it.expires.is_some_and(|at| now >= at);
            self.connection.take_if(|it| is_too_old(it));
            // The one to the target is among these where the iteration ended elsewhere.
            self.parked.retain(|(_, it)| !is_too_old(it));
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
