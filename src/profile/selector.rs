//! What a threshold judges: `metric{key:value}`.
//!
//! ```text
//! key      := metric [ "{" pair { "," pair } "}" ]
//! pair     := name ":" value
//! value    := text without "," and "}" | '"' text without '"' '"' | "'" text without "'" "'"
//! ```

use super::diagnostic::Diagnostic;
use super::nearest::suggestion;
use super::place::{Placed, Precedence, SourceId};
use super::reader::Findings;
use crate::words::{Metric, ObservedPhase, ObserverKind, Phase};

/// One `key:value` of a selector.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// By what is selected.
    pub key: SelectorKey,
    /// The value it must have.
    pub value: Placed<String>,
}

/// By what a selector selects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelectorKey {
    /// The step's name.
    Step,
    /// The load's name.
    Load,
    /// The stage's name.
    Stage,
    /// The phase: `setup`, `load`, `grace`, `teardown`, `cleanup`.
    Phase,
    /// The status of the answer.
    Status,
    /// Why a request was cut: `end`, `interrupt` or `abort`.
    Cause,
    /// The part of the run in which an observer saw something: `before`, `during`, `after`.
    ObservedPhase,
    /// What tells series of an observed metric apart: `pattern` of `log_matches`.
    Label(&'static str),
    /// A tag of the profile's own.
    Tag(String),
}

/// The names that selectors may use: those of the profile at hand.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) steps: Vec<String>,
    pub(super) loads: Vec<String>,
    pub(super) stages: Vec<String>,
    /// The texts that the stages stand in; where there are none, those of the loads.
    pub(super) stages_in: Vec<SourceId>,
    /// Which of the texts go before which.
    pub(super) precedence: Precedence,
    pub(super) tags: Vec<String>,
    /// Observers that the profile describes.
    pub(super) observers: Vec<ObserverKind>,
    /// Patterns that `log_matches` counts, and the files in which it does.
    pub(super) patterns: Vec<String>,
    pub(super) sources: Vec<String>,
}

impl Names {
    /// Whether a text that goes before this one brought all the stages. What a text asks of its own stages is not
    /// inherited by one that has others; what it asks of those of a text below it, it has to spell right.
    fn have_replaced_those_of(&self, source: SourceId) -> bool {
        let rank = |source: SourceId| self.precedence.rank(source);
        !self.stages_in.is_empty() && self.stages_in.iter().all(|stages| rank(*stages) < rank(source))
    }
}

/// The keys of selectors that tags cannot take.
pub(super) const RESERVED: [&str; 6] = ["step", "load", "stage", "phase", "status", "cause"];

/// How names begin that the design has for metrics, and this version does not have yet.
const OF_OBSERVERS: [&str; 1] = ["prom"];

/// The metric of a key of `[thresholds]` or `[warnings]`.
pub(super) fn metric(key: &Placed<String>, findings: &mut Findings) -> Option<Metric> {
    let name = key.value.split('{').next().unwrap_or_default().trim();
    let metric = Metric::from_name(name);
    if metric.is_none() {
        let observed = OF_OBSERVERS.iter().any(|prefix| name.starts_with(prefix));
        let mut diagnostic = if observed {
            Diagnostic::new(key.place, format!("`{name}` is not supported by this version yet"))
                .help("it comes with the observers")
        } else {
            Diagnostic::new(key.place, format!("unknown metric `{name}`"))
        };
        if !observed {
            let metrics: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
            diagnostic.help = suggestion(name, &metrics);
        }
        findings.add(diagnostic);
    }
    metric
}

/// Reads a key of `[thresholds]` or `[warnings]`.
pub(super) fn read(
    key: &Placed<String>,
    names: &Names,
    findings: &mut Findings,
) -> Option<(Metric, Vec<Selection>)> {
    let place = key.place;
    let metric = metric(key, findings)?;
    let inside = key.value.split_once('{').map(|(_, inside)| inside);
    if let Some(kind) = metric.observer().filter(|kind| !names.observers.contains(kind)) {
        findings.missing(
            Diagnostic::new(
                place,
                format!("`{metric}` is sampled by the observer `{kind}`, and the profile has none"),
            )
            .help(format!("describe it in a table `[observe.{kind}]`")),
        );
        return None;
    }
    let Some(inside) = inside else {
        return Some((metric, Vec::new()));
    };
    let pairs = match pairs(inside) {
        Ok(pairs) => pairs,
        Err(message) => {
            let help = "write `metric{key:value,key2:value2}`, values with a comma or a brace in quotes";
            findings.add(Diagnostic::new(place, message).help(help));
            return None;
        }
    };
    let is_unknown = |(key, value): &(String, String)| key == "stage" && !names.stages.contains(value);
    if names.have_replaced_those_of(place.source) && pairs.iter().any(is_unknown) {
        return None;
    }
    let mut selector: Vec<Selection> = Vec::new();
    let mut sound = true;
    for (key, value) in pairs {
        match selection(&key, &value, metric, names) {
            Ok(key) if selector.iter().any(|other| other.key == key) => {
                findings.add(Diagnostic::new(place, "a key stands twice in this selector"));
                sound = false;
            }
            Ok(key) => selector.push(Selection { key, value: Placed::new(value, place) }),
            Err((message, help)) => {
                let mut diagnostic = Diagnostic::new(place, message);
                diagnostic.help = help;
                // What a selector names may have been lost to a syntax error.
                findings.missing(diagnostic);
                sound = false;
            }
        }
    }
    sound.then_some((metric, selector))
}

fn selection(
    key: &str,
    value: &str,
    metric: Metric,
    names: &Names,
) -> Result<SelectorKey, (String, Option<String>)> {
    let among = |what: &str, valid: &[&str]| {
        if valid.contains(&value) {
            Ok(())
        } else {
            Err((format!("there is no {what} `{value}`"), suggestion(value, valid)))
        }
    };
    let among_names =
        |what: &str, valid: &[String]| among(what, &valid.iter().map(String::as_str).collect::<Vec<_>>());
    if metric.observer().is_some() {
        return match key {
            "stage" => among_names("stage", &names.stages).map(|()| SelectorKey::Stage),
            "phase" => {
                let phases: Vec<&str> = ObservedPhase::ALL.iter().map(|phase| phase.name()).collect();
                among("phase", &phases).map(|()| SelectorKey::ObservedPhase)
            }
            _ => {
                let label = metric.labels().iter().find(|label| **label == key);
                let Some(label) = label else {
                    let valid: Vec<&str> =
                        ["stage", "phase"].into_iter().chain(metric.labels().iter().copied()).collect();
                    return Err((format!("`{metric}` is not kept by `{key}`"), suggestion(key, &valid)));
                };
                // Of other labels nobody knows the values before a run.
                match *label {
                    "pattern" => among_names("pattern", &names.patterns)?,
                    "source" if !names.sources.is_empty() => among_names("file", &names.sources)?,
                    _ => {}
                }
                Ok(SelectorKey::Label(label))
            }
        };
    }
    let selected = match key {
        "step" => among_names("step", &names.steps).map(|()| SelectorKey::Step),
        "load" => among_names("load", &names.loads).map(|()| SelectorKey::Load),
        "stage" => among_names("stage", &names.stages).map(|()| SelectorKey::Stage),
        "phase" => {
            let phases: Vec<&str> = Phase::ALL.iter().map(|phase| phase.name()).collect();
            among("phase", &phases).map(|()| SelectorKey::Phase)
        }
        "status" => match value.parse::<u16>() {
            Ok(100..=599) => Ok(SelectorKey::Status),
            _ => Err((format!("`{value}` is no status: it lies between 100 and 599"), None)),
        },
        "cause" => among("cause", &["end", "interrupt", "abort"]).map(|()| SelectorKey::Cause),
        tag if names.tags.iter().any(|known| known == tag) => Ok(SelectorKey::Tag(tag.to_owned())),
        other => {
            let valid: Vec<&str> =
                RESERVED.iter().copied().chain(names.tags.iter().map(String::as_str)).collect();
            Err((format!("nothing is selected by `{other}`"), suggestion(other, &valid)))
        }
    }?;
    if fits(&selected, metric) {
        Ok(selected)
    } else {
        Err((format!("`{metric}` is not kept by `{key}`"), None))
    }
}

/// Whether the values of a metric have such a property at all.
fn fits(key: &SelectorKey, metric: Metric) -> bool {
    match metric {
        Metric::Vus | Metric::VusMax => matches!(key, SelectorKey::Load | SelectorKey::Stage),
        Metric::Iterations | Metric::IterationDuration | Metric::IterationLag | Metric::DroppedIterations => {
            matches!(key, SelectorKey::Load | SelectorKey::Stage | SelectorKey::Phase)
        }
        Metric::HttpReqCut => *key != SelectorKey::Status,
        // A check is counted of its step, whatever the status of the answer was.
        Metric::Checks => !matches!(key, SelectorKey::Cause | SelectorKey::Status),
        Metric::HttpReqs
        | Metric::HttpReqDuration
        | Metric::HttpReqBlocked
        | Metric::HttpReqConnecting
        | Metric::HttpReqTlsHandshaking
        | Metric::HttpReqSending
        | Metric::HttpReqWaiting
        | Metric::HttpReqReceiving
        | Metric::HttpReqFailed
        | Metric::HttpReqCorrected
        | Metric::Errors
        | Metric::DataSent
        | Metric::DataReceived => *key != SelectorKey::Cause,
        Metric::GeneratorLag
        | Metric::GeneratorDelay
        | Metric::GeneratorCpu
        | Metric::GeneratorThrottled
        | Metric::GeneratorSockets
        | Metric::GeneratorDescriptors
        | Metric::GeneratorPorts
        | Metric::HpaReplicas
        | Metric::HpaDesiredReplicas
        | Metric::HpaCpu
        | Metric::HpaScaleUpTime
        | Metric::HpaScaleDownTime
        | Metric::PodsReady
        | Metric::PodRestarts
        | Metric::PodCrashLoops
        | Metric::PodCpu
        | Metric::PodMemory
        | Metric::MysqlThreadsConnected
        | Metric::MysqlConnectionsUsed
        | Metric::MysqlConnectionsRefused
        | Metric::MysqlAbortedConnects
        | Metric::MysqlDeadlocks
        | Metric::MysqlLockWaitTimeouts
        | Metric::MysqlRowLockWaits
        | Metric::MysqlRowLockTime
        | Metric::MysqlSlowQueries
        | Metric::MysqlQueries
        | Metric::MysqlBufferPoolHits
        | Metric::MysqlTmpDiskTables
        | Metric::MysqlRestarts
        // Those of observers have selectors of their own.
        | Metric::LogMatches => false,
    }
}

/// Cuts what follows the `{` of a selector into its pairs.
fn pairs(inside: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = inside.trim_start();
    loop {
        let (key, after) = rest.split_once(':').ok_or("a `:` is missing in this selector")?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = if let Some(quote) = quote {
            after[1..].split_once(quote).ok_or("a quote in this selector is never closed")?
        } else {
            let end = after.find([',', '}']).ok_or("the `{` of this selector is never closed")?;
            (after[..end].trim(), &after[end..])
        };
        if key.trim().is_empty() || value.is_empty() {
            return Err("a key or a value is missing in this selector".into());
        }
        pairs.push((key.trim().to_owned(), value.to_owned()));
        let after = after.trim_start();
        if let Some(next) = after.strip_prefix(',') {
            rest = next.trim_start();
        } else {
            return match after.strip_prefix('}').map(str::trim) {
                Some("") => Ok(pairs),
                Some(_) => Err("something follows the `}` of this selector".into()),
                None => Err("the `{` of this selector is never closed".into()),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::place::{Place, Sources};
    use super::*;

    /// What becomes of a key of the profile's own file, whose stages are written in another.
    fn check(key: &str) -> String {
        let mut sources = Sources::default();
        let [own, extended] = ["", ""].map(|text| sources.add(String::new(), text.into()));
        let names = Names {
            steps: vec!["create employee".into(), "list".into()],
            loads: vec!["browse".into()],
            stages: vec!["peak".into()],
            stages_in: vec![extended],
            precedence: Precedence { files: 2 },
            tags: vec!["team".into()],
            observers: vec![ObserverKind::Logs],
            patterns: vec!["Deadlock".into()],
            sources: vec!["mysql.log".into()],
        };
        let key = Placed::new(key.to_owned(), Place { source: own, start: 0, end: 0 });
        let mut findings = Findings::default();
        if let Some((metric, selector)) = read(&key, &names, &mut findings) {
            let pairs = selector.iter();
            return pairs.fold(metric.to_string(), |text, pair| {
                format!("{text} {:?}={}", pair.key, pair.value.value)
            });
        }
        // Each wrong key is said.
        let [wrong, ..] = findings.list.as_slice() else { panic!("nothing is wrong with {key:?}") };
        format!("{} / {}", wrong.message, wrong.help.as_deref().unwrap_or("-"))
    }

    #[test]
    fn selectors_are_read() {
        for (key, read) in [
            ("http_req_duration", "http_req_duration"),
            ("http_req_duration{step:create employee}", "http_req_duration Step=create employee"),
            ("http_reqs{ step: \"list\" , status:500 }", "http_reqs Step=list Status=500"),
            (
                "checks{team:a, b}",
                "a `:` is missing in this selector / write `metric{key:value,key2:value2}`, values with a comma or a brace in quotes",
            ),
            ("checks{team:'a, b'}", "checks Tag(\"team\")=a, b"),
            ("http_req_cut{cause:interrupt}", "http_req_cut Cause=interrupt"),
            ("vus{stage:peak}", "vus Stage=peak"),
            (
                "log_matches{pattern:Deadlock,stage:peak}",
                "log_matches Label(\"pattern\")=Deadlock Stage=peak",
            ),
            ("log_matches{phase:before}", "log_matches ObservedPhase=before"),
        ] {
            assert_eq!(check(key), read, "{key}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_nearest_name() {
        for (key, wrong) in [
            ("http_req_duratoin", "unknown metric `http_req_duratoin` / did you mean `http_req_duration`?"),
            (
                "hpa_replicas",
                "`hpa_replicas` is sampled by the observer `kubernetes`, and the profile has none / describe it in a table `[observe.kubernetes]`",
            ),
            (
                "checks{step:create employe}",
                "there is no step `create employe` / did you mean `create employee`?",
            ),
            (
                "mysql_deadlocks",
                "`mysql_deadlocks` is sampled by the observer `mysql`, and the profile has none / describe it in a table `[observe.mysql]`",
            ),
            ("log_matches{pattern:Deadlok}", "there is no pattern `Deadlok` / did you mean `Deadlock`?"),
            ("log_matches{phase:load}", "there is no phase `load` / valid here: `before`, `during`, `after`"),
            (
                "log_matches{step:list}",
                "`log_matches` is not kept by `step` / valid here: `stage`, `phase`, `pattern`, `source`",
            ),
            ("checks{stages:peak}", "nothing is selected by `stages` / did you mean `stage`?"),
            ("checks{phase:lod}", "there is no phase `lod` / did you mean `load`?"),
            ("http_reqs{status:2xx}", "`2xx` is no status: it lies between 100 and 599 / -"),
            ("vus{stage:peek}", "there is no stage `peek` / did you mean `peak`?"),
            ("vus{step:list}", "`vus` is not kept by `step` / -"),
            ("checks{step:list,step:list}", "a key stands twice in this selector / -"),
        ] {
            assert_eq!(check(key), wrong, "{key}");
        }
    }

    #[test]
    fn a_text_is_above_the_one_it_extends_and_below_the_command_line() {
        let mut sources = Sources::default();
        let [own, extended, set] = ["", "", ""].map(|text| sources.add(String::new(), text.into()));
        let replaced = |stages_in: &[SourceId], of| {
            let precedence = Precedence { files: 2 };
            Names { stages_in: stages_in.to_vec(), precedence, ..Names::default() }.have_replaced_those_of(of)
        };
        assert!(replaced(&[own], extended) && replaced(&[set], own) && replaced(&[set], extended));
        assert!(!replaced(&[own], own) && !replaced(&[extended], extended) && !replaced(&[set], set));
        assert!(!replaced(&[extended], own) && !replaced(&[extended], set) && !replaced(&[own], set));
        assert!(!replaced(&[set, extended], extended), "some are still its own");
        assert!(!replaced(&[], extended), "nobody knows of any");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", near in "checks[{](step|:|,|[}]|\"|'|list|é| ){0,12}") {
            check(&text);
            check(&near);
        }
    }
}
