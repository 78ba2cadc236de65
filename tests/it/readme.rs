//! The documents say what palier does: what they show is tried.
//!
//! - A ` ```toml ` block is read by `palier check`: as it stands where it names a target or what it extends, else as a
//!   part that is laid over the built-in profile `standard`. One that begins with a comment such as `# load.toml` is
//!   also a file, which the other blocks and commands of the same document can name.
//! - In a ` ```sh ` block each `palier …` and `cargo run --release -- …` has to be understood by the command line, and
//!   its profile to be right; `palier init` is run; any other program that is a path has to be there.
//! - Each line of a ` ```yaml ` block stands in one of the examples of `ci/`.
//! - What a link leads to is there.
//!
//! What is not to be tried stands in a block of another kind, such as ` ```text `.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use palier::words::Metric;

/// A fenced block of a document.
struct Block {
    language: String,
    /// The line of the document that its text begins in, counted from 1.
    line: usize,
    text: String,
}

/// What a document shows, with the files that it names laid out in a folder.
struct Document {
    name: String,
    blocks: Vec<Block>,
    folder: tempfile::TempDir,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) {
    let mut file = fs::File::create(path).expect("a file");
    file.write_all(text.as_bytes()).expect("room for it");
}

/// The names of all documents, from the root of the repository.
fn names() -> Vec<String> {
    let markdown = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root().join(folder)).expect("the folder can be read");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| has_extension(name, "md")).map(|name| format!("{folder}{name}")).collect()
    };
    let mut names = [markdown(""), markdown("docs/")].concat();
    names.sort();
    names
}

fn documents() -> Vec<Document> {
    names().iter().map(|name| Document::of(name, &read(&root().join(name)))).collect()
}

impl Document {
    fn of(name: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let blocks = blocks(text);
        for block in blocks.iter().filter(|block| block.language == "toml") {
            if let Some(file) = file_of(&block.text) {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder");
                write(&path, &block.text);
            }
        }
        Self { name: name.to_owned(), blocks, folder }
    }

    fn of_language(&self, language: &str) -> impl Iterator<Item = (String, &str)> {
        let of_language = self.blocks.iter().filter(move |block| block.language == language);
        of_language.map(|block| (format!("{}:{}", self.name, block.line), block.text.as_str()))
    }

    /// palier in the document's folder. What the documents say is true where the environment says nothing else; and a
    /// pipeline that these tests run in names files there that palier would write to.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_palier"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path());
        command.current_dir(self.folder.path());
        command
    }

    /// What palier says when it is called in the document's folder; `Err` if it does not like that.
    fn palier(&self, args: &[String]) -> Result<(), String> {
        let output = self.command().args(args).output().expect("palier can be started");
        if output.status.success() {
            return Ok(());
        }
        Err(format!("palier {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr)))
    }

    /// Checks a block of TOML.
    fn check_toml(&self, text: &str) -> Result<(), String> {
        let whole = text.lines().any(|line| line.starts_with("[target]") || line.starts_with("extends"));
        let text = if whole { text.to_owned() } else { format!("extends = \"standard\"\n{text}") };
        // Beside the file that the block is, if it is one: paths start from there.
        let beside = file_of(&text).map(PathBuf::from).unwrap_or_default();
        let path = beside.with_file_name("block-under-test.toml");
        write(&self.folder.path().join(&path), &text);
        self.palier(&["check".to_owned(), path.display().to_string()])
    }

    /// Checks a line of shell.
    fn check_command(&self, line: &str) -> Result<(), String> {
        let line = line.split_once(" #").map_or(line, |(command, _)| command);
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let args = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["palier", ..] => &words[1..],
            ["cargo", "run", "--release", "--", ..] => &words[4..],
            [program, ..] if program.contains('/') && !root().join(program).exists() => {
                return Err(format!("there is no {program}"));
            }
            _ => return Ok(()),
        };
        // The command line is read up to `--help`, and complained about if it is wrong.
        self.palier(&[args, &["--help".to_owned()]].concat())?;
        match args.first().map(String::as_str) {
            Some("run" | "check") => self.palier(&as_check(args)),
            // What it writes is what the commands after it are about.
            Some("init") => self.palier(args),
            _ => Ok(()),
        }
    }
}

/// `run` with its options as the `check` of the same profile.
fn as_check(args: &[String]) -> Vec<String> {
    let mut check = vec!["check".to_owned()];
    let mut rest = args[1..].iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--demo" | "-q" | "-v" | "--quiet" | "--verbose" => {}
            "--out" | "--wait" | "--on-warn" | "--progress" | "--shard" | "--start-at" => {
                rest.next();
            }
            _ => check.push(arg.clone()),
        }
    }
    check
}

/// The name in a first line such as `# scenarios/browse.toml`.
fn file_of(text: &str) -> Option<&str> {
    let comment = text.lines().find(|line| !line.starts_with("extends"))?.strip_prefix("# ")?;
    (has_extension(comment, "toml") && !comment.contains(' ')).then_some(comment)
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block { language: language.to_owned(), line: number + 1, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is never closed");
    blocks
}

/// Every error at once: whoever mends a document wants to see them all.
fn none(errors: &[String]) {
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
}

#[test]
fn the_toml_that_is_shown_is_right() {
    let (mut errors, mut tried) = (Vec::new(), 0);
    for document in documents() {
        for (place, text) in document.of_language("toml") {
            tried += 1;
            errors.extend(document.check_toml(text).err().map(|error| format!("{place}: {error}")));
        }
    }
    none(&errors);
    assert!(tried >= 10, "only {tried} blocks were found");
}

#[test]
fn the_commands_that_are_shown_are_understood() {
    let (mut errors, mut tried) = (Vec::new(), 0);
    for document in documents() {
        for (place, text) in document.of_language("sh") {
            for line in text.lines() {
                tried += 1;
                errors.extend(document.check_command(line).err().map(|error| format!("{place}: {error}")));
            }
        }
    }
    none(&errors);
    assert!(tried >= 10, "only {tried} commands were found");
}

#[test]
fn the_pipelines_that_are_shown_are_those_of_the_examples() {
    let examples = [
        "ci/github/examples/load-test.yml",
        "ci/github/examples/nightly.yml",
        "ci/github/examples/shards.yml",
        "ci/gitlab/examples/load-test.gitlab-ci.yml",
        "ci/gitlab/examples/shards.gitlab-ci.yml",
        "ci/gitlab/templates/palier/template.yml",
    ];
    let examples = examples.map(|name| read(&root().join(name)));
    let known: BTreeSet<&str> = examples.iter().flat_map(|text| text.lines()).collect();
    let mut tried = 0;
    for document in documents() {
        for (place, text) in document.of_language("yaml") {
            for line in text.lines() {
                tried += 1;
                assert!(known.contains(line), "{place}: no example has the line: {line}");
            }
        }
    }
    assert!(tried > 0, "no pipeline is shown");
}

#[test]
fn what_links_lead_to_is_there() {
    let mut errors = Vec::new();
    for name in names() {
        let text = read(&root().join(&name));
        let folder = root().join(&name).parent().expect("it lies in a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let path = link.split('#').next().unwrap_or_default();
            if !link.starts_with("https://") && !path.is_empty() && !folder.join(path).exists() {
                errors.push(format!("{name}: {link} leads nowhere"));
            }
        }
    }
    none(&errors);
}

#[test]
fn every_metric_is_described_with_its_kind_and_unit() {
    let text = read(&root().join("docs/metrics.md"));
    for &metric in Metric::ALL {
        let row = format!("| `{metric}` | {} | {} | ", metric.kind(), metric.unit());
        assert!(text.contains(&row), "docs/metrics.md has no row that begins with: {row}");
    }
}

#[test]
fn what_is_wrong_in_a_document_is_found() {
    let document =
        Document::of("x.md", "```toml\n# load.toml\n[thresholds]\nhttp_reqs = [\"rate>1\"]\n```\n");
    assert!(document.check_toml("[thresholds]\nhttp_reqs = [\"rate>1\"]\n").is_ok());
    assert!(document.check_toml("[thresholds]\nhttp_reks = [\"rate>1\"]\n").is_err());
    assert!(
        document.check_toml("[target]\nurl = \"http://localhost\"\n").is_err(),
        "it is whole, and lacks a load"
    );
    assert!(document.check_command("palier run quick --demo -q --out x # a comment").is_ok());
    assert!(document.check_command("palier run load.toml").is_err(), "no profile by itself");
    assert!(document.check_command("palier run quick --demon").is_err());
    assert!(document.check_command("palier run quick --set load.stages[7].target=1").is_err());
    assert!(document.check_command("cargo run --release -- rum quick").is_err());
    assert!(document.check_command("ci/no-such-script").is_err());
}

/// What stands beside the commands of today is not only understood: it is run, against the demo, in a fraction of the
/// time. Nobody observes anything here, which is said, and makes a verdict `invalid` instead of a pass.
#[test]
#[cfg(feature = "demo")]
fn what_replaces_the_commands_of_today_is_run() {
    let demo = palier::demo::Demo::start(palier::demo::Options::default()).expect("a port");
    let text = read(&root().join("docs/from-k6.md")).replace("http://localhost:5000", &demo.url());
    let document = Document::of("docs/from-k6.md", &text);
    let mut tried = BTreeSet::new();
    for (place, text) in document.of_language("sh") {
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ["palier", command, rest @ ..] = words.as_slice() else { panic!("{place}: {line}") };
            // Graces are scaled, too: what is under way at the end of so short a load is to come to its own.
            let graces = ["--set", "load.graceful_stop=1h", "--set", "load.graceful_ramp_down=1h"];
            let scale = ["--time-scale", "0.005"];
            let scale = match (*command, rest.first()) {
                ("run", Some(&("quick" | "standard"))) => [&scale[..], &graces].concat(),
                ("run", _) => scale.to_vec(),
                _ => Vec::new(),
            };
            let output = document
                .command()
                .arg(command)
                .args(rest)
                .args(&scale)
                .env("PALIER_TARGET", demo.url())
                .env("KUBECONFIG", "/nowhere/config")
                // Nobody listens there.
                .env("MYSQL_URL", "mysql://127.0.0.1:1/businessdb")
                .output()
                .expect("palier can be started");
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            let is_observed = line.contains("--observe");
            let codes: &[i32] = match *command {
                "run" if is_observed => &[98],
                // All its requests are made, whatever the time scale.
                "run" if rest[0] == "ab.toml" => &[0],
                // Too few requests for a percentile are no pass either.
                "run" => &[0, 98],
                "doctor" => &[1],
                "sweep" if line.contains("--profile") => &[1, 99],
                _ => &[0],
            };
            assert!(
                codes.iter().any(|code| output.status.code() == Some(*code)),
                "{place}: {line} ended with {:?}\n{said}",
                output.status.code()
            );
            if is_observed && *command == "run" {
                let kinds = words.iter().skip_while(|word| **word != "--observe").nth(1).expect("names");
                for kind in kinds.split(',') {
                    assert!(said.contains(kind), "{place}: {line} says nothing of {kind}\n{said}");
                }
            }
            tried.insert(*command);
        }
    }
    assert!(
        ["check", "run", "bench", "doctor", "sweep"].iter().all(|command| tried.contains(command)),
        "{tried:?}"
    );
}
