//! palier: a load-test runner for pipelines.
//!
//! ```text
//! profile (TOML) ──► plan ──► engine ──► results ──► verdict ──► reports
//!                               ▲            ▲
//!                            target      observers (Kubernetes, MySQL, logs, the generator itself)
//! ```
//!
//! Data flows one way. Each arrow is one type that the next room reads and never changes, and the modules
//! below are declared in that order: a room imports only from rooms declared above it.

pub mod words;

pub mod units;

pub mod profile;

pub mod plan;

pub mod metrics;

pub mod engine;

pub mod verdict;

pub mod report;

pub mod summarize;

#[cfg(feature = "demo")]
pub mod demo;

pub mod cli;
