//! What the tests share: servers to load, and the built binary to load them with.

pub(crate) mod client;
pub(crate) mod cpu;
pub(crate) mod metronome;
pub(crate) mod origin;
pub(crate) mod palier;
pub(crate) mod profile;
#[expect(
    dead_code,
    reason = "what breaks off and hangs is for the tests of misbehaving servers, which come next"
)]
pub(crate) mod rogue;
pub(crate) mod swift;
pub(crate) mod terminal;
