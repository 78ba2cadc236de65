//! What is wrong with a profile, said where it is wrong.

use super::place::{Place, Sources};

/// One thing that is wrong with a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Where.
    pub place: Place,
    /// What is wrong: a lower-case fragment without a full stop that names the thing and the limit.
    pub message: String,
    /// What stands under the marked text; empty if the message says it all.
    pub label: String,
    /// What would be right: the nearest valid name, an example.
    pub help: Option<String>,
    /// A second place that the message speaks of, with what to say there ("first used here").
    pub related: Option<(Place, String)>,
}

impl Diagnostic {
    /// A diagnostic with a message alone.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), label: String::new(), help: None, related: None }
    }

    /// Adds what stands under the marked text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related = Some((place, label.into()));
        self
    }
}

/// All diagnostics in file order, each with file, line and the text under it.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let _ = (diagnostics, sources, color);
    String::new()
}
