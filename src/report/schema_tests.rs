//! What is generated and committed is what the code says: `summary.schema.json` and `tests/samples/`.
//!
//! After a change of the types: `cargo test --lib -- --ignored write_generated_files`.

use std::path::PathBuf;

use schemars::generate::SchemaSettings;

use super::{Summary, json, sample, write};

/// Every generated file, relative to the repository, with its content.
fn generated() -> Vec<(String, String)> {
    let schema = SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<Summary>();
    let mut schema = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    schema.push('\n');
    let samples = (sample::all().into_iter().chain(sample::observed()))
        .map(|(name, it)| (format!("tests/samples/summary-{name}.json"), json::render(&it)));
    [("summary.schema.json".to_owned(), schema)].into_iter().chain(samples).collect()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn generated_files_are_up_to_date() {
    for (name, content) in generated() {
        let committed = std::fs::read_to_string(path(&name)).unwrap_or_default();
        assert!(
            committed == content,
            "{name} is out of date: run `cargo test --lib -- --ignored write_generated_files`"
        );
    }
}

#[test]
#[ignore = "writes into the repository"]
fn write_generated_files() {
    for (name, content) in generated() {
        write::write_whole(&path(&name), content.as_bytes()).expect("written");
    }
}
