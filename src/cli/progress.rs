//! What is going on, while it goes on: a line that is redrawn on a terminal, a line every ten seconds elsewhere.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::ci::Provider;
use super::glance::{Glance, stage_text, stages_at};
use super::outline::{clock, counted, loads_line};
use super::terminal::{Terminal, width_of_errors};
use crate::engine::{RunPhase, Watcher};
use crate::metrics::{Results, Stop};
use crate::plan::Plan;
use crate::report::show::{NONE, shortened};
use crate::units::{Fraction, human_duration, human_number};
use crate::verdict;

/// How to show what is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProgressMode {
    /// Live on a terminal, plain elsewhere and in pipelines
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
        self.write(&format!("{text}\n"));
    }

    /// Nobody may be listening, which is no reason to stop.
    fn write(&mut self, text: &str) {
        let text = self.plan.secrets.mask(text);
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn draw(&mut self, text: &str) {
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
            None if target.wait.is_zero() => format!("connecting to {}", target.url),
            None => format!("waiting for {}, for {} at most", target.url, human_duration(target.wait)),
        }
    }

    fn show(&mut self, results: &Results, elapsed: Duration) {
        let second = elapsed.as_secs();
        let stage = stages_at(&self.plan, second);
        match self.mode {
            ProgressMode::Live => {
                let left = self.plan.duration().saturating_sub(Duration::from_secs(second));
                let time = format!("{} left", clock(left));
                let now = Glance::new(results, second, 1);
                let lately = Glance::new(results, second, WINDOW);
                // A line that reaches the last column would be wrapped, and could not be wiped: the stage gives way.
                let width = (self.width)().saturating_sub(1);
                let rest = line(&time, "", &now, &lately).chars().count();
                let stage = shortened(&stage, width.saturating_sub(rest));
                let line = line(&time, &stage, &now, &lately);
                self.draw(&line.chars().take(width).collect::<String>());
            }
            ProgressMode::Plain if second / EVERY > self.last / EVERY => self.show_plain(results, second),
            ProgressMode::Auto | ProgressMode::Plain | ProgressMode::None => {}
        }
    }

    /// A line for the seconds since the last one.
    fn show_plain(&mut self, results: &Results, second: u64) {
        let stage = stages_at(&self.plan, second);
        let lately = Glance::new(results, second, second - self.last);
        let width = self.stage_width;
        let stage = format!("{:<width$}", shortened(&stage, 60));
        let line = line(&clock(Duration::from_secs(second)), &stage, &lately, &lately);
        self.last = second;
        self.write(&format!("{line}\n"));
    }
}

/// Requests of the last second on a terminal; all else is of the last ten.
fn line(time: &str, stage: &str, now: &Glance, lately: &Glance) -> String {
    let p95 = lately.p95.map_or_else(|| NONE.to_owned(), human_duration);
    let errors = lately.errors.and_then(Fraction::new).map_or_else(|| NONE.to_owned(), Fraction::human);
    let rate = human_number(now.rate);
    format!("  {time}  {stage}  {:>4} VUs  {rate:>6} req/s  p95 {p95:<7}  errors {errors}", now.vus)
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

    /// The seconds since the last plain line would else be seen nowhere: a load of 30 s ends before its thirtieth tick.
    fn ends(&mut self, results: &Results, _end: Instant) {
        let second = results.elapsed.as_secs();
        if self.mode == ProgressMode::Plain && results.stop == Stop::Done && second > self.last {
            self.show_plain(results, second);
        }
    }

    fn second(&mut self, results: &mut Results, elapsed: Duration) -> Option<String> {
        self.show(results, elapsed);
        self.aborted_by = verdict::asks_to_abort(&self.plan, results);
        self.aborted_by.clone()
    }
}

fn seconds_since_epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::glance::sample;
    use super::*;

    /// What is said of a run of twenty seconds that is then stopped.
    fn said(mode: ProgressMode, provider: Provider, width: fn() -> usize) -> String {
        let plan = Arc::new(sample::plan());
        let mut results = sample::results(&plan);
        let mut progress = Progress::to(Vec::new(), Arc::clone(&plan), mode, provider, width);
        progress.phase(RunPhase::Ready);
        progress.phase(RunPhase::Load);
        for second in 1..=20 {
            let elapsed = Duration::from_secs(second) + Duration::from_millis(150);
            assert_eq!(progress.second(&mut results, elapsed), None);
        }
        progress.phase(RunPhase::Undo);
        progress.phase(RunPhase::Teardown);
        progress.finish();
        String::from_utf8(progress.out).expect("text")
    }

    #[test]
    fn a_log_has_a_line_every_ten_seconds() {
        insta::assert_snapshot!(said(ProgressMode::Plain, Provider::Other, || 120), @r"
        connecting to http://127.0.0.1:1
          0m10s  climb 10s→20 VUs     20 VUs      12 req/s  p95 10 ms    errors 0 %
          0m20s  stage 2 10s→0 VUs     2 VUs      12 req/s  p95 30 ms    errors 25.0 %
        interrupted: undoing what was created; a second signal ends it at once
        ");
    }

    #[test]
    fn the_last_seconds_have_a_line_of_their_own() {
        let plan = Arc::new(sample::plan());
        let mut results = sample::results(&plan);
        let mut progress =
            Progress::to(Vec::new(), Arc::clone(&plan), ProgressMode::Plain, Provider::Other, || 120);
        for second in 1..20 {
            assert_eq!(progress.second(&mut results, Duration::from_secs(second)), None);
        }
        results.elapsed = Duration::from_secs(20);
        progress.ends(&results, Instant::now());
        let text = String::from_utf8(progress.out).expect("text");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().last().is_some_and(|line| line.starts_with("  0m20s  stage 2")), "{text}");
    }

    #[test]
    fn on_github_the_lines_are_a_group_that_ends_before_the_verdict() {
        insta::assert_snapshot!(said(ProgressMode::Plain, Provider::GitHub, || 120), @r"
        connecting to http://127.0.0.1:1
        ::group::load: 2 stages over 20 s, up to 20 VUs
          0m10s  climb 10s→20 VUs     20 VUs      12 req/s  p95 10 ms    errors 0 %
          0m20s  stage 2 10s→0 VUs     2 VUs      12 req/s  p95 30 ms    errors 25.0 %
        ::endgroup::
        interrupted: undoing what was created; a second signal ends it at once
        ");
    }

    #[test]
    fn on_gitlab_they_are_a_section() {
        let text = said(ProgressMode::Plain, Provider::GitLab, || 120);
        let (start, end) = (text.find("\x1b[0Ksection_start:"), text.find("\x1b[0Ksection_end:"));
        assert!(start.is_some() && start < end, "{text:?}");
        assert!(text.contains(":palier_load\r\x1b[0Kload: 2 stages over 20 s, up to 20 VUs\n"), "{text:?}");
        assert!(text.find("interrupted") > end, "{text:?}");
    }

    #[test]
    fn a_terminal_has_one_line_that_is_wiped_in_the_end() {
        for (width, fits) in [((|| 120) as fn() -> usize, 120), (|| 70, 70), (|| 20, 20)] {
            let text = said(ProgressMode::Live, Provider::GitHub, width);
            let drawn: Vec<&str> = text.split("\r\x1b[2K").skip(1).collect();
            let (last, drawn) = drawn.split_last().expect("lines");
            assert_eq!(drawn.len(), 20);
            assert!(drawn.iter().all(|line| line.chars().count() < fits && !line.contains('\n')), "{text:?}");
            assert!(last.starts_with("interrupted"), "{last:?}");
            assert!(!text.contains("group"), "{text:?}");
        }
    }

    #[test]
    fn none_is_nothing() {
        assert_eq!(said(ProgressMode::None, Provider::GitHub, || 120), "");
    }
}
