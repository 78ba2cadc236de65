//! What happened in the database.

use super::{Case, Diagnosis, Fact};

/// Says what observers of the database and its logs noticed.
pub(super) fn diagnose(case: Case<'_>, diagnosis: &mut Diagnosis) {
    for (observer, watch) in case.plan.observers.iter().zip(&case.results.observed.watches) {
        let _ = (observer, case.judgement);
        diagnosis.facts.extend(watch.incidents.iter().map(|incident| Fact {
            at: Some(incident.at),
            topic: "database",
            text: incident.text.clone(),
            evidence: incident.evidence.clone(),
        }));
    }
}
