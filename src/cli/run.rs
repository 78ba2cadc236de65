//! `palier run`: a load test from its profile to its verdict.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::ValueEnum as _;

use super::ci::Provider;
use super::conclusion::{ConclusionArgs, Earlier, OnWarnArg, Over, conclude};
use super::failure::Failure;
use super::onlookers::{self, Inbox};
use super::planning::{self, Given, Origin, ProfileArgs};
use super::progress::{Progress, ProgressMode};
use super::shard::{self, Facts, Leaving, Reading};
use super::terminal::Terminal;
use super::{Env, ExitCode, OnWarn, demo, host, leftovers, outline, run_id, terminal, way};
use crate::journal::{self, DatabaseCleanup, FolderError};
use crate::observe::generator::limits::Limits;
use crate::plan::{Plan, Shard};
use crate::profile::Disk;
use crate::report::write::append_step_summary;
use crate::report::{Outputs, WriteError};
use crate::shard::Noted;
use crate::units::human_duration;

/// What is to be run, and what becomes of the result.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier run quick --demo
  palier run standard --target https://staging.example.com --wait 2m
  palier run load.toml --set load.stages[2].target=50 --time-scale 0.1
  palier run load.toml --baseline last-week/summary.json
  palier run load.toml --shard 2/8 --start-at 2026-11-25T12:30:00Z

Exit codes, the first that applies:
  2     the command line or the profile is wrong; no load was made
  99    fail: a threshold does not hold
  105   a signal ended the run; the reports are written
  98    invalid: what was measured cannot carry a verdict
  1     anything else, for example a report that could not be written
  3     warn, under `--on-warn warn`
  0     pass; warn, too, by default")]
pub(super) struct Args {
    #[command(flatten)]
    profile: ProfileArgs,
    /// How long to wait for the target to be ready, whatever the profile says
    #[arg(long, value_name = "DURATION", value_parser = planning::duration, env = "PALIER_WAIT", hide_env_values = true)]
    wait: Option<Duration>,
    /// Start the demo API, and run against it
    #[arg(long, conflicts_with = "target")]
    demo: bool,
    /// Run one of several equal parts of the plan: 2/8. `palier merge` judges all of them together
    #[arg(long, value_name = "I/N", value_parser = str::parse::<Shard>, conflicts_with_all = ["demo", "baseline"])]
    shard: Option<Shard>,
    /// Begin the load at that moment, by the clock of this machine: 2026-11-25T12:30:00Z, or @ and seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = shard::moment)]
    start_at: Option<SystemTime>,
    #[command(flatten)]
    conclusion: ConclusionArgs,
    /// How to show what is going on
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value_t,
        env = "PALIER_PROGRESS",
        hide_env_values = true
    )]
    progress: ProgressMode,
    /// Say nothing but the result
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Show the whole plan before the run, and where each report is after it
    #[arg(short, long)]
    verbose: bool,
}

/// Runs the load test. Whatever comes of the load, every report is written that can be.
pub(super) fn run(args: &Args, env: &Env, terminal: Terminal) -> Result<ExitCode, Failure> {
    let (start, began) = (SystemTime::now(), Instant::now());
    let (runtime, inbox) = Inbox::listen()?;
    // Before the profile is read, because its address becomes part of the plan.
    let demo = if args.demo { Some(demo::start()?) } else { None };
    let run = run_id::new(start, || fastrand::u32(..));
    let run = args.shard.map_or(run.clone(), |shard| run_id::of_shard(&run, shard));
    let given = Given { run, wait: args.wait, demo: demo.as_ref() };
    let (folder, noted) = (planning::here()?, Noted::new(&Disk));
    let origin =
        Origin { folder: &folder, variables: env.variables(), files: &noted, kubeconfig: env.kubeconfig() };
    let (profile, mut plan) = planning::plan_from(&args.profile, given, origin)?;
    plan.start_at = args.start_at;
    let ConclusionArgs { out, on_warn: OnWarnArg { on_warn }, .. } = &args.conclusion;
    let earlier = Earlier::open(&args.conclusion)?;
    let destination = Destination::open(out, env, &plan, &args.profile)?;
    let reading = Reading { args: &args.profile, wait: args.wait, env, folder: &folder, noted: &noted };
    let leaving = args.shard.map(|shard| Leaving::open(shard, out, &reading, &plan.secrets)).transpose()?;
    if let Some(shard) = args.shard {
        plan.take_part(shard);
    }
    if args.verbose {
        terminal::say(&outline::in_full(&plan, &profile));
    }
    if !args.quiet {
        terminal::say(&outline::introduction(&plan, &profile));
    }
    if !args.quiet {
        say_when(args, start);
    }
    if let Some(notice) = leftovers::notice(&destination.found, &out.display().to_string()) {
        terminal::say(&notice);
    }

    let shortages = Limits::now().shortages(&plan);
    if !args.quiet {
        for shortage in &shortages {
            terminal::say(&format!("note: {shortage}"));
        }
    }
    let plan = Arc::new(plan);
    let mode = if args.quiet { ProgressMode::None } else { args.progress };
    let mut progress = Progress::new(Arc::clone(&plan), mode, Provider::detect(env), terminal);
    let forward = way::to(&plan.target, &plan.kubeconfig)?;
    let engaged =
        onlookers::run(&plan, forward.as_ref(), &destination.journal, inbox, &mut progress, !args.quiet);
    let results = runtime.block_on(engaged);
    progress.finish();
    let unwritten = destination.end_journal();

    if let Some(leaving) = leaving {
        if let Some(problem) = &unwritten {
            terminal.complain(problem, None);
        }
        let notes = [notes(args, &plan), shortages].concat();
        let facts = Facts { start, duration: began.elapsed(), notes, written: unwritten.is_none() };
        return leaving.write(&plan, results, facts);
    }
    let over = Over {
        plan: &plan,
        results: &results,
        other_load: Vec::new(),
        start,
        duration: began.elapsed(),
        host: host::host(),
        memory: host::peak_memory(),
        command: command(args, &plan),
        notes: [notes(args, &plan), shortages].concat(),
    };
    let concluded = conclude(over, earlier, *on_warn, env, out);
    Ok(concluded.publish(&destination.outputs, unwritten.into_iter().collect(), args.verbose, env, terminal))
}

/// Says which part of the plan is carried out, and when.
fn say_when(args: &Args, now: SystemTime) {
    if let Some(shard) = args.shard {
        terminal::say(&format!("shard {shard}: the plan is that of all {} together", shard.count()));
    }
    if let Some(at) = args.start_at {
        let time = humantime::format_rfc3339_seconds(at);
        match (at.duration_since(now), now.duration_since(at)) {
            (Ok(left), _) => terminal::say(&format!("starts at {time}, in {}", human_duration(left))),
            (_, Ok(late)) => {
                terminal::say(&format!("note: `--start-at {time}` was {} ago", human_duration(late)));
            }
            (Err(_), Err(_)) => {}
        }
    }
}

/// Where reports and the journal go.
struct Destination {
    outputs: Outputs,
    journal: journal::Writer,
    /// Journals of earlier runs with something in them.
    found: Vec<journal::Found>,
}

impl Destination {
    /// Makes sure that reports can be written, before any load is made, and begins the journal.
    fn open(folder: &Path, env: &Env, plan: &Plan, profile: &ProfileArgs) -> Result<Self, Failure> {
        let outputs = Outputs::open(folder).map_err(Failure::other)?;
        let (path, found) = journal::make_room(folder).map_err(|error| match error {
            FolderError::InUse { .. } => Failure::usage(error),
            FolderError::Io { .. } => Failure::other(error),
        })?;
        let doing = || format!("cannot begin the journal `{}`", path.display());
        let deletes = plan.cleanup.as_ref().is_some_and(|it| it.active && it.delete.is_some());
        let database = DatabaseCleanup { profile: profile.profile.clone(), set: profile.set.clone() };
        let journal = journal::Writer::create(&path, plan, deletes.then_some(&database));
        let journal = journal.map_err(|error| Failure::other(error).while_doing(doing()))?;
        if let Some(path) = env.get("GITHUB_STEP_SUMMARY") {
            // Nothing is appended, but the file is opened for it.
            append_step_summary(Path::new(path), "").map_err(|error| {
                Failure::other(error)
                    .help("`GITHUB_STEP_SUMMARY` names that file; unset it where there is none")
            })?;
        }
        // Should this run be killed, nobody finds the verdict of the one before.
        outputs.clear().map_err(Failure::other)?;
        Ok(Self { outputs, journal, found })
    }

    /// Ends the journal; why it is not whole, if it is not.
    fn end_journal(&self) -> Option<WriteError> {
        let error = self.journal.finish().err()?;
        let source = std::io::Error::new(error.kind(), error.to_string());
        Some(WriteError::File { path: self.journal.path()?.to_owned(), source })
    }
}

/// The command that runs the same again: what came from variables of the environment stands in it as an option.
fn command(args: &Args, plan: &Plan) -> String {
    let Args { profile, wait, demo, conclusion, .. } = args;
    let ConclusionArgs { baseline, history, on_warn: OnWarnArg { on_warn }, .. } = conclusion;
    let mut words = vec!["palier".to_owned(), "run".to_owned(), profile.profile.clone()];
    if *demo {
        words.push("--demo".to_owned());
    } else if profile.target.is_some() {
        // As the plan has it, without credentials.
        words.extend(["--target".to_owned(), plan.target.url.clone()]);
    }
    for set in &profile.set {
        words.extend(["--set".to_owned(), set.clone()]);
    }
    #[expect(clippy::float_cmp, reason = "1 is what nobody asked to change")]
    if profile.time_scale != 1.0 {
        words.extend(["--time-scale".to_owned(), profile.time_scale.to_string()]);
    }
    if let Some(observe) = &profile.observe {
        words.extend(["--observe".to_owned(), observe.clone()]);
    }
    if let Some(wait) = wait {
        words.extend(["--wait".to_owned(), format!("{}ms", wait.as_millis())]);
    }
    for base in baseline {
        words.extend(["--baseline".to_owned(), base.display().to_string()]);
    }
    if let Some(history) = history {
        words.extend(["--history".to_owned(), history.display().to_string()]);
    }
    if *on_warn != OnWarn::default() {
        let name = on_warn.to_possible_value().map(|it| it.get_name().to_owned());
        words.extend(name.into_iter().flat_map(|name| ["--on-warn".to_owned(), name]));
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:=@%+,".contains(it);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How the run differs from what its profile says, a sentence each.
fn notes(args: &Args, plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    #[expect(clippy::float_cmp, reason = "1 is what nobody asked to change")]
    if args.profile.time_scale != 1.0 {
        let scale = args.profile.time_scale;
        notes.push(format!("The times of the load are {scale} times those of the profile (`--time-scale`)."));
    }
    if args.demo {
        notes.push("The target is the demo API that palier brings along (`--demo`).".to_owned());
    } else if args.profile.target.is_some() {
        notes.push(format!("The target is {}, from `--target`.", plan.target.url));
    }
    if let Some(wait) = args.wait {
        let wait = human_duration(wait);
        notes.push(format!("The target was given {wait} to be ready (`--wait`)."));
    }
    for set in &args.profile.set {
        notes.push(format!("`--set {set}` changes the profile."));
    }
    notes.iter().map(|note| plan.secrets.mask(note).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_takes_words_as_they_were_given() {
        for (word, shown) in [
            ("load.stages=5", "load.stages=5"),
            ("load.stages[2].target=50", "'load.stages[2].target=50'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
