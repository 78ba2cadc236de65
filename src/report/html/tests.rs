//! What can be said of the page without a browser; `tests/consumers/check_report.mjs` opens it in one.

use super::*;
use crate::report::sample;

/// Elements of a page that load or run something.
fn pages() -> Vec<(&'static str, String)> {
    let samples = sample::all().into_iter().chain(sample::observed());
    samples.map(|(name, summary)| (name, render(&summary))).collect()
}

/// The page without tags, as a reader sees its words.
fn words(page: &str) -> String {
    let body = page.split("<body>").nth(1).expect("a body").split("<script").next().expect("text");
    let texts: Vec<&str> =
        body.split('<').filter_map(|it| it.split_once('>')).map(|(_, text)| text).collect();
    let words = texts.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    [("&#x2f;", "/"), ("&#x27;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .iter()
        .fold(words, |words, (escaped, plain)| words.replace(escaped, plain))
}

#[test]
fn every_summary_can_be_drawn() {
    for (name, page) in pages() {
        assert!(page.trim_end().ends_with("</html>"), "{name}: {page:.2000}");
    }
}

#[test]
fn the_verdict_and_its_reasons_come_first() {
    for (name, summary) in sample::all().into_iter().chain(sample::observed()) {
        let words = words(&render(&summary));
        let verdict = summary.verdict.name().to_uppercase();
        assert!(words.starts_with(&verdict), "{name}: {words:.300}");
        let asked = words.find("What was asked").expect("thresholds");
        let told = |it: &&crate::report::summary::Reason| summary.is_started() || it.threshold.is_none();
        for reason in summary.reasons.iter().filter(told) {
            let text = &reason.text;
            assert!(words.find(text).is_some_and(|at| at < asked), "{name}: {text} in {words:.2000}");
        }
    }
}

#[test]
fn it_asks_for_nothing_else() {
    for (name, page) in pages() {
        for part in ["src=", "@import", "url(", "<iframe", "<object", " style=", "onclick"] {
            assert!(!page.contains(part), "{name} holds {part}");
        }
        for href in page.split("href=\"").skip(1) {
            assert!(href.starts_with("data:,\"") || href.starts_with("https:"), "{name}: {href:.80}");
        }
    }
}

#[test]
fn text_from_outside_makes_no_markup() {
    let page = render(&sample::hostile());
    let clean = render(&sample::quoting("harmless words"));
    let tags = |page: &str| -> Vec<String> {
        let names = page.split('<').skip(1);
        names.map(|it| it.split([' ', '>', '\n']).next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(tags(&page), tags(&clean));
    // Of those that stand in the drawings and in the lists beside them.
    for (start, end) in [("<svg", ">"), ("<pre", "</pre>"), ("To mend it: <code>", "</code>")] {
        let mut parts = page.split(start).skip(1).filter_map(|it| it.split(end).next());
        assert!(parts.any(|it| it.contains("&lt;script&gt;")), "{start}");
    }
    assert!(!page.contains("<script>alert"));
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}') && !page.contains('\0'));
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn a_long_run_stays_below_a_megabyte() {
    let page = render(&sample::long());
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
}

#[test]
fn rows_that_are_left_out_are_counted() {
    let mut summary = sample::long();
    assert!(!words(&render(&summary)).contains("more in summary.json"));
    summary.checks = (0..301).map(|n| summary.checks[n % 3].clone()).collect();
    let page = words(&render(&summary));
    assert!(page.contains("101 of 301 held every time."), "{page}");
    assert_eq!(page.matches("1 more in summary.json.").count(), 1, "{page}");
    summary.steps = vec![summary.steps[0].clone(); 305];
    summary.pods = vec![sample::standard_pass().pods[0].clone(); 310];
    summary.facts = vec![sample::fail().facts[0].clone(); 315];
    summary.reasons = vec![sample::fail().reasons[0].clone(); 320];
    let page = words(&render(&summary));
    for more in [1, 5, 10, 15, 20] {
        assert!(page.contains(&format!(" {more} more in summary.json.")), "{more}: {page}");
    }
}

#[test]
fn a_run_of_a_day_is_no_larger() {
    let mut summary = sample::long();
    let point = summary.series.points[0].clone();
    summary.series.resolution = 24;
    summary.series.points = (0..3_600)
        .map(|n| {
            let time = crate::report::summary::Ms(f64::from(n) * 24_000.0);
            crate::report::summary::Point { time, ..point.clone() }
        })
        .collect();
    let page = render(&summary);
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
}

#[test]
fn the_words_of_a_failed_run() {
    // Up to the charts; the figures of what follows are those of other reports.
    let words = words(&render(&sample::standard_fail()));
    let first = words.split(" Over time").next().expect("the beginning");
    insta::assert_snapshot!("page-words", first);
}

/// For looking at: `cargo test --release --lib -- --ignored --nocapture drawing_takes`.
#[test]
#[ignore = "measures time, which means something in a release build only"]
fn drawing_takes_a_moment() {
    let summary = sample::long();
    let start = std::time::Instant::now();
    let page = render(&summary);
    println!("{} bytes in {:?}", page.len(), start.elapsed());
}

#[test]
fn what_waits_for_an_observer_is_folded_and_not_lost() {
    let page = render(&sample::unobserved());
    let (asked, rest) = page.split_once("<details>\n<summary>3 not judged").expect("a fold");
    let fold = rest.split("</details>").next().expect("its end");
    assert!(!asked.contains("hpa_replicas max"), "{asked}");
    for id in ["hpa_replicas max &gt;= 3", "hpa_replicas max &lt;= 10", "pod_restarts count == 0"] {
        assert!(fold.contains(id), "{id}: {fold}");
    }
    assert!(
        words(&page)
            .contains("not judged, for want of an observer: --observe kubernetes,mysql,logs asks for it"),
        "{}",
        words(&page)
    );
    assert!(!render(&sample::standard_pass()).contains("for want of an observer"));
}
