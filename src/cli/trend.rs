//! `palier trend`: at which run each metric of a history changed.

use std::fs;
use std::path::PathBuf;

use super::failure::Failure;
use super::{ExitCode, history, terminal};
use crate::compare::history::Entry;
use crate::report::trend;
use crate::report::write::write_whole;
use crate::words::Verdict;

/// Which history, and what becomes of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier trend history.jsonl
  palier trend history.jsonl --html trend.html --svg trend.svg
  palier trend history.jsonl --csv > otava.csv     for Apache Otava

`palier run --history history.jsonl` keeps runs. This is a report, and no gate: it exits with 0 whatever it finds.")]
pub(super) struct Args {
    /// The history that `palier run --history` keeps
    #[arg(value_name = "HISTORY.jsonl")]
    file: PathBuf,
    /// Only runs of this profile; needed where there are several
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only runs of this branch
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The runs as a table, to standard output, in place of what changed
    #[arg(long)]
    csv: bool,
    /// Draw every metric into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write a page with table and drawings into this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Looks for changes, and says where they are.
pub(super) fn trend(args: &Args) -> Result<ExitCode, Failure> {
    let doing = || format!("cannot read the history `{}`", args.file.display());
    let text = fs::read_to_string(&args.file).map_err(|error| Failure::usage(error).while_doing(doing()))?;
    let entries = history::parse(&text).map_err(|error| Failure::usage(error).while_doing(doing()))?;
    let runs: Vec<&Entry> = (entries.iter())
        .filter(|it| it.verdict != Verdict::Invalid)
        .filter(|it| args.profile.as_ref().is_none_or(|profile| *profile == it.profile))
        .filter(|it| args.branch.as_ref().is_none_or(|branch| *branch == it.branch))
        .collect();
    let mut profiles: Vec<&str> = runs.iter().map(|it| it.profile.as_str()).collect();
    profiles.sort_unstable();
    profiles.dedup();
    let profile = match profiles.as_slice() {
        [] => return Err(Failure::usage("there is no run to look at").while_doing(doing())),
        [one] => *one,
        several => {
            let error = format!("it holds runs of several profiles: {}", several.join(", "));
            return Err(Failure::usage(error).while_doing(doing()).help("choose one with `--profile`"));
        }
    };
    let all = trend::series(&runs);
    for (path, content) in
        [(&args.svg, trend::svg as fn(&str, &[trend::Series<'_>]) -> String), (&args.html, trend::html)]
    {
        if let Some(path) = path {
            let written = write_whole(path, content(profile, &all).as_bytes());
            written.map_err(|error| {
                Failure::other(error).while_doing(format!("cannot write `{}`", path.display()))
            })?;
        }
    }
    let text = if args.csv { trend::csv(&runs) } else { trend::text(profile, &all) };
    terminal::print(&text)?;
    Ok(ExitCode::Pass)
}
