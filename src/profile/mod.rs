//! The profile: TOML as written, with the place of every value, and every diagnostic at once.
//!
//! [`load()`] is a function of its arguments: files are read through [`Files`], variables come as a map. It never
//! stops at the first thing that is wrong: what can be read is read, so one look shows all that is to be mended.
//! A [`Profile`] that comes out of it is whole: every name in it exists, every text in it is cut and compiled.
//! What lies beyond a profile, such as laying out schedules or giving ids, is the plan's.

mod check;
mod cleanup;
mod cluster;
mod compose;
mod database;
mod diagnostic;
mod expression;
mod files;
mod headers;
mod json;
mod links;
mod load;
mod merge;
mod nearest;
mod observe;
mod overrides;
mod place;
mod reader;
mod root;
mod scenario;
mod secrets;
mod selector;
mod service;
mod sql;
mod step;
mod tags;
mod target;
mod template;
mod threshold;
mod tree;
mod variables;

use std::collections::BTreeMap;
use std::path::Path;

use compose::Composed;
use root::Read;

pub use check::{Check, Condition, JsonMatcher, JsonType, StatusMatch, TextMatcher};
pub use cleanup::{DatabaseCleanup, RUN};
pub use cluster::Kubernetes;
pub use database::{Access, Address, Mysql, Tls};
pub use diagnostic::{Diagnostic, render};
pub use expression::{Aggregation, Bound, Expression, Operator, Quantity};
pub use files::{BUILT_IN_PROFILES, Disk, Files, Found};
pub use json::Json;
pub use load::{Executor, Load, Stage, UNNAMED_LOAD};
pub use nearest::nearest;
pub use observe::{DEFAULT_PATTERNS, Logs, Observe, Pattern};
pub use place::{Location, Place, Placed, Source, SourceId, Sources};
pub use scenario::{Pause, Scenario};
pub use secrets::{MASK, Secrets};
pub use selector::{Selection, SelectorKey};
pub use service::{SCHEME, Service, ServicePort};
pub use step::{Body, Capture, CaptureFrom, Step};
pub use target::{At, Connections, Ready, Reuse, Target};
pub use template::{Piece, Reference, Template};
pub use threshold::Threshold;

/// What one run is: target, loads, scenarios, thresholds.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name that was asked for: `quick`.
    pub name: String,
    /// Which file that name led to.
    pub found: Found,
    /// All texts it was put together from.
    pub sources: Sources,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// Values that may appear in no output.
    pub secrets: Secrets,
    /// What is put under load.
    pub target: Target,
    /// At least one; exactly one, called `default`, where it was written as `[load]`.
    pub loads: Vec<Load>,
    /// The scenarios that the loads run; at least one, each run by at least one load.
    pub scenarios: Vec<Scenario>,
    /// Whether the default thresholds hold where the profile names none of their metrics.
    pub default_thresholds: bool,
    /// Thresholds, then warnings, each in file order; then the same of each observer.
    pub thresholds: Vec<Threshold>,
    /// What is watched beside the load.
    pub observe: Observe,
    /// What is deleted from the database after a run.
    pub cleanup: Option<DatabaseCleanup>,
}

/// Everything that a profile is a function of.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// A path, or the name of a profile.
    pub name: &'a str,
    /// The folder that relative paths start from.
    pub folder: &'a Path,
    /// Values from the command line, in order; the last one of a path holds.
    pub overrides: &'a [Override],
    /// The variables that `${NAME}` may name.
    pub variables: &'a BTreeMap<String, String>,
}

/// A value from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Override {
    /// `--set load.stages[2].target=50`: the text after `--set`. The value is TOML, else a text.
    Set(String),
    /// A flag that stands for one key: `--target URL` for `target.url`. The value is a text as it is.
    Flag {
        /// The flag, for messages: `--target`.
        flag: &'static str,
        /// The key it stands for: `target.url`.
        path: &'static str,
        /// Its value.
        value: String,
    },
}

/// A profile that cannot be used: all that is wrong with it, in file order.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts they point into.
    pub sources: Sources,
    /// Already taken out of the diagnostics; for whoever shows more than those.
    pub secrets: Secrets,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name; the names of those that there are.
    #[error("there is no profile `{name}`{}", suggestion(.nearest.as_deref()))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The nearest name there is.
        nearest: Option<String>,
        /// Where it was looked for, in order.
        looked: Vec<String>,
    },
    /// Its file cannot be read.
    #[error("cannot read the profile {path}")]
    Unreadable {
        /// The path.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is wrong: see the diagnostics.
    #[error("the profile has {} error{}", .0.diagnostics.len(), if .0.diagnostics.len() == 1 { "" } else { "s" })]
    Rejected(Box<Rejected>),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Finds, reads, puts together and checks a profile.
pub fn load(request: &Request<'_>, files: &dyn Files) -> Result<Profile, Error> {
    let (found, origin) =
        files::find(request.name, request.folder, files).map_err(|looked| Error::Unknown {
            name: request.name.to_owned(),
            nearest: nearest(request.name, BUILT_IN_PROFILES).map(str::to_owned),
            looked,
        })?;
    let text = origin.read(files).map_err(|source| Error::Unreadable { path: origin.shown(), source })?;
    let Composed { root, scenarios, sources, precedence, mut findings, torn } =
        compose::compose(origin, text, request, files);
    let names = compose::texts(&root, "secrets");
    let value = |name: &&str| Some(((*name).to_owned(), request.variables.get(*name)?.clone()));
    let of_variables = names.iter().filter_map(value);
    let of_observers = database::secrets(root.table().and_then(|root| root.get("observe")));
    let secrets = Secrets::new(of_variables.chain(of_observers.into_iter().map(|it| (String::new(), it))));
    let read = if torn { None } else { root::read(&root, &scenarios, precedence, &mut findings) };
    let mut diagnostics = findings.list;
    if diagnostics.is_empty()
        && let Some(Read {
            description,
            target: Some(target),
            loads,
            scenarios,
            default_thresholds,
            thresholds,
            observe,
            cleanup,
        }) = read
    {
        let name = request.name.to_owned();
        return Ok(Profile {
            name,
            found,
            sources,
            description,
            secrets,
            target,
            loads,
            scenarios,
            default_thresholds,
            thresholds,
            observe,
            cleanup,
        });
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.place);
    for diagnostic in &mut diagnostics {
        diagnostic.mask(&secrets);
    }
    Err(Error::Rejected(Box::new(Rejected { diagnostics, sources, secrets })))
}

impl Rejected {
    /// All diagnostics, each with file, line and the text under it.
    pub fn render(&self, color: bool) -> String {
        let shown = render(&self.diagnostics, &self.sources, color);
        // A shell may have put the value of a secret into a `--set`, which is shown as a source.
        self.secrets.mask(&shown).into_owned()
    }
}

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
