//! One reader of bytes from outside under libFuzzer: the one that the binary is called after.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palier::fuzz::TARGETS;

const NAME: &str = env!("CARGO_BIN_NAME");

fuzz_target!(|data: &[u8]| {
    let target = TARGETS.iter().find(|target| target.name == NAME).expect("a target of that name");
    (target.read)(data);
});
