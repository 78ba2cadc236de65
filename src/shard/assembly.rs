//! Parts into the results of one run, and what speaks against them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::{About, Part, Unreadable};
use crate::metrics::{Clock, Results, Stop};
use crate::plan::{Plan, Shard};
use crate::units::human_duration;
use crate::verdict::Reason;
use crate::words::Verdict;

/// Shards that begin within this of each other begin together.
const TOGETHER: Duration = Duration::from_secs(1);

/// Of a long load, this share of it is as good.
const TOGETHER_SHARE: f64 = 0.01;

/// By how much a clock may jump, or be off another, before it is no measure of who began when.
const CLOCK: Duration = Duration::from_secs(1);

/// The parts of a run, one after another.
#[derive(Debug, Default)]
pub struct Assembly {
    /// The plan of the first part; all others have to be of the same.
    plan: Option<(Plan, String)>,
    results: Results,
    kept: BTreeMap<Shard, Kept>,
    /// Of those that made no load.
    idle: BTreeMap<Shard, (String, Results)>,
    refused: Vec<Reason>,
}

/// What is known of a part whose results were added.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The file that it was in.
    pub file: String,
    /// What is to be told of it.
    pub about: About,
    /// When its load was, by its clock.
    pub clock: Clock,
    /// How its load ended.
    pub stop: Stop,
}

fn invalid(kind: &'static str, text: String) -> Reason {
    Reason { kind, verdict: Verdict::Invalid, section: None, text, threshold: None }
}

impl Assembly {
    /// Notes a file that could not be read.
    pub fn refuse(&mut self, file: &str, why: &Unreadable) {
        let kind = match why {
            Unreadable::NotAShard | Unreadable::Damaged(_) => "shard-unreadable",
            Unreadable::OtherVersion(_) => "shard-version",
        };
        self.refused.push(invalid(kind, format!("`{file}` could not be merged: {why}")));
    }

    /// Adds a part. `plan` is its whole plan, laid out without an id of a run.
    pub fn add(&mut self, file: String, part: Part, plan: Plan) {
        let Part { shard, recipe: _, about, results } = part;
        if !results.fit(&plan) {
            let why = Unreadable::Damaged("its results are not those of its plan".to_owned());
            return self.refuse(&file, &why);
        }
        // Nothing else says so wholly what a run does; it is only compared.
        let print = format!("{plan:?}");
        if let Some((_, first)) = &self.plan
            && *first != print
        {
            let text =
                format!("`{file}` could not be merged: shard {shard} ran another plan than the first one");
            return self.refused.push(invalid("shard-plan", text));
        }
        let known = self.kept.iter().map(|(shard, kept)| (*shard, &kept.file));
        let mut known = known.chain(self.idle.iter().map(|(shard, (file, _))| (*shard, file)));
        let other = known.find(|(other, _)| other.count() != shard.count() || *other == shard);
        if let Some((other, other_file)) = other {
            let text = if other == shard {
                format!("`{file}` was not merged: shard {shard} is already there, from `{other_file}`")
            } else {
                let count = other.count();
                format!(
                    "`{file}` could not be merged: it is shard {shard}, and `{other_file}` is one of {count}"
                )
            };
            return self.refused.push(invalid("shard-duplicate", text));
        }
        if self.plan.is_none() {
            self.plan = Some((plan, print));
        }
        if let Stop::NotStarted(_) = &results.stop {
            self.idle.insert(shard, (file, results));
            return;
        }
        let (clock, stop) = (results.clock.clone(), results.stop.clone());
        let kept = Kept { file, about, clock, stop };
        if self.kept.is_empty() {
            self.results = results;
        } else {
            self.results.merge(&results);
        }
        self.kept.insert(shard, kept);
    }

    /// The shards that made load.
    pub fn kept(&self) -> &BTreeMap<Shard, Kept> {
        &self.kept
    }

    /// The plan, the results of all, and what speaks against their being those of the plan; `None` without one part
    /// that could be read, and what was wrong with each.
    pub fn finish(mut self) -> Result<(Plan, Results, Vec<Reason>), Vec<Reason>> {
        let mut reasons = std::mem::take(&mut self.refused);
        let Some((plan, _)) = self.plan.take() else { return Err(reasons) };
        reasons.extend(self.missing());
        reasons.extend(self.late(plan.duration()));
        reasons.extend(self.clocks());
        let nobody = self.kept.is_empty();
        for (n, (shard, (_, results))) in std::mem::take(&mut self.idle).into_iter().enumerate() {
            if nobody && n == 0 {
                // Nobody made any load, which is said once for all of them: by the first.
                self.results = results;
                continue;
            }
            if let Stop::NotStarted(why) = &results.stop
                && !nobody
            {
                reasons.push(invalid("shard-not-started", format!("shard {shard} made no load: {why}")));
            }
            // `setup` was run all the same, and may have left something.
            self.results.cleanup.merge(&results.cleanup);
            self.results.teardown_failures.extend(results.teardown_failures);
        }
        Ok((plan, self.results, reasons))
    }

    fn missing(&self) -> Option<Reason> {
        let count = self.kept.keys().chain(self.idle.keys()).next()?.count();
        let is_there = |shard: &Shard| self.kept.contains_key(shard) || self.idle.contains_key(shard);
        let missing: Vec<String> = (1..=count)
            .filter(|number| !Shard::new(*number, count).is_some_and(|shard| is_there(&shard)))
            .map(|number| number.to_string())
            .collect();
        let few = missing.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
        let more = if missing.len() > 20 { " …" } else { "" };
        let s = if missing.len() == 1 { "" } else { "s" };
        (!missing.is_empty()).then(|| {
            let n = missing.len();
            invalid(
                "shard-missing",
                format!("the results of {n} of {count} shards are missing: shard{s} {few}{more}"),
            )
        })
    }

    /// Those that began later than the others, or than was agreed on.
    fn late(&self, load: Duration) -> Vec<Reason> {
        let tolerance = TOGETHER.max(load.mul_f64(TOGETHER_SHARE));
        let began = self
            .kept
            .iter()
            .filter_map(|(shard, kept)| Some((kept.clock.began?, *shard, kept.about.start_at)));
        let Some((first, first_shard, _)) = began.clone().min_by_key(|(began, shard, _)| (*began, *shard))
        else {
            return Vec::new();
        };
        let late = |from: SystemTime, to: SystemTime| {
            Some(to.duration_since(from).unwrap_or_default()).filter(|late| *late > tolerance)
        };
        let reason = |(began, shard, start_at): (SystemTime, Shard, Option<SystemTime>)| {
            let text = if let Some(late) = start_at.and_then(|at| late(at, began)) {
                let late = human_duration(late);
                format!("shard {shard} began {late} after the moment of `--start-at`")
            } else {
                let late = human_duration(late(first, began)?);
                format!(
                    "shard {shard} began {late} after shard {first_shard}, so their load was never that of the plan; give all the same `--start-at`"
                )
            };
            Some(invalid("shard-late", text))
        };
        began.filter_map(reason).collect()
    }

    /// Clocks that do not say when their shards began.
    fn clocks(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for (shard, kept) in &self.kept {
            if kept.clock.jumped > CLOCK {
                let by = human_duration(kept.clock.jumped);
                let text = format!("the clock of shard {shard} was set by {by} during its load");
                reasons.push(invalid("shard-clock", text));
            }
        }
        // Against the target's clock, which all of them saw.
        let seen = self.kept.iter().filter_map(|(shard, kept)| Some((*shard, kept.clock.target_ahead?)));
        let least = seen.clone().min_by_key(|(_, (_, at_most))| *at_most);
        let most = seen.max_by_key(|(_, (at_least, _))| *at_least);
        if let (Some((ahead, (_, at_most))), Some((behind, (at_least, _)))) = (least, most)
            && let Ok(apart) = u64::try_from(at_least.saturating_sub(at_most))
            && Duration::from_millis(apart) > CLOCK
        {
            let apart = human_duration(Duration::from_millis(apart));
            reasons.push(invalid(
                "shard-clock",
                format!(
                    "the clock of shard {ahead} is ahead of that of shard {behind} by {apart} or more, so they did not begin together"
                ),
            ));
        }
        reasons
    }
}
