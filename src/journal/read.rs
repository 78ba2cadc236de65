//! What a journal says is left.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use super::line::{DatabaseCleanup, FORMAT, Head, Line, StepLine, Undoing};

/// A journal, read to its end: what was created and not undone, as far as it was written down.
///
/// A last line without its end is what a killed process leaves: it is not read. A line before that which cannot be
/// read is noted, and the others count.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// The id of the run; empty of a journal that was killed before it began.
    pub run: String,
    /// The name of its profile.
    pub profile: String,
    /// The URL of its target, sealed.
    pub target: String,
    /// The context of the kubeconfig that leads to a target that is a Service, sealed; `None` for the current one.
    pub context: Option<String>,
    /// Where the statement is found that deletes what the run left in a database, if it has one.
    pub database: Option<DatabaseCleanup>,
    /// What is left, by number.
    pub things: BTreeMap<u64, Thing>,
    /// The numbers of lines that cannot be read, from 1.
    pub corrupt: Vec<usize>,
    /// Whether the run, or a sweep, has come to its end and told what is left.
    pub ended: bool,
    /// How many bytes its whole lines have.
    pub whole: u64,
    /// How many bytes the lines have that every journal of its run begins with.
    pub beginning: u64,
    steps: BTreeMap<u16, StepLine>,
}

/// Something that was asked for, and may be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    /// The step that creates it, by its number in the plan.
    pub step: u16,
    /// Path and body of the request, sealed, the body cut.
    pub sent: Option<(String, Option<String>)>,
    /// Set once an answer said that it was created.
    pub made: Option<Made>,
}

/// What an answer said was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The path by which it is undone, sealed; without one it cannot be.
    pub path: Option<String>,
    /// Headers of its own, sealed; a value that was left out is `None`.
    pub headers: Vec<(String, Option<String>)>,
    /// A body of its own, sealed.
    pub body: Option<String>,
}

/// Why something is not read as a journal.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its first line is no journal's.
    #[error("line 1 is not the first line of a journal")]
    NotAJournal,
    /// It has a later format.
    #[error("it has the format `{0}`, and this palier reads `{FORMAT}`")]
    OtherFormat(String),
}

/// Reads a journal.
pub fn read(mut from: impl BufRead) -> Result<Journal, ReadError> {
    let mut journal = Journal::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        from.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        if number == 1 {
            journal.begin(&line)?;
        } else if !journal.take(&line) {
            journal.corrupt.push(number);
        }
        journal.whole += line.len() as u64;
    }
    Ok(journal)
}

impl Journal {
    fn begin(&mut self, line: &[u8]) -> Result<(), ReadError> {
        let head: Head = match serde_json::from_slice(line) {
            Ok(head) => head,
            Err(_) => return Err(ReadError::NotAJournal),
        };
        if head.format != FORMAT {
            return Err(ReadError::OtherFormat(head.format));
        }
        (self.run, self.profile, self.target) = (head.run, head.profile, head.target);
        (self.context, self.database) = (head.context, head.database);
        self.beginning = line.len() as u64;
        Ok(())
    }

    /// Takes one more line in; `false` if it cannot be read.
    fn take(&mut self, text: &[u8]) -> bool {
        let Ok(line) = serde_json::from_slice::<Line>(text) else { return false };
        match line {
            Line { step: Some(step), name: Some(name), method: Some(method), undo: Some(undo), .. } => {
                if self.beginning == self.whole {
                    self.beginning += text.len() as u64;
                }
                self.steps.insert(step, StepLine { step, name, method, undo });
            }
            Line { sent: Some(number), step: Some(step), path: Some(path), body, .. } => {
                self.ended = false;
                self.things.insert(number, Thing { step, sent: Some((path, body)), made: None });
            }
            Line { made: Some(number), step: Some(step), path, headers, body, .. } => {
                self.ended = false;
                let thing = self.things.entry(number).or_default();
                thing.step = step;
                thing.made = Some(Made { path, headers: headers.unwrap_or_default(), body });
            }
            Line { undone: Some(number), .. } | Line { refused: Some(number), .. } => {
                self.things.remove(&number);
            }
            Line { end: Some(_), .. } => self.ended = true,
            _ => return false,
        }
        true
    }

    /// What is certainly left, the latest last.
    pub fn left(&self) -> impl DoubleEndedIterator<Item = (u64, &Thing, &Made)> {
        self.things.iter().filter_map(|(number, thing)| Some((*number, thing, thing.made.as_ref()?)))
    }

    /// What was asked for, and whose answer never came: nobody knows whether it is there.
    pub fn unanswered(&self) -> impl Iterator<Item = &Thing> {
        self.things.values().filter(|thing| thing.made.is_none())
    }

    /// Whether there is something to sweep, or something that nobody was told.
    pub fn has_leftovers(&self) -> bool {
        self.left().next().is_some() || !self.ended && !self.things.is_empty() || !self.corrupt.is_empty()
    }

    /// The name of the step that creates a thing.
    pub fn creator(&self, thing: &Thing) -> &str {
        self.steps.get(&thing.step).map_or("?", |step| step.name.as_str())
    }

    /// The method of the request that creates a thing.
    pub fn method(&self, thing: &Thing) -> &str {
        self.steps.get(&thing.step).map_or("?", |step| step.method.as_str())
    }

    /// How a thing is undone, but for what is its own.
    pub fn undoing(&self, thing: &Thing) -> Option<&Undoing> {
        self.steps.get(&thing.step).map(|step| &step.undo)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    const BEGINNING: &str = concat!(
        r#"{"format":"palier.journal/1","run":"r-1","profile":"quick","target":"http://localhost:5000"}"#,
        "\n",
        r#"{"step":3,"name":"create","method":"POST","undo":{"step":"delete","method":"DELETE","headers":[]}}"#,
        "\n"
    );

    fn parse(text: &str) -> Journal {
        read(text.as_bytes()).expect("a journal")
    }

    #[test]
    fn what_was_made_and_not_undone_is_left() {
        let journal = parse(&format!(
            "{BEGINNING}{}\n{}\n{}\n{}\n{}\n{}\n",
            r#"{"sent":1,"step":3,"path":"/things","body":"{}"}"#,
            r#"{"sent":2,"step":3,"path":"/things"}"#,
            r#"{"made":1,"step":3,"path":"/things/1"}"#,
            r#"{"made":2,"step":3,"path":"/things/2"}"#,
            r#"{"undone":1}"#,
            r#"{"sent":3,"step":3,"path":"/things","body":"{\"name\":\"x\"}"}"#,
        ));
        let left: Vec<_> = journal.left().map(|(number, _, made)| (number, made.path.clone())).collect();
        assert_eq!(left, [(2, Some("/things/2".to_owned()))]);
        let unanswered: Vec<_> = journal.unanswered().map(|thing| thing.sent.clone().unwrap()).collect();
        assert_eq!(unanswered, [("/things".to_owned(), Some(r#"{"name":"x"}"#.to_owned()))]);
        assert!(journal.has_leftovers() && !journal.ended);
        let (_, thing, _) = journal.left().next().unwrap();
        assert_eq!((journal.creator(thing), journal.method(thing)), ("create", "POST"));
        assert_eq!(journal.undoing(thing).unwrap().method, "DELETE");
        assert_eq!(journal.beginning, BEGINNING.len() as u64);
    }

    #[test]
    fn a_journal_that_ended_has_told_what_it_does_not_know() {
        let told = |end: &str| {
            parse(&format!("{BEGINNING}{{\"sent\":3,\"step\":3,\"path\":\"/things\"}}\n{end}"))
                .has_leftovers()
        };
        assert!(told(""));
        assert!(!told("{\"end\":\"done\",\"left\":0,\"unanswered\":1}\n"));
        let left = "{\"made\":3,\"step\":3,\"path\":\"/things/3\"}\n{\"end\":\"done\",\"left\":1}\n";
        assert!(told(left), "what is left is left, told or not");
    }

    #[test]
    fn half_a_line_at_the_end_is_no_error_and_one_before_it_is_named() {
        let journal =
            parse(&format!("{BEGINNING}{{\"made\":1,\"step\":3,\"path\":\"/things/1\"}}\n{{\"undo"));
        assert_eq!((journal.left().count(), journal.corrupt.len()), (1, 0));
        let torn =
            format!("{BEGINNING}{{\"made\":1,\"st\n{{\"made\":2,\"step\":3,\"path\":\"/things/2\"}}\n");
        let journal = parse(&torn);
        assert_eq!((journal.left().count(), journal.corrupt.as_slice()), (1, [3].as_slice()));
        assert!(journal.has_leftovers());
        assert!(!parse("").has_leftovers(), "killed before the first line");
    }

    #[test]
    fn what_is_no_journal_is_refused() {
        assert!(matches!(read(&b"hello\n"[..]), Err(ReadError::NotAJournal)));
        let later = BEGINNING.replace("journal/1", "journal/2");
        assert!(matches!(read(later.as_bytes()), Err(ReadError::OtherFormat(_))));
    }

    /// A journal of things in any order of their lines, with what is left after each of its lines.
    fn journal_of(order: &[(u64, u8)]) -> (String, Vec<(usize, usize, usize)>) {
        let mut text = BEGINNING.to_owned();
        let mut states = BTreeMap::new();
        let mut expected = vec![(text.len(), 0, 0)];
        for &(number, gone) in order {
            let state = states.entry(number).or_insert(0_u8);
            let line = match (*state, gone) {
                (0, _) => format!(r#"{{"sent":{number},"step":3,"path":"/things","body":"é\n\"{number}"}}"#),
                (1, 0) => format!(r#"{{"refused":{number}}}"#),
                (1, _) => format!(r#"{{"made":{number},"step":3,"path":"/things/{number}"}}"#),
                (2, _) => format!(r#"{{"undone":{number}}}"#),
                _ => continue,
            };
            *state = if (*state, gone) == (1, 0) { 3 } else { *state + 1 };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{line}");
            let count = |wanted| states.values().filter(|state| **state == wanted).count();
            expected.push((text.len(), count(2), count(1)));
        }
        (text, expected)
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_journal_is_read_soundly(
            order in proptest::collection::vec((0_u64..12, 0_u8..4), 0..60), cut in 0.0..1.0_f64
        ) {
            let (text, expected) = journal_of(&order);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
            let cut = (text.len() as f64 * cut) as usize;
            let journal = read(&text.as_bytes()[..cut]).unwrap();
            let whole = expected.iter().rev().find(|(end, _, _)| *end <= cut);
            let (left, unanswered) = whole.map_or((0, 0), |(_, left, unanswered)| (*left, *unanswered));
            prop_assert_eq!((journal.left().count(), journal.unanswered().count()), (left, unanswered));
            prop_assert!(journal.corrupt.is_empty());
            prop_assert!(journal.whole <= cut as u64);
        }

        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(bytes.as_slice());
        }

        #[test]
        fn lines_of_any_json_never_panic(line in r#"[\{\}\[\]":,a-z0-9\\ ]{0,60}"#) {
            let journal = read(format!("{BEGINNING}{line}\n").as_bytes()).unwrap();
            prop_assert!(journal.corrupt.len() <= 1);
        }
    }
}
