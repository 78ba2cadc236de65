//! What is sampled beside the load. An observer knows nothing of the engine, and never disturbs it.
//!
//! - [`generator`]: palier's own use of the machine, on which the trust in all figures rests

pub mod generator;
