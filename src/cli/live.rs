//! The display of a run on a terminal: a few lines, drawn anew each second.
//!
//! ```text
//! climb 1m→20 VUs, stage 2 of 5                        0m24s left, 2m04s in all
//! ━━━━━━━━━━━━┿━━━━━━━━━━━━━━━──────────┼────────────┼────────────────────────┼
//!   14 VUs    38.4 req/s   errors 0.1 %, 3 so far
//! p95 640 ms    ▁▁▁▂▂▂▂▃▃▃▅▅▅▆▆▇█▇▆▅▅▅▅▄▄▄▄   up to 1.2 s
//! replicas 2 → 3 of 10   CPU 94 %   database connections 31 of 151
//! ```
//!
//! Lines are laid out for the terminal as it is: fields go to the next line where they do not fit, words give way to
//! figures, and no line reaches the last column, because a terminal may wrap it there.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::glance::{Glance, Moment};
use super::outline::clock;
use super::sight::Sight;
use super::terminal::Size;
use crate::report::show::NONE;
use crate::units::{Fraction, human_duration, human_number};

/// Lines are no longer than that, however wide the terminal is: the eye has to get from one end to the other.
const WIDEST: usize = 96;

/// From so many columns on fields have a fixed width, so that they stand still.
const ROOMY: usize = 60;

/// Between two fields.
const GAP: usize = 3;

/// Seconds that a sparkline shows at most.
pub(super) const SPARKS: usize = 60;

const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();
const BAR: Style = AnsiColor::Cyan.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// What is to be seen.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    /// The load, as it is at the moment.
    Load(Box<Picture>),
    /// What is waited for, in one line.
    Waiting(String),
}

/// The load at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    /// Where in its plan it is.
    pub(super) moment: Moment,
    /// Requests a second, of the last one.
    pub(super) rate: f64,
    /// The last few seconds.
    pub(super) lately: Glance,
    /// Errors since the load began.
    pub(super) errors: u64,
    /// The p95 of each of the last seconds, the newest last.
    pub(super) p95s: Vec<Option<Duration>>,
    /// What observers see.
    pub(super) sight: Sight,
    /// Whether there may be colour.
    pub(super) colour: bool,
}

impl Frame {
    /// Its lines on a terminal of that size. At least one, and one less than the terminal has.
    pub(super) fn lines(&self, size: Size) -> Vec<String> {
        let room = size.columns.saturating_sub(1).clamp(1, WIDEST);
        match self {
            Self::Load(picture) => picture.lines(room, size.rows.saturating_sub(1).max(1)),
            Self::Waiting(what) => {
                let mut row = Row::new(size.columns.saturating_sub(1).max(1), false);
                row.add(FAINT, what);
                vec![row.text]
            }
        }
    }
}

impl Picture {
    fn lines(&self, room: usize, rows: usize) -> Vec<String> {
        let mut bar = vec![self.bar(room)];
        let mut rest = self.fields(room, &self.load_fields(room >= ROOMY));
        rest.push(self.latency(room));
        rest.extend(self.fields(room, &self.observed_fields(room >= ROOMY)));
        let mut lines = vec![self.head(room)];
        // What can be done without first is the bar.
        if lines.len() + bar.len() + rest.len() <= rows {
            lines.append(&mut bar);
        }
        lines.append(&mut rest);
        lines.truncate(rows);
        lines
    }

    /// The stage on the left, and the time on the right: as many words as there is room for.
    fn head(&self, room: usize) -> String {
        let Moment { stage, name, number, stage_left, left, at_most, .. } = &self.moment;
        let number = number.map(|(n, of)| format!("{stage}, stage {n} of {of}"));
        let stages: Vec<&str> = number.as_deref().into_iter().chain([&**stage, &**name]).collect();
        let at_most = if *at_most { "at most " } else { "" };
        let whole = format!("{at_most}{}", clock(*left));
        let times = match stage_left {
            Some(stage) => vec![
                format!("{} left, {whole} in all", clock(*stage)),
                format!("{}, {whole} in all", clock(*stage)),
                format!("{}, {whole}", clock(*stage)),
                clock(*left),
            ],
            None => vec![format!("{whole} left"), whole, clock(*left)],
        };
        // The stage loses its number before the time loses its words, and so on in turn.
        let steps = (0..stages.len() + times.len()).map(|n| {
            let stage = n.div_ceil(2).min(stages.len() - 1);
            (stages[stage], &*times[(n / 2).min(times.len() - 1)])
        });
        let fits = |(stage, time): &(&str, &str)| stage.width() + 2 + time.width() <= room;
        let shortest = (stages[stages.len() - 1], &*times[times.len() - 1]);
        let (stage, time) = steps.into_iter().find(fits).unwrap_or(shortest);
        let mut row = Row::new(room.saturating_sub(time.width() + 1), self.colour);
        row.add(STRONG, stage);
        row.room = room;
        row.fill(room.saturating_sub(time.width()));
        row.add(Style::new(), time);
        row.text
    }

    /// How much of the load is over, with the ends of stages.
    fn bar(&self, room: usize) -> String {
        let place = |share: f64| nth(share.clamp(0.0, 1.0) * room as f64);
        let done = place(self.moment.over);
        let marks: Vec<usize> = self.moment.marks.iter().map(|share| place(*share)).collect();
        // A mark at the very end is the end of the bar.
        let is_mark = |column: usize| column > 0 && marks.contains(&column);
        let part = |from: usize, to: usize, line: char, mark: char| -> String {
            (from..to).map(|column| if is_mark(column) { mark } else { line }).collect()
        };
        let mut row = Row::new(room, self.colour);
        row.add(BAR, &part(0, done, '━', '┿'));
        row.add(FAINT, &part(done, room, '─', '┼'));
        row.text
    }

    fn load_fields(&self, is_roomy: bool) -> Vec<Vec<(Style, String)>> {
        let plain = Style::new();
        let (vus, rate) = (self.lately.vus, human_number(self.rate));
        let share = self.lately.errors.and_then(Fraction::new);
        let share = share.map_or_else(|| NONE.to_owned(), Fraction::human);
        let errors = match self.errors {
            0 => share,
            so_far if is_roomy => format!("{share}, {so_far} so far"),
            so_far => format!("{share} ({so_far})"),
        };
        let tone = if self.errors > 0 { BAD } else { plain };
        let (vus, rate) = if is_roomy {
            (format!("{vus:>4}"), format!("{rate:>7}"))
        } else {
            (vus.to_string(), rate.clone())
        };
        vec![
            vec![(plain, vus), (FAINT, " VUs".to_owned())],
            vec![(plain, rate), (FAINT, if is_roomy { " req/s" } else { "/s" }.to_owned())],
            vec![(FAINT, "errors ".to_owned()), (tone, errors)],
        ]
    }

    fn observed_fields(&self, is_roomy: bool) -> Vec<Vec<(Style, String)>> {
        let short = |name: &'static str| match name {
            "database connections" if !is_roomy => "db",
            "pods ready" if !is_roomy => "pods",
            name => name,
        };
        let field = |(name, figure): &(&'static str, String)| {
            vec![(FAINT, format!("{} ", short(name))), (Style::new(), figure.clone())]
        };
        self.sight.figures.iter().map(field).collect()
    }

    /// Fields side by side, on as many lines as they need.
    fn fields(&self, room: usize, fields: &[Vec<(Style, String)>]) -> Vec<String> {
        let mut rows: Vec<Row> = Vec::new();
        for field in fields {
            let width: usize = field.iter().map(|(_, text)| text.width()).sum();
            let mut row = match rows.pop() {
                Some(mut row) if row.width + GAP + width <= room => {
                    row.fill(row.width + GAP);
                    row
                }
                last => {
                    rows.extend(last);
                    Row::new(room, self.colour)
                }
            };
            for (style, text) in field {
                row.add(*style, text);
            }
            rows.push(row);
        }
        rows.into_iter().map(|row| row.text).collect()
    }

    /// The p95 of the last seconds, and that of each second before.
    fn latency(&self, room: usize) -> String {
        let mut row = Row::new(room, self.colour);
        row.add(FAINT, "p95 ");
        let p95 = self.lately.p95.map_or_else(|| NONE.to_owned(), human_duration);
        row.add(Style::new(), &if room >= ROOMY { format!("{p95:<8}") } else { p95 });
        let highest = self.p95s.iter().rev().take(SPARKS).flatten().max();
        let legend = highest.filter(|_| room >= ROOMY).map(|it| format!("up to {}", human_duration(*it)));
        let taken = legend.as_ref().map_or(0, |it| it.width() + GAP);
        let sparks = room.saturating_sub(row.width + 1 + taken).min(SPARKS);
        row.add(BAR, &format!(" {}", sparkline(&self.p95s, sparks)));
        if let Some(legend) = legend {
            row.fill(row.width + GAP);
            row.add(FAINT, &legend);
        }
        row.text
    }
}

/// A place in a line or a list, which are short.
fn nth(place: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, and not below zero")]
    let nth = place.round() as usize;
    nth
}

/// A bar a value, from zero to the highest of them; a blank where there is none.
fn sparkline(values: &[Option<Duration>], room: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &values[values.len().saturating_sub(room)..];
    let highest = shown.iter().flatten().max().map_or(0.0, Duration::as_secs_f64);
    let bar = |value: &Option<Duration>| match value {
        Some(value) if highest > 0.0 => {
            let part = nth((value.as_secs_f64() / highest * 8.0).ceil());
            BARS[part.clamp(1, 8) - 1]
        }
        Some(_) => BARS[0],
        None => ' ',
    };
    shown.iter().map(bar).collect()
}

/// A line that is made from left to right, and takes no more than it has room for.
struct Row {
    text: String,
    width: usize,
    room: usize,
    colour: bool,
}

impl Row {
    fn new(room: usize, colour: bool) -> Self {
        Self { text: String::new(), width: 0, room, colour }
    }

    /// Adds a text; what does not fit ends in an ellipsis.
    fn add(&mut self, style: Style, text: &str) {
        let left = self.room.saturating_sub(self.width);
        let text = clipped(text, left);
        self.width += text.width();
        if self.colour && !text.is_empty() {
            let _ = write!(self.text, "{style}{text}{style:#}");
        } else {
            self.text.push_str(&text);
        }
    }

    /// Blanks up to a column.
    fn fill(&mut self, column: usize) {
        let blanks = column.min(self.room).saturating_sub(self.width);
        self.text.extend(std::iter::repeat_n(' ', blanks));
        self.width += blanks;
    }
}

/// As much of a text as fits into so many columns.
fn clipped(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut width = 0;
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        if width + 1 > columns {
            break;
        }
        kept.push(character);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture() -> Picture {
        let p95s = (0..80).map(|second| Some(Duration::from_millis(100 + second * 7))).collect();
        let moment = Moment {
            stage: "climb 1m→20 VUs".into(),
            name: "climb".into(),
            number: Some((2, 5)),
            stage_left: Some(Duration::from_secs(24)),
            left: Duration::from_secs(124),
            at_most: false,
            over: 86.0 / 210.0,
            marks: [30.0, 90.0, 120.0, 180.0, 210.0].map(|it| it / 210.0).to_vec(),
        };
        Picture {
            moment,
            rate: 38.4,
            lately: Glance {
                vus: 14,
                p95: Some(Duration::from_millis(640)),
                errors: Some(0.001),
                ..Glance::default()
            },
            errors: 3,
            p95s,
            sight: Sight {
                figures: vec![
                    ("replicas", "2 → 3 of 10".into()),
                    ("CPU", "94 %".into()),
                    ("database connections", "31 of 151".into()),
                ],
            },
            colour: false,
        }
    }

    fn drawn(picture: &Picture, columns: usize, rows: usize) -> String {
        let frame = Frame::Load(Box::new(picture.clone()));
        frame.lines(Size { columns, rows }).join("\n")
    }

    #[test]
    fn a_wide_terminal() {
        insta::assert_snapshot!(drawn(&picture(), 80, 24));
    }

    #[test]
    fn a_narrow_terminal() {
        insta::assert_snapshot!(drawn(&picture(), 40, 24));
    }

    #[test]
    fn a_very_narrow_terminal() {
        insta::assert_snapshot!(drawn(&picture(), 20, 24));
    }

    #[test]
    fn before_the_first_second_there_are_dashes() {
        let moment = Moment { stage: "steady".into(), name: "steady".into(), ..Moment::default() };
        let start = Picture { moment, ..Picture::default() };
        insta::assert_snapshot!(drawn(&start, 80, 24));
    }

    #[test]
    fn a_low_terminal_keeps_what_matters_most() {
        let text = drawn(&picture(), 80, 4);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("climb") && lines[1].contains("req/s") && lines[2].starts_with("p95"));
    }

    #[test]
    fn colour_changes_no_column() {
        let coloured = Picture { colour: true, ..picture() };
        let plain = anstyle_free(&drawn(&coloured, 60, 24));
        assert_eq!(plain, drawn(&picture(), 60, 24));
    }

    fn anstyle_free(text: &str) -> String {
        let escapes = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a pattern");
        escapes.replace_all(text, "").into_owned()
    }

    proptest! {
        #[test]
        fn no_line_reaches_the_last_column(
            columns in 1_usize..140, rows in 1_usize..12, name in "[a-z 試験é]{0,30}", vus: u32, rate in 0.0..1e9_f64,
            errors: u64, over in 0.0..1.0_f64,
        ) {
            let mut picture = Picture {
                rate,
                lately: Glance { vus, ..Glance::default() },
                errors,
                ..picture()
            };
            picture.moment = Moment { stage: format!("{name} 1h→20 VUs"), name, over, ..picture.moment };
            let text = drawn(&picture, columns, rows);
            prop_assert!(text.lines().count() <= rows.saturating_sub(1).max(1), "{text}");
            for line in text.lines() {
                prop_assert!(line.width() <= columns.saturating_sub(1).max(1), "{columns}: {line}");
            }
        }
    }
}
