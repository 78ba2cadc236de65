//! Every summary can be rendered in every format: also one that no run would make, but a file may hold.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::comparison::console as comparison;
use super::console::{self, Look};
use super::summary::Summary;
use super::{Format, annotations, json, sample};

/// What becomes of one value of a summary.
#[derive(Clone, Debug)]
enum Change {
    /// A number, where there is one.
    Number(f64),
    /// A text, where there is one.
    Text(String),
    /// Nothing, where something may be missing.
    Null,
    /// No entry, of a list or a map.
    Empty,
    /// Its first entry so many times, of a list.
    Repeat(usize),
    /// Without its last entry, of a list.
    Shorter,
}

fn change() -> impl Strategy<Value = Change> {
    let number = prop_oneof![
        Just(0.0),
        Just(-1.0),
        Just(1e-300),
        Just(1e300),
        Just(-1e300),
        Just(f64::from(u32::MAX)),
        Just(9_007_199_254_740_993.0),
        any::<f64>().prop_filter("JSON has no other", |it| it.is_finite()),
    ];
    let text = prop_oneof![
        Just(String::new()),
        Just("\u{1b}[2J\r\n::error::<b>]]>\0\u{202e}|`${{ x }}".to_owned()),
        Just("é".repeat(5_000)),
        Just("http_req_duration".to_owned()),
        Just("9999-99-99T99:99:99Z".to_owned()),
        ".{0,20}",
    ];
    prop_oneof![
        4 => number.prop_map(Change::Number),
        3 => text.prop_map(Change::Text),
        2 => Just(Change::Null),
        2 => Just(Change::Empty),
        1 => (0..400_usize).prop_map(Change::Repeat),
        1 => Just(Change::Shorter),
    ]
}

/// Whether it can be done to that value.
fn apply(value: &mut Value, change: &Change) -> bool {
    match (change, &mut *value) {
        (Change::Number(number), Value::Number(old)) => {
            // Where a whole number has to stand, nothing else can be read.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "any whole number will do that JSON can hold exactly"
            )]
            let whole = (*number as u64).min(1 << 53);
            *value = if old.is_u64() { json!(whole) } else { json!(number) };
        }
        (Change::Text(text), Value::String(old)) => old.clone_from(text),
        (Change::Null, _) => *value = Value::Null,
        (Change::Empty, Value::Array(list)) => list.clear(),
        (Change::Empty, Value::Object(map)) => map.clear(),
        (Change::Repeat(n), Value::Array(list)) if !list.is_empty() => *list = vec![list[0].clone(); *n],
        (Change::Shorter, Value::Array(list)) => drop(list.pop()),
        _ => return false,
    }
    true
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0_usize,
    }
}

/// The value of that number, counted from the top down.
fn nth<'a>(value: &'a mut Value, n: &mut usize) -> Option<&'a mut Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|it| nth(it, n)),
        Value::Object(map) => map.values_mut().find_map(|it| nth(it, n)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

static DOCUMENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let samples = sample::all().into_iter().chain(sample::observed()).map(|(_, summary)| summary);
    let samples = samples.chain([sample::hostile(), sample::slower(1.5)]);
    samples
        .map(|mut summary| {
            // Of hundreds of points each is as good as the next.
            summary.series.points.truncate(12);
            for series in summary.observers.iter_mut().flat_map(|it| &mut it.series) {
                series.points.truncate(8);
            }
            summary.windows = summary.windows.filter(|_| summary.regression.is_some());
            serde_json::to_value(summary).expect("a summary")
        })
        .collect()
});

fn render_all(summary: &Summary) {
    for format in Format::ALL {
        format.render(summary);
    }
    annotations::render(summary);
    for width in [1, 40, 10_000] {
        console::render(summary, &Look { colour: true, width, report: Some("report.html") });
    }
    if let Some(regression) = &summary.regression {
        comparison::glance(regression, true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_summary_that_can_be_read_can_be_rendered(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..12),
    ) {
        let mut document = DOCUMENTS[which.index(DOCUMENTS.len())].clone();
        for (place, change) in &changes {
            let mut changed = document.clone();
            let mut n = place.index(count(&changed));
            let is_done = nth(&mut changed, &mut n).is_some_and(|value| apply(value, change));
            // What cannot be read any more is told so elsewhere.
            if is_done && json::parse(&changed.to_string()).is_ok() {
                document = changed;
            }
        }
        let summary = json::parse(&document.to_string()).expect("it could be read");
        render_all(&summary);
    }
}
