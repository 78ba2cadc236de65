//! How sure a figure of few samples is.

/// The probability of at least `k` yes among `n` draws that are each yes with probability `p`: the upper tail of
/// the binomial distribution, summed term by term. Exact to about ten digits for the few thousand samples that
/// it is used for.
pub(super) fn binomial_at_least(n: u64, k: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n || p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    // The logarithm of each term from the one before it, so that neither factorials nor powers overflow.
    let odds = (p / (1.0 - p)).ln();
    let mut term = n as f64 * (1.0 - p).ln();
    let mut sum = 0.0;
    for successes in 0..=n {
        if successes >= k {
            sum += term.exp();
        }
        term += ((n - successes) as f64 / (successes + 1) as f64).ln() + odds;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1e-3), "{found}, not {wanted}");
    }

    /// The figures are simple enough to be seen, or were computed in exact fractions.
    #[test]
    fn the_tail_is_that_of_the_binomial_distribution() {
        close(binomial_at_least(10, 1, 0.5), 1.0 - 0.5_f64.powi(10));
        close(binomial_at_least(10, 10, 0.5), 0.5_f64.powi(10));
        close(binomial_at_least(3, 2, 0.1), 3.0 * 0.01 * 0.9 + 0.001);
        close(binomial_at_least(5, 0, 0.3), 1.0);
        close(binomial_at_least(5, 6, 0.3), 0.0);
        close(binomial_at_least(20, 5, 0.05), 0.002_573_940_334_652_281_4);
    }

    #[test]
    fn more_yes_are_never_more_probable() {
        let tails: Vec<f64> = (0..=100).map(|k| binomial_at_least(100, k, 0.05)).collect();
        assert!(tails.windows(2).all(|pair| pair[1] <= pair[0]));
    }
}
