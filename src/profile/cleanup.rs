//! `[cleanup.mysql]`: what is deleted from the database after a run.

use super::diagnostic::Diagnostic;
use super::observe::Observe;
use super::place::{Place, Placed};
use super::reader::{self, Fields, Findings};
use super::sql;
use super::tree::Node;

/// `[cleanup.mysql]`: statements that are run with the settings of `[observe.mysql]`.
#[derive(Clone, Debug)]
pub struct DatabaseCleanup {
    /// The DELETE after a run; `{{run}}` in it stands for the id of the run.
    pub delete: Option<Placed<String>>,
    /// The SELECT whose first value is compared before and after.
    pub verify: Option<Placed<String>>,
    /// The DELETE of `palier sweep --profile`, which takes the rows of every run.
    pub sweep: Option<Placed<String>>,
    /// Where the table stands.
    pub place: Place,
}

/// The run's id in a statement.
pub const RUN: &str = "{{run}}";

/// Reads `[cleanup]`.
pub(super) fn read(node: &Node, observe: &Observe, findings: &mut Findings) -> Option<DatabaseCleanup> {
    let mut fields = Fields::of(node, "cleanup", "`[cleanup]`", findings)?;
    let mysql = fields.get("mysql");
    fields.finish(&[], findings);
    let node = mysql?;
    let mut fields = Fields::of(node, "mysql", "`[cleanup.mysql]`", findings)?;
    let place = fields.place;
    let mut statement = |key: &'static str, check: fn(&str) -> Result<(), String>| {
        let node = fields.get(key)?;
        let text = reader::name(node, key, findings)?;
        let filled = text.replace(RUN, "run");
        if let Err(why) = check(&filled) {
            findings.add(Diagnostic::new(node.place, format!("`{key}` {why}")));
            return None;
        }
        if filled.contains("{{") {
            let message = format!("`{key}` holds a template; only `{RUN}` can be filled in here");
            findings.add(Diagnostic::new(node.place, message));
        }
        Some(Placed::new(text.to_owned(), node.place))
    };
    let delete = statement("delete", sql::check_delete);
    let verify = statement("verify", sql::check_select);
    let sweep = statement("sweep", sql::check_delete);
    fields.finish(&[], findings);
    if let Some(delete) = delete.as_ref().filter(|delete| !delete.value.contains(RUN)) {
        findings.add(
            Diagnostic::new(delete.place, format!("`delete` does not hold `{RUN}`: it would take the rows of other runs"))
                .help("put the id of the run into the names of what is created, and select by it; `sweep` is for all runs"),
        );
    }
    if let Some(sweep) = sweep.as_ref().filter(|sweep| sweep.value.contains(RUN)) {
        findings.add(Diagnostic::new(
            sweep.place,
            format!("`sweep` is for every run, so `{RUN}` means nothing in it"),
        ));
    }
    if observe.mysql.is_none() {
        findings.missing(Diagnostic::new(
            place,
            "`[cleanup.mysql]` uses the settings of `[observe.mysql]`, and the profile has none",
        ));
    }
    Some(DatabaseCleanup { delete, verify, sweep, place })
}
