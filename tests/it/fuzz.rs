//! What comes from outside, damaged: no reader panics.
//!
//! Each reader is given its seeds, and what chance makes of them. It is the same each time, so that who breaks something
//! sees it fail; `tests/fuzz/run` searches for new inputs under libFuzzer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use palier::fuzz::{TARGETS, Target};

/// How many damaged inputs each reader is given.
const INPUTS: usize = 300;

/// Longer ones only take longer.
const LONGEST: usize = 100_000;

/// The folders of a reader's seeds; of what the repository has anyway there is no copy.
fn folders(target: Target) -> Vec<PathBuf> {
    let own = format!("tests/fuzz/seeds/{}", target.name);
    let folders = match target.name {
        "profile" => vec!["profiles", "tests/samples/profiles/good", "tests/samples/profiles/bad"],
        _ => vec![&*own],
    };
    folders.into_iter().map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).collect()
}

fn seeds(target: Target) -> Vec<Vec<u8>> {
    let entries = folders(target).into_iter().flat_map(|folder| fs::read_dir(folder).expect("seeds"));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a seed").path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    assert!(!paths.is_empty(), "`{}` has no seeds", target.name);
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

fn read(target: Target, input: &[u8]) {
    let read = catch_unwind(AssertUnwindSafe(|| (target.read)(input)));
    assert!(read.is_ok(), "`{}` does not bear this: {:?}", target.name, String::from_utf8_lossy(input));
}

/// One or a few changes, as libFuzzer makes them.
fn damaged(seeds: &[Vec<u8>], chance: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = chance.choice(seeds).expect("seeds").clone();
    for _ in 0..chance.usize(1..=4) {
        let at = chance.usize(0..=input.len());
        match chance.u8(0..8) {
            0 if at < input.len() => input[at] ^= 1 << chance.u8(0..8),
            1 if at < input.len() => {
                input[at] = *chance.choice(b"\"'\\{}[]()<>=,:;.$%#|*\n\0\x7f\xff09").expect("some");
            }
            2 => input.truncate(at),
            3 => drop(input.drain(at..chance.usize(at..=input.len().min(at + 40)))),
            4 => drop(input.splice(at..at, b"99999999999999999999e99".iter().copied())),
            5 => drop(input.splice(at..at, "\u{202e}é\u{1b}[2J".bytes())),
            6 => {
                let other = chance.choice(seeds).expect("seeds");
                let from = chance.usize(0..=other.len());
                let part = other[from..chance.usize(from..=other.len().min(from + 200))].to_vec();
                drop(input.splice(at..at, part));
            }
            _ => {
                let part = input[at..input.len().min(at + 30)].repeat(chance.usize(2..40));
                drop(input.splice(at..at, part));
            }
        }
    }
    input.truncate(LONGEST);
    input
}

#[test]
fn readers_bear_their_seeds() {
    for target in TARGETS {
        for seed in seeds(target) {
            read(target, &seed);
        }
    }
}

#[test]
fn readers_bear_what_is_damaged() {
    for target in TARGETS {
        let (seeds, mut chance) = (seeds(target), fastrand::Rng::with_seed(17));
        for _ in 0..INPUTS {
            read(target, &damaged(&seeds, &mut chance));
        }
    }
}

#[test]
fn every_reader_has_its_binary_under_libfuzzer() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    for target in TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{}\"\npath = \"target.rs\"", target.name)),
            "{}",
            target.name
        );
    }
}
