//! `palier demo`, and the demo that `palier run --demo` brings along.

use std::time::Duration;

use super::ExitCode;
use super::failure::Failure;
use super::planning;
use crate::units::{Fraction, UnitError};

/// How the demo is served, and how badly.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier demo                                    then, in another terminal:
  palier run quick --target http://127.0.0.1:5000
  palier demo --latency 600ms --error-rate 30%   see what a run says of a bad day")]
pub(super) struct Args {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 5000)]
    port: u16,
    /// Added to the time of each answer
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = planning::duration)]
    latency: Duration,
    /// The share of requests that are answered with 500: 30% or 0.3
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share)]
    error_rate: f64,
    /// How many employees there are at the start
    #[arg(long, value_name = "N", default_value_t = 200)]
    employees: usize,
    /// Which requests fail: the same seed gives the same ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// `10%`, or 0.1.
fn share(text: &str) -> Result<f64, UnitError> {
    let share = match text.parse() {
        Ok(share) => Fraction::new(share),
        Err(_) => text.parse().ok(),
    };
    match share.map(Fraction::get) {
        Some(share) if share <= 1.0 => Ok(share),
        Some(_) | None => Err(UnitError("it is a share, like 30% or 0.3".into())),
    }
}

/// Serves until a signal comes.
#[cfg(feature = "demo")]
pub(super) fn serve(args: &Args) -> Result<ExitCode, Failure> {
    use super::{signals, terminal};
    use crate::demo::Options;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::other)?;
    let (_sender, mut signals) = {
        let _entered = runtime.enter();
        signals::listen().map_err(Failure::other)?
    };
    let &Args { port, latency, error_rate, employees, seed } = args;
    let options = Options { port: (port > 0).then_some(port), latency, error_rate, seed, employees };
    let demo = Demo::start(options).map_err(|error| {
        let is_taken = error.kind() == std::io::ErrorKind::AddrInUse;
        let failure = Failure::other(error).while_doing(format!("cannot serve the demo on port {port}"));
        if is_taken { failure.help("choose another port with `--port`; 0 takes a free one") } else { failure }
    })?;
    let url = demo.url();
    let text = format!(
        "{url}\n\n{ROUTES}\ntry: palier run quick --target {url}\nCtrl-C ends it\n",
        ROUTES = "  GET    /health\n  GET    /employees?page=1&per_page=10\n  GET    /stats\n  \
                  POST   /employees\n  PUT    /employees/:id\n  GET    /employees/:id\n  \
                  DELETE /employees/:id\n"
    );
    terminal::print(&text)?;
    runtime.block_on(signals.recv());
    demo.stop();
    Ok(ExitCode::Pass)
}

/// Says that there is none.
#[cfg(not(feature = "demo"))]
pub(super) fn serve(_: &Args) -> Result<ExitCode, Failure> {
    Err(missing())
}

#[cfg(feature = "demo")]
pub(super) use crate::demo::Demo;

/// No demo: this build has none.
#[cfg(not(feature = "demo"))]
#[derive(Debug)]
pub(super) enum Demo {}

#[cfg(not(feature = "demo"))]
impl Demo {
    pub(super) fn url(&self) -> String {
        match *self {}
    }
}

/// Starts a demo as it is by default, on a free port.
#[cfg(feature = "demo")]
pub(super) fn start() -> Result<Demo, Failure> {
    Demo::start(crate::demo::Options::default())
        .map_err(|error| Failure::other(error).while_doing("cannot start the demo"))
}

/// Says that there is none.
#[cfg(not(feature = "demo"))]
pub(super) fn start() -> Result<Demo, Failure> {
    Err(missing())
}

#[cfg(not(feature = "demo"))]
fn missing() -> Failure {
    Failure::usage("this build of palier has no demo").help("build it with the feature `demo`, as by default")
}
