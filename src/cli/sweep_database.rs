//! What `palier sweep` does in the database: with the journal of a run it deletes what that run left, and without one
//! what every run of a profile did.

use std::time::Duration;

use super::failure::Failure;
use super::planning::{Given, ProfileArgs, plan};
use super::{Env, ExitCode, run_id, terminal};
use crate::journal::{DatabaseCleanup, Journal, seal};
use crate::observe::cleanup;
use crate::plan::Plan;
use crate::report::show::one_line;
use crate::units::human_duration;

/// The most that is shown of a statement.
const LONGEST: usize = 500;

/// The plan of a profile for what is to be deleted, as the run of that id.
fn planned(profile: &str, set: Vec<String>, run: &str, env: &Env) -> Result<Plan, Failure> {
    let args = ProfileArgs {
        profile: profile.to_owned(),
        target: None,
        set,
        // The database is needed, whether a run would observe it or not.
        observe: None,
        time_scale: 1.0,
    };
    let given = Given { run: run.to_owned(), wait: None, demo: None };
    Ok(plan(&args, given, env)?.1)
}

/// A statement, to be shown: masked before it is cut, because of a secret that was cut nothing could be masked.
fn shown(plan: &Plan, statement: &str) -> String {
    one_line(&plan.secrets.mask(statement), LONGEST)
}

/// The rows of one run, and how they are deleted.
pub(super) struct Rows {
    plan: Plan,
    statement: String,
}

impl Rows {
    /// Those of a journal's run: by the profile that is given, or else by the one that the journal names. `None` where
    /// there is nothing to delete, or no word of a database.
    pub(super) fn of(journal: &Journal, given: Option<&str>, env: &Env) -> Result<Option<Self>, Failure> {
        let is_done = journal.run.is_empty() || journal.ended && journal.things.is_empty();
        let plan = match (given, &journal.database) {
            _ if is_done => return Ok(None),
            (None, None) => return Ok(None),
            _ if !run_id::is_harmless(&journal.run) => {
                return Err(Failure::usage("the journal's run has an id that palier never gave"));
            }
            (Some(given), _) => planned(given, Vec::new(), &journal.run, env)?,
            (None, Some(DatabaseCleanup { profile, set })) => {
                let open = |text: &String| seal::open(text, env.variables()).map_err(Failure::usage);
                let set = set.iter().map(open).collect::<Result<_, _>>()?;
                planned(&open(profile)?, set, &journal.run, env)?
            }
        };
        if plan.profile != journal.profile {
            let why =
                format!("the journal is one of the profile `{}`, not of `{}`", journal.profile, plan.profile);
            return Err(Failure::usage(why));
        }
        let Some(statement) = plan.cleanup.as_ref().and_then(|cleanup| cleanup.delete.clone()) else {
            return match given {
                None => Ok(None),
                Some(name) => {
                    Err(Failure::usage(format!("the profile `{name}` has no `delete` in `[cleanup.mysql]`")))
                }
            };
        };
        Ok(Some(Self { plan, statement }))
    }

    /// The statement, to be shown.
    pub(super) fn statement(&self) -> String {
        shown(&self.plan, &self.statement)
    }

    /// Deletes them; how many there were.
    pub(super) async fn delete(&self, within: Duration) -> Result<u64, Failure> {
        let deleted = cleanup::delete(&self.plan, within).await.unwrap_or(Ok(0));
        deleted.map_err(|why| {
            let why = self.plan.secrets.mask(&why).into_owned();
            Failure::other(why).while_doing("cannot delete from the database")
        })
    }
}

/// Runs the `sweep` of a profile's `[cleanup.mysql]`.
pub(super) fn sweep(profile: &str, dry_run: bool, within: Duration, env: &Env) -> Result<ExitCode, Failure> {
    let plan = planned(profile, Vec::new(), "sweep", env)?;
    let statement = plan.cleanup.as_ref().and_then(|cleanup| cleanup.sweep.clone());
    let Some(statement) = statement else {
        return Err(Failure::usage(format!("the profile `{profile}` has no `sweep` in `[cleanup.mysql]`"))
            .help("without it, `palier sweep` needs the journal of a run"));
    };
    let say = |text: String| terminal::print(&plan.secrets.mask(&text));
    let statement = shown(&plan, &statement);
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
    let counted = match (found.before, found.after) {
        (Some(before), Some(after)) => format!("; `verify` said {before} before and {after} after"),
        _ => String::new(),
    };
    say(format!("deleted {}{counted}: {statement}\n", rows(found.deleted.unwrap_or_default())))?;
    Ok(ExitCode::Pass)
}

/// `1 row`, `2 rows`
pub(super) fn rows(count: u64) -> String {
    format!("{count} row{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::glance::sample;
    use super::*;

    #[test]
    fn a_secret_is_masked_before_a_statement_is_cut() {
        let secret = "0123456789".repeat(4);
        let plan = sample::plan_with_secret_name(&secret);
        let statement = format!("DELETE FROM t WHERE {} = '{secret}'", "n".repeat(470));
        let shown = Rows { plan, statement }.statement();
        assert!(shown.ends_with("= '***'") && !shown.contains("0123"), "{shown}");
    }
}
