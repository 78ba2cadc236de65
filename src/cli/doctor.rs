//! `palier doctor`: whether a run would see and do what its profile asks for, and what mends it where not.

use std::time::Instant;

use super::failure::Failure;
use super::planning::{Given, ProfileArgs, plan};
use super::terminal::Terminal;
use super::{Env, ExitCode, terminal};
use crate::engine;
use crate::observe::checkup::{self, Finding, Health};
use crate::observe::generator::limits::{self, Limits};
use crate::plan::Plan;
use crate::reach::Forward;
use crate::report::show::one_line;
use crate::units::human_duration;

/// What is to be looked at.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier doctor standard                        target, and palier's own limits
  palier doctor standard --observe mysql,logs   database and logs, too
  palier doctor standard --observe kubernetes   rights, autoscaler, pods, Service, one by one

It makes no load. Exit codes:
  0   nothing is wrong
  1   something is; what mends it stands below it
  2   the command line or the profile is wrong")]
pub(super) struct Args {
    #[command(flatten)]
    profile: ProfileArgs,
}

/// Looks at all that a run needs.
pub(super) fn doctor(args: &Args, env: &Env, terminal: Terminal) -> Result<ExitCode, Failure> {
    let given = Given { run: "doctor".to_owned(), wait: None, demo: None };
    let (_, plan) = plan(&args.profile, given, env)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(error).while_doing("cannot start a runtime"))?;
    let mut findings = generator(&plan);
    findings.extend(runtime.block_on(async {
        let mut findings = vec![target(&plan).await];
        findings.extend(checkup::observers(&plan).await);
        findings
    }));
    let text: String = findings.iter().map(|finding| line(finding, terminal)).collect();
    let n_wrong = findings.iter().filter(|finding| finding.health == Health::Wrong).count();
    let end = match n_wrong {
        0 => "nothing is wrong\n".to_owned(),
        1 => "1 thing is wrong\n".to_owned(),
        n => format!("{n} things are wrong\n"),
    };
    terminal::print(&plan.secrets.mask(&format!("{text}\n{end}")))?;
    Ok(if n_wrong == 0 { ExitCode::Pass } else { ExitCode::Other })
}

/// One finding, and below it what mends it.
fn line(finding: &Finding, terminal: Terminal) -> String {
    let word = match finding.health {
        Health::Right => "ok",
        Health::Note => "note",
        Health::Wrong => "wrong",
    };
    let colour = match finding.health {
        Health::Right => anstyle::AnsiColor::Green,
        Health::Note => anstyle::AnsiColor::Cyan,
        Health::Wrong => anstyle::AnsiColor::Red,
    };
    let style = if terminal.colour { colour.on_default() } else { anstyle::Style::new() };
    let shown = one_line(&finding.text, 400);
    let text = format!("{style}{word:<6}{style:#} {:<11} {shown}\n", finding.topic);
    match &finding.mend {
        Some(mend) => format!("{text}{:19}mend: {}\n", "", one_line(mend, 400)),
        None => text,
    }
}

async fn target(plan: &Plan) -> Finding {
    let began = Instant::now();
    let start = |service| Forward::start(service, &plan.kubeconfig);
    let forward = match plan.target.service.as_ref().map(start).transpose() {
        Ok(forward) => forward,
        Err(why) => return Finding::wrong("target", why, None),
    };
    let way = forward.as_ref().map(Forward::way);
    match engine::look_at(&plan.target, way.as_ref()).await {
        Ok(()) => {
            let how = match &plan.target.ready {
                Some(ready) => format!("GET {} answers {}", ready.path, ready.status),
                None => "can be connected to".to_owned(),
            };
            let took = human_duration(began.elapsed());
            Finding::right("target", format!("{}: {how}, after {took}", plan.target.url))
        }
        Err(why) => {
            let mend = "start the service, or name another with `--target URL`".to_owned();
            Finding::wrong("target", why, Some(mend))
        }
    }
}

/// Whether this machine lets palier be as many users as the plan wants.
fn generator(plan: &Plan) -> Vec<Finding> {
    limits::raise_file_limit();
    let vus: u64 = plan.loads.iter().map(|load| u64::from(load.executor.max_vus())).sum();
    let shortages = Limits::now().shortages(plan);
    let mut findings: Vec<Finding> =
        shortages.into_iter().map(|shortage| Finding::wrong("generator", shortage, None)).collect();
    if findings.is_empty() {
        findings.push(Finding::right("generator", format!("files and ports are enough for {vus} VUs")));
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    findings.push(Finding::right("generator", format!("palier may use {cores}")));
    findings
}
