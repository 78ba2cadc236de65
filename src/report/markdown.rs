//! `summary.md`: the verdict for a pipeline's summary page or a note on a merge request.
//!
//! What comes from the target or from a profile is escaped so that it can neither make markup nor call people by
//! name. GitHub drops a step summary above 1 MiB as a whole, so lists are cut, and say so.

use std::fmt::Write as _;

use super::summary::{Reason, Summary, Threshold, Trend};
use super::{comparison, show};
use crate::words::{Level, Metric, Outcome, Verdict};

/// GitHub's limit for all that one step writes to its summary, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Rows of one table.
const MAX_ROWS: usize = 100;

/// Characters of one text.
const MAX_TEXT: usize = 300;

/// The report as GitHub-flavoured Markdown, always below [`MAX_BYTES`].
pub fn render(summary: &Summary) -> String {
    let mut page = String::new();
    heading(&mut page, summary);
    reasons(&mut page, summary);
    thresholds(&mut page, summary);
    if summary.is_started() {
        steps(&mut page, summary);
        stages(&mut page, summary);
    }
    if let Some(regression) = &summary.regression {
        let _ = writeln!(
            page,
            "### Beside the {}\n",
            if regression.base.len() > 1 { "baseline runs" } else { regression.against.name() }
        );
        comparison::markdown::section(&mut page, regression);
    }
    checks(&mut page, summary);
    errors(&mut page, summary);
    leftovers(&mut page, summary);
    generator(&mut page, summary);
    notes(&mut page, summary);
    footer(&mut page, summary);
    shorten(&page, MAX_BYTES / 2)
}

/// The text if it has at most so many bytes, else as many of its lines as fit and a line that says so.
pub fn shorten(page: &str, max: usize) -> String {
    const NOTICE: &str = "\n\n… the rest is left out, because the page would be too large.\n";
    if page.len() <= max {
        return page.to_owned();
    }
    let mut end = max.saturating_sub(NOTICE.len());
    while !page.is_char_boundary(end) {
        end -= 1;
    }
    let end = page[..end].rfind('\n').unwrap_or(0);
    if max < NOTICE.len() { String::new() } else { format!("{}{NOTICE}", &page[..end]) }
}

fn heading(page: &mut String, summary: &Summary) {
    let mark = match summary.verdict {
        Verdict::Pass => "✅",
        Verdict::Warn => "⚠️",
        Verdict::Invalid => "❔",
        Verdict::Fail => "❌",
    };
    let _ = writeln!(page, "## {mark} palier {}: {}\n", text(&summary.run.profile.name), summary.verdict);
}

fn reasons(page: &mut String, summary: &Summary) {
    for reason in summary.reasons.iter().take(MAX_ROWS) {
        let Reason { verdict, text: sentence, .. } = reason;
        let _ = writeln!(page, "- **{verdict}**: {}", text(sentence));
    }
    left_out(page, summary.reasons.len(), "reasons");
    if !summary.reasons.is_empty() {
        page.push('\n');
    }
}

fn thresholds(page: &mut String, summary: &Summary) {
    let (unobserved, mut asked): (Vec<&Threshold>, Vec<&Threshold>) =
        summary.thresholds.iter().partition(|it| show::is_unobserved(summary, it));
    asked.sort_by_key(|it| show::rank(it.outcome));
    let rows =
        |thresholds: &[&Threshold]| -> Vec<Vec<String>> { thresholds.iter().copied().map(row).collect() };
    let headings = &["", "section", "asked for", "observed", "where"];
    table(page, "Thresholds", headings, rows(&asked).into_iter());
    if !unobserved.is_empty() {
        let [words, flag, rest] = show::want_of_observer(summary, unobserved.len());
        let flag = text(&flag);
        let _ = writeln!(page, "<details><summary>{words}<code>{flag}</code>{rest}</summary>\n");
        rows_of_table(page, headings, &rows(&unobserved));
        page.push_str("</details>\n\n");
    }
}

fn row(threshold: &Threshold) -> Vec<String> {
    vec![
        outcome(threshold).to_owned(),
        threshold.section.to_string(),
        text(&threshold.id),
        text(&show::figure(threshold)),
        text(&show::place(threshold)),
    ]
}

fn outcome(threshold: &Threshold) -> &'static str {
    match (threshold.outcome, threshold.level) {
        (Outcome::Pass, _) => "✅ holds",
        (Outcome::Warn, _) => "⚠️ warning",
        (Outcome::Fail, _) => "❌ fails",
        (Outcome::Invalid, Level::Fail) => "❔ not judged",
        (Outcome::Invalid, Level::Warn) => "❔ warning not judged",
        (Outcome::Skipped, _) => "➖ skipped",
    }
}

fn steps(page: &mut String, summary: &Summary) {
    let none = Trend::default();
    let rows = summary.steps.iter().map(|step| {
        let times = step.trends.get(Metric::HttpReqDuration.name()).unwrap_or(&none);
        vec![
            text(&step.name),
            format!("{} {}", text(&step.method), code(&step.path)),
            step.requests.to_string(),
            show::share_or_none(show::share(step.errors, step.requests)),
            show::time_or_none(times.avg),
            show::time_or_none(times.p95),
            show::time_or_none(times.p99),
            show::time_or_none(times.max),
        ]
    });
    table(page, "Steps", &["step", "request", "requests:", "errors:", "avg:", "p95:", "p99:", "max:"], rows);
}

fn stages(page: &mut String, summary: &Summary) {
    let rows = summary.stages.iter().map(|stage| {
        vec![
            show::offset(stage.start),
            stage.name.as_deref().map_or_else(|| show::NONE.to_owned(), text),
            stage.vus_max.to_string(),
            stage.rate.map_or_else(|| show::NONE.to_owned(), |it| format!("{it:.1}")),
            show::time_or_none(stage.http_req_duration.p95),
            show::share_or_none(show::share(stage.errors, stage.requests)),
        ]
    });
    table(page, "Stages", &["from", "stage", "VUs:", "requests/s:", "p95:", "errors:"], rows);
}

fn checks(page: &mut String, summary: &Summary) {
    let rows = summary.checks.iter().filter(|it| it.fails > 0).map(|check| {
        vec![
            text(&check.step),
            text(&check.name),
            format!("{} of {}", check.fails, check.passes + check.fails),
            check.first.as_ref().map_or_else(String::new, |it| code(&it.message)),
        ]
    });
    table(page, "Checks that did not always hold", &["step", "check", "failed:", "first"], rows);
}

fn errors(page: &mut String, summary: &Summary) {
    let rows = summary.errors.iter().map(|error| {
        vec![
            error.kind.to_string(),
            error.step.as_deref().map_or_else(String::new, text),
            error.status.map_or_else(String::new, |it| it.to_string()),
            error.count.to_string(),
            error.first.as_ref().map_or_else(String::new, |it| code(&it.message)),
        ]
    });
    table(page, "Errors", &["kind", "step", "status", "count:", "first"], rows);
}

fn leftovers(page: &mut String, summary: &Summary) {
    let cleanup = &summary.cleanup;
    let rows = cleanup
        .left_behind
        .iter()
        .map(|it| vec![text(&it.step), code(&it.name), it.reason.as_deref().map_or_else(String::new, code)]);
    table(page, "Left behind in the target", &["created by", "to undo it", "why it was not"], rows);
}

/// Only where it casts doubt on what is said above.
fn generator(page: &mut String, summary: &Summary) {
    let generator = &summary.generator;
    if generator.sound && generator.short.is_empty() {
        return;
    }
    let state = if generator.sound { "sound, but near a limit" } else { "not sound" };
    let lag = show::time_or_none(generator.lag.p99);
    let _ = writeln!(page, "- the generator was {state}: timer lag p99 {lag}");
    for short in &generator.short {
        let _ = writeln!(page, "- {}", text(short));
    }
    page.push('\n');
}

fn notes(page: &mut String, summary: &Summary) {
    for fact in summary.facts.iter().take(MAX_ROWS) {
        let _ = writeln!(page, "- {}: {}", text(&fact.topic), text(&fact.text));
    }
    for note in summary.run.notes.iter().take(MAX_ROWS) {
        let _ = writeln!(page, "- {}", text(note));
    }
    if !(summary.facts.is_empty() && summary.run.notes.is_empty()) {
        page.push('\n');
    }
}

fn footer(page: &mut String, summary: &Summary) {
    let run = &summary.run;
    let requests: u64 = summary.steps.iter().map(|it| it.requests).sum();
    let _ = write!(
        page,
        "{requests} requests to {} ({}) in {}, started {}, run {}",
        code(&run.target),
        text(&run.route),
        show::time_or_none(Some(run.load_duration)),
        text(&run.start),
        code(&run.id),
    );
    if let Some(commit) = &run.environment.commit {
        let _ = write!(page, ", commit {}", code(&commit.chars().take(12).collect::<String>()));
    }
    let _ = writeln!(page, ", palier {}.", text(&summary.palier));
}

/// A table, if it has rows. A heading that ends in a colon is of a column of numbers.
fn table(page: &mut String, title: &str, headings: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(page, "### {title}\n");
    rows_of_table(page, headings, &rows);
}

fn rows_of_table(page: &mut String, headings: &[&str], rows: &[Vec<String>]) {
    let names: Vec<&str> = headings.iter().map(|it| it.trim_end_matches(':')).collect();
    let rules: Vec<&str> = headings.iter().map(|it| if it.ends_with(':') { "--:" } else { ":--" }).collect();
    let _ = writeln!(page, "| {} |\n| {} |", names.join(" | "), rules.join(" | "));
    for row in rows.iter().take(MAX_ROWS) {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
    page.push('\n');
    left_out(page, rows.len(), "rows");
    if rows.len() > MAX_ROWS {
        page.push('\n');
    }
}

fn left_out(page: &mut String, n: usize, what: &str) {
    if n > MAX_ROWS {
        let _ = writeln!(page, "… and {} more {what}.", n - MAX_ROWS);
    }
}

/// Text that stands as it is: what Markdown or HTML could take as its own becomes an entity.
pub(super) fn text(text: &str) -> String {
    let line = show::one_line(text, MAX_TEXT);
    let mut escaped = String::new();
    let mut last = ' ';
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Emphasis only at the edge of a word, a link only before a slash.
            '_' if last.is_alphanumeric() && next.is_alphanumeric() => escaped.push('_'),
            ':' if next != '/' => escaped.push(':'),
            '.' if last != 'w' && last != 'W' => escaped.push('.'),
            ' ' | ',' | '-' | '/' | '(' | ')' | '%' | '=' | '?' | ';' | '"' | '\'' => escaped.push(character),
            it if it.is_ascii_alphanumeric() || !it.is_ascii() => escaped.push(it),
            it => {
                let _ = write!(escaped, "&#{};", u32::from(it));
            }
        }
        last = character;
    }
    escaped
}

/// Text from the target: in a code span, in which nothing is markup, `@name` calls nobody, and only a backtick,
/// or the bar of a table, could end it.
fn code(text: &str) -> String {
    let line = show::one_line(text, MAX_TEXT).replace('`', "'").replace('|', "¦");
    if line.is_empty() { line } else { format!("`{line}`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_page_reads_as_the_verdict() {
        for (name, summary) in sample::all() {
            insta::assert_snapshot!(format!("markdown-{name}"), render(&summary));
        }
    }

    #[test]
    fn what_waits_for_an_observer_is_folded_and_not_lost() {
        let page = render(&sample::unobserved());
        let (asked, rest) = page.split_once("<details><summary>3 not judged, for want").expect("a fold");
        let (fold, _) = rest.split_once("\n\n</details>\n\n").expect("its end");
        assert!(
            fold.contains("<code>--observe kubernetes,mysql,logs</code> asks for it</summary>\n\n| "),
            "{fold}"
        );
        assert_eq!(
            (fold.matches("| ➖ skipped |").count(), asked.matches("skipped").count()),
            (3, 0),
            "{page}"
        );
        assert!(!render(&sample::standard_pass()).contains("<details>"));
    }

    #[test]
    fn text_from_outside_makes_no_markup() {
        let page = render(&sample::hostile());
        for evil in ["\u{1b}", "\u{202e}", "\n::", "##["] {
            assert!(!page.contains(evil), "{evil:?} in\n{page}");
        }
        for line in page.lines() {
            // Code spans have no backtick inside, so every other piece is outside of them.
            let pieces: Vec<&str> = line.split('`').collect();
            assert_eq!(pieces.len() % 2, 1, "a code span is not closed in {line}");
            for evil in ["<", "[x](", "@all", "://"] {
                assert!(pieces.iter().step_by(2).all(|it| !it.contains(evil)), "{evil} in {line}");
            }
        }
        let bars = |line: &str| line.matches('|').count();
        let mut columns = 0;
        for (line, next) in page.lines().zip(page.lines().skip(1)).filter(|(line, _)| line.starts_with('|')) {
            if next.starts_with("| :--") {
                columns = bars(line);
            }
            assert_eq!(bars(line), columns, "a cell broke out of {line}");
        }
    }

    #[test]
    fn the_page_stays_below_the_limit_of_github() {
        let mut summary = sample::hostile();
        let long = "é|".repeat(10_000);
        summary.checks = vec![summary.checks[6].clone(); 5000];
        summary.steps = vec![summary.steps[0].clone(); 5000];
        summary.reasons = vec![Reason { text: long, ..summary.reasons[0].clone() }; 5000];
        let page = render(&summary);
        assert!(page.len() < MAX_BYTES, "{} bytes", page.len());
        assert!(page.contains("… and 4900 more reasons."));
        assert!(page.contains("… and 4900 more rows."));
    }

    #[test]
    fn a_page_is_cut_between_lines() {
        let page = "a line that is not short é\n".repeat(20);
        for max in 0..page.len() {
            let cut = shorten(&page, max);
            assert!(cut.len() <= max, "{max}");
            assert!(cut.is_empty() || cut.contains("left out"), "{cut}");
        }
        assert_eq!(shorten(&page, page.len()), page);
    }
}
