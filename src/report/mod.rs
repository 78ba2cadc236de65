//! What a run leaves for people and machines to read: [`Summary`] and one file for each format.
//!
//! Every report is a pure function of a [`Summary`]: no I/O, no clock, no environment. So `palier report
//! summary.json` renders the same reports again, on any machine, and no report knows the engine. Only
//! [`write`](mod@write) touches the disk.
//!
//! Messages from the target pass through all of them, and are never trusted: [`show::one_line`] takes control
//! characters and escape sequences out, and each format escapes what it takes for its own.

pub mod annotations;
pub mod badge;
pub mod comparison;
pub mod console;
pub mod distribution;
pub mod gitlab;
pub mod hlog;
pub mod html;
pub mod json;
pub mod junit;
pub mod k6;
pub mod markdown;
pub mod openmetrics;
pub mod recording;
pub mod show;
pub mod step_outputs;
pub mod summary;
pub mod trend;
pub mod write;

#[cfg(test)]
mod render_tests;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod schema_tests;

pub use summary::Summary;
pub use write::{Outputs, WriteError};

/// A report that is a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// All that is known, for `report`, `merge` and `compare`, and for scripts.
    Summary,
    /// The verdict as a test report.
    Junit,
    /// All that a person wants to know, on a page.
    Html,
    /// The verdict on a page of the pipeline.
    Markdown,
    /// The verdict as an image.
    BadgeSvg,
    /// The verdict as shields.io reads it.
    BadgeJson,
    /// The figures as GitLab's load-performance widget reads them.
    K6Summary,
    /// Links on the page of a GitLab job.
    Gitlab,
    /// The figures as OpenMetrics.
    OpenMetrics,
    /// The latencies as `HdrHistogram`'s tools read them.
    Hlog,
}

impl Format {
    /// The one that people open.
    pub const PAGE: Self = Self::Html;

    /// Every format, the most needed first: should the time run out, what is written is what counts.
    pub const ALL: [Self; 10] = [
        Self::Summary,
        Self::Junit,
        Self::Html,
        Self::Markdown,
        Self::BadgeSvg,
        Self::BadgeJson,
        Self::K6Summary,
        Self::Gitlab,
        Self::OpenMetrics,
        Self::Hlog,
    ];

    /// The name of the file, which `--format` takes, too.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Summary => "summary.json",
            Self::Junit => "junit.xml",
            Self::Html => "report.html",
            Self::Markdown => "summary.md",
            Self::BadgeSvg => "badge.svg",
            Self::BadgeJson => "badge.json",
            Self::K6Summary => "k6-summary.json",
            Self::Gitlab => "annotations.json",
            Self::OpenMetrics => "metrics.txt",
            Self::Hlog => "latency.hlog",
        }
    }

    /// The format of that file name.
    pub fn from_file_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.file_name() == name)
    }

    /// The report itself.
    pub fn render(self, summary: &Summary) -> String {
        match self {
            Self::Summary => json::render(summary),
            Self::Junit => junit::render(summary),
            Self::Html => html::render(summary),
            Self::Markdown => markdown::render(summary),
            Self::BadgeSvg => badge::svg(summary),
            Self::BadgeJson => badge::json(summary),
            Self::K6Summary => k6::render(summary),
            Self::Gitlab => gitlab::render(summary),
            Self::OpenMetrics => openmetrics::render(summary),
            Self::Hlog => hlog::render(summary),
        }
    }
}
