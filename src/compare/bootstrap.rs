//! The block bootstrap: how much a figure of a run would differ if the run were made again.
//!
//! Requests of a run are not independent: a slow moment makes hundreds of them slow. So whole windows of time are
//! drawn anew, with replacement, and in blocks of neighbours, so that what lasts for a while goes on doing so: the
//! circular block bootstrap (Politis & Romano, "A circular block-resampling procedure for stationary data", 1992). How
//! long a block must be is read from the series itself (Politis & White, "Automatic block-length selection for the
//! dependent bootstrap", 2004, with the correction of Patton, Politis & White, 2009).

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of windows, which are few"
)]

/// How often the run is made again. The standard error of so many is itself known to 3 %.
pub(super) const RESAMPLES: usize = 600;

/// How often each of `n` windows stands in a series that is drawn anew.
pub(super) fn resample(rng: &mut fastrand::Rng, n: usize, block: usize) -> Vec<f64> {
    let mut times = vec![0.0; n];
    let mut drawn = 0;
    while drawn < n {
        let start = rng.usize(..n);
        for offset in 0..block.min(n - drawn) {
            times[(start + offset) % n] += 1.0;
        }
        drawn += block;
    }
    times
}

/// The length of a block for a series, in windows: 1 where each is independent of the one before.
pub(super) fn block_length(series: &[f64]) -> usize {
    let n = series.len();
    let longest = (n / 5).max(1);
    let n_float = n as f64;
    let mean = series.iter().sum::<f64>() / n_float;
    let covariance = |lag: usize| {
        let pairs = series.iter().zip(&series[lag.min(n)..]);
        pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n_float
    };
    let variance = covariance(0);
    if n < 10 || variance <= 0.0 {
        return 1;
    }
    // The first lag after which several in a row are no more than noise.
    let in_a_row = (n_float.log10().sqrt().ceil() as usize).max(5);
    let noise = 2.0 * (n_float.log10() / n_float).sqrt();
    let furthest = (n_float.sqrt().ceil() as usize + in_a_row).min(n - 1);
    let correlated: Vec<bool> =
        (1..=furthest).map(|lag| (covariance(lag) / variance).abs() >= noise).collect();
    let quiet_after = (0..correlated.len())
        .find(|lag| correlated[*lag..].iter().take(in_a_row).all(|it| !it))
        .unwrap_or_else(|| correlated.iter().rposition(|it| *it).map_or(0, |lag| lag + 1));
    let bandwidth = (2 * quiet_after).clamp(1, n - 1);
    // A lag window that is flat up to half of the bandwidth (Politis & Romano 1995).
    let weight = |lag: usize| (2.0 * (1.0 - lag as f64 / bandwidth as f64)).clamp(0.0, 1.0);
    let (mut spectrum, mut slope) = (variance, 0.0);
    for lag in 1..=bandwidth {
        let part = 2.0 * weight(lag) * covariance(lag);
        spectrum += part;
        slope += part * lag as f64;
    }
    let length = if spectrum > 0.0 {
        // For the circular bootstrap D = 4/3 g²(0), and b = (2 G² / D)^(1/3) n^(1/3).
        (1.5 * (slope / spectrum).powi(2) * n_float).cbrt()
    } else {
        1.0
    };
    (length.ceil() as usize).clamp(1, longest)
}

/// The standard deviation of what a figure came to in all the runs that were drawn, made larger by what a bootstrap of
/// so few blocks leaves out: the mean of the series is its own. There are more than one.
pub(super) fn standard_error(drawn: &[f64], blocks: f64) -> f64 {
    let count = drawn.len() as f64;
    let mean = drawn.iter().sum::<f64>() / count;
    let variance = drawn.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (variance * blocks / (blocks - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series in which each value keeps `phi` of the one before it.
    fn autoregressive(n: usize, phi: f64, seed: u64) -> Vec<f64> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut normal = || (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        let mut last = normal() / (1.0 - phi * phi).sqrt();
        let mut next = || {
            last = phi * last + normal();
            last
        };
        (0..n).map(|_| next()).collect()
    }

    fn error_of_mean(series: &[f64], block: usize) -> f64 {
        let mut rng = fastrand::Rng::with_seed(1);
        let drawn: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let times = resample(&mut rng, series.len(), block);
                series.iter().zip(&times).map(|(value, times)| value * times).sum::<f64>()
                    / series.len() as f64
            })
            .collect();
        standard_error(&drawn, series.len() as f64 / block as f64)
    }

    #[test]
    fn every_draw_is_as_long_as_the_run() {
        let mut rng = fastrand::Rng::with_seed(7);
        for (n, block) in [(60, 1), (60, 7), (13, 5), (3, 9)] {
            let times = resample(&mut rng, n, block);
            assert!((times.iter().sum::<f64>() - n as f64).abs() < 1e-9, "{n} {block}");
        }
    }

    #[test]
    fn what_lasts_longer_takes_longer_blocks() {
        let length = |phi: f64| {
            let lengths: Vec<usize> =
                (0..20).map(|seed| block_length(&autoregressive(400, phi, seed))).collect();
            lengths.iter().sum::<usize>() as f64 / 20.0
        };
        let (none, some, much) = (length(0.0), length(0.5), length(0.9));
        assert!(none < 4.0 && none < some && some < much, "{none} {some} {much}");
        // (1.5 (2 phi / (1 - phi²))² n)^(1/3) is what theory has it be: 10.2 for phi = 0.5.
        assert!((6.0..16.0).contains(&some), "{some}");
    }

    #[test]
    fn the_error_of_a_mean_is_that_of_theory() {
        let mean_error = |phi: f64| {
            let errors = (0..20).map(|seed| {
                let series = autoregressive(400, phi, seed);
                error_of_mean(&series, block_length(&series))
            });
            errors.sum::<f64>() / 20.0
        };
        let theory = |phi: f64| 1.0 / (1.0 - phi) / 400_f64.sqrt();
        assert!((mean_error(0.0) / theory(0.0) - 1.0).abs() < 0.1, "{} {}", mean_error(0.0), theory(0.0));
        // Of what lasts for a tenth of the run some stays unseen.
        assert!(
            (0.75..1.1).contains(&(mean_error(0.8) / theory(0.8))),
            "{} {}",
            mean_error(0.8),
            theory(0.8)
        );
    }

    #[test]
    fn a_series_that_never_changes_is_sure() {
        assert_eq!(block_length(&[3.0; 50]), 1);
        assert!(error_of_mean(&[3.0; 50], 1) < 1e-12);
    }
}
