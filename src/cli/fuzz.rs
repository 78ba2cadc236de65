//! What fuzzing reaches of this room: see [`crate::fuzz`].

use super::history;
use super::import::{Kind, examine, kind_of, translate};
pub(crate) use super::toml_text::quoted;
use crate::compare::Terms;
use crate::compare::history::{Entry, earlier, judge};
use crate::report::trend;

/// A history: what is read is judged and drawn.
pub(crate) fn history(text: &str) {
    let Ok(entries) = history::parse(text) else { return };
    if let Some((newest, _)) = entries.split_last() {
        drop(judge(&earlier(&entries, newest), newest, Terms::default()));
    }
    let runs: Vec<&Entry> = entries.iter().collect();
    let series = trend::series(&runs);
    for draw in [trend::text, trend::svg, trend::html] {
        drop(draw("p", &series));
    }
    drop(trend::csv(&runs));
}

/// What is imported: what comes out of requests is a profile. Of options that k6 would refuse none needs to come.
pub(crate) fn import(text: &str) {
    let Some(kind) = kind_of(text) else { return };
    if let Ok((profile, _)) = translate(kind, "what is fuzzed", text)
        && let Err(failure) = examine(&profile)
        && !matches!(kind, Kind::K6)
    {
        panic!("what came out is no profile: {failure:?}\n{profile}");
    }
}
