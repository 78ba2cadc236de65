//! A chart over time: lines, areas and bars on the time axis that all charts of a page share.

use std::fmt::Write as _;

use super::scale::Scale;
use super::svg::{AXIS, Anchor, BAD, BAND, GRID, Ink, Svg, TEXT, number};
use super::timeline::{Axis, Timeline, When, moment_text};
use crate::report::show;
use crate::report::summary::Ms;
use crate::words::Unit;

/// One chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// What it shows, in a few words.
    pub(super) title: String,
    /// What must be known to read it.
    pub(super) note: Option<String>,
    pub(super) lines: Vec<Line>,
    /// The unit of what stands on the left.
    pub(super) left: Unit,
    /// The unit of what stands on the right, where something does.
    pub(super) right: Option<Unit>,
    /// Whether the left scale is logarithmic.
    pub(super) is_log: bool,
    /// Values of the left scale that must be seen: the bounds of thresholds.
    pub(super) bounds: Vec<(f64, String)>,
}

/// One series of a chart.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) ink: Ink,
    pub(super) shape: Shape,
    /// Whether it stands on the right scale.
    pub(super) on_right: bool,
    /// Seconds since the start of the load, in order, and the value then; `None` where there is none.
    pub(super) points: Vec<Moment>,
}

/// Seconds since the start of the load, and the value then.
pub(super) type Moment = (f64, Option<f64>);

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// From point to point, that thick.
    Curve(f64),
    /// Constant until the next point.
    Steps,
    /// The same, dashed.
    DashedSteps,
    /// Filled down to zero.
    Area,
    /// A bar for each point, on top of those of the series before it.
    Stack,
}

/// The measures of a drawing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
    /// What the labels on the left need.
    pub(super) margin: f64,
    /// What those on the right need; the same in all charts, so that one moment is one place.
    pub(super) right: f64,
    pub(super) font: f64,
    pub(super) n_moments: usize,
}

/// For a page that is wide enough.
pub(super) const WIDE: Size =
    Size { width: 1080.0, height: 172.0, margin: 62.0, right: 48.0, font: 11.5, n_moments: 12 };
/// For a phone.
pub(super) const NARROW: Size =
    Size { width: 350.0, height: 150.0, margin: 46.0, right: 28.0, font: 10.5, n_moments: 5 };

impl Size {
    /// How many characters there is room for.
    fn characters(self, room: f64) -> usize {
        ((room - 6.0) / (self.font * 0.62)).max(0.0) as usize
    }
}

const TOP: f64 = 20.0;
const BOTTOM: f64 = 20.0;

impl Chart {
    /// Whether there is anything to be seen.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.points.iter().all(|(_, value)| value.is_none()))
    }

    /// The drawing.
    pub(super) fn draw(&self, timeline: &Timeline, size: Size) -> String {
        let right = size.width - size.right;
        let x = timeline.axis([size.margin, right]);
        let places = [size.height - BOTTOM, TOP];
        let left = self.scale(false, places);
        let on_right = self.right.map(|unit| (unit, self.scale(true, places)));

        let knots: Vec<String> = x.knots().iter().flatten().map(|it| number(*it)).collect();
        let extra = format!(" data-x=\"{}\"", knots.join(" "));
        let mut svg = Svg::new(size.width, size.height, &self.description(), &extra);
        self.ground(&mut svg, timeline, size, &x, &left);
        if let Some((unit, scale)) = &on_right {
            for tick in scale.ticks(3) {
                let y = scale.at(tick) + size.font * 0.35;
                svg.text(TEXT, [right + 6.0, y], size.font, Anchor::Start, &tick_text(tick, *unit));
            }
        }
        let mut floor: Vec<(f64, f64)> = Vec::new();
        for line in &self.lines {
            let scale = on_right.as_ref().filter(|_| line.on_right).map_or(&left, |(_, scale)| scale);
            let points = thinned(&line.points, &x, line.shape);
            let last = timeline.resolution;
            match line.shape {
                Shape::Curve(width) => svg.stroke(line.ink, &curve(&points, &x, scale), width, ""),
                Shape::Steps => svg.stroke(line.ink, &steps(&points, &x, scale, last), 1.8, ""),
                Shape::DashedSteps => {
                    svg.stroke(line.ink, &steps(&points, &x, scale, last), 1.6, " stroke-dasharray=\"5 3\"");
                }
                Shape::Area => {
                    svg.fill(line.ink, &area(&points, &x, scale), 0.16);
                    svg.stroke(line.ink, &curve(&points, &x, scale), 1.4, "");
                }
                Shape::Stack => svg.fill(line.ink, &bars(&points, &x, scale, last, &mut floor), 1.0),
            }
        }
        let [lowest, highest] = left.values();
        // One beyond the scale would be drawn at its edge, where it is not.
        for (bound, label) in self.bounds.iter().filter(|(bound, _)| lowest <= *bound && *bound <= highest) {
            let y = left.at(*bound);
            svg.line(BAD, [size.margin, y], [right, y], 1.2, "6 4");
            svg.text(BAD, [right - 4.0, y - 4.0], size.font, Anchor::End, label);
        }
        svg.finish()
    }

    /// Stages, grid, and the labels of the axes.
    fn ground(&self, svg: &mut Svg, timeline: &Timeline, size: Size, x: &Axis, left: &Scale) {
        let right = x.at(timeline.span[1]);
        let bottom = size.height - BOTTOM;
        for (n, (start, end, name)) in timeline.stages.iter().enumerate() {
            let (start, end) = (x.at(*start), x.at(*end));
            if n % 2 == 0 {
                svg.rect(BAND, [start, TOP], [end - start, bottom - TOP], 1.0);
            }
            // As much of the name as there is room for.
            let room = size.characters(end - start);
            if room >= 3 {
                let name = show::shortened(name, room);
                svg.text(TEXT, [start + 3.0, TOP - 6.0], size.font, Anchor::Start, &name);
            }
        }
        breaks(svg, timeline, size, x);
        for tick in left.ticks(4) {
            let y = left.at(tick);
            let ink = if tick.abs() < 1e-9 { AXIS } else { GRID };
            svg.line(ink, [size.margin, y], [right, y], 1.0, "");
            let label = [size.margin - 6.0, y + size.font * 0.35];
            svg.text(TEXT, label, size.font, Anchor::End, &tick_text(tick, self.left));
        }
        for moment in timeline.moments(x, size.n_moments, size.font * 3.6) {
            let place = x.at(moment);
            svg.line(AXIS, [place, bottom], [place, bottom + 4.0], 1.0, "");
            svg.text(TEXT, [place, bottom + 15.0], size.font, Anchor::Middle, &moment_text(moment));
        }
        for (at, number) in &timeline.facts {
            let place = x.at(*at);
            svg.line(TEXT, [place, TOP], [place, bottom], 1.0, "1 3");
            svg.text(TEXT, [place + 3.0, TOP + 10.0], size.font - 1.0, Anchor::Start, &number.to_string());
        }
    }

    fn scale(&self, on_right: bool, places: [f64; 2]) -> Scale {
        let own = self.lines.iter().filter(|line| line.on_right == on_right);
        let values = || own.clone().flat_map(|line| line.points.iter().filter_map(|(_, value)| *value));
        let bound = self.bounds.iter().map(|(bound, _)| *bound).fold(0.0, f64::max);
        if self.is_log && !on_right {
            let (min, max) =
                (values().filter(|it| *it > 0.0).fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
            let bound = if bound <= 10.0 * max { bound } else { 0.0 };
            return Scale::log_around(min, max.max(bound), places);
        }
        // A bound far above all that was seen would press it flat.
        let max = values().fold(0.0, f64::max).max(self.stack_height());
        let bound = if bound <= 3.0 * max { bound } else { 0.0 };
        Scale::from_zero(max.max(bound), places, if on_right { 3 } else { 4 })
    }

    /// The highest pile of what is stacked.
    fn stack_height(&self) -> f64 {
        let stacked: Vec<&Line> = self.lines.iter().filter(|line| line.shape == Shape::Stack).collect();
        let n = stacked.iter().map(|line| line.points.len()).max().unwrap_or(0);
        let pile = |at: usize| -> f64 {
            stacked.iter().filter_map(|line| line.points.get(at).and_then(|(_, value)| *value)).sum()
        };
        (0..n).map(pile).fold(0.0, f64::max)
    }

    /// What those hear who do not see the drawing.
    fn description(&self) -> String {
        let mut text = self.title.clone();
        for line in &self.lines {
            let known = || line.points.iter().filter_map(|(at, value)| Some((*at, (*value)?)));
            let Some((at, max)) = known().max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
            let min = known().map(|(_, value)| value).fold(f64::INFINITY, f64::min);
            let unit = if line.on_right { self.right.unwrap_or(self.left) } else { self.left };
            let (min, max) = (show::value(min, unit), show::value(max, unit));
            let _ =
                write!(text, "; {}: {min} to {max}, highest at {}", line.name, show::offset(Ms(at * 1e3)));
        }
        text
    }
}

/// Where time before and after the load is drawn closer together: a line between the two measures, broken at the axis,
/// and a word.
fn breaks(svg: &mut Svg, timeline: &Timeline, size: Size, x: &Axis) {
    let Some(density) = timeline.density() else { return };
    let bottom = size.height - BOTTOM;
    for part in timeline.parts() {
        let [from, to] = part.span.map(|it| x.at(it));
        let (seam, words) = match part.when {
            When::Load => continue,
            When::Before => (to, ["before the load", "before", ""]),
            When::After => (from, ["after the load", "after", ""]),
        };
        svg.rect(BAND, [from, TOP], [to - from, bottom - TOP], 1.0);
        svg.line(AXIS, [seam, TOP - 14.0], [seam, bottom - 5.0], 1.0, "");
        for shift in [-2.0, 2.0] {
            svg.line(AXIS, [seam + shift - 2.0, bottom + 4.0], [seam + shift + 2.0, bottom - 4.0], 1.2, "");
        }
        let in_full = format!("{}, {} times closer", words[0], show::value(density, Unit::Count));
        let words = [&*in_full].into_iter().chain(words);
        let fitting = words.into_iter().find(|it| it.chars().count() <= size.characters(to - from));
        svg.text(TEXT, [from + 4.0, TOP - 6.0], size.font, Anchor::Start, fitting.unwrap_or_default());
    }
}

/// A value beside a scale.
pub(super) fn tick_text(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Milliseconds | Unit::Bytes | Unit::Cores if value == 0.0 => "0".to_owned(),
        Unit::Fraction => format!("{} %", show::value((value * 1e6).round() / 1e4, Unit::Count)),
        Unit::Milliseconds | Unit::Bytes => show::value(value, unit),
        Unit::PerSecond | Unit::Count | Unit::Cores => show::value(value, Unit::Count),
    }
}

type Points = [Moment];

/// At most one point a column. Of several the highest stands, because a peak is what is looked for; of bars their
/// mean, because a bar is as wide as all of them.
fn thinned(points: &Points, x: &Axis, shape: Shape) -> Vec<Moment> {
    let column = |point: &Moment| x.at(point.0) as u64;
    let mut thin: Vec<Moment> = Vec::new();
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        let known = || group.iter().filter_map(|(_, value)| *value);
        let value = match shape {
            Shape::Stack => (known().count() > 0).then(|| known().sum::<f64>() / group.len() as f64),
            Shape::Curve(_) | Shape::Steps | Shape::DashedSteps | Shape::Area => known().reduce(f64::max),
        };
        thin.push((group[0].0, value));
    }
    thin
}

fn curve(points: &Points, x: &Axis, y: &Scale) -> String {
    let mut d = String::new();
    let mut is_down = false;
    for (index, (at, value)) in points.iter().enumerate() {
        let Some(value) = value else {
            is_down = false;
            continue;
        };
        let place = format!("{} {}", number(x.at(*at)), number(y.at(*value)));
        let _ = write!(d, "{}{place}", if is_down { 'L' } else { 'M' });
        // A point without neighbours would not be seen.
        if !is_down && points.get(index + 1).is_none_or(|(_, next)| next.is_none()) {
            d.push_str("h1.5");
        }
        is_down = true;
    }
    d
}

fn steps(points: &Points, x: &Axis, y: &Scale, last: f64) -> String {
    let mut d = String::new();
    let mut is_down = false;
    for (at, value) in points {
        let place = number(x.at(*at));
        match value {
            Some(value) if is_down => {
                let _ = write!(d, "H{place}V{}", number(y.at(*value)));
            }
            Some(value) => {
                let _ = write!(d, "M{place} {}", number(y.at(*value)));
            }
            None if is_down => {
                let _ = write!(d, "H{place}");
            }
            None => {}
        }
        is_down = value.is_some();
    }
    if let (true, Some((at, _))) = (is_down, points.last()) {
        let _ = write!(d, "H{}", number(x.at(at + last)));
    }
    d
}

fn area(points: &Points, x: &Axis, y: &Scale) -> String {
    let zero = number(y.at(0.0));
    let mut d = String::new();
    for run in points.split(|(_, value)| value.is_none()).filter(|run| run.len() > 1) {
        let _ = write!(d, "M{} {zero}", number(x.at(run[0].0)));
        for (at, value) in run {
            let _ = write!(d, "L{} {}", number(x.at(*at)), number(y.at(value.unwrap_or_default())));
        }
        let _ = write!(d, "L{} {zero}Z", number(x.at(run[run.len() - 1].0)));
    }
    d
}

/// Bars on top of what `floor` says of each moment, which they raise.
fn bars(points: &Points, x: &Axis, y: &Scale, length: f64, floor: &mut Vec<(f64, f64)>) -> String {
    let mut d = String::new();
    floor.resize(floor.len().max(points.len()), (0.0, 0.0));
    for (index, (at, value)) in points.iter().enumerate() {
        let Some(value) = value.filter(|it| *it > 0.0) else { continue };
        let below = floor[index].1;
        floor[index].1 += value;
        let next = points.get(index + 1).map_or(at + length, |(next, _)| *next);
        let (left, right) = (x.at(*at), x.at(next));
        let (low, high) = (y.at(below), y.at(below + value));
        // What there is, is seen.
        let high = high.min(low - 1.0);
        let width = (right - left - 0.4).max(1.0);
        let _ = write!(
            d,
            "M{} {}h{}V{}h-{}Z",
            number(left),
            number(low),
            number(width),
            number(high),
            number(width)
        );
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::svg::SERIES;

    fn chart(shape: Shape, points: Vec<Moment>) -> Chart {
        Chart {
            title: "VUs".into(),
            note: None,
            lines: vec![Line { name: "VUs".into(), ink: SERIES[0], shape, on_right: false, points }],
            left: Unit::Count,
            right: None,
            is_log: false,
            bounds: vec![],
        }
    }

    /// A load of so many seconds.
    fn seconds(length: f64) -> Timeline {
        Timeline { span: [0.0, length], end: length, resolution: 1.0, ..Timeline::default() }
    }

    #[test]
    fn time_that_is_drawn_closer_is_marked() {
        let chart = chart(Shape::Steps, vec![(0.0, Some(1.0)), (800.0, Some(2.0))]);
        let followed = Timeline { span: [0.0, 800.0], ..seconds(200.0) };
        assert!(chart.draw(&followed, WIDE).contains("after the load, 8.54 times closer"));
        assert!(chart.draw(&followed, NARROW).contains(">after<"));
        assert!(!chart.draw(&seconds(200.0), WIDE).contains("the load"));
    }

    #[test]
    fn a_gap_is_a_gap() {
        let points = [(0.0, Some(1.0)), (1.0, None), (2.0, Some(2.0)), (3.0, Some(3.0))];
        let (x, y) = (seconds(10.0).axis([0.0, 100.0]), Scale::linear([0.0, 10.0], [100.0, 0.0]));
        assert_eq!(curve(&points, &x, &y), "M0 90h1.5M20 80L30 70");
        assert_eq!(steps(&points, &x, &y, 1.0), "M0 90H10M20 80H30V70H40");
        assert_eq!(area(&points, &x, &y), "M20 100L20 80L30 70L30 100Z");
    }

    #[test]
    fn many_points_are_thinned_without_losing_the_peak() {
        let points: Vec<Moment> = (0..3_600)
            .map(|second| (f64::from(second), Some(if second == 1_234 { 99.0 } else { 1.0 })))
            .collect();
        let thin = thinned(&points, &seconds(3_600.0).axis([0.0, 300.0]), Shape::Curve(1.0));
        assert_eq!(thin.len(), 300);
        assert!(thin.iter().filter_map(|(_, value)| *value).fold(0.0, f64::max) > 98.0);
        assert!(chart(Shape::Steps, points).draw(&seconds(3_600.0), NARROW).len() < 10_000);
    }

    #[test]
    fn a_bound_far_beyond_what_was_seen_is_not_drawn() {
        let timeline = seconds(10.0);
        let mut chart = chart(Shape::Curve(1.0), vec![(0.0, Some(4.0)), (9.0, Some(5.0))]);
        for (bound, is_drawn) in [(6.0, true), (14.0, true), (500.0, false)] {
            chart.bounds = vec![(bound, "the bound".into())];
            for is_log in [false, true] {
                chart.is_log = is_log;
                assert_eq!(chart.draw(&timeline, WIDE).contains("the bound"), is_drawn, "{bound} {is_log}");
            }
        }
    }

    #[test]
    fn those_who_do_not_see_it_hear_what_it_shows() {
        let chart = chart(Shape::Steps, vec![(0.0, Some(1.0)), (65.0, Some(20.0)), (70.0, Some(3.0))]);
        assert_eq!(chart.description(), "VUs; VUs: 1 to 20, highest at 1m05s");
    }
}
