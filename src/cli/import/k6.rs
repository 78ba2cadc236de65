//! k6's options as JSON: what `k6 inspect` prints, and what `k6 run --config` reads.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::draft::{Draft, Step};
use super::{ImportError, complaint};
use crate::cli::toml_text::{key, literal};

/// Options that say nothing of the load, of thresholds or of the target: k6's own output and resources.
const OF_K6: [&str; 16] = [
    "paused",
    "executionSegment",
    "executionSegmentSequence",
    "noSetup",
    "noTeardown",
    "httpDebug",
    "throw",
    "summaryTrendStats",
    "summaryTimeUnit",
    "systemTags",
    "metricSamplesBufferSize",
    "discardResponseBodies",
    "handleSummaryTimeout",
    "features",
    "totalDuration",
    "maxVUs",
];

/// Reads options. There are no requests in them: one step stands in their place.
pub(super) fn read(text: &str) -> Result<Draft, ImportError> {
    let options: Value =
        serde_json::from_str(text).map_err(|error| ImportError(format!("it is no JSON: {error}")))?;
    let Value::Object(mut options) = options else {
        return Err(ImportError("k6's options are a JSON object".into()));
    };
    // `metadata.json` of an archive has them inside; its environment is not looked at.
    if let Some(Value::Object(inner)) = options.get_mut("options") {
        options = std::mem::take(inner);
    }
    let known = ["scenarios", "stages", "duration", "iterations", "vus", "thresholds"];
    if !known.iter().any(|name| options.get(*name).is_some_and(|it| !it.is_null())) {
        return Err(ImportError(format!("it has none of k6's options {}", known.join(", "))));
    }
    let mut draft = Draft {
        url: "http://localhost:8080".into(),
        notes: vec![
            "k6's options hold no requests: put your address and your steps in the place of these.".into(),
        ],
        steps: vec![Step {
            name: "home".into(),
            method: "get".into(),
            path: "/".into(),
            status: Some(200),
            ..Step::default()
        }],
        ..Draft::default()
    };
    let names = loads(&mut options, &mut draft);
    thresholds(options.remove("thresholds"), &names, &mut draft);
    rest(&options, &mut draft);
    Ok(draft)
}

/// `[load]` or `[[loads]]`; the names of the loads.
fn loads(options: &mut Map<String, Value>, draft: &mut Draft) -> Vec<String> {
    let taken =
        |options: &mut Map<String, Value>, name: &str| options.remove(name).filter(|it| !it.is_null());
    let (vus, duration) = (taken(options, "vus"), taken(options, "duration"));
    let (iterations, stages) = (taken(options, "iterations"), taken(options, "stages"));
    let scenarios = match taken(options, "scenarios") {
        Some(Value::Object(scenarios)) if !scenarios.is_empty() => scenarios,
        _ => shortcut(vus, duration, iterations, stages),
    };
    let is_alone = scenarios.len() == 1;
    let mut text = String::new();
    let mut names = Vec::new();
    for (name, scenario) in scenarios {
        let Value::Object(scenario) = scenario else {
            draft.lost.push(format!("the scenario {name}: it is no object"));
            continue;
        };
        if let Some(load) = load(&name, scenario, is_alone, draft) {
            text += &load;
            text.push('\n');
            names.push(name);
        }
    }
    draft.load = (!text.is_empty()).then(|| text.trim_end().to_owned() + "\n");
    names
}

/// k6's own way from its shortcuts to a scenario.
fn shortcut(
    vus: Option<Value>,
    duration: Option<Value>,
    iterations: Option<Value>,
    stages: Option<Value>,
) -> Map<String, Value> {
    let mut scenario = Map::new();
    let mut set = |name: &str, value: Option<Value>| scenario.extend(value.map(|it| (name.to_owned(), it)));
    if iterations.is_some() {
        set("executor", Some("shared-iterations".into()));
        set("iterations", iterations);
        set("vus", vus);
        set("maxDuration", duration);
    } else if stages.is_some() {
        set("executor", Some("ramping-vus".into()));
        set("startVUs", vus);
        set("stages", stages);
    } else if duration.is_some() {
        set("executor", Some("constant-vus".into()));
        set("vus", vus);
        set("duration", duration);
    } else {
        set("executor", Some("per-vu-iterations".into()));
        set("vus", vus);
    }
    Map::from_iter([("default".to_owned(), Value::Object(scenario))])
}

/// The fields of a load, by k6's names.
const FIELDS: [(&str, &str); 14] = [
    ("vus", "vus"),
    ("iterations", "iterations"),
    ("rate", "rate"),
    ("startRate", "start_rate"),
    ("startVUs", "start_vus"),
    ("preAllocatedVUs", "preallocated_vus"),
    ("maxVUs", "max_vus"),
    ("duration", "duration"),
    ("maxDuration", "max_duration"),
    ("timeUnit", "time_unit"),
    ("gracefulRampDown", "graceful_ramp_down"),
    ("gracefulStop", "graceful_stop"),
    ("startTime", "start_after"),
    ("executor", "executor"),
];

fn load(name: &str, mut scenario: Map<String, Value>, is_alone: bool, draft: &mut Draft) -> Option<String> {
    let executor = scenario.get("executor").and_then(Value::as_str).unwrap_or_default().to_owned();
    if executor == "externally-controlled" {
        draft.lost.push(format!("the scenario {name}: nothing controls a run of palier from outside"));
        return None;
    }
    let mut text = if is_alone && name == "default" {
        "[load]\n".to_owned()
    } else {
        format!("[[loads]]\nname = {}\n", literal(name))
    };
    for (theirs, ours) in FIELDS.iter().rev() {
        match scenario.remove(*theirs) {
            None | Some(Value::Null) => {}
            // Zero is what k6 writes where it means nothing.
            Some(Value::String(zero)) if *theirs == "startTime" && zero == "0s" => {}
            Some(Value::String(text_value)) => {
                let _ = writeln!(text, "{ours} = {}", literal(&text_value));
            }
            Some(number) => {
                let _ = writeln!(text, "{ours} = {number}");
            }
        }
    }
    if let Some(Value::Array(stages)) = scenario.remove("stages") {
        text += "stages = [\n";
        for stage in &stages {
            let duration = stage["duration"].as_str().unwrap_or("0s");
            let _ = writeln!(
                text,
                "  {{ duration = {}, target = {} }},",
                literal(duration),
                stage["target"].as_u64().unwrap_or(0)
            );
        }
        text += "]\n";
    }
    if let Some(Value::Object(tags)) = scenario.remove("tags") {
        let pairs: Vec<String> = tags
            .iter()
            .filter_map(|(name, value)| Some(format!("{} = {}", key(name), literal(value.as_str()?))))
            .collect();
        if !pairs.is_empty() {
            let _ = writeln!(text, "tags = {{ {} }}", pairs.join(", "));
        }
    }
    for (option, value) in scenario {
        match (option.as_str(), &value) {
            (_, Value::Null) => {}
            ("exec", Value::String(function)) if function == "default" => {}
            ("exec", value) => draft.lost.push(format!("the scenario {name}: what its function {value} does; name a `scenario` of its own in its load")),
            // Never with its values.
            ("env", Value::Object(variables)) => {
                let names: Vec<&str> = variables.keys().map(String::as_str).collect();
                if !names.is_empty() {
                    draft.lost.push(format!("the scenario {name}: its variables {}", names.join(", ")));
                }
            }
            ("env", _) => {}
            (option, _) => draft.lost.push(format!("the scenario {name}: `{option}`")),
        }
    }
    Some(text)
}

/// `[thresholds]`: each is tried, because k6 has metrics, tags and groups that palier does not.
fn thresholds(thresholds: Option<Value>, loads: &[String], draft: &mut Draft) {
    let Some(Value::Object(thresholds)) = thresholds else { return };
    for (metric, expressions) in thresholds {
        let selected = selector(&metric);
        let list = if let Value::Array(list) = expressions { list } else { vec![expressions] };
        let mut kept = Vec::new();
        for expression in &list {
            let (item, shown) = threshold(expression);
            let line = format!("[thresholds]\n{} = [{item}]\n", key(&selected));
            // The steps of a profile are not known here, its loads are.
            let named = loads.iter().map(|name| format!("{{load:{name}}}"));
            let tried = named.fold(line, |line, load| line.replace(&load, ""));
            let steps = "[[step]]\nname = \"home\"\nget = \"/\"\nchecks = [{ name = \"a\", status = 200 }]\n";
            match complaint(&tried, steps) {
                None => kept.push(item),
                Some(message) => draft.lost.push(format!("the threshold {metric} {shown}: {message}")),
            }
        }
        if !kept.is_empty() {
            let _ = writeln!(draft.thresholds, "{} = [{}]", key(&selected), kept.join(", "));
        }
    }
}

/// One threshold as TOML, and in words.
fn threshold(expression: &Value) -> (String, String) {
    let Value::Object(object) = expression else {
        let text = expression.as_str().unwrap_or_default();
        return (literal(text), text.to_owned());
    };
    let text = object.get("threshold").and_then(Value::as_str).unwrap_or_default();
    let mut item = format!("{{ expr = {}", literal(text));
    if object.get("abortOnFail").and_then(Value::as_bool) == Some(true) {
        item += ", abort = true";
        if let Some(delay) = object.get("delayAbortEval").and_then(Value::as_str).filter(|it| *it != "0s") {
            let _ = write!(item, ", delay = {}", literal(delay));
        }
    }
    (item + " }", text.to_owned())
}

/// k6's tags in palier's words: `scenario` is a load, `name` a step.
fn selector(metric: &str) -> String {
    metric
        .replace("{scenario:", "{load:")
        .replace(",scenario:", ",load:")
        .replace("{name:", "{step:")
        .replace(",name:", ",step:")
}

/// What is about the target, and what has no word here.
fn rest(options: &Map<String, Value>, draft: &mut Draft) {
    let is_on = |name: &str| options.get(name).and_then(Value::as_bool) == Some(true);
    let reuse = [("noConnectionReuse", "request"), ("noVUConnectionReuse", "iteration")];
    if let Some((_, reuse)) = reuse.into_iter().find(|(name, _)| is_on(name)) {
        draft.target.push(format!("connections = {{ reuse = \"{reuse}\" }}"));
    }
    for (option, value) in options {
        let is_unset = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(object) => object.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Bool(true) | Value::Number(_) => false,
        };
        let is_known = OF_K6.contains(&option.as_str()) || reuse.iter().any(|(name, _)| name == option);
        match (option.as_str(), value) {
            _ if is_unset || is_known => {}
            ("userAgent", Value::String(agent)) => draft.headers.push(("User-Agent".into(), agent.clone())),
            ("minIterationDuration", Value::String(pace)) => {
                draft.lost.push(format!("minIterationDuration {pace}: `pace` in a scenario"));
            }
            // Never with its value: `tlsAuth` holds keys.
            (option, _) => draft.lost.push(format!("the option {option}")),
        }
    }
}
