//! What the template shows: every text ready to be shown, every drawing drawn.

use serde::Serialize;

use super::chart::{Chart, NARROW, Shape, WIDE};
use super::svg::{Ink, Svg};
use super::tables::Rows;
use super::timeline::Timeline;
use super::{asked, beside, panels, percentiles, regression, tables};
use crate::report::comparison::capital;
use crate::report::console::tally;
use crate::report::show::{self, NONE};
use crate::report::summary::{MetricValues, ObserverState, Summary};
use crate::words::{Metric, Unit, Verdict};

/// Characters of a text from outside.
pub(super) const MAX_TEXT: usize = 400;

/// All of the page.
#[derive(Serialize)]
pub(super) struct Page {
    policy: String,
    style: &'static str,
    script: &'static str,
    title: String,
    verdict: &'static str,
    /// The class of what has to do with the verdict, and its colour where there is no style.
    tone: Ink,
    badge: String,
    told: String,
    profile: String,
    description: Option<String>,
    target: String,
    facts_of_run: Vec<(&'static str, String)>,
    job_url: Option<String>,
    reasons: Rows<asked::Reason>,
    hints: Vec<asked::Hint>,
    tiles: Vec<Tile>,
    /// Those that this run was asked, and those that wait for an observer.
    thresholds: [Rows<asked::Threshold>; 2],
    unobserved: Option<[String; 3]>,
    regression: Option<regression::Regression>,
    panels: Vec<Panel>,
    /// The values of all charts, for the script.
    data: String,
    /// Whether there is a chart.
    has_time: bool,
    /// How the time axis is to be read, where it is no plain one.
    axis_note: Option<String>,
    facts: Rows<beside::Fact>,
    stages: Rows<tables::Stage>,
    has_replicas: bool,
    series: Vec<tables::Moment>,
    percentiles: Option<Panel>,
    steps: Rows<tables::Step>,
    errors: Rows<tables::ErrorRow>,
    checks: Rows<tables::Check>,
    n_checks: usize,
    checks_held: usize,
    pods: Rows<beside::Pod>,
    observers: Vec<beside::Observer>,
    leftovers: Vec<beside::Leftover>,
    cleanup: Option<String>,
    metrics: Rows<tables::MetricRow>,
    generator: String,
    generator_is_sound: bool,
    circumstances: Vec<(&'static str, String)>,
    notes: Vec<String>,
    command: Option<String>,
    palier: String,
}

/// A figure that is seen at a glance.
#[derive(Serialize)]
struct Tile {
    name: &'static str,
    value: String,
    more: String,
    tone: &'static str,
}

/// A chart with what stands around it.
#[derive(Serialize)]
struct Panel {
    title: String,
    note: Option<String>,
    legend: Vec<Key>,
    wide: String,
    narrow: String,
}

/// An entry of a legend.
#[derive(Serialize)]
struct Key {
    name: String,
    swatch: String,
    /// Its place in the data of the script.
    id: Option<String>,
}

impl Page {
    pub(super) fn of(summary: &Summary, policy: String, style: &'static str, script: &'static str) -> Self {
        let run = &summary.run;
        let one_line = |text: &str| show::one_line(text, MAX_TEXT);
        let (verdict, ink) = match summary.verdict {
            Verdict::Pass => ("Pass", super::svg::GOOD),
            Verdict::Warn => ("Warn", super::svg::WARN),
            Verdict::Fail => ("Fail", super::svg::BAD),
            Verdict::Invalid => ("Invalid", super::svg::SERIES[3]),
        };
        let timeline = panels::timeline(summary);
        let mut charts = panels::of_load(summary);
        charts.extend(panels::of_observers(&summary.observers));
        charts.extend(panels::of_generator(summary));
        let panels: Vec<Panel> =
            charts.iter().enumerate().map(|(n, chart)| panel(n, chart, &timeline)).collect();
        let profile = one_line(&run.profile.name);
        Self {
            policy,
            style,
            script,
            title: format!("{verdict}: {profile}, {}", run.start),
            verdict,
            tone: ink,
            badge: badge(verdict, ink),
            told: capital(&tally(summary)),
            profile,
            description: run.profile.description.as_deref().map(one_line),
            target: one_line(&run.target),
            facts_of_run: facts_of_run(summary),
            job_url: run.environment.job_url.clone().filter(|url| is_web(url)),
            reasons: asked::reasons(summary),
            hints: asked::hints(summary),
            tiles: tiles(summary),
            thresholds: asked::thresholds(summary),
            unobserved: asked::unobserved(summary),
            regression: regression::regression(summary),
            has_time: !panels.is_empty(),
            axis_note: timeline.density().map(|density| {
                let density = show::value(density, Unit::Count);
                format!(
                    "The load has most of the time axis: moments before and after it are drawn {density} times closer \
                     together, beyond a broken line."
                )
            }),
            panels,
            data: data(&charts),
            facts: beside::facts(summary),
            stages: tables::stages(summary),
            has_replicas: summary
                .observers
                .iter()
                .flat_map(|it| &it.series)
                .any(|it| it.metric == "hpa_replicas"),
            series: tables::moments(summary),
            percentiles: percentiles::plot(summary).map(distribution),
            steps: tables::steps(summary),
            errors: tables::errors(summary),
            checks: tables::checks(summary),
            n_checks: summary.checks.len(),
            checks_held: summary.checks.iter().filter(|it| it.fails == 0 && it.passes > 0).count(),
            pods: beside::pods(summary),
            observers: beside::observers(summary),
            leftovers: beside::leftovers(summary),
            cleanup: beside::cleanup(summary),
            metrics: tables::metrics(summary),
            generator: generator(summary),
            generator_is_sound: summary.generator.sound,
            circumstances: circumstances(summary),
            notes: run.notes.iter().map(|it| one_line(it)).collect(),
            command: run.command.as_deref().map(|it| show::one_line(it, 2_000)),
            palier: one_line(&summary.palier),
        }
    }
}

/// An address that can stand as a link. One with control characters or blanks is none.
fn is_web(url: &str) -> bool {
    let is_clean = !url.contains(' ') && show::one_line(url, 2_000) == url;
    is_clean && (url.starts_with("https://") || url.starts_with("http://"))
}

/// The verdict in its colour, where there is no style, too.
fn badge(verdict: &str, ink: Ink) -> String {
    const WHITE: Ink = Ink { class: "white", colour: "#ffffff" };
    let width = 40.0 + 15.0 * verdict.len() as f64;
    let mut svg = Svg::decoration(
        width,
        44.0,
        " class=\"badge\" font-family=\"system-ui,sans-serif\" font-weight=\"700\"",
    );
    svg.fill(
        ink,
        &format!("M8 0H{}a8 8 0 0 1 8 8V36a8 8 0 0 1-8 8H8a8 8 0 0 1-8-8V8a8 8 0 0 1 8-8Z", width - 8.0),
        1.0,
    );
    svg.text(WHITE, [width / 2.0, 31.0], 25.0, super::svg::Anchor::Middle, &verdict.to_uppercase());
    svg.finish()
}

fn facts_of_run(summary: &Summary) -> Vec<(&'static str, String)> {
    let run = &summary.run;
    let start = run.start.split('.').next().unwrap_or_default().replace('T', " ");
    let mut facts = vec![
        ("started", format!("{} UTC", start.trim_end_matches('Z'))),
        ("load", show::time_or_none(Some(run.load_duration))),
    ];
    let environment = &run.environment;
    if let Some(branch) = &environment.branch {
        facts.push(("branch", show::one_line(branch, 80)));
    }
    if let Some(commit) = &environment.commit {
        facts.push(("commit", show::one_line(commit, 12).trim_end_matches('…').to_owned()));
    }
    facts.push(("run", show::one_line(&run.id, 60)));
    facts
}

fn tiles(summary: &Summary) -> Vec<Tile> {
    if !summary.is_started() {
        return Vec::new();
    }
    let get = |metric: Metric| summary.metrics.get(metric.name());
    let mut tiles = Vec::new();
    if let Some(MetricValues::Counter { count, rate, .. }) = get(Metric::HttpReqs) {
        tiles.push(Tile {
            name: "Requests",
            value: rate.map_or_else(|| NONE.to_owned(), |it| show::value(it, Unit::PerSecond)),
            more: format!("{} in all", show::value(*count, Unit::Count)),
            tone: "",
        });
    }
    if let Some(MetricValues::Trend(trend)) = get(Metric::HttpReqDuration) {
        tiles.push(Tile {
            name: "Latency, p95",
            value: show::time_or_none(trend.p95),
            more: format!(
                "median {}, longest {}",
                show::time_or_none(trend.med),
                show::time_or_none(trend.max)
            ),
            tone: "",
        });
    }
    if let Some(MetricValues::Rate { passes, rate, .. }) = get(Metric::Errors) {
        tiles.push(Tile {
            name: "Errors",
            value: show::share_or_none(*rate),
            more: if *passes == 1 { "1 request".to_owned() } else { format!("{passes} requests") },
            tone: if *passes > 0 { "ko" } else { "" },
        });
    }
    if let (Some(MetricValues::Rate { fails, rate, .. }), false) =
        (get(Metric::Checks), summary.checks.is_empty())
    {
        tiles.push(Tile {
            name: "Checks that held",
            value: show::share_or_none(*rate),
            more: format!("{fails} did not"),
            tone: if *fails > 0 { "ko" } else { "" },
        });
    }
    let vus = summary.series.points.iter().map(|it| it.vus).max().unwrap_or_default();
    let iterations: u64 = summary.loads.iter().map(|it| it.iterations).sum();
    tiles.push(Tile {
        name: "Virtual users",
        value: vus.to_string(),
        more: format!("at most; {iterations} iterations"),
        tone: "",
    });
    tiles
}

fn panel(n: usize, chart: &Chart, timeline: &Timeline) -> Panel {
    let is_empty = chart.is_empty();
    let note = if is_empty && chart.note.is_none() {
        Some("nothing was seen".to_owned())
    } else {
        chart.note.clone()
    };
    let draw = |size| if is_empty { String::new() } else { chart.draw(timeline, size) };
    Panel {
        title: chart.title.clone(),
        note,
        legend: (chart.lines.iter().enumerate())
            .map(|(line, it)| Key {
                name: it.name.clone(),
                swatch: swatch(it.ink, it.shape),
                id: Some(format!("{n}-{line}")),
            })
            .collect(),
        wide: draw(WIDE),
        narrow: draw(NARROW),
    }
}

fn distribution(plot: percentiles::Plot) -> Panel {
    let keys = plot.legend.into_iter();
    let keys = keys.map(|(name, ink)| Key { name, swatch: swatch(ink, Shape::Curve(2.0)), id: None });
    Panel {
        title: "Latency by percentile".to_owned(),
        note: (plot.n_others > 0).then(|| format!("the slowest in colour, {} more in grey", plot.n_others)),
        legend: keys.collect(),
        wide: plot.wide,
        narrow: plot.narrow,
    }
}

fn swatch(ink: Ink, shape: Shape) -> String {
    let mut svg = Svg::decoration(16.0, 10.0, " class=\"swatch\"");
    match shape {
        Shape::Stack | Shape::Area => {
            svg.rect(ink, [1.0, 1.0], [14.0, 8.0], if shape == Shape::Area { 0.5 } else { 1.0 });
        }
        Shape::DashedSteps => svg.line(ink, [0.0, 5.0], [16.0, 5.0], 2.4, "5 3"),
        Shape::Curve(_) | Shape::Steps => svg.line(ink, [0.0, 5.0], [16.0, 5.0], 2.4, ""),
    }
    svg.finish()
}

/// `[[{"u": unit, "t": [...], "v": [...]}, …], …]`: by chart, then by line. A line whose moments are those of the
/// one before it has no `t`.
fn data(charts: &[Chart]) -> String {
    #[derive(Serialize)]
    struct Values<'a> {
        u: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        t: Option<Vec<Number>>,
        v: Vec<Option<Number>>,
    }
    let mut last: Vec<f64> = Vec::new();
    let charts: Vec<Vec<Values<'_>>> = charts
        .iter()
        .map(|chart| {
            let lines = chart.lines.iter().map(|line| {
                let times: Vec<f64> = line.points.iter().map(|(at, _)| *at).collect();
                let unit = if line.on_right { chart.right.unwrap_or(chart.left) } else { chart.left };
                let t = (times != last).then(|| times.iter().map(|it| Number(*it)).collect());
                last = times;
                Values { u: unit.name(), t, v: line.points.iter().map(|(_, it)| it.map(Number)).collect() }
            });
            lines.collect()
        })
        .collect();
    // Numbers and our own words alone, so nothing in it ends the element that it stands in.
    serde_json::to_string(&charts).unwrap_or_default()
}

/// Written with four digits, which is more than anybody reads off a chart.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rounded = crate::report::k6::rounded(self.0, 4);
        if rounded.fract() == 0.0 && rounded.abs() < 9e15 {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
            serializer.serialize_i64(rounded as i64)
        } else {
            serializer.serialize_f64(rounded)
        }
    }
}

fn generator(summary: &Summary) -> String {
    let generator = &summary.generator;
    let mut parts = Vec::new();
    if let Some(cpu) = generator.cpu {
        parts.push(format!("used {} of {} cores", show::value(cpu, Unit::Fraction), generator.cores));
    }
    if let Some(p99) = generator.lag.p99 {
        parts.push(format!("was late by {} at the 99th percentile", show::value(p99.0, Unit::Milliseconds)));
    }
    if let Some(throttled) = generator.throttled.filter(|it| *it > 0.0) {
        parts.push(format!(
            "was held back by its CPU limit for {} of the time",
            show::value(throttled, Unit::Fraction)
        ));
    }
    if let Some(memory) = generator.memory {
        parts.push(format!("held {}", show::value(memory as f64, Unit::Bytes)));
    }
    if parts.is_empty() { "nothing is known of it".to_owned() } else { parts.join(", ") }
}

fn circumstances(summary: &Summary) -> Vec<(&'static str, String)> {
    let (run, host) = (&summary.run, &summary.host);
    let one_line = |text: &str| show::one_line(text, MAX_TEXT);
    let mut rows = vec![("target", one_line(&run.target)), ("way of the requests", one_line(&run.route))];
    let profile = run.profile.path.as_deref().map_or_else(|| "built into palier".to_owned(), one_line);
    rows.push(("profile", format!("{} ({profile})", one_line(&run.profile.name))));
    for load in &summary.loads {
        rows.push(("load", format!("{}: {}", one_line(&load.executor), one_line(&load.plan))));
    }
    rows.push(("time", format!("{} to {}", run.start, run.end)));
    if let Some(ci) = &run.environment.ci {
        rows.push(("pipeline", one_line(ci)));
    }
    if let Some(commit) = &run.environment.commit {
        rows.push(("commit", one_line(commit)));
    }
    let cpu = host.cpu.as_deref().map_or_else(|| "unknown processor".to_owned(), one_line);
    let memory =
        host.memory.map_or_else(String::new, |it| format!(", {}", show::value(it as f64, Unit::Bytes)));
    rows.push((
        "machine",
        format!("{cpu}, {} logical processors{memory}, {}", host.cores, one_line(&host.os)),
    ));
    rows.push(("its fingerprint", one_line(&host.fingerprint)));
    let inactive: Vec<String> = (summary.observers.iter())
        .filter(|it| it.state == ObserverState::Inactive)
        .map(|it| one_line(&it.name))
        .collect();
    if !inactive.is_empty() {
        rows.push(("not observed in this run", inactive.join(", ")));
    }
    rows
}
