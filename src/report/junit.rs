//! `junit.xml`: the verdict as a test report, so that a pipeline's test page reads as the verdict does.
//!
//! The dialect is narrower than any reader asks for, because each reader has traps of its own:
//! - A suite for each section that has cases, and `run` for what is about the run as a whole. Each has a time and
//!   a timestamp, or dorny/test-reporter shows `NaN` and Azure guesses.
//! - A case for each threshold, warning and check. Names hold no measured value, because history is kept under
//!   them, and no `<letter`, because some readers put them into HTML as they are. They are unique, or GitLab
//!   counts two as one.
//! - The case `load phase completed` carries the whole time, all others none, because some readers show the sum.
//! - `failure` is what does not hold, `error` what could not be judged, `skipped` what was not asked for. A
//!   warning that does not hold is a passed case with a `system-out`: JUnit knows no third colour.
//! - A body begins with the message, because GitLab drops the message where there is a body.
//! - A type begins with `palier.`, because GitLab takes words such as `date` for a type to convert the text to.

use std::collections::HashSet;
use std::str::FromStr;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::comparison::{change, interval};
use super::show;
use super::summary::{Check, Difference, EndCause, Expected, Reason, Summary, Threshold};
use crate::compare::history::unit;
use crate::words::{Against, Change, Level, Metric, Outcome, Section, Verdict};

/// The suite of what is about the run as a whole.
const RUN: &str = "run";

/// What XSDs and readers allow for a name.
const MAX_NAME: usize = 200;

/// Readers trim what is longer, some of them from the wrong end.
const MAX_TEXT: usize = 1000;

/// The report as an XML document.
#[expect(clippy::missing_panics_doc, reason = "it never does: that is the invariant")]
pub fn render(summary: &Summary) -> String {
    let mut report = Report::new("palier");
    report.set_time(wall_time(summary));
    report.timestamp = Some(start(summary));
    report.add_test_suite(run_suite(summary));
    for &section in Section::ALL {
        let suite = section_suite(summary, section);
        if suite.tests > 0 {
            report.add_test_suite(suite);
        }
    }
    report.to_string().expect("invariant: a Vec takes all bytes, and every text was cleaned")
}

/// Whether the load was run to its end, and what else is about no threshold.
fn run_suite(summary: &Summary) -> TestSuite {
    let mut suite = Cases::new(summary, RUN);
    suite.suite.set_time(wall_time(summary));
    for (name, value) in properties(summary) {
        suite.suite.add_property(Property::new(name, show::one_line(&value, MAX_TEXT)));
    }
    let (status, note) = load_phase(summary);
    suite.push("load phase completed", status, note, None, wall_time(summary));
    suite.push_reasons(None);
    suite.suite
}

fn section_suite(summary: &Summary, section: Section) -> TestSuite {
    let mut suite = Cases::new(summary, section.name());
    for threshold in summary.thresholds.iter().filter(|it| it.section == section) {
        let (status, note) = judged(summary, threshold);
        suite.push(&threshold.id, status, note, Some((&threshold.file, threshold.line)), Duration::ZERO);
    }
    suite.push_reasons(Some(section));
    if section == Section::Regression {
        for difference in summary.regression.iter().flat_map(|it| &it.differences) {
            let (status, note) = differs(summary, difference);
            let step = difference.step.as_deref().unwrap_or("all steps");
            let name = format!(
                "{step}: {} {} beside {}",
                difference.metric,
                difference.aggregation,
                against(summary)
            );
            suite.push(&name, status, Some(note), None, Duration::ZERO);
        }
    }
    if section == Section::Regression
        && let Some(history) = &summary.history
    {
        if history.figures.is_empty() {
            let text = format!("{} earlier runs, it takes {}", history.runs, history.least);
            suite.push("within its history", skipped("too_few_runs", &text), None, None, Duration::ZERO);
        }
        for figure in &history.figures {
            let (status, note) = expected(figure);
            suite.push(
                &format!("{} within its history", figure.name),
                status,
                Some(note),
                None,
                Duration::ZERO,
            );
        }
    }
    if section == Section::Checks {
        for check in &summary.checks {
            let (status, note) = checked(summary, check);
            let place = Some((&check.file, check.line));
            suite.push(&check_name(summary, check), status, note, place, Duration::ZERO);
        }
    }
    suite.suite
}

/// The status of a case, and what its `system-out` says.
type Judged = (TestCaseStatus, Option<String>);

fn load_phase(summary: &Summary) -> Judged {
    let Some(ended) = &summary.run.ended_early else { return (TestCaseStatus::success(), None) };
    let message = show::one_line(&ended.text, MAX_TEXT);
    let details = vec![format!("{} after the start of the load", show::offset(ended.at))];
    (non_success(NonSuccessKind::Error, kind_of_end(ended.cause), message, &details), None)
}

/// The kind of the reason that says the same as [`Run::ended_early`](super::summary::Run::ended_early).
fn kind_of_end(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Interrupt => "interrupted",
        EndCause::Abort => "aborted",
        EndCause::NotStarted => "not-started",
    }
}

fn judged(summary: &Summary, threshold: &Threshold) -> Judged {
    let message = show::one_line(&threshold.reason, MAX_TEXT);
    let observed = show::observed(threshold);
    match threshold.outcome {
        Outcome::Pass => (TestCaseStatus::success(), Some(observed)),
        Outcome::Warn => (TestCaseStatus::success(), Some(format!("warning: {message}"))),
        Outcome::Fail => {
            (non_success(NonSuccessKind::Failure, "threshold", message, &details(threshold)), None)
        }
        Outcome::Invalid => {
            let reason = summary.reasons.iter().find(|it| it.threshold.as_ref() == Some(&threshold.id));
            let kind = reason.map_or("invalid", |it| it.kind.as_str());
            (non_success(NonSuccessKind::Error, kind, message, &details(threshold)), None)
        }
        Outcome::Skipped => (skipped("skipped", &message), None),
    }
}

fn details(threshold: &Threshold) -> Vec<String> {
    let mut details = vec![
        format!("asked for: {} ({})", threshold.id, show::place(threshold)),
        format!("observed: {}", show::observed(threshold)),
    ];
    if let Some(samples) = threshold.samples {
        details.push(format!("samples: {samples}"));
    }
    if let Some(window) = threshold.window {
        details.push(format!("in the worst {}", show::time_or_none(Some(window))));
    }
    details
}

/// A figure beside that of the baseline: by itself no gate, unless the profile leaves it to the default that nothing may
/// be worse.
fn differs(summary: &Summary, difference: &Difference) -> (TestCaseStatus, String) {
    let text = format!(
        "{}: {} ({})",
        difference.change,
        change(difference, difference.difference),
        interval(difference)
    );
    let is_gate = summary.reasons.iter().any(|it| it.kind == "regression" && it.verdict == Verdict::Fail);
    if difference.change == Change::Worse && is_gate {
        (non_success(NonSuccessKind::Failure, "regression", text.clone(), &[]), text)
    } else {
        (TestCaseStatus::success(), text)
    }
}

/// A figure among those of earlier runs.
fn expected(figure: &Expected) -> (TestCaseStatus, String) {
    let shown = |value: f64| show::value(value, unit(&figure.name));
    let (low, high) = (shown(figure.low), shown(figure.high));
    let text = format!("{}: {}, expected from {low} to {high}", figure.change, shown(figure.value));
    if figure.change == Change::Worse {
        (non_success(NonSuccessKind::Failure, "history", text.clone(), &[]), text)
    } else {
        (TestCaseStatus::success(), text)
    }
}

fn against(summary: &Summary) -> &'static str {
    match summary.regression.as_ref().map(|it| it.against) {
        Some(Against::Build) => "the other build",
        Some(Against::Baseline) | None => "the baseline",
    }
}

/// A check by itself is no gate: its case fails only where a threshold on `checks` that covers it failed and it
/// is among the culprits.
fn checked(summary: &Summary, check: &Check) -> Judged {
    let counts = format!("held {} of {} times", check.passes, check.passes + check.fails);
    let Some(rate) = check.rate else {
        return (skipped("not_tried", "the check was never tried"), None);
    };
    let failed = summary.thresholds.iter().find(|threshold| {
        threshold.outcome == Outcome::Fail
            && threshold.level == Level::Fail
            && covers(threshold, check)
            && threshold.bound.is_some_and(|bound| rate < bound)
    });
    let first = check.first.as_ref().map(|it| format!("first: {}", show::one_line(&it.message, MAX_TEXT)));
    match failed {
        Some(threshold) => {
            let message =
                format!("{counts} ({}), not enough for {}", show::share_or_none(check.rate), threshold.id);
            let message = show::one_line(&message, MAX_TEXT);
            (non_success(NonSuccessKind::Failure, "check", message, first.as_slice()), None)
        }
        None => (
            TestCaseStatus::success(),
            Some([Some(counts), first].into_iter().flatten().collect::<Vec<_>>().join("; ")),
        ),
    }
}

/// Whether a threshold is about all that a check did. One on a stage or a tag is about a part of it, and whether
/// the check is a culprit there cannot be told from its own rate.
fn covers(threshold: &Threshold, check: &Check) -> bool {
    threshold.metric == Metric::Checks.name()
        && threshold.selector.iter().all(|(key, value)| match key.as_str() {
            "step" => *value == check.step,
            "check" => *value == check.name,
            "load" => Some(value) == check.load.as_ref(),
            _ => false,
        })
}

/// The name that the scenario gives the check, with that of its step where another check has it too.
fn check_name(summary: &Summary, check: &Check) -> String {
    let namesakes = || summary.checks.iter().filter(|it| it.name == check.name);
    if namesakes().count() == 1 {
        return check.name.clone();
    }
    match &check.load {
        Some(load) => format!("{load}: {}: {}", check.step, check.name),
        None => format!("{}: {}", check.step, check.name),
    }
}

fn properties(summary: &Summary) -> Vec<(&'static str, String)> {
    let run = &summary.run;
    let mut properties = vec![
        ("palier.version", summary.palier.clone()),
        ("palier.verdict", summary.verdict.to_string()),
        ("palier.exit_code", summary.exit_code.to_string()),
        ("palier.run", run.id.clone()),
        ("palier.profile", run.profile.name.clone()),
        ("palier.target", run.target.clone()),
    ];
    let environment =
        [("palier.commit", &run.environment.commit), ("palier.branch", &run.environment.branch)];
    properties.extend(environment.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    properties
}

/// A suite that is being filled, with the names it has already.
struct Cases<'a> {
    summary: &'a Summary,
    suite: TestSuite,
    classname: String,
    names: HashSet<String>,
}

impl<'a> Cases<'a> {
    fn new(summary: &'a Summary, name: &str) -> Self {
        let mut suite = TestSuite::new(name);
        suite.set_time(Duration::ZERO);
        suite.timestamp = Some(start(summary));
        // Jenkins takes what stands before the last dot for a package, so only our own dots may remain.
        let profile = show::one_line(&summary.run.profile.name, MAX_NAME).replace(['.', ' '], "-");
        let classname = case_name(&format!("palier.{profile}.{name}"));
        Self { summary, suite, classname, names: HashSet::new() }
    }

    fn push(
        &mut self,
        name: &str,
        status: TestCaseStatus,
        note: Option<String>,
        place: Option<(&Option<String>, Option<u32>)>,
        time: Duration,
    ) {
        let profile = &self.summary.run.profile;
        let file = place.and_then(|(file, _)| file.as_deref()).or(profile.path.as_deref());
        let file = file.map_or_else(|| format!("profiles/{}.toml", profile.name), str::to_owned);
        let line = place.and_then(|(_, line)| line).unwrap_or(1).max(1);

        let mut case = TestCase::new(self.unique(&case_name(name)), status);
        case.set_classname(self.classname.as_str());
        case.set_time(time);
        case.extra.insert("file".into(), show::one_line(&file, MAX_NAME).into());
        case.extra.insert("line".into(), line.to_string().into());
        if let Some(note) = note {
            case.set_system_out(note);
        }
        self.suite.add_test_case(case);
    }

    /// The reasons of a section that are about none of its thresholds: a case for each kind.
    fn push_reasons(&mut self, section: Option<Section>) {
        let summary = self.summary;
        let ended = summary.run.ended_early.as_ref().map(|it| kind_of_end(it.cause));
        let mut kinds: Vec<&str> = Vec::new();
        let reasons: Vec<&Reason> = summary
            .reasons
            .iter()
            .filter(|it| it.threshold.is_none() && it.section == section && Some(it.kind.as_str()) != ended)
            .collect();
        for reason in &reasons {
            if kinds.contains(&reason.kind.as_str()) {
                continue;
            }
            kinds.push(&reason.kind);
            let same = reasons.iter().filter(|it| it.kind == reason.kind);
            let mut texts = same.map(|it| show::one_line(&it.text, MAX_TEXT));
            let message = texts.next().unwrap_or_default();
            let (status, note) = match reason.verdict {
                Verdict::Pass => (TestCaseStatus::success(), Some(message)),
                Verdict::Warn => {
                    let all: Vec<String> = [message].into_iter().chain(texts).collect();
                    (TestCaseStatus::success(), Some(format!("warning: {}", all.join("\n"))))
                }
                Verdict::Fail => (
                    non_success(NonSuccessKind::Failure, &reason.kind, message, &texts.collect::<Vec<_>>()),
                    None,
                ),
                Verdict::Invalid => (
                    non_success(NonSuccessKind::Error, &reason.kind, message, &texts.collect::<Vec<_>>()),
                    None,
                ),
            };
            self.push(&reason.kind.replace('-', " "), status, note, None, Duration::ZERO);
        }
    }

    fn unique(&mut self, name: &str) -> String {
        let mut candidate = name.to_owned();
        let mut n = 1;
        while !self.names.insert(candidate.clone()) {
            n += 1;
            candidate = format!("{name} ({n})");
        }
        candidate
    }
}

fn non_success(kind: NonSuccessKind, word: &str, message: String, details: &[String]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    // A case without any text is shown by GitLab as a Ruby hash.
    let message = if message.is_empty() { "no reason was given".to_owned() } else { message };
    let details = details.iter().map(|it| show::one_line(it, MAX_TEXT));
    let body: Vec<String> = [message.clone()].into_iter().chain(details).collect();
    status.set_type(type_name(word)).set_description(body.join("\n")).set_message(message);
    status
}

fn skipped(word: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_type(type_name(word)).set_message(message).set_description(message);
    status
}

/// `palier.` and a word of lower-case letters.
fn type_name(word: &str) -> String {
    let word: String = word.chars().map(|it| if it.is_ascii_lowercase() { it } else { '_' }).collect();
    format!("palier.{}", if word.is_empty() { "invalid" } else { &word })
}

/// A text that can stand as a name: on one line, with no `<` that could begin a tag.
fn case_name(text: &str) -> String {
    let line = show::one_line(text, MAX_NAME);
    let mut name = String::with_capacity(line.len());
    for character in line.chars() {
        if name.ends_with('<') && matches!(character, 'a'..='z' | 'A'..='Z' | '/' | '!' | '?') {
            name.push(' ');
        }
        name.push(character);
    }
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

fn wall_time(summary: &Summary) -> Duration {
    // In whole milliseconds, as they are written, so that the sums are exact.
    Duration::try_from_secs_f64(summary.run.duration.0.round() / 1e3).unwrap_or_default()
}

/// The start of the run; a text that is no time becomes the epoch, because readers need one.
fn start<T: FromStr + Default>(summary: &Summary) -> T {
    summary.run.start.parse().unwrap_or_default()
}

#[cfg(test)]
#[path = "junit_tests.rs"]
mod tests;
