//! From values to places: scales, and the round values that are marked on them.

/// A range of values on a range of places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    kind: Kind,
    /// The values at both ends.
    values: [f64; 2],
    /// Their places.
    places: [f64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Linear,
    Log,
}

impl Scale {
    /// Equal distances for equal differences.
    pub(super) fn linear(values: [f64; 2], places: [f64; 2]) -> Self {
        Self { kind: Kind::Linear, values, places }
    }

    /// Equal distances for equal ratios; both values are above zero.
    pub(super) fn log(values: [f64; 2], places: [f64; 2]) -> Self {
        Self { kind: Kind::Log, values, places }
    }

    /// From zero to a round value at or above `max`.
    pub(super) fn from_zero(max: f64, places: [f64; 2], n_ticks: usize) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let step = round_step(max / n_ticks as f64);
        Self::linear([0.0, (max / step - 1e-9).ceil().max(1.0) * step], places)
    }

    /// Logarithmic between round values around `min` and `max`.
    pub(super) fn log_around(min: f64, max: f64, places: [f64; 2]) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let min = if min > 0.0 { min.min(max) } else { max / 1e3 };
        let low = ROUND.iter().rev().map(|round| decade(min) * round).find(|it| *it <= min * 1.000_001);
        let high = ROUND.iter().map(|round| decade(max) * round).find(|it| *it >= max * 0.999_999);
        let (low, high) = (low.unwrap_or(min), high.unwrap_or(decade(max) * 10.0));
        // A single value still has to have room on both sides.
        let low = if high / low < 1.5 { low / 2.0 } else { low };
        Self::log([low, high], places)
    }

    /// The values at both ends.
    pub(super) fn values(&self) -> [f64; 2] {
        self.values
    }

    /// The place of a value; one beyond the ends is put at the end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let [from, to] = self.values;
        let part = match self.kind {
            Kind::Linear => (value - from) / (to - from),
            Kind::Log => (value.max(from) / from).ln() / (to / from).ln(),
        };
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        self.places[0] + (self.places[1] - self.places[0]) * part
    }

    /// Some `n` round values within the range.
    pub(super) fn ticks(&self, n: usize) -> Vec<f64> {
        let [from, to] = self.values;
        match self.kind {
            Kind::Linear => multiples(from, to, round_step((to - from) / n as f64)),
            Kind::Log => {
                let all = decades(from, to, &ROUND[..3]);
                let ten = decades(from, to, &ROUND[..1]);
                let few = decades(from, to, &[1.0, 3.0]);
                if all.len() <= n + 2 {
                    all
                } else if few.len() <= n + 2 && few.len() > ten.len() && ten.len() < 3 {
                    few
                } else {
                    ten
                }
            }
        }
    }
}

const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

fn decade(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

/// 1, 2 or 5 times a power of ten, at or above the value.
fn round_step(value: f64) -> f64 {
    let decade = decade(value);
    ROUND.into_iter().map(|round| round * decade).find(|it| *it >= value * 0.999_999).unwrap_or(decade * 10.0)
}

/// The multiples of a step within a range.
pub(super) fn multiples(from: f64, to: f64, step: f64) -> Vec<f64> {
    let first = (from / step - 1e-9).ceil();
    (0..1_000_u16).map(|n| (first + f64::from(n)) * step).take_while(|it| *it <= to + step * 1e-9).collect()
}

fn decades(from: f64, to: f64, rounds: &[f64]) -> Vec<f64> {
    let mut decade = decade(from);
    let mut found = Vec::new();
    while decade <= to * 1.000_001 {
        found.extend(rounds.iter().map(|it| it * decade));
        decade *= 10.0;
    }
    found.retain(|it| *it >= from * 0.999_999 && *it <= to * 1.000_001);
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round() {
        let scale = Scale::from_zero(612.0, [0.0, 100.0], 4);
        assert_eq!(scale.ticks(4), [0.0, 200.0, 400.0, 600.0, 800.0]);
        let scale = Scale::log_around(4.5, 1923.0, [0.0, 100.0]);
        assert!(scale.values()[0] < 2.01 && scale.values()[1] > 1999.0);
        assert_eq!(scale.ticks(3), [10.0, 100.0, 1000.0]);
    }

    #[test]
    fn a_scale_without_values_still_has_ends() {
        assert!(Scale::from_zero(0.0, [0.0, 1.0], 4).at(0.0).abs() < 1e-9);
        assert!(Scale::log_around(0.0, 0.0, [0.0, 1.0]).at(1.0).is_finite());
        assert!(Scale::linear([1.0, 1.0], [0.0, 1.0]).at(1.0).is_finite());
    }

    proptest! {
        #[test]
        fn every_value_has_a_place_and_ticks_lie_within(min in 1e-6..1e6_f64, factor in 1.0..1e6_f64) {
            let max = min * factor;
            for scale in [Scale::from_zero(max, [10.0, 90.0], 4), Scale::log_around(min, max, [10.0, 90.0])] {
                let [from, to] = scale.values();
                prop_assert!(from <= min && max <= to * 1.000_01, "{scale:?}");
                let (low, high) = (scale.at(min), scale.at(max));
                prop_assert!(10.0 <= low && low <= high && high <= 90.0);
                let ticks = scale.ticks(4);
                prop_assert!(ticks.len() <= 14 && ticks.iter().all(|it| *it >= from * 0.999 && *it <= to * 1.001), "{ticks:?} {scale:?}");
            }
        }
    }
}
