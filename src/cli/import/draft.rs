//! A profile in the making, and its TOML.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use http::{HeaderName, HeaderValue};

use super::credentials::{self, Piece, Variables};
use crate::cli::toml_text::{key, literal, quoted};

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

/// The methods that a step has, as its keys.
pub(super) const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

impl Draft {
    /// Takes out what no request can hold, whatever it was read from.
    pub(super) fn keep_what_can_be_sent(&mut self) {
        sendable(&mut self.headers, &mut self.lost);
        for step in &mut self.steps {
            sendable(&mut step.headers, &mut step.lost);
        }
    }

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
        let mut variables = Variables::default();
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
        let names: Vec<String> = variables.names().map(quoted).collect();
        if !names.is_empty() {
            text += "# Credentials are no part of a profile: set these variables where it is run.\n";
            let _ = writeln!(text, "secrets = [{}]", names.join(", "));
        }
        text + &rest
    }
}

impl Step {
    fn write(&self, text: &mut String, names: &mut BTreeSet<String>, variables: &mut Variables) {
        let name = unique(&one_line(&self.name), names);
        text.push('\n');
        for lost in &self.lost {
            comment(text, &format!("{LOST} {lost}"));
        }
        let _ = writeln!(
            text,
            "[[step]]\nname = {}\n{} = {}",
            literal(&name),
            self.method,
            filled(&credentials::of_address(&path(&self.path)), variables)
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
            let _ = writeln!(text, "body = {}", filled(&self.credentials_of(body), variables));
        }
        if let Some(status) = self.status {
            let _ = writeln!(
                text,
                "checks = [{{ name = {}, status = {status} }}]",
                literal(&format!("{name} status {status}"))
            );
        }
        if let Some(pause) = self.pause {
            let _ = writeln!(text, "pause = \"{pause}ms\"");
        }
    }

    /// The credentials of its body, if that is JSON or a form.
    fn credentials_of<'a>(&self, body: &'a str) -> Vec<Piece<'a>> {
        let is_form = self.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("content-type")
                && value.starts_with("application/x-www-form-urlencoded")
        });
        match credentials::of_json(body) {
            Some(pieces) => pieces,
            None if is_form => credentials::of_pairs(body),
            None => vec![Piece::Plain(body)],
        }
    }
}

/// Leaves the headers that HTTP has room for (RFC 9110, 5.1 and 5.5).
fn sendable(headers: &mut Vec<(String, String)>, lost: &mut Vec<String>) {
    headers.retain(|(name, value)| {
        let why = match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(_), Ok(_)) => return true,
            (Err(_), _) => "a header whose name is none".to_owned(),
            (Ok(name), Err(_)) => format!("the header {name}: its value cannot be sent"),
        };
        lost.push(why);
        false
    });
}

/// Whether a header is the connection's own, or a browser's on itself, which palier's connection has in its own way.
pub(super) fn is_of_the_connection(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(':') || OF_THE_CONNECTION.contains(&name.as_str())
}

/// A header; the value of a credential is a variable.
fn pair((name, value): &(String, String), variables: &mut Variables) -> String {
    let piece = if credentials::is_header(name, value) {
        Piece::Credential { name: name.into(), value }
    } else {
        Piece::Plain(value)
    };
    format!("{} = {}", key(name), filled(&[piece], variables))
}

/// A text of which all but its credentials means itself.
fn filled(pieces: &[Piece<'_>], variables: &mut Variables) -> String {
    quoted(&variables.fill(pieces, plain))
}

/// A text that means itself where neither variables nor templates would.
fn plain(text: &str) -> String {
    // A template that can only be one text: there is no other way to write two braces.
    text.replace("${", "$${").replace("{{", r#"{{pick("{{")}}"#)
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

/// An address of HTTP, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme, host and port.
    pub(super) url: String,
    /// User and password, percent-encoded: a credential.
    pub(super) user: Option<String>,
    /// Path, query and fragment.
    pub(super) path: String,
}

/// Takes an address apart; `None` where it is none of HTTP.
pub(super) fn split(url: &str) -> Option<Address> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return None;
    }
    let (authority, path) = rest.split_at(end_of_authority(rest));
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let url = format!("{scheme}://{}", host.to_ascii_lowercase());
    let is_right = url.parse::<http::Uri>().is_ok_and(|uri| {
        let host = uri.host().unwrap_or_default();
        !host.is_empty() && (url.ends_with(host) || uri.port_u16().is_some_and(|port| port > 0))
    });
    is_right.then(|| Address { url, user: user.map(str::to_owned), path: path.to_owned() })
}

/// What may be shown of an address of any kind: neither user nor query, nor the data of a `data:`.
pub(super) fn shown(url: &str) -> String {
    let cut = |text: &str| text[..text.find(['?', '#', ',']).unwrap_or(text.len())].to_owned();
    let url = match url.split_once("://") {
        Some((scheme, rest)) => {
            let user = rest[..end_of_authority(rest)].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", cut(&rest[user..]))
        }
        None => cut(url),
    };
    url.chars().take(80).collect()
}

fn end_of_authority(rest: &str) -> usize {
    rest.find(['/', '?', '#']).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_that_is_shown_which_opens_no_door() {
        for (url, expected) in [
            ("wss://me:p,w@h/x?access_token=t", "wss://h/x"),
            ("http://h/a#t", "http://h/a"),
            ("data:image/png;base64,c2VjcmV0", "data:image/png;base64"),
            ("http://me:p@w@h", "http://h"),
            ("//x?y", "//x"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
        let address = Address { url: "http://h:1".into(), user: Some("me:pw".into()), path: "/a?b".into() };
        assert_eq!(split("HTTP://me:pw@H:1/a?b"), Some(address));
        assert_eq!(split("ftp://h/"), None);
    }
}
