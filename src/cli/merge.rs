//! `palier merge`: the results of all shards, one verdict, and all reports.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::conclusion::{ConclusionArgs, Earlier, OnWarnArg, Over, conclude};
use super::failure::Failure;
use super::run::quoted;
use super::terminal::Terminal;
use super::{Env, ExitCode, host, shard};
use crate::metrics::Stop;
use crate::report::Outputs;
use crate::shard::{Assembly, Kept, decode};
use crate::units::human_duration;

/// What is merged, and what becomes of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier merge shards/                           all files shard-N-of-M.palier in that folder and below
  palier merge a/shard-1-of-2.palier b/shard-2-of-2.palier --out palier-report

Exit codes are those of `palier run`. Shards that are missing, there twice, of other plans or versions, or that did
not begin together make the verdict invalid (98).")]
pub(super) struct Args {
    /// Results of shards, or folders that they are in
    #[arg(value_name = "DIR|FILE", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    conclusion: ConclusionArgs,
    /// Show where each report is
    #[arg(short, long)]
    verbose: bool,
}

/// There is nothing to merge.
#[derive(Debug, thiserror::Error)]
enum Nothing {
    #[error("there are no results of shards in {0}")]
    Found(String),
    #[error("no results of shards could be read: {0}")]
    Readable(String),
}

/// Puts the shards together, judges them once, and writes every report.
pub(super) fn merge(args: &Args, env: &Env, terminal: Terminal) -> Result<ExitCode, Failure> {
    let mut assembly = Assembly::default();
    for path in files(&args.paths)? {
        let file = path.display().to_string();
        let doing = format!("cannot read `{file}`");
        let bytes = fs::read(&path).map_err(|error| Failure::usage(error).while_doing(doing))?;
        match decode(&bytes) {
            Ok(part) => {
                let plan = shard::lay_out(&part.recipe)?;
                assembly.add(file, part, plan);
            }
            Err(why) => assembly.refuse(&file, &why),
        }
    }
    let ConclusionArgs { out, on_warn: OnWarnArg { on_warn }, .. } = &args.conclusion;
    let earlier = Earlier::open(&args.conclusion)?;
    let outputs = Outputs::open(out).map_err(Failure::other)?;
    outputs.clear().map_err(Failure::other)?;
    let kept: Vec<(String, Kept)> =
        assembly.kept().iter().map(|(shard, kept)| (shard.to_string(), kept.clone())).collect();
    let (mut plan, results, other_load) = assembly.finish().map_err(|reasons| {
        let reasons: Vec<String> = reasons.into_iter().map(|reason| reason.text).collect();
        Failure::usage(Nothing::Readable(reasons.join("; ")))
    })?;
    // The id that the first shard was given, without its number.
    plan.run = (kept.first())
        .map(|(_, kept)| {
            kept.about.run.rsplit_once('-').map_or(kept.about.run.as_str(), |(run, _)| run).to_owned()
        })
        .unwrap_or_default();

    let start = kept.iter().map(|(_, kept)| kept.about.start).min().unwrap_or_else(SystemTime::now);
    let end = kept.iter().map(|(_, kept)| kept.about.start + kept.about.duration).max().unwrap_or(start);
    let machine = kept.iter().find_map(|(_, kept)| serde_json::from_str(&kept.about.host).ok());
    let machine = machine.unwrap_or_else(host::host);
    let over = Over {
        plan: &plan,
        results: &results,
        other_load,
        start,
        duration: end.duration_since(start).unwrap_or_default(),
        host: machine,
        memory: kept.iter().filter_map(|(_, kept)| kept.about.memory).max(),
        command: command(args),
        notes: notes(&kept),
    };
    let concluded = conclude(over, earlier, *on_warn, env, out);
    Ok(concluded.publish(&outputs, Vec::new(), args.verbose, env, terminal))
}

/// The files that were named, and those of shards in the folders that were, in order of their paths.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let doing = format!("cannot look into `{}`", path.display());
            search(path, 4, &mut found).map_err(|error| Failure::usage(error).while_doing(doing))?;
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    // A file that is named and lies in a folder that is named is meant once.
    found.dedup();
    if found.is_empty() {
        let shown: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        let help = "`palier run --shard N/M` leaves `shard-N-of-M.palier` in its `--out`";
        return Err(Failure::usage(Nothing::Found(shown.join(", "))).help(help));
    }
    Ok(found)
}

/// Artifacts of several jobs come each in a folder of its own.
fn search(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                search(&path, depth - 1, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "palier") {
            found.push(path);
        }
    }
    Ok(())
}

fn command(args: &Args) -> String {
    let paths = args.paths.iter().map(|path| quoted(&path.display().to_string()));
    ["palier".to_owned(), "merge".to_owned()].into_iter().chain(paths).collect::<Vec<_>>().join(" ")
}

/// What a reader must know of the shards, one sentence each.
fn notes(kept: &[(String, Kept)]) -> Vec<String> {
    let began = kept.iter().filter_map(|(_, kept)| kept.clock.began);
    let mut notes = Vec::new();
    if let (Some(first), Some(last)) = (began.clone().min(), began.max()) {
        let apart = human_duration(last.duration_since(first).unwrap_or_default());
        let (n, s) = (kept.len(), if kept.len() == 1 { "" } else { "s" });
        notes.push(format!(
            "The results of {n} shard{s} were merged; they began within {apart} of each other."
        ));
    }
    if kept.iter().any(|(_, kept)| kept.clock.target_ahead.is_none()) {
        notes.push(
            "The clocks of the shards could not be compared: the target was not asked with `[target] ready`, or did not say what time it is.".to_owned(),
        );
    }
    for (shard, kept) in kept {
        if let Stop::Interrupted(signal) = &kept.stop {
            notes.push(format!("Shard {shard} was interrupted by {signal}."));
        }
        for note in &kept.about.notes {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
    }
    notes
}
