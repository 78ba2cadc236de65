//! Which pipeline a run belongs to, as far as the environment tells.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Env;
use crate::report::Format;
use crate::report::summary::Environment;

/// A service that runs pipelines, where palier does something special for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    /// Knows groups of lines, annotations and step summaries.
    GitHub,
    /// Knows sections.
    GitLab,
    /// Nothing special.
    Other,
}

impl Provider {
    /// The service whose pipeline this is, or [`Provider::Other`].
    pub(super) fn detect(env: &Env) -> Self {
        if env.is_true("GITHUB_ACTIONS") {
            Self::GitHub
        } else if env.is_true("GITLAB_CI") {
            Self::GitLab
        } else {
            Self::Other
        }
    }
}

/// The pipeline, the commit, the job's page and that of the report in `folder`, an absolute path; nothing outside of
/// a pipeline.
pub(super) fn environment(env: &Env, folder: &Path) -> Environment {
    Environment { report_url: report_url(env, folder), ..job(env) }
}

/// Where providers that let artifacts be opened singly have the report. GitHub packs them, so it has none.
fn report_url(env: &Env, folder: &Path) -> Option<String> {
    let (workspace, artifacts) = if env.is_true("GITLAB_CI") {
        (env.get("CI_PROJECT_DIR")?, format!("{}/artifacts/file", env.get("CI_JOB_URL")?))
    } else if env.get("JENKINS_URL").is_some() {
        (env.get("WORKSPACE")?, format!("{}/artifact", env.get("BUILD_URL")?.trim_end_matches('/')))
    } else {
        return None;
    };
    // Only what lies within the workspace can be kept.
    let path = folder.strip_prefix(workspace).ok()?;
    let names = path.components().map(|name| name.as_os_str().to_string_lossy().into_owned());
    let names = names.chain([Format::PAGE.file_name().to_owned()]);
    let names: Vec<String> = names.map(|name| utf8_percent_encode(&name, PATH).to_string()).collect();
    Some(format!("{artifacts}/{}", names.join("/")))
}

/// What does not stand for itself in the path of an address.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn job(env: &Env) -> Environment {
    let get = |name: &str| env.get(name).map(str::to_owned);
    let first = |names: &[&str]| names.iter().find_map(|name| get(name));
    let found = |ci: &str, commit: &[&str], branch: &[&str], job_url: Option<String>| Environment {
        ci: Some(ci.to_owned()),
        commit: first(commit),
        branch: first(branch).map(|name| short(&name).to_owned()),
        job_url,
        report_url: None,
    };
    if env.is_true("GITHUB_ACTIONS") {
        // Forgejo and Gitea speak GitHub's language and say who they are besides.
        let ci = match () {
            () if env.is_true("FORGEJO_ACTIONS") => "forgejo",
            () if env.is_true("GITEA_ACTIONS") => "gitea",
            () => "github",
        };
        // Of a pull request, the name of the reference is that of its merge.
        return found(ci, &["GITHUB_SHA"], &["GITHUB_HEAD_REF", "GITHUB_REF_NAME"], github_job(env));
    }
    if env.is_true("GITLAB_CI") {
        let branch = ["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"];
        return found("gitlab", &["CI_COMMIT_SHA"], &branch, get("CI_JOB_URL"));
    }
    if env.get("JENKINS_URL").is_some() || env.get("JENKINS_HOME").is_some() {
        let branch = ["CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"];
        return found("jenkins", &["GIT_COMMIT"], &branch, get("BUILD_URL"));
    }
    if env.is_true("TF_BUILD") {
        let branch = ["SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH"];
        return found("azure", &["BUILD_SOURCEVERSION"], &branch, azure_job(env));
    }
    if env.is_true("CIRCLECI") {
        return found(
            "circleci",
            &["CIRCLE_SHA1"],
            &["CIRCLE_BRANCH", "CIRCLE_TAG"],
            get("CIRCLE_BUILD_URL"),
        );
    }
    if env.is_true("BUILDKITE") {
        let job = env.get("BUILDKITE_JOB_ID").map(|id| format!("#{id}")).unwrap_or_default();
        let job_url = get("BUILDKITE_BUILD_URL").map(|build| build + &job);
        return found("buildkite", &["BUILDKITE_COMMIT"], &["BUILDKITE_BRANCH"], job_url);
    }
    if env.get("BITBUCKET_BUILD_NUMBER").is_some() {
        let branch = ["BITBUCKET_BRANCH", "BITBUCKET_TAG"];
        return found("bitbucket", &["BITBUCKET_COMMIT"], &branch, bitbucket_job(env));
    }
    if env.get("TEAMCITY_VERSION").is_some() {
        return found("teamcity", &["BUILD_VCS_NUMBER"], &[], get("BUILD_URL"));
    }
    if env.get("CI") == Some("woodpecker") {
        return found("woodpecker", &["CI_COMMIT_SHA"], &["CI_COMMIT_BRANCH"], get("CI_PIPELINE_URL"));
    }
    if env.is_on("CI") {
        return found("unknown", &[], &[], None);
    }
    Environment { ci: None, commit: None, branch: None, job_url: None, report_url: None }
}

/// A branch without what Git and Jenkins put before it.
fn short(branch: &str) -> &str {
    let prefixes = ["refs/heads/", "refs/tags/", "origin/"];
    prefixes.iter().find_map(|prefix| branch.strip_prefix(prefix)).unwrap_or(branch)
}

fn github_job(env: &Env) -> Option<String> {
    let [server, repository, run] =
        ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(|name| env.get(name));
    let attempt = match env.get("GITHUB_RUN_ATTEMPT") {
        Some(attempt) if attempt != "1" => format!("/attempts/{attempt}"),
        Some(_) | None => String::new(),
    };
    Some(format!("{}/{}/actions/runs/{}{attempt}", server?, repository?, run?))
}

fn azure_job(env: &Env) -> Option<String> {
    let [server, project, build] =
        ["SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID"].map(|name| env.get(name));
    // Projects may have blanks in their names.
    let project = project?.replace(' ', "%20");
    Some(format!("{}/{project}/_build/results?buildId={}", server?.trim_end_matches('/'), build?))
}

fn bitbucket_job(env: &Env) -> Option<String> {
    let origin = env.get("BITBUCKET_GIT_HTTP_ORIGIN")?;
    Some(format!("{origin}/pipelines/results/{}", env.get("BITBUCKET_BUILD_NUMBER")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<const N: usize>(variables: [(&str, &str); N], expected: [Option<&str>; 4]) {
        let found = job(&Env::of(variables));
        let found = [&found.ci, &found.commit, &found.branch, &found.job_url].map(Option::as_deref);
        assert_eq!(found, expected);
    }

    #[test]
    fn github() {
        check(
            [
                ("CI", "true"),
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_SHA", "4f2a"),
                ("GITHUB_REF_NAME", "12/merge"),
                ("GITHUB_HEAD_REF", "faster"),
                ("GITHUB_SERVER_URL", "https://github.com"),
                ("GITHUB_REPOSITORY", "a/b"),
                ("GITHUB_RUN_ID", "17"),
                ("GITHUB_RUN_ATTEMPT", "1"),
            ],
            [Some("github"), Some("4f2a"), Some("faster"), Some("https://github.com/a/b/actions/runs/17")],
        );
        check(
            [
                ("GITHUB_ACTIONS", "true"),
                ("FORGEJO_ACTIONS", "true"),
                // Set, but empty, outside of pull requests.
                ("GITHUB_HEAD_REF", ""),
                ("GITHUB_REF_NAME", "main"),
                ("GITHUB_SERVER_URL", "https://codeberg.org"),
                ("GITHUB_REPOSITORY", "a/b"),
                ("GITHUB_RUN_ID", "17"),
                ("GITHUB_RUN_ATTEMPT", "2"),
            ],
            [
                Some("forgejo"),
                None,
                Some("main"),
                Some("https://codeberg.org/a/b/actions/runs/17/attempts/2"),
            ],
        );
    }

    #[test]
    fn gitlab() {
        let variables = [
            ("GITLAB_CI", "true"),
            ("CI_COMMIT_SHA", "4f2a"),
            ("CI_COMMIT_REF_NAME", "main"),
            ("CI_JOB_URL", "https://gitlab.com/a/b/-/jobs/3"),
        ];
        check(
            variables,
            [Some("gitlab"), Some("4f2a"), Some("main"), Some("https://gitlab.com/a/b/-/jobs/3")],
        );
        assert_eq!(Provider::detect(&Env::of(variables)), Provider::GitLab);
        // What gitlab-ci-local sets.
        assert_eq!(Provider::detect(&Env::of([("GITLAB_CI", "false")])), Provider::Other);
    }

    #[test]
    fn the_report_is_found_among_the_artifacts() {
        let url = |variables: [(&str, &str); 3], folder: &str| {
            environment(&Env::of(variables), Path::new(folder)).report_url
        };
        let gitlab = [
            ("GITLAB_CI", "true"),
            ("CI_JOB_URL", "https://gitlab.com/a/b/-/jobs/3"),
            ("CI_PROJECT_DIR", "/builds/a/b"),
        ];
        let page = Format::PAGE.file_name();
        assert_eq!(
            url(gitlab, "/builds/a/b/out/load test"),
            Some(format!("https://gitlab.com/a/b/-/jobs/3/artifacts/file/out/load%20test/{page}"))
        );
        assert_eq!(url(gitlab, "/tmp/out"), None, "nothing there is kept");
        let jenkins = [("JENKINS_URL", "http://j/"), ("BUILD_URL", "http://j/job/x/4/"), ("WORKSPACE", "/w")];
        assert_eq!(url(jenkins, "/w/out"), Some(format!("http://j/job/x/4/artifact/out/{page}")));
        assert_eq!(url([("CI", "true"), ("A", "b"), ("C", "d")], "/w/out"), None);
    }

    #[test]
    fn others() {
        check(
            [
                ("JENKINS_URL", "http://j/"),
                ("GIT_COMMIT", "4f2a"),
                ("GIT_BRANCH", "origin/main"),
                ("BUILD_URL", "http://j/job/x/4/"),
            ],
            [Some("jenkins"), Some("4f2a"), Some("main"), Some("http://j/job/x/4/")],
        );
        check(
            [
                ("TF_BUILD", "True"),
                ("BUILD_SOURCEVERSION", "4f2a"),
                ("BUILD_SOURCEBRANCH", "refs/heads/x/y"),
                ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/o/"),
                ("SYSTEM_TEAMPROJECT", "a b"),
                ("BUILD_BUILDID", "9"),
            ],
            [
                Some("azure"),
                Some("4f2a"),
                Some("x/y"),
                Some("https://dev.azure.com/o/a%20b/_build/results?buildId=9"),
            ],
        );
        check(
            [
                ("BUILDKITE", "true"),
                ("BUILDKITE_BUILD_URL", "https://buildkite.com/a/b/1"),
                ("BUILDKITE_JOB_ID", "j"),
            ],
            [Some("buildkite"), None, None, Some("https://buildkite.com/a/b/1#j")],
        );
        check([("CIRCLECI", "true"), ("CIRCLE_TAG", "v1")], [Some("circleci"), None, Some("v1"), None]);
        check([("CI", "1")], [Some("unknown"), None, None, None]);
        check([("CI", "false")], [None; 4]);
        check([], [None; 4]);
    }
}
