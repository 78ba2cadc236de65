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

/// The virtual users that the plan wants at a moment, counted from the start of the run's load.
pub fn vus_at(load: &Load, at: Duration) -> u32 {
    let wanted = |vu: &u32| shifts(load, *vu).iter().any(|shift| shift.start <= at && at < shift.stop);
    let count = (1..=load.executor.max_vus()).filter(wanted).count();
    // No more than `max_vus`.
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Virtual-user time that the plan wants of these shifts until a moment.
pub fn wanted_time(shifts: &[Shift], until: Duration) -> Duration {
    shifts.iter().map(|shift| shift.stop.min(until).saturating_sub(shift.start)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::SpanId;

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
        fn shifts_are_in_order_and_do_not_overlap(load in any_ramp()) {
            for vu in 1..=load.executor.max_vus() {
                let shifts = shifts(&load, vu);
                prop_assert!(shifts.iter().all(|shift| shift.start < shift.stop && shift.stop <= shift.hard));
                prop_assert!(shifts.windows(2).all(|pair| pair[0].stop <= pair[1].start));
            }
        }
    }
}
