//! `palier import`: a profile out of what somebody has already: curl commands, a HAR file, k6 options.
//!
//! Each reader (`curl`, `har`, `k6`) is a function from a text to a [`Draft`](draft::Draft), and `draft` writes that as
//! TOML. What a profile cannot hold becomes a comment where it would have stood, never nothing. Values of headers, query
//! parameters, fields of forms and members of JSON whose names tell of credentials become variables (`credentials`). What
//! is printed is read as a profile before it is.

mod credentials;
mod curl;
mod draft;
mod har;
mod k6;
mod options;
mod words;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::virtual_file::VirtualFile;
use super::{ExitCode, terminal};
use crate::profile::{self, Request};

/// What is to be imported.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier import requests.har > profiles/shop.toml                what a browser did (network panel, Save all as HAR)
  palier import \"curl -H 'Accept: */*' http://localhost:5000/\"   one command, as browsers copy it
  palier import commands.sh                                      the curl commands of a file
  k6 inspect --execution-requirements test.js | palier import -  k6's options: scenarios, stages, thresholds

What a profile cannot hold stands in it as a comment that begins with `not carried over`. Cookies, and what is called a
token, a password and the like in headers, queries, forms and JSON, become variables, whose names are in `secrets`. A
secret with another name is not known as one: read what you commit.

Exit codes:
  0   a profile was printed
  1   under --strict: something could not be carried over; or the profile cannot be written
  2   there is nothing to be read, or nothing that can be")]
pub(super) struct Args {
    /// A file, `-` for standard input, or a curl command
    #[arg(value_name = "WHAT")]
    what: String,
    /// What it is; by default that is found out
    #[arg(long, value_name = "FORMAT", value_enum)]
    from: Option<Kind>,
    /// Write the profile into this file, which is not there yet
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit code 1 where something could not be carried over
    #[arg(long)]
    strict: bool,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// curl commands
    Curl,
    /// An HTTP archive, as browsers save it
    Har,
    /// k6's options as JSON: `k6 inspect`, or a file for `k6 run --config`
    K6,
}

/// Reads, and prints or writes the profile.
pub(super) fn import(args: &Args) -> Result<ExitCode, Failure> {
    let (name, text) = read(&args.what)?;
    let Some(kind) = args.from.or_else(|| kind_of(&text)) else {
        let failure =
            Failure::usage(format!("`{name}` is neither a curl command, nor a HAR file, nor k6's options"));
        return Err(
            failure.help("of a k6 script, `k6 inspect --execution-requirements SCRIPT` prints the options")
        );
    };
    let (toml, lost) = translate(kind, &name, &text)?;
    examine(&toml)?;
    match &args.output {
        None => terminal::print(&toml)?,
        Some(path) => write(path, &toml)?,
    }
    if lost > 0 {
        let s = if lost == 1 { "" } else { "s" };
        terminal::say(&format!("{lost} thing{s} not carried over: see the comments"));
    }
    Ok(if args.strict && lost > 0 { ExitCode::Other } else { ExitCode::Pass })
}

/// The profile that a text makes, and how many things it could not hold.
pub(super) fn translate(kind: Kind, name: &str, text: &str) -> Result<(String, usize), Failure> {
    let draft = match kind {
        Kind::Curl => curl::read(text),
        Kind::Har => har::read(text),
        Kind::K6 => k6::read(text),
    };
    let mut draft =
        draft.map_err(|error| Failure::usage(error).while_doing(format!("cannot import `{name}`")))?;
    draft.keep_what_can_be_sent();
    let toml = draft.to_toml(name);
    Ok((toml, draft.lost()))
}

/// What it is called, and its text.
fn read(what: &str) -> Result<(String, String), Failure> {
    if curl::is_command(what) {
        return Ok(("the command line".to_owned(), what.to_owned()));
    }
    let doing = format!("cannot read `{what}`");
    let mut bytes = Vec::new();
    let result = if what == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        fs::read(what).map(|read| bytes = read)
    };
    result.map_err(|error| Failure::usage(error).while_doing(&doing))?;
    let text = String::from_utf8(bytes).map_err(|error| Failure::usage(error).while_doing(doing))?;
    let name = if what == "-" { "standard input" } else { what };
    Ok((name.to_owned(), text.trim_start_matches('\u{feff}').to_owned()))
}

/// What a text is, by how it begins.
pub(super) fn kind_of(text: &str) -> Option<Kind> {
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) {
        return Some(if object.contains_key("log") { Kind::Har } else { Kind::K6 });
    }
    text.lines().any(curl::is_command).then_some(Kind::Curl)
}

/// What palier itself would refuse must not be printed as a profile.
pub(super) fn examine(toml: &str) -> Result<(), Failure> {
    let name = "imported.toml";
    let file = VirtualFile::new(name, toml.to_owned());
    let variables = BTreeMap::new();
    let request = Request { name, folder: Path::new("/"), overrides: &[], variables: &variables };
    match profile::load(&request, &file) {
        Ok(_) => Ok(()),
        Err(error) => Err(super::planning::refused("that came out of it", error)),
    }
}

/// Whether a profile with these thresholds is right, so far as they go; else what is wrong with them.
fn complaint(thresholds: &str, steps: &str) -> Option<String> {
    let toml = format!(
        "[target]\nurl = \"http://localhost\"\n[load]\nexecutor = \"constant-vus\"\nduration = \"1s\"\n{steps}{thresholds}"
    );
    let name = "threshold.toml";
    let file = VirtualFile::new(name, toml);
    let variables = BTreeMap::new();
    let request = Request { name, folder: Path::new("/"), overrides: &[], variables: &variables };
    match profile::load(&request, &file) {
        Ok(_) => None,
        Err(profile::Error::Rejected(rejected)) => rejected.diagnostics.first().map(|it| it.message.clone()),
        Err(other) => Some(other.to_string()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::other(error).while_doing(format!("cannot write `{}`", path.display())))
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ImportError(String);
