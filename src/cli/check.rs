//! `palier check`: what is wrong with a profile, or what a run of it would do.

use super::failure::Failure;
use super::planning::{Given, ProfileArgs, plan};
use super::{Env, ExitCode, outline, terminal};

/// What is to be checked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0   the profile is right
  2   it is not; all that is wrong with it is shown")]
pub(super) struct Args {
    #[command(flatten)]
    profile: ProfileArgs,
}

/// Reads and plans, and shows the plan.
pub(super) fn check(args: &Args, env: &Env) -> Result<ExitCode, Failure> {
    let given = Given { run: "{{run}}".to_owned(), wait: None, demo: None };
    let (profile, plan) = plan(&args.profile, given, env)?;
    terminal::print(&outline::in_full(&plan, &profile))?;
    Ok(ExitCode::Pass)
}
