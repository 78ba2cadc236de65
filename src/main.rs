//! The `palier` binary.

fn main() {}
