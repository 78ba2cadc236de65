//! `palier report`: the reports of a run, rendered again from its `summary.json`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::failure::Failure;
use super::terminal::Terminal;
use super::{ExitCode, terminal};
use crate::report::console::{self, Look};
use crate::report::json::{self, ParseError};
use crate::report::{Format, Outputs, Summary};

/// Which reports, of what, and where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier report palier-report/summary.json                      what the run said at its end
  palier report palier-report/summary.json --format summary.md  one report, to standard output
  palier report summary.json --out again                        all reports, into a folder")]
pub(super) struct Args {
    /// A summary that a run has written, or the folder that it is in
    #[arg(value_name = "SUMMARY.json")]
    summary: PathBuf,
    /// Only this report, to standard output unless there is `--out`
    #[arg(long = "format", value_name = "FILE_NAME", value_parser = formats())]
    formats: Vec<Format>,
    /// Write into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn formats() -> impl clap::builder::TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::file_name)).map(|name| {
        // The parser lets no other name through.
        Format::from_file_name(&name).unwrap_or(Format::Summary)
    })
}

/// Renders what was asked for.
pub(super) fn report(args: &Args, terminal: Terminal) -> Result<ExitCode, Failure> {
    let summary = read(&args.summary)?;
    match &args.out {
        Some(folder) => {
            let outputs = Outputs::open(folder).map_err(Failure::other)?;
            let formats = if args.formats.is_empty() { &Format::ALL } else { args.formats.as_slice() };
            for format in formats {
                let path = outputs.write(*format, &summary).map_err(Failure::other)?;
                terminal::say(&path.display().to_string());
            }
        }
        None if args.formats.is_empty() => {
            let look = Look { colour: terminal.colour, width: terminal::width(), report: None };
            terminal::print(&console::render(&summary, &look)).map_err(Failure::other)?;
        }
        None => {
            for format in &args.formats {
                terminal::print(&format.render(&summary)).map_err(Failure::other)?;
            }
        }
    }
    Ok(ExitCode::Pass)
}

fn read(path: &Path) -> Result<Summary, Failure> {
    let path = if path.is_dir() { &path.join(Format::Summary.file_name()) } else { path };
    let doing = format!("cannot read `{}`", path.display());
    let text = fs::read_to_string(path).map_err(|error| Failure::usage(error).while_doing(&doing))?;
    json::parse(&text).map_err(|error| {
        let help = match &error {
            ParseError::OtherFormat(_) => Some("use the version of palier that wrote it, or a later one"),
            ParseError::Json(_) | ParseError::NotASummary => None,
        };
        let failure = Failure::usage(error).while_doing(&doing);
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    })
}
