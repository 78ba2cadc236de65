//! `palier schema`: the JSON Schemas of what palier reads and writes.

use super::failure::Failure;
use super::{ExitCode, terminal};

/// Which schema.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  palier schema profile > profile.schema.json

An editor completes and checks a profile whose first line is `#:schema ./profile.schema.json` (taplo, tombi, Even Better
TOML).")]
pub(super) struct Args {
    /// Of what
    #[arg(value_name = "OF", value_enum)]
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// Profiles and scenarios, which people write (draft-07)
    Profile,
    /// summary.json, which a run writes (draft 2020-12)
    Summary,
}

/// Prints it.
pub(super) fn schema(args: &Args) -> Result<ExitCode, Failure> {
    let text = match args.of {
        Of::Profile => include_str!("../../profile.schema.json"),
        Of::Summary => include_str!("../../summary.schema.json"),
    };
    terminal::print(text)?;
    Ok(ExitCode::Pass)
}
