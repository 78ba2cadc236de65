//! The runs of a history over time, and where each metric changed its level: as text, drawing, page and table.

use std::fmt::Write as _;

use super::show;
use crate::compare::ChangePoint;
use crate::compare::change_points::{LEAST, change_points};
use crate::compare::history::{Entry, is_better_when_small, is_share, unit};

/// One metric over the runs that have it.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// Its name: `http_req_duration p(95)`.
    pub name: &'a str,
    /// The runs, in order of time.
    pub runs: Vec<&'a Entry>,
    /// Its value in each.
    pub values: Vec<f64>,
    /// Where its level changed.
    pub changes: Vec<ChangePoint>,
}

/// Every metric of the runs, those that changed first, else by name.
pub fn series<'a>(runs: &[&'a Entry]) -> Vec<Series<'a>> {
    let mut names: Vec<&str> = runs.iter().flat_map(|run| run.metrics.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let mut all: Vec<Series<'a>> = names
        .into_iter()
        .map(|name| {
            let (runs, values): (Vec<&Entry>, Vec<f64>) =
                runs.iter().filter_map(|run| Some((*run, *run.metrics.get(name)?))).unzip();
            let changes = change_points(&values);
            Series { name, runs, values, changes }
        })
        .collect();
    all.sort_by_key(|it| it.changes.is_empty());
    all
}

impl Series<'_> {
    /// A value as people read it.
    fn shown(&self, value: f64) -> String {
        show::value(value, unit(self.name))
    }

    fn is_worse(&self, change: &ChangePoint) -> bool {
        (change.after > change.before) == is_better_when_small(self.name)
    }

    /// What a change came to: `worse by 12.3 %, 143 ms to 161 ms`.
    fn told(&self, change: &ChangePoint) -> String {
        let word = if self.is_worse(change) { "worse" } else { "better" };
        let by = if is_share(self.name) {
            format!("{:.2} points", (change.after - change.before).abs() * 100.0)
        } else {
            format!("{:.1} %", change.change().abs() * 100.0)
        };
        let [before, after] = [change.before, change.after].map(|value| self.shown(value));
        format!("{word} by {by}, {before} to {after}")
    }

    /// The run at which a change was seen first, and what lies between it and the one before.
    fn place(&self, change: &ChangePoint) -> String {
        let run = self.runs[change.index];
        let commit = |run: &Entry| show::one_line(run.commit.get(..12).unwrap_or(&run.commit), 40);
        let before =
            change.index.checked_sub(1).map(|index| self.runs[index]).filter(|it| !it.commit.is_empty());
        let since = before.map_or_else(String::new, |it| format!(" (the run before: {})", commit(it)));
        let named = if run.commit.is_empty() {
            format!("run {}", show::one_line(&run.run, 40))
        } else {
            format!("commit {}", commit(run))
        };
        format!("at {named}, {}{since}", show::one_line(&run.time, 40))
    }

    /// Few runs on the new level may be an accident.
    fn is_fresh(&self, change: &ChangePoint) -> bool {
        self.values.len() - change.index <= LEAST
    }
}

/// The changes in words; it ends in a line break.
pub fn text(profile: &str, all: &[Series<'_>]) -> String {
    let n = all.iter().map(|it| it.runs.len()).max().unwrap_or(0);
    let mut text = format!("{}: {n} runs\n", show::one_line(profile, 80));
    for series in all.iter().filter(|it| !it.changes.is_empty()) {
        let _ = writeln!(text, "  {}", show::one_line(series.name, 120));
        for change in &series.changes {
            let fresh =
                if series.is_fresh(change) { "; only two runs so far, which may be an accident" } else { "" };
            let _ = writeln!(text, "    {}: {}{fresh}", series.place(change), series.told(change));
        }
    }
    let changed = all.iter().filter(|it| !it.changes.is_empty()).count();
    let _ = writeln!(text, "{changed} of {} metrics changed", all.len());
    text
}

/// The runs as a table that Apache Otava reads: time, commit, branch and the metrics that all of them have.
pub fn csv(runs: &[&Entry]) -> String {
    let mut names: Vec<&str> =
        runs.first().map_or_else(Vec::new, |it| it.metrics.keys().map(String::as_str).collect());
    names.retain(|name| runs.iter().all(|run| run.metrics.contains_key(*name)));
    let mut table = ["time", "commit", "branch"]
        .into_iter()
        .chain(names.iter().copied())
        .map(cell)
        .collect::<Vec<_>>()
        .join(",");
    table.push('\n');
    for run in runs {
        let commit = if run.commit.is_empty() { &run.run } else { &run.commit };
        let mut cells = vec![cell(&run.time), cell(commit), cell(&run.branch)];
        cells.extend(names.iter().map(|name| run.metrics[*name].to_string()));
        let _ = writeln!(table, "{}", cells.join(","));
    }
    table
}

/// A cell of a table (RFC 4180).
fn cell(text: &str) -> String {
    let line = show::one_line(text, 400);
    if line.contains([',', '"']) { format!("\"{}\"", line.replace('"', "\"\"")) } else { line }
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 160.0;

/// All metrics as one drawing, a chart below the other.
pub fn svg(profile: &str, all: &[Series<'_>]) -> String {
    let height = HEIGHT * all.len().max(1) as f64;
    let mut drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        escaped(profile)
    );
    for (index, series) in all.iter().enumerate() {
        let _ = writeln!(
            drawing,
            "<g transform=\"translate(0 {})\">\n{}</g>",
            HEIGHT * index as f64,
            chart(series)
        );
    }
    drawing += "</svg>\n";
    drawing
}

fn chart(series: &Series<'_>) -> String {
    let n = series.values.len();
    let highest = series.values.iter().copied().fold(0.0_f64, f64::max).max(f64::MIN_POSITIVE);
    let x = |index: f64| LEFT + (WIDTH - LEFT - 20.0) * (index + 0.5) / n.max(1) as f64;
    let y = |value: f64| BOTTOM - (BOTTOM - TOP) * (value / highest).clamp(0.0, 1.0);
    let mut chart = format!(
        "<text x=\"8\" y=\"18\" font-weight=\"bold\" fill=\"#222\">{}</text>\n",
        escaped(series.name)
    );
    for value in [0.0, highest] {
        let (at, shown) = (y(value), escaped(&series.shown(value)));
        let _ = writeln!(
            chart,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\" fill=\"#555\">{shown}</text>",
            WIDTH - 20.0,
            LEFT - 6.0,
            at + 4.0
        );
    }
    // The levels between changes.
    let from = std::iter::once(0).chain(series.changes.iter().map(|it| it.index));
    let to = series.changes.iter().map(|it| it.index).chain(std::iter::once(n));
    for (from, to) in from.zip(to).filter(|(from, to)| from < to) {
        let level = y(series.values[from..to].iter().sum::<f64>() / (to - from) as f64);
        let (from, to) = (x(from as f64 - 0.5), x(to as f64 - 0.5));
        let _ = writeln!(
            chart,
            "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{level:.1}\" y2=\"{level:.1}\" stroke=\"#888\" stroke-width=\"2\" \
             stroke-dasharray=\"4 3\"/>"
        );
    }
    for change in &series.changes {
        let (at, colour) =
            (x(change.index as f64 - 0.5), if series.is_worse(change) { "#b00020" } else { "#1b7837" });
        let _ = writeln!(
            chart,
            "<g stroke=\"{colour}\"><line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/><title>{}</title></g>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{colour}\">{}</text>",
            escaped(&format!("{}: {}", series.place(change), series.told(change))),
            BOTTOM + 16.0,
            escaped(&short(series, change)),
        );
    }
    let points: Vec<String> = series
        .values
        .iter()
        .enumerate()
        .map(|(index, value)| format!("{:.1},{:.1}", x(index as f64), y(*value)))
        .collect();
    let _ = writeln!(chart, "<polyline points=\"{}\" fill=\"none\" stroke=\"#2166ac\"/>", points.join(" "));
    for ((index, value), run) in series.values.iter().enumerate().zip(&series.runs) {
        let named = if run.commit.is_empty() { &run.run } else { &run.commit };
        let _ = writeln!(
            chart,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"#2166ac\"><title>{}</title></circle>",
            x(index as f64),
            y(*value),
            escaped(&format!("{}: {}, {named}", series.shown(*value), run.time)),
        );
    }
    chart
}

/// The commit of a change, and by how much.
fn short(series: &Series<'_>, change: &ChangePoint) -> String {
    let run = series.runs[change.index];
    let named = if run.commit.is_empty() { &run.run } else { &run.commit };
    let named: String = named.chars().take(9).collect();
    if is_share(series.name) {
        format!("{named} {:+.1} points", (change.after - change.before) * 100.0)
    } else {
        format!("{named} {:+.0} %", change.change() * 100.0)
    }
}

/// The same as a page of its own, complete without scripts and styles.
pub fn html(profile: &str, all: &[Series<'_>]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{0} over time</title>\n<h1>{0} over time</h1>\n",
        escaped(profile)
    );
    let _ = writeln!(
        page,
        "<table cellpadding=\"4\">\n<thead><tr><th align=\"left\">metric</th><th align=\"left\">where</th><th align=\"left\">what</th>\
         </tr></thead>\n<tbody>"
    );
    for series in all {
        for change in &series.changes {
            let _ = writeln!(
                page,
                "<tr><td><code>{}</code></td><td>{}</td><td><font color=\"{}\">{}</font>{}</td></tr>",
                escaped(series.name),
                escaped(&series.place(change)),
                if series.is_worse(change) { "#b00020" } else { "#1b7837" },
                escaped(&series.told(change)),
                if series.is_fresh(change) {
                    " (only two runs so far, which may be an accident)"
                } else {
                    ""
                },
            );
        }
    }
    let changed = all.iter().filter(|it| !it.changes.is_empty()).count();
    let _ = writeln!(
        page,
        "</tbody>\n</table>\n<p>{changed} of {} metrics changed.</p>\n{}</html>",
        all.len(),
        svg(profile, all)
    );
    page
}

fn escaped(text: &str) -> String {
    show::escape(&show::one_line(text, 300))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Verdict;

    fn history() -> Vec<Entry> {
        (0_u32..30)
            .map(|n| Entry {
                time: format!("2026-11-{:02}T02:17:00Z", n + 1),
                commit: format!("c0ffee{n:034}"),
                branch: "main".into(),
                run: format!("run-{n}"),
                profile: "quick".into(),
                host: "h".into(),
                load: 30.0,
                verdict: Verdict::Pass,
                metrics: [
                    ("http_req_duration p(95)", if n < 18 { 100.0 } else { 120.0 } + f64::from(n * 7 % 5)),
                    ("http_reqs rate", 50.0 + f64::from(n * 3 % 7) / 10.0),
                    ("http_req_duration{step:<a>,\"b\"} p(95)", 40.0 + f64::from(n * 11 % 7)),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            })
            .collect()
    }

    #[test]
    fn the_commit_at_which_a_metric_changed_is_named() {
        let history = history();
        let runs: Vec<&Entry> = history.iter().collect();
        insta::assert_snapshot!(text("quick", &series(&runs)), @"
        quick: 30 runs
          http_req_duration p(95)
            at commit c0ffee000000, 2026-11-19T02:17:00Z (the run before: c0ffee000000): worse by 19.6 %, 102 ms to 122 ms
        1 of 3 metrics changed
        ");
    }

    #[test]
    fn the_drawing_and_the_page_are_well_formed_whatever_a_step_is_called() {
        let history = history();
        let runs: Vec<&Entry> = history.iter().collect();
        let all = series(&runs);
        for text in [svg("<quick>", &all), html("<quick>", &all)] {
            assert!(
                !text.contains("<quick>") && !text.contains("<a>") && text.contains("&lt;a&gt;"),
                "{text}"
            );
            assert_eq!(text.matches("<circle").count(), 90);
            assert!(text.contains("c0ffee000 +20 %"), "{text}");
        }
    }

    #[test]
    fn the_table_has_a_number_in_every_cell() {
        let mut history = history();
        history[3].metrics.remove("http_reqs rate");
        history[4].commit.clear();
        let runs: Vec<&Entry> = history.iter().collect();
        let table = csv(&runs);
        let mut lines = table.lines();
        assert_eq!(
            lines.next(),
            Some(
                "time,commit,branch,http_req_duration p(95),\"http_req_duration{step:<a>,\"\"b\"\"} p(95)\""
            )
        );
        assert_eq!(lines.nth(4), Some("2026-11-05T02:17:00Z,run-4,main,103,42"));
        assert_eq!(table.lines().count(), 31);
    }
}
