use super::*;
use crate::report::sample;

const LOOK: Look<'_> = Look { colour: false, width: 120, report: Some("palier-report/summary.md") };

#[test]
fn each_verdict_reads_well() {
    for (name, summary) in sample::all() {
        insta::assert_snapshot!(format!("console-{name}"), render(&summary, &LOOK));
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    for (name, summary) in sample::all() {
        let plain = render(&summary, &LOOK);
        let coloured = render(&summary, &Look { colour: true, ..LOOK });
        assert!(coloured.contains("\u{1b}["), "{name}");
        let stripped: String = coloured
            .split('\u{1b}')
            .enumerate()
            .map(|(n, piece)| if n == 0 { piece } else { piece.split_once('m').expect("a colour").1 })
            .collect();
        assert_eq!(stripped, plain, "{name}");
        let last = coloured.lines().last().expect("a line");
        assert!(last.starts_with("palier: ") && !last.contains('\u{1b}'), "GitLab reads {last:?}");
    }
}

#[test]
fn the_last_line_is_what_gitlab_reads() {
    let last = |summary: &Summary| render(summary, &LOOK).lines().last().unwrap_or_default().to_owned();
    assert_eq!(last(&sample::pass()), "palier: pass success 100.00%");
    assert_eq!(last(&sample::fail()), "palier: fail success 99.56%");
    assert_eq!(last(&sample::invalid()), "palier: invalid", "no figure where there was no request");
}

#[test]
fn text_from_outside_stays_on_its_line() {
    let summary = sample::hostile();
    let text = render(&summary, &LOOK);
    let allowed = |it: char| it == '\n' || !it.is_control();
    assert!(text.chars().all(allowed), "{text:?}");
    assert!(!text.contains("##[") && !text.contains('\u{202e}'));
    let lines = text.lines().map(str::trim_start);
    assert!(lines.clone().all(|it| !it.starts_with("::")), "GitHub would take it for a command:\n{text}");
}

#[test]
fn a_narrow_terminal_cuts_examples_only() {
    let mut summary = sample::fail();
    for check in &mut summary.checks {
        if let Some(first) = &mut check.first {
            first.message = "a long story ".repeat(100);
        }
    }
    let text = render(&summary, &Look { width: 110, ..LOOK });
    let broken: Vec<&str> = text.lines().filter(|it| it.contains("first:")).collect();
    assert_eq!(broken.len(), 3);
    for line in broken {
        assert!(line.chars().count() <= 110, "{line}");
        assert!(line.ends_with("… (VU 17, 0m21s)"), "{line}");
    }
}

#[test]
fn a_run_without_thresholds_says_so() {
    let mut summary = sample::pass();
    summary.thresholds.clear();
    assert!(render(&summary, &LOOK).contains("PASS  no threshold was asked for"));
}

#[test]
fn what_was_asked_for_has_air_and_keeps_its_name() {
    let mut threshold = sample::pass().thresholds.swap_remove(0);
    assert_eq!(spaced(&threshold), "http_req_duration p(95) < 500ms");
    threshold.id = "checkout a<b is quick".into();
    assert_eq!(spaced(&threshold), "checkout a<b is quick (http_req_duration p(95) < 500ms)");
    threshold.expression = " p(95)  <=  500ms".into();
    threshold.operator = "<=".into();
    assert_eq!(spaced(&threshold), "checkout a<b is quick (http_req_duration p(95) <= 500ms)");
}
