//! What is going on, while it goes on: a display that is drawn anew each second on a terminal, a line every ten seconds
//! elsewhere.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::ci::Provider;
use super::glance::{Glance, Latency, errors, moment, rate, stage_text, stages_at};
use super::live::{Frame, Picture};
use super::outline::{clock, counted, loads_line};
use super::screen::Screen;
use super::sight::Sight;
use super::terminal::{Size, Terminal, size_of_errors};
use crate::engine::{RunPhase, Watcher};
use crate::metrics::{Observed, Results, Stop};
use crate::plan::Plan;
use crate::report::show::{NONE, one_line, shortened};
use crate::units::{Fraction, human_duration, human_number};
use crate::verdict;

/// How to show what is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProgressMode {
    /// Live on a terminal, plain elsewhere and in pipelines
    #[default]
    Auto,
    /// A few lines, drawn anew every second
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

/// The most characters that one line says.
const LONGEST: usize = 1_000;

/// Shows the run as the engine tells of it, on standard error.
pub(super) struct Progress {
    plan: Arc<Plan>,
    mode: ProgressMode,
    provider: Provider,
    screen: Screen,
    colour: bool,
    /// The columns that the longest stage takes.
    stage_width: usize,
    /// Whether a group of lines is open in the log of a pipeline.
    is_grouped: bool,
    /// The second of the last plain line.
    last: u64,
    latency: Latency,
    sight: Sight,
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
        let colour = terminal.colour_of_errors;
        Self { colour, ..Self::to(io::stderr(), plan, mode, provider, size_of_errors) }
    }

    fn to(
        out: impl Write + Send + 'static,
        plan: Arc<Plan>,
        mode: ProgressMode,
        provider: Provider,
        size: fn() -> Size,
    ) -> Self {
        let stages = plan.loads.iter().flat_map(|load| load.stages.iter().map(move |id| (load, *id)));
        let widths = stages.map(|(load, id)| stage_text(&plan, load, id).chars().count());
        let stage_width = widths.max().unwrap_or(0).min(40);
        Self {
            plan,
            mode,
            provider,
            screen: Screen::new(out, size),
            colour: false,
            stage_width,
            is_grouped: false,
            last: 0,
            latency: Latency::default(),
            sight: Sight::default(),
            aborted_by: None,
        }
    }

    /// Leaves the terminal as if nothing had been drawn on it.
    pub(super) fn finish(&mut self) {
        self.screen.wipe();
        self.end_group();
        self.screen.flush();
    }

    /// Says something that stays, whatever is shown of the run.
    pub(super) fn tell(&self, text: &str) {
        self.write(&format!("{}\n", self.harmless(text)));
    }

    /// Says what is waited for. On a terminal the next one takes its place.
    pub(super) fn wait(&self, what: &str) {
        match self.mode {
            ProgressMode::Live => {
                self.screen.draw(Frame::Waiting(self.harmless(what)));
            }
            ProgressMode::Auto | ProgressMode::Plain | ProgressMode::None => self.tell(what),
        }
    }

    /// Takes in what observers see.
    pub(super) fn observe(&mut self, observed: &Observed) {
        if self.mode == ProgressMode::Live {
            self.sight = Sight::new(observed);
        }
    }

    fn say(&self, text: &str) {
        if self.mode != ProgressMode::None {
            self.tell(text);
        }
    }

    /// A line of a text that may hold what a server said. Of a secret that was cut nothing could be masked.
    fn harmless(&self, text: &str) -> String {
        one_line(&self.plan.secrets.mask(text), LONGEST)
    }

    fn write(&self, text: &str) {
        self.screen.say(self.plan.secrets.mask(text).into_owned());
    }

    /// Opens a group that the reader of a pipeline's log can fold; the verdict never stands in one.
    fn begin_group(&mut self) {
        let title = self.harmless(&format!("load: {}", loads_line(&self.plan)));
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
        match self.mode {
            ProgressMode::Live => {
                let picture = self.picture(results, second);
                self.screen.draw(Frame::Load(Box::new(picture)));
            }
            ProgressMode::Plain if second / EVERY > self.last / EVERY => self.show_plain(results, second),
            ProgressMode::Auto | ProgressMode::Plain | ProgressMode::None => {}
        }
    }

    fn picture(&mut self, results: &Results, second: u64) -> Picture {
        self.latency.take_in(results, second, WINDOW);
        Picture {
            rate: rate(results, second),
            lately: Glance::new(results, second, WINDOW),
            errors: errors(&self.plan, results),
            p95s: self.latency.newest().to_vec(),
            sight: self.sight.clone(),
            colour: self.colour,
            moment: moment(&self.plan, results, second),
        }
    }

    /// A line for the seconds since the last one.
    fn show_plain(&mut self, results: &Results, second: u64) {
        let stage = stages_at(&self.plan, second);
        let lately = Glance::new(results, second, second - self.last);
        let width = self.stage_width;
        let stage = format!("{:<width$}", shortened(&stage, 60));
        let line = line(&clock(Duration::from_secs(second)), &stage, &lately);
        self.last = second;
        self.write(&format!("{line}\n"));
    }
}

fn line(time: &str, stage: &str, lately: &Glance) -> String {
    let p95 = lately.p95.map_or_else(|| NONE.to_owned(), human_duration);
    let errors = lately.errors.and_then(Fraction::new).map_or_else(|| NONE.to_owned(), Fraction::human);
    let rate = human_number(lately.rate);
    format!("  {time}  {stage}  {:>4} VUs  {rate:>6} req/s  p95 {p95:<7}  errors {errors}", lately.vus)
}

impl Watcher for Progress {
    fn phase(&mut self, phase: RunPhase) {
        match phase {
            RunPhase::Ready => self.say(&self.ready_text()),
            RunPhase::Setup => self.say(&format!("setup: {}", counted(self.plan.setup.len(), "step"))),
            RunPhase::Load => {
                self.begin_group();
                if self.mode == ProgressMode::Live {
                    self.show(&Results::new(&self.plan), Duration::ZERO);
                }
            }
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
    use std::num::NonZero;
    use std::sync::mpsc::{Sender, channel};

    use super::super::glance::sample;
    use super::*;

    /// What was written, as it is written.
    struct Written(Sender<Vec<u8>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn size() -> Size {
        Size { columns: 80, rows: 24 }
    }

    /// All that is written while that is done.
    fn written(
        mode: ProgressMode,
        provider: Provider,
        run: impl FnOnce(&mut Progress, &mut Results),
    ) -> String {
        written_of(sample::plan(), mode, provider, run)
    }

    fn written_of(
        plan: Plan,
        mode: ProgressMode,
        provider: Provider,
        run: impl FnOnce(&mut Progress, &mut Results),
    ) -> String {
        let plan = Arc::new(plan);
        let mut results = sample::results(&plan);
        let (out, inbox) = channel();
        let mut progress = Progress::to(Written(out), plan, mode, provider, size);
        run(&mut progress, &mut results);
        drop(progress);
        String::from_utf8(inbox.iter().flatten().collect()).expect("text")
    }

    fn terminal() -> vt100::Parser {
        let [rows, columns] = [24, 80].map(|it| NonZero::new(it).expect("above zero"));
        vt100::Parser::new(rows, columns, 0)
    }

    /// What is said of a run of twenty seconds that is then stopped.
    fn said(mode: ProgressMode, provider: Provider) -> String {
        written(mode, provider, |progress, results| {
            progress.phase(RunPhase::Ready);
            progress.phase(RunPhase::Load);
            progress.screen.flush();
            for second in 1..=20 {
                let elapsed = Duration::from_secs(second) + Duration::from_millis(150);
                assert_eq!(progress.second(results, elapsed), None);
                progress.screen.flush();
            }
            progress.phase(RunPhase::Undo);
            progress.phase(RunPhase::Teardown);
            progress.finish();
        })
    }

    #[test]
    fn a_log_has_a_line_every_ten_seconds() {
        insta::assert_snapshot!(said(ProgressMode::Plain, Provider::Other), @r"
        connecting to http://127.0.0.1:1
          0m10s  climb 10s→20 VUs     20 VUs      12 req/s  p95 10 ms    errors 0 %
          0m20s  stage 2 10s→0 VUs     2 VUs      12 req/s  p95 30 ms    errors 25.0 %
        interrupted: undoing what was created; a second signal ends it at once
        ");
    }

    #[test]
    fn the_last_seconds_have_a_line_of_their_own() {
        let text = written(ProgressMode::Plain, Provider::Other, |progress, results| {
            for second in 1..20 {
                assert_eq!(progress.second(results, Duration::from_secs(second)), None);
            }
            results.elapsed = Duration::from_secs(20);
            progress.ends(results, Instant::now());
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().last().is_some_and(|line| line.starts_with("  0m20s  stage 2")), "{text}");
    }

    #[test]
    fn on_github_the_lines_are_a_group_that_ends_before_the_verdict() {
        insta::assert_snapshot!(said(ProgressMode::Plain, Provider::GitHub), @r"
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
        let text = said(ProgressMode::Plain, Provider::GitLab);
        let (start, end) = (text.find("\x1b[0Ksection_start:"), text.find("\x1b[0Ksection_end:"));
        assert!(start.is_some() && start < end, "{text:?}");
        assert!(text.contains(":palier_load\r\x1b[0Kload: 2 stages over 20 s, up to 20 VUs\n"), "{text:?}");
        assert!(text.find("interrupted") > end, "{text:?}");
    }

    #[test]
    fn a_terminal_shows_each_second_and_nothing_of_it_in_the_end() {
        let text = said(ProgressMode::Live, Provider::GitHub);
        let mut terminal = terminal();
        let mut seen = Vec::new();
        for part in text.split_inclusive("A\r") {
            terminal.process(part.replace('\n', "\r\n").as_bytes());
            seen.push(terminal.screen().contents());
        }
        assert_eq!(seen.iter().filter(|it| it.contains(" left")).count(), 21, "{seen:#?}");
        insta::assert_snapshot!(seen[14]);
        insta::assert_snapshot!(terminal.screen().contents(), @r"
        connecting to http://127.0.0.1:1
        interrupted: undoing what was created; a second signal ends it at once
        ");
        assert_eq!(terminal.screen().cursor_position(), (2, 0));
        assert!(!text.contains("group"), "{text:?}");
    }

    #[test]
    fn what_is_waited_for_has_one_line() {
        let text = written(ProgressMode::Live, Provider::Other, |progress, _| {
            progress.wait("waiting for 2 replicas, for 2m more at most");
            progress.wait("waiting for 2 replicas, for 1m more at most");
            progress.tell("kubernetes watches shop/backend");
        });
        let mut terminal = terminal();
        terminal.process(text.replace('\n', "\r\n").as_bytes());
        assert_eq!(terminal.screen().contents(), "kubernetes watches shop/backend");
    }

    #[test]
    fn what_a_server_says_has_one_line_and_no_escapes() {
        let say = |progress: &mut Progress, _: &mut Results| {
            progress.tell("no\u{1b}[2J\n::error::x");
            progress.wait("still no\r\n::error::y\u{1b}]0;z\u{7}");
        };
        let log = written(ProgressMode::Plain, Provider::GitHub, say);
        assert_eq!(log, "no ::error::x\nstill no ::error::y\n");
        let drawn = written(ProgressMode::Live, Provider::Other, say);
        assert!(drawn.contains("no ::error::x\n") && drawn.contains("still no ::error::y"), "{drawn:?}");
        assert!(!drawn.contains("[2J") && !drawn.contains("]0;"), "{drawn:?}");
    }

    #[test]
    fn a_secret_is_masked_before_a_text_is_cut() {
        let secret = "0123456789".repeat(4);
        let plan = sample::plan_with_secret_name(&secret);
        for mode in [ProgressMode::Plain, ProgressMode::Live] {
            let text = written_of(plan.clone(), mode, Provider::Other, |progress, results| {
                for second in 1..=10 {
                    assert_eq!(progress.second(results, Duration::from_secs(second)), None);
                }
                progress.screen.flush();
                progress.wait(&format!("{}{secret}", "x".repeat(990)));
                progress.screen.flush();
            });
            assert!(text.contains("*** 10s→20 VUs") && !text.contains("0123"), "{mode:?}: {text:?}");
        }
        let moment = moment(&plan, &sample::results(&plan), 5);
        assert_eq!((&*moment.stage, &*moment.name), ("*** 10s→20 VUs", "***"));
    }

    #[test]
    fn none_is_nothing() {
        assert_eq!(said(ProgressMode::None, Provider::GitHub), "");
    }
}
