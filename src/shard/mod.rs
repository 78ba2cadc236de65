//! What one shard measured, in a file; and what all of them measured, put together.
//!
//! A shard carries out its part of a plan ([`crate::plan::Shard`]) and judges nothing: it leaves a [`Part`]. `palier
//! merge` adds the parts up by the operation that adds workers up, so that nothing depends on how many processes made
//! the load, and judges once. What would make less load of it than was planned, or another load, is found here and said:
//! shards that are missing or there twice, of other plans or versions, that began late or by another clock.
//!
//! - `recipe`: what a plan is a function of, so that it can be laid out again elsewhere
//! - `file`: a part as bytes: versioned, checksummed, lossless
//! - `assembly`: parts into results, and what speaks against them
//!
//! This room opens no file.

mod assembly;
mod file;
mod recipe;

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::metrics::Results;
use crate::plan::Shard;

pub use assembly::{Assembly, Kept};
pub use file::{Unreadable, decode, encode, file_name};
pub use recipe::{Noted, Recipe};

/// All that is known of one shard of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which part of the plan it carried out.
    pub shard: Shard,
    /// What its plan was laid out from.
    pub recipe: Recipe,
    /// What is to be told of it.
    pub about: About,
    /// What it measured; secrets are masked.
    pub results: Results,
}

/// What is to be told of a shard, beside what it measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The id of its run: `{{run}}` in what it created.
    pub run: String,
    /// When its process began, by its clock.
    pub start: SystemTime,
    /// How long that took in all.
    pub duration: Duration,
    /// When its load was to begin, if that was agreed on.
    pub start_at: Option<SystemTime>,
    /// The most memory that it held, in bytes.
    pub memory: Option<u64>,
    /// The machine it ran on, as reports have it: JSON.
    pub host: String,
    /// What a reader must know of it, one sentence each.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests;
