//! palier: a load-test runner for pipelines.
//!
//! ```text
//! profile (TOML) ──► plan ──► engine ──► results ──► verdict ──► summary ──► reports
//!                               ▲
//!                            target
//! ```
//!
//! Data flows one way. Each arrow is one type that the next room reads and never changes:
//! [`profile::Profile`], [`plan::Plan`], [`metrics::Results`], [`verdict::Judgement`], [`report::Summary`].
//! The modules below are declared in an order in which a room imports only from rooms declared above it; nobody
//! imports [`cli`]. `ARCHITECTURE.md` walks through them, and says what each does not know.
//!
//! It is the library of the binary `palier`, and no interface for others: it changes as the binary needs it.
//! What is stable is what the binary reads and writes; `README.md` lists it.

pub mod words;

pub mod units;

pub mod profile;

pub mod plan;

pub mod metrics;

pub mod compare;

pub mod reach;

pub mod observe;

pub mod journal;

pub mod engine;

pub mod verdict;

pub mod shard;

pub mod report;

pub mod summarize;

#[cfg(feature = "demo")]
pub mod demo;

pub mod cli;

#[doc(hidden)]
pub mod fuzz;
