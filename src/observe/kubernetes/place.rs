//! The place up to which a log was read, by the time stamps of the cluster.

use k8s_openapi::jiff::Timestamp;

/// The place in a log: the time stamp of the last line that was read, and how many lines had it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Option<Timestamp>,
    n: usize,
    /// How many lines with that stamp are still to be left out of what is being read again.
    known: usize,
}

impl Mark {
    /// After everything that has this stamp.
    pub(super) fn after(at: Option<Timestamp>) -> Self {
        Self { at, n: usize::MAX, known: usize::MAX }
    }

    /// What follows is read again from the second of the last line on.
    pub(super) fn rewind(&mut self) {
        self.known = self.n;
    }

    /// Whether what is read now is new, as far as that can be told of what has no stamp.
    pub(super) fn is_caught_up(&self) -> bool {
        self.known == 0
    }

    /// Whether a line is new; it is not a second time.
    pub(super) fn passes(&mut self, at: Timestamp) -> bool {
        match self.at {
            Some(last) if at < last => false,
            Some(last) if at == last => {
                if self.known > 0 {
                    self.known -= 1;
                    return false;
                }
                self.n = self.n.saturating_add(1);
                true
            }
            Some(_) | None => {
                *self = Self { at: Some(at), n: 1, known: 0 };
                true
            }
        }
    }
}

/// A line's time stamp, and the line without it.
pub(super) fn stamped(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let end = line.iter().take(40).position(|byte| *byte == b' ')?;
    let stamp = std::str::from_utf8(&line[..end]).ok()?;
    Some((stamp.parse().ok()?, &line[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time stamp")
    }

    #[test]
    fn stamps_are_taken_off_lines() {
        let (stamp, text) = stamped(b"2026-11-25T01:02:03.123456789Z a line").expect("a stamp");
        assert_eq!((stamp, text), (at("2026-11-25T01:02:03.123456789Z"), b"a line".as_slice()));
        // A container runtime may write its own time zone.
        let (stamp, _) = stamped(b"2026-11-25T03:02:03.123456789+02:00 a line").expect("a stamp");
        assert_eq!(stamp, at("2026-11-25T01:02:03.123456789Z"));
        assert_eq!(stamped(b"no stamp"), None);
        assert_eq!(stamped(b""), None);
    }

    /// What a log that is read again from a second on still holds of new lines.
    fn again(mark: &mut Mark, stamps: &[&str]) -> usize {
        mark.rewind();
        stamps.iter().filter(|stamp| mark.passes(at(stamp))).count()
    }

    #[test]
    fn what_is_read_again_counts_once() {
        let (a, b, c) = ("2026-11-25T01:00:00.1Z", "2026-11-25T01:00:00.2Z", "2026-11-25T01:00:03Z");
        let mut mark = Mark::default();
        assert_eq!(again(&mut mark, &[a, b, b]), 3);
        assert_eq!(again(&mut mark, &[a, b, b]), 0);
        assert_eq!(again(&mut mark, &[a, b, b, b, c]), 2, "one more of the same moment, and one after it");
        assert_eq!(again(&mut mark, &[b, c]), 0);
    }

    #[test]
    fn what_was_there_before_is_left_out() {
        let mut mark = Mark::after(Some(at("2026-11-25T01:00:00.2Z")));
        assert_eq!(again(&mut mark, &["2026-11-25T01:00:00.1Z", "2026-11-25T01:00:00.2Z"]), 0);
        assert_eq!(again(&mut mark, &["2026-11-25T01:00:00.3Z"]), 1);
        // A log that was empty has nothing to be left out.
        assert_eq!(again(&mut Mark::after(None), &["2026-11-25T01:00:00.1Z"]), 1);
    }
}
