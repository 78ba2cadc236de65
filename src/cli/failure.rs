//! What ends a command before it has done what it was asked.

use std::error::Error;
use std::path::Path;

use super::ci::Provider;
use super::terminal::Terminal;
use super::{Env, ExitCode, terminal};
use crate::profile::{Diagnostic, Secrets, Sources, render};
use crate::report::annotations;

/// What ends a command before it has done what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The profile is wrong.
    Profile {
        /// Its name, as it was given.
        name: String,
        /// At least one.
        diagnostics: Vec<Diagnostic>,
        /// What they point into.
        sources: Sources,
        /// What may not be shown of it.
        secrets: Secrets,
    },
    /// Anything else.
    Other {
        /// What palier exits with.
        code: ExitCode,
        /// What went wrong, with its sources.
        error: Box<dyn Error>,
        /// How to mend it, where the error does not say so itself.
        help: Option<String>,
    },
}

/// What palier was doing, with what came in its way.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Doing {
    what: String,
    source: Box<dyn Error>,
}

impl Failure {
    /// The command line asks for what cannot be.
    pub(super) fn usage(error: impl Into<Box<dyn Error>>) -> Self {
        Self::Other { code: ExitCode::Usage, error: error.into(), help: None }
    }

    /// palier could not do its work.
    pub(super) fn other(error: impl Into<Box<dyn Error>>) -> Self {
        Self::Other { code: ExitCode::Other, error: error.into(), help: None }
    }

    /// The same, in the words of what was tried.
    pub(super) fn while_doing(mut self, what: impl Into<String>) -> Self {
        if let Self::Other { error, .. } = &mut self {
            let source = std::mem::replace(error, "".into());
            *error = Doing { what: what.into(), source }.into();
        }
        self
    }

    /// Says how to mend it.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Other { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    /// Says what went wrong, and gives the code to exit with.
    pub(super) fn tell(self, env: &Env, terminal: Terminal) -> ExitCode {
        match self {
            Self::Profile { name, diagnostics, sources, secrets } => {
                let text = render(&diagnostics, &sources, terminal.colour_of_errors);
                terminal::say(&secrets.mask(&text));
                let n = diagnostics.len();
                let s = if n == 1 { "" } else { "s" };
                terminal
                    .complain(&*Box::<dyn Error>::from(format!("the profile {name} has {n} error{s}")), None);
                if Provider::detect(env) == Provider::GitHub {
                    // There is nothing left to be done if nobody reads them.
                    let _ = terminal::print(&secrets.mask(&annotate(&name, &diagnostics, &sources)));
                }
                ExitCode::Usage
            }
            Self::Other { code, error, help } => {
                terminal.complain(&*error, help.as_deref());
                code
            }
        }
    }
}

/// Annotations of what is wrong with a profile. GitHub shows ten of them.
fn annotate(name: &str, diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let title = format!("palier {name}");
    let annotation = |diagnostic: &Diagnostic| {
        let location = sources.locate(diagnostic.place);
        let line = location.line.to_string();
        // Built-in profiles and `--set` are no files that GitHub could show.
        let is_file = Path::new(location.file).is_file();
        let mut properties = Vec::new();
        if is_file {
            properties.extend([("file", location.file), ("line", &line)]);
        }
        properties.push(("title", &title));
        let text = match &diagnostic.help {
            Some(help) => format!("{} ({help})", diagnostic.message),
            None => diagnostic.message.clone(),
        };
        annotations::command("error", &properties, &text)
    };
    diagnostics.iter().take(10).map(annotation).collect()
}
