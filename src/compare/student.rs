//! Student's t distribution: how far a mean of few observations strays.
//!
//! The distribution function is a regularised incomplete beta function (DLMF 8.17, <https://dlmf.nist.gov/8.17>),
//! which is computed from its continued fraction (8.17.22) by Lentz's method; the tests hold it against figures of
//! `SciPy`.

/// `P(T <= t)` with that many degrees of freedom, which need not be a whole number.
pub(super) fn cdf(t: f64, freedom: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The `t` of which `P(T <= t)` is `p`, for a `p` between 0 and 1.
pub(super) fn quantile(p: f64, freedom: f64) -> f64 {
    if p < 0.5 {
        return -quantile(1.0 - p, freedom);
    }
    // Doubled until it lies beyond, then halved: the function is monotone, and nobody waits for it.
    let mut high = 1.0;
    while cdf(high, freedom) < p && high < 1e12 {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if cdf(middle, freedom) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function `I_x(a, b)`.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // Its continued fraction converges fast below the mean; above it the mirrored one does (8.17.4).
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    front * continued_fraction(a, b, x)
}

/// 8.17.22, from the front (Lentz 1976, in the form of Thompson & Barnett 1986).
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut ratio = 1.0;
    let mut inverse = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = inverse;
    for index in 1..10_000 {
        let m = f64::from(index);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            inverse = 1.0 / away_from_zero(1.0 + term * inverse);
            ratio = away_from_zero(1.0 + term / ratio);
            step = ratio * inverse;
            fraction *= step;
        }
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

/// The logarithm of the gamma function of a positive number: Stirling's series (DLMF 5.11.1) beyond 15, and the
/// recurrence down from there.
fn ln_gamma(x: f64) -> f64 {
    if x < 15.0 {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let square = x * x;
    let series =
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{found}, not {wanted}");
    }

    /// With one degree of freedom it is Cauchy's distribution, with two it is algebraic: both are exact.
    #[test]
    fn it_is_what_it_is_known_to_be_in_closed_form() {
        for t in [-3.0_f64, -0.5, 0.0, 1.0, 2.5, 40.0] {
            close(cdf(t, 1.0), 0.5 + t.atan() / std::f64::consts::PI);
            close(cdf(t, 2.0), 0.5 + t / (2.0 * (2.0 + t * t).sqrt()));
        }
    }

    /// Probability, degrees of freedom, `scipy.stats.t.ppf` of `SciPy` 1.16.
    const SCIPY: [(f64, f64, f64); 7] = [
        (0.975, 1.0, 12.706_204_736_432_095),
        (0.975, 5.0, 2.570_581_835_636_314),
        (0.99, 9.0, 2.821_437_925_025_808),
        (0.999, 11.5, 3.974_646_498_487_120_4),
        (0.9995, 30.0, 3.645_958_634_997_150_2),
        (0.975, 1_000.0, 1.962_339_080_826_407_4),
        (0.6, 3.0, 0.276_670_662_332_689_83),
    ];

    #[test]
    fn its_quantiles_are_those_of_scipy() {
        for (p, freedom, wanted) in SCIPY {
            close(quantile(p, freedom), wanted);
            close(quantile(1.0 - p, freedom), -wanted);
            close(cdf(wanted, freedom), p);
        }
    }
}
