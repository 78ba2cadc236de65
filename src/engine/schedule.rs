//! When virtual users run: a pure function of the plan.
//!
//! Everything here is arithmetic on the executor's parameters, so that workers and shards split the load by
//! looking at the number of a virtual user, without a message. The ramp is k6's, step for step (`lib/executor`
//! in k6's source, measured in peers.md): one virtual user at a time, at the moment at which the line from the
//! last target to the next crosses a whole number; rounded down on the way up, up on the way down.

use std::time::Duration;

use crate::plan::{Executor, Load, Stage};

/// A stretch of time in which a virtual user is wanted, counted from the start of the run's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// From here on it starts iterations.
    pub start: Duration,
    /// From here on it starts no more.
    pub stop: Duration,
    /// Here an iteration that still runs is cut.
    pub hard: Duration,
}

/// The shifts of the virtual user of that number, from 1, in order of time.
///
/// Where a ramp turns up again while the virtual user still finishes its last iteration, it goes on without a
/// cut, as in k6: the earlier shift's `hard` is then that of the later one.
pub fn shifts(load: &Load, vu: u32) -> Vec<Shift> {
    let offset = load.start_after;
    let end = load.end();
    let last = end + load.graceful_stop;
    let whole = || vec![Shift { start: offset, stop: end, hard: last }];
    match &load.executor {
        Executor::RampingVus { start_vus, stages, graceful_ramp_down } => {
            let mut shifts = ramp(*start_vus, stages, vu);
            for shift in &mut shifts {
                shift.start += offset;
                shift.stop += offset;
                let grace = if shift.stop < end { *graceful_ramp_down } else { load.graceful_stop };
                shift.hard = (shift.stop + grace).min(last);
            }
            for index in (1..shifts.len()).rev() {
                let next = shifts[index];
                if next.start <= shifts[index - 1].hard {
                    shifts[index - 1].hard = next.hard;
                }
            }
            shifts
        }
        Executor::ConstantVus { vus, .. }
        | Executor::PerVuIterations { vus, .. }
        | Executor::SharedIterations { vus, .. } => {
            if vu <= *vus {
                whole()
            } else {
                Vec::new()
            }
        }
        Executor::ConstantArrivalRate { max_vus, .. } | Executor::RampingArrivalRate { max_vus, .. } => {
            if vu <= *max_vus { whole() } else { Vec::new() }
        }
    }
}

/// The stretches in which a ramp is at or above `vu`, from zero; `hard` is not yet known.
fn ramp(start_vus: u32, stages: &[Stage<u32>], vu: u32) -> Vec<Shift> {
    let mut shifts = Vec::new();
    let mut since = (vu <= start_vus).then_some(Duration::ZERO);
    let mut from = start_vus;
    let mut end = Duration::ZERO;
    for stage in stages {
        end += stage.duration;
        let to = stage.target;
        if from < vu && vu <= to {
            since = Some(end - fraction(stage.duration, to - vu, to - from));
        } else if to < vu && vu <= from {
            let stop = end - fraction(stage.duration, vu - 1 - to, from - to);
            if let Some(start) = since.take() {
                shifts.push(Shift { start, stop, hard: stop });
            }
        }
        from = to;
    }
    if let Some(start) = since {
        shifts.push(Shift { start, stop: end, hard: end });
    }
    // A jump up and down again within no time wants nobody.
    shifts.retain(|shift| shift.start < shift.stop);
    shifts
}

/// `part / whole` of a duration, in whole nanoseconds, rounded down.
fn fraction(duration: Duration, part: u32, whole: u32) -> Duration {
    let nanos = duration.as_nanos() * u128::from(part) / u128::from(whole);
    // At most `duration`, whose nanoseconds fit for the next 584 years.
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The moments at which iterations of the open model are due, in order, counted from the start of the run's load.
///
/// k6's rule: at a constant rate iteration i is due at i / rate, the first one at once; on a ramp, when the
/// integral of the rate reaches i, the first one when it reaches 1. Each moment is computed from its number,
/// not from the moment before, so that no error adds up: 10,000/s for 10 s are 100,000 iterations.
#[derive(Clone, Debug)]
pub struct DueTimes {
    /// Since the start of the load: when each piece begins, its length, its rates at both ends in iterations a
    /// second, and the integral of the rate before it.
    pieces: Vec<Piece>,
    /// Of constant rates the first is due at once.
    first_at_once: bool,
    start_after: Duration,
    /// The next number of this share, and the distance to the one after it.
    number: u64,
    step: u64,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    begin: f64,
    length: f64,
    from: f64,
    to: f64,
    before: f64,
}

impl DueTimes {
    /// The share of a load's arrivals that falls to one of several workers: every n-th. Empty in the closed model.
    pub fn of(load: &Load, (index, workers): (u32, u32)) -> Self {
        let (stages, mut from, first_at_once) = match &load.executor {
            Executor::ConstantArrivalRate { rate, duration, .. } => (vec![(*duration, *rate)], *rate, true),
            Executor::RampingArrivalRate { start_rate, stages, .. } => {
                (stages.iter().map(|stage| (stage.duration, stage.target)).collect(), *start_rate, false)
            }
            Executor::RampingVus { .. }
            | Executor::ConstantVus { .. }
            | Executor::PerVuIterations { .. }
            | Executor::SharedIterations { .. } => (Vec::new(), 0.0, false),
        };
        let (mut begin, mut before) = (0.0, 0.0);
        let mut pieces = Vec::new();
        for (duration, to) in stages {
            let length = duration.as_secs_f64();
            // A jump takes no time, so nothing is due in it.
            if length > 0.0 {
                pieces.push(Piece { begin, length, from, to, before });
            }
            before += f64::midpoint(from, to) * length;
            begin += length;
            from = to;
        }
        let number = u64::from(index) + u64::from(!first_at_once);
        Self { pieces, first_at_once, start_after: load.start_after, number, step: u64::from(workers) }
    }

    /// When the iteration of that number is due: where the integral of the rate reaches it.
    fn due(&self, number: u64) -> Option<Duration> {
        let wanted = number as f64;
        let piece = self.pieces.iter().rev().find(|piece| piece.before < wanted || number == 0)?;
        let reached = wanted - piece.before;
        #[expect(clippy::float_cmp, reason = "only exactly equal rates make the slope zero")]
        let seconds = if piece.from == piece.to {
            if piece.from == 0.0 {
                return None;
            }
            reached / piece.from
        } else {
            // from·t + (to - from)·t² / (2·length) = reached, solved without a difference of near equals.
            let slope = (piece.to - piece.from) / piece.length;
            let root = piece.from * piece.from + 2.0 * slope * reached;
            // Rounding may leave the very end of a ramp to zero a hair below it.
            if root < -1e-6 {
                return None;
            }
            let root = root.max(0.0);
            2.0 * reached / (piece.from + root.sqrt())
        };
        // A constant rate stops before its end, so that its count is exact; a ramp reaches its last at the end.
        // The margin is rounding: a billionth of a second is no time.
        let fits =
            if self.first_at_once { seconds < piece.length - 1e-9 } else { seconds <= piece.length + 1e-9 };
        fits.then(|| Duration::from_secs_f64(piece.begin + seconds.min(piece.length)))
    }
}

impl Iterator for DueTimes {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let due = self.due(self.number)?;
        self.number += self.step;
        Some(self.start_after + due)
    }
}

/// Virtual-user time that the plan wants of these shifts until a moment.
pub fn wanted_time(shifts: &[Shift], until: Duration) -> Duration {
    shifts.iter().map(|shift| shift.stop.min(until).saturating_sub(shift.start)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Shard, SpanId};

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn ramping(start_vus: u32, stages: &[(f64, u32)], graceful_ramp_down: f64, graceful_stop: f64) -> Load {
        let stages =
            stages.iter().map(|(duration, target)| Stage { duration: seconds(*duration), target: *target });
        Load {
            name: "load".into(),
            executor: Executor::RampingVus {
                start_vus,
                stages: stages.collect(),
                graceful_ramp_down: seconds(graceful_ramp_down),
            },
            start_after: Duration::ZERO,
            graceful_stop: seconds(graceful_stop),
            steps: Vec::new(),
            pause: None,
            pace: None,
            stages: Vec::new(),
            grace: SpanId(0),
            slots: 0,
        }
    }

    /// The virtual users that the plan wants at a moment, counted from the start of the run's load.
    fn vus_at(load: &Load, at: Duration) -> u32 {
        let wanted = |vu: &u32| shifts(load, *vu).iter().any(|shift| shift.start <= at && at < shift.stop);
        let count = (1..=load.executor.max_vus()).filter(wanted).count();
        // No more than `max_vus`.
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn starts_and_stops(load: &Load) -> (Vec<f64>, Vec<f64>) {
        let of = |side: fn(&Shift) -> Duration| {
            let mut times: Vec<f64> = (1..=load.executor.max_vus())
                .flat_map(|vu| shifts(load, vu))
                .map(|shift| (side(&shift).as_secs_f64() * 100.0).round() / 100.0)
                .collect();
            times.sort_by(f64::total_cmp);
            times
        };
        (of(|shift| shift.start), of(|shift| shift.stop))
    }

    /// The figures are what k6 v1.8.1 did when it was run (peers.md, 1.1).
    #[test]
    fn a_ramp_takes_the_steps_that_k6_takes() {
        let (starts, stops) = starts_and_stops(&ramping(1, &[(4.0, 4), (4.0, 0)], 30.0, 30.0));
        assert_eq!(starts, [0.0, 1.33, 2.67, 4.0]);
        assert_eq!(stops, [5.0, 6.0, 7.0, 8.0]);
        let (starts, _) = starts_and_stops(&ramping(0, &[(4.0, 4), (4.0, 0)], 30.0, 30.0));
        assert_eq!(starts, [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn a_stage_without_duration_is_a_jump() {
        let load = ramping(1, &[(0.0, 5), (2.0, 5), (0.0, 2), (2.0, 2)], 30.0, 30.0);
        assert_eq!(vus_at(&load, Duration::ZERO), 5);
        assert_eq!(vus_at(&load, seconds(1.999)), 5);
        assert_eq!(vus_at(&load, seconds(2.0)), 2);
        assert_eq!(vus_at(&load, seconds(4.0)), 0);
    }

    #[test]
    fn a_jump_up_and_down_in_no_time_starts_nobody() {
        let load = ramping(1, &[(1.0, 1), (0.0, 5), (0.0, 1), (1.0, 1)], 30.0, 30.0);
        assert_eq!(shifts(&load, 3), []);
        assert_eq!(shifts(&load, 1).len(), 1);
    }

    #[test]
    fn a_vu_that_is_wanted_again_in_its_grace_is_not_cut() {
        let load = ramping(0, &[(0.0, 2), (1.0, 2), (0.0, 1), (5.0, 1), (0.0, 2), (1.0, 2)], 30.0, 10.0);
        let shifts = shifts(&load, 2);
        assert_eq!(shifts[0].stop, seconds(1.0));
        assert_eq!(
            shifts[0].hard,
            seconds(17.0),
            "that of the second shift, at the end of the graceful stop"
        );
        assert_eq!(shifts[1].start, seconds(6.0));
    }

    #[test]
    fn a_vu_that_is_not_wanted_again_is_cut_after_its_grace() {
        let load = ramping(0, &[(0.0, 2), (1.0, 2), (0.0, 1), (5.0, 1), (0.0, 2), (1.0, 2)], 3.0, 10.0);
        assert_eq!(shifts(&load, 2)[0].hard, seconds(4.0));
    }

    #[test]
    fn no_grace_reaches_beyond_the_graceful_stop() {
        let load = ramping(2, &[(10.0, 0)], 30.0, 5.0);
        for vu in 1..=2 {
            assert!(shifts(&load, vu).iter().all(|shift| shift.hard <= seconds(15.0)));
        }
    }

    fn arriving(executor: Executor) -> Load {
        Load { executor, ..ramping(0, &[], 0.0, 0.0) }
    }

    fn constant(rate: f64, duration: f64) -> Load {
        let duration = seconds(duration);
        arriving(Executor::ConstantArrivalRate { rate, duration, preallocated_vus: 1, max_vus: 1 })
    }

    fn ramped(start_rate: f64, stages: &[(f64, f64)]) -> Load {
        let stages = stages
            .iter()
            .map(|(duration, target)| Stage { duration: seconds(*duration), target: *target })
            .collect();
        arriving(Executor::RampingArrivalRate { start_rate, stages, preallocated_vus: 1, max_vus: 1 })
    }

    fn due(load: &Load) -> Vec<f64> {
        DueTimes::of(load, (0, 1)).map(|due| (due.as_secs_f64() * 1000.0).round() / 1000.0).collect()
    }

    #[test]
    fn a_constant_rate_is_exact_over_the_whole_run() {
        assert_eq!(due(&constant(4.0, 1.0)), [0.0, 0.25, 0.5, 0.75]);
        assert_eq!(DueTimes::of(&constant(10_000.0, 10.0), (0, 1)).count(), 100_000);
        assert_eq!(DueTimes::of(&constant(1.0 / 3.0, 10.0), (0, 1)).count(), 4);
        assert_eq!(DueTimes::of(&constant(7.0, 3600.0), (0, 1)).count(), 25_200);
    }

    /// The first is not due at once, but when the integral reaches 1: 2/s gives 0.5 s (peers.md, 1.1).
    #[test]
    fn a_ramping_rate_is_due_where_its_integral_is_whole() {
        assert_eq!(due(&ramped(2.0, &[(2.0, 2.0)])), [0.5, 1.0, 1.5, 2.0]);
        // 0 → 4/s over 2 s: the integral is t², so number i is due at √i.
        assert_eq!(due(&ramped(0.0, &[(2.0, 4.0)])), [1.0, 1.414, 1.732, 2.0]);
        // The fraction is carried over from stage to stage, and a pause in between brings nothing.
        assert_eq!(
            due(&ramped(1.5, &[(1.0, 1.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])),
            [0.667, 2.5]
        );
        assert_eq!(
            DueTimes::of(&ramped(0.0, &[(10.0, 1000.0), (10.0, 1000.0), (10.0, 0.0)]), (0, 1)).count(),
            20_000
        );
    }

    prop_compose! {
        fn any_ramp()(start_vus in 0_u32..60, stages in prop::collection::vec((0_u64..20_000, 0_u32..60), 1..7)) -> Load {
            let stages: Vec<(f64, u32)> = stages.iter().map(|(ms, target)| (*ms as f64 / 1e3, *target)).collect();
            ramping(start_vus, &stages, 30.0, 30.0)
        }
    }

    proptest! {
        /// Floor of the line on the way up, ceiling on the way down: within one virtual user of it everywhere.
        #[test]
        fn the_ramp_stays_within_one_vu_of_the_line(load in any_ramp(), at in 0.0..1.0_f64) {
            let at = load.duration().mul_f64(at);
            let Executor::RampingVus { start_vus, stages, .. } = &load.executor else { unreachable!() };
            let (mut from, mut begin, mut line) = (f64::from(*start_vus), Duration::ZERO, 0.0);
            for stage in stages {
                let end = begin + stage.duration;
                if begin <= at && at < end {
                    let share = (at - begin).as_secs_f64() / stage.duration.as_secs_f64();
                    line = from + (f64::from(stage.target) - from) * share;
                }
                (from, begin) = (f64::from(stage.target), end);
            }
            prop_assume!(at < begin);
            prop_assert!((f64::from(vus_at(&load, at)) - line).abs() <= 1.0, "{} at {at:?}, line {line}", vus_at(&load, at));
        }

        #[test]
        fn workers_share_the_arrivals_without_loss_or_double(
            rate in 0.1..500.0_f64, stages in prop::collection::vec((0.0..5.0_f64, 0.0..500.0_f64), 1..5), workers in 1_u32..5,
        ) {
            for load in [constant(rate, 3.0), ramped(rate, &stages)] {
                let whole: Vec<Duration> = DueTimes::of(&load, (0, 1)).collect();
                let mut shared: Vec<Duration> =
                    (0..workers).flat_map(|index| DueTimes::of(&load, (index, workers))).collect();
                shared.sort_unstable();
                prop_assert_eq!(&whole, &shared);
                prop_assert!(whole.windows(2).all(|pair| pair[0] <= pair[1]));
                prop_assert!(whole.last().is_none_or(|last| *last <= load.duration()));
            }
        }

        /// Whatever shards and workers there are: at every moment they are the whole plan.
        #[test]
        fn shards_are_the_whole_plan_at_every_moment(
            load in any_ramp(), at in 0.0..1.0_f64, count in 1_u32..9, workers in 1_u32..4, rate in 0.1..200.0_f64, max_vus in 1_u32..20,
        ) {
            let all_shards = || (1..=count).filter_map(|number| Shard::new(number, count));
            let of_workers = |worker| (worker, workers);
            let at = load.duration().mul_f64(at);
            let wanted = |vu: &u32| shifts(&load, *vu).iter().any(|shift| shift.start <= at && at < shift.stop);
            let max = load.executor.max_vus();
            let vus = all_shards()
                .flat_map(|shard| (0..workers).flat_map(move |worker| shard.numbers(max, of_workers(worker))))
                .filter(wanted)
                .count();
            prop_assert_eq!(vus, vus_at(&load, at) as usize);

            let open = constant(rate, 3.0);
            let whole: Vec<Duration> = DueTimes::of(&open, (0, 1)).collect();
            let mut shared: Vec<Duration> = all_shards()
                .flat_map(|shard| (0..workers).filter_map(move |worker| shard.arrivals(max_vus, of_workers(worker))))
                .flat_map(|share| DueTimes::of(&open, share))
                .collect();
            shared.sort_unstable();
            prop_assert_eq!(whole, shared);
        }

        #[test]
        fn as_many_arrive_as_the_area_under_the_rate(
            start in 0.0..500.0_f64, stages in prop::collection::vec((0.0..5.0_f64, 0.0..500.0_f64), 1..5),
        ) {
            let mut area = 0.0;
            let mut from = start;
            for (length, to) in &stages {
                area += (from + to) / 2.0 * length;
                from = *to;
            }
            let count = DueTimes::of(&ramped(start, &stages), (0, 1)).count() as f64;
            prop_assert!((count - area).abs() <= 1.0, "{count} of {area}");
        }

        #[test]
        fn shifts_are_in_order_and_do_not_overlap(load in any_ramp()) {
            for vu in 1..=load.executor.max_vus() {
                let shifts = shifts(&load, vu);
                prop_assert!(shifts.iter().all(|shift| shift.start < shift.stop && shift.stop <= shift.hard));
                prop_assert!(shifts.windows(2).all(|pair| pair[0].stop <= pair[1].start));
            }
        }
    }
}
