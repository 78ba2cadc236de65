//! Decimal numbers: cutting them off a text, scaling them without loss, showing them.

/// Cuts the decimal number off the front: `12`, `1.5`, `.5` (digits and one point, nothing else).
pub(super) fn digits(text: &str) -> (&str, &str) {
    let mut point = false;
    let end = text
        .char_indices()
        .find(|&(_, c)| match c {
            '0'..='9' => false,
            '.' if !point => {
                point = true;
                false
            }
            _ => true,
        })
        .map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

/// The number times `scale`, exactly; `None` where the result is no whole number, too large, or the number is none.
pub(super) fn exact_nanos(number: &str, scale: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 18 {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let below: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let parts = below * u128::from(scale);
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    (parts % divisor == 0).then(|| u128::from(whole) * u128::from(scale) + parts / divisor)
}

/// A plain number for reports, three significant digits above the point at least: `6543`, `31.1`, `0.17`, `0`.
pub fn human_number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || size >= 1e15 {
        format!("{value}")
    } else if size >= 100.0 || value == 0.0 || (value.fract() == 0.0 && size < 1e15) {
        format!("{value:.0}")
    } else if size >= 1.0 {
        format!("{value:.1}")
    } else if size >= 0.01 {
        format!("{value:.2}")
    } else {
        format!("{value:.1e}")
    }
}
