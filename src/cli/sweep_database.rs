//! `palier sweep --profile`: what every run of a profile left in the database, without a journal.

use std::time::Duration;

use super::failure::Failure;
use super::planning::{Given, ProfileArgs, plan};
use super::{Env, ExitCode, terminal};
use crate::observe::cleanup;
use crate::report::show::one_line;
use crate::units::human_duration;

/// The most that is shown of a statement.
const LONGEST: usize = 500;

/// Runs the `sweep` of a profile's `[cleanup.mysql]`.
pub(super) fn sweep(profile: &str, dry_run: bool, within: Duration, env: &Env) -> Result<ExitCode, Failure> {
    let args = ProfileArgs {
        profile: profile.to_owned(),
        target: None,
        set: Vec::new(),
        // The database is needed, whether a run would observe it or not.
        observe: None,
        time_scale: 1.0,
    };
    let given = Given { run: "sweep".to_owned(), wait: None, demo: None };
    let (_, plan) = plan(&args, given, env)?;
    let statement = plan.cleanup.as_ref().and_then(|cleanup| cleanup.sweep.clone());
    let Some(statement) = statement else {
        return Err(Failure::usage(format!("the profile `{profile}` has no `sweep` in `[cleanup.mysql]`"))
            .help("without it, `palier sweep` needs the journal of a run"));
    };
    let say = |text: String| terminal::print(&plan.secrets.mask(&text)).map_err(Failure::other);
    let statement = one_line(&statement, LONGEST);
    if dry_run {
        say(format!("would run: {statement}\n"))?;
        return Ok(ExitCode::Pass);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(error).while_doing("cannot start a runtime"))?;
    let swept = runtime.block_on(async { tokio::time::timeout(within, cleanup::sweep(&plan)).await });
    let failed = |why: String| Failure::other(plan.secrets.mask(&why).into_owned());
    let found = match swept {
        Ok(Some(Ok(found))) => found,
        Ok(Some(Err(why))) => return Err(failed(why).while_doing("cannot sweep the database")),
        Ok(None) => return Ok(ExitCode::Pass),
        Err(_) => {
            let why = format!("no answer within {}", human_duration(within));
            return Err(failed(why).while_doing("cannot sweep the database"));
        }
    };
    let rows = match found.deleted.unwrap_or_default() {
        1 => "1 row".to_owned(),
        n => format!("{n} rows"),
    };
    let counted = match (found.before, found.after) {
        (Some(before), Some(after)) => format!("; `verify` said {before} before and {after} after"),
        _ => String::new(),
    };
    say(format!("deleted {rows}{counted}: {statement}\n"))?;
    Ok(ExitCode::Pass)
}
