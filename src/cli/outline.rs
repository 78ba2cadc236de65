//! A plan in words: one line of it before a run, all of it for `check`.

use std::fmt::Write as _;
use std::time::Duration;

use crate::plan::{Executor, Load, Observer, Pause, Plan, SpanId, Step, StepId, Threshold, Watched};
use crate::profile::{Profile, Source};
use crate::report::show::one_line;
use crate::units::{human_duration, human_number};
use crate::words::Level;

/// The load in a line: `3 stages over 30 s, up to 30 VUs`.
pub(super) fn load_line(load: &Load) -> String {
    let time = human_duration(load.duration());
    let vus = counted(load.executor.max_vus(), "VU");
    let line = match &load.executor {
        Executor::RampingVus { stages, .. } => {
            format!("{} over {time}, up to {vus}", counted(stages.len(), "stage"))
        }
        Executor::ConstantVus { .. } => format!("{vus} for {time}"),
        Executor::PerVuIterations { iterations, .. } => {
            format!("{} by each of {vus}, at most {time}", counted(*iterations, "iteration"))
        }
        Executor::SharedIterations { iterations, .. } => {
            format!("{} shared by {vus}, at most {time}", counted(*iterations, "iteration"))
        }
        Executor::ConstantArrivalRate { rate, .. } => {
            format!("{} iterations/s for {time}, up to {vus}", human_number(*rate))
        }
        Executor::RampingArrivalRate { start_rate, stages, .. } => {
            let most = stages.iter().map(|stage| stage.target).fold(*start_rate, f64::max);
            let stages = counted(stages.len(), "stage");
            format!("{stages} over {time}, up to {} iterations/s and {vus}", human_number(most))
        }
    };
    if load.start_after.is_zero() { line } else { format!("{line}, from {} on", clock(load.start_after)) }
}

/// All loads in a line.
pub(super) fn loads_line(plan: &Plan) -> String {
    match plan.loads.as_slice() {
        [load] => load_line(load),
        loads => {
            let lines = loads.iter().map(|load| format!("{}: {}", load.name, load_line(load)));
            lines.collect::<Vec<_>>().join("; ")
        }
    }
}

/// What a run says first: which profile, which target, which load. What observers would sample that are not asked to
/// is not judged, and not counted.
pub(super) fn introduction(plan: &Plan, profile: &Profile) -> String {
    let is_asked = |kind| plan.observers.iter().any(|observer| observer.active && observer.kind() == kind);
    let of_level = |level| {
        let judged = plan.thresholds.iter().filter(|it| it.metric.observer().is_none_or(is_asked));
        judged.filter(|it| it.level == level).count()
    };
    let (thresholds, warnings) = (of_level(Level::Fail), of_level(Level::Warn));
    let text = format!(
        "palier {} runs {} ({}) against {}\n{}, {}; {}, {}; run {}",
        env!("CARGO_PKG_VERSION"),
        one_line(&plan.profile, 60),
        one_line(&profile.found.to_string(), 200),
        plan.target.url,
        loads_line(plan),
        counted(plan.steps.len(), "step"),
        counted(thresholds, "threshold"),
        counted(warnings, "warning"),
        plan.run,
    );
    plan.secrets.mask(&text).into_owned()
}

/// The whole plan: which files it comes from, target, loads, steps, thresholds, totals.
pub(super) fn in_full(plan: &Plan, profile: &Profile) -> String {
    let mut outline = Outline { text: String::new() };
    let description = plan.description.as_deref().map(|text| format!(": {}", one_line(text, 200)));
    outline.entry("profile", &format!("{}{}", plan.profile, description.unwrap_or_default()));
    outline.entry("", &profile.found.to_string());
    for (_, Source { name, text }) in profile.sources.iter().skip(1) {
        // A flag has one line of text, a file many.
        let value = if name.starts_with("--") { format!(" {}", one_line(text, 200)) } else { String::new() };
        outline.entry("", &format!("with {name}{value}"));
    }
    outline.entry("target", &target(plan));
    if let Some(age) = plan.target.connections.max_age {
        let why = plan.target.limited_by.map(|why| format!(", because {why}")).unwrap_or_default();
        outline.entry("", &format!("connections live {} (± 20 %) at most{why}", human_duration(age)));
    }
    for load in &plan.loads {
        outline.load(plan, load);
    }
    let mut named = |name: &str, steps: &[StepId]| {
        if !steps.is_empty() {
            outline.steps(plan, name, steps);
        }
    };
    named("setup", &plan.setup);
    for (index, load) in plan.loads.iter().enumerate() {
        let is_alone = plan.loads.len() == 1;
        let name = if is_alone { "steps".to_owned() } else { format!("steps of {} ", load.name) };
        // Loads of one scenario have the same steps.
        let twin = plan.loads[..index].iter().find(|other| same_steps(plan, other, load));
        match twin {
            Some(twin) => outline.entry(&name, &format!("those of {}", twin.name)),
            None => outline.steps(plan, &name, &load.steps),
        }
        if let Some(pause) = load.pause {
            outline.entry("", &format!("then a pause of {}", pause_line(pause)));
        }
        if let Some(pace) = load.pace {
            outline.entry("", &format!("one iteration every {} at most", human_duration(pace)));
        }
    }
    let mut named = |name: &str, steps: &[StepId]| {
        if !steps.is_empty() {
            outline.steps(plan, name, steps);
        }
    };
    named("teardown", &plan.teardown);
    for (index, observer) in plan.observers.iter().enumerate() {
        let title = if index == 0 { "observers" } else { "" };
        outline.entry(title, &observer_line(observer));
    }
    outline.thresholds(plan);
    outline.entry("in all", &totals(plan));
    plan.secrets.mask(&outline.text).into_owned()
}

struct Outline {
    text: String,
}

/// The columns that the names of entries take.
const MARGIN: usize = 12;

impl Outline {
    fn entry(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.text, "{}", format!("{name:<MARGIN$}{text}").trim_end());
    }

    fn table(&mut self, rows: &[Vec<String>]) {
        let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..n_columns).map(width).collect();
        for row in rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            self.entry("", &cells.collect::<Vec<_>>().join("  "));
        }
    }

    fn load(&mut self, plan: &Plan, load: &Load) {
        let name = if plan.loads.len() == 1 { String::new() } else { format!("{}, ", load.name) };
        self.entry("load", &format!("{name}{}: {}", load.executor.name(), load_line(load)));
        if load.stages.len() > 1 {
            let heading = ["stage", "start", "duration", "target"].map(str::to_owned).to_vec();
            let rows: Vec<_> = load.stages.iter().map(|id| stage_row(plan, load, *id)).collect();
            self.table(&[vec![heading], rows].concat());
        }
        let ramp_down = match &load.executor {
            Executor::RampingVus { graceful_ramp_down, .. } => {
                format!(", {} where VUs are taken away", human_duration(*graceful_ramp_down))
            }
            Executor::ConstantVus { .. }
            | Executor::PerVuIterations { .. }
            | Executor::SharedIterations { .. }
            | Executor::ConstantArrivalRate { .. }
            | Executor::RampingArrivalRate { .. } => String::new(),
        };
        let stop = human_duration(load.graceful_stop);
        self.entry("", &format!("iterations may finish within {stop} after its end{ramp_down}"));
    }

    fn steps(&mut self, plan: &Plan, name: &str, steps: &[StepId]) {
        let steps: Vec<&Step> = steps.iter().map(|id| plan.step(*id)).collect();
        let width = steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        for (index, step) in steps.iter().enumerate() {
            let title = if index == 0 { name } else { "" };
            let needs: Vec<&str> =
                step.needs.iter().map(|slot| plan.slots[usize::from(slot.0)].as_str()).collect();
            let needs =
                if needs.is_empty() { String::new() } else { format!("  needs {}", needs.join(", ")) };
            let undo = step.undo.map(|undo| format!("  undone by `{}`", plan.step(undo).name));
            let request = format!("{:<6} {}", step.request.method.as_str(), step.request.shown);
            let undo = undo.unwrap_or_default();
            self.entry(title, &format!("{:<width$}  {request}{needs}{undo}", step.name));
            for check in &step.checks {
                self.entry("", &format!("  ✓ {}", check.name));
            }
        }
    }

    fn thresholds(&mut self, plan: &Plan) {
        for (title, level) in [("thresholds", Level::Fail), ("warnings", Level::Warn)] {
            let rows: Vec<Vec<String>> = plan
                .thresholds
                .iter()
                .filter(|it| it.level == level)
                .map(|it| {
                    let place = if it.default {
                        "by default".to_owned()
                    } else {
                        format!("{}:{}", it.place.file, it.place.line)
                    };
                    vec![it.section.to_string(), threshold_text(it), place]
                })
                .collect();
            if rows.is_empty() {
                self.entry(title, "none");
            } else {
                self.entry(title, "");
                self.table(&rows);
            }
        }
    }
}

/// What is watched, and whether this run does.
fn observer_line(observer: &Observer) -> String {
    let watched = match &observer.watched {
        Watched::Kubernetes(cluster) => {
            let namespace = cluster.namespace.as_deref().map(|name| format!(" in namespace {name}"));
            let hpa = cluster.hpa.as_deref().map(|name| format!("hpa {name} and "));
            format!("{}pods {}{}", hpa.unwrap_or_default(), cluster.selector, namespace.unwrap_or_default())
        }
        Watched::Mysql(mysql) => format!("{} as {}", mysql.access.address, mysql.access.user),
        Watched::Logs(logs) => {
            let files: Vec<&str> = logs.files.iter().map(|file| file.name.as_str()).collect();
            match &logs.pods {
                Some(logs) => format!("logs of pods {}", logs.pods.join(", ")),
                None => files.join(", "),
            }
        }
    };
    let kind = observer.kind();
    let state = if observer.active { String::new() } else { format!("  not asked for (--observe {kind})") };
    format!("{kind:<10} {watched}{state}")
}

fn threshold_text(threshold: &Threshold) -> String {
    let mut parts = vec![threshold.name.clone()];
    if !threshold.name.ends_with(&threshold.expression) {
        parts.push(format!("{} {}", threshold.metric, threshold.expression));
    }
    parts.extend(threshold.window.map(|window| format!("in the worst {}", human_duration(window))));
    parts.extend(threshold.abort.map(|_| "ends the run early".to_owned()));
    parts.join(", ")
}

fn target(plan: &Plan) -> String {
    let url = match plan.target.service {
        Some(_) => format!("{}, through port-forwards to each of its pods", plan.target.url),
        None => plan.target.url.clone(),
    };
    match &plan.target.ready {
        Some(ready) => format!(
            "{url}, once GET {} answers {}, within {}",
            ready.path,
            ready.status,
            human_duration(ready.within)
        ),
        None if plan.target.wait.is_zero() => url,
        None => format!("{url}, tried for {}", human_duration(plan.target.wait)),
    }
}

fn stage_row(plan: &Plan, load: &Load, id: SpanId) -> Vec<String> {
    let span = plan.span(id);
    let unit = if load.executor.is_open() { "iterations/s" } else { "VUs" };
    let target = span.target.map_or_else(String::new, |target| format!("{} {unit}", human_number(target)));
    vec![span.name.clone(), clock(span.start), human_duration(span.duration), target]
}

fn same_steps(plan: &Plan, one: &Load, other: &Load) -> bool {
    let places = |load: &Load| load.steps.iter().map(|id| plan.step(*id).place.clone()).collect::<Vec<_>>();
    places(one) == places(other)
}

fn totals(plan: &Plan) -> String {
    let vus: u32 = plan.loads.iter().map(|load| load.executor.max_vus()).sum();
    let checks: usize = plan.steps.iter().map(|step| step.checks.len()).sum();
    let thresholds = plan.thresholds.iter().filter(|it| it.level == Level::Fail).count();
    format!(
        "{}, up to {}, {}, {}, {}, {}",
        human_duration(plan.duration()),
        counted(vus, "VU"),
        counted(plan.steps.len(), "step"),
        counted(checks, "check"),
        counted(thresholds, "threshold"),
        counted(plan.thresholds.len() - thresholds, "warning"),
    )
}

fn pause_line(pause: Pause) -> String {
    match pause {
        Pause::Fixed(time) => human_duration(time),
        Pause::Uniform { min, max } => format!("{} to {}", human_duration(min), human_duration(max)),
        Pause::Exponential { mean } => format!("{} on average", human_duration(mean)),
    }
}

/// `1 stage`, `3 stages`.
pub(super) fn counted(n: impl TryInto<u64>, what: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A time since the start of the load: `1m30s`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}m{:02}s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Env;
    use super::super::planning::{Given, ProfileArgs, plan};
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        profile: ProfileArgs,
    }

    /// The outline of a profile of this repository.
    fn outline(line: &str) -> String {
        let line = Line::parse_from(format!("palier {line}").split(' '));
        let given = Given { run: "r".into(), wait: None, demo: None };
        let (profile, plan) = plan(&line.profile, given, &Env::default()).expect("a plan");
        in_full(&plan, &profile) + "\n" + &introduction(&plan, &profile)
    }

    #[test]
    fn a_plan_is_shown_with_all_that_it_does() {
        insta::with_settings!({ filters => [(env!("CARGO_PKG_VERSION"), "[VERSION]")] }, {
            insta::assert_snapshot!(outline("quick --target http://localhost:8080 --set load.stages[0].target=5"));
        });
    }

    #[test]
    fn every_executor_has_words() {
        let line = |executor: &str, sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| format!("--set load.{set}")).collect();
            let text =
                outline(&format!("standard --set load={{executor=\"{executor}\"}} {}", sets.join(" ")));
            let line = text.lines().find_map(|line| line.strip_prefix("load"));
            line.expect("a load").trim().to_owned()
        };
        assert_eq!(line("constant-vus", &["duration=\"30s\"", "vus=1"]), "constant-vus: 1 VU for 30 s");
        assert_eq!(
            line("ramping-vus", &["stages=[{duration=\"1m\",target=3}]", "start_after=\"90s\""]),
            "ramping-vus: 1 stage over 1m, up to 3 VUs, from 1m30s on"
        );
    }
}
