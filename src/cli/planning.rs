//! From arguments to a plan, or to all that is wrong with the profile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::Failure;
use super::{Env, demo};
use crate::plan::{self, Plan, Settings};
use crate::profile::{self, Disk, Files, Override, Profile, Request, SCHEME};
use crate::units::{UnitError, parse_duration};

/// What is to be run, and how it differs from what the profile says.
#[derive(Debug, clap::Args)]
pub(super) struct ProfileArgs {
    /// quick, standard, intensive, another of profiles/NAME.toml, or a path
    #[arg(value_name = "PROFILE")]
    pub(super) profile: String,
    /// The address to put under load, instead of the profile's; or `service://NAMESPACE/NAME:PORT`
    #[arg(long, value_name = "URL", env = "PALIER_TARGET", hide_env_values = true)]
    pub(super) target: Option<String>,
    /// Change a value of the profile: --set load.stages[2].target=50
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,
    /// What to watch beside the load, of what the profile describes: mysql,logs; or none
    #[arg(long, value_name = "NAMES", env = "PALIER_OBSERVE", hide_env_values = true)]
    pub(super) observe: Option<String>,
    /// Multiply the load's times, not pauses or timeouts: 0.1 for a quick look
    #[arg(long, value_name = "F", default_value = "1", value_parser = time_scale, hide_default_value = true)]
    pub(super) time_scale: f64,
}

/// What a run is told beside its profile.
pub(super) struct Given<'a> {
    /// The id of the run.
    pub(super) run: String,
    /// How long to wait for the target, whatever the profile says.
    pub(super) wait: Option<Duration>,
    /// The demo, if it is the target.
    pub(super) demo: Option<&'a demo::Demo>,
}

/// Reads the profile and lays out what a run of it does.
pub(super) fn plan(args: &ProfileArgs, given: Given<'_>, env: &Env) -> Result<(Profile, Plan), Failure> {
    plan_from(
        args,
        given,
        Origin { folder: &here()?, variables: env.variables(), files: &Disk, kubeconfig: env.kubeconfig() },
    )
}

/// The folder that relative paths start from.
pub(super) fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::other(error).while_doing("cannot tell which folder this is"))
}

/// What texts a profile is made of.
pub(super) struct Origin<'a> {
    pub(super) folder: &'a Path,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) files: &'a dyn Files,
    /// The kubeconfigs of this machine.
    pub(super) kubeconfig: Vec<PathBuf>,
}

/// The same with a profile from anywhere.
pub(super) fn plan_from(
    args: &ProfileArgs,
    given: Given<'_>,
    origin: Origin<'_>,
) -> Result<(Profile, Plan), Failure> {
    let Origin { folder, variables, files, kubeconfig } = origin;
    let mut overrides: Vec<Override> = args.set.iter().cloned().map(Override::Set).collect();
    let path = "target.url";
    if let Some(value) = args.target.clone() {
        overrides.push(match value.strip_prefix(SCHEME) {
            Some(service) => {
                Override::Flag { flag: "--target", path: "target.service", value: service.to_owned() }
            }
            None => Override::Flag { flag: "--target", path, value },
        });
    }
    if let Some(value) = args.observe.clone() {
        overrides.push(Override::Flag { flag: "--observe", path: "observers", value });
    }
    if let Some(demo) = given.demo {
        overrides.push(Override::Flag { flag: "--demo", path, value: demo.url() });
    }
    let request = Request { name: &args.profile, folder, overrides: &overrides, variables };
    let profile = profile::load(&request, files).map_err(|error| refused(&args.profile, error))?;
    let settings = Settings { run: given.run, time_scale: args.time_scale, wait: given.wait, kubeconfig };
    match plan::build(&profile, &settings) {
        Ok(plan) => Ok((profile, plan)),
        Err(diagnostics) => Err(Failure::Profile {
            name: profile.name,
            diagnostics,
            sources: profile.sources,
            secrets: profile.secrets,
        }),
    }
}

pub(super) fn refused(name: &str, error: profile::Error) -> Failure {
    match error {
        profile::Error::Rejected(rejected) => Failure::Profile {
            name: name.to_owned(),
            diagnostics: rejected.diagnostics,
            sources: rejected.sources,
            secrets: rejected.secrets,
        },
        profile::Error::Unknown { ref looked, .. } => {
            let help = format!("looked for {}", looked.join(", "));
            Failure::usage(error).help(help)
        }
        profile::Error::Unreadable { ref path, .. } => {
            let is_folder = Path::new(path).is_dir();
            let failure = Failure::usage(error);
            if is_folder { failure.help("name a file in that folder") } else { failure }
        }
    }
}

/// Beyond a thousand times nobody would see the end of it.
fn time_scale(text: &str) -> Result<f64, UnitError> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 1000.0 => Ok(scale),
        Ok(_) | Err(_) => Err(UnitError("it is a number above 0, at most 1000".into())),
    }
}

/// A duration of the command line.
pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    parse_duration(text).map_err(|error| UnitError(format!("it {error}")))
}
