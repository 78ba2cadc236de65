//! Which part of a plan one process carries out, where several share it.
//!
//! Virtual users are dealt out like cards: shard 2 of 8 has those of numbers 2, 10, 18 … of every load, on their own
//! shifts, and so at every moment the eighth of the plan that is its own. Arrivals are dealt out likewise, and workers
//! of one process split a shard by the same rule: no messages, no rounding, nothing twice and nothing left out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Executor;

/// One of so many equal parts of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 0, below `count`.
    index: u32,
    count: u32,
}

/// A text that names no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is a number and how many there are, from 1/1 to {max}/{max}: 2/8", max = Shard::MOST)]
pub struct NoShard;

impl Shard {
    /// The whole plan in one process.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// More processes than this share no plan.
    pub const MOST: u32 = 10_000;

    /// The shard of that number, counted from 1, of so many.
    pub fn new(number: u32, count: u32) -> Option<Self> {
        ((1..=Self::MOST).contains(&count) && (1..=count).contains(&number))
            .then(|| Self { index: number - 1, count })
    }

    /// Its number, from 1.
    pub fn number(self) -> u32 {
        self.index + 1
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// How many of a load's virtual users are its own.
    pub fn vus(self, all: u32) -> u32 {
        all.saturating_sub(self.index).div_ceil(self.count)
    }

    /// The numbers of a load's virtual users that fall to one of several workers of this shard.
    pub fn numbers(self, all: u32, (worker, workers): (u32, u32)) -> impl Iterator<Item = u32> {
        let first = self.index + 1 + self.count * worker;
        (first..=all).step_by((self.count * workers) as usize)
    }

    /// Which of a load's arrivals fall to one of several workers of this shard: the first of them, from 0, and the
    /// distance to the next. `None` for one who has no virtual user to serve them; the others have them all.
    pub fn arrivals(self, all: u32, (worker, workers): (u32, u32)) -> Option<(u32, u32)> {
        let shards = self.count.min(all);
        let workers = workers.min(self.vus(all));
        (self.index < shards && worker < workers).then(|| (self.index + shards * worker, shards * workers))
    }

    /// The iterations that fall to it, where their number is planned.
    pub fn iterations(self, executor: &Executor) -> Option<u64> {
        match executor {
            Executor::PerVuIterations { vus, iterations, .. } => {
                Some(u64::from(self.vus(*vus)).saturating_mul(*iterations))
            }
            Executor::SharedIterations { vus, iterations, .. } => {
                // Among those that have somebody to run them.
                let shards = u64::from(self.count.min(*vus));
                let index = u64::from(self.index);
                let one_more = index < iterations % shards.max(1);
                Some(if index < shards { iterations / shards + u64::from(one_more) } else { 0 })
            }
            Executor::RampingVus { .. }
            | Executor::ConstantVus { .. }
            | Executor::ConstantArrivalRate { .. }
            | Executor::RampingArrivalRate { .. } => None,
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number(), self.count)
    }
}

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let (number, count) = text.split_once('/').ok_or(NoShard)?;
        let read = |text: &str| text.parse::<u32>().map_err(|_| NoShard);
        Self::new(read(number)?, read(count)?).ok_or(NoShard)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_shard_is_written_as_a_number_of_how_many() {
        assert_eq!("2/8".parse(), Ok(Shard::new(2, 8).unwrap()));
        assert_eq!("1/1".parse(), Ok(Shard::WHOLE));
        for wrong in ["", "2", "0/8", "9/8", "-1/8", "1/0", "1/10001", "a/b", "1/2/3"] {
            assert_eq!(wrong.parse::<Shard>(), Err(NoShard), "{wrong}");
        }
        assert_eq!(Shard::new(3, 8).unwrap().to_string(), "3/8");
    }

    proptest! {
        #[test]
        fn every_virtual_user_belongs_to_one_worker_of_one_shard(
            all in 0_u32..200, count in 1_u32..20, workers in prop::collection::vec(1_u32..6, 20),
        ) {
            let mut numbers = Vec::new();
            for number in 1..=count {
                let shard = Shard::new(number, count).unwrap();
                // Machines have different numbers of cores.
                let workers = workers[number as usize];
                let own: Vec<u32> =
                    (0..workers).flat_map(|worker| shard.numbers(all, (worker, workers))).collect();
                prop_assert_eq!(own.len(), shard.vus(all) as usize);
                numbers.extend(own);
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (1..=all).collect::<Vec<_>>());
        }

        #[test]
        fn every_arrival_falls_to_one_worker_that_has_a_virtual_user(
            all in 1_u32..40, count in 1_u32..20, workers in prop::collection::vec(1_u32..6, 20), n in 0_u32..300,
        ) {
            let mut arrivals = Vec::new();
            for number in 1..=count {
                let shard = Shard::new(number, count).unwrap();
                let workers = workers[number as usize];
                for worker in 0..workers {
                    if let Some((first, step)) = shard.arrivals(all, (worker, workers)) {
                        prop_assert!(shard.numbers(all, (worker, workers)).next().is_some());
                        arrivals.extend((first..n).step_by(step as usize));
                    }
                }
            }
            arrivals.sort_unstable();
            prop_assert_eq!(arrivals, (0..n).collect::<Vec<_>>());
        }

        #[test]
        fn iterations_add_up_and_are_nobodys_who_has_no_virtual_user(
            vus in 1_u32..40, iterations in 1_u64..1000, count in 1_u32..20,
        ) {
            let max_duration = Duration::from_secs(1);
            for executor in [
                Executor::SharedIterations { vus, iterations, max_duration },
                Executor::PerVuIterations { vus, iterations, max_duration },
            ] {
                let shards = (1..=count).map(|number| Shard::new(number, count).unwrap());
                let parts: Vec<(u32, u64)> =
                    shards.map(|shard| (shard.vus(vus), shard.iterations(&executor).unwrap())).collect();
                prop_assert_eq!(parts.iter().map(|(_, part)| part).sum::<u64>(), executor.iterations().unwrap());
                prop_assert!(parts.iter().all(|(vus, part)| *vus > 0 || *part == 0));
            }
        }
    }
}
