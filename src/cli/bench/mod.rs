//! `palier bench`: load on one address, for when there is no profile.
//!
//! What the command line says becomes a profile (`bench::profile`), and is then run and judged as any other: the same
//! engine, the same thresholds by default, the same exit codes. Only what is printed at the end is another.

mod outcome;
mod profile;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::ci::Provider;
use super::conclusion::{Earlier, Over, conclude};
use super::failure::Failure;
use super::onlookers::{self, Inbox};
use super::planning;
use super::progress::{Progress, ProgressMode};
use super::run::quoted;
use super::terminal::Terminal;
use super::virtual_file::VirtualFile;
use super::{Env, ExitCode, OnWarn, host, run_id, terminal};
use crate::journal;
use crate::observe::generator::limits::Limits;
use crate::plan::{self, Plan, Secrets, Settings};
use crate::profile::Request;
use crate::report::{Format, Outputs};
use crate::units::{UnitError, human_duration};
use crate::words::carries_credentials;

/// What is to be put under load, and how.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = "\
Examples:
  palier bench http://localhost:5000/health                    10 s from 50 connections
  palier bench -n 1000 -c 50 http://localhost:5000/            ab's: so many requests, from so many connections
  palier bench -t 1m -c 50 http://localhost:5000/              for that time
  palier bench -r 200 -t 1m http://localhost:5000/             200 a second, whatever the answers: latency counts from
                                                               when a request was due
  palier bench -m POST -H 'Content-Type: application/json' -d '{\"name\":\"{{uuid}}\"}' http://localhost:5000/employees
  palier bench --threshold 'p(95)<500ms' --threshold 'http_reqs rate>1000' http://localhost:5000/

Address, headers and body may hold templates: {{uuid}}, {{vu}}, {{iteration}}, {{random(1, 10)}}, {{pick(a, b)}}.

The exit codes are those of `palier run`: 0 pass, 99 a threshold does not hold (by default fewer than 1 % of the requests
may fail), 98 nothing can be said, 105 a signal, 2 the command line is wrong.")]
pub(super) struct Args {
    /// The address
    #[arg(value_name = "URL", help = "The address: http://HOST[:PORT][/PATH][?QUERY], or https")]
    url: String,
    /// How many requests, over all connections
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// How many connections, each of which makes one request after another
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// For how long: 30s, 1m, or seconds; 10s where there is no -n
    #[arg(short, long, value_name = "DURATION", visible_alias = "duration", value_parser = seconds)]
    time: Option<Duration>,
    /// Requests a second, whatever the answers: 200, or 30/m
    #[arg(short, long, value_name = "RATE", value_parser = rate)]
    rate: Option<String>,
    /// GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS; POST where there is a body, else GET
    #[arg(short, long, value_name = "METHOD", short_alias = 'X', ignore_case = true, value_parser = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])]
    method: Option<String>,
    /// A header of each request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The body of each request; @FILE takes that of a file
    #[arg(short, long = "data", value_name = "TEXT", visible_alias = "body")]
    data: Option<String>,
    /// The content type of the body
    #[arg(short = 'T', long, value_name = "TYPE", requires = "data")]
    content_type: Option<String>,
    /// How long one answer may take
    #[arg(short = 's', long, value_name = "DURATION", default_value = "30s", value_parser = seconds)]
    timeout: Duration,
    /// A new connection for each request
    #[arg(long, visible_alias = "disable-keepalive")]
    no_keepalive: bool,
    /// Keep connections, as is the default; ab's flag
    #[arg(short, long, hide = true, conflicts_with = "no_keepalive")]
    keepalive: bool,
    /// What has to hold
    #[arg(
        long = "threshold",
        value_name = "EXPR",
        help = "What has to hold: 'p(95)<500ms', or of another metric 'http_reqs rate>1000'; may be repeated"
    )]
    thresholds: Vec<String>,
    /// Print the summary as JSON (`palier schema summary`)
    #[arg(long)]
    json: bool,
    /// Write all reports into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Say nothing but the result
    #[arg(short, long)]
    quiet: bool,
}

/// The profile's name, in reports and in messages on what is wrong with it.
const NAME: &str = "bench";

/// Applies the load, and says what came of it.
pub(super) fn bench(args: &Args, env: &Env, terminal: Terminal) -> Result<ExitCode, Failure> {
    let (start, began) = (SystemTime::now(), Instant::now());
    let (runtime, inbox) = Inbox::listen()?;
    let plan = plan(args, run_id::new(start, || fastrand::u32(..)))?;
    let outputs = args.out.as_deref().map(Outputs::open).transpose().map_err(Failure::other)?;
    if let Some(outputs) = &outputs {
        outputs.clear().map_err(Failure::other)?;
    }
    let shortages = Limits::now().shortages(&plan);
    let says = !args.quiet && !args.json;
    if says {
        terminal::say(&introduction(args));
        for shortage in &shortages {
            terminal::say(&format!("note: {shortage}"));
        }
    }
    let plan = Arc::new(plan);
    let mode = if says { ProgressMode::Auto } else { ProgressMode::None };
    let mut progress = Progress::new(Arc::clone(&plan), mode, Provider::detect(env), terminal);
    let nowhere = journal::Writer::nowhere();
    let engaged = onlookers::run(&plan, None, &nowhere, inbox, &mut progress, says);
    let results = runtime.block_on(engaged);
    progress.finish();

    let over = Over {
        plan: &plan,
        results: &results,
        other_load: Vec::new(),
        start,
        duration: began.elapsed(),
        host: host::host(),
        memory: host::peak_memory(),
        command: command(&plan),
        notes: shortages,
    };
    let out = args.out.as_deref().unwrap_or(Path::new(""));
    let mut concluded = conclude(over, Earlier::default(), OnWarn::default(), env, out);
    if let Some(outputs) = &outputs
        && let Err(problem) = outputs.write_all(&concluded.summary)
    {
        terminal.complain(&problem, None);
        concluded.ending.written = false;
    }
    let summary = &concluded.summary;
    let text = if args.json {
        Format::Summary.render(summary)
    } else {
        let statuses = outcome::statuses(&plan, &results);
        outcome::render(summary, &statuses, &outcome::Asked { connections: args.connections, url: &args.url })
    };
    terminal::print(&text)?;
    Ok(concluded.exit_code())
}

/// What is about to be done, in a line.
fn introduction(args: &Args) -> String {
    let Args { requests, connections, rate, url, .. } = args;
    let time = human_duration(args.time.unwrap_or(profile::SHORT));
    let what = match (requests, rate) {
        (Some(requests), Some(rate)) => {
            format!("{requests} requests at {rate} over at most {connections} connections")
        }
        (None, Some(rate)) => format!("{rate} for {time} over at most {connections} connections"),
        (Some(requests), None) => format!("{requests} requests over {connections} connections"),
        (None, None) => format!("{connections} connections for {time}"),
    };
    format!("palier {} bench: {what}, {url}", env!("CARGO_PKG_VERSION"))
}

/// The command as it was given, without what it must not show.
fn command(plan: &Plan) -> String {
    let words = std::env::args_os().skip(1);
    let words = words.map(|word| quoted(&plan.secrets.mask(&word.to_string_lossy())));
    std::iter::once("palier".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// The arguments as a plan.
fn plan(args: &Args, run: String) -> Result<Plan, Failure> {
    let text = profile::text(args)?;
    let file = VirtualFile::new(profile::FILE, text);
    let folder = PathBuf::from("/");
    let variables = std::collections::BTreeMap::new();
    let request = Request { name: profile::FILE, folder: &folder, overrides: &[], variables: &variables };
    let loaded = crate::profile::load(&request, &file).map_err(|error| planning::refused(NAME, error))?;
    let settings = Settings { run, time_scale: 1.0, wait: None, kubeconfig: Vec::new() };
    plan::build(&loaded, &settings)
        .map(|plan| Plan { profile: NAME.to_owned(), origin: None, secrets: secrets(args), ..plan })
        .map_err(|diagnostics| Failure::Profile {
            name: NAME.to_owned(),
            diagnostics,
            sources: loaded.sources,
            secrets: loaded.secrets,
        })
}

/// The values of headers that open doors: they are in no output.
fn secrets(args: &Args) -> Secrets {
    let values = args.headers.iter().filter(|(name, _)| carries_credentials(name)).map(|(_, value)| value);
    Secrets::new(values.map(|value| (String::new(), value.clone())))
}

/// A duration; a bare number is seconds, as ab has it.
fn seconds(text: &str) -> Result<Duration, UnitError> {
    let duration = match text.parse::<f64>() {
        Ok(number) => Duration::try_from_secs_f64(number).map_err(|_| UnitError("it is no time".into()))?,
        Err(_) => planning::duration(text)?,
    };
    if duration.is_zero() { Err(UnitError("it is no time at all".into())) } else { Ok(duration) }
}

/// A rate as profiles have it; a bare number is per second.
fn rate(text: &str) -> Result<String, UnitError> {
    let rate = if text.parse::<f64>().is_ok() { format!("{text}/s") } else { text.to_owned() };
    match rate.parse::<crate::units::Rate>() {
        Ok(parsed) if parsed.get() > 0.0 => Ok(rate),
        Ok(_) => Err(UnitError("it is above 0".into())),
        Err(error) => Err(UnitError(format!("it {error}"))),
    }
}

/// A header as curl takes it.
fn header(text: &str) -> Result<(String, String), UnitError> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        Some(_) | None => Err(UnitError("a header is written NAME: VALUE".into())),
    }
}
