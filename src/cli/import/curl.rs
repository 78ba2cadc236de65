//! curl commands, as browsers and documents have them.

use base64::Engine as _;

use super::ImportError;
use super::draft::{Draft, Step, split};
use super::words::{Command, commands};

/// Options that take a value and say nothing of the request.
const OF_CURL_WITH_VALUE: [&str; 14] = [
    "-o",
    "--output",
    "-w",
    "--write-out",
    "-D",
    "--dump-header",
    "-c",
    "--cookie-jar",
    "--retry",
    "--retry-delay",
    "--stderr",
    "--trace",
    "--trace-ascii",
    "--output-dir",
];

/// Options without a value that say nothing of the request.
const OF_CURL: [&str; 17] = [
    "-s",
    "--silent",
    "-S",
    "--show-error",
    "-v",
    "--verbose",
    "-i",
    "--include",
    "-f",
    "--fail",
    "-#",
    "--progress-bar",
    "-N",
    "--no-buffer",
    "-O",
    "--remote-name",
    "--fail-with-body",
];

/// Options that change the request in a way that palier has no word for, and take a value.
const FOREIGN_WITH_VALUE: [&str; 18] = [
    "-x",
    "--proxy",
    "-F",
    "--form",
    "--form-string",
    "-T",
    "--upload-file",
    "--resolve",
    "--connect-to",
    "--cacert",
    "--cert",
    "-E",
    "--key",
    "--interface",
    "--unix-socket",
    "--connect-timeout",
    "--max-redirs",
    "-r",
];

/// Reads the commands of a text.
pub(super) fn read(text: &str) -> Result<Draft, ImportError> {
    let mut draft = Draft::default();
    for command in commands(text) {
        let mut words = command.words.iter().map(String::as_str).skip_while(|it| *it == "$");
        if words.next() != Some("curl") {
            let program = command.words.first().map_or("", String::as_str);
            draft.lost.push(format!("line {}: `{program}` is no curl command", command.line));
            continue;
        }
        let (url, step) = request(&command)?;
        if draft.url.is_empty() {
            draft.url = url;
        } else if draft.url != url {
            draft.lost.push(format!(
                "line {}: {} {url}{}: a profile has one target, {}",
                command.line,
                step.method.to_uppercase(),
                step.path,
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

/// What one command says so far.
#[derive(Default)]
struct Request {
    url: Option<String>,
    method: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<String>,
    is_query: bool,
    is_json: bool,
    follows: bool,
    timeout: Option<String>,
    lost: Vec<String>,
}

/// Target and step of a command.
fn request(command: &Command) -> Result<(String, Step), ImportError> {
    let mut request = Request::default();
    let mut words = command.words.iter().skip_while(|it| *it != "curl").skip(1);
    while let Some(word) = words.next() {
        let (option, attached) = taken_apart(word);
        let mut value = || attached.clone().or_else(|| words.next().cloned()).unwrap_or_default();
        option_of(&mut request, &option, word, &mut value);
    }
    let at = |what: &str| ImportError(format!("line {}: {what}", command.line));
    let url = request.url.clone().ok_or_else(|| at("the command has no address"))?;
    let whole = if url.contains("://") { url.clone() } else { format!("http://{url}") };
    let (url, mut path) = split(&whole).ok_or_else(|| at(&format!("`{url}` is no address of HTTP")))?;
    if path.is_empty() {
        path.push('/');
    }
    let data = (!request.data.is_empty()).then(|| request.data.join("&"));
    let mut body = None;
    if let Some(data) = data {
        if request.is_query {
            path += if path.contains('?') { "&" } else { "?" };
            path += &data;
        } else {
            let has = |name: &str| request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
            if !has("content-type") {
                let kind =
                    if request.is_json { "application/json" } else { "application/x-www-form-urlencoded" };
                request.headers.push(("Content-Type".into(), kind.into()));
            }
            body = Some(data);
        }
    }
    let method = request.method.unwrap_or_else(|| if body.is_some() { "post" } else { "get" }.to_owned());
    let name = format!("{} {}", method.to_uppercase(), path.split('?').next().unwrap_or_default());
    let Request { headers, timeout, lost, follows, .. } = request;
    // curl takes an answer of 302 as it is, unless it is told to follow.
    let redirects = (!follows).then_some(0);
    Ok((url, Step { name, method, path, headers, body, redirects, timeout, lost, ..Step::default() }))
}

/// `--name=value` and `-Xvalue` in two.
fn taken_apart(word: &str) -> (String, Option<String>) {
    if let Some((name, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
        return (name.to_owned(), Some(value.to_owned()));
    }
    let mut characters = word.char_indices();
    let is_short = word.starts_with('-') && !word.starts_with("--");
    if is_short && let Some((end, letter)) = characters.nth(2) {
        let option = &word[..end];
        // Of letters in a row, all but the last take no value.
        let takes_value = "XHdAbeumoxFTcwDrE".contains(option.chars().nth(1).unwrap_or_default());
        if takes_value {
            return (option.to_owned(), Some(word[end..].to_owned()));
        }
        let _ = letter;
    }
    (word.to_owned(), None)
}

fn option_of(request: &mut Request, option: &str, word: &str, value: &mut dyn FnMut() -> String) {
    match option {
        "-X" | "--request" => {
            let method = value().to_lowercase();
            if ["get", "post", "put", "patch", "delete", "head", "options"].contains(&method.as_str()) {
                request.method = Some(method);
            } else {
                request.lost.push(format!("the method {method}"));
            }
        }
        "-H" | "--header" => {
            let header = value();
            match header.split_once(':') {
                Some((name, text)) if !name.trim().is_empty() && !text.trim().is_empty() => {
                    add_header(request, name.trim(), text.trim());
                }
                Some(_) | None => request.lost.push(format!("the header `{header}`")),
            }
        }
        "-A" | "--user-agent" => add_header(request, "User-Agent", &value()),
        "-e" | "--referer" => add_header(request, "Referer", &value()),
        "-b" | "--cookie" => {
            let cookie = value();
            if cookie.contains('=') {
                add_header(request, "Cookie", &cookie);
            } else {
                request.lost.push(format!("the cookies of the file `{cookie}`"));
            }
        }
        "-u" | "--user" => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(value());
            add_header(request, "Authorization", &format!("Basic {encoded}"));
        }
        "-d" | "--data" | "--data-ascii" | "--data-binary" | "--data-raw" | "--json" | "--data-urlencode" => {
            let text = value();
            request.is_json |= option == "--json";
            if text.starts_with('@') && option != "--data-raw" {
                request
                    .lost
                    .push(format!("the body from the file `{}`: `body_file` is still to come", &text[1..]));
            } else if option == "--data-urlencode" {
                request.data.push(encoded(&text));
            } else {
                request.data.push(text);
            }
        }
        "-G" | "--get" => request.is_query = true,
        "-I" | "--head" => request.method = Some("head".into()),
        "-m" | "--max-time" => {
            let seconds = value();
            match seconds.parse::<f64>() {
                Ok(number) if number > 0.0 => {
                    request.timeout = Some(format!("\"{}ms\"", (number * 1e3).round()));
                }
                Ok(_) | Err(_) => request.lost.push(format!("{option} {seconds}")),
            }
        }
        "--url" => request.url = Some(value()),
        "--compressed" => {
            if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding")) {
                add_header(request, "Accept-Encoding", "gzip, deflate, br");
            }
        }
        "-L" | "--location" => request.follows = true,
        "-k" | "--insecure" => request
            .lost
            .push("-k: certificates are always verified; `SSL_CERT_FILE` names roots of your own".into()),
        option if OF_CURL.contains(&option) => {}
        option if OF_CURL_WITH_VALUE.contains(&option) => drop(value()),
        option if FOREIGN_WITH_VALUE.contains(&option) => {
            // The value may be a secret.
            drop(value());
            request.lost.push(format!("{option} and its value"));
        }
        option if option.starts_with('-') && option.len() > 1 => {
            let letters = option.trim_start_matches('-');
            let is_row = !option.starts_with("--")
                && letters
                    .chars()
                    .all(|it| OF_CURL.contains(&format!("-{it}").as_str()) || "LkGI".contains(it));
            if is_row && letters.len() > 1 {
                for letter in letters.chars() {
                    option_of(request, &format!("-{letter}"), word, value);
                }
            } else {
                request.lost.push(format!("the option {option}"));
            }
        }
        _ if request.url.is_none() => request.url = Some(word.to_owned()),
        _ => request.lost.push(format!("a second address: {word}")),
    }
}

/// A header; those of the connection are palier's own.
fn add_header(request: &mut Request, name: &str, value: &str) {
    if super::draft::is_of_the_connection(name) {
        request.lost.push(format!("the header {name}: the connection's own"));
    } else if let Some((_, known)) =
        request.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name))
    {
        // A list, as RFC 9110 has it; of cookies with a semicolon.
        *known += if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " };
        *known += value;
    } else {
        request.headers.push((name.to_owned(), value.to_owned()));
    }
}

/// `name=text` with its text percent-encoded, as curl does it.
fn encoded(text: &str) -> String {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    match text.split_once('=') {
        Some(("", value)) => encode(value),
        Some((name, value)) => format!("{name}={}", encode(value)),
        None => encode(text),
    }
}
