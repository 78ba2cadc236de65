//! The id of a run, `{{run}}` in the names of what it creates.

use std::time::SystemTime;

use crate::plan::Shard;

/// Letters that cannot be taken for another: a person may have to type them.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A new id: `20261123-235959-k3f9`, the time in UTC and a million possibilities more, for pipelines that begin
/// in the same second. In order of time; made of lower-case letters, digits and hyphens, so that it can stand
/// in URLs and in an SQL `LIKE`, where `_` and `%` would match others.
pub(super) fn new(now: SystemTime, mut random: impl FnMut() -> u32) -> String {
    let time = humantime::format_rfc3339_seconds(now).to_string();
    let digits: String = time.chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(8);
    let random = random();
    let letter = |n: u32| char::from(LETTERS[(random >> (5 * n)) as usize % LETTERS.len()]);
    let letters: String = (0..4).map(letter).collect();
    format!("{day}-{time}-{letters}")
}

/// The id of one shard of a run: no two of them create anything of the same name.
pub(super) fn of_shard(run: &str, shard: Shard) -> String {
    format!("{run}-{}of{}", shard.number(), shard.count())
}

/// Whether a text can be such an id, and so means nothing in SQL: it may come from a file that anybody wrote.
pub(super) fn is_harmless(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=40).contains(&text.len()) && text.chars().all(is_letter)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_id_is_sortable_and_harmless() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_478_399_900);
        let id = new(start, || 0);
        assert_eq!(id, "20261123-235959-aaaa");
        assert!(new(start + Duration::from_secs(1), || 0) > id);
        let id = new(start, || u32::MAX);
        assert_eq!(id, "20261123-235959-9999");
        assert!(is_harmless(&id));
        for other in ["", "%", "r'1", "R", "_", &"a".repeat(50)] {
            assert!(!is_harmless(other), "{other}");
        }
        assert_ne!(new(start, || 1), new(start, || 2));
        let longest = of_shard(&id, Shard::new(Shard::MOST, Shard::MOST).unwrap());
        assert!(is_harmless(&longest), "{longest}");
    }
}
