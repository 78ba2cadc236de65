//! The text at the end of a run: k6's block for those who know it, then what happened, then the verdict.
//!
//! The verdict comes last, because the end of a log is what is seen first, and in it the worst comes first. The
//! very last line is for GitLab, whose `coverage:` takes a number from the log:
//! `/^palier: .* success (\d+(?:\.\d+)?)%$/`.

mod judged;
mod metrics;

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use self::judged::{Row, mark};
pub(super) use self::metrics::cells;
use self::metrics::{MetricRow, columns, is_detail};
use super::comparison;
use super::show::{self, compact};
use super::summary::{Check, EndCause, EndedEarly, MetricValues, Reason, Summary, Threshold};
use crate::words::{Level, Metric, Outcome, Unit, Verdict};

/// How the text is to look; what it says depends on the summary alone.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Whether to colour it, with ANSI escape sequences.
    pub colour: bool,
    /// The columns of the terminal: longer examples are cut.
    pub width: usize,
    /// The report to open for more, named in the headline of the verdict.
    pub report: Option<&'a str>,
}

impl Default for Look<'_> {
    /// As a log of a pipeline shows it.
    fn default() -> Self {
        Self { colour: false, width: 120, report: None }
    }
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

/// The text, which ends in a line break.
pub fn render(summary: &Summary, look: &Look<'_>) -> String {
    let mut screen = Screen { text: String::new(), look };
    if summary.is_started() {
        screen.checks(&summary.checks);
        screen.metrics(summary);
        screen.stages(summary);
    }
    screen.facts(summary);
    if let Some(regression) = &summary.regression {
        screen.text.push_str(&comparison::console::glance(regression, look.colour));
    }
    screen.headline(summary);
    screen.thresholds(summary);
    let _ = writeln!(screen.text, "\n{}", last_line(summary));
    screen.text
}

/// One line for GitLab's badge: the share of requests that were answered as every check expects.
fn last_line(summary: &Summary) -> String {
    match summary.metrics.get(Metric::Errors.name()) {
        Some(MetricValues::Rate { rate: Some(rate), .. }) => {
            format!("palier: {} success {}", summary.verdict, compact::share(Some(1.0 - rate)))
        }
        _ => format!("palier: {}", summary.verdict),
    }
}

struct Screen<'a> {
    text: String,
    look: &'a Look<'a>,
}

impl Screen<'_> {
    fn checks(&mut self, checks: &[Check]) {
        let broken = checks.iter().filter(|it| it.fails > 0);
        let name_width = broken.map(|it| shown_name(it).chars().count()).max().unwrap_or(0).max(36);
        let digits = |count: fn(&Check) -> u64| {
            let broken = checks.iter().filter(|it| it.fails > 0);
            broken.map(|it| count(it).to_string().len()).max().unwrap_or(0)
        };
        let (pass_width, fail_width) = (digits(|it| it.passes), digits(|it| it.fails));
        for check in checks {
            let name = shown_name(check);
            if check.rate.is_none() {
                let line = self.paint(FAINT, &format!("- {name:<name_width$}  never tried"));
                self.line(&line);
            } else if check.fails == 0 {
                let mark = self.paint(GOOD, "✓");
                self.line(&format!("{mark} {name}"));
            } else {
                let counts = format!(
                    "{name:<name_width$} {:>7}  ✓ {:<pass_width$}  ✗ {:<fail_width$}",
                    compact::share(check.rate),
                    check.passes,
                    check.fails
                );
                let first = check.first.as_ref().map_or_else(String::new, |first| {
                    let whose = [first.vu.map(|vu| format!("VU {vu}")), first.at.map(show::offset)];
                    let whose: Vec<String> = whose.into_iter().flatten().collect();
                    let whose =
                        if whose.is_empty() { String::new() } else { format!(" ({})", whose.join(", ")) };
                    let taken =
                        "  ✗      first: ".chars().count() + counts.chars().count() + whose.chars().count();
                    let room = self.look.width.saturating_sub(taken).max(20);
                    format!("     first: {}{whose}", show::one_line(&first.message, room))
                });
                let line = self.paint(BAD, &format!("✗ {counts}"));
                self.line(&format!("{line}{first}"));
            }
        }
        if !checks.is_empty() {
            self.text.push('\n');
        }
    }

    fn metrics(&mut self, summary: &Summary) {
        let mut rows: Vec<MetricRow<'_>> =
            summary.metrics.iter().map(|(key, values)| MetricRow::new(summary, key, values)).collect();
        // A scenario without checks has no share of them.
        rows.retain(|row| row.name != "checks" || !summary.checks.is_empty());
        // The line on the generator says what there is to say; who asks for more of it sees it.
        rows.retain(|row| row.outcome.is_some() || !is_detail(&row.name));
        // A metric narrowed by a selector follows the whole of it, as in k6.
        rows.sort_by_key(|it| it.order);
        let name_width = rows.iter().map(|it| it.name.chars().count()).max().unwrap_or(0) + 3;
        let columns = columns(&rows);
        for row in &rows {
            let (mark, style) = row.outcome.map_or((" ", Style::new()), mark);
            let mark = self.paint(style, mark);
            let dots = self.paint(FAINT, &".".repeat(name_width - row.name.chars().count()));
            let cells: Vec<String> = row
                .cells
                .iter()
                .enumerate()
                .map(|(n, cell)| format!("{cell:<width$}", width = columns[usize::from(row.is_trend)][n]))
                .collect();
            let line = format!("{mark} {}{dots}: {}", row.name, cells.join(" "));
            self.line(line.trim_end());
        }
        if !rows.is_empty() {
            self.text.push('\n');
        }
    }

    /// Only where there is a course to follow.
    fn stages(&mut self, summary: &Summary) {
        if summary.stages.len() < 2 {
            return;
        }
        let heading = ["time", "stage", "VUs", "req/s", "p95", "errors"].map(str::to_owned);
        let mut rows = vec![heading];
        for stage in &summary.stages {
            let name =
                stage.name.as_deref().map_or_else(|| show::NONE.to_owned(), |it| show::one_line(it, 30));
            let name = match (&stage.load, &stage.name) {
                (Some(load), Some(_)) => format!("{}/{name}", show::one_line(load, 20)),
                (Some(load), None) => show::one_line(load, 20),
                (None, _) => name,
            };
            #[expect(clippy::cast_precision_loss, reason = "a share is shown with a few digits")]
            let errors = (stage.requests > 0).then(|| stage.errors as f64 / stage.requests as f64);
            rows.push([
                show::offset(super::summary::Ms(stage.start.0 + stage.duration.0)),
                name,
                stage.vus_max.to_string(),
                stage.rate.map_or_else(|| show::NONE.to_owned(), |it| format!("{it:.1}")),
                show::time_or_none(stage.http_req_duration.p95),
                show::share_or_none(errors),
            ]);
        }
        let width = |n: usize| rows.iter().map(|it| it[n].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for (n, [time, stage, vus, rate, p95, errors]) in rows.iter().enumerate() {
            let line = format!(
                "{time:<0$}   {stage:<1$}   {vus:>2$}   {rate:>3$}   {p95:>4$}   {errors:>5$}",
                widths[0], widths[1], widths[2], widths[3], widths[4], widths[5]
            );
            let line = if n == 0 { self.paint(FAINT, &line) } else { line };
            self.line(&line);
        }
        self.text.push('\n');
    }

    fn facts(&mut self, summary: &Summary) {
        let before = self.text.len();
        for fact in &summary.facts {
            self.fact(&fact.topic, &fact.text);
        }
        for note in &summary.run.notes {
            self.fact("note", note);
        }
        let generator = &summary.generator;
        let mut parts = Vec::new();
        if let Some(cpu) = generator.cpu {
            let noun = if generator.cores > 1.0 { "cores" } else { "core" };
            parts.push(format!("{} of {} {noun}", show::value(cpu, Unit::Fraction), generator.cores));
        }
        if let Some(p99) = generator.lag.p99 {
            parts.push(format!("timer lag p99 {}", show::value(p99.0, Unit::Milliseconds)));
        }
        if let Some(throttled) = generator.throttled.filter(|it| *it > 0.0) {
            parts.push(format!(
                "held back by its CPU limit for {} of the time",
                show::value(throttled, Unit::Fraction)
            ));
        }
        if !parts.is_empty() {
            let sound = if generator.sound {
                "sound"
            } else {
                "late; what that alone explains is not blamed on the target"
            };
            self.fact("generator", &format!("{}: {sound}", parts.join(", ")));
        }
        for short in &generator.short {
            self.fact("", short);
        }
        if self.text.len() > before {
            self.text.push('\n');
        }
    }

    fn fact(&mut self, topic: &str, text: &str) {
        let line = format!("{:<13} {}", show::one_line(topic, 13), show::one_line(text, 500));
        self.line(&line);
    }

    fn headline(&mut self, summary: &Summary) {
        let (style, word) = match summary.verdict {
            Verdict::Pass => (GOOD, "PASS"),
            Verdict::Warn => (WARN, "WARN"),
            Verdict::Invalid => (WARN, "INVALID"),
            Verdict::Fail => (BAD, "FAIL"),
        };
        let told = tally(summary);
        let mut line = format!("{}  {told}", self.paint(style.bold(), word));
        if let Some(report) = self.look.report {
            let taken = word.len() + 2 + told.chars().count() + report.chars().count();
            let air = self.look.width.min(100).saturating_sub(taken).max(3);
            let _ = write!(line, "{}{report}", " ".repeat(air));
        }
        let _ = writeln!(self.text, "{line}");
    }

    /// What is wrong in the order of the reasons, then what holds, each with its figures and where it was asked
    /// for.
    fn thresholds(&mut self, summary: &Summary) {
        let find =
            |reason: &Reason| summary.thresholds.iter().find(|it| reason.threshold.as_ref() == Some(&it.id));
        let told = |threshold: &Threshold| {
            summary.reasons.iter().any(|it| it.threshold.as_ref() == Some(&threshold.id))
        };
        let mut rows: Vec<Row> = summary
            .reasons
            .iter()
            .map(|reason| find(reason).map_or_else(|| Row::of_reason(reason), Row::of_threshold))
            .collect();
        let (judged, rest): (Vec<&Threshold>, Vec<&Threshold>) = summary
            .thresholds
            .iter()
            .filter(|it| !told(it) && !show::is_unobserved(summary, it))
            .partition(|it| !matches!(it.outcome, Outcome::Pass | Outcome::Skipped));
        // That no load was made is said once, not once more for every threshold.
        if summary.is_started() {
            rows.extend(judged.into_iter().chain(rest).map(Row::of_threshold));
        }

        let width = |cell: fn(&Row) -> &str| {
            rows.iter()
                .filter(|it| !it.place.is_empty())
                .map(|it| cell(it).chars().count())
                .max()
                .unwrap_or(0)
        };
        let (asked_width, figure_width) = (width(|it| &it.asked), width(|it| &it.figure));
        for row in &rows {
            let Row { mark, section, asked, figure, place, .. } = row;
            let mark = self.paint(row.style, mark);
            let line =
                format!("{mark} {section:<12}  {asked:<asked_width$}  {figure:<figure_width$}  {place}");
            self.line(line.trim_end());
            if let Some(note) = &row.note {
                self.line(&format!("  {:<12}  {note}", ""));
            }
        }
        self.unobserved(summary);
    }

    /// What only an observer sees that was not asked for: one line, however many thresholds wait for it.
    fn unobserved(&mut self, summary: &Summary) {
        let unobserved = summary.thresholds.iter().filter(|it| show::is_unobserved(summary, it)).count();
        if unobserved > 0 && summary.is_started() {
            let (mark, style) = mark(Outcome::Skipped);
            let mark = self.paint(style, mark);
            let [text, flag, rest] = show::want_of_observer(summary, unobserved);
            self.line(&format!("{mark} {text}`{flag}`{rest}"));
        }
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "  {line}");
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.look.colour && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

fn shown_name(check: &Check) -> String {
    let name = show::one_line(&check.name, 60);
    match &check.load {
        Some(load) => format!("{}: {name}", show::one_line(load, 20)),
        None => name,
    }
}

/// What was asked for, with air around the operator: `http_req_duration p(95) < 500ms`; after a name of its own,
/// in brackets.
pub(super) fn spaced(threshold: &Threshold) -> String {
    let Threshold { id, metric, expression, aggregation, operator, .. } = threshold;
    let rest = expression.trim_start().strip_prefix(aggregation.as_str()).map(str::trim_start);
    let condition = match rest.and_then(|it| it.strip_prefix(operator.as_str())) {
        Some(bound) => format!("{aggregation} {operator} {}", bound.trim_start()),
        None => expression.clone(),
    };
    let asked = match id.strip_suffix(expression.as_str()) {
        Some(subject) => format!("{subject}{condition}"),
        None => format!("{id} ({metric} {condition})"),
    };
    show::one_line(&asked, 100)
}

/// The verdict in numbers: `2 of 11 thresholds do not hold, 1 warning`.
pub(super) fn tally(summary: &Summary) -> String {
    let count = |level: Level, outcome: Outcome| {
        summary.thresholds.iter().filter(|it| it.level == level && it.outcome == outcome).count()
    };
    let asked = |it: &&Threshold| it.level == Level::Fail && it.outcome != Outcome::Skipped;
    let n_thresholds = summary.thresholds.iter().filter(asked).count();
    let failed = count(Level::Fail, Outcome::Fail);
    let warnings = count(Level::Warn, Outcome::Warn);
    let not_judged = count(Level::Fail, Outcome::Invalid) + count(Level::Warn, Outcome::Invalid);
    let skipped = count(Level::Fail, Outcome::Skipped) + count(Level::Warn, Outcome::Skipped);

    let mut parts: Vec<String> = summary.run.ended_early.iter().map(short_end).collect();
    if failed > 0 {
        let verb = if failed == 1 { "does" } else { "do" };
        parts.push(format!("{failed} of {} {verb} not hold", plural(n_thresholds, "threshold")));
    } else if not_judged == 0 && n_thresholds > 0 {
        let verb = if n_thresholds == 1 { "holds" } else { "hold" };
        let thresholds = plural(n_thresholds, "threshold");
        parts.push(match count(Level::Warn, Outcome::Pass) {
            held if held > 0 && warnings == 0 => format!("{thresholds} and {} hold", plural(held, "warning")),
            _ => format!("{thresholds} {verb}"),
        });
    }
    if not_judged > 0 {
        parts.push(format!("{not_judged} could not be judged"));
    }
    if warnings > 0 {
        parts.push(plural(warnings, "warning"));
    }
    let unobserved = summary.thresholds.iter().filter(|it| show::is_unobserved(summary, it)).count();
    let skipped = skipped - unobserved;
    if skipped > 0 {
        parts.push(format!("{skipped} skipped"));
    }
    if summary.verdict == Verdict::Invalid && not_judged == 0 && summary.run.ended_early.is_none() {
        parts.insert(0, "what was measured carries no verdict".to_owned());
    }
    if parts.is_empty() { "no threshold was asked for".to_owned() } else { parts.join(", ") }
}

fn short_end(ended: &EndedEarly) -> String {
    match ended.cause {
        EndCause::Interrupt => format!("interrupted after {}", show::offset(ended.at)),
        EndCause::Abort => format!("aborted after {}", show::offset(ended.at)),
        EndCause::NotStarted => "no load was made".to_owned(),
    }
}

pub(super) fn plural(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;
