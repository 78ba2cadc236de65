//! `palier report`: the reports of runs, rendered again from their `summary.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::failure::Failure;
use super::terminal::Terminal;
use super::{ExitCode, terminal};
use crate::report::console::{self, Look};
use crate::report::json::{self, ParseError};
use crate::report::{Format, Outputs, Summary, show};

/// Which reports, of what, and where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier report palier-report/summary.json                      what the run said at its end
  palier report palier-report/summary.json --format summary.md  one report, to standard output
  palier report summary.json --out again                        all reports, into a folder
  palier report nightly/*/summary.json --out pages --format report.html
                                                                a page for each run, in pages/RUN/")]
pub(super) struct Args {
    /// Summaries that runs have written, or the folders that they are in
    #[arg(value_name = "SUMMARY.json", required = true)]
    summaries: Vec<PathBuf>,
    /// Only this report, to standard output unless there is `--out`
    #[arg(long = "format", value_name = "FILE_NAME", value_parser = formats())]
    formats: Vec<Format>,
    /// Write into this folder; of several summaries, each into a folder there that is called as its run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn formats() -> impl clap::builder::TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::file_name)).map(|name| {
        // The parser lets no other name through.
        Format::from_file_name(&name).unwrap_or(Format::Summary)
    })
}

/// Renders what was asked for. All summaries are read before anything is written.
pub(super) fn report(args: &Args, terminal: Terminal) -> Result<ExitCode, Failure> {
    let mut summaries = Vec::new();
    for path in &args.summaries {
        summaries.push((path, read(path)?));
    }
    match (&args.out, &summaries[..]) {
        (Some(folder), [(_, summary)]) => write(folder, summary, &args.formats)?,
        (Some(folder), summaries) => {
            for (name, summary) in folders(summaries)? {
                write(&folder.join(name), summary, &args.formats)?;
            }
        }
        (None, summaries) if args.formats.is_empty() => {
            let look = Look { colour: terminal.colour, width: terminal::width(), report: None };
            for (n, (path, summary)) in summaries.iter().enumerate() {
                if summaries.len() > 1 {
                    let gap = if n > 0 { "\n" } else { "" };
                    let heading = format!("{gap}== {} ==\n", path.display());
                    terminal::print(&heading)?;
                }
                terminal::print(&console::render(summary, &look))?;
            }
        }
        (None, [(_, summary)]) => {
            for format in &args.formats {
                terminal::print(&format.render(summary))?;
            }
        }
        (None, _) => {
            return Err(Failure::usage(Several::OneStream)
                .help("`--out DIR` writes those of each run into a folder of its own"));
        }
    }
    Ok(ExitCode::Pass)
}

fn write(folder: &Path, summary: &Summary, formats: &[Format]) -> Result<(), Failure> {
    let outputs = Outputs::open(folder).map_err(Failure::other)?;
    let formats = if formats.is_empty() { &Format::ALL } else { formats };
    for format in formats {
        let path = outputs.write(*format, summary).map_err(Failure::other)?;
        terminal::say(&path.display().to_string());
    }
    Ok(())
}

/// Why several summaries cannot be rendered as was asked for.
#[derive(Debug, thiserror::Error)]
enum Several {
    #[error("the reports of several runs do not go into one stream")]
    OneStream,
    #[error("`{0}` and `{1}` are of the same run, {2}")]
    Same(String, String, String),
    #[error("the run of `{0}` is called `{1}`, which is no name for a folder")]
    Name(String, String),
}

/// A folder for each summary, by the name of its run.
fn folders<'a>(summaries: &'a [(&PathBuf, Summary)]) -> Result<Vec<(&'a str, &'a Summary)>, Failure> {
    let shown = |path: &Path| path.display().to_string();
    let mut folders: BTreeMap<&str, &Path> = BTreeMap::new();
    let mut named = Vec::new();
    for (path, summary) in summaries {
        let name = summary.run.id.as_str();
        // A summary may come from anywhere, and must not say where to write.
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
            let name = show::one_line(name, 80);
            return Err(Failure::usage(Several::Name(shown(path), name)));
        }
        if let Some(other) = folders.insert(name, path) {
            let error = Several::Same(shown(other), shown(path), name.to_owned());
            return Err(Failure::usage(error).help("give each run once"));
        }
        named.push((name, summary));
    }
    Ok(named)
}

/// Reads a summary, or that of a folder of reports.
pub(super) fn read(path: &Path) -> Result<Summary, Failure> {
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
