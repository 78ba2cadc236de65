//! What results become, whoever has them: a verdict beside earlier runs, a summary, every report, and an exit code.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::baseline::{Baseline, record};
use super::ci::{self, Provider};
use super::exit::Ending;
use super::failure::Failure;
use super::history::History;
use super::terminal::{self, Terminal};
use super::{Env, ExitCode, OnWarn};
use crate::compare::history::Entry;
use crate::metrics::{Results, Stop};
use crate::plan::Plan;
use crate::report::console::{self, Look};
use crate::report::summary::Host;
use crate::report::write::{append_step_outputs, append_step_summary};
use crate::report::{Format, Outputs, Summary, WriteError, annotations, comparison, step_outputs};
use crate::summarize::{Circumstances, summarize};
use crate::verdict::{Reason, judge_beside};

/// What a run is judged beside, and where that goes.
#[derive(Debug, clap::Args)]
pub(super) struct ConclusionArgs {
    /// Compare with this earlier run: its summary, or the folder it is in; may be given several times
    #[arg(long, value_name = "SUMMARY.json")]
    pub(super) baseline: Vec<PathBuf>,
    /// Keep the run in this file, a line a run, and judge it by the earlier ones in it, once there are eight
    #[arg(long, value_name = "HISTORY.jsonl", env = "PALIER_HISTORY", hide_env_values = true)]
    pub(super) history: Option<PathBuf>,
    /// Where the reports go
    #[arg(
        long,
        value_name = "DIR",
        default_value = "palier-report",
        env = "PALIER_OUT",
        hide_env_values = true
    )]
    pub(super) out: PathBuf,
    #[command(flatten)]
    pub(super) on_warn: OnWarnArg,
}

/// What a warning is worth.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct OnWarnArg {
    /// What a warning that does not hold makes of the exit code
    #[arg(
        long,
        value_name = "CODE",
        value_enum,
        default_value_t,
        env = "PALIER_ON_WARN",
        hide_env_values = true
    )]
    pub(super) on_warn: OnWarn,
}

/// Earlier runs; none by default.
#[derive(Default)]
pub(super) struct Earlier {
    baseline: Baseline,
    history: Option<History>,
}

impl Earlier {
    /// Reads them, before any load is made: so that what cannot be compared with is said in time.
    pub(super) fn open(args: &ConclusionArgs) -> Result<Self, Failure> {
        let baseline = Baseline::read(&args.baseline)?;
        let history = args.history.as_deref().map(History::open).transpose()?;
        Ok(Self { baseline, history })
    }
}

/// What is known of a run that is over.
pub(super) struct Over<'a> {
    pub(super) plan: &'a Plan,
    pub(super) results: &'a Results,
    /// Why its load was not that of its plan. Then it is compared with nothing, and nothing later with it.
    pub(super) other_load: Vec<Reason>,
    /// When it began, and how long all of it took.
    pub(super) start: SystemTime,
    pub(super) duration: Duration,
    /// The machine, and the most memory that palier held on it.
    pub(super) host: Host,
    pub(super) memory: Option<u64>,
    /// The command that repeats it.
    pub(super) command: String,
    /// What a reader must know, a sentence each.
    pub(super) notes: Vec<String>,
}

/// A run with its verdict.
pub(super) struct Concluded {
    pub(super) summary: Summary,
    pub(super) ending: Ending,
    on_warn: OnWarn,
    /// The file of earlier runs, and the line that this one becomes in it.
    kept: Option<(History, Entry)>,
}

/// Judges a run; nothing is written yet. `out` is the folder that its reports will be in.
pub(super) fn conclude(
    over: Over<'_>,
    earlier: Earlier,
    on_warn: OnWarn,
    env: &Env,
    out: &Path,
) -> Concluded {
    let Over { plan, results, other_load, start, duration, host, memory, command, notes } = over;
    let environment = ci::environment(env, &std::path::absolute(out).unwrap_or_default());
    let recording =
        if other_load.is_empty() { record(plan, results, &host, start, &environment) } else { None };
    let beside = recording.as_ref().and_then(|recording| earlier.baseline.beside(recording));
    let entry = recording.as_ref().map(|recording| History::entry(plan, recording, &environment));
    let kept = earlier.history.zip(entry);
    let among = kept.as_ref().map(|(history, entry)| history.judge(entry));
    let judgement =
        judge_beside(plan, results, beside.as_ref(), among.as_ref()).of_other_load(plan, other_load);
    let ending = Ending {
        verdict: judgement.verdict,
        interrupted: matches!(results.stop, Stop::Interrupted(_)),
        written: true,
    };
    let circumstances = Circumstances {
        start,
        duration,
        environment,
        host,
        memory,
        command,
        notes,
        history: among.as_ref().map(comparison::history),
        regression: beside.as_ref().map(|it| comparison::regression(it.against, &it.base, &it.comparison)),
        exit_code: ExitCode::of(ending, on_warn).code(),
    };
    let kept = kept.map(|(history, entry)| (history, Entry { verdict: judgement.verdict, ..entry }));
    Concluded { summary: summarize(plan, results, &judgement, &circumstances), ending, on_warn, kept }
}

impl Concluded {
    /// The exit code, as things stand.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::of(self.ending, self.on_warn)
    }

    /// Keeps the run where runs are kept, writes every report that can be written, and says how it ended. `problems` is
    /// what could not be written before.
    pub(super) fn publish(
        mut self,
        outputs: &Outputs,
        mut problems: Vec<WriteError>,
        verbose: bool,
        env: &Env,
        terminal: Terminal,
    ) -> ExitCode {
        if let Some((history, entry)) = self.kept.take() {
            problems.extend(history.append(&entry).err());
        }
        let written = Format::ALL.map(|format| outputs.write(format, &self.summary).map(drop));
        let page = env.get("GITHUB_STEP_SUMMARY").map(Path::new);
        let page = page.map(|path| append_step_summary(path, &Format::Markdown.render(&self.summary)));
        problems.extend(written.into_iter().chain(page).filter_map(Result::err));
        if !problems.is_empty() {
            // What could be written says how the run ends, too.
            self.ending.written = false;
            self.summary.exit_code = self.exit_code().code();
            let _ = outputs.write_all(&self.summary);
        }
        self.ending.written &= hand_over(env, terminal, outputs, &self.summary);
        self.ending.written &= tell(verbose, env, terminal, outputs, &self.summary, &problems);
        self.exit_code()
    }
}

/// Gives the steps that follow on GitHub what they may ask for; whether that could be done.
fn hand_over(env: &Env, terminal: Terminal, outputs: &Outputs, summary: &Summary) -> bool {
    let Some(path) = env.get("GITHUB_OUTPUT") else { return true };
    let lines = step_outputs::render(summary, &std::path::absolute(outputs.folder()).unwrap_or_default());
    let written = append_step_outputs(Path::new(path), &lines);
    if let Err(error) = &written {
        terminal.complain(error, Some("`GITHUB_OUTPUT` names that file; unset it where there is none"));
    }
    written.is_ok()
}

/// Says how the run ended; whether that could be said.
fn tell(
    verbose: bool,
    env: &Env,
    terminal: Terminal,
    outputs: &Outputs,
    summary: &Summary,
    problems: &[WriteError],
) -> bool {
    let report = outputs.path(Format::PAGE).display().to_string();
    let look = Look { colour: terminal.colour, width: terminal::width(), report: Some(&report) };
    let mut text = console::render(summary, &look);
    if Provider::detect(env) == Provider::GitHub {
        text += &annotations::render(summary);
    }
    for problem in problems {
        terminal.complain(problem, None);
    }
    if verbose {
        for format in Format::ALL {
            terminal::say(&outputs.path(format).display().to_string());
        }
    }
    let printed = terminal::print(&text);
    if let Err(failure) = printed {
        failure.tell(env, terminal);
        return false;
    }
    true
}
