//! The last seconds of a load: the figures and the stage that progress shows.

use std::time::Duration;

use super::live::SPARKS;
use super::outline::load_line;
use crate::metrics::{Point, Results, StepPoint};
use crate::plan::{Executor, Load, Plan, Span, SpanId, StepId};
use crate::report::show::{NONE, one_line};
use crate::units::{human_number, show_duration};

/// The last seconds of a load, in the figures that a line has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Glance {
    /// Virtual users, the newest figure there is.
    pub(super) vus: u32,
    /// Requests a second.
    pub(super) rate: f64,
    /// Of their `http_req_duration`.
    pub(super) p95: Option<Duration>,
    /// The share of them that failed, or of which a check did not hold.
    pub(super) errors: Option<f64>,
}

impl Glance {
    /// The `length` seconds before the second of that number.
    pub(super) fn new(results: &Results, second: u64, length: u64) -> Self {
        let (recent, time) = last_points(results, second, length);
        let mut total = StepPoint::default();
        for point in recent {
            total.merge(&point.total());
        }
        // The second that has just begun may have been sampled already.
        let points = results.seconds.points();
        let resolution = results.seconds.resolution().as_secs().max(1);
        let end = index(second + resolution, resolution, points);
        let sampled = points[..end].iter().rev().find(|point| !point.vus.is_empty());
        Self {
            vus: sampled.map_or(0, |point| point.vus.iter().sum()),
            rate: total.requests as f64 / time,
            p95: total.durations.quantile(0.95),
            errors: (total.requests > 0).then(|| total.errors as f64 / total.requests as f64),
        }
    }
}

/// Requests a second in the last second before that one.
pub(super) fn rate(results: &Results, second: u64) -> f64 {
    let (recent, time) = last_points(results, second, 1);
    let requests: u64 = recent.iter().flat_map(|point| &point.steps).map(|step| step.requests).sum();
    requests as f64 / time
}

/// Errors since the load began, by what is counted of it as a whole: the series grows with its length.
pub(super) fn errors(plan: &Plan, results: &Results) -> u64 {
    let spans = plan.loads.iter().flat_map(|load| load.stages.iter().chain([&load.grace]));
    let steps = || (0..u16::try_from(plan.steps.len()).unwrap_or(u16::MAX)).map(StepId);
    let cells = spans.flat_map(|span| steps().filter_map(|step| results.cell(*span, step)));
    cells.map(|cell| cell.errors).sum()
}

/// The points of the `length` seconds before the second of that number, and their time in seconds.
fn last_points(results: &Results, second: u64, length: u64) -> (&[Point], f64) {
    let resolution = results.seconds.resolution().as_secs().max(1);
    let points = results.seconds.points();
    let first = index(second.saturating_sub(length), resolution, points);
    // Of a point that holds several seconds, the last ones may be still to come.
    let recent = &points[first..index(second + resolution - 1, resolution, points).max(first)];
    (recent, second.saturating_sub(first as u64 * resolution).max(1) as f64)
}

fn index(second: u64, resolution: u64, points: &[Point]) -> usize {
    usize::try_from(second / resolution).unwrap_or(usize::MAX).min(points.len())
}

/// Where a load is in its plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// The stage with all that is known of it; those of all loads.
    pub(super) stage: String,
    /// Its name alone.
    pub(super) name: String,
    /// The number of the stage, and of how many, where there is one load with several.
    pub(super) number: Option<(usize, usize)>,
    /// How long the stage goes on, where there is another after it.
    pub(super) stage_left: Option<Duration>,
    /// How long the load goes on.
    pub(super) left: Duration,
    /// Whether it may be over sooner.
    pub(super) at_most: bool,
    /// The share of the load that is over.
    pub(super) over: f64,
    /// Where stages end, as shares of the load.
    pub(super) marks: Vec<f64>,
}

/// Where the load is after so many seconds.
pub(super) fn moment(plan: &Plan, results: &Results, second: u64) -> Moment {
    let now = Duration::from_secs(second);
    let whole = plan.duration();
    let share = |time: Duration| time.as_secs_f64() / whole.as_secs_f64().max(1e-3);
    let stages: Vec<SpanId> = plan.loads.iter().flat_map(|load| load.stages.iter().copied()).collect();
    let ends = stages.iter().map(|id| plan.span(*id)).map(|span| span.start + span.duration);
    let mut moment = Moment {
        stage: stages_at(plan, second),
        left: whole.saturating_sub(now),
        at_most: plan.loads.iter().any(|load| load.executor.ends_by_itself()),
        over: share(now).min(1.0),
        marks: ends.filter(|end| *end < whole).map(share).collect(),
        ..Moment::default()
    };
    moment.name.clone_from(&moment.stage);
    if now >= whole {
        // Iterations that are under way may go on for a while.
        "finishing what is under way".clone_into(&mut moment.stage);
        "finishing".clone_into(&mut moment.name);
        let last = plan.loads.iter().map(|load| load.end() + load.graceful_stop).max();
        moment.left = last.unwrap_or_default().saturating_sub(now);
        moment.at_most = true;
    } else if let [load] = &plan.loads[..] {
        if let Some(all) = plan.shard.iterations(&load.executor) {
            let spans = load.stages.iter().chain([&load.grace]);
            let done: u64 = spans.map(|span| results.iterations(*span).completed).sum();
            moment.stage = format!("{done} of {all} iterations");
            moment.name = format!("{done}/{all}");
            moment.over = done as f64 / all.max(1) as f64;
        } else if let Some(index) = load.stages.iter().position(|id| is_within(plan, *id, second)) {
            let span = plan.span(load.stages[index]);
            moment.name = stage_name(plan, span);
            if load.stages.len() > 1 {
                moment.number = Some((index + 1, load.stages.len()));
            }
            moment.stage_left =
                (index + 1 < load.stages.len()).then(|| (span.start + span.duration).saturating_sub(now));
        }
    }
    moment
}

/// The p95 of each second, kept, because that of a second changes no more when its requests are answered.
#[derive(Debug, Default)]
pub(super) struct Latency {
    resolution: Duration,
    /// By the point of the series.
    p95s: Vec<Option<Duration>>,
}

impl Latency {
    /// Takes in the seconds before that one; those of the last `window` may have changed.
    pub(super) fn take_in(&mut self, results: &Results, second: u64, window: u64) {
        let seconds = &results.seconds;
        if self.resolution != seconds.resolution() {
            *self = Self { resolution: seconds.resolution(), p95s: Vec::new() };
        }
        let step = self.resolution.as_secs().max(1);
        let end = usize::try_from(second / step).unwrap_or(usize::MAX).min(seconds.points().len());
        let first = usize::try_from(second.saturating_sub(window) / step).unwrap_or(usize::MAX);
        self.p95s.truncate(first);
        let rest = seconds.points()[..end].iter().skip(self.p95s.len());
        self.p95s.extend(rest.map(|point| point.total().durations.quantile(0.95)));
    }

    /// As many as are shown, the newest last.
    pub(super) fn newest(&self) -> &[Option<Duration>] {
        &self.p95s[self.p95s.len().saturating_sub(SPARKS)..]
    }
}

/// Whether the second before this one belongs to a stage.
fn is_within(plan: &Plan, id: SpanId, second: u64) -> bool {
    let middle = Duration::from_secs(second).saturating_sub(Duration::from_millis(500));
    let span = plan.span(id);
    span.start <= middle && middle < span.start + span.duration
}

/// The stages that the second before this moment belongs to, of all loads.
pub(super) fn stages_at(plan: &Plan, second: u64) -> String {
    let stages: Vec<String> = plan
        .loads
        .iter()
        .filter_map(|load| {
            let id = load.stages.iter().find(|id| is_within(plan, **id, second))?;
            Some(stage_text(plan, load, *id))
        })
        .collect();
    if !stages.is_empty() {
        stages.join(", ")
    } else if Duration::from_secs(second) <= plan.duration() {
        NONE.to_owned()
    } else {
        "finishing".to_owned()
    }
}

/// Masked before it is cut: of a secret that was cut nothing could be masked.
fn stage_name(plan: &Plan, stage: &Span) -> String {
    one_line(&plan.secrets.mask(&stage.name), 24)
}

/// A stage, where it leads to, and how long that takes: `climb 1m→20 VUs`.
pub(super) fn stage_text(plan: &Plan, load: &Load, id: SpanId) -> String {
    let span = plan.span(id);
    let name = stage_name(plan, span);
    let time = show_duration(span.duration);
    let target = human_number(span.target.unwrap_or_default());
    match &load.executor {
        Executor::RampingVus { .. } => format!("{name} {time}→{target} VUs"),
        Executor::RampingArrivalRate { .. } => format!("{name} {time}→{target}/s"),
        Executor::ConstantVus { .. }
        | Executor::PerVuIterations { .. }
        | Executor::SharedIterations { .. }
        | Executor::ConstantArrivalRate { .. } => load_line(load),
    }
}

#[cfg(test)]
pub(super) mod sample {
    //! A run of twenty seconds, second by second.

    use std::collections::BTreeMap;
    use std::io;
    use std::path::Path;

    use super::*;
    use crate::metrics::{Failure, Recorder, Sample, Timings};
    use crate::plan::{LoadId, Settings, build};
    use crate::profile::{self, Files, Secrets};
    use crate::words::ErrorKind;

    struct Text;

    impl Files for Text {
        fn read(&self, _: &Path) -> io::Result<String> {
            Ok("target = { url = \"http://127.0.0.1:1\" }
                step = [{ name = \"get\", get = \"/\" }]
                [load]
                executor = \"ramping-vus\"
                stages = [
                  { name = \"climb\", duration = \"10s\", target = 20 },
                  { duration = \"10s\", target = 0 },
                ]"
            .to_owned())
        }

        fn exists(&self, _: &Path) -> bool {
            true
        }
    }

    /// Up to 20 virtual users in ten seconds, and down again.
    pub(in super::super) fn plan() -> Plan {
        let request = profile::Request {
            name: "sample.toml",
            folder: Path::new(""),
            overrides: &[],
            variables: &BTreeMap::new(),
        };
        let profile = profile::load(&request, &Text).expect("a profile");
        let settings = Settings { run: "r".into(), time_scale: 1.0, wait: None, kubeconfig: Vec::new() };
        build(&profile, &settings).expect("a plan")
    }

    /// The same with a first stage that has the value of a secret for its name.
    pub(in super::super) fn plan_with_secret_name(secret: &str) -> Plan {
        let mut plan = plan();
        plan.secrets = Secrets::new([("TOKEN".to_owned(), secret.to_owned())]);
        let first = plan.loads[0].stages[0];
        plan.spans[usize::from(first.0)].name = secret.to_owned();
        plan
    }

    /// Twelve requests a second of 10 ms, and from 10 s on of 30 ms, of which every fourth fails.
    pub(in super::super) fn results(plan: &Plan) -> Results {
        let mut recorder = Recorder::new(plan);
        for second in 0..20_u32 {
            let span = plan.loads[0].stages[second as usize / 10];
            let vus = if second < 10 { 2 * second } else { 40 - 2 * second };
            recorder.vus(second, LoadId(0), vus, 20);
            for request in 0..12_u32 {
                let fails = second >= 10 && request % 4 == 0;
                let waiting = Duration::from_millis(if second < 10 { 10 } else { 30 });
                recorder.request(&Sample {
                    step: StepId(0),
                    span,
                    start: Duration::from_secs(u64::from(second)),
                    timings: Some(Timings { waiting, ..Timings::default() }),
                    status: None,
                    failure: if fails { Failure::Kind(ErrorKind::Status) } else { Failure::None },
                    passes: 0,
                    fails: 0,
                    sent: 1,
                    received: 1,
                });
            }
        }
        let mut results = Results::new(plan);
        results.add(recorder.take());
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_covers_its_seconds_and_no_other() {
        let results = sample::results(&sample::plan());
        let glance = Glance::new(&results, 10, 10);
        assert_eq!((glance.vus, glance.rate, glance.errors), (20, 12.0, Some(0.0)));
        assert!(glance.p95.is_some_and(|p95| p95.as_millis() == 10), "{glance:?}");
        let glance = Glance::new(&results, 15, 10);
        assert_eq!((glance.vus, glance.rate, glance.errors), (10, 12.0, Some(0.125)));
        assert_eq!(Glance::new(&results, 15, 1).errors, Some(0.25));
        assert_eq!((rate(&results, 15), rate(&results, 0), rate(&results, 60)), (12.0, 0.0, 0.0));
        assert_eq!(errors(&sample::plan(), &results), 30);
        assert_eq!(Glance::new(&results, 0, 10), Glance { rate: 0.0, ..Glance::default() });
    }

    #[test]
    fn after_the_end_there_is_nothing_to_see_but_the_last_users() {
        let results = sample::results(&sample::plan());
        let glance = Glance::new(&results, 60, 10);
        assert_eq!((glance.rate, glance.p95, glance.errors), (0.0, None, None));
    }

    #[test]
    fn a_second_belongs_to_the_stage_that_it_ends_in() {
        let plan = sample::plan();
        assert_eq!(stages_at(&plan, 1), "climb 10s→20 VUs");
        assert_eq!(stages_at(&plan, 10), "climb 10s→20 VUs");
        assert_eq!(stages_at(&plan, 11), "stage 2 10s→0 VUs");
        assert_eq!(stages_at(&plan, 21), "finishing");
    }
}
