//! `summary.json`: the [`Summary`] itself.
//!
//! Indented as far as people read it, so that a diff of two runs shows what changed; what lies deeper, such as
//! the thousands of points of the series, stands on one line each.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::summary::Summary;

/// How many levels are indented: those of the lists and maps at the top, and of what they hold.
const DEPTH: usize = 3;

/// The summary as a JSON document.
#[expect(clippy::missing_panics_doc, reason = "it never does: that is the invariant")]
pub fn render(summary: &Summary) -> String {
    let mut json = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut json, Shallow::default());
    summary
        .serialize(&mut serializer)
        .expect("invariant: a Summary has string keys and a Vec takes all bytes");
    json.push(b'\n');
    String::from_utf8(json).expect("invariant: serde_json writes UTF-8")
}

/// Reads a summary back, of this version or a later one of the same format.
pub fn parse(json: &str) -> Result<Summary, ParseError> {
    /// What must be known before the rest can be understood.
    #[derive(serde::Deserialize)]
    struct Format {
        schema: Option<String>,
    }
    let format: Format = serde_json::from_str(json)?;
    match format.schema {
        None => Err(ParseError::NotASummary),
        Some(schema) if schema != super::summary::SCHEMA => Err(ParseError::OtherFormat(schema)),
        Some(_) => Ok(serde_json::from_str(json)?),
    }
}

/// Why a text is no summary.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not JSON, or a part of it is not what it should be.
    #[error("not a summary that palier wrote")]
    Json(#[from] serde_json::Error),
    /// It is JSON of something else.
    #[error("not a summary of palier: it has no `schema`")]
    NotASummary,
    /// It is of a format that this version does not know.
    #[error("the format is `{0}`, this version reads `{known}`", known = super::summary::SCHEMA)]
    OtherFormat(String),
}

/// Indents the upper levels and keeps the lower ones on a line.
#[derive(Default)]
struct Shallow {
    pretty: PrettyFormatter<'static>,
    depth: usize,
}

impl Shallow {
    fn is_deep(&self) -> bool {
        self.depth > DEPTH
    }

    fn separate<W: ?Sized + io::Write>(writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }
}

impl Formatter for Shallow {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.is_deep() { writer.write_all(b"[") } else { self.pretty.begin_array(writer) }
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth >= DEPTH { writer.write_all(b"]") } else { self.pretty.end_array(writer) }
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if self.is_deep() {
            Self::separate(writer, first)
        } else {
            self.pretty.begin_array_value(writer, first)
        }
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.is_deep() { Ok(()) } else { self.pretty.end_array_value(writer) }
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.is_deep() { writer.write_all(b"{") } else { self.pretty.begin_object(writer) }
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth >= DEPTH { writer.write_all(b"}") } else { self.pretty.end_object(writer) }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if self.is_deep() {
            Self::separate(writer, first)
        } else {
            self.pretty.begin_object_key(writer, first)
        }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.is_deep() { Ok(()) } else { self.pretty.end_object_value(writer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::report::summary::{MAX_POINTS, Ms};

    #[test]
    fn a_summary_read_back_is_the_same() {
        for (name, summary) in sample::all() {
            assert!(parse(&render(&summary)).expect(name) == summary, "{name}");
        }
        let hostile = sample::hostile();
        assert!(parse(&render(&hostile)).expect("hostile") == hostile);
    }

    #[test]
    fn what_lies_deep_stands_on_one_line() {
        let mut summary = sample::fail();
        let point = summary.series.points[0].clone();
        summary.series.points = vec![point; MAX_POINTS];
        let json = render(&summary);
        assert!(json.lines().count() < MAX_POINTS + 1000, "{} lines", json.lines().count());
        let again: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert!(again == serde_json::to_value(&summary).expect("a value"), "only the white space may differ");
    }

    #[test]
    fn whole_nanoseconds_survive() {
        for nanos in [1, 999, 125_300_000, 86_400_000_000_001] {
            let time = Ms::from(std::time::Duration::from_nanos(nanos));
            let text = serde_json::to_string(&time).expect("JSON");
            let again: Ms = serde_json::from_str(&text).expect("Ms");
            assert_eq!(again, time);
            assert!(text.len() <= nanos.to_string().len().max(7) + 2, "{text}");
        }
    }

    #[test]
    fn what_is_no_summary_is_told_apart() {
        let other = r#"{"schema": "palier.summary/2"}"#;
        assert!(matches!(parse(other), Err(ParseError::OtherFormat(it)) if it == "palier.summary/2"));
        assert!(matches!(parse("{}"), Err(ParseError::NotASummary)));
        assert!(matches!(parse("<html>"), Err(ParseError::Json(_))));
    }

    #[test]
    fn keys_that_are_new_do_not_keep_it_from_being_read() {
        let json = render(&sample::pass()).replacen('{', "{\n  \"colour_of_the_sky\": \"blue\",", 1);
        assert!(parse(&json).expect("a summary") == sample::pass());
    }
}
