//! The command line: a file a command.
//!
//! The only room that prints, reads the environment, or decides an exit code; nobody imports it. What is said
//! on the way goes to standard error, the result to standard output.
//!
//! - `run`, `bench`, `check`, `doctor`, `demo`, `report`, `compare`, `trend`, `sweep`, `init`, `import`, `explain`,
//!   `schema`, `pages`: the commands
//! - `conclusion`: from results to a verdict, reports and an exit code
//! - `baseline`, `history`: earlier runs that a run is compared with
//! - `shard`, `merge`: a run in several processes
//! - `planning`: from arguments to a plan, or to all that is wrong with the profile
//! - `virtual_file`, `toml_text`: a profile that is no file
//! - `outline`: a plan in words
//! - `onlookers`, `signals`: the run, watched and ended
//! - `progress`, `live`, `glance`, `sight`, `screen`: what is shown of it while it goes on
//! - `sweep_database`: what needs no journal
//! - `leftovers`, `errand`: what journals hold, in words and as requests
//! - `ci`, `host`, `run_id`: what is known of a run beside its profile
//! - `env`, `terminal`, `exit`, `failure`: what palier is started with, and how it ends

mod baseline;
mod bench;
mod check;
mod ci;
mod compare;
mod conclusion;
mod demo;
mod doctor;
mod env;
mod errand;
mod exit;
mod explain;
mod failure;
pub(crate) mod fuzz;
mod glance;
mod history;
mod host;
mod import;
mod init;
mod leftovers;
mod live;
mod merge;
mod onlookers;
mod outline;
mod pages;
mod planning;
mod progress;
mod report;
mod run;
mod run_id;
mod schema;
mod screen;
mod shard;
mod sight;
mod signals;
mod sweep;
mod sweep_database;
mod terminal;
mod toml_text;
mod trend;
mod virtual_file;
mod way;

use std::ffi::OsString;
use std::io;

use clap::builder::Resettable;
use clap::{Arg, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use env::Env;
pub use exit::{ExitCode, OnWarn};
pub use terminal::ColorWhen;

use terminal::Terminal;

/// Applies staged load to an HTTP service, and ends in a verdict that a pipeline can gate on.
#[derive(Debug, Parser)]
#[command(name = "palier", version, arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "\
Examples:
  palier run quick --demo                        try it out: 30 s against a demo API that palier brings along
  palier run quick --target http://localhost:5000
  palier run load.toml --set load.stages[2].target=50
  palier check load.toml                         is the profile right, and what would it do?
  palier doctor load.toml                        is all there that a run needs?
  palier report palier-report/summary.json       the reports of a run once more
  palier compare old/summary.json new/summary.json   has anything become slower?
  palier merge shards/                           one verdict over all shards of a run
  palier sweep                                   undo what a killed run left behind
  palier bench -n 1000 -c 50 http://localhost:5000/health
  palier init github                             a profile, and a workflow that runs it
  palier explain 98                              what does that exit code mean?

`palier run --help` explains the exit codes.")]
struct Cli {
    /// When to colour: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, env = "PALIER_COLOR")]
    #[arg(hide_possible_values = true, hide_env_values = true, display_order = 100)]
    color: ColorWhen,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a load test, and say what it found
    Run(run::Args),
    /// Put one address under load, without a profile
    Bench(bench::Args),
    /// Check a profile without making any load, and show what it would do
    Check(check::Args),
    /// Look whether a run would see and do what its profile asks for, without making any load
    Doctor(doctor::Args),
    /// Serve an employees API to try palier out on, until Ctrl-C
    Demo(demo::Args),
    /// Render the reports of a run again
    Report(report::Args),
    /// Say by how much a run differs from an earlier one, and how sure that is
    Compare(compare::Args),
    /// Say at which run each metric of a history changed
    Trend(trend::Args),
    /// Put the results of shards together: one verdict, and all reports
    Merge(merge::Args),
    /// Undo what a killed run left behind
    Sweep(sweep::Args),
    /// Write a profile, and a pipeline file that runs it, into this repository
    Init(init::Args),
    /// Make a profile of curl commands, a HAR file or k6 options
    Import(import::Args),
    /// Say what a metric, an exit code, a kind of error or a key of a profile means
    Explain(explain::Args),
    /// Print the JSON Schema of profiles or of summaries
    Schema(schema::Args),
    /// Print the completions of a shell
    Completions(pages::CompletionsArgs),
    /// Print the man page, or write those of all commands
    Man(pages::ManArgs),
}

/// Does what the arguments ask for.
pub fn main(env: &Env, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match parse(env, &args) {
        Ok(cli) => cli,
        Err(error) => {
            // Whoever asked for help and went away does not miss it.
            let lost = error.print().is_err_and(|lost| lost.kind() != io::ErrorKind::BrokenPipe);
            return match error.use_stderr() {
                true => ExitCode::Usage,
                false if lost => ExitCode::Other,
                false => ExitCode::Pass,
            };
        }
    };
    let terminal = Terminal::new(cli.color, env);
    let result = match &cli.command {
        Command::Run(args) => run::run(args, env, terminal),
        Command::Check(args) => check::check(args, env),
        Command::Doctor(args) => doctor::doctor(args, env, terminal),
        Command::Demo(args) => demo::serve(args),
        Command::Report(args) => report::report(args, terminal),
        Command::Compare(args) => compare::compare(args, terminal),
        Command::Trend(args) => trend::trend(args),
        Command::Merge(args) => merge::merge(args, env, terminal),
        Command::Sweep(args) => sweep::sweep(args, env, terminal),
        Command::Bench(args) => bench::bench(args, env, terminal),
        Command::Init(args) => init::init(args),
        Command::Import(args) => import::import(args),
        Command::Explain(args) => explain::explain(args),
        Command::Schema(args) => schema::schema(args),
        Command::Completions(args) => pages::completions(args, Cli::command()),
        Command::Man(args) => pages::man(args, Cli::command()),
    };
    result.unwrap_or_else(|failure| failure.tell(env, terminal))
}

fn parse(env: &Env, args: &[OsString]) -> Result<Cli, clap::Error> {
    // An empty variable is as good as none: pipelines pass on inputs that nobody gave.
    let is_blank = |arg: &Arg| arg.get_env().is_some_and(|name| env.is_blank(&name.to_string_lossy()));
    // A flag goes before every variable, not only before its own.
    let wants_demo = args.iter().any(|arg| arg == "--demo");
    let is_overruled = |arg: &Arg| wants_demo && arg.get_id() == "target";
    let forget =
        |arg: Arg| if is_blank(&arg) || is_overruled(&arg) { arg.env(Resettable::Reset) } else { arg };
    let command = Cli::command().mut_args(forget).mut_subcommands(|command| command.mut_args(forget));
    Cli::from_arg_matches(&command.try_get_matches_from(args)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, String> {
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        super::parse(&Env::default(), &args).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_misspelt_is_told_the_nearest_name() {
        let error = parse("palier rum quick").expect_err("no such command");
        assert!(error.contains("'run'"), "{error}");
        let error = parse("palier run quick --time-scal 2").expect_err("no such flag");
        assert!(error.contains("--time-scale"), "{error}");
        let error = parse("palier report s.json --format junit").expect_err("no such format");
        assert!(error.contains("junit.xml"), "{error}");
    }

    #[test]
    fn a_demo_has_a_target_of_its_own() {
        let error = parse("palier run quick --demo --target http://localhost").expect_err("both");
        assert!(error.contains("--target"), "{error}");
    }

    #[test]
    fn amounts_that_mean_nothing_are_refused() {
        for wrong in ["0", "-1", "nan", "1e9", "x"] {
            assert!(parse(&format!("palier run quick --time-scale={wrong}")).is_err(), "{wrong}");
        }
        for wrong in ["5", "-1s", "soon"] {
            assert!(parse(&format!("palier run quick --wait={wrong}")).is_err(), "{wrong}");
        }
        for wrong in ["1.5", "-0.1", "130%", "some"] {
            assert!(parse(&format!("palier demo --error-rate={wrong}")).is_err(), "{wrong}");
        }
        assert!(parse("palier demo --error-rate 30% --latency 20ms --port 0").is_ok());
        assert!(parse("palier run quick --time-scale 0.1 --wait 30s --color never -q").is_ok());
    }
}
