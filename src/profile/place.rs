//! Where a value was written: source, byte span, line and column.

use std::ops::{Deref, Range};

/// One text that a profile was put together from: a file, a built-in file, or one `--set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub(super) usize);

/// Which texts go before which.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Precedence {
    /// How many of the sources are the profile's own file and those it extends, in that order. They are the first ones.
    pub(super) files: usize,
}

impl Precedence {
    /// The rank of a source, of which the smaller goes before the larger: 0 is the command line, 1 the profile's own
    /// file, 2 the one it extends, and so on.
    pub(super) fn rank(self, source: SourceId) -> usize {
        if source.0 < self.files { source.0 + 1 } else { 0 }
    }
}

/// A stretch of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The text it lies in.
    pub source: SourceId,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A value with the place it was written at.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// One source: what it is called in messages, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as a reader of the message knows it, `built-in profiles/quick.toml`, or `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Every text that a profile was put together from.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

/// A place as people and CI systems know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// The name of the source.
    pub file: &'a str,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The bytes it covers.
    pub fn span(self) -> Range<usize> {
        self.start..self.end
    }
}

impl<T> Placed<T> {
    /// A value and its place.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl Sources {
    /// Takes a text in and gives it an id.
    pub(super) fn add(&mut self, name: String, text: String) -> SourceId {
        self.0.push(Source { name, text });
        SourceId(self.0.len() - 1)
    }

    /// The source of that id.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.0[id.0]
    }

    /// All of them, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.0.iter().enumerate().map(|(index, source)| (SourceId(index), source))
    }

    /// File, line and column of the first byte of a place.
    pub fn locate(&self, place: Place) -> Location<'_> {
        let source = self.get(place.source);
        let before = source.text.get(..place.start).unwrap_or(&source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Location {
            file: &source.name,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}
