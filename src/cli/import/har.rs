//! HAR 1.2 files, as browsers save them from their network panel.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::ImportError;
use super::draft::{Address, Draft, METHODS, Step, is_of_the_connection, shown, split};

/// A pause shorter than that is the browser's own time, not a user's.
const PAUSE: Duration = Duration::from_millis(100);

/// One request of the archive.
struct Entry {
    url: String,
    step: Step,
    start: Option<SystemTime>,
    end: Option<SystemTime>,
}

/// Reads the archive. The target is the host with the most requests.
pub(super) fn read(text: &str) -> Result<Draft, ImportError> {
    let archive: Value =
        serde_json::from_str(text).map_err(|error| ImportError(format!("it is no JSON: {error}")))?;
    let entries =
        archive["log"]["entries"].as_array().ok_or_else(|| ImportError("it has no `log.entries`".into()))?;
    let mut draft = Draft::default();
    let mut found = Vec::new();
    for entry in entries {
        match request(entry) {
            Ok(entry) => found.push(entry),
            Err(lost) => draft.lost.push(lost),
        }
    }
    let mut hosts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &found {
        *hosts.entry(&entry.url).or_default() += 1;
    }
    let Some((url, _)) = hosts.iter().max_by_key(|(_, count)| **count) else {
        return Err(ImportError("it has no request of HTTP".into()));
    };
    (*url).clone_into(&mut draft.url);
    for (host, count) in hosts.iter().filter(|(host, _)| **host != draft.url) {
        let s = if *count == 1 { "" } else { "s" };
        draft.lost.push(format!("{count} request{s} to {host}: a profile has one target, {}", draft.url));
    }
    let (mut left, mut had_cookies) = (false, false);
    let mut kept: Vec<Entry> = found.into_iter().filter(|entry| entry.url == draft.url).collect();
    kept.sort_by_key(|entry| entry.start);
    for at in 0..kept.len() {
        let (end, next) = (kept[at].end, kept.get(at + 1).and_then(|next| next.start));
        let pause = end.zip(next).and_then(|(end, next)| next.duration_since(end).ok());
        kept[at].step.pause =
            pause.filter(|it| *it >= PAUSE).and_then(|it| u64::try_from(it.as_millis()).ok());
    }
    for mut entry in kept {
        let before = entry.step.headers.len();
        entry.step.headers.retain(|(name, _)| !is_of_the_connection(name) && !is_of_the_browser(name));
        left |= entry.step.headers.len() < before;
        let with_cookies = entry.step.headers.len();
        entry.step.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("cookie"));
        had_cookies |= entry.step.headers.len() < with_cookies;
        draft.steps.push(entry.step);
    }
    if had_cookies {
        draft.lost.push(
            "the cookies of the recording: users keep those that answers set; log in with a step of its own where one is \
             missing"
                .into(),
        );
    }
    if left {
        draft.notes.push(
            "Left out: headers of the connection (Host, Content-Length …) and of the browser on itself \
             (sec-*, If-None-Match, If-Modified-Since …)."
                .into(),
        );
    }
    draft.notes.push("The requests are made one after another, with the pauses of the recording; a browser makes some at once.".into());
    Ok(draft)
}

/// Headers of a browser's own cache and of what it says of itself: with them, the first request would be answered 304.
fn is_of_the_browser(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("sec-")
        || ["if-none-match", "if-modified-since", "priority", "dnt", "upgrade-insecure-requests"]
            .contains(&name.as_str())
}

/// A request; what could not be carried over, if nothing of it could.
fn request(entry: &Value) -> Result<Entry, String> {
    let request = &entry["request"];
    let url = request["url"].as_str().unwrap_or_default();
    let method = request["method"].as_str().unwrap_or_default().to_lowercase();
    let Address { url: base, user, mut path } =
        split(url).ok_or_else(|| format!("{}: not HTTP", shown(url)))?;
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    if !METHODS.contains(&method.as_str()) {
        return Err(format!("{}: the method {}", shown(url), method.to_uppercase()));
    }
    let mut lost = Vec::new();
    if user.is_some() {
        lost.push("the user in its address: put it into a header `Authorization`".to_owned());
    }
    let mut headers = pairs(&request["headers"]);
    for (_, value) in headers.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("accept-encoding")) {
        *value = value.replace(", zstd", "");
    }
    let post = &request["postData"];
    let body = match (&post["text"], &post["params"]) {
        (Value::String(text), _) if post["encoding"].as_str() == Some("base64") => {
            lost.push(format!("a body that is no text, of {} characters in base64", text.len()));
            None
        }
        (Value::String(text), _) if !text.is_empty() => Some(text.clone()),
        (_, Value::Array(params)) if !params.is_empty() => {
            let is_form = post["mimeType"]
                .as_str()
                .is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
            if is_form {
                let encode = |it: &str| {
                    percent_encoding::utf8_percent_encode(it, percent_encoding::NON_ALPHANUMERIC).to_string()
                };
                Some(
                    pairs(&post["params"])
                        .iter()
                        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
                        .collect::<Vec<_>>()
                        .join("&"),
                )
            } else {
                lost.push("a form with files: a step has the text of a body, or `form`".to_owned());
                None
            }
        }
        _ => None,
    };
    let status = entry["response"]["status"]
        .as_u64()
        .and_then(|it| u16::try_from(it).ok())
        .filter(|it| (100..=599).contains(it));
    if status.is_none() {
        lost.push("its status: the recording has no answer to it".to_owned());
    }
    // What a redirect led to is a request of its own in the recording.
    let redirects = status.filter(|it| (300..400).contains(it)).map(|_| 0);
    let start = entry["startedDateTime"].as_str().and_then(time);
    let took = entry["time"]
        .as_f64()
        .filter(|it| *it >= 0.0)
        .and_then(|it| Duration::try_from_secs_f64(it / 1e3).ok());
    let name = format!("{} {}", method.to_uppercase(), path.split(['?', '#']).next().unwrap_or_default());
    Ok(Entry {
        url: base,
        start,
        end: start.zip(took).map(|(start, took)| start + took),
        step: Step { name, method, path, headers, body, status, redirects, lost, ..Step::default() },
    })
}

/// RFC 3339, with an offset other than UTC's, too, as Firefox writes it: only differences count here.
fn time(text: &str) -> Option<SystemTime> {
    let end = text
        .char_indices()
        .skip(19)
        .find(|(_, it)| matches!(it, '+' | '-' | 'Z'))
        .map_or(text.len(), |(at, _)| at);
    humantime::parse_rfc3339(&format!("{}Z", text.get(..end)?)).ok()
}

fn pairs(list: &Value) -> Vec<(String, String)> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|it| Some((it["name"].as_str()?.to_owned(), it["value"].as_str()?.to_owned())))
        .collect()
}
