//! `report.html`: the page that a person opens from a red pipeline.
//!
//! One file, which asks for nothing else. It says the verdict and its reasons in words first, then what was asked,
//! then what happened, over time and step by step, then under which circumstances.
//!
//! It is complete without scripts and without styles: Jenkins' default Content-Security-Policy lets neither through.
//! So charts are SVG, coloured by presentation attributes, and tables are tables. A style, where it is let, adds
//! layout, dark colours and a form for phones; a script adds the values of all charts at a moment, and sorting.
//! Both are inlined, and the page's own policy lets these two through and nothing else, so nothing that came from a
//! target could ever run, should it get past the escaping.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places and counts of a drawing are small, and not negative"
)]

mod asked;
mod beside;
mod chart;
mod panels;
mod percentiles;
mod regression;
mod scale;
mod strips;
mod svg;
mod tables;
mod timeline;
mod view;

use base64::Engine as _;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::summary::Summary;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const TEMPLATE: &str = include_str!("page.html");

/// The page.
pub fn render(summary: &Summary) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    // A name that is misspelt in the template is to be found by its tests.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = environment.syntax().to_builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    let page = view::Page::of(summary, policy(), STYLE, SCRIPT);
    environment.render_str(TEMPLATE, Serde(page)).unwrap_or_else(|error| {
        // The template is part of the program and every summary gives it all that it names: that is tested.
        format!("<!doctype html><title>palier</title><p>The page could not be drawn: {error:#}\n")
    })
}

/// What may be loaded and run: nothing but the style and the script of the page itself.
fn policy() -> String {
    let hash = |text: &str| {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(digest))
    };
    format!(
        "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

#[cfg(test)]
mod tests;
