//! What `profile.schema.json` tells editors is what the readers of this room take.
//!
//! The readers note here which keys they ask for, and which words they choose from, so that nothing can be added to
//! one of them without the schema being told. The file is written by hand but for the metrics, which come out of
//! [`Metric`]: `cargo test --lib -- --ignored write_metrics_into_the_profile_schema`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::*;
use crate::words::{Metric, MetricKind, ObserverKind, Unit};

/// What was asked for since it was last looked at.
#[derive(Debug, Default)]
struct Asked {
    /// The keys of a table, by what the table is called in messages.
    keys: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// The words of a choice, by its key.
    choices: BTreeMap<String, Vec<&'static str>>,
}

thread_local! {
    static ASKED: RefCell<Asked> = RefCell::default();
}

/// Notes that a table was asked for a key.
pub(super) fn note_key(what: &'static str, key: &'static str) {
    ASKED.with_borrow_mut(|asked| asked.keys.entry(what).or_default().insert(key));
}

/// Notes which words a key may have.
pub(super) fn note_choices(key: &str, names: impl Iterator<Item = &'static str>) {
    ASKED.with_borrow_mut(|asked| asked.choices.insert(key.to_owned(), names.collect()));
}

/// A text, whatever file is asked for.
struct Text<'a>(&'a str);

impl Files for Text<'_> {
    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok(self.0.to_owned())
    }

    fn exists(&self, _: &Path) -> bool {
        true
    }
}

/// Reads a profile with a target put in, and what it was asked for meanwhile.
fn read(path: &Path, files: &dyn Files) -> (Result<Profile, Error>, Asked) {
    ASKED.take();
    let url = Override::Flag { flag: "--target", path: "target.url", value: "http://localhost".into() };
    let name = path.to_str().expect("a path in UTF-8");
    let request =
        Request { name, folder: Path::new("/"), overrides: &[url], variables: &BTreeMap::default() };
    let profile = load(&request, files);
    (profile, ASKED.take())
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn schema() -> Value {
    let text = std::fs::read_to_string(repository("profile.schema.json")).expect("there is a schema");
    serde_json::from_str(&text).expect("it is JSON")
}

/// The samples of a folder, in the order of their names.
fn samples(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository("tests/samples/profiles").join(folder)).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn at<'s>(schema: &'s Value, pointer: &str) -> &'s Value {
    schema.pointer(pointer).unwrap_or_else(|| panic!("the schema has no {pointer}"))
}

fn words<'s>(schema: &'s Value, pointer: &str) -> BTreeSet<&'s str> {
    let list = at(schema, pointer).as_array().expect("an array");
    list.iter().map(|word| word.as_str().expect("a text")).collect()
}

fn properties<'s>(schema: &'s Value, pointer: &str) -> BTreeSet<&'s str> {
    let at = at(schema, pointer);
    assert_eq!(at["additionalProperties"], json!(false), "{pointer} lets unknown keys through");
    at["properties"].as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Which tables of the schema are those of the readers. What is read as two tables may be one of the schema, and
/// the other way round.
const TABLES: [(&[&str], &[&str]); 21] = [
    (&["the profile", "a scenario"], &[""]),
    (&["`[target]`"], &["/definitions/target"]),
    (&["`ready`"], &["/definitions/target/properties/ready"]),
    (&["`[target.connections]`"], &["/definitions/target/properties/connections"]),
    (&["`[load]`"], &["/definitions/load"]),
    (&["`[[loads]]`"], &["/definitions/namedLoad"]),
    (&["a stage"], &["/definitions/stage"]),
    (&["a step"], &["/definitions/step"]),
    (&["a capture"], &["/definitions/capture"]),
    (&["a check"], &["/definitions/check"]),
    (&["`body`"], &["/definitions/check/properties/body"]),
    (&["`pause`"], &["/definitions/pause/anyOf/1", "/definitions/pause/anyOf/2"]),
    (&["a threshold"], &["/definitions/trendTable"]),
    (&["`[observe]`"], &["/properties/observe"]),
    (&["`[observe.kubernetes]`"], &["/definitions/observeKubernetes"]),
    (&["`[observe.mysql]`"], &["/definitions/observeMysql"]),
    (&["`[observe.logs]`"], &["/definitions/observeLogs"]),
    (&["a pattern"], &["/definitions/logPattern"]),
    (&["`[cleanup]`"], &["/properties/cleanup"]),
    (&["`[cleanup.mysql]`"], &["/definitions/cleanupMysql"]),
    // A scenario file that a load names is read a second time.
    (&["the scenario"], &[]),
];

#[test]
fn the_schema_has_the_keys_that_the_readers_ask_for() {
    let schema = schema();
    let mut asked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut note = |(_, new): (_, Asked)| {
        for (what, keys) in new.keys {
            asked.entry(what).or_default().extend(keys);
        }
    };
    for path in samples("good") {
        note(read(&path, &Disk));
    }
    for executor in words(&schema, EXECUTORS) {
        note(read(Path::new("/p.toml"), &Text(&format!("[load]\nexecutor = \"{executor}\"\n"))));
    }
    for (whats, pointers) in TABLES {
        let keys: BTreeSet<&str> =
            whats.iter().flat_map(|what| asked.remove(what).unwrap_or_default()).collect();
        let known: BTreeSet<&str> =
            pointers.iter().flat_map(|pointer| properties(&schema, pointer)).collect();
        if !pointers.is_empty() {
            assert_eq!(known, keys, "left: {pointers:?} in the schema, right: {whats:?} as it is read");
        }
    }
    for (_, kind) in KINDS {
        let table = properties(&schema, &format!("/definitions/{kind}Table"));
        assert_eq!(table, properties(&schema, "/definitions/trendTable"), "{kind}");
    }
    assert!(asked.is_empty(), "add these tables to the schema, and to this test: {asked:?}");
}

const EXECUTORS: &str = "/definitions/load/properties/executor/anyOf/0/enum";

#[test]
fn the_schema_has_the_words_that_the_readers_know() {
    let schema = schema();
    let mut choices = BTreeMap::new();
    for path in samples("good") {
        choices.extend(read(&path, &Disk).1.choices);
    }
    let mut table = |key: &str, pointers: &[&str]| {
        let names: BTreeSet<_> = choices.remove(key).into_iter().flatten().collect();
        for pointer in pointers {
            assert_eq!(words(&schema, &format!("{pointer}/anyOf/0/enum")), names, "{key}");
        }
    };
    table(
        "executor",
        &["/definitions/load/properties/executor", "/definitions/namedLoad/properties/executor"],
    );
    table("reuse", &["/definitions/target/properties/connections/properties/reuse"]);
    table("type", &["/definitions/check/properties/type"]);
    let sections = KINDS.map(|(_, kind)| format!("/definitions/{kind}Table/properties/section"));
    table("section", &sections.each_ref().map(String::as_str));
    assert!(choices.is_empty(), "add these choices to the schema, and to this test: {choices:?}");

    let taken = "propertyNames/not/enum";
    assert_eq!(words(&schema, &format!("/definitions/tags/{taken}")), selector::RESERVED.into());
    let built_in = template::BUILT_IN.map(|name| name.split('(').next().unwrap_or(name));
    let captures = format!("/definitions/step/properties/capture/{taken}");
    assert_eq!(words(&schema, &captures), built_in.into());
}

#[test]
fn the_schema_gives_each_executor_its_fields() {
    let schema = schema();
    for executor in words(&schema, EXECUTORS) {
        let text = format!("[load]\nexecutor = \"{executor}\"\n");
        let (profile, asked) = read(Path::new("/p.toml"), &Text(&text));
        let of = |definition: &str, then: &str| -> BTreeSet<&str> {
            let all = at(&schema, &format!("/definitions/{definition}/allOf")).as_array().expect("an array");
            let condition = json!({ "executor": { "const": executor } });
            let it = all.iter().find(|it| it["if"]["properties"] == condition);
            it.map(|it| words(&it["then"], then)).unwrap_or_default()
        };
        let fields = of("executorFields", "/propertyNames/enum");
        // These two are those of `[[loads]]`, which share the list.
        let fields: BTreeSet<_> =
            fields.into_iter().filter(|key| !["name", "scenario"].contains(key)).collect();
        assert_eq!(fields, asked.keys["`[load]`"], "{executor}");

        let Err(Error::Rejected(rejected)) = profile else { panic!("{profile:?}") };
        let missing = rejected.diagnostics.iter().filter_map(|diagnostic| {
            diagnostic.message.strip_prefix('`')?.strip_suffix("` is missing in `[load]`")
        });
        assert_eq!(of("executorNeeds", "/required"), missing.collect(), "{executor}");
    }
}

#[test]
fn good_samples_are_read_and_bad_ones_are_not() {
    for path in samples("good") {
        // A scenario alone is no profile; others of the samples name it.
        if path.ends_with("scenario.toml") {
            continue;
        }
        if let (Err(error), _) = read(&path, &Disk) {
            let Error::Rejected(rejected) = error else { panic!("{error}") };
            panic!("{}", rejected.render(false));
        }
    }
    for path in samples("bad") {
        assert!(read(&path, &Disk).0.is_err(), "{} is read", path.display());
    }
}

const KINDS: [(MetricKind, &str); 4] = [
    (MetricKind::Counter, "counter"),
    (MetricKind::Gauge, "gauge"),
    (MetricKind::Rate, "rate"),
    (MetricKind::Trend, "trend"),
];

/// What a metric measures and how it can be judged.
fn description(metric: Metric) -> String {
    let words = serde_json::to_value(schemars::schema_for!(Metric)).expect("a schema is JSON");
    let word = words["oneOf"].as_array().and_then(|all| all.iter().find(|it| it["const"] == metric.name()));
    let meaning = word.and_then(|word| word["description"].as_str()).expect("every metric is described");
    let unit = match metric.unit() {
        Unit::Milliseconds => "in milliseconds",
        Unit::Fraction => "a share",
        Unit::Bytes => "in bytes",
        Unit::Count | Unit::PerSecond | Unit::Cores => "a number",
    };
    let aggregations = match metric.kind() {
        MetricKind::Counter => "`count`, `rate` (per second)",
        MetricKind::Gauge => "`value`, `min`, `max`",
        MetricKind::Rate => "`rate`",
        MetricKind::Trend => "`avg`, `min`, `med`, `max`, `p(N)`, `count`",
    };
    format!("{meaning}\n\nA {}, {unit}: {aggregations}.", metric.kind())
}

/// The schema with all metrics, and those only, under `thresholds` and `warnings`; with its own under those of an
/// observer.
fn with_metrics(mut schema: Value) -> Value {
    let lists = ["thresholds", "warnings"];
    let of_profile = lists.map(|list| (list, None));
    let of_observers = ObserverKind::ALL.iter().flat_map(|kind| lists.map(|list| (list, Some(*kind))));
    for (list, of) in of_profile.into_iter().chain(of_observers) {
        let table = match of {
            None => &mut schema["properties"][list],
            Some(ObserverKind::Kubernetes) => {
                &mut schema["definitions"]["observeKubernetes"]["properties"][list]
            }
            Some(ObserverKind::Mysql) => &mut schema["definitions"]["observeMysql"]["properties"][list],
            Some(ObserverKind::Logs) => &mut schema["definitions"]["observeLogs"]["properties"][list],
        };
        let mut properties = Map::new();
        if let Some(defaults) = table["properties"].get("defaults") {
            properties.insert("defaults".into(), defaults.clone());
        }
        let mut patterns = Map::new();
        for &metric in Metric::ALL.iter().filter(|metric| of.is_none() || metric.observer() == of) {
            let (_, kind) = KINDS.into_iter().find(|(kind, _)| *kind == metric.kind()).expect("four kinds");
            let mut all = vec![json!({ "$ref": format!("#/definitions/{kind}Thresholds") })];
            if list == "warnings" {
                all.push(json!({ "$ref": "#/definitions/noAbort" }));
            }
            let value = json!({ "description": description(metric), "allOf": all });
            properties.insert(metric.name().into(), value.clone());
            patterns.insert(format!(r"^\s*{metric}\s*\{{.*\}}\s*$"), value);
        }
        table["properties"] = Value::Object(properties);
        table["patternProperties"] = Value::Object(patterns);
    }
    schema
}

#[test]
fn the_schema_has_every_metric() {
    let schema = schema();
    assert!(
        with_metrics(schema.clone()) == schema,
        "run `cargo test --lib -- --ignored write_metrics_into_the_profile_schema`"
    );
}

#[test]
#[ignore = "writes into the repository"]
#[expect(
    clippy::disallowed_methods,
    reason = "a committed file: whatever becomes of it, Git has the last one"
)]
fn write_metrics_into_the_profile_schema() {
    let text = serde_json::to_string_pretty(&with_metrics(schema())).expect("a schema is JSON");
    std::fs::write(repository("profile.schema.json"), text + "\n").expect("written");
}
