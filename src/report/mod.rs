//! What a run leaves for people and machines to read: [`Summary`] and one file for each format.
//!
//! Every report is a pure function of a [`Summary`]: no I/O, no clock, no environment. So `palier report
//! summary.json` renders the same reports again, on any machine, and no report knows the engine.
//!
//! Messages from the target pass through all of them, and are never trusted: [`show::one_line`] takes control
//! characters and escape sequences out, and each format escapes what it takes for its own.

pub mod annotations;
pub mod badge;
pub mod console;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod show;
pub mod summary;

#[cfg(test)]
pub(crate) mod sample;

pub use summary::Summary;
