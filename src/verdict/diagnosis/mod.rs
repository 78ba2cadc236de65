//! What happened, and what explains that something does not hold: drawn from the data of the run, each with its
//! evidence. A hint is never given without: where the data do not say it, nothing is said.
//!
//! A file for each thing that is observed; [`diagnose`] asks them all.

mod cluster;
mod database;
mod errors;

use crate::metrics::{Offset, Results};
use crate::plan::Plan;
use crate::words::{Section, Verdict};

use super::Judgement;

/// What happened, and what explains it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnosis {
    /// What happened, in order of time.
    pub facts: Vec<Fact>,
    /// What explains that something does not hold; only where something does not.
    pub hints: Vec<Hint>,
}

/// Something that happened, or follows from what was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// When; `None` where it is true of the whole run.
    pub at: Option<Offset>,
    /// What it is about, in a word: `database`.
    pub topic: &'static str,
    /// One sentence.
    pub text: String,
    /// The figures or lines that show it.
    pub evidence: Vec<String>,
}

/// An explanation of what does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// The section of what it explains.
    pub section: Section,
    /// One sentence.
    pub text: String,
    /// The figures or lines that show it, at least one.
    pub evidence: Vec<String>,
    /// What mends it; `None` where nobody can know.
    pub mend: Option<String>,
}

/// All that an explanation may rest on.
#[derive(Clone, Copy)]
struct Case<'a> {
    plan: &'a Plan,
    results: &'a Results,
    judgement: &'a Judgement,
}

/// Looks for what happened and what explains it.
pub fn diagnose(plan: &Plan, results: &Results, judgement: &Judgement) -> Diagnosis {
    let case = Case { plan, results, judgement };
    let mut diagnosis = Diagnosis::default();
    cluster::diagnose(case, &mut diagnosis);
    database::diagnose(case, &mut diagnosis);
    errors::diagnose(case, &mut diagnosis);
    diagnosis.facts.sort_by_key(|fact| fact.at);
    if judgement.verdict == Verdict::Pass {
        diagnosis.hints.clear();
    }
    diagnosis.hints.retain(|hint| !hint.evidence.is_empty());
    diagnosis
}
