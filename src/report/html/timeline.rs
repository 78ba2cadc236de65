//! The time axis that all charts of a page share, and what lies on it.

use super::scale::multiples;

/// The share of the axis that the load has at least: what came before and after it may have taken much longer, and says
/// less.
const LOAD: f64 = 0.74;

/// The time that is drawn, and what lies in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    /// Its ends, in seconds since the start of the load.
    pub(super) span: [f64; 2],
    /// The end of the load, graceful stop included.
    pub(super) end: f64,
    /// How much time a point of the run's own series stands for, in seconds.
    pub(super) resolution: f64,
    /// Stages with their names, in order.
    pub(super) stages: Vec<(f64, f64, String)>,
    /// When something happened, with its number in the list of facts.
    pub(super) facts: Vec<(f64, usize)>,
}

/// A part of the time that is drawn to one measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    /// When it is.
    pub(super) when: When,
    /// Its ends, in seconds since the start of the load.
    pub(super) span: [f64; 2],
    /// The share of the axis that it takes.
    share: f64,
}

/// Where a part of the time lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    Load,
    After,
}

impl Timeline {
    /// How many times closer together moments before and after the load are drawn than those of the load; `None` where
    /// all are drawn to the same measure.
    pub(super) fn density(&self) -> Option<f64> {
        let [from, to] = self.span;
        let rest = (to - from) - self.end;
        let density = (rest / (1.0 - LOAD)) / (self.end / LOAD);
        // A difference that nobody would see is not worth a word.
        (self.end > 0.0 && density > 1.25).then_some(density)
    }

    /// The parts that the axis has, in order: one, or the load and what came before and after it.
    pub(super) fn parts(&self) -> Vec<Part> {
        let [from, to] = self.span;
        if self.density().is_none() {
            return vec![Part { when: When::Load, span: self.span, share: 1.0 }];
        }
        let share = |length: f64| (1.0 - LOAD) * length / ((to - from) - self.end);
        let parts = [
            Part { when: When::Before, span: [from, 0.0], share: share(-from) },
            Part { when: When::Load, span: [0.0, self.end], share: LOAD },
            Part { when: When::After, span: [self.end, to], share: share(to - self.end) },
        ];
        parts.into_iter().filter(|part| part.share > 0.0).collect()
    }

    /// The axis between two places.
    pub(super) fn axis(&self, [left, right]: [f64; 2]) -> Axis {
        let mut knots = vec![[self.span[0], left]];
        let mut place = left;
        for part in self.parts() {
            place += part.share * (right - left);
            knots.push([part.span[1], place]);
        }
        Axis { knots }
    }

    /// Round moments that are marked below the axis, some `n` of them, none closer to another than `gap`.
    pub(super) fn moments(&self, axis: &Axis, n: usize, gap: f64) -> Vec<f64> {
        let mut parts = self.parts();
        // Those of the load go before all others.
        parts.sort_by_key(|part| part.when != When::Load);
        let mut found: Vec<f64> = Vec::new();
        for part in parts {
            // Round moments are fewer than asked for; those that are too close are left out below.
            let few = if part.when == When::Load { 1.0 } else { 1.6 };
            let n = (part.share * few * n as f64).round().max(1.0) as usize;
            for moment in moments(part.span[0], part.span[1], n) {
                if found.iter().all(|it| (axis.at(*it) - axis.at(moment)).abs() >= gap) {
                    found.push(moment);
                }
            }
        }
        found.sort_by(f64::total_cmp);
        found
    }
}

/// Moments on places: straight between its knots.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// A moment and its place, in order; at least two.
    knots: Vec<[f64; 2]>,
}

impl Axis {
    /// The place of a moment; one beyond the ends is put at the end.
    pub(super) fn at(&self, moment: f64) -> f64 {
        let next = self.knots.iter().position(|[at, _]| moment < *at).unwrap_or(self.knots.len() - 1).max(1);
        let ([from, left], [to, right]) = (self.knots[next - 1], self.knots[next]);
        let part = (moment - from) / (to - from);
        left + (right - left) * if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Its knots: a moment and its place each.
    pub(super) fn knots(&self) -> &[[f64; 2]] {
        &self.knots
    }
}

/// Some `n` round moments of a span of seconds.
fn moments(from: f64, to: f64, n: usize) -> Vec<f64> {
    const STEPS: [f64; 17] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
        14_400.0, 43_200.0, 86_400.0,
    ];
    let wanted = (to - from) / n as f64;
    let step = STEPS.into_iter().find(|it| *it >= wanted * 0.999).unwrap_or(wanted.max(1.0));
    multiples(from, to, step)
}

/// A moment below a scale: `30s`, `1m30s`, `2m`, `1h05m`.
pub(super) fn moment_text(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "−" } else { "" };
    let whole = seconds.abs().round() as u64;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match (hours, minutes, seconds) {
        (0, 0, seconds) => format!("{sign}{seconds}s"),
        (0, minutes, 0) => format!("{sign}{minutes}m"),
        (0, minutes, seconds) => format!("{sign}{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{sign}{hours}h{minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timeline(from: f64, end: f64, to: f64) -> Timeline {
        Timeline { span: [from, to], end, resolution: 1.0, ..Timeline::default() }
    }

    #[test]
    fn the_load_has_its_room() {
        let followed = timeline(-30.0, 210.0, 810.0);
        assert!(followed.density().is_some_and(|it| (8.0..9.0).contains(&it)), "{:?}", followed.density());
        let axis = followed.axis([0.0, 1_000.0]);
        assert!((axis.at(210.0) - axis.at(0.0) - 740.0).abs() < 1e-9);
        for (moment, place) in [(-30.0, 0.0), (810.0, 1_000.0), (9e9, 1_000.0)] {
            assert!((axis.at(moment) - place).abs() < 1e-9, "{moment}");
        }
        let when: Vec<When> = followed.parts().iter().map(|part| part.when).collect();
        assert_eq!(when, [When::Before, When::Load, When::After]);
    }

    #[test]
    fn a_load_with_little_around_it_is_drawn_as_it_is() {
        let alone = timeline(-3.0, 210.0, 215.0);
        assert_eq!(alone.density(), None);
        assert!((alone.axis([0.0, 218.0]).at(50.0) - 53.0).abs() < 1e-9);
        assert_eq!(timeline(0.0, 0.0, 10.0).density(), None, "there was no load");
    }

    #[test]
    fn moments_are_round_and_apart() {
        let plain = timeline(0.0, 210.0, 210.0);
        let axis = plain.axis([0.0, 800.0]);
        assert_eq!(plain.moments(&axis, 8, 40.0), [0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0]);
        let followed = timeline(-30.0, 210.0, 810.0);
        let axis = followed.axis([0.0, 1_000.0]);
        assert_eq!(
            followed.moments(&axis, 12, 40.0),
            [0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0, 360.0, 480.0, 600.0, 720.0]
        );
    }

    #[test]
    fn moments_are_named_as_people_say_them() {
        let named = [-30.0, 0.0, 45.0, 60.0, 90.0, 3_900.0].map(moment_text);
        assert_eq!(named, ["−30s", "0s", "45s", "1m", "1m30s", "1h05m"]);
    }

    proptest! {
        #[test]
        fn time_goes_on(before in 0.0..1e4_f64, end in 0.0..1e5_f64, after in 0.0..1e5_f64, a in 0.0..1.0_f64, b in 0.0..1.0_f64) {
            let timeline = timeline(-before, end, end + after + 1.0);
            let axis = timeline.axis([62.0, 1_032.0]);
            let moment = |part: f64| -before + part * (before + end + after + 1.0);
            let [low, high] = [axis.at(moment(a.min(b))), axis.at(moment(a.max(b)))];
            prop_assert!(62.0 <= low && low <= high && high <= 1_032.000_1, "{low} {high} {timeline:?}");
            let moments = timeline.moments(&axis, 12, 40.0);
            prop_assert!(moments.windows(2).all(|pair| axis.at(pair[1]) - axis.at(pair[0]) >= 40.0 - 1e-6));
        }
    }
}
