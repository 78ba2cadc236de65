//! What the tests share: servers to load, and the built binary to load them with.

pub(crate) mod client;
pub(crate) mod cpu;
pub(crate) mod metronome;
pub(crate) mod origin;
pub(crate) mod palier;
pub(crate) mod profile;
pub(crate) mod rogue;
pub(crate) mod swift;
pub(crate) mod terminal;
