//! The display of a run, as someone sees it who sits before a terminal.

use crate::support::origin::{Act, Origin, Script};
use crate::support::profile::steady;
use crate::support::terminal::Terminal;

/// Control and C.
const CTRL_C: char = '\u{3}';

/// The display, from its first line to its last: the bar is its second line.
fn display(lines: &[String]) -> Option<&[String]> {
    let bar = lines.iter().position(|line| line.starts_with(['━', '─']))?;
    lines.get(bar.checked_sub(1)?..)
}

/// Whether there is one display, with figures of a second that is over.
fn is_whole(lines: &[String]) -> bool {
    let latency: Vec<&String> = lines.iter().filter(|line| line.starts_with("p95 ")).collect();
    let bars = lines.iter().filter(|line| line.starts_with(['━', '─']));
    bars.count() == 1 && latency.len() == 1 && latency[0].contains(['▁', '█'])
}

/// After the end nothing of the display is left, and the cursor stands below the last line.
#[track_caller]
fn is_clean(terminal: &Terminal) {
    let lines = terminal.lines();
    assert!(!lines.iter().any(|line| line.contains(['━', '─', '▁', '█'])), "{lines:#?}");
    assert_eq!(terminal.cursor(), (0, 0), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("^C")), "{lines:#?}");
}

#[test]
fn the_display_fits_every_width_and_leaves_nothing_behind() {
    let origin = Origin::start(Script::ok());
    let widths = [20, 40, 80, 200];
    let start = |columns| Terminal::run(&steady(2, "3s"), &origin, columns, &[]);
    for (mut terminal, columns) in widths.map(start).into_iter().zip(widths) {
        terminal.wait_until(is_whole);
        let lines = terminal.lines();
        let display = display(&lines).expect("a display");
        let widest = display.iter().map(|line| line.chars().count()).max();
        // A line that reached the last column would have been wrapped there by some terminals.
        assert!(widest < Some(columns.into()), "{columns}: {display:#?}");
        assert_eq!(terminal.cursor().1, 0, "{display:#?}");
        assert_eq!(terminal.finish(), Some(0), "{:#?}", terminal.lines());
        is_clean(&terminal);
    }
}

#[test]
fn a_terminal_may_change_its_size_during_the_run() {
    let origin = Origin::start(Script::ok());
    let mut terminal = Terminal::run(&steady(2, "5s"), &origin, 100, &[]);
    terminal.wait_until(is_whole);
    for columns in [30, 120, 20, 64] {
        terminal.resize(columns);
        // The bar is as long as there is room, up to what an eye can follow.
        let bar = usize::from(columns - 1).min(96);
        terminal.wait_until(|lines| {
            is_whole(lines) && display(lines).is_some_and(|it| it[1].chars().count() == bar)
        });
    }
    assert_eq!(terminal.finish(), Some(0), "{:#?}", terminal.lines());
    is_clean(&terminal);
}

#[test]
fn ctrl_c_ends_the_run_and_the_display() {
    let origin = Origin::start(Script::all(Act::Answer { status: 503, body: String::new() }));
    for columns in [20, 100] {
        let mut terminal = Terminal::run(&steady(2, "60s"), &origin, columns, &[]);
        terminal
            .wait_until(|lines| is_whole(lines) && lines.iter().any(|line| line.contains("errors 100 %")));
        terminal.press(CTRL_C);
        // It failed, too, which says more.
        assert_eq!(terminal.finish(), Some(99), "{:#?}", terminal.lines());
        is_clean(&terminal);
        let text = terminal.lines().concat();
        assert!(text.contains("interrupted: undoing"), "{text}");
    }
}

#[test]
fn who_wants_no_escapes_gets_lines() {
    let origin = Origin::start(Script::ok());
    for env in [("TERM", "dumb"), ("NO_COLOR", "1"), ("CI", "1")] {
        let mut terminal = Terminal::run(&steady(2, "1s"), &origin, 100, &[env]);
        assert_eq!(terminal.finish(), Some(0), "{:#?}", terminal.lines());
        let lines = terminal.lines();
        assert!(
            lines.iter().any(|line| line.starts_with("  0m01s  ") && line.contains("req/s")),
            "{lines:#?}"
        );
        let drawn = terminal.written.windows(3).any(|it| it == b"\x1b[J" || it == b"\x1b[K");
        assert!(!drawn, "{env:?}: {lines:#?}");
    }
    let forced = [("NO_COLOR", "1"), ("PALIER_PROGRESS", "live")];
    let mut terminal = Terminal::run(&steady(2, "2s"), &origin, 100, &forced);
    terminal.wait_until(is_whole);
    assert_eq!(terminal.finish(), Some(0), "{:#?}", terminal.lines());
    // Cursor and lines are moved, and nothing is coloured.
    let text = String::from_utf8_lossy(&terminal.written);
    let styles = text
        .split("\x1b[")
        .skip(1)
        .filter(|it| it.trim_start_matches(|it: char| it.is_ascii_digit() || it == ';').starts_with('m'));
    assert_eq!(styles.count(), 0, "{text:?}");
}
