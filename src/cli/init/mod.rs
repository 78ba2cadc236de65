//! `palier init`: a profile, and the file that runs it in a pipeline, written into a repository.
//!
//! The pipeline files are those of `ci/`, which the tests run; here they only learn which palier they are to take.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::{ExitCode, terminal};

/// What is to be written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier init                 profiles/load-test.toml, a profile to begin with
  palier init github          beside it .github/workflows/load-test.yml
  palier init gitlab          beside it .gitlab/palier.yml, and .gitlab-ci.yml
  palier init kubernetes      beside it kubernetes/palier-job.yaml, and what a Job may observe

Files that are there already are left as they are. They go into the root of the Git repository that this folder is in,
else into this folder.")]
pub(super) struct Args {
    /// Which pipeline runs it
    #[arg(value_name = "PIPELINE", value_enum)]
    pipeline: Option<Pipeline>,
}

/// What runs palier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Pipeline {
    /// A workflow of GitHub Actions that gates pull requests
    Github,
    /// A job of GitLab CI that gates merge requests
    Gitlab,
    /// A Job in a cluster, which can observe an autoscaler and pods
    Kubernetes,
}

/// A file, by its path in the repository.
struct Template {
    path: &'static str,
    text: String,
}

/// Stands in the files for the repository that palier is released from.
const PLACEHOLDER: &str = "OWNER/palier";

/// The repository that this palier was released from; a build of one's own does not know.
const REPOSITORY: Option<&str> = option_env!("PALIER_REPOSITORY");

/// The version that stands in the files.
const TEMPLATE_VERSION: &str = "0.1.0";

const PROFILE: &str = include_str!("load-test.toml");
const PROFILE_KUBERNETES: &str = include_str!("kubernetes.toml");
const GITHUB: &str = include_str!("../../../ci/github/examples/load-test.yml");
const GITLAB: &str = include_str!("../../../ci/gitlab/examples/load-test.gitlab-ci.yml");
const GITLAB_TEMPLATE: &str = include_str!("../../../ci/gitlab/templates/palier/template.yml");
const JOB: &str = include_str!("../../../ci/kubernetes/job.yaml");
const OBSERVE: &str = include_str!("../../../ci/kubernetes/observe.yaml");

/// Writes what is not there yet, and says what is to be done next.
pub(super) fn init(args: &Args) -> Result<ExitCode, Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::other(error).while_doing("cannot tell which folder this is"))?;
    let root = root_of(&here);
    let mut text = String::new();
    let templates = templates(args.pipeline);
    let mut is_placeholder = false;
    for Template { path, text: content } in &templates {
        let file = root.join(path);
        let written = create(&file, content).map_err(|error| {
            Failure::other(error).while_doing(format!("cannot write `{}`", file.display()))
        })?;
        is_placeholder |= written && content.contains(PLACEHOLDER);
        let word = if written { "wrote" } else { "kept " };
        let _ = writeln!(text, "{word}  {}", shown(&file, &here));
    }
    text += &next(args.pipeline, &root, is_placeholder);
    terminal::print(&text)?;
    Ok(ExitCode::Pass)
}

/// The files, the profile first.
fn templates(pipeline: Option<Pipeline>) -> Vec<Template> {
    let profile = match pipeline {
        Some(Pipeline::Kubernetes) => format!("{PROFILE}{PROFILE_KUBERNETES}"),
        Some(Pipeline::Github | Pipeline::Gitlab) | None => PROFILE.to_owned(),
    };
    let rest: &[(&'static str, &str)] = match pipeline {
        None => &[],
        Some(Pipeline::Github) => &[(".github/workflows/load-test.yml", GITHUB)],
        Some(Pipeline::Gitlab) => &[(".gitlab/palier.yml", GITLAB_TEMPLATE), (".gitlab-ci.yml", GITLAB)],
        Some(Pipeline::Kubernetes) => {
            &[("kubernetes/palier-job.yaml", JOB), ("kubernetes/palier-observe.yaml", OBSERVE)]
        }
    };
    let mut templates = vec![Template { path: "profiles/load-test.toml", text: profile }];
    templates.extend(rest.iter().map(|(path, text)| Template { path, text: of_this_palier(text) }));
    templates
}

/// The text with this version of palier, and where it comes from.
fn of_this_palier(text: &str) -> String {
    let repository = REPOSITORY.unwrap_or(PLACEHOLDER);
    let version = env!("CARGO_PKG_VERSION");
    text.replace(&format!("ghcr.io/{PLACEHOLDER}"), &format!("ghcr.io/{}", image(repository)))
        .replace(PLACEHOLDER, repository)
        .replace(&format!("@v{TEMPLATE_VERSION}"), &format!("@v{version}"))
        .replace(&format!(":{TEMPLATE_VERSION}"), &format!(":{version}"))
}

/// The name of an image has no capital letters.
fn image(repository: &str) -> String {
    if repository == PLACEHOLDER { repository.to_owned() } else { repository.to_lowercase() }
}

/// What is to be done with the files.
fn next(pipeline: Option<Pipeline>, root: &Path, is_placeholder: bool) -> String {
    let mut text = "\nNext: put your address and your requests into profiles/load-test.toml, then\n  \
                    palier check load-test\n  palier run load-test\n"
        .to_owned();
    if pipeline == Some(Pipeline::Gitlab) {
        let own = fs::read_to_string(root.join(".gitlab-ci.yml")).unwrap_or_default();
        if !own.contains(".gitlab/palier.yml") {
            text += "\nAdd to .gitlab-ci.yml, which was there already:\n  include:\n    - local: .gitlab/palier.yml\n      \
                     inputs: { profile: load-test }\n";
        }
    }
    if pipeline == Some(Pipeline::Kubernetes) {
        text += "\nThe head of kubernetes/palier-job.yaml has the commands that run it in the cluster.\n";
    }
    if is_placeholder {
        text += "\nThis palier is a build of your own: put the repository or registry that yours is released from in the \
                 place of\nOWNER/palier in these files, or name a palier that the runner has in the variable PALIER_BIN.\n";
    }
    text
}

/// The root of the Git repository that a folder is in, else the folder.
fn root_of(folder: &Path) -> PathBuf {
    folder.ancestors().find(|parent| parent.join(".git").exists()).unwrap_or(folder).to_owned()
}

/// Writes a file where there is none; whether it did. Two at once do not write over each other.
fn create(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// A path as seen from a folder in which it lies, else as it is.
fn shown(path: &Path, from: &Path) -> String {
    path.strip_prefix(from).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_name_the_version_that_wrote_them() {
        let version = env!("CARGO_PKG_VERSION");
        for (text, reference) in [(GITHUB, "@v"), (GITLAB_TEMPLATE, ":"), (JOB, ":")] {
            assert!(text.contains(PLACEHOLDER), "{text}");
            assert!(of_this_palier(text).contains(&format!("{reference}{version}")), "{text}");
        }
    }
}
