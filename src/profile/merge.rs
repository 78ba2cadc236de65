//! One file's values over another's: tables merge, all else is replaced.

use super::tree::{Node, Table, Value};

/// Keys of a load that mean the same with every executor.
const OF_EVERY_EXECUTOR: [&str; 5] = ["name", "scenario", "start_after", "tags", "graceful_stop"];

/// A profile over the one it extends.
pub(super) fn extend(mut base: Table, over: Table) -> Table {
    // What is one choice is replaced whole: the ways to say it would else stand side by side.
    for (one, others) in [
        ("load", &["loads"][..]),
        ("loads", &["load"]),
        ("scenario", &["step", "setup", "teardown", "pause", "pace"]),
        ("step", &["scenario", "setup", "teardown"]),
    ] {
        if over.get(one).is_some() {
            for other in others {
                base.remove(other);
            }
        }
    }
    if let (Some(Value::Table(below)), Some(target)) =
        (base.get_mut("target").map(|node| &mut node.value), over.get("target").and_then(Node::table))
    {
        for key in ["url", "service"] {
            if target.get(key).is_some() {
                strip_for_target(below, key);
            }
        }
    }
    // Nobody who adds a secret means to give away those that were kept so far.
    let kept = base.get("secrets").and_then(Node::items).unwrap_or_default().to_vec();
    let mut merged = tables(base, over);
    if let Some(Node { value: Value::Array(names), .. }) = merged.get_mut("secrets") {
        let new: Vec<Node> =
            kept.into_iter().filter(|name| !names.iter().any(|other| other.value == name.value)).collect();
        names.extend(new);
    }
    merged
}

/// One table over another.
pub(super) fn tables(mut base: Table, over: Table) -> Table {
    if let Some(executor) = over.get("executor") {
        strip_for_executor(&mut base, executor);
    }
    for (key, node) in over.entries {
        let merged = match base.get_mut(&key.value) {
            // A pause is fixed, uniform or exponential: the keys of two kinds do not mix.
            Some(below) if key.value != "pause" => nodes(below.clone(), node),
            _ => node,
        };
        base.set(key, merged);
    }
    base
}

fn nodes(base: Node, over: Node) -> Node {
    match (base.value, over.value) {
        (Value::Table(base), Value::Table(table)) => {
            Node { value: Value::Table(tables(base, table)), place: over.place }
        }
        (_, value) => Node { value, place: over.place },
    }
}

/// Takes out of a load what only its present executor knows, where that is replaced by another one.
pub(super) fn strip_for_executor(load: &mut Table, executor: &Node) {
    let name = |node: &Node| node.text().map(|text| text.content.clone());
    if load.get("executor").is_some_and(|present| name(present) != name(executor)) {
        load.entries
            .retain(|(key, _)| key.value == "executor" || OF_EVERY_EXECUTOR.contains(&key.value.as_str()));
    }
}

/// Takes the other way to say where the target is out of `[target]`.
pub(super) fn strip_for_target(target: &mut Table, key: &str) {
    let other = match key {
        "url" => "service",
        "service" => "url",
        _ => return,
    };
    target.remove(other);
}

#[cfg(test)]
mod tests {
    use super::super::place::Sources;
    use super::super::tree;
    use super::*;

    /// The merged tree as nested names and values.
    fn merged(base: &str, over: &str) -> String {
        let mut sources = Sources::default();
        let mut table = |text: &str| {
            let source = sources.add(String::new(), text.into());
            tree::parse(text, source).0.table().unwrap().clone()
        };
        let (base, over) = (table(base), table(over));
        show(&extend(base, over))
    }

    fn show(table: &Table) -> String {
        let value = |node: &Node| match &node.value {
            Value::Table(table) => format!("{{{}}}", show(table)),
            Value::Array(items) => format!("[{}]", items.len()),
            Value::String(text) => text.content.clone(),
            Value::Integer(integer) => integer.to_string(),
            Value::Float(_) | Value::Bool(_) | Value::Datetime(_) | Value::Broken => node.kind().into(),
        };
        let entries: Vec<_> =
            table.entries.iter().map(|(key, node)| format!("{}={}", key.value, value(node))).collect();
        entries.join(" ")
    }

    #[test]
    fn tables_merge_and_arrays_replace() {
        assert_eq!(
            merged("a = [1, 2]\n[t]\nx = 1\ny = 1\n", "a = [3]\n[t]\ny = 2\nz = 2\n"),
            "a=[1] t={x=1 y=2 z=2}"
        );
    }

    #[test]
    fn another_executor_leaves_the_fields_of_the_first_behind() {
        assert_eq!(
            merged(
                "[load]\nexecutor = \"ramping-vus\"\nstages = []\ngraceful_stop = \"5s\"\n",
                "[load]\nexecutor = \"constant-vus\"\nvus = 3\n"
            ),
            "load={executor=constant-vus graceful_stop=5s vus=3}"
        );
    }

    #[test]
    fn a_choice_is_replaced_whole() {
        assert_eq!(merged("scenario = \"a\"\npause = \"1s\"\n", "[[step]]\n"), "pause=1s step=[1]");
        assert_eq!(merged("[load]\nvus = 1\n", "[[loads]]\n"), "loads=[1]");
        assert_eq!(merged("target.url = \"u\"\n", "target.service = \"s\"\n"), "target={service=s}");
        assert_eq!(merged("target.service = \"s\"\n", "target.url = \"u\"\n"), "target={url=u}");
        assert_eq!(merged("secrets = [\"A\", \"B\"]\n", "secrets = [\"C\"]\n"), "secrets=[3]");
        assert_eq!(merged("pause = { min = 1, max = 2 }\n", "pause = { mean = 3 }\n"), "pause={mean=3}");
    }
}
