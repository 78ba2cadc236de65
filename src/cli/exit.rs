//! What palier's exit codes mean. Pipelines gate on them, so they are stable.

use crate::words::Verdict;

/// How palier ended, for whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// A pass; a warning, too, unless `--on-warn` says otherwise.
    Pass,
    /// Anything else: a report could not be written, something palier needs is missing.
    Other,
    /// The command line or the profile is wrong; no load was made.
    Usage,
    /// A warning does not hold, under `--on-warn warn`.
    Warn,
    /// What was measured cannot carry a verdict.
    Invalid,
    /// A threshold does not hold: k6's code.
    Fail,
    /// A signal ended the run, whose reports are written: k6's code.
    Interrupted,
}

/// What a warning that does not hold makes of the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnWarn {
    /// 0, as if it held
    #[default]
    Pass,
    /// 3, which GitLab's `allow_failure: exit_codes` shows in orange
    Warn,
    /// 99, as if it were a threshold
    Fail,
}

/// What the exit code of a run depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// The verdict on what was measured.
    pub(super) verdict: Verdict,
    /// Whether a signal ended the run.
    pub(super) interrupted: bool,
    /// Whether every report could be written.
    pub(super) written: bool,
}

impl ExitCode {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::Warn => 3,
            Self::Invalid => 98,
            Self::Fail => 99,
            Self::Interrupted => 105,
        }
    }

    /// The code of a run: the first that applies of 99, 105, 98, 1, 3 and 0. So a signal hides no threshold that
    /// does not hold, and a report that could not be written hides no verdict.
    pub(super) const fn of(ending: Ending, on_warn: OnWarn) -> Self {
        let Ending { verdict, interrupted, written } = ending;
        match (verdict, interrupted, written, on_warn) {
            (Verdict::Fail, _, _, _) | (Verdict::Warn, _, _, OnWarn::Fail) => Self::Fail,
            (Verdict::Pass | Verdict::Warn | Verdict::Invalid, true, _, _) => Self::Interrupted,
            (Verdict::Invalid, false, _, _) => Self::Invalid,
            (Verdict::Pass | Verdict::Warn, false, false, _) => Self::Other,
            (Verdict::Warn, false, true, OnWarn::Warn) => Self::Warn,
            (Verdict::Warn, false, true, OnWarn::Pass) | (Verdict::Pass, false, true, _) => Self::Pass,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(verdict: Verdict, interrupted: bool, written: bool, expected: [u8; 3]) {
        let codes = [OnWarn::Pass, OnWarn::Warn, OnWarn::Fail]
            .map(|on_warn| ExitCode::of(Ending { verdict, interrupted, written }, on_warn).code());
        assert_eq!(codes, expected, "{verdict}, interrupted: {interrupted}, written: {written}");
    }

    #[test]
    fn the_worst_that_applies_is_the_code() {
        check(Verdict::Pass, false, true, [0, 0, 0]);
        check(Verdict::Warn, false, true, [0, 3, 99]);
        check(Verdict::Invalid, false, true, [98, 98, 98]);
        check(Verdict::Fail, false, true, [99, 99, 99]);
    }

    #[test]
    fn a_signal_hides_no_failed_threshold() {
        check(Verdict::Fail, true, true, [99, 99, 99]);
        check(Verdict::Invalid, true, true, [105, 105, 105]);
        check(Verdict::Warn, true, true, [105, 105, 99]);
        check(Verdict::Pass, true, true, [105, 105, 105]);
    }

    #[test]
    fn a_report_that_cannot_be_written_hides_nothing_worse_and_is_never_a_pass() {
        check(Verdict::Pass, false, false, [1, 1, 1]);
        check(Verdict::Warn, false, false, [1, 1, 99]);
        check(Verdict::Invalid, false, false, [98, 98, 98]);
        check(Verdict::Fail, false, false, [99, 99, 99]);
        check(Verdict::Pass, true, false, [105, 105, 105]);
    }
}
