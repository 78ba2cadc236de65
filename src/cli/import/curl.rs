//! curl commands, as browsers and documents have them.
//!
//! A word of a command may be a secret: none is shown that is no known option, nor the value of one that is not carried
//! over.

use base64::Engine as _;

use super::ImportError;
use super::draft::{Draft, METHODS, Step, is_of_the_connection, shown, split};
use super::options::{Known, of_letter, of_name};
use super::words::{Command, commands};

/// Reads the commands of a text.
pub(super) fn read(text: &str) -> Result<Draft, ImportError> {
    let mut draft = Draft::default();
    for command in commands(text) {
        let is_before = |word: &&String| *word == "$" || variable(word).is_some();
        for name in command.words.iter().take_while(is_before).filter_map(|word| variable(word)) {
            draft.lost.push(format!("line {}: the shell's variable `{name}`", command.line));
        }
        let mut words = command.words.iter().skip_while(is_before);
        match words.next().map(String::as_str) {
            Some("curl") => {}
            Some(program) => {
                let program = program.split_whitespace().next().unwrap_or_default();
                draft.lost.push(format!("line {}: `{program}` is no curl command", command.line));
                continue;
            }
            None => continue,
        }
        let (url, step) = request(&command, words)?;
        if draft.url.is_empty() {
            draft.url = url;
        } else if draft.url != url {
            let method = step.method.to_uppercase();
            draft.lost.push(format!(
                "line {}: {method} {}: a profile has one target, {}",
                command.line,
                shown(&format!("{url}{}", step.path)),
                draft.url
            ));
            continue;
        }
        draft.steps.push(step);
    }
    if draft.steps.is_empty() {
        return Err(ImportError("there is no curl command with an address".into()));
    }
    Ok(draft)
}

/// Whether a line begins with a command of curl, behind a prompt and variables perhaps.
pub(super) fn is_command(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| *word == "$" || variable(word).is_some());
    words.next() == Some("curl") && words.next().is_some()
}

/// The name of a shell's variable, where a word gives it a value.
fn variable(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    let is_name = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    is_name.then_some(name)
}

/// What one command says so far.
#[derive(Default)]
struct Request {
    url: Option<String>,
    method: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<String>,
    query: Vec<String>,
    has_data_in_query: bool,
    is_json: bool,
    follows: bool,
    timeout: Option<String>,
    lost: Vec<String>,
}

/// Target and step of a command.
fn request<'a>(
    command: &Command,
    words: impl Iterator<Item = &'a String>,
) -> Result<(String, Step), ImportError> {
    let mut request = Request::default();
    request.read(words.map(String::as_str));
    let Request { url, method, mut headers, data, mut query, is_json, follows, timeout, mut lost, .. } =
        request;
    let at = |what: String| ImportError(format!("line {}: {what}", command.line));
    let url = url.ok_or_else(|| at("the command has no address".into()))?;
    let whole = if url.contains("://") { url } else { format!("http://{url}") };
    let address = split(&whole).ok_or_else(|| at(format!("`{}` is no address of HTTP", shown(&whole))))?;
    let has = |headers: &[(String, String)], name: &str| {
        headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    if let Some(user) = &address.user
        && !has(&headers, "authorization")
    {
        let user = percent_encoding::percent_decode_str(user).decode_utf8_lossy();
        headers.push(("Authorization".into(), basic(&user, &mut lost)));
    }
    let mut path = address.path.split('#').next().unwrap_or_default().to_owned();
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    let name = path.split('?').next().unwrap_or_default().to_owned();
    let mut body = None;
    if request.has_data_in_query {
        query.extend(data);
    } else if !data.is_empty() {
        let kind = if is_json { "application/json" } else { "application/x-www-form-urlencoded" };
        if !has(&headers, "content-type") {
            headers.push(("Content-Type".into(), kind.into()));
        }
        if is_json && !has(&headers, "accept") {
            headers.push(("Accept".into(), kind.into()));
        }
        body = Some(data.join(if is_json { "" } else { "&" }));
    }
    for part in query {
        path += if path.contains('?') { "&" } else { "?" };
        path += &part;
    }
    let method = method.unwrap_or_else(|| if body.is_some() { "post" } else { "get" }.to_owned());
    let name = format!("{} {name}", method.to_uppercase());
    // curl takes an answer of 302 as it is, unless it is told to follow.
    let redirects = (!follows).then_some(0);
    Ok((address.url, Step { name, method, path, headers, body, redirects, timeout, lost, ..Step::default() }))
}

/// The value of `Authorization` for a user and a password.
fn basic(user: &str, lost: &mut Vec<String>) -> String {
    if !user.contains(':') {
        lost.push("the password of a user, which curl asks for".into());
    }
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(user))
}

impl Request {
    /// Goes through the words as curl does: an option with a value takes the rest of its word, or the next word.
    fn read<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) {
        let mut is_after_unknown = false;
        while let Some(word) = words.next() {
            let follows_unknown = std::mem::take(&mut is_after_unknown);
            match (word.strip_prefix("--"), word.strip_prefix('-')) {
                (Some(""), _) => {
                    words.by_ref().for_each(|word| self.address(word));
                }
                (Some(long), _) => {
                    let (name, attached) =
                        long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                    match of_name(name) {
                        Some(known) if known.name == "next" => return self.lose_the_rest(words),
                        Some(known) if known.takes_value => {
                            self.take(known, attached.or_else(|| words.next()).unwrap_or_default());
                        }
                        Some(known) => self.set(known),
                        None => is_after_unknown = self.unknown(),
                    }
                }
                (None, Some(letters)) if !letters.is_empty() => {
                    let mut rest = letters;
                    while let Some(letter) = rest.chars().next() {
                        rest = &rest[letter.len_utf8()..];
                        match of_letter(letter) {
                            Some(known) if known.name == "next" => return self.lose_the_rest(words),
                            Some(known) if known.takes_value => {
                                let attached = Some(rest).filter(|rest| !rest.is_empty());
                                self.take(known, attached.or_else(|| words.next()).unwrap_or_default());
                                break;
                            }
                            Some(known) => self.set(known),
                            None => {
                                is_after_unknown = self.unknown();
                                break;
                            }
                        }
                    }
                }
                // It may be what the unknown option wants.
                _ if follows_unknown && !word.contains("://") => {}
                _ => self.address(word),
            }
        }
    }

    fn address(&mut self, word: &str) {
        if self.url.is_none() {
            self.url = Some(word.to_owned());
        } else {
            self.lost.push("a second address".into());
        }
    }

    fn lose_the_rest<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        if words.count() > 0 {
            self.lost.push("--next and what follows it: write it as a command of its own".into());
        }
    }

    /// True: the next word may belong to it.
    fn unknown(&mut self) -> bool {
        self.lost.push("an option that curl's manual does not have, with the word that follows it".into());
        true
    }

    /// An option without a value.
    fn set(&mut self, known: Known) {
        match (known.name, !known.is_off) {
            ("get", is_on) => self.has_data_in_query = is_on,
            ("head", true) => self.method = Some("head".into()),
            ("location" | "location-trusted", is_on) => self.follows = is_on,
            ("compressed", true) => {
                if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding")) {
                    self.add_header("Accept-Encoding", "gzip, deflate, br");
                }
            }
            ("insecure", true) => self
                .lost
                .push("-k: certificates are always verified; `SSL_CERT_FILE` names roots of your own".into()),
            ("head" | "compressed" | "insecure", false) => {}
            _ if known.is_of_output => {}
            (name, true) => self.lost.push(format!("--{name}")),
            (name, false) => self.lost.push(format!("--no-{name}")),
        }
    }

    /// An option with its value.
    fn take(&mut self, known: Known, value: &str) {
        match known.name {
            "request" => match value.to_lowercase() {
                method if METHODS.contains(&method.as_str()) => self.method = Some(method),
                _ => self.lost.push(format!("the method of --request: a step has {}", METHODS.join(", "))),
            },
            "header" => match value.split_once(':') {
                Some((name, text)) if !name.trim().is_empty() && !text.trim().is_empty() => {
                    self.add_header(name.trim(), text.trim());
                }
                Some(_) => self.lost.push("a header without a value".into()),
                None => self.lost.push("a header without a colon".into()),
            },
            "user-agent" => self.add_header("User-Agent", value),
            "referer" => self.add_header("Referer", value),
            "cookie" if value.contains('=') => self.add_header("Cookie", value),
            "cookie" => self.lost.push("the file of --cookie".into()),
            "user" => {
                let value = basic(value, &mut self.lost);
                self.add_header("Authorization", &value);
            }
            "oauth2-bearer" => self.add_header("Authorization", &format!("Bearer {value}")),
            "data" | "data-ascii" | "data-binary" | "json" if value.starts_with('@') => {
                self.lost.push(format!("the body from the file of --{}: a step has its text", known.name));
            }
            "data" | "data-ascii" | "data-binary" | "data-raw" => self.data.push(value.to_owned()),
            "json" => {
                self.is_json = true;
                self.data.push(value.to_owned());
            }
            "data-urlencode" => {
                let encoded = self.encoded(known, value);
                self.data.extend(encoded);
            }
            "url-query" => {
                let encoded = value.strip_prefix('+').map(str::to_owned);
                let encoded = encoded.or_else(|| self.encoded(known, value));
                self.query.extend(encoded);
            }
            "max-time" => match value.parse::<f64>() {
                Ok(seconds) if seconds > 0.0 => {
                    self.timeout = Some(format!("\"{}ms\"", (seconds * 1e3).round()));
                }
                Ok(_) | Err(_) => self.lost.push("--max-time, whose value is no number of seconds".into()),
            },
            "url" => self.address(value),
            _ if known.is_of_output => {}
            name => self.lost.push(format!("--{name} and its value")),
        }
    }

    /// A header; those of the connection are palier's own.
    fn add_header(&mut self, name: &str, value: &str) {
        if is_of_the_connection(name) {
            self.lost.push(format!("the header {name}: the connection's own"));
        } else if let Some((_, known)) =
            self.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            // A list, as RFC 9110 has it; of cookies with a semicolon.
            *known += if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " };
            *known += value;
        } else if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// `name=text` with its text percent-encoded, as curl does it; without the `=` and with an `@`, it is in a file.
    fn encoded(&mut self, known: Known, text: &str) -> Option<String> {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        match text.split_once('=') {
            Some(("", value)) => Some(encode(value)),
            Some((name, value)) => Some(format!("{name}={}", encode(value))),
            None if text.contains('@') => {
                self.lost.push(format!("the text from the file of --{}", known.name));
                None
            }
            None => Some(encode(text)),
        }
    }
}
