//! Finding one value in a JSON body without building a tree of it.
//!
//! Most checks and captures ask for one value of a body whose rest nobody looks at. It is found while the body is read
//! once, as the text that stands there; the rest is only made sure to be JSON.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::plan::Turn;

/// The text of the value at the end of a way, if there is one; of members with the same name the last counts, as in a
/// tree. An error where the body is not JSON.
pub(super) fn seek<'a>(body: &'a [u8], way: &[Turn]) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let found = Seek(way).deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

struct Seek<'w>(&'w [Turn]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => serde::Deserialize::deserialize(deserializer).map(Some),
            [_, ..] => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let [turn, rest @ ..] = self.0 else { return Ok(None) };
        let name = match turn {
            Turn::Name(name) => Some(name.as_str()),
            Turn::Index(_) => None,
        };
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(name))? {
            if is_it {
                found = map.next_value_seed(Seek(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let [turn, rest @ ..] = self.0 else { return Ok(None) };
        let index = match turn {
            Turn::Index(index) => Some(*index),
            Turn::Name(_) => None,
        };
        let mut found = None;
        for at in 0.. {
            if index == Some(at) {
                let Some(item) = items.next_element_seed(Seek(rest))? else { break };
                found = item;
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    // Nothing lies within what is neither object nor array.
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a member has this name.
struct Is<'n>(Option<&'n str>);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(self.0 == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;
    use serde_json_path::JsonPath;

    use super::*;
    use crate::plan::JsonQuery;

    fn found(body: &str, path: &str) -> Option<String> {
        let query = JsonQuery::from(JsonPath::parse(path).unwrap());
        let way = query.way.expect("a way");
        seek(body.as_bytes(), &way).expect("JSON").map(|value| value.get().to_owned())
    }

    #[test]
    fn the_value_is_found_as_it_stands_there() {
        let body = r#" {"id": 17, "list": [ {"a": "x"}, [1, 2.50] ], "none": null} "#;
        assert_eq!(found(body, "$.id").as_deref(), Some("17"));
        assert_eq!(found(body, "$.list[0].a").as_deref(), Some("\"x\""));
        assert_eq!(found(body, "$.list[1][1]").as_deref(), Some("2.50"));
        assert_eq!(found(body, "$.none").as_deref(), Some("null"));
        assert_eq!(found(body, "$.nothing"), None);
        assert_eq!(found(body, "$.id.deeper"), None);
        assert_eq!(found(body, "$.list[2]"), None);
        assert_eq!(found(body, "$[0]"), None);
        assert_eq!(found(body, "$.list.a"), None);
    }

    #[test]
    fn the_last_of_several_members_with_one_name_counts() {
        assert_eq!(found(r#"{"a": {"b": 1}, "a": {"b": 2}}"#, "$.a.b").as_deref(), Some("2"));
        assert_eq!(found(r#"{"a": {"b": 1}, "a": 3}"#, "$.a.b"), None);
        assert_eq!(found(r#"{"\u0061": 4}"#, "$.a").as_deref(), Some("4"));
    }

    #[test]
    fn what_is_no_json_behind_the_value_is_seen_too() {
        let way = [Turn::Name("a".to_owned())];
        for body in [r#"{"a": 1"#, r#"{"a": 1} x"#, r#"{"a": 1, "b": tru}"#, "", "\u{0}", r#"{"a": "\x"}"#] {
            assert!(seek(body.as_bytes(), &way).is_err(), "{body}");
        }
        assert!(seek(b"{\"a\": \"\xff\"}", &way).is_err(), "not UTF-8");
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(
            seek(deep.as_bytes(), &[Turn::Name("b".to_owned())]).expect("JSON").map(RawValue::get),
            None
        );
    }

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(Json::from),
            any::<f32>().prop_map(|number| Json::from(f64::from(number))),
            ".{0,4}".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
                prop::collection::vec(("[abc]", inner), 0..5)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    fn path() -> impl Strategy<Value = String> {
        prop::collection::vec(prop_oneof!["\\.[abc]", "\\[[012]\\]", "\\['[abc]'\\]"], 0..5)
            .prop_map(|turns| format!("${}", turns.concat()))
    }

    proptest! {
        #[test]
        fn it_finds_what_the_whole_tree_has_there(json in json(), path in path()) {
            let body = json.to_string();
            let query = JsonQuery::from(JsonPath::parse(&path).unwrap());
            let wanted = query.path.query(&json).first();
            let found = seek(body.as_bytes(), &query.way.expect("a way")).expect("JSON");
            let found = found.map(|value| serde_json::from_str::<Json>(value.get()).unwrap());
            prop_assert_eq!(found.as_ref(), wanted);
        }
    }
}
