//! `{{ name }}` in a text, cut into pieces at load.

use super::place::{Place, Placed};

/// A text with values to be filled in, cut into pieces. Two text pieces never follow each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The pieces, in order; none for the empty text.
    pub pieces: Vec<Piece>,
    /// Where the whole text stands.
    pub place: Place,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// A value, filled in when the request is made.
    Value(Placed<Reference>),
}

/// What a `{{ … }}` stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference {
    /// `{{id}}`: what an earlier step, or `setup`, captured under that name.
    Capture(String),
    /// `{{run}}`: the run's id.
    Run,
    /// `{{vu}}`: the VU's number, from 1; 0 in `setup` and `teardown`.
    Vu,
    /// `{{iteration}}`: the VU's iteration, from 0.
    Iteration,
    /// `{{shard}}`: the shard's number, from 1.
    Shard,
    /// `{{uuid}}`: a new random UUID each time it stands somewhere.
    Uuid,
    /// `{{now}}`: the time in RFC 3339, UTC.
    Now,
    /// `{{random(1,10)}}`: a whole number between these two, both included.
    Random {
        /// The smallest.
        min: i64,
        /// The largest, not below `min`.
        max: i64,
    },
    /// `{{pick(QA, Sales)}}`: one of these texts, each as likely as the others; at least one.
    Pick(Vec<String>),
}

impl Template {
    /// The text, if nothing is to be filled in.
    pub fn fixed(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The values to be filled in, in order.
    pub fn references(&self) -> impl Iterator<Item = &Placed<Reference>> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(reference) => Some(reference),
        })
    }
}
