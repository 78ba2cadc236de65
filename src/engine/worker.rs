//! A worker: one thread with its own runtime, running its share of the virtual users.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet};

use super::arrivals::{Arrivals, deal};
use super::backlog::{self, Backlog, tidy};
use super::connect::Dialer;
use super::deadline::{StopOrder, Stopper};
use super::schedule::{DueTimes, shifts};
use super::turns::{Closed, Quota, Turns, Wanted};
use super::undo::{UNDO_AT_END, Undos};
use super::vu::{Crew, Vu};
use super::{heartbeat, schedule};
use crate::journal::Pen;
use crate::metrics::{Cleanup, Interval, Recorder};
use crate::plan::{Executor, LoadId, Plan};

/// What the collector tells all workers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Go on.
    Run,
    /// Stop at once and undo what was created, until then.
    Stop { undo_until: Instant },
}

/// What a worker tells the collector.
pub(super) enum Report {
    /// What was recorded since the last report.
    Interval(Box<Interval>),
    /// The last word of a worker.
    Done(Box<Farewell>),
}

/// The last word of a worker.
#[derive(Default)]
pub(super) struct Farewell {
    pub(super) cleanup: Cleanup,
    /// Virtual-user time that the plan wanted of this worker.
    pub(super) planned: Duration,
    pub(super) panics: Vec<String>,
    /// When each load was over on this worker, counted from the start.
    pub(super) ends: Vec<Duration>,
}

/// Everything that a worker needs to begin.
pub(super) struct Assignment {
    pub(super) plan: Arc<Plan>,
    pub(super) dialer: Dialer,
    pub(super) pen: Pen,
    /// The start of the load.
    pub(super) origin: Instant,
    /// The iterations that all virtual users of a load share, by load.
    pub(super) pools: Vec<Arc<AtomicU64>>,
    /// Values that `setup` captured, by slot.
    pub(super) shared: Vec<Option<String>>,
    /// The number of this worker, from 0, and how many there are in this process.
    pub(super) part: (u32, u32),
    pub(super) orders: watch::Receiver<Order>,
    pub(super) reports: UnboundedSender<Report>,
}

/// A virtual user as its worker sees it.
struct Hand {
    load: LoadId,
    wanted: Rc<Wanted>,
    undos: Rc<RefCell<Undos>>,
}

/// Runs a worker to its end on this thread.
pub(super) fn work(assignment: Assignment) {
    let reports = assignment.reports.clone();
    let run = AssertUnwindSafe(|| -> std::io::Result<Farewell> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let farewell = LocalSet::new().block_on(&runtime, watch_over(assignment));
        // Tasks that were left behind hold no data that counts, and need not be waited for.
        runtime.shutdown_background();
        Ok(farewell)
    });
    let farewell = match std::panic::catch_unwind(run) {
        Ok(Ok(farewell)) => farewell,
        Ok(Err(error)) => broken(format!("a worker could not start: {error}")),
        Err(panic) => broken(format!("a worker panicked: {}", panic_message(panic.as_ref()))),
    };
    // The collector is gone only when the process is about to end.
    let _ = reports.send(Report::Done(Box::new(farewell)));
}

fn broken(panic: String) -> Farewell {
    Farewell { panics: vec![panic], ..Farewell::default() }
}

async fn watch_over(assignment: Assignment) -> Farewell {
    let Assignment { plan, dialer, pen, origin, pools, shared, part, mut orders, reports } = assignment;
    let crew = Rc::new(Crew {
        recorder: RefCell::new(Recorder::new(&plan)),
        cleanup: RefCell::default(),
        pen: RefCell::new(pen),
        backlog: Backlog::default(),
        ends: RefCell::new(vec![Duration::ZERO; plan.loads.len()]),
        stopper: Stopper::new(),
        plan,
        dialer,
        origin,
    });
    let mut farewell = Farewell::default();
    let mut planned = Vec::new();
    let (mut hands, mut tasks) = (Vec::new(), Vec::new());
    let slots: Vec<Option<Rc<str>>> = shared.into_iter().map(|value| value.map(Rc::from)).collect();
    let mut helpers = Vec::new();
    for ((index, load), pool) in (0_u16..).zip(&crew.plan.loads).zip(pools) {
        let mut slots = slots.clone();
        slots.resize(load.slots.max(slots.len()), None);
        let quota = match load.executor {
            Executor::PerVuIterations { iterations, .. } => Quota::Own(iterations),
            Executor::SharedIterations { .. } => Quota::Shared(pool),
            Executor::RampingVus { .. }
            | Executor::ConstantVus { .. }
            | Executor::ConstantArrivalRate { .. }
            | Executor::RampingArrivalRate { .. } => Quota::Unlimited,
        };
        let arrivals =
            load.executor.is_open().then(|| Arrivals::new(origin, load.end() + load.graceful_stop));
        for number in crew.plan.shard.numbers(load.executor.max_vus(), part) {
            let wanted = Rc::new(if number <= load.executor.preallocated_vus() {
                Wanted::preallocated(origin + load.end())
            } else {
                Wanted::default()
            });
            let turns = if let Some(arrivals) = &arrivals {
                Turns::Open { arrivals: arrivals.clone(), number, wanted: wanted.clone() }
            } else {
                let shifts = shifts(load, number);
                if shifts.is_empty() {
                    continue;
                }
                planned.push(shifts.clone());
                Turns::Closed(Closed::new(
                    origin,
                    shifts,
                    quota.clone(),
                    crew.stopper.clone(),
                    wanted.clone(),
                ))
            };
            let (hand, task) = hire(&crew, LoadId(index), number, turns, wanted, slots.clone());
            hands.push(hand);
            tasks.push(task);
        }
        if let Some(arrivals) = arrivals
            && let Some(share) = crew.plan.shard.arrivals(load.executor.max_vus(), part)
        {
            let due = DueTimes::of(load, share);
            tasks.push(tokio::task::spawn_local(deal(crew.clone(), LoadId(index), due, arrivals)));
        }
    }
    let undoes = crew.plan.steps.iter().any(|step| step.undo.is_some());
    let n_tidiers = if undoes { backlog::HELPERS } else { 0 };
    let tidiers = (0..n_tidiers).map(|_| tokio::task::spawn_local(tidy(crew.clone()))).collect();
    helpers.push(tokio::task::spawn_local(heartbeat::beat(crew.clone())));
    helpers.push(tokio::task::spawn_local(heartbeat::probe(crew.clone())));
    helpers.push(tokio::task::spawn_local(report_every_second(crew.clone(), reports.clone(), seats(&hands))));

    farewell.panics = until_done_or_stopped(&crew, tasks, &mut orders).await;
    let end = crew.offset(Instant::now());
    for helper in helpers {
        helper.abort();
    }
    crew.pen.borrow_mut().flush();
    farewell.panics.extend(undo_the_rest(&crew, &hands, tidiers, &mut orders).await);
    {
        let mut recorder = crew.recorder.borrow_mut();
        for hand in &hands {
            recorder.lost(hand.wanted.take_late());
        }
    }
    // The collector is gone only when the process is about to end.
    let _ = reports.send(Report::Interval(Box::new(crew.recorder.borrow_mut().take())));
    farewell.ends = crew.ends.take();
    for (end, load) in farewell.ends.iter_mut().zip(&crew.plan.loads) {
        // Only iterations may be done before their time is over.
        *end = if load.executor.ends_by_itself() { (*end).min(load.end()) } else { load.end() };
    }
    farewell.planned = planned.iter().map(|shifts| schedule::wanted_time(shifts, end)).sum();
    farewell.cleanup = crew.cleanup.take();
    crew.pen.borrow_mut().flush();
    farewell
}

/// Waits until every virtual user is done, by itself or because it is ordered to stop; the panics among them.
async fn until_done_or_stopped(
    crew: &Crew,
    tasks: Vec<JoinHandle<()>>,
    orders: &mut watch::Receiver<Order>,
) -> Vec<String> {
    let mut everyone = pin!(all_done(tasks));
    let stopped = tokio::select! {
        panics = &mut everyone => Err(panics),
        order = stop_order(orders) => Ok(order),
    };
    match stopped {
        Err(panics) => panics,
        Ok(mut order) => loop {
            crew.stopper.stop(order);
            // A little longer than the virtual users have, so that they can say themselves what is left.
            let patience = order.undo_until + Duration::from_millis(200);
            tokio::select! {
                ended = tokio::time::timeout_at(patience.into(), &mut everyone) => break ended.unwrap_or_default(),
                // A signal after an abort, or after a signal, leaves less time, or none.
                sooner = next_order(orders) => order = sooner,
            }
        },
    }
}

fn hire(
    crew: &Rc<Crew>,
    load: LoadId,
    number: u32,
    turns: Turns,
    wanted: Rc<Wanted>,
    slots: Vec<Option<Rc<str>>>,
) -> (Hand, JoinHandle<()>) {
    let vu = Vu::new(crew.clone(), number, slots);
    let undos = vu.undos.clone();
    let stopper = crew.stopper.clone();
    let task = tokio::task::spawn_local(async move {
        std::future::poll_fn(|cx| {
            stopper.register(cx.waker());
            Poll::Ready(())
        })
        .await;
        vu.run(load, turns).await;
    });
    (Hand { load, wanted, undos }, task)
}

/// Waits until every virtual user is done; the panics among them are bugs of ours.
async fn all_done(tasks: Vec<JoinHandle<()>>) -> Vec<String> {
    let mut panics = Vec::new();
    for task in tasks {
        if let Err(error) = task.await
            && let Ok(panic) = error.try_into_panic()
        {
            panics.push(format!("a virtual user panicked: {}", panic_message(panic.as_ref())));
        }
    }
    panics
}

async fn stop_order(orders: &mut watch::Receiver<Order>) -> StopOrder {
    loop {
        if let Order::Stop { undo_until } = *orders.borrow_and_update() {
            return StopOrder { undo_until };
        }
        if orders.changed().await.is_err() {
            // The collector is gone: so is the reason to go on.
            return StopOrder { undo_until: Instant::now() };
        }
    }
}

/// The next order to stop after the one that was given last.
async fn next_order(orders: &mut watch::Receiver<Order>) -> StopOrder {
    if orders.changed().await.is_err() {
        // The collector is gone, and its first order holds.
        return std::future::pending().await;
    }
    stop_order(orders).await
}

/// Undoes what is left once every virtual user is done: what waits in the backlog, and what those created who did
/// not come to it, because a panic ended them or the time was over. Returns the panics on the way.
async fn undo_the_rest(
    crew: &Rc<Crew>,
    hands: &[Hand],
    tidiers: Vec<JoinHandle<()>>,
    orders: &mut watch::Receiver<Order>,
) -> Vec<String> {
    for hand in hands {
        let undos = hand.undos.take();
        if !undos.is_empty() {
            crew.backlog.defer(crew, undos);
        }
    }
    let mut until = crew.stopper.order().map_or(Instant::now() + UNDO_AT_END, |order| order.undo_until);
    let mut tidied = pin!(all_done(tidiers));
    let panics = loop {
        crew.backlog.close(until);
        // A little longer than they have, so that they come to the end of what they are doing.
        let patience = until + Duration::from_millis(200);
        tokio::select! {
            panics = &mut tidied => break panics,
            order = next_order(orders) => {
                crew.stopper.stop(order);
                until = until.min(order.undo_until);
            }
            () = tokio::time::sleep_until(patience.into()) => break Vec::new(),
        }
    };
    crew.backlog.give_up_all(crew);
    panics
}

type Seats = Vec<(LoadId, Rc<Wanted>)>;

fn seats(hands: &[Hand]) -> Seats {
    hands.iter().map(|hand| (hand.load, hand.wanted.clone())).collect()
}

/// In every second of the load: counts the virtual users, and hands over what was recorded. A moment after the
/// second's beginning, when those that start with it have started.
async fn report_every_second(crew: Rc<Crew>, reports: UnboundedSender<Report>, seats: Seats) {
    let n_loads = crew.plan.loads.len();
    for second in 0_u32.. {
        let at = crew.origin + Duration::from_secs(u64::from(second)) + Duration::from_millis(50);
        tokio::time::sleep_until(at.into()).await;
        let now = Instant::now();
        let mut counts = vec![(0_u32, 0_u32); n_loads];
        let mut late = Duration::ZERO;
        for (load, wanted) in &seats {
            let count = &mut counts[usize::from(load.0)];
            count.0 += u32::from(wanted.at(now));
            // One of the open model beyond those that are there from the start is made when it is first needed.
            let is_open = crew.plan.load(*load).executor.is_open();
            count.1 += u32::from(!is_open || wanted.was_made());
            late += wanted.take_late();
        }
        let mut recorder = crew.recorder.borrow_mut();
        recorder.lost(late);
        for (index, (running, existing)) in (0_u16..).zip(counts) {
            recorder.vus(second, LoadId(index), running, existing);
        }
        let interval = recorder.take();
        drop(recorder);
        if reports.send(Report::Interval(Box::new(interval))).is_err() {
            return;
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".to_owned())
}
