//! Standard output and standard error: who hears what, in colour or not.
//!
//! The result goes to standard output, everything said on the way to standard error. A reader that has gone,
//! such as `head`, neither stops a run nor changes its exit code.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use super::Env;
use super::failure::Failure;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set; with `FORCE_COLOR` or `CLICOLOR_FORCE` everywhere
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Both streams, and how they are to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    /// Whether standard output is coloured.
    pub(super) colour: bool,
    /// Whether standard error is coloured.
    pub(super) colour_of_errors: bool,
    /// Whether standard error is a terminal whose lines can be drawn anew.
    pub(super) can_redraw: bool,
}

/// The columns of a log, and of a terminal that does not say how wide it is.
const WIDTH: usize = 120;

/// The rows of a terminal that does not say how high it is.
const HEIGHT: usize = 24;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default();

impl Terminal {
    /// The streams of this process.
    pub(super) fn new(when: ColorWhen, env: &Env) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            colour: is_coloured(when, env, out),
            colour_of_errors: is_coloured(when, env, err),
            can_redraw: err && can_redraw(env),
        }
    }

    /// Says what went wrong, with all that led to it, and how to mend it.
    pub(super) fn complain(self, error: &dyn std::error::Error, help: Option<&str>) {
        let mut lines = vec![format!("{} {error}", self.paint(ERROR, "error:"))];
        let mut cause = error.source();
        while let Some(error) = cause {
            lines.push(format!("  because: {error}"));
            cause = error.source();
        }
        lines.extend(help.map(|help| format!("  {} {help}", self.paint(HELP, "help:"))));
        say(&lines.join("\n"));
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour_of_errors { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Writes a result to standard output.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(error).while_doing("cannot print the result"))
        }
        _ => Ok(()),
    }
}

/// Says something on the way. Nobody may listen; there is nobody to tell that to.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The columns of standard output.
pub(super) fn width() -> usize {
    columns(rustix::termios::tcgetwinsize(io::stdout()))
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// The size of standard error, which may change at any time.
pub(super) fn size_of_errors() -> Size {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    let rows = size.as_ref().map_or(0, |size| size.ws_row.into());
    Size { columns: columns(size), rows: if rows > 0 { rows } else { HEIGHT } }
}

fn columns(size: rustix::io::Result<rustix::termios::Winsize>) -> usize {
    match size {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        Ok(_) | Err(_) => WIDTH,
    }
}

/// Whoever wants no colour is taken to want no escapes at all; `--progress live` asks for the display without colour.
fn can_redraw(env: &Env) -> bool {
    env.get("TERM") != Some("dumb") && env.get("NO_COLOR").is_none() && !env.is_on("CI")
}

/// The flag goes before `NO_COLOR` (no-color.org), that before those that force it, those before what the stream is.
fn is_coloured(when: ColorWhen, env: &Env, is_terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto if env.get("NO_COLOR").is_some() => false,
        ColorWhen::Auto if env.is_on("CLICOLOR_FORCE") || env.is_on("FORCE_COLOR") => true,
        ColorWhen::Auto => is_terminal && env.get("CLICOLOR") != Some("0") && env.get("TERM") != Some("dumb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<const N: usize>(when: ColorWhen, variables: [(&str, &str); N], expected: [bool; 2]) {
        let env = Env::of(variables);
        let coloured = [true, false].map(|is_terminal| is_coloured(when, &env, is_terminal));
        assert_eq!(coloured, expected, "on a terminal and off it");
    }

    #[test]
    fn a_display_is_for_terminals_that_can_draw_and_people_who_look() {
        let draws = |variables: [(&str, &str); 1]| can_redraw(&Env::of(variables));
        assert!(draws([("TERM", "xterm")]) && draws([("CI", "false")]) && draws([("NO_COLOR", "")]));
        assert!(!draws([("TERM", "dumb")]) && !draws([("CI", "true")]) && !draws([("NO_COLOR", "1")]));
    }

    #[test]
    fn colour_follows_flag_then_environment_then_terminal() {
        check(ColorWhen::Auto, [], [true, false]);
        check(ColorWhen::Always, [("NO_COLOR", "1")], [true, true]);
        check(ColorWhen::Never, [("FORCE_COLOR", "1")], [false, false]);
        check(ColorWhen::Auto, [("NO_COLOR", "1"), ("FORCE_COLOR", "1")], [false, false]);
        check(ColorWhen::Auto, [("NO_COLOR", "")], [true, false]);
        check(ColorWhen::Auto, [("FORCE_COLOR", "3")], [true, true]);
        check(ColorWhen::Auto, [("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")], [true, true]);
        check(ColorWhen::Auto, [("CLICOLOR", "0")], [false, false]);
        check(ColorWhen::Auto, [("CLICOLOR_FORCE", "0")], [true, false]);
        check(ColorWhen::Auto, [("TERM", "dumb")], [false, false]);
    }
}
