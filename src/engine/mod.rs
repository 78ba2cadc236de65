//! Applies the load of a plan to its target.
//!
//! A thread a core, each with its own single-threaded runtime; a virtual user is a local task of one of them,
//! with its own keep-alive connection; recording goes to the thread's own recorder. Once a second each worker
//! hands its interval to the collector, which is the only one that waits for signals, and asks whoever started
//! it whether the run goes on. Three parts do not know each other: when iterations start ([`schedule`],
//! `turns`), how a request gets there and back (`connect`, `wire`, `exchange`), and what is made of the answer
//! (`inspect`, [`crate::metrics`]).
//!
//! This room formats no report, opens no file and knows no threshold: it turns a [`Plan`] into [`Results`].

mod arrivals;
mod attempt;
mod backlog;
mod connect;
mod connection;
mod cookies;
mod deadline;
mod decode;
mod driver;
mod exchange;
pub(crate) mod fuzz;
mod heartbeat;
mod inspect;
mod payload;
mod ready;
mod redirect;
mod render;
pub mod schedule;
mod seek;
mod step;
mod sweep;
mod timer;
mod turns;
mod undo;
mod vu;
mod wire;
mod worker;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::task::LocalSet;

use self::backlog::Backlog;
use self::connect::Dialer;
use self::deadline::Stopper;
use self::step::StepEnd;
use self::vu::{Crew, Vu};
use self::worker::{Assignment, Farewell, Order, Report};
use crate::journal::Writer;
use crate::metrics::{Recorder, Results, Stop};
use crate::observe::generator::Watch;
use crate::plan::{Executor, Load, Plan, Shard, StepId, Target};
use crate::reach::Way;
use crate::words::Phase;

pub use self::sweep::{Errand, Outcome, sweep};

/// After a signal: GitHub kills a cancelled job 10 s after the first one, and reports are still to be written.
const UNDO_AFTER_SIGNAL: Duration = Duration::from_secs(5);

/// After an abort nobody is in a hurry.
const UNDO_AFTER_ABORT: Duration = Duration::from_secs(30);

/// How long a target may take to be ready where nobody waits for it.
const A_LOOK: Duration = Duration::from_secs(5);

/// Time for the threads to come up, so that nobody is late for the first moment.
const COMING_UP: Duration = Duration::from_millis(50);

/// Workers that have not ended this long after the last moment of the plan never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request from outside to end the run: the name of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(pub &'static str);

/// What is done when the load is over, or a second of it.
pub trait Watcher {
    /// The part of the run that begins now.
    fn phase(&mut self, phase: RunPhase);

    /// The load begins at that moment, which is near.
    fn begins(&mut self, _origin: Instant) {}

    /// Another second of the load is over. A name ends the load: that of the threshold that asks for it. What observers
    /// saw so far may be added to the results.
    fn second(&mut self, results: &mut Results, elapsed: Duration) -> Option<String>;

    /// The last iteration was over at that moment, with these results; what follows is teardown.
    fn ends(&mut self, _results: &Results, _end: Instant) {}
}

/// The parts of a run, as a watcher is told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPhase {
    /// Waiting for the target to be ready.
    Ready,
    /// Running the steps of setup.
    Setup,
    /// Applying the load.
    Load,
    /// Stopped early: undoing what was created.
    Undo,
    /// Running the steps of teardown.
    Teardown,
}

/// Looks once whether a target is there and ready; else a sentence that says what it did instead.
pub async fn look_at(target: &Target, way: Option<&Arc<dyn Way>>) -> Result<(), String> {
    let mut target = target.clone();
    target.wait = A_LOOK;
    if let Some(ready) = &mut target.ready {
        ready.within = A_LOOK;
    }
    ready::wait(&target, way).await.map(drop)
}

/// Runs a plan to its end, or to the first signal. A second signal ends it at once, whatever is left undone.
///
/// Never fails: a run that could not be started has results too, without a request, and [`Stop::NotStarted`]
/// says why.
///
/// Connections are made straight to the target, or else its streams are opened by a way.
pub async fn run(
    plan: Arc<Plan>,
    way: Option<&Arc<dyn Way>>,
    journal: &Writer,
    signals: &mut UnboundedReceiver<Signal>,
    watcher: &mut dyn Watcher,
) -> Results {
    LocalSet::new().run_until(conduct(plan, way, journal, signals, watcher)).await
}

async fn conduct(
    plan: Arc<Plan>,
    way: Option<&Arc<dyn Way>>,
    journal: &Writer,
    signals: &mut UnboundedReceiver<Signal>,
    watcher: &mut dyn Watcher,
) -> Results {
    let mut results = Results::new(&plan);
    watcher.phase(RunPhase::Ready);
    let dialer = tokio::select! {
        dialer = ready::wait(&plan.target, way) => dialer,
        signal = next(signals) => {
            results.stop = Stop::Interrupted(signal.0.to_owned());
            return results;
        }
    };
    let dialer = match dialer {
        Ok((dialer, ahead)) => {
            results.clock.target_ahead = ahead;
            dialer
        }
        Err(why) => {
            results.stop = Stop::NotStarted(why);
            return results;
        }
    };

    // Setup and teardown are steps of a virtual user that has no number.
    let crew = Rc::new(Crew {
        recorder: RefCell::new(Recorder::new(&plan)),
        cleanup: RefCell::default(),
        pen: RefCell::new(journal.pen()),
        backlog: Backlog::default(),
        ends: RefCell::default(),
        stopper: Stopper::new(),
        plan: plan.clone(),
        dialer: dialer.clone(),
        origin: Instant::now(),
    });
    let mut caretaker = Vu::new(crew.clone(), 0, vec![None; plan.slots.len()]);
    caretaker.is_talkative = true;
    let mut hurried = false;
    if !plan.setup.is_empty() {
        watcher.phase(RunPhase::Setup);
        let failed = tokio::select! {
            failed = sequence(&mut caretaker, &plan.setup, Phase::Setup, true) => failed.into_iter().next(),
            signal = next(signals) => {
                results.stop = Stop::Interrupted(signal.0.to_owned());
                hurried = true;
                None
            }
        };
        if let Some(why) = failed {
            results.stop = Stop::NotStarted(format!("setup failed: {why}"));
        }
    }
    if results.stop == Stop::Done
        && let Some(at) = plan.start_at
    {
        tokio::select! {
            () = until(at) => {}
            // There is nothing under way, and time to put back what `setup` made.
            signal = next(signals) => results.stop = Stop::Interrupted(signal.0.to_owned()),
        }
    }
    if results.stop == Stop::Done {
        watcher.phase(RunPhase::Load);
        let shared: Vec<Option<String>> = caretaker.values.slots[..plan.shared_slots]
            .iter()
            .map(|slot| slot.as_deref().map(str::to_owned))
            .collect();
        let gear = Gear { dialer: &dialer, journal, shared: &shared };
        hurried = load(&plan, gear, signals, watcher, &mut results).await == Ending::AtOnce;
        results.at_once = hurried;
    }
    if !hurried {
        let steps = async {
            watcher.phase(RunPhase::Teardown);
            results.teardown_failures =
                sequence(&mut caretaker, &plan.teardown, Phase::Teardown, false).await;
            caretaker.undo_all().await;
        };
        // A signal now means: write down what there is.
        tokio::select! {
            () = steps => {}
            _ = next(signals) => {}
        }
    }
    caretaker.undos.borrow_mut().give_up_all(&crew);
    results.add(crew.recorder.borrow_mut().take());
    results.cleanup.merge(&crew.cleanup.take());
    results
}

/// Waits until a moment by the clock on the wall, less what workers take to come up.
async fn until(at: SystemTime) {
    // In pieces, because that clock may be set meanwhile.
    while let Ok(left) = at.duration_since(SystemTime::now() + COMING_UP)
        && !left.is_zero()
    {
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
    }
}

/// The next signal; never, if there can be none any more.
async fn next(signals: &mut UnboundedReceiver<Signal>) -> Signal {
    match signals.recv().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

/// Runs steps in a row; the sentences say which failed.
async fn sequence(vu: &mut Vu, steps: &[StepId], phase: Phase, stop_at_first: bool) -> Vec<String> {
    let crew = Rc::clone(&vu.crew);
    let mut failures = Vec::new();
    let Some(span) = crew.plan.spans_of(phase).next() else { return failures };
    for id in steps {
        let now = Instant::now();
        let step = crew.plan.step(*id);
        let hard = now + step.timeout + Duration::from_secs(1);
        if let StepEnd::Failed(why) = vu.step(*id, span, hard, now).await {
            failures.push(why);
            if stop_at_first {
                break;
            }
        }
        if let Some(pause) = &step.pause {
            vu.pause(pause, hard + Duration::from_secs(3600)).await;
        }
    }
    failures
}

/// How the load ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// There is time for what comes after it.
    Orderly,
    /// A second signal: there is none.
    AtOnce,
}

/// What every worker is given beside the plan.
#[derive(Clone, Copy)]
struct Gear<'a> {
    dialer: &'a Dialer,
    journal: &'a Writer,
    /// Values that `setup` captured, by slot.
    shared: &'a [Option<String>],
}

async fn load(
    plan: &Arc<Plan>,
    gear: Gear<'_>,
    signals: &mut UnboundedReceiver<Signal>,
    watcher: &mut dyn Watcher,
    results: &mut Results,
) -> Ending {
    let cores = std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let origin = Instant::now() + COMING_UP;
    let (began, mut watch) = (SystemTime::now() + origin.duration_since(Instant::now()), Watch::start());
    results.clock.began = Some(began);
    let (workers, orders, mut inbox) = employ(plan, gear, cores, origin);
    watcher.begins(origin);
    results.generator.workers = workers;
    let last = plan.loads.iter().map(|load| load.end() + load.graceful_stop).max().unwrap_or_default();
    let mut give_up_at = origin + last + PATIENCE;
    let mut second = 0_u32;
    let mut looks = 0_u32;
    let mut working = workers;
    let mut stopped_at = None;
    let mut signalled = false;
    let mut ending = Ending::Orderly;
    while working > 0 {
        // A moment after the workers have handed the second over.
        let tick = origin + Duration::from_secs(u64::from(second) + 1) + Duration::from_millis(150);
        // In the middle of each second, so that the shortest load is looked at, too.
        let look = origin + Duration::from_secs(u64::from(looks)) + Duration::from_millis(500);
        tokio::select! {
            report = inbox.recv() => match report {
                Some(Report::Interval(interval)) => results.add(*interval),
                Some(Report::Done(farewell)) => {
                    working -= 1;
                    results.cleanup.merge(&farewell.cleanup);
                    results.generator.planned += farewell.planned;
                    results.ends.resize(plan.loads.len(), Duration::ZERO);
                    for (own, end) in results.ends.iter_mut().zip(farewell.ends) {
                        *own = (*own).max(end);
                    }
                    results.generator.panics.extend(farewell.panics);
                }
                None => break,
            },
            signal = next(signals) => {
                if signalled {
                    // What the workers know of what is left behind is still waited for; they have it at hand.
                    results.stop = results.stop.clone().max(Stop::Interrupted(signal.0.to_owned()));
                    ending = Ending::AtOnce;
                    give_up_at = stop(&orders, Duration::ZERO);
                    continue;
                }
                // After an abort the first signal only shortens the time for undoing.
                signalled = true;
                results.stop = results.stop.clone().max(Stop::Interrupted(signal.0.to_owned()));
                stopped_at = stopped_at.or(Some(Instant::now()));
                give_up_at = stop(&orders, UNDO_AFTER_SIGNAL);
                watcher.phase(RunPhase::Undo);
            }
            () = tokio::time::sleep_until(look.into()) => {
                results.add_vitals(looks, &watch.look());
                looks += 1;
            }
            () = tokio::time::sleep_until(tick.into()) => {
                second += 1;
                let elapsed = origin.elapsed();
                results.elapsed = elapsed.min(plan.duration());
                if stopped_at.is_none()
                    && let Some(threshold) = watcher.second(results, elapsed)
                {
                    results.stop = Stop::Aborted(threshold);
                    stopped_at = Some(Instant::now());
                    give_up_at = stop(&orders, UNDO_AFTER_ABORT);
                    watcher.phase(RunPhase::Undo);
                }
            }
            () = tokio::time::sleep_until(give_up_at.into()) => {
                results.generator.panics.push(format!("{working} of {workers} workers did not end in time"));
                break;
            }
        }
    }
    let ended = Instant::now();
    results.elapsed = match stopped_at {
        Some(at) => at.saturating_duration_since(origin).min(plan.duration()),
        None => results.ends.iter().copied().max().unwrap_or_default().min(plan.duration()),
    };
    // Against the monotonic clock: whoever compares shards must know that theirs was a clock all the time.
    let by_the_clock = SystemTime::now().duration_since(began).unwrap_or_default();
    results.clock.jumped = by_the_clock.abs_diff(origin.elapsed());
    watcher.ends(results, ended);
    for load in &plan.loads {
        results.count_unstarted(load, plan.shard);
    }
    let used = watch.total();
    results.generator.cpu = used.cpu;
    results.generator.throttled = used.throttled;
    results.generator.cpu_available = used.cpu_available;
    results.generator.millicores = millicores(watch.cores());
    ending
}

fn millicores(cores: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of cores")]
    let millicores = (cores * 1e3).round() as u64;
    millicores
}

/// Starts a worker for each core; how many, the way to order them about, and what they report.
fn employ(
    plan: &Arc<Plan>,
    gear: Gear<'_>,
    cores: u32,
    origin: Instant,
) -> (u32, watch::Sender<Order>, UnboundedReceiver<Report>) {
    let vus = u32::try_from(plan.vus()).unwrap_or(u32::MAX);
    let workers = cores.min(vus).max(1);
    let (orders, order) = watch::channel(Order::Run);
    let (reports, inbox) = unbounded_channel();
    let pools: Vec<_> = plan.loads.iter().map(|load| shared_pool(load, plan.shard)).collect();
    for number in 0..workers {
        let assignment = Assignment {
            plan: plan.clone(),
            dialer: gear.dialer.clone(),
            pen: gear.journal.pen(),
            origin,
            pools: pools.clone(),
            shared: gear.shared.to_vec(),
            part: (number, workers),
            orders: order.clone(),
            reports: reports.clone(),
        };
        let spawned = std::thread::Builder::new()
            .name(format!("worker {number}"))
            .spawn(move || worker::work(assignment));
        if let Err(error) = spawned {
            let panics = vec![format!("a worker could not start: {error}")];
            // The inbox is ours.
            let _ = reports.send(Report::Done(Box::new(Farewell { panics, ..Farewell::default() })));
        }
    }
    (workers, orders, inbox)
}

/// The iterations that all virtual users of a load share, where they share any.
fn shared_pool(load: &Load, shard: Shard) -> Arc<AtomicU64> {
    let shares = matches!(load.executor, Executor::SharedIterations { .. });
    Arc::new(AtomicU64::new(shard.iterations(&load.executor).filter(|_| shares).unwrap_or(0)))
}

/// Orders the workers to stop; returns when to wait for them no longer.
fn stop(orders: &watch::Sender<Order>, undo: Duration) -> Instant {
    let undo_until = Instant::now() + undo;
    // Workers that are gone need no order.
    let _ = orders.send(Order::Stop { undo_until });
    undo_until + Duration::from_millis(500)
}
