//! `badge.svg` and `badge.json`: the verdict and the p95 on a badge.
//!
//! The SVG is the familiar flat badge, drawn here so that a pipeline needs no service; `badge.json` is what
//! shields.io's endpoint badge reads. Both say the same.

use serde::Serialize;

use super::show;
use super::summary::{MetricValues, Summary};
use crate::words::{Metric, Unit, Verdict};

/// Readers in a hurry know what is tested from where the badge stands; this says what kind of figure follows.
const LABEL: &str = "load test";

/// The badge as an SVG image.
pub fn svg(summary: &Summary) -> String {
    let message = message(summary);
    let colour = colour(summary.verdict);
    // As shields.io lays it out: 5 px of air on both sides of a text.
    let (label_text, message_text) = (text_width(LABEL), text_width(&message));
    let (label_box, message_box) = (label_text + 10, message_text + 10);
    let width = label_box + message_box;
    // Texts are drawn ten times as large and scaled down, which lets their places be finer than a pixel.
    let (label_x, message_x) = (label_box * 5, label_box * 10 + message_box * 5 - 5);
    let (label_length, message_length) = (label_text * 10, message_text * 10);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{LABEL}: {message}">
  <title>{LABEL}: {message}</title>
  <linearGradient id="s" x2="0" y2="100%">
    <stop offset="0" stop-color="#bbb" stop-opacity=".1"/>
    <stop offset="1" stop-opacity=".1"/>
  </linearGradient>
  <clipPath id="r"><rect width="{width}" height="20" rx="3" fill="#fff"/></clipPath>
  <g clip-path="url(#r)">
    <rect width="{label_box}" height="20" fill="#555"/>
    <rect x="{label_box}" width="{message_box}" height="20" fill="{colour}"/>
    <rect width="{width}" height="20" fill="url(#s)"/>
  </g>
  <g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" text-rendering="geometricPrecision" font-size="110">
    <text aria-hidden="true" x="{label_x}" y="150" fill="#010101" fill-opacity=".3" transform="scale(.1)" textLength="{label_length}">{LABEL}</text>
    <text x="{label_x}" y="140" transform="scale(.1)" textLength="{label_length}">{LABEL}</text>
    <text aria-hidden="true" x="{message_x}" y="150" fill="#010101" fill-opacity=".3" transform="scale(.1)" textLength="{message_length}">{message}</text>
    <text x="{message_x}" y="140" transform="scale(.1)" textLength="{message_length}">{message}</text>
  </g>
</svg>
"##
    )
}

/// The badge as shields.io's endpoint reads it.
#[expect(clippy::missing_panics_doc, reason = "it never does: that is the invariant")]
pub fn json(summary: &Summary) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Endpoint<'a> {
        schema_version: u8,
        label: &'a str,
        message: &'a str,
        color: &'a str,
        is_error: bool,
        cache_seconds: u32,
    }
    let endpoint = Endpoint {
        schema_version: 1,
        label: LABEL,
        message: &message(summary),
        color: colour(summary.verdict),
        is_error: matches!(summary.verdict, Verdict::Fail | Verdict::Invalid),
        cache_seconds: 300,
    };
    let mut json = serde_json::to_string_pretty(&endpoint).expect("invariant: plain fields serialise");
    json.push('\n');
    json
}

/// Built of our own words and figures alone, so that nothing in it needs escaping.
fn message(summary: &Summary) -> String {
    let p95 = match summary.metrics.get(Metric::HttpReqDuration.name()) {
        Some(MetricValues::Trend(trend)) => trend.p95,
        Some(MetricValues::Counter { .. } | MetricValues::Gauge { .. } | MetricValues::Rate { .. })
        | None => None,
    };
    match p95 {
        Some(p95) => format!("{}, p95 {}", summary.verdict, show::value(p95.0, Unit::Milliseconds)),
        None => summary.verdict.to_string(),
    }
}

/// The colours that shields.io gives these states.
fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "#4c1",
        Verdict::Warn => "#dfb317",
        Verdict::Fail => "#e05d44",
        Verdict::Invalid => "#9f9f9f",
    }
}

/// The width of a text in Verdana at 11 px, in whole odd pixels.
fn text_width(text: &str) -> u32 {
    let units: u32 = text.chars().map(advance).sum();
    // Rounded as shields.io does it: down to a whole pixel, then up to an odd one.
    (units * 11 / 2048) | 1
}

/// Verdana's advance widths in 1/2048 of the font size, for the characters that a message can hold.
fn advance(character: char) -> u32 {
    match character {
        'f' | ' ' => 720,
        'i' | 'l' => 562,
        'j' => 705,
        't' => 807,
        'r' => 874,
        ',' | '.' => 745,
        '/' | '-' | ':' => 930,
        'c' | 's' => 1067,
        'z' => 1076,
        'k' | 'v' | 'x' | 'y' => 1212,
        'e' => 1220,
        'a' => 1230,
        'o' => 1243,
        'b' | 'd' | 'g' | 'p' | 'q' => 1276,
        'h' | 'n' | 'u' => 1296,
        '0'..='9' => 1302,
        'w' => 1676,
        'm' => 1992,
        '%' => 2204,
        // Wide enough for whatever else there may be: too much air is better than text beyond the edge.
        _ => 1700,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_badge_says_the_verdict_and_the_p95() {
        insta::assert_snapshot!("badge-svg-fail", svg(&sample::fail()));
        insta::assert_snapshot!("badge-json-fail", json(&sample::fail()));
    }

    #[test]
    fn each_verdict_has_its_message_and_colour() {
        let badges = sample::all().map(|(name, summary)| (name, message(&summary), colour(summary.verdict)));
        assert_eq!(
            badges.map(|(name, message, colour)| format!("{name}: {message} {colour}")),
            [
                "pass: pass, p95 182 ms #4c1",
                "warn: warn, p95 182 ms #dfb317",
                "fail: fail, p95 182 ms #e05d44",
                "invalid: invalid #9f9f9f",
                "interrupted: invalid, p95 182 ms #9f9f9f",
            ]
        );
    }

    #[test]
    fn widths_are_those_of_verdana() {
        // 6 × 1302 / 2048 × 11 = 41.96 px.
        assert_eq!(text_width("123456"), 41);
        // 47.97 px.
        assert_eq!(text_width("load test"), 47);
    }
}
