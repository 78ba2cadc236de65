//! A profile in the making, and its TOML.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::cli::credentials::is_credential;
use crate::cli::toml_text::{key, quoted};

/// What begins the comment on what a profile cannot hold.
const LOST: &str = "not carried over:";

/// The load where what was imported says nothing of one.
const LOAD: &str = "\
# Nothing was said of the load: put yours here.
[load]
executor = \"ramping-vus\"
stages = [
  { name = \"climb\", duration = \"20s\", target = 10 },
  { name = \"hold\", duration = \"1m\", target = 10 },
  { name = \"stop\", duration = \"10s\", target = 0 },
]
";

/// A profile in the making. Texts in it are as they are meant: escaping is what [`Draft::to_toml`] does.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Scheme, host and port.
    pub(super) url: String,
    /// Headers of every request.
    pub(super) headers: Vec<(String, String)>,
    /// Further lines of `[target]`, as TOML.
    pub(super) target: Vec<String>,
    /// `[load]` or `[[loads]]`, as TOML; a default one where there is none.
    pub(super) load: Option<String>,
    /// The steps, in order.
    pub(super) steps: Vec<Step>,
    /// `[thresholds]`, as TOML.
    pub(super) thresholds: String,
    /// What was read and a profile cannot hold, a sentence each.
    pub(super) lost: Vec<String>,
    /// What a reader must know, a sentence each.
    pub(super) notes: Vec<String>,
}

/// One request.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) name: String,
    /// In lower case, as the key of a step.
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    /// The status that it had.
    pub(super) status: Option<u16>,
    /// How many redirects are followed, where that is not palier's own number.
    pub(super) redirects: Option<u32>,
    /// As TOML: `"10s"`.
    pub(super) timeout: Option<String>,
    /// In milliseconds, after the step.
    pub(super) pause: Option<u64>,
    /// What a step cannot hold, a sentence each.
    pub(super) lost: Vec<String>,
}

/// Headers that only make sense for the one that sent them, or are the connection's own.
const OF_THE_CONNECTION: [&str; 7] =
    ["host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "keep-alive"];

impl Draft {
    /// How many things could not be carried over.
    pub(super) fn lost(&self) -> usize {
        self.lost.len() + self.steps.iter().map(|step| step.lost.len()).sum::<usize>()
    }

    /// The profile, with what it cannot hold in comments.
    pub(super) fn to_toml(&self, from: &str) -> String {
        let mut text =
            format!("# Imported by palier {} from {}.\n", env!("CARGO_PKG_VERSION"), one_line(from));
        for note in &self.notes {
            comment(&mut text, note);
        }
        for lost in &self.lost {
            comment(&mut text, &format!("{LOST} {lost}"));
        }
        let mut variables = BTreeSet::new();
        let mut rest = format!("\n[target]\nurl = {}\n", literal(&self.url));
        for line in &self.target {
            let _ = writeln!(rest, "{line}");
        }
        if !self.headers.is_empty() {
            let _ = writeln!(
                rest,
                "headers = {{ {} }}",
                self.headers.iter().map(|it| pair(it, &mut variables)).collect::<Vec<_>>().join(", ")
            );
        }
        let _ = write!(rest, "\n{}", self.load.as_deref().unwrap_or(LOAD));
        let mut names = BTreeSet::new();
        for step in &self.steps {
            step.write(&mut rest, &mut names, &mut variables);
        }
        if !self.thresholds.is_empty() {
            let _ = write!(rest, "\n[thresholds]\n{}", self.thresholds);
        }
        if !variables.is_empty() {
            text += "# Credentials are no part of a profile: set these variables where it is run.\n";
            let names: Vec<String> = variables.iter().map(|name| quoted(name)).collect();
            let _ = writeln!(text, "secrets = [{}]", names.join(", "));
        }
        text + &rest
    }
}

impl Step {
    fn write(&self, text: &mut String, names: &mut BTreeSet<String>, variables: &mut BTreeSet<String>) {
        let name = unique(&one_line(&self.name), names);
        text.push('\n');
        for lost in &self.lost {
            comment(text, &format!("{LOST} {lost}"));
        }
        let _ = writeln!(
            text,
            "[[step]]\nname = {}\n{} = {}",
            quoted(&name),
            self.method,
            literal(&path(&self.path))
        );
        if let Some(redirects) = self.redirects {
            let _ = writeln!(text, "redirects = {redirects}");
        }
        if let Some(timeout) = &self.timeout {
            let _ = writeln!(text, "timeout = {timeout}");
        }
        let kept: Vec<&(String, String)> =
            self.headers.iter().filter(|(name, _)| !is_of_the_connection(name)).collect();
        if !kept.is_empty() {
            let pairs: Vec<String> = kept.iter().map(|it| pair(it, variables)).collect();
            let _ = writeln!(text, "headers = {{ {} }}", pairs.join(", "));
        }
        if let Some(body) = &self.body {
            let _ = writeln!(text, "body = {}", literal(body));
        }
        if let Some(status) = self.status {
            let _ = writeln!(
                text,
                "checks = [{{ name = {}, status = {status} }}]",
                quoted(&format!("{name} status {status}"))
            );
        }
        if let Some(pause) = self.pause {
            let _ = writeln!(text, "pause = \"{pause}ms\"");
        }
    }
}

/// Whether a header is the connection's own, or a browser's on itself, which palier's connection has in its own way.
pub(super) fn is_of_the_connection(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(':') || OF_THE_CONNECTION.contains(&name.as_str())
}

/// A header; the value of a credential is a variable.
fn pair((name, value): &(String, String), variables: &mut BTreeSet<String>) -> String {
    if is_credential(name) {
        let variable: String = name
            .chars()
            .map(|it| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' })
            .collect();
        let text = format!("{} = {}", key(name), quoted(&format!("${{{variable}:-}}")));
        variables.insert(variable);
        return text;
    }
    format!("{} = {}", key(name), literal(value))
}

/// A text that means itself: neither variables nor templates.
pub(super) fn literal(text: &str) -> String {
    // A template that can only be one text: there is no other way to write two braces.
    quoted(&text.replace("${", "$${").replace("{{", r#"{{pick("{{")}}"#))
}

/// A path as a step takes it: what is no part of one is percent-encoded.
fn path(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let encode = |byte: u8| match byte {
        b'{' | b'}' | b'"' | b'\\' | b'^' | b'`' | b'|' | b'<' | b'>' => format!("%{byte:02X}"),
        byte if byte.is_ascii_graphic() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    path.bytes().map(encode).collect()
}

/// A name that no step has yet.
fn unique(name: &str, names: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut n = 1;
    while !names.insert(candidate.clone()) {
        n += 1;
        candidate = format!("{name} ({n})");
    }
    candidate
}

fn comment(text: &mut String, line: &str) {
    let _ = writeln!(text, "# {}", one_line(line));
}

/// A text that stays in its line: a comment ends there.
fn one_line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// Scheme and host of an address, and what follows; `None` where it is none of HTTP.
pub(super) fn split(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // A user in an address is a credential, which the caller takes out.
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let url = format!("{scheme}://{}", host.to_ascii_lowercase());
    let is_right = !host.is_empty() && url.parse::<http::Uri>().is_ok_and(|uri| uri.host().is_some());
    is_right.then(|| (url, path.to_owned()))
}
