//! `palier sweep`: undoes what the journals of killed runs hold.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::errand::{self, Where};
use super::failure::Failure;
use super::leftovers::{plural, request};
use super::sweep_database::{self, Rows, rows};
use super::terminal::Terminal;
use super::{Env, ExitCode, planning, signals, terminal, way};
use crate::engine::{self, Errand, Outcome};
use crate::journal::{self, Journal, Made, ReadError, Sweeping, Thing};
use crate::plan::Target;
use crate::reach::Forward;
use crate::report::show;

/// What is to be swept.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier sweep                                  what the runs into palier-report left behind
  palier sweep nightly/ other/journal.jsonl
  palier sweep --dry-run                        only say what that would be
  palier sweep nightly/ --profile standard      the same, and `delete` of its `[cleanup.mysql]` for these runs
  palier sweep --profile standard               no journal: the DELETE in `sweep` of its `[cleanup.mysql]`
  palier sweep --header \"Authorization: Bearer $TOKEN\"

Secrets are in no journal: the variables that the profile named in `secrets` have to be set again.
Sweep only what is still the same: where a database was made anew, the ids of a journal are those of others.
A run that observed its database has noted its profile: then `delete` of `[cleanup.mysql]` is run without being asked.

Exit codes, the first that applies:
  2     the command line is wrong, there is no such journal, or a run still writes it
  99    something is left
  105   a signal ended it
  98    a request of the run was never answered: whether it created anything cannot be known; told once
  1     anything else, for example a line of a journal that cannot be read
  0     nothing is left")]
pub(super) struct Args {
    /// Folders of runs, or their journals; `palier-report` or `PALIER_OUT` by default
    #[arg(value_name = "OUT|JOURNAL")]
    paths: Vec<PathBuf>,
    /// Where the target is now; what a path on it is stays the same
    #[arg(long, value_name = "URL", value_parser = errand::target)]
    pub(super) target: Option<Box<Target>>,
    /// A header for every request, instead of the journal's: "Name: value"
    #[arg(long = "header", value_name = "HEADER", value_parser = errand::header)]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// For how long to go on while the target fails, a journal
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = planning::duration)]
    within: Duration,
    /// Only say what would be undone
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Delete from the database, too, what these runs of a profile left; without a journal, what every run did
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

/// The most that is shown of one request: a journal may hold anything.
const LONGEST: usize = 1_500;

/// Undoes what there is, and says what came of it.
pub(super) fn sweep(args: &Args, env: &Env, terminal: Terminal) -> Result<ExitCode, Failure> {
    if let Some(profile) = args.profile.as_ref().filter(|_| args.paths.is_empty()) {
        if args.target.is_some() || !args.headers.is_empty() {
            return Err(Failure::usage(
                "`--target` and `--header` are for requests, and without a journal there are none",
            )
            .help("name the folder of a run, or its journal"));
        }
        return sweep_database::sweep(profile, args.dry_run, args.within, env);
    }
    let by_default = [PathBuf::from(env.get("PALIER_OUT").unwrap_or("palier-report"))];
    let paths = journals(if args.paths.is_empty() { &by_default } else { &args.paths })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(error).while_doing("cannot start a runtime"))?;
    let (_, mut signals) = {
        let _entered = runtime.enter();
        signals::listen().map_err(|error| Failure::other(error).while_doing("cannot listen for signals"))?
    };
    let mut totals = Totals::default();
    for path in &paths {
        let outcome = runtime.block_on(async {
            tokio::select! {
                outcome = one(path, args, env) => Some(outcome),
                _ = signals.recv() => None,
            }
        });
        match outcome {
            None => {
                terminal::say("interrupted; what was undone is noted, and `palier sweep` goes on from there");
                totals.interrupted = true;
                break;
            }
            Some(Ok(swept)) => {
                terminal::print(&swept.text)?;
                for line in &swept.corrupt {
                    let message =
                        format!("{}:{line}: this line of the journal cannot be read", path.display());
                    terminal.complain(&*Box::<dyn std::error::Error>::from(message), None);
                }
                totals.add(&swept);
                if let Some(failure) = swept.failure {
                    totals.fail(failure.tell(env, terminal));
                }
            }
            // The others are swept all the same.
            Some(Err(failure)) => totals.fail(failure.tell(env, terminal)),
        }
    }
    if paths.is_empty() {
        terminal::print("nothing to sweep: there is no journal\n")?;
    }
    Ok(totals.code())
}

/// What came of all journals.
#[derive(Default)]
struct Totals {
    left: usize,
    unknown: usize,
    corrupt: usize,
    interrupted: bool,
    failed: Option<ExitCode>,
}

impl Totals {
    fn add(&mut self, swept: &Swept) {
        self.left += swept.left;
        self.unknown += swept.unknown;
        self.corrupt += swept.corrupt.len();
    }

    fn fail(&mut self, code: ExitCode) {
        self.failed = self.failed.filter(|worse| *worse == ExitCode::Usage).or(Some(code));
    }

    fn code(&self) -> ExitCode {
        match self.failed {
            Some(ExitCode::Usage) => ExitCode::Usage,
            _ if self.left > 0 => ExitCode::Fail,
            _ if self.interrupted => ExitCode::Interrupted,
            _ if self.unknown > 0 => ExitCode::Invalid,
            Some(_) => ExitCode::Other,
            None if self.corrupt > 0 => ExitCode::Other,
            None => ExitCode::Pass,
        }
    }
}

/// What came of one journal.
struct Swept {
    text: String,
    left: usize,
    /// Requests without an answer that nobody was told of before.
    unknown: usize,
    corrupt: Vec<usize>,
    /// What came in the way of requests, or of the database.
    failure: Option<Failure>,
}

/// The journals that the paths lead to. A folder without any has nothing to be swept, but it has to be there.
fn journals(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let of_folder = journal::find(path);
            let doing = || format!("cannot look into `{}`", path.display());
            found.extend(of_folder.map_err(|error| Failure::usage(error).while_doing(doing()))?);
        } else if path.is_file() {
            found.push(path.clone());
        } else {
            return Err(Failure::usage(format!("there is no journal or folder `{}`", path.display()))
                .help("name the folder that the run wrote its reports to (`--out`)"));
        }
    }
    Ok(found)
}

/// Sweeps one journal.
async fn one(path: &Path, args: &Args, env: &Env) -> Result<Swept, Failure> {
    let shown = path.display();
    let unreadable = |error: ReadError| Failure::usage(error).while_doing(format!("cannot read `{shown}`"));
    let (journal, mut sweeping) = if args.dry_run {
        let file = File::open(path).map_err(|error| unreadable(error.into()))?;
        (journal::read(BufReader::new(file)).map_err(unreadable)?, None)
    } else {
        let Some((journal, sweeping)) = journal::reopen(path).map_err(unreadable)? else {
            return Err(Failure::usage(format!("a run still writes `{shown}`")).help("wait for its end"));
        };
        (journal, Some(sweeping))
    };
    let (mut text, told) = (Text::of(&journal, path, args.dry_run), journal.ended);
    let (left, unasked) = match &mut sweeping {
        None => (would_undo(&journal, &mut text), None),
        Some(sweeping) => match undo(&journal, &Where { args, env }, sweeping, &mut text).await {
            Ok(left) => (left, None),
            // Where no request can even be tried, the database may be the only way left.
            Err(failure) => (journal.left().count(), Some(failure)),
        },
    };
    let (is_deleted, undeleted) = match delete(&journal, args, env, &mut text).await {
        Ok(is_deleted) => (is_deleted, None),
        Err(failure) => (false, Some(failure)),
    };
    let failure = unasked.or(undeleted);
    // What the statement was for is known, and is no more.
    let unanswered: Vec<&Thing> = journal.unanswered().filter(|_| !is_deleted).collect();
    text.unanswered(&journal, &unanswered);
    if let Some(sweeping) = sweeping
        && (journal.has_leftovers() || is_deleted)
        && failure.is_none()
    {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let written = sweeping.finish(count(left), count(unanswered.len()));
        written.map_err(|error| Failure::other(error).while_doing(format!("cannot write `{shown}`")))?;
    }
    let unknown = if told { 0 } else { unanswered.len() };
    Ok(Swept { text: text.0, left, unknown, corrupt: journal.corrupt, failure })
}

/// Deletes from the database what no request could undo, where that was asked for; whether it was done.
async fn delete(journal: &Journal, args: &Args, env: &Env, text: &mut Text) -> Result<bool, Failure> {
    let Some(of_run) = Rows::of(journal, args.profile.as_deref(), env)? else { return Ok(false) };
    if args.dry_run {
        text.line(&format!("would run {}", of_run.statement()));
        return Ok(false);
    }
    let deleted = of_run.delete(args.within).await?;
    text.line(&format!("deleted {} from the database: {}", rows(deleted), of_run.statement()));
    if journal.unanswered().next().is_some() {
        let n = plural(journal.unanswered().count(), "request");
        text.line(&format!("{n} without an answer: what came of that is among these rows, or is not there"));
    }
    Ok(true)
}

/// Says what would be undone; how many things that are.
fn would_undo(journal: &Journal, text: &mut Text) -> usize {
    for (_, thing, made) in journal.left() {
        text.line(&format!("would undo {}", shown(journal, thing, made)));
    }
    journal.left().count()
}

/// Undoes what is left; how many things still are.
async fn undo(
    journal: &Journal,
    to: &Where<'_>,
    sweeping: &mut Sweeping,
    text: &mut Text,
) -> Result<usize, Failure> {
    let (mut undone, mut gone, mut left) = (0, 0, 0);
    let mut errands = Vec::new();
    for (number, thing, made) in journal.left() {
        if let Some(request) = to.errand(journal, thing, made)? {
            errands.push(Errand { number, request });
        } else {
            left += 1;
            let reason = "the journal does not hold the values that undoing it needs";
            text.line(&format!("left: {}: {reason}", show::one_line(&request(journal, thing), LONGEST)));
        }
    }
    if errands.is_empty() {
        return Ok(left);
    }
    let target = to.target(journal)?;
    let mut trouble = None;
    let forward = way::to(&target, &to.env.kubeconfig())?;
    let way = forward.as_ref().map(Forward::way);
    let swept = engine::sweep(&target, way.as_ref(), errands, to.args.within, |number, outcome| {
        match outcome {
            Outcome::Undone => undone += 1,
            Outcome::Gone => gone += 1,
            Outcome::Left(reason) => {
                left += 1;
                let thing = journal.things.get(&number);
                if let Some((thing, made)) = thing.and_then(|thing| Some((thing, thing.made.as_ref()?))) {
                    text.line(&format!("left: {}: {reason}", shown(journal, thing, made)));
                }
                return;
            }
        }
        if let Err(error) = sweeping.undone(number) {
            trouble = Some(error);
        }
    });
    swept.await.map_err(|why| Failure::other(why).while_doing(format!("cannot reach {}", target.url)))?;
    let already = if gone > 0 { format!(", and {gone} that were gone already") } else { String::new() };
    text.line(&format!("undone: {undone}{already}"));
    match trouble {
        Some(error) => Err(Failure::other(error).while_doing("cannot note in the journal what was undone")),
        None => Ok(left),
    }
}

/// The request that undoes a thing, as the journal has it: with the names of secrets, not their values.
fn shown(journal: &Journal, thing: &Thing, made: &Made) -> String {
    let method = journal.undoing(thing).map_or("?", |undoing| undoing.method.as_str());
    show::one_line(&format!("{method} {}", made.path.as_deref().unwrap_or("?")), LONGEST)
}

/// What is said of one journal.
struct Text(String);

impl Text {
    fn of(journal: &Journal, path: &Path, dry_run: bool) -> Self {
        let mut text = Self(format!("{}\n", path.display()));
        if journal.run.is_empty() {
            text.line("empty: its run was killed before it began");
            return text;
        }
        let context = journal.context.as_ref().map(|it| format!(" (context `{it}`)")).unwrap_or_default();
        let Journal { run, profile, target, .. } = journal;
        let what = format!("run {run} of {profile}, against {target}{context}");
        text.line(&show::one_line(&what, LONGEST));
        let left = journal.left().count();
        if left == 0 {
            text.line("nothing is left to be undone");
        } else if !dry_run {
            text.line(&format!("{} to be undone", plural(left, "thing")));
        }
        text
    }

    fn line(&mut self, line: &str) {
        self.0 += "  ";
        self.0 += line;
        self.0.push('\n');
    }

    fn unanswered(&mut self, journal: &Journal, things: &[&Thing]) {
        if things.is_empty() {
            return;
        }
        let (n, them) = (things.len(), if things.len() == 1 { "it" } else { "them" });
        self.line(&format!(
            "unknown: {} without an answer; look for what {them} created:",
            plural(n, "request")
        ));
        for thing in things {
            self.line(&format!("  {}", show::one_line(&request(journal, thing), LONGEST)));
        }
    }
}
