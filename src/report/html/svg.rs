//! A drawing in SVG, coloured by presentation attributes.
//!
//! Jenkins' default Content-Security-Policy blocks style elements and style attributes, not these. Each mark has a
//! class beside its colour, so that the page's style, where it is let, gives it the colours of a dark page.

use std::fmt::Write as _;

use serde::Serialize;

use crate::report::show::escape;

/// What a mark is drawn with: a class, and the colour it has without a style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Ink {
    pub(super) class: &'static str,
    pub(super) colour: &'static str,
}

const fn ink(class: &'static str, colour: &'static str) -> Ink {
    Ink { class, colour }
}

/// Words beside a drawing.
pub(super) const TEXT: Ink = ink("t", "#57606a");
/// Lines that help the eye.
pub(super) const GRID: Ink = ink("g", "#e4e7eb");
/// The zero of a scale.
pub(super) const AXIS: Ink = ink("a", "#afb8c1");
/// Every other stage.
pub(super) const BAND: Ink = ink("b", "#f6f7f9");
/// What holds.
pub(super) const GOOD: Ink = ink("ok", "#1a7f37");
/// What does not hold.
pub(super) const BAD: Ink = ink("ko", "#c5281c");
/// What is a warning.
pub(super) const WARN: Ink = ink("wa", "#8a5a00");

/// Series that have nothing to do with each other: told apart with every common form of colour blindness.
pub(super) const SERIES: [Ink; 8] = [
    ink("s0", "#1f6fb8"),
    ink("s1", "#d1670a"),
    ink("s2", "#0f8577"),
    ink("s3", "#8250b8"),
    ink("s4", "#c02f6d"),
    ink("s5", "#7d6a12"),
    ink("s6", "#4a5a6a"),
    ink("s7", "#2aa1c9"),
];

/// Quantiles of one thing, the higher the darker; the greatest of all is apart.
pub(super) const QUANTILES: [Ink; 5] = [
    ink("q0", "#8fc1ea"),
    ink("q1", "#4f9ad6"),
    ink("q2", "#1f6fb8"),
    ink("q3", "#0d3f70"),
    ink("q4", "#b4bcc5"),
];

/// An SVG element that is being written.
#[derive(Debug)]
pub(super) struct Svg {
    text: String,
}

/// To which side of its place a text goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// A drawing of that size with a name for those who do not see it. `extra` are attributes, escaped already.
    pub(super) fn new(width: f64, height: f64, label: &str, extra: &str) -> Self {
        let mut svg = Self { text: String::new() };
        let label = escape(label);
        let (w, h) = (number(width), number(height));
        let _ = write!(
            svg.text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" \
             aria-label=\"{label}\" font-family=\"system-ui,sans-serif\"{extra}>"
        );
        svg
    }

    /// A drawing that says nothing that is not said beside it.
    pub(super) fn decoration(width: f64, height: f64, extra: &str) -> Self {
        let (w, h) = (number(width), number(height));
        Self {
            text: format!(
                "<svg viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" aria-hidden=\"true\"{extra}>"
            ),
        }
    }

    pub(super) fn line(&mut self, ink: Ink, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], width: f64, dash: &str) {
        let Ink { class, colour } = ink;
        let (x1, y1, x2, y2) = (number(x1), number(y1), number(x2), number(y2));
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        let _ = write!(
            self.text,
            "<path class=\"{class}\" stroke=\"{colour}\" stroke-width=\"{}\"{dash} d=\"M{x1} {y1}L{x2} {y2}\"/>",
            number(width)
        );
    }

    pub(super) fn rect(&mut self, ink: Ink, [x, y]: [f64; 2], [width, height]: [f64; 2], opacity: f64) {
        let Ink { class, colour } = ink;
        let _ = write!(
            self.text,
            "<rect class=\"f-{class}\" fill=\"{colour}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}/>",
            number(x),
            number(y),
            number(width.max(0.0)),
            number(height.max(0.0)),
            opacity_attribute(opacity)
        );
    }

    pub(super) fn text(&mut self, ink: Ink, [x, y]: [f64; 2], size: f64, anchor: Anchor, text: &str) {
        let Ink { class, colour } = ink;
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let _ = write!(
            self.text,
            "<text class=\"f-{class}\" fill=\"{colour}\" x=\"{}\" y=\"{}\" font-size=\"{}\"{anchor}>{}</text>",
            number(x),
            number(y),
            number(size),
            escape(text)
        );
    }

    /// A path that is stroked. `attributes` are further ones.
    pub(super) fn stroke(&mut self, ink: Ink, d: &str, width: f64, attributes: &str) {
        let Ink { class, colour } = ink;
        let _ = write!(
            self.text,
            "<path class=\"{class}\" stroke=\"{colour}\" fill=\"none\" stroke-width=\"{}\" \
             stroke-linejoin=\"round\"{attributes} d=\"{d}\"/>",
            number(width)
        );
    }

    /// A path that is filled.
    pub(super) fn fill(&mut self, ink: Ink, d: &str, opacity: f64) {
        let Ink { class, colour } = ink;
        let _ = write!(
            self.text,
            "<path class=\"f-{class}\" fill=\"{colour}\"{} d=\"{d}\"/>",
            opacity_attribute(opacity)
        );
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>");
        self.text
    }
}

fn opacity_attribute(opacity: f64) -> String {
    if opacity < 1.0 { format!(" fill-opacity=\"{}\"", number(opacity)) } else { String::new() }
}

/// A number with as many digits as a drawing needs: two behind the point below 1, else one.
pub(super) fn number(value: f64) -> String {
    let digits = if value.abs() < 1.0 { 2 } else { 1 };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        assert_eq!(
            [0.0, -0.001, 12.0, 12.34, 0.456, 1200.06].map(number),
            ["0", "0", "12", "12.3", "0.46", "1200.1"]
        );
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
