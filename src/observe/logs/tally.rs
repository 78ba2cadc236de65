//! Counting lines that match.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::observe::desk::Desk;
use crate::plan::Pattern;
use crate::words::Metric;

/// So many lines are kept word for word, of each pattern in each source.
const EVIDENCE: u64 = 5;

/// The most that is kept of a line, in characters.
const LONGEST: usize = 500;

/// How often each pattern was found in each source.
#[derive(Debug)]
pub struct Tally {
    patterns: Vec<Pattern>,
    /// By source, then pattern.
    counts: BTreeMap<String, Vec<u64>>,
}

impl Tally {
    /// Nothing was found so far.
    pub fn new(patterns: &[Pattern]) -> Self {
        Self { patterns: patterns.to_vec(), counts: BTreeMap::new() }
    }

    /// Looks at one line, without its end, of a source; it counts once for each pattern that it matches.
    pub fn line(&mut self, desk: &Desk, source: &str, at: Instant, line: &[u8]) {
        for (index, pattern) in self.patterns.iter().enumerate() {
            if !pattern.regex.is_match(line) {
                continue;
            }
            if !self.counts.contains_key(source) {
                self.counts.insert(source.to_owned(), vec![0; self.patterns.len()]);
            }
            let Some(counts) = self.counts.get_mut(source) else { continue };
            counts[index] += 1;
            if counts[index] <= EVIDENCE {
                let labels = labels(&pattern.name, source);
                let text: String = String::from_utf8_lossy(line).chars().take(LONGEST).collect();
                desk.line(at, source, Metric::LogMatches, &labels, text.trim_end());
            }
        }
    }

    /// Writes down how often each pattern was found so far. A source without a match has no series; that it was
    /// watched is what its feed says.
    pub fn publish(&self, desk: &Desk, at: Instant) {
        for (source, counts) in &self.counts {
            for (pattern, count) in self.patterns.iter().zip(counts).filter(|(_, count)| **count > 0) {
                desk.read(Metric::LogMatches, &labels(&pattern.name, source), at, *count as f64);
            }
        }
    }
}

fn labels(pattern: &str, source: &str) -> [(String, String); 2] {
    [("pattern".to_owned(), pattern.to_owned()), ("source".to_owned(), source.to_owned())]
}
