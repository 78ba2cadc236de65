//! `palier explain`: what a name means that palier writes or reads.
//!
//! The documents are what it knows: their tables, built into the binary. So it says what they say, and a name that they
//! do not explain is found by the tests.

use std::fmt::Write as _;

use super::failure::Failure;
use super::{ExitCode, terminal};
use crate::profile::nearest;
use crate::words::{Metric, MetricKind, Unit};

/// What is to be explained.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier explain http_req_duration       a metric
  palier explain 98                      an exit code
  palier explain connect-refused         a kind of error
  palier explain invalid                 a verdict
  palier explain pace                    a key of a profile")]
pub(super) struct Args {
    /// A metric, an exit code, a kind of error, a verdict, an executor, a key of a profile, a file that a run writes
    #[arg(value_name = "NAME")]
    name: String,
}

/// The documents whose tables explain names, by their paths in the repository.
const DOCUMENTS: [(&str, &str); 5] = [
    ("docs/metrics.md", include_str!("../../docs/metrics.md")),
    ("docs/thresholds.md", include_str!("../../docs/thresholds.md")),
    ("docs/profiles.md", include_str!("../../docs/profiles.md")),
    ("docs/observers.md", include_str!("../../docs/observers.md")),
    ("docs/reports.md", include_str!("../../docs/reports.md")),
];

/// Explains a name, or says which is nearest.
pub(super) fn explain(args: &Args) -> Result<ExitCode, Failure> {
    let name = args.name.trim();
    let Some(text) = explanation(name) else {
        let rows = rows();
        let names = rows.iter().flat_map(|row| row.names.iter().map(String::as_str));
        let failure = Failure::usage(format!("nothing is known by the name `{name}`"));
        return Err(match nearest(name, names) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("docs/metrics.md, docs/thresholds.md and docs/profiles.md have all names"),
        });
    };
    terminal::print(&text)?;
    Ok(ExitCode::Pass)
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    document: &'static str,
    section: String,
    /// What its first cell names.
    names: Vec<String>,
    /// The heads of the other columns, and what stands under them.
    cells: Vec<(String, String)>,
}

/// All that is known of a name; `None` of one that nobody explains.
fn explanation(name: &str) -> Option<String> {
    let rows: Vec<Row> = rows().into_iter().filter(|row| row.names.iter().any(|it| it == name)).collect();
    if rows.is_empty() {
        return None;
    }
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{name}  ({}, {})", row.section, row.document);
        for (head, cell) in &row.cells {
            let _ = match head.as_str() {
                "" | "meaning" | "does" | "means" => writeln!(text, "  {cell}"),
                head => writeln!(text, "  {head}: {cell}"),
            };
        }
        text.push('\n');
    }
    if let Some(metric) = Metric::from_name(name) {
        text += &usage(metric);
    }
    Some(format!("{}\n", text.trim_end()))
}

/// How a threshold asks for a metric.
fn usage(metric: Metric) -> String {
    let (aggregations, example) = match metric.kind() {
        MetricKind::Counter => ("count, rate (per second of the load)", "count<10"),
        MetricKind::Rate => ("rate (a share)", "rate<1%"),
        MetricKind::Gauge => ("value (the last one), min, max", "max<10"),
        MetricKind::Trend => ("avg, min, med, max, p(N), count", "p(95)<500ms"),
    };
    let example = match (metric.kind(), metric.unit()) {
        (MetricKind::Gauge, Unit::Fraction) => "max<80%",
        (MetricKind::Gauge, Unit::Milliseconds) => "value<2m",
        (MetricKind::Gauge, Unit::Bytes) => "max<512MiB",
        _ => example,
    };
    let mut text = format!(
        "  aggregations: {aggregations}\n  section: {}\n  in a profile: {metric} = [\"{example}\"]\n",
        metric.section()
    );
    if let Some(observer) = metric.observer() {
        let _ = writeln!(text, "  seen by: [observe.{observer}], with --observe {observer}");
    }
    if !metric.labels().is_empty() {
        let _ = writeln!(text, "  selectors: {}", metric.labels().join(", "));
    }
    text
}

/// The rows of all tables of all documents.
fn rows() -> Vec<Row> {
    DOCUMENTS.iter().flat_map(|(document, text)| rows_of(document, text)).collect()
}

fn rows_of(document: &'static str, text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut section, mut heads): (String, Vec<String>) = (String::new(), Vec::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix('#') {
            section = plain(title.trim_start_matches('#').trim());
        }
        let Some(cells) = cells(line) else {
            heads.clear();
            continue;
        };
        if heads.is_empty() {
            heads = cells.iter().map(|cell| plain(cell)).collect();
            // The line that draws the table.
            lines.next();
            continue;
        }
        let Some((first, rest)) = cells.split_first() else { continue };
        let others = heads.iter().skip(1).cloned().zip(rest.iter().map(|cell| plain(cell)));
        rows.push(Row {
            document,
            section: section.clone(),
            names: names(first),
            cells: others.filter(|(_, cell)| !cell.is_empty()).collect(),
        });
    }
    rows
}

/// The cells of a line of a table. `\|` is no border.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let mut cells = vec![String::new()];
    let mut characters = inner.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, cells.last_mut()) {
            ('\\', Some(cell)) if characters.peek() == Some(&'|') => {
                characters.next();
                cell.push('|');
            }
            ('|', _) => cells.push(String::new()),
            (character, Some(cell)) => cell.push(character),
            (_, None) => {}
        }
    }
    Some(cells.iter().map(|cell| cell.trim().to_owned()).collect())
}

/// What a first cell names: each text in backticks, its first word alone, too; or the whole cell.
fn names(cell: &str) -> Vec<String> {
    let quoted: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    if quoted.is_empty() {
        return vec![plain(cell)];
    }
    let words = |text: &&str| {
        let first = text.split_whitespace().next().unwrap_or_default().trim_end_matches(',').to_owned();
        [(*text).to_owned(), first]
    };
    let mut names: Vec<String> = quoted.iter().flat_map(words).collect();
    names.dedup();
    names
}

/// Markdown as plain text: links are their words, backticks are left out.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        plain += before;
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain += rest;
    plain.replace(['`', '['], "").replace("**", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ExitCode;
    use crate::words::{ErrorKind, Verdict};

    #[track_caller]
    fn explained(name: &str) -> String {
        explanation(name).unwrap_or_else(|| panic!("no document explains `{name}` in a table"))
    }

    #[test]
    fn every_metric_verdict_error_and_exit_code_is_explained() {
        for metric in Metric::ALL {
            let text = explained(metric.name());
            assert!(text.contains("in a profile:"), "{text}");
        }
        for kind in ErrorKind::ALL {
            let text = explained(kind.name());
            assert!(text.contains("what to do:"), "{text}");
        }
        for verdict in Verdict::ALL {
            explained(verdict.name());
        }
        let codes = [
            ExitCode::Pass,
            ExitCode::Other,
            ExitCode::Usage,
            ExitCode::Warn,
            ExitCode::Invalid,
            ExitCode::Fail,
            ExitCode::Interrupted,
        ];
        for code in codes {
            let text = explained(&code.code().to_string());
            assert!(text.contains("what to do:"), "{text}");
        }
    }

    #[test]
    fn the_threshold_that_is_shown_is_one() {
        for metric in Metric::ALL {
            let text = usage(*metric);
            let line =
                text.lines().find_map(|line| line.trim().strip_prefix("in a profile: ")).expect("a line");
            let cluster = "[observe.kubernetes]\nselector = \"app=x\"\n";
            let profile = format!("extends = \"standard\"\n[thresholds]\n{line}\n{cluster}");
            let files = crate::cli::virtual_file::VirtualFile::new("x.toml", profile);
            let request = crate::profile::Request {
                name: "x.toml",
                folder: std::path::Path::new("/nowhere"),
                overrides: &[],
                variables: &std::collections::BTreeMap::new(),
            };
            if let Err(crate::profile::Error::Rejected(rejected)) = crate::profile::load(&request, &files) {
                panic!("{line}: {}", rejected.render(false));
            }
        }
    }

    #[test]
    fn what_markdown_marks_is_text() {
        assert_eq!(plain("see [the `docs`](a.md#b), **now**"), "see the docs, now");
        assert_eq!(names("`pass`, `warn`"), ["pass", "warn"]);
        assert_eq!(names("`--out DIR`"), ["--out DIR", "--out"]);
        assert_eq!(names("99"), ["99"]);
        assert_eq!(cells("| `a\\|b` | c |").expect("cells"), ["`a|b`", "c"]);
    }
}
