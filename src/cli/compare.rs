//! `palier compare`: by how much a run differs from earlier ones.

use std::path::{Path, PathBuf};

use super::conclusion::OnWarnArg;
use super::exit::Ending;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{ExitCode, report, terminal};
use crate::compare::{self, Recording, Terms};
use crate::report::comparison::{self, Document, SCHEMA, console, markdown};
use crate::report::recording;
use crate::units::Fraction;
use crate::words::Against;

/// What is to be compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier compare base/summary.json palier-report
  palier compare monday.json tuesday.json wednesday.json today.json   the last beside the three before it
  palier compare base.json new.json --effect 10% --format markdown

Two runs of the same build differ, from job to job by more than within one. docs/regression.md says how they are
compared.

Exit codes, the first that applies:
  2     the command line is wrong, or a file is no summary of a run
  99    worse; 0 or 3, like a warning, where the runs differ in more than the target
  3     inconclusive, under `--on-warn warn`
  0     the same or better; inconclusive, too, by default")]
pub(super) struct Args {
    /// One or more runs to compare with, and last the run that is compared: summaries, or the folders they are in
    #[arg(value_name = "SUMMARY.json", num_args = 2.., required = true)]
    runs: Vec<PathBuf>,
    /// The least change of a time or a rate that matters
    #[arg(long, value_name = "SHARE", value_parser = effect, default_value = "5%")]
    effect: Fraction,
    /// How to say it
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Form,
    #[command(flatten)]
    on_warn: OnWarnArg,
}

/// How a comparison is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A table
    #[default]
    Text,
    /// For the page of a pipeline or a merge request
    Markdown,
    /// For programs
    Json,
}

/// A share of change that can matter: above nothing, and at most all.
pub(super) fn effect(text: &str) -> Result<Fraction, String> {
    let share: Fraction = text.parse().map_err(|error| format!("{error}"))?;
    if share.get() > 0.0 && share.get() <= 1.0 {
        Ok(share)
    } else {
        Err("it must be above 0 and at most 100%".to_owned())
    }
}

/// Compares, and says what was found.
pub(super) fn compare(args: &Args, terminal: Terminal) -> Result<ExitCode, Failure> {
    let mut runs =
        args.runs.iter().map(|path| recorded(path)).collect::<Result<Vec<Recording>, Failure>>()?;
    let new = runs.pop().unwrap_or_default();
    let terms = Terms { effect: args.effect.get(), ..Terms::default() };
    let comparison = compare::compare(&runs, &new, terms);
    let ending = Ending { verdict: comparison.verdict(), interrupted: false, written: true };
    let code = ExitCode::of(ending, args.on_warn.on_warn);
    let regression = comparison::regression(Against::Baseline, &runs, &comparison);
    let new = comparison::run(&new.run);
    let text = match args.format {
        Form::Text => console::render(&regression, &new, terminal.colour),
        Form::Markdown => markdown::render(&regression, &new),
        Form::Json => Document {
            schema: SCHEMA.to_owned(),
            palier: env!("CARGO_PKG_VERSION").to_owned(),
            verdict: ending.verdict,
            exit_code: code.code(),
            new,
            regression,
        }
        .render(),
    };
    terminal::print(&text)?;
    Ok(code)
}

/// What a run recorded, from its summary.
pub(super) fn recorded(path: &Path) -> Result<Recording, Failure> {
    let summary = report::read(path)?;
    recording::unpack(&summary).ok_or_else(|| {
        let why = if summary.is_started() {
            "it holds no `windows`, which palier needs to see how a run varies"
        } else {
            "no load was made in that run"
        };
        let failure = Failure::usage(why).while_doing(format!("cannot compare with `{}`", path.display()));
        if summary.is_started() { failure.help("run it again with this version of palier") } else { failure }
    })
}
