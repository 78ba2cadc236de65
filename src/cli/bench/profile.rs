//! The command line of `palier bench` as a profile.

use std::fmt::Write as _;
use std::time::Duration;

use http::Uri;

use super::Args;
use crate::cli::failure::Failure;
use crate::cli::toml_text::{key, literal};
use crate::units::show_duration;
use crate::words::Metric;

/// What the profile is called where something in it is wrong.
pub(super) const FILE: &str = "command-line.toml";

/// How long a run of `-n` may take, which nobody asked to end at a time.
const LONG: &str = "24h";

/// How long there is load where neither `-n` nor `-t` says so.
pub(super) const SHORT: Duration = Duration::from_secs(10);

/// The profile. What is wrong in it is the command line's: the address or a file, said here; all else as in any profile.
pub(super) fn text(args: &Args) -> Result<String, Failure> {
    let (base, path) = address(&args.url)?;
    let body = args.data.as_deref().map(read_body).transpose()?;
    let mut text = format!(
        "description = {}\n[target]\nurl = {}\n",
        literal(&format!("palier bench {}", args.url)),
        literal(&base)
    );
    if args.no_keepalive {
        text += "connections = { reuse = \"request\" }\n";
    }
    text += &load(args);
    let method = args.method.as_deref().unwrap_or(if body.is_some() { "post" } else { "get" }).to_lowercase();
    let _ = write!(
        text,
        "[[step]]\nname = \"request\"\n{method} = {}\nredirects = 0\ntimeout = {}\n",
        literal(&path),
        literal(&show_duration(args.timeout))
    );
    if let Some(body) = &body {
        let _ = writeln!(text, "body = {}", literal(body));
    }
    let mut headers = args.headers.clone();
    headers.extend(args.content_type.clone().map(|it| ("Content-Type".to_owned(), it)));
    if !headers.is_empty() {
        text += "[step.headers]\n";
        for (name, value) in &headers {
            let _ = writeln!(text, "{} = {}", key(name), literal(value));
        }
    }
    text += &thresholds(args);
    Ok(text)
}

/// What starts requests.
fn load(args: &Args) -> String {
    let Args { connections, requests, time, rate, timeout, .. } = args;
    let grace = show_duration(*timeout);
    match (rate, requests) {
        (Some(rate), _) => {
            let duration = show_duration(open_duration(args));
            // Each request is an iteration, so one connection waits for one answer at a time.
            format!(
                "[load]\nexecutor = \"constant-arrival-rate\"\nrate = \"{rate}\"\nduration = \"{duration}\"\n\
                 preallocated_vus = {connections}\ngraceful_stop = \"{grace}\"\n"
            )
        }
        (None, Some(requests)) => {
            let most = time.map_or_else(|| LONG.to_owned(), show_duration);
            format!(
                "[load]\nexecutor = \"shared-iterations\"\nvus = {}\niterations = {requests}\nmax_duration = \"{most}\"\n\
                 graceful_stop = \"{grace}\"\n",
                u64::from(*connections).min(*requests)
            )
        }
        (None, None) => {
            let duration = show_duration(time.unwrap_or(SHORT));
            format!(
                "[load]\nexecutor = \"constant-vus\"\nvus = {connections}\nduration = \"{duration}\"\n\
                 graceful_stop = \"{grace}\"\n"
            )
        }
    }
}

/// How long requests come at a rate: for the time asked for, or until there were as many as asked for.
fn open_duration(args: &Args) -> Duration {
    let per_second = args.rate.as_ref().and_then(|it| it.parse::<crate::units::Rate>().ok());
    let for_all = args.requests.zip(per_second).and_then(|(requests, rate)| {
        #[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 requests")]
        let seconds = requests as f64 / rate.get();
        Duration::try_from_secs_f64(seconds).ok()
    });
    match (for_all, args.time) {
        (Some(for_all), Some(time)) => for_all.min(time),
        (Some(duration), None) | (None, Some(duration)) => duration,
        (None, None) => SHORT,
    }
}

/// Scheme and host; path and query.
fn address(url: &str) -> Result<(String, String), Failure> {
    let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let whole = whole.split('#').next().unwrap_or_default();
    let (scheme, rest) = whole.split_once("://").unwrap_or(("http", whole));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let base = format!("{scheme}://{authority}");
    let is_right =
        base.parse::<Uri>().is_ok_and(|uri| uri.host().is_some()) && matches!(scheme, "http" | "https");
    if !is_right {
        let failure = Failure::usage(format!("`{url}` is no address"));
        return Err(failure.help("it is written http://HOST[:PORT][/PATH], or https"));
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((base, path))
}

/// The body, or that of `@FILE`.
fn read_body(data: &str) -> Result<String, Failure> {
    match data.strip_prefix('@') {
        None => Ok(data.to_owned()),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(error).while_doing(format!("cannot read the body from `{path}`"))
        }),
    }
}

/// `[thresholds]`: an expression alone is about the latency that is shown.
fn thresholds(args: &Args) -> String {
    let latency = if args.rate.is_some() { Metric::HttpReqCorrected } else { Metric::HttpReqDuration };
    let mut by_metric: Vec<(String, Vec<&str>)> = Vec::new();
    for text in &args.thresholds {
        let text = text.trim();
        let (metric, expression) = match text.split_once(char::is_whitespace) {
            Some((first, rest))
                if first.starts_with(|it: char| it.is_ascii_alphabetic())
                    && !first.contains(['<', '>', '=', '(']) =>
            {
                (first, rest.trim())
            }
            Some(_) | None => (latency.name(), text),
        };
        match by_metric.iter_mut().find(|(known, _)| known == metric) {
            Some((_, expressions)) => expressions.push(expression),
            None => by_metric.push((metric.to_owned(), vec![expression])),
        }
    }
    let mut text = String::new();
    for (metric, expressions) in by_metric {
        let list: Vec<String> = expressions.iter().map(|it| literal(it)).collect();
        let _ = writeln!(text, "{} = [{}]", key(&metric), list.join(", "));
    }
    if text.is_empty() { text } else { format!("[thresholds]\n{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[track_caller]
    fn plan(line: &[&str]) -> crate::plan::Plan {
        let args = Line::try_parse_from([&["bench"], line].concat()).expect("arguments").args;
        super::super::plan(&args, "run".to_owned()).unwrap_or_else(|failure| {
            panic!("{failure:?}\n{}", text(&args).unwrap_or_default());
        })
    }

    #[test]
    fn what_ab_asks_for_is_planned() {
        use crate::plan::Executor;
        let load = |line: &[&str]| plan(line).loads[0].executor.clone();
        let url = "http://localhost:1/a?b=c";
        assert!(matches!(
            load(&["-n", "1000", "-c", "50", url]),
            Executor::SharedIterations { iterations: 1000, vus: 50, .. }
        ));
        assert!(matches!(load(&["-n", "3", url]), Executor::SharedIterations { iterations: 3, vus: 3, .. }));
        assert_eq!(load(&["-t", "60", url]).duration(), Duration::from_secs(60));
        assert_eq!(load(&[url]).duration(), SHORT);
        let open = load(&["-r", "200", "-n", "1000", url]);
        assert!(matches!(open, Executor::ConstantArrivalRate { .. }));
        assert_eq!(open.duration(), Duration::from_secs(5));
    }

    #[test]
    fn what_is_sent_is_what_was_asked_for() {
        let plan = plan(&[
            "-H",
            "X-A: b: c",
            "-H",
            "accept: */*",
            "-d",
            "{\"a\":\"${HOME}\\n\"}",
            "-T",
            "application/json",
            "--no-keepalive",
            "--threshold",
            "p(95)<500ms",
            "--threshold",
            "http_reqs rate>1",
            "--threshold",
            "http_reqs{status:500} count<1",
            "localhost:1?q='x'",
        ]);
        assert_eq!(plan.target.url, "http://localhost:1");
        assert_eq!(plan.target.connections.reuse, crate::plan::Reuse::Request);
        let ids: Vec<String> = plan.thresholds.iter().map(|it| it.metric.to_string()).collect();
        assert_eq!(ids.iter().filter(|it| *it == "http_reqs").count(), 2, "{ids:?}");
        assert!(ids.contains(&"errors".to_owned()), "what holds by default holds: {ids:?}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["", "ftp://x/", "http://", "/path", "http://a b/"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        assert_eq!(address("x:80").expect("right"), ("http://x:80".into(), "/".into()));
        assert_eq!(address("https://[::1]:8/a#b").expect("right"), ("https://[::1]:8".into(), "/a".into()));
    }
}
