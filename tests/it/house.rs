//! The rules of the house that no lint knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push(path);
        }
    }
}

/// The rooms in the order of `lib.rs`.
fn rooms() -> Vec<String> {
    let text = read(&repository("src/lib.rs"));
    let declared = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    declared.map(str::to_owned).collect()
}

/// What a line names of other rooms: `crate::plan::{…}` is `plan`, `crate::{plan, profile}` are both.
fn named(line: &str) -> Vec<String> {
    let word =
        |text: &str| text.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect::<String>();
    let mut names = Vec::new();
    for rest in line.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            // Of a list the first word of each path, whatever braces there are within.
            Some(list) => {
                let mut depth = 0_u32;
                let mut is_first = true;
                for (at, character) in list.char_indices() {
                    if depth == 0 && is_first && character.is_alphabetic() {
                        names.push(word(&list[at..]));
                        is_first = false;
                    }
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => is_first = true,
                        _ => {}
                    }
                }
            }
            None => names.push(word(rest)),
        }
    }
    names
}

#[test]
fn a_room_imports_only_from_rooms_declared_above_it() {
    assert_eq!(
        named("use crate::{plan::{Load, Plan}, words::Metric, profile};"),
        ["plan", "words", "profile"]
    );
    assert_eq!(named("    let it = crate::units::human_duration(crate::words::x);"), ["units", "words"]);
    let rooms = rooms();
    assert_eq!(rooms.first().map(String::as_str), Some("words"));
    assert!(rooms.iter().any(|room| room == "cli"), "{rooms:?}");
    let place = |room: &str| rooms.iter().position(|it| it == room);
    let mut files = Vec::new();
    sources(&repository("src"), &mut files);
    let (mut n_imports, mut wrong) = (0, Vec::new());
    for file in &files {
        let within = file.strip_prefix(repository("src")).expect("in it");
        let first = within.components().next().expect("a name").as_os_str().to_string_lossy();
        let Some(own) = place(first.trim_end_matches(".rs")) else { continue };
        let text = read(file);
        // `use` lists may go over several lines.
        let text =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ");
        for name in named(&text) {
            match place(&name) {
                Some(other) if other > own => wrong.push(format!("{} names crate::{name}", within.display())),
                Some(_) => n_imports += 1,
                // What `lib.rs` itself has: nothing.
                None => wrong.push(format!("{} names crate::{name}, which is no room", within.display())),
            }
        }
    }
    assert!(n_imports > 300, "{n_imports} imports were found in {} files", files.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The crates of a section of `Cargo.toml`, those that a feature brings along apart.
fn crates(section: &str) -> [BTreeSet<String>; 2] {
    let text = read(&repository("Cargo.toml"));
    let text = text.split(&format!("\n[{section}]\n")).nth(1).expect("a section");
    let lines = text.lines().take_while(|line| !line.starts_with('['));
    let mut crates = [BTreeSet::new(), BTreeSet::new()];
    for line in lines.filter(|line| !line.starts_with('#')) {
        if let Some((name, rest)) = line.split_once(" = ") {
            crates[usize::from(rest.contains("optional = true"))].insert(name.to_owned());
        }
    }
    crates
}

#[test]
fn every_dependency_earns_its_place_in_the_table() {
    let text = read(&repository("docs/dependencies.md"));
    let mut tables: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut heading = "";
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title;
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
            assert!(cells.len() >= 3 && cells.iter().all(|cell| !cell.is_empty()), "{line}");
            let name = cells[0].trim_end_matches('`').to_owned();
            assert!(tables.entry(heading).or_default().insert(name), "twice: {line}");
        }
    }
    let [always, optional] = crates("dependencies");
    let [mut tests, _] = crates("dev-dependencies");
    // For tests it has more features.
    tests.remove("rustix");
    assert_eq!(tables["At run time"], always);
    assert_eq!(tables["Features"], optional);
    assert_eq!(tables["For tests"], tests);
    let rust = read(&repository("Cargo.toml"));
    let rust = rust.split("rust-version = \"").nth(1).and_then(|it| it.split('"').next()).expect("a version");
    assert!(text.contains(&format!("`rust-version` in `Cargo.toml` ({rust})")), "docs say another Rust");
    assert!(read(&repository("CONTRIBUTING.md")).contains(&format!("Rust {rust} or later")));
}
