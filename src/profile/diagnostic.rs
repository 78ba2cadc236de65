//! What is wrong with a profile, said where it is wrong.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::place::{Place, Sources};
use super::secrets::Secrets;

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

    /// Takes the secrets out of what it says.
    pub(super) fn mask(&mut self, secrets: &Secrets) {
        let parts = [&mut self.message, &mut self.label].into_iter().chain(&mut self.help);
        for text in parts.chain(self.related.iter_mut().map(|(_, label)| label)) {
            *text = secrets.mask(text).into_owned();
        }
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related = Some((place, label.into()));
        self
    }
}

/// All diagnostics in the order given, each with file, line and the text under it.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let shown: Vec<String> =
        diagnostics.iter().map(|diagnostic| renderer.render(&[group(diagnostic, sources)])).collect();
    shown.join("\n\n") + if shown.is_empty() { "" } else { "\n" }
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let main = AnnotationKind::Primary.span(visible(diagnostic.place, sources)).label(
        // An empty label would leave a blank at the end of the line.
        (!diagnostic.label.is_empty()).then_some(diagnostic.label.as_str()),
    );
    let mut main = snippet(diagnostic.place, sources).annotation(main);
    let mut other = None;
    if let Some((place, label)) = &diagnostic.related {
        let annotation = AnnotationKind::Context.span(visible(*place, sources)).label(label.as_str());
        if place.source == diagnostic.place.source {
            main = main.annotation(annotation);
        } else {
            other = Some(snippet(*place, sources).annotation(annotation));
        }
    }
    let mut group = Level::ERROR.primary_title(diagnostic.message.as_str()).element(main);
    if let Some(other) = other {
        group = group.element(other);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

fn snippet(place: Place, sources: &Sources) -> Snippet<'_, Annotation<'_>> {
    let source = sources.get(place.source);
    Snippet::source(source.text.as_str()).path(source.name.as_str())
}

/// The span cut to the first line it covers: a table of twenty lines is marked by its first.
fn visible(place: Place, sources: &Sources) -> Range<usize> {
    let text = &sources.get(place.source).text;
    let start = place.start.min(text.len());
    let end = place.end.clamp(start, text.len());
    let line =
        text.get(start..end).and_then(|covered| covered.find(['\r', '\n'])).map_or(end, |at| start + at);
    start..line
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_diagnostic_shows_file_line_text_and_what_would_be_right() {
        let mut sources = Sources::default();
        let a = sources.add("profiles/a.toml".into(), "[load]\nexecutr = \"ramping-vus\"\n".into());
        let b = sources.add("--set".into(), "load.x=1".into());
        let diagnostics = [
            Diagnostic::new(Place { source: a, start: 7, end: 14 }, "unknown key `executr`")
                .label("in `[load]`")
                .help("did you mean `executor`?"),
            Diagnostic::new(Place { source: b, start: 5, end: 6 }, "unknown key `x`")
                .related(Place { source: a, start: 0, end: 6 }, "the table is here"),
            Diagnostic::new(Place { source: a, start: 31, end: 31 }, "missing key"),
        ];
        assert_snapshot!(render(&diagnostics, &sources, false));
        assert!(render(&diagnostics, &sources, true).contains("\u{1b}["));
        assert_eq!(render(&[], &sources, false), "");
    }
}
