//! Files that a profile names for what is in them: certificates, bodies, data.
//!
//! They are read while a profile is put together, each relative to the file that names it; the readers of the keys find
//! the bytes by the place of the name.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::place::Place;
use super::tree::{Node, Value};

/// The files that were read, by the place of the text that names each.
pub(super) type Attached = BTreeMap<Place, Bytes>;

/// Every text in a profile that names such a file.
pub(super) fn named(root: &Node) -> Vec<&Node> {
    let mut named = Vec::new();
    let tls = get(get(Some(root), "target"), "tls");
    for key in ["ca", "cert", "key"] {
        named.extend(get(tls, key).map(Node::one_or_many).unwrap_or_default());
    }
    let loads = get(Some(root), "loads").and_then(Node::items).unwrap_or_default();
    let scenarios = loads.iter().filter_map(|load| get(Some(load), "scenario"));
    for scenario in std::iter::once(root).chain(scenarios) {
        if let Some(data) = get(Some(scenario), "data").and_then(Node::table) {
            named.extend(data.entries.iter().filter_map(|(_, set)| get(Some(set), "file")));
        }
        let groups = get(Some(scenario), "group").and_then(Node::items).unwrap_or_default();
        let groups = groups.iter().map(|group| get(Some(group), "step"));
        let lists = ["step", "setup", "teardown"].into_iter().map(|key| get(Some(scenario), key));
        for step in lists.chain(groups).flat_map(|list| list.and_then(Node::items).unwrap_or_default()) {
            named.extend(get(Some(step), "body_file"));
            if let Some(parts) = get(Some(step), "multipart").and_then(Node::table) {
                named.extend(parts.entries.iter().filter_map(|(_, part)| get(Some(part), "file")));
            }
        }
    }
    named.retain(|node| matches!(node.value, Value::String(_)));
    named
}

fn get<'t>(node: Option<&'t Node>, key: &str) -> Option<&'t Node> {
    node?.table()?.get(key)
}
