//! How latency is distributed, step by step: the percentile plot of `HdrHistogram`, both scales logarithmic.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::chart::{Size, tick_text};
use super::scale::Scale;
use super::svg::{AXIS, Anchor, GRID, Ink, SERIES, Svg, TEXT, number};
use crate::report::distribution::{Distribution, of_steps};
use crate::report::show;
use crate::report::summary::Summary;
use crate::words::{Metric, Unit};

/// The plot, and what tells its lines apart.
pub(super) struct Plot {
    pub(super) wide: String,
    pub(super) narrow: String,
    pub(super) legend: Vec<(String, Ink)>,
    /// How many steps are drawn in grey.
    pub(super) n_others: usize,
}

/// The plot of all steps that were answered; `None` where none was.
pub(super) fn plot(summary: &Summary) -> Option<Plot> {
    let mut steps = of_steps(summary, Metric::HttpReqDuration);
    steps.retain(|it| !it.times.is_empty());
    // The slowest have the colours.
    steps.sort_by_key(|it| std::cmp::Reverse(it.times.value_at_quantile(0.95)));
    let coloured = steps.len().min(SERIES.len());
    if steps.is_empty() {
        return None;
    }
    let legend = steps.iter().take(coloured).zip(SERIES);
    let legend = legend.map(|(it, ink)| (show::one_line(it.step, 40), ink)).collect();
    let size = |size: Size| Size { height: size.height * 1.45, ..size };
    Some(Plot {
        wide: draw(&steps, size(super::chart::WIDE)),
        narrow: draw(&steps, size(super::chart::NARROW)),
        legend,
        n_others: steps.len() - coloured,
    })
}

fn draw(steps: &[Distribution<'_>], size: Size) -> String {
    let most = steps.iter().map(|it| it.times.len()).max().unwrap_or(1).max(10);
    // As far to the right as one of so many samples lies.
    let x = Scale::log([1.0, most as f64], [size.margin, size.width - 14.0]);
    let ms = |nanos: u64| nanos as f64 / 1e6;
    let min = steps.iter().map(|it| ms(it.times.min())).fold(f64::INFINITY, f64::min);
    let max = steps.iter().map(|it| ms(it.times.max())).fold(0.0, f64::max);
    let (top, bottom) = (10.0, size.height - 22.0);
    let y = Scale::log_around(min, max, [bottom, top]);

    let mut svg = Svg::new(size.width, size.height, &describe(steps), " class=\"plot\"");
    for tick in y.ticks(5) {
        svg.line(GRID, [size.margin, y.at(tick)], [size.width - 14.0, y.at(tick)], 1.0, "");
        let place = [size.margin - 6.0, y.at(tick) + size.font * 0.35];
        svg.text(TEXT, place, size.font, Anchor::End, &tick_text(tick, Unit::Milliseconds));
    }
    let marks = [
        (0.0, "0"),
        (0.5, "50 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
    ];
    for (q, name) in marks {
        let at = 1.0 / (1.0 - q);
        if at > most as f64 * 1.001 {
            break;
        }
        let place = x.at(at);
        svg.line(GRID, [place, top], [place, bottom], 1.0, "");
        svg.line(AXIS, [place, bottom], [place, bottom + 4.0], 1.0, "");
        // At the end of the axis half of it would lie beyond the drawing.
        let is_last = x.at(most as f64) - place < size.font * 2.0;
        let anchor = if is_last { Anchor::End } else { Anchor::Middle };
        svg.text(TEXT, [place, bottom + 15.0], size.font, anchor, name);
    }
    for (n, step) in steps.iter().enumerate().rev() {
        let d = line(&step.times, &x, &y, if n < SERIES.len() { 24.0 } else { 8.0 });
        match SERIES.get(n) {
            Some(ink) => svg.stroke(*ink, &d, 1.8, ""),
            None => svg.stroke(AXIS, &d, 1.0, ""),
        }
    }
    svg.finish()
}

/// So many points for each power of ten, up to the last sample.
fn line(times: &Histogram<u64>, x: &Scale, y: &Scale, density: f64) -> String {
    let n = times.len() as f64;
    let mut d = String::new();
    let steps = (n.log10() * density).floor() as u32;
    for step in (0..=steps).map(f64::from).chain([n.log10() * density]) {
        let rest = 10_f64.powf(-step / density);
        let value = times.value_at_quantile(1.0 - rest) as f64 / 1e6;
        let mark = if d.is_empty() { 'M' } else { 'L' };
        let _ = write!(d, "{mark}{} {}", number(x.at(1.0 / rest)), number(y.at(value)));
    }
    d
}

fn describe(steps: &[Distribution<'_>]) -> String {
    let mut text = "Latency by percentile, for each step".to_owned();
    for step in steps.iter().take(SERIES.len()) {
        let at = |q: f64| show::value(step.times.value_at_quantile(q) as f64 / 1e6, Unit::Milliseconds);
        let _ = write!(
            text,
            "; {}: p50 {}, p95 {}, p99 {}, max {}",
            show::one_line(step.step, 40),
            at(0.5),
            at(0.95),
            at(0.99),
            at(1.0)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_slowest_steps_have_colours_and_names() {
        let plot = plot(&sample::standard_fail()).expect("there are answers");
        assert_eq!(plot.legend.len(), 7);
        assert_eq!(plot.n_others, 0);
        assert_eq!(plot.legend[0].0, "create employee");
        assert!(plot.wide.contains("99.9 %"));
        assert!(super::plot(&sample::invalid()).is_none());
    }

    #[test]
    fn of_many_steps_the_rest_is_grey() {
        let plot = plot(&sample::long()).expect("there are answers");
        assert_eq!((plot.legend.len(), plot.n_others), (8, 42));
    }
}
