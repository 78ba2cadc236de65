//! Annotations for GitHub: workflow commands that show a reason beside the line of the profile it comes from.
//!
//! GitHub shows ten of a kind for a step and drops the rest without a word, so at most ten are written, the
//! worst first, and the last one says how many are missing.

use super::show;
use super::summary::{Reason, Summary};
use crate::words::Verdict;

const MAX: usize = 10;
const MAX_TEXT: usize = 500;

/// A line for each reason of the verdict; nothing on a pass.
pub fn render(summary: &Summary) -> String {
    let reasons = &summary.reasons;
    let shown = if reasons.len() > MAX { MAX - 1 } else { reasons.len() };
    let mut lines: String = reasons[..shown].iter().map(|it| annotation(summary, it)).collect();
    if shown < reasons.len() {
        let missing = reasons.len() - shown;
        let text = format!("{missing} more reasons stand in the summary");
        lines += &command(level(reasons[shown].verdict), &[("title", &title(summary))], &text);
    }
    lines
}

fn annotation(summary: &Summary, reason: &Reason) -> String {
    let threshold = summary.thresholds.iter().find(|it| reason.threshold.as_ref() == Some(&it.id));
    let title = match threshold {
        Some(threshold) => format!("{}: {}", title(summary), threshold.id),
        None => title(summary),
    };
    let line = threshold.and_then(|it| it.line).map(|it| it.to_string());
    let mut properties = Vec::new();
    if let Some(file) = threshold.and_then(|it| it.file.as_deref()).filter(|it| is_in_repository(it)) {
        properties.push(("file", file));
        properties.extend(line.as_deref().map(|line| ("line", line)));
    }
    properties.push(("title", &title));
    command(level(reason.verdict), &properties, &reason.text)
}

/// A profile that is built in and a flag of the command line are no files that GitHub could show.
fn is_in_repository(file: &str) -> bool {
    !file.starts_with("built-in ") && !file.starts_with("--")
}

fn title(summary: &Summary) -> String {
    format!("palier {}", summary.run.profile.name)
}

fn level(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail | Verdict::Invalid => "error",
        Verdict::Warn => "warning",
        Verdict::Pass => "notice",
    }
}

/// A workflow command that annotates: of a `level` such as `error`, with `file`, `line` and `title` as properties.
pub fn command(level: &str, properties: &[(&str, &str)], text: &str) -> String {
    let properties: Vec<String> =
        properties.iter().map(|(key, value)| format!("{key}={}", escape_property(value))).collect();
    format!("::{level} {}::{}\n", properties.join(","), escape_data(text))
}

/// What the runner unescapes in the text of a command (`actions/toolkit`, `command.ts`).
fn escape_data(text: &str) -> String {
    show::one_line(text, MAX_TEXT).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What it unescapes in a property besides.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn each_reason_stands_beside_its_line() {
        insta::assert_snapshot!(render(&sample::fail()), @r"
        ::error file=profiles/quick.toml,line=19,title=palier quick%3A http_req_duration p(95)<500ms::http_req_duration p(95) 612 ms is over 500 ms, by 22 %25
        ::error file=profiles/quick.toml,line=21,title=palier quick%3A checks rate>99%25::98.5 %25 of checks held, less than 99 %25
        ::warning file=profiles/quick.toml,line=25,title=palier quick%3A http_reqs rate>100::http_reqs rate 31.1/s is under 100/s
        ::warning title=palier quick::1 of 763 things created could not be undone: DELETE /employees/4711
        ");
    }

    #[test]
    fn a_pass_is_annotated_with_nothing() {
        assert_eq!(render(&sample::pass()), "");
    }

    #[test]
    fn what_is_no_file_of_the_repository_is_named_as_none() {
        for file in ["built-in profiles/quick.toml", "--set"] {
            let mut summary = sample::fail();
            for threshold in &mut summary.thresholds {
                threshold.file = Some(file.to_owned());
            }
            assert!(!render(&summary).contains("file="), "{file}");
        }
    }

    #[test]
    fn text_from_outside_cannot_give_commands() {
        let annotations = render(&sample::hostile());
        assert_eq!(annotations.lines().count(), sample::hostile().reasons.len());
        for line in annotations.lines() {
            let (properties, text) = line[2..].split_once("::").expect("a command");
            assert!(!properties.contains('%') || !properties.contains("%0A"), "{properties}");
            assert!(!text.contains("%0A") && !text.contains("##["), "{text}");
        }
    }

    #[test]
    fn the_tenth_says_how_many_are_missing() {
        let mut summary = sample::fail();
        let reason = summary.reasons[0].clone();
        summary.reasons = vec![reason; 25];
        let annotations = render(&summary);
        assert_eq!(annotations.lines().count(), 10);
        assert_eq!(
            annotations.lines().last(),
            Some("::error title=palier quick::16 more reasons stand in the summary")
        );
    }
}
