//! `palier run --shard`: what one shard leaves for `palier merge`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::failure::Failure;
use super::planning::{self, Given, Origin, ProfileArgs};
use super::{Env, ExitCode, host, terminal};
use crate::metrics::{Results, Stop};
use crate::plan::{Plan, Shard};
use crate::profile::Secrets;
use crate::report::write::write_whole;
use crate::shard::{self, About, Noted, Part, Recipe};
use crate::units::{human_duration, human_number};
use crate::words::Phase;

/// Where a shard's results go, and the recipe that goes with them.
pub(super) struct Leaving {
    shard: Shard,
    path: PathBuf,
    recipe: Recipe,
}

/// What is known of a shard's run beside its plan and results.
pub(super) struct Facts {
    pub(super) start: SystemTime,
    pub(super) duration: Duration,
    pub(super) notes: Vec<String>,
    /// Whether its journal is whole.
    pub(super) written: bool,
}

/// What a profile was read from.
pub(super) struct Reading<'a> {
    pub(super) args: &'a ProfileArgs,
    pub(super) wait: Option<Duration>,
    pub(super) env: &'a Env,
    pub(super) folder: &'a Path,
    pub(super) noted: &'a Noted<'a>,
}

/// The plan of a recipe, whole, and without an id of a run: the same wherever it is laid out.
pub(super) fn lay_out(recipe: &Recipe) -> Result<Plan, Failure> {
    let args = ProfileArgs {
        profile: recipe.profile.clone(),
        target: recipe.target.clone(),
        set: recipe.set.clone(),
        observe: recipe.observe.clone(),
        time_scale: recipe.time_scale,
    };
    let given = Given { run: String::new(), wait: recipe.wait, demo: None };
    let (folder, variables) = (&recipe.folder, &recipe.variables);
    let origin = Origin { folder, variables, files: recipe, kubeconfig: Vec::new() };
    planning::plan_from(&args, given, origin).map(|(_, plan)| plan)
}

/// A moment as the command line has it: RFC 3339 in UTC, or `@` and seconds since 1970, as `date +@%s` prints.
pub(super) fn moment(text: &str) -> Result<SystemTime, String> {
    let seconds = text.strip_prefix('@').and_then(|seconds| seconds.parse::<u64>().ok());
    let since_1970 = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    (seconds.and_then(since_1970)).or_else(|| humantime::parse_rfc3339(text).ok()).ok_or_else(|| {
        "it is a moment in UTC like 2026-11-25T12:30:00Z, or @ and seconds since 1970".to_owned()
    })
}

impl Leaving {
    /// Makes sure that the plan can be laid out again from what goes into the file, and removes that of an earlier run.
    pub(super) fn open(
        shard: Shard,
        out: &Path,
        reading: &Reading<'_>,
        secrets: &Secrets,
    ) -> Result<Self, Failure> {
        let Reading { args, wait, env, folder, noted } = reading;
        let recipe = Recipe {
            profile: args.profile.clone(),
            folder: folder.to_path_buf(),
            files: noted.seen(),
            target: args.target.clone(),
            set: args.set.clone(),
            observe: args.observe.clone(),
            time_scale: args.time_scale,
            wait: *wait,
            variables: env.variables().clone(),
        }
        .without_secrets(secrets);
        lay_out(&recipe)?;
        let path = out.join(shard::file_name(shard));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::other(error).while_doing(format!("cannot replace `{}`", path.display())))
            }
            Ok(()) | Err(_) => Ok(Self { shard, path, recipe }),
        }
    }

    /// Writes what was measured, and says where. Nothing is judged: the code is 0 for a shard that made its load.
    pub(super) fn write(self, plan: &Plan, mut results: Results, facts: Facts) -> Result<ExitCode, Failure> {
        let Self { shard, path, recipe } = self;
        let Facts { start, duration, notes, written } = facts;
        let code = match &results.stop {
            Stop::Done | Stop::Aborted(_) if written => ExitCode::Pass,
            Stop::Done | Stop::Aborted(_) => ExitCode::Other,
            Stop::Interrupted(_) => ExitCode::Interrupted,
            Stop::NotStarted(_) => ExitCode::Invalid,
        };
        let told = told(plan, shard, &results);
        results.edit_texts(&mut |text| *text = plan.secrets.mask(text).into_owned());
        let part = Part {
            shard,
            recipe,
            about: About {
                run: plan.run.clone(),
                start,
                duration,
                start_at: plan.start_at,
                memory: host::peak_memory(),
                host: serde_json::to_string(&host::host()).map_err(Failure::other)?,
                notes,
            },
            results,
        };
        let doing = || format!("cannot write `{}`", path.display());
        let bytes = shard::encode(&part).map_err(|error| Failure::other(error).while_doing(doing()))?;
        write_whole(&path, &bytes).map_err(Failure::other)?;
        let text = format!(
            "{told}\nresults: {} ({} kB); `palier merge` judges all {} shards together\n",
            path.display(),
            bytes.len().div_ceil(1000),
            shard.count(),
        );
        terminal::print(&text)?;
        Ok(code)
    }
}

/// What a shard did, in a sentence.
fn told(plan: &Plan, shard: Shard, results: &Results) -> String {
    let (mut requests, mut failed) = (0, 0);
    for span in plan.spans_of(Phase::Load).chain(plan.spans_of(Phase::Grace)) {
        let cells =
            (0_u16..).zip(&plan.steps).filter_map(|(step, _)| results.cell(span, crate::plan::StepId(step)));
        for cell in cells {
            requests += cell.requests;
            failed += cell.failed;
        }
    }
    let number = |count: u64| human_number(count as f64);
    let elapsed = human_duration(results.elapsed);
    let how = match &results.stop {
        Stop::Done | Stop::Aborted(_) => String::new(),
        Stop::Interrupted(signal) => format!("; {signal} ended it"),
        Stop::NotStarted(why) => {
            return plan.secrets.mask(&format!("shard {shard}: no load was made: {why}")).into_owned();
        }
    };
    format!("shard {shard}: {} requests, {} failed, in {elapsed}{how}", number(requests), number(failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_pipelines_write_it() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_608_600);
        for text in ["@1795608600", "2026-11-25T12:10:00Z"] {
            assert_eq!(moment(text), Ok(at), "{text}");
        }
        for wrong in ["", "@", "@-1", "soon", "12:30", "2026-11-25", "@99999999999999999999"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
