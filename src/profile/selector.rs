//! What a threshold judges: `metric{key:value}`.
//!
//! ```text
//! key      := metric [ "{" pair { "," pair } "}" ]
//! pair     := name ":" value
//! value    := text without "," and "}" | '"' text without '"' '"' | "'" text without "'" "'"
//! ```

use super::diagnostic::Diagnostic;
use super::nearest::suggestion;
use super::place::{Place, Placed};
use super::reader::Findings;
use crate::words::{Metric, Phase};

/// One `key:value` of a selector.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// By what is selected.
    pub key: SelectorKey,
    /// The value it must have.
    pub value: Placed<String>,
}

/// By what a selector selects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelectorKey {
    /// The step's name.
    Step,
    /// The load's name.
    Load,
    /// The stage's name.
    Stage,
    /// The phase: `setup`, `load`, `grace`, `teardown`, `cleanup`.
    Phase,
    /// The status of the answer.
    Status,
    /// Why a request was cut: `end`, `interrupt` or `abort`.
    Cause,
    /// A tag of the profile's own.
    Tag(String),
}
