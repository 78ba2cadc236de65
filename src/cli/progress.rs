//! What is going on, while it goes on: a line that is redrawn on a terminal, a line every ten seconds elsewhere.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ci::Provider;
use super::outline::{clock, counted, load_line, loads_line};
use super::terminal::{Terminal, width_of_errors};
use crate::engine::{RunPhase, Watcher};
use crate::metrics::Results;
use crate::plan::{Executor, Load, Plan, SpanId};
use crate::report::show::one_line;
use crate::units::{Fraction, human_duration, human_number};
use crate::verdict;

/// How to show what is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProgressMode {
    /// live on a terminal, plain elsewhere
    #[default]
    Auto,
    /// One line, redrawn every second
    Live,
    /// A line every ten seconds
    Plain,
    /// Not at all
    None,
}

/// Every so many seconds a plain line is written.
const EVERY: u64 = 10;

/// Latency and errors are those of so many seconds: of one alone there is too little to see.
const WINDOW: u64 = 10;

/// Shows the run as the engine tells of it, on standard error.
pub(super) struct Progress<W: Write = io::Stderr> {
    plan: Arc<Plan>,
    mode: ProgressMode,
    provider: Provider,
    out: W,
    width: fn() -> usize,
    /// The columns that the longest stage takes.
    stage_width: usize,
    /// Whether a line stands on the terminal that is to be redrawn.
    is_drawn: bool,
    /// Whether a group of lines is open in the log of a pipeline.
    is_grouped: bool,
    /// The second of the last plain line.
    last: u64,
    aborted_by: Option<String>,
}

impl Progress {
    /// Progress on standard error.
    pub(super) fn new(plan: Arc<Plan>, mode: ProgressMode, provider: Provider, terminal: Terminal) -> Self {
        let mode = match mode {
            ProgressMode::Auto if terminal.can_redraw => ProgressMode::Live,
            ProgressMode::Auto => ProgressMode::Plain,
            ProgressMode::Live | ProgressMode::Plain | ProgressMode::None => mode,
        };
        Self::to(io::stderr(), plan, mode, provider, width_of_errors)
    }
}

impl<W: Write> Progress<W> {
    fn to(out: W, plan: Arc<Plan>, mode: ProgressMode, provider: Provider, width: fn() -> usize) -> Self {
        let stages = plan.loads.iter().flat_map(|load| load.stages.iter().map(move |id| (load, *id)));
        let widths = stages.map(|(load, id)| stage_text(&plan, load, id).chars().count());
        let stage_width = widths.max().unwrap_or(0).min(40);
        Self {
            plan,
            mode,
            provider,
            out,
            width,
            stage_width,
            is_drawn: false,
            is_grouped: false,
            last: 0,
            aborted_by: None,
        }
    }

    /// Leaves the terminal as if nothing had been drawn on it.
    pub(super) fn finish(&mut self) {
        self.wipe();
        self.end_group();
    }

    fn say(&mut self, text: &str) {
        if self.mode == ProgressMode::None {
            return;
        }
        self.wipe();
        self.write(&format!("{}\n", self.plan.secrets.mask(text)));
    }

    /// Nobody may be listening, which is no reason to stop.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn draw(&mut self, text: &str) {
        // A line that reaches the last column would be wrapped, and could not be wiped.
        let text: String = text.chars().take((self.width)().saturating_sub(1)).collect();
        self.write(&format!("\r\x1b[2K{text}"));
        self.is_drawn = true;
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            self.write("\r\x1b[2K");
        }
    }

    /// Opens a group that the reader of a pipeline's log can fold; the verdict never stands in one.
    fn begin_group(&mut self) {
        let title = format!("load: {}", loads_line(&self.plan));
        let text = match self.provider {
            Provider::GitHub => format!("::group::{title}\n"),
            Provider::GitLab => {
                format!("\x1b[0Ksection_start:{}:palier_load\r\x1b[0K{title}\n", seconds_since_epoch())
            }
            Provider::Other => return,
        };
        if self.mode == ProgressMode::Plain {
            self.is_grouped = true;
            self.write(&text);
        }
    }

    fn end_group(&mut self) {
        if !std::mem::take(&mut self.is_grouped) {
            return;
        }
        let text = match self.provider {
            Provider::GitHub => "::endgroup::\n".to_owned(),
            Provider::GitLab => {
                format!("\x1b[0Ksection_end:{}:palier_load\r\x1b[0K\n", seconds_since_epoch())
            }
            Provider::Other => return,
        };
        self.write(&text);
    }

    fn ready_text(&self) -> String {
        let target = &self.plan.target;
        match &target.ready {
            Some(ready) => format!(
                "waiting until GET {}{} answers {}, for {} at most",
                target.url.trim_end_matches('/'),
                ready.path,
                ready.status,
                human_duration(ready.within)
            ),
            None => format!("waiting for {}, for {} at most", target.url, human_duration(target.wait)),
        }
    }

    fn show(&mut self, results: &Results, elapsed: Duration) {
        let second = elapsed.as_secs();
        match self.mode {
            ProgressMode::Live => {
                let now = Glance::new(results, second, 1);
                let lately = Glance::new(results, second, WINDOW);
                let left = self.plan.duration().saturating_sub(Duration::from_secs(second));
                let line = self.line(&format!("{} left", clock(left)), second, &now, &lately);
                self.draw(line.trim_end());
            }
            ProgressMode::Plain if second / EVERY > self.last / EVERY => {
                let lately = Glance::new(results, second, EVERY);
                let line = self.line(&clock(Duration::from_secs(second)), second, &lately, &lately);
                self.last = second;
                self.write(&format!("{}\n", line.trim_end()));
            }
            ProgressMode::Auto | ProgressMode::Plain | ProgressMode::None => {}
        }
    }

    fn line(&self, time: &str, second: u64, now: &Glance, lately: &Glance) -> String {
        let stage = stages_at(&self.plan, second);
        let stage = one_line(&stage, 60);
        let p95 = lately.p95.map_or_else(|| "–".to_owned(), human_duration);
        let errors = lately.errors.and_then(Fraction::new).map_or_else(|| "–".to_owned(), Fraction::human);
        let width = self.stage_width;
        let rate = human_number(now.rate);
        format!(
            "  {time}  {stage:<width$}  {:>4} VUs  {rate:>6} req/s  p95 {p95:<7}  errors {errors}",
            now.vus
        )
    }
}

impl<W: Write> Watcher for Progress<W> {
    fn phase(&mut self, phase: RunPhase) {
        match phase {
            RunPhase::Ready => self.say(&self.ready_text()),
            RunPhase::Setup => self.say(&format!("setup: {}", counted(self.plan.setup.len(), "step"))),
            RunPhase::Load => self.begin_group(),
            RunPhase::Undo => {
                self.finish();
                let text = match &self.aborted_by {
                    Some(threshold) => {
                        format!("stopped, because {threshold} does not hold; undoing what was created")
                    }
                    None => {
                        "interrupted: undoing what was created; a second signal ends it at once".to_owned()
                    }
                };
                self.say(&text);
            }
            RunPhase::Teardown => {
                self.finish();
                if !self.plan.teardown.is_empty() {
                    self.say(&format!("teardown: {}", counted(self.plan.teardown.len(), "step")));
                }
            }
        }
    }

    fn second(&mut self, results: &Results, elapsed: Duration) -> Option<String> {
        self.show(results, elapsed);
        self.aborted_by = verdict::asks_to_abort(&self.plan, results);
        self.aborted_by.clone()
    }
}

/// The last seconds of a load, in the figures that a line has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Glance {
    vus: u32,
    /// Requests a second.
    rate: f64,
    p95: Option<Duration>,
    /// The share of them that failed, or of which a check did not hold.
    errors: Option<f64>,
}

impl Glance {
    /// The `length` seconds before the second of that number.
    fn new(results: &Results, second: u64, length: u64) -> Self {
        let resolution = results.seconds.resolution().as_secs().max(1);
        let points = results.seconds.points();
        let index =
            |second: u64| usize::try_from(second / resolution).unwrap_or(usize::MAX).min(points.len());
        let first = index(second.saturating_sub(length));
        // Of a point that holds several seconds, the last ones may be still to come.
        let recent = &points[first..index(second + resolution - 1).max(first)];
        let mut total = crate::metrics::StepPoint::default();
        for point in recent {
            total.merge(&point.total());
        }
        let time = second.saturating_sub(first as u64 * resolution).max(1);
        // The second that has just begun may have been sampled already.
        let sampled = points[..index(second + resolution)].iter().rev().find(|point| !point.vus.is_empty());
        Self {
            vus: sampled.map_or(0, |point| point.vus.iter().sum()),
            rate: total.requests as f64 / time as f64,
            p95: total.durations.quantile(0.95),
            errors: (total.requests > 0).then(|| total.errors as f64 / total.requests as f64),
        }
    }
}

/// The stages that the second before this moment belongs to, of all loads.
fn stages_at(plan: &Plan, second: u64) -> String {
    let middle = Duration::from_secs(second).saturating_sub(Duration::from_millis(500));
    let is_now = |id: &&SpanId| {
        let span = plan.span(**id);
        span.start <= middle && middle < span.start + span.duration
    };
    let stages: Vec<String> = plan
        .loads
        .iter()
        .filter_map(|load| {
            let id = load.stages.iter().find(is_now)?;
            Some(stage_text(plan, load, *id))
        })
        .collect();
    if !stages.is_empty() {
        stages.join(", ")
    } else if middle < plan.duration() {
        "–".to_owned()
    } else {
        "finishing".to_owned()
    }
}

/// A stage, where it leads to, and how long that takes: `climb 1m→20 VUs`.
fn stage_text(plan: &Plan, load: &Load, id: SpanId) -> String {
    let span = plan.span(id);
    let name = one_line(&span.name, 24);
    let time = crate::units::show_duration(span.duration);
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

fn seconds_since_epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
